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
    let missing = |flag: &str| Error::Checkpoint {
        file: weights.file().name().to_owned(),
        problem: format!(
            "does not say how images are prepared: it has no metadata `preprocessing`\n\
             hint: `--size`, `--mean` and `--std` say it; `{flag}` is missing"
        ),
    };
    let size = pixels.size.map(|size| [size.height, size.width]);
    let mean = pixels.mean.map(|mean| mean.0);
    let std = pixels.std.map(|std| std.0);
    let mut chosen = match &weights.preprocessing {
        Some(said) => said.clone(),
        None => Preprocessing {
            size: size.ok_or_else(|| missing("--size"))?,
            mean: mean.ok_or_else(|| missing("--mean"))?,
            std: std.ok_or_else(|| missing("--std"))?,
            crop_pct: 1.,
            crop_mode: CropMode::Center,
            interpolation: Interpolation::Bilinear,
            alpha: Alpha::White,
            sixteen_bit: SixteenBit::Scale,
            orientation: Orientation::Apply,
        },
    };
    replace(&mut chosen.size, size);
    replace(&mut chosen.mean, mean);
    replace(&mut chosen.std, std);
    replace(&mut chosen.crop_pct, pixels.crop_pct);
    replace(&mut chosen.crop_mode, pixels.crop_mode);
    replace(&mut chosen.interpolation, pixels.interpolation);
    replace(&mut chosen.alpha, pixels.alpha);
    replace(&mut chosen.sixteen_bit, pixels.sixteen_bit);
    replace(&mut chosen.orientation, pixels.orientation);
    chosen.validate()?;
    Ok(chosen)
}

fn replace<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}
