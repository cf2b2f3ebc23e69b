//! The shape of a value.

use serde::Serialize;

use crate::error::{Error, Result};

/// The shape of a value: a feature map, or a vector an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// How many images there are.
    pub batch: usize,
    /// Channels of a feature map, or length of a vector.
    pub channels: usize,
    /// Height and width of a feature map.
    pub spatial: Option<[usize; 2]>,
}

impl Shape {
    /// The shape of a batch of feature maps: images, channels, height and width.
    #[must_use]
    pub fn of_maps((batch, channels, height, width): (usize, usize, usize, usize)) -> Self {
        Self {
            batch,
            channels,
            spatial: Some([height, width]),
        }
    }

    /// Its dimensions, `[N, C, H, W]` or `[N, H, W, C]`; `[N, C]` of a vector an image.
    #[must_use]
    pub fn dims(&self, layout: Layout) -> Vec<usize> {
        let Self {
            batch, channels, ..
        } = *self;
        match (self.spatial, layout) {
            (Some([height, width]), Layout::Nchw) => vec![batch, channels, height, width],
            (Some([height, width]), Layout::Nhwc) => vec![batch, height, width, channels],
            (None, _) => vec![batch, channels],
        }
    }

    /// Numbers in it; `None` where they exceed a `usize`.
    #[must_use]
    pub fn elements(&self) -> Option<usize> {
        let dims = self.dims(Layout::Nchw);
        dims.iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size))
    }

    pub(super) fn map(self, name: &str) -> Result<[usize; 2]> {
        self.spatial.ok_or_else(|| {
            Error::Geometry(format!(
                "{name} needs a feature map, found {:?}",
                self.dims(Layout::Nchw)
            ))
        })
    }
}

/// The order of a shape's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `TensorFlow`'s: batch, height, width, channels.
    Nhwc,
    /// `PyTorch`'s and candle's: batch, channels, height, width.
    Nchw,
}

impl Layout {
    /// `nhwc` or `nchw`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nhwc => "nhwc",
            Self::Nchw => "nchw",
        }
    }
}
