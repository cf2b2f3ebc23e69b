use crate::checkpoint::Weights;
use crate::cli::PixelArgs;
use crate::error::{Error, Result};
use crate::image::{Alpha, CropMode, Interpolation, Orientation, Preprocessing, SixteenBit};
use crate::network::Network;

/// What images go through: what the weights' file says, but for what the command line says.
///
/// # Errors
///
/// A network that takes no images; choices that make no sense, or are missing in both places.
pub(super) fn preprocessing(
    network: &Network,
    weights: &Weights,
    pixels: &PixelArgs,
) -> Result<Preprocessing> {
    let channels = network.input.channels;
    if channels != 3 {
        return Err(Error::Usage(format!(
            "`{}` takes feature maps of {channels} channels, not images",
            network.name
        )));
    }
    let said = weights.preprocessing.as_ref();
    let missing = |flag: &str| Error::Checkpoint {
        file: weights.file().name().to_owned(),
        problem: format!(
            "does not say how images are prepared: it has no metadata `preprocessing`\n\
             hint: `--size`, `--mean` and `--std` say it; `{flag}` is missing"
        ),
    };
    let size = pixels.size.map(|size| [size.height, size.width]);
    let preprocessing = Preprocessing {
        size: size
            .or(said.map(|said| said.size))
            .ok_or_else(|| missing("--size"))?,
        mean: pixels
            .mean
            .map(|mean| mean.0)
            .or(said.map(|said| said.mean))
            .ok_or_else(|| missing("--mean"))?,
        std: pixels
            .std
            .map(|std| std.0)
            .or(said.map(|said| said.std))
            .ok_or_else(|| missing("--std"))?,
        crop_pct: pixels
            .crop_pct
            .or(said.map(|said| said.crop_pct))
            .unwrap_or(1.),
        crop_mode: pixels
            .crop_mode
            .or(said.map(|said| said.crop_mode))
            .unwrap_or(CropMode::Center),
        interpolation: pixels
            .interpolation
            .or(said.map(|said| said.interpolation))
            .unwrap_or(Interpolation::Bilinear),
        alpha: pixels
            .alpha
            .or(said.map(|said| said.alpha))
            .unwrap_or(Alpha::White),
        sixteen_bit: pixels
            .sixteen_bit
            .or(said.map(|said| said.sixteen_bit))
            .unwrap_or(SixteenBit::Scale),
        orientation: pixels
            .orientation
            .or(said.map(|said| said.orientation))
            .unwrap_or(Orientation::Apply),
    };
    preprocessing.validate()?;
    Ok(preprocessing)
}
