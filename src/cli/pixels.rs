//! Flags on how images are prepared.

use clap::Args;

use super::values::ImageSize;
use crate::image::{
    Alpha, ChannelOrder, Choices, CropMode, Interpolation, Orientation, PerChannel, Preset,
    SixteenBit,
};

/// How images become a network's input. What is not given is as the weights' file says, else as
/// the network's publishers have it. Last in every command: its heading is for all that follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Args)]
#[command(
    next_help_heading = "Pixels [default: what the weights say, else what the network's publishers do]"
)]
pub struct PixelArgs {
    /// A well-known way to prepare images, from which the other flags depart; `timm` ignores the
    /// orientation in EXIF, the others apply it
    #[arg(long)]
    pub preset: Option<Preset>,
    /// Height and width that the network sees, such as 224x224 or 224
    #[arg(short, long, alias = "input-size", value_name = "HxW")]
    pub size: Option<ImageSize>,
    /// Use the size and crop that the weights' config.json recommends for tests
    #[arg(long)]
    pub test_size: bool,
    /// Part of the resized image that the centre crop keeps, above 0 and at most 1
    #[arg(long, value_name = "SHARE")]
    pub crop_pct: Option<f64>,
    /// Whether the resize keeps the aspect ratio
    #[arg(long)]
    pub crop_mode: Option<CropMode>,
    /// The resize's filter
    #[arg(long)]
    pub interpolation: Option<Interpolation>,
    /// What samples of 0 to 255 are divided by first
    #[arg(long, value_name = "NUMBER")]
    pub divisor: Option<f64>,
    /// Subtracted from red, green and blue after that; one number is for every channel, and the only
    /// one of a gray image
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true)]
    pub mean: Option<PerChannel>,
    /// Divides red, green and blue in the end; as many numbers as `--mean`
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true)]
    pub std: Option<PerChannel>,
    /// Which channel comes first; gray is for networks of one channel, rgba of four
    #[arg(long)]
    pub channel_order: Option<ChannelOrder>,
    /// What becomes of transparency
    #[arg(long)]
    pub alpha: Option<Alpha>,
    /// What becomes of 16-bit samples
    #[arg(long)]
    pub sixteen_bit: Option<SixteenBit>,
    /// What becomes of the orientation in EXIF
    #[arg(long)]
    pub orientation: Option<Orientation>,
}

impl PixelArgs {
    /// Whether any of them says how images are prepared, besides the size.
    #[must_use]
    pub fn prepare_images(&self) -> bool {
        let size_alone = Self {
            size: self.size,
            test_size: self.test_size,
            ..Self::default()
        };
        *self != size_alone
    }

    /// What they say of each step; nothing of sizes for tests.
    #[must_use]
    pub fn choices(&self) -> Choices {
        Choices {
            preset: self.preset,
            size: self.size.map(|size| [size.height, size.width]),
            crop_pct: self.crop_pct,
            crop_mode: self.crop_mode,
            interpolation: self.interpolation,
            divisor: self.divisor,
            mean: self.mean,
            std: self.std,
            channel_order: self.channel_order,
            alpha: self.alpha,
            sixteen_bit: self.sixteen_bit,
            orientation: self.orientation,
        }
    }
}
