//! What an image goes through on its way to a network, as plain data; the module `image` does it to
//! pixels.

mod per_channel;
mod preset;

use serde::{Deserialize, Serialize};

pub use self::per_channel::PerChannel;
pub use self::preset::{Choices, IMAGENET_MEAN, IMAGENET_STD, Preset};
use crate::error::{Error, Result};

/// The largest height or width that a network may ask for.
const MAX_SIDE: usize = 8192;

/// How an image becomes a network's input.
///
/// As JSON it may name a [`Preset`] and what differs from it; see [`Choices`].
///
/// ```
/// # use senet::preprocessing::{ChannelOrder, CropMode, Interpolation, Preprocessing};
/// # use senet::preprocessing::{IMAGENET_MEAN, IMAGENET_STD};
/// const SQUASHED: Preprocessing = Preprocessing {
///     crop_mode: CropMode::Squash,
///     ..Preprocessing::timm([224, 224], 0.95, Interpolation::Bicubic, IMAGENET_MEAN, IMAGENET_STD)
/// };
/// let caffe: Preprocessing = serde_json::from_str(r#"{"preset": "caffe", "size": [224, 224]}"#)?;
/// assert_eq!(caffe.channel_order, ChannelOrder::Bgr);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Choices")]
pub struct Preprocessing {
    /// Height and width of the result.
    pub size: [usize; 2],
    /// The part of the resized image that the crop keeps: the image is resized
    /// to `floor(size / crop_pct)`.
    pub crop_pct: f64,
    /// What the resize before the crop does to the aspect ratio.
    pub crop_mode: CropMode,
    /// The filter that resizes.
    pub interpolation: Interpolation,
    /// What a sample of 0 to 255 is divided by first.
    pub divisor: f64,
    /// Subtracted from each channel after the division.
    pub mean: PerChannel,
    /// Divides each channel after that.
    pub std: PerChannel,
    /// Which channels the result has, in their order.
    pub channel_order: ChannelOrder,
    /// What becomes of transparency where the result has no channel for it.
    pub alpha: Alpha,
    /// What becomes of 16-bit samples.
    pub sixteen_bit: SixteenBit,
    /// What becomes of the orientation a camera noted.
    pub orientation: Orientation,
}

/// What the resize before the centre crop does to the aspect ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CropMode {
    /// Keep it: the shorter side is made to fit, the longer one is cropped.
    Center,
    /// Ignore it: both sides are made to fit.
    Squash,
    /// Keep it: the longer side is made to fit, the shorter one gets borders in the mean's colour.
    Border,
}

/// A resize's filter, as Pillow has it. All but `Nearest` are widened when an
/// image shrinks, so that nothing aliases.
///
/// timm's `random` is none: it is a choice made anew for each image in training,
/// which timm's own evaluation refuses or leaves to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The nearest sample alone.
    Nearest,
    /// The triangle filter, of two pixels a side.
    Bilinear,
    /// The Catmull-Rom cubic (a = -0.5).
    Bicubic,
    /// The mean of what a sample covers.
    Box,
    /// Sinc under a Hamming window of radius 1.
    Hamming,
    /// Sinc under a Lanczos window of radius 3.
    Lanczos,
}

/// Which channels a network's input has, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelOrder {
    /// Channels in the order red, green, blue.
    Rgb,
    /// Blue, green, red, as Caffe has it.
    Bgr,
    /// Gray alone: what Pillow's `convert("L")` makes of an image before it is resized.
    Gray,
    /// Red, green, blue and opacity, as of Pillow's `convert("RGBA")`.
    Rgba,
}

/// What becomes of transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alpha {
    /// The image is composed over white.
    White,
    /// The channel is dropped, as Pillow's `convert("RGB")` does.
    Drop,
}

/// What becomes of 16-bit samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SixteenBit {
    /// Divided by 257 and rounded, so that white stays white.
    Scale,
    /// What Pillow's `convert("RGB")` does: gray is clipped at 255, colour keeps its upper byte.
    Saturate,
}

/// What becomes of the orientation a camera noted (EXIF).
///
/// A TIFF is turned whatever is chosen: Pillow turns it as it reads it, and so does timm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// The image is turned upright.
    Apply,
    /// The pixels stay as they are stored.
    Ignore,
}

/// A channel of a network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Channel {
    /// Where its samples are in a pixel.
    pub(crate) source: usize,
    divisor: f32,
    mean: f32,
    std: f32,
}

impl Channel {
    /// What the network sees of a sample of 0 to 255: divided, the mean subtracted, divided by std.
    pub(crate) fn normalise(&self, sample: f32) -> f32 {
        (sample / self.divisor - self.mean) / self.std
    }
}

impl ChannelOrder {
    /// That of images for a network whose input has so many channels; nothing where there is none.
    #[must_use]
    pub fn of_channels(channels: usize) -> Option<Self> {
        match channels {
            1 => Some(Self::Gray),
            3 => Some(Self::Rgb),
            4 => Some(Self::Rgba),
            _ => None,
        }
    }

    /// How many channels there are.
    #[must_use]
    pub fn channels(self) -> usize {
        self.sources().len()
    }

    /// Where each channel's samples are in a pixel.
    fn sources(self) -> &'static [usize] {
        match self {
            Self::Rgb => &[0, 1, 2],
            Self::Bgr => &[2, 1, 0],
            Self::Gray => &[0],
            Self::Rgba => &[0, 1, 2, 3],
        }
    }
}

impl CropMode {
    /// Every one there is.
    pub const ALL: [Self; 3] = [Self::Center, Self::Squash, Self::Border];
}

impl Interpolation {
    /// Every one there is.
    pub const ALL: [Self; 6] = [
        Self::Nearest,
        Self::Bilinear,
        Self::Bicubic,
        Self::Box,
        Self::Hamming,
        Self::Lanczos,
    ];
}

impl Preprocessing {
    /// timm's evaluation, of which `config.json` says these five: what its loader and Pillow make
    /// of a file, so transparency is dropped, 16-bit gray saturates and orientation is ignored.
    #[must_use]
    pub const fn timm(
        size: [usize; 2],
        crop_pct: f64,
        interpolation: Interpolation,
        mean: [f64; 3],
        std: [f64; 3],
    ) -> Self {
        Self {
            size,
            crop_pct,
            crop_mode: CropMode::Center,
            interpolation,
            divisor: 255.0,
            mean: PerChannel::Rgb(mean),
            std: PerChannel::Rgb(std),
            channel_order: ChannelOrder::Rgb,
            alpha: Alpha::Drop,
            sixteen_bit: SixteenBit::Saturate,
            orientation: Orientation::Ignore,
        }
    }

    /// What becomes of samples in each channel of the result, in its order.
    pub(crate) fn channels(&self) -> impl Iterator<Item = Channel> {
        let order = self.channel_order;
        order.sources().iter().map(move |&source| Channel {
            source,
            divisor: single(self.divisor),
            mean: single(self.mean.of(source, order)),
            std: single(self.std.of(source, order)),
        })
    }

    /// The samples of a pixel that a network sees as zeros.
    pub(crate) fn zero(&self) -> impl Iterator<Item = f64> {
        let order = self.channel_order;
        (0..order.channels()).map(move |source| self.divisor * self.mean.of(source, order))
    }

    /// Checks every value that a file or a switch may have got wrong.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range, what was expected and what was found.
    pub fn validate(&self) -> Result<()> {
        let [height, width] = self.size;
        require(
            [height, width]
                .iter()
                .all(|side| (1..=MAX_SIDE).contains(side)),
            || format!("`size` must be two numbers from 1 to {MAX_SIDE}, found {height}x{width}"),
        )?;
        require(self.crop_pct > 0.0 && self.crop_pct <= 1.0, || {
            format!(
                "`crop_pct` must be above 0 and at most 1, found {}",
                self.crop_pct
            )
        })?;
        let divisor = single(self.divisor);
        require(divisor.is_finite() && divisor > 0.0, || {
            format!(
                "`divisor` must be a finite number above 0, found {}",
                self.divisor
            )
        })?;
        let numbers = |values: &PerChannel, is_valid: fn(f32) -> bool| {
            values.as_slice().iter().copied().map(single).all(is_valid)
        };
        require(numbers(&self.mean, f32::is_finite), || {
            let found = self.mean.as_slice();
            format!("`mean` must be finite numbers, found {found:?}")
        })?;
        let is_deviation = |value: f32| value.is_finite() && value > 0.0;
        require(numbers(&self.std, is_deviation), || {
            let found = self.std.as_slice();
            format!("`std` must be finite numbers above 0, found {found:?}")
        })
    }
}

/// What a network computes in; a number beyond it becomes infinite.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
pub(crate) fn single(value: f64) -> f32 {
    value as f32
}

fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::Image(format!("preprocessing: {}", problem())))
    }
}
