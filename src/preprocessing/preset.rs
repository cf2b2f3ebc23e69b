//! Well-known ways to prepare images, and how a file or a command line departs from them.

use serde::{Deserialize, Serialize};

use super::{
    Alpha, ChannelOrder, CropMode, Interpolation, Orientation, PerChannel, Preprocessing,
    SixteenBit,
};

/// Means of red, green and blue over ImageNet, in units of 255.
pub const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
/// The standard deviations of ImageNet's channels.
pub const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// A well-known way to prepare images.
///
/// Those of Keras are what its documentation has before every published network: `load_img` with a
/// target size, then `preprocess_input`, if any. Values and, where no orientation is noted, pixels
/// are Keras's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// timm's evaluation: bicubic, crop of 0.875, ImageNet's mean and std; ignores EXIF orientation.
    Timm,
    /// Keras: squashed, nearest; red, green, blue from -1 to 1.
    Tf,
    /// Keras: squashed, nearest; blue, green, red from 0 to 255 less ImageNet's mean.
    Caffe,
    /// Keras: squashed, nearest; ImageNet's mean and std.
    Torch,
    /// Keras: squashed, nearest; red, green, blue from 0 to 255 as they are, for networks that rescale
    /// them inside.
    Pixels,
}

impl Preset {
    /// Every one there is.
    pub const ALL: [Self; 5] = [Self::Timm, Self::Tf, Self::Caffe, Self::Torch, Self::Pixels];

    /// What it does, for networks that see `size`: height and width.
    #[must_use]
    pub const fn preprocessing(self, size: [usize; 2]) -> Preprocessing {
        let bicubic = Interpolation::Bicubic;
        let timm = Preprocessing::timm(size, 0.875, bicubic, IMAGENET_MEAN, IMAGENET_STD);
        let keras = Preprocessing {
            crop_pct: 1.0,
            crop_mode: CropMode::Squash,
            interpolation: Interpolation::Nearest,
            orientation: Orientation::Apply,
            ..timm
        };
        match self {
            Self::Timm => timm,
            Self::Tf => Preprocessing {
                divisor: 127.5,
                mean: PerChannel::Rgb([1.0; 3]),
                std: PerChannel::Rgb([1.0; 3]),
                ..keras
            },
            Self::Caffe => Preprocessing {
                divisor: 1.0,
                mean: PerChannel::Rgb([123.68, 116.779, 103.939]),
                std: PerChannel::Rgb([1.0; 3]),
                channel_order: ChannelOrder::Bgr,
                ..keras
            },
            Self::Torch => keras,
            Self::Pixels => Preprocessing {
                divisor: 1.0,
                mean: PerChannel::Rgb([0.0; 3]),
                std: PerChannel::Rgb([1.0; 3]),
                ..keras
            },
        }
    }
}

/// What a file or a command line says of the preprocessing; `None` where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is that of `Preprocessing`")]
pub struct Choices {
    /// What all the others depart from.
    pub preset: Option<Preset>,
    pub size: Option<[usize; 2]>,
    pub crop_pct: Option<f64>,
    pub crop_mode: Option<CropMode>,
    pub interpolation: Option<Interpolation>,
    pub divisor: Option<f64>,
    pub mean: Option<PerChannel>,
    pub std: Option<PerChannel>,
    pub channel_order: Option<ChannelOrder>,
    pub alpha: Option<Alpha>,
    pub sixteen_bit: Option<SixteenBit>,
    pub orientation: Option<Orientation>,
}

impl Choices {
    /// The whole preprocessing, for networks that see `size` unless the choices say otherwise.
    ///
    /// Without a preset: bilinear, no crop beyond the shorter side, samples of 0 to 1, red first,
    /// transparency over white, 16 bits scaled, upright; mean and std have no default.
    ///
    /// # Errors
    ///
    /// The name of the first field that is missing.
    pub fn complete(self, size: Option<[usize; 2]>) -> Result<Preprocessing, &'static str> {
        let size = self.size.or(size).ok_or("size")?;
        let departed_from = match self.preset {
            Some(preset) => preset.preprocessing(size),
            None => Preprocessing {
                size,
                crop_pct: 1.0,
                crop_mode: CropMode::Center,
                interpolation: Interpolation::Bilinear,
                divisor: 255.0,
                mean: self.mean.ok_or("mean")?,
                std: self.std.ok_or("std")?,
                channel_order: ChannelOrder::Rgb,
                alpha: Alpha::White,
                sixteen_bit: SixteenBit::Scale,
                orientation: Orientation::Apply,
            },
        };
        Ok(self.over(&departed_from))
    }

    /// `other` where nothing was chosen. The preset plays no part.
    #[must_use]
    pub fn over(self, other: &Preprocessing) -> Preprocessing {
        Preprocessing {
            size: self.size.unwrap_or(other.size),
            crop_pct: self.crop_pct.unwrap_or(other.crop_pct),
            crop_mode: self.crop_mode.unwrap_or(other.crop_mode),
            interpolation: self.interpolation.unwrap_or(other.interpolation),
            divisor: self.divisor.unwrap_or(other.divisor),
            mean: self.mean.unwrap_or(other.mean),
            std: self.std.unwrap_or(other.std),
            channel_order: self.channel_order.unwrap_or(other.channel_order),
            alpha: self.alpha.unwrap_or(other.alpha),
            sixteen_bit: self.sixteen_bit.unwrap_or(other.sixteen_bit),
            orientation: self.orientation.unwrap_or(other.orientation),
        }
    }
}

impl TryFrom<Choices> for Preprocessing {
    type Error = String;

    fn try_from(said: Choices) -> Result<Self, String> {
        said.complete(None).map_err(|field| match field {
            "size" => "missing field `size`".to_owned(),
            _ => format!("missing field `{field}`, and no `preset` that says it"),
        })
    }
}
