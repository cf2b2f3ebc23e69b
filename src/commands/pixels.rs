use crate::checkpoint::Weights;
use crate::cli::PixelArgs;
use crate::error::{Error, Result};
use crate::image::{Choices, Preprocessing};
use crate::network::Network;

/// What images go through: what the weights' file says, else what the network's publishers do,
/// but for what the command line says.
///
/// A preset on the command line takes the place of all that the file says but the size.
///
/// # Errors
///
/// A network that takes no images; choices that make no sense, or are missing in both places.
pub(super) fn preprocessing(
    network: &Network,
    weights: &Weights,
    pixels: &PixelArgs,
) -> Result<Preprocessing> {
    let input = network.input;
    if input.channels != 3 {
        return Err(Error::Usage(format!(
            "`{}` takes feature maps of {} channels, not images",
            network.name, input.channels
        )));
    }
    let choices = choices(pixels);
    let said = recommended(weights, pixels.test_size);
    let chosen = match said.or(network.evaluation.as_ref()) {
        Some(known) if choices.preset.is_none() => choices.over(known),
        _ => {
            let size = said.map_or([input.height, input.width], |said| said.size);
            let complete = choices.complete(Some(size));
            complete.map_err(|field| Error::Checkpoint {
                file: weights.file().name().to_owned(),
                problem: format!(
                    "does not say how images are prepared, nor does `{}`\nhint: `--preset` says \
                     it, or `--mean` and `--std` do; `--{field}` is missing",
                    network.name
                ),
            })?
        }
    };
    chosen.validate()?;
    match &weights.preprocessing {
        Some(Preprocessing { size, .. }) if weights.fixed_size && chosen.size != *size => {
            Err(Error::Usage(format!(
                "the config.json of `{}` fixes the size at {}x{}; {}x{} was asked for",
                weights.file().shown_name(),
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
        weights.file().shown_name()
    );
    super::complain("warning", &message);
    weights.preprocessing.as_ref()
}

fn choices(pixels: &PixelArgs) -> Choices {
    Choices {
        preset: pixels.preset,
        size: pixels.size.map(|size| [size.height, size.width]),
        crop_pct: pixels.crop_pct,
        crop_mode: pixels.crop_mode,
        interpolation: pixels.interpolation,
        divisor: pixels.divisor,
        mean: pixels.mean.map(|mean| mean.0),
        std: pixels.std.map(|std| std.0),
        channel_order: pixels.channel_order,
        alpha: pixels.alpha,
        sixteen_bit: pixels.sixteen_bit,
        orientation: pixels.orientation,
    }
}
