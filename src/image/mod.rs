//! A file becomes what a network takes: decoded, resized, cropped and normalised to `[3, H, W]`.
//!
//! ```text
//! file ──decode──> RGB pixels ──transform──> resize, crop, normalise ──> [3, H, W]
//! ```
//!
//! Each choice that changes pixels is a field of [`Preprocessing`], which travels
//! in the metadata of the weights, so that a network sees what it was trained on.

mod decode;
mod resample;
mod transform;

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use self::decode::decode;
pub use self::transform::transform;
use crate::error::{Error, Result};

/// The extensions, in lower case, of the files that a walk through a folder picks up.
pub const EXTENSIONS: &[&str] = &[
    "bmp", "gif", "jfif", "jpeg", "jpg", "png", "tif", "tiff", "webp",
];

/// The largest height or width that a network may ask for.
const MAX_SIDE: usize = 8192;

/// How an image becomes a network's input.
///
/// ```
/// # use senet::image::{Alpha, CropMode, Preprocessing};
/// let preprocessing: Preprocessing = serde_json::from_str(
///     r#"{"size": [32, 32], "crop_pct": 1.0, "crop_mode": "center", "interpolation": "bilinear",
///         "mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616],
///         "alpha": "white", "sixteen_bit": "scale", "orientation": "apply"}"#,
/// )?;
/// assert_eq!(preprocessing.crop_mode, CropMode::Center);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Height and width of the result.
    pub size: [usize; 2],
    /// The part of the resized image that the crop keeps: the image is resized
    /// to `floor(size / crop_pct)`.
    pub crop_pct: f64,
    /// What the resize before the crop does to the aspect ratio.
    pub crop_mode: CropMode,
    /// The resize's filter.
    pub interpolation: Interpolation,
    /// Subtracted from each channel, in units of 255.
    pub mean: [f32; 3],
    /// Divides each channel afterwards, in units of 255.
    pub std: [f32; 3],
    /// What becomes of transparency.
    pub alpha: Alpha,
    /// What becomes of 16-bit samples.
    pub sixteen_bit: SixteenBit,
    /// What becomes of the orientation a camera noted.
    pub orientation: Orientation,
}

/// What the resize before the centre crop does to the aspect ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CropMode {
    /// Keep it: the shorter side is made to fit, the longer one is cropped.
    Center,
    /// Ignore it: both sides are made to fit.
    Squash,
}

/// A resize's filter; both are widened when an image shrinks, as Pillow does, so nothing aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The triangle filter.
    Bilinear,
    /// The Catmull-Rom cubic (a = -0.5).
    Bicubic,
}

/// What becomes of transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Alpha {
    /// The image is composed over white.
    White,
    /// The channel is dropped, as Pillow's `convert("RGB")` does.
    Drop,
}

/// What becomes of 16-bit samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SixteenBit {
    /// Divided by 257 and rounded, so that white stays white.
    Scale,
    /// As Pillow's `convert("RGB")` does: gray is clipped at 255, colour keeps its upper byte.
    Saturate,
}

/// What becomes of the orientation a camera noted (EXIF).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// The image is turned upright.
    Apply,
    /// The pixels stay as they are stored.
    Ignore,
}

impl Preprocessing {
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
        require(self.mean.iter().all(|value| value.is_finite()), || {
            format!("`mean` must be three finite numbers, found {:?}", self.mean)
        })?;
        require(
            self.std
                .iter()
                .all(|value| value.is_finite() && *value > 0.0),
            || {
                format!(
                    "`std` must be three finite numbers above 0, found {:?}",
                    self.std
                )
            },
        )
    }
}

fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::Image(format!("preprocessing: {}", problem())))
    }
}

/// Reads the image at `path` as a network's input: channel, row, column, `3 * H * W` values.
///
/// # Errors
///
/// See [`decode`] and [`transform`].
pub fn load(path: &Path, preprocessing: &Preprocessing) -> Result<Vec<f32>> {
    transform(decode(path, preprocessing)?, preprocessing)
}

/// Whether a walk through a folder should take `path` for an image, going by its name alone.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(extension))
        })
}
