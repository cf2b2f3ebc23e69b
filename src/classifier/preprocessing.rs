use super::Notice;
use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::image::{Choices, Preprocessing};
use crate::network::Network;

/// What images go through: what the weights' file says, else what the network's publishers do,
/// but for `choices`. With `for_tests`, at the size that the file recommends for tests.
///
/// A preset among the choices takes the place of all that the file says but the size.
///
/// # Errors
///
/// A network that takes no images; choices that make no sense, or are missing in both places.
pub(crate) fn preprocessing(
    network: &Network,
    weights: &Weights,
    choices: Choices,
    for_tests: bool,
    observe: &mut dyn FnMut(Notice),
) -> Result<Preprocessing> {
    let input = network.input;
    if input.channels != 3 {
        return Err(Error::Usage(format!(
            "`{}` takes inputs of {} channels, not images",
            network.name, input.channels
        )));
    }
    let said = recommended(weights, for_tests, observe);
    let published = match said {
        None if choices.preset.is_none() => weights.evaluation(network)?,
        _ => None,
    };
    let chosen = match said.or(published.as_ref()) {
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
pub(crate) fn recommended<'a>(
    weights: &'a Weights,
    for_tests: bool,
    observe: &mut dyn FnMut(Notice),
) -> Option<&'a Preprocessing> {
    if !for_tests {
        return weights.preprocessing.as_ref();
    }
    if weights.test_preprocessing.is_some() && !weights.fixed_size {
        return weights.test_preprocessing.as_ref();
    }
    observe(Notice::Warning(format!(
        "the weights in `{}` recommend no size for tests; `--test-size` changes nothing",
        weights.file().shown_name()
    )));
    weights.preprocessing.as_ref()
}
