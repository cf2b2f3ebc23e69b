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
    let mut chosen = match recommended(weights, pixels.test_size) {
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
    match &weights.preprocessing {
        Some(Preprocessing { size, .. }) if weights.fixed_size && chosen.size != *size => {
            Err(Error::Usage(format!(
                "the config.json of `{}` fixes the size at {}x{}; {}x{} was asked for",
                weights.file().name(),
                size[0],
                size[1],
                chosen.size[0],
                chosen.size[1]
            )))
        }
        _ => Ok(chosen),
    }
}

/// What the weights say of how images are prepared, or are prepared for tests. As in timm, that
/// is the same where nothing is said of tests, but here with a warning.
pub(super) fn recommended(weights: &Weights, for_tests: bool) -> Option<&Preprocessing> {
    if !for_tests {
        return weights.preprocessing.as_ref();
    }
    if weights.test_preprocessing.is_some() && !weights.fixed_size {
        return weights.test_preprocessing.as_ref();
    }
    let message = format!(
        "the weights in `{}` recommend no size for tests; `--test-size` changes nothing",
        weights.file().name()
    );
    super::complain("warning", &message);
    weights.preprocessing.as_ref()
}

fn replace<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}
