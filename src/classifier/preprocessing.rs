use super::Notice;
use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::image::{ChannelOrder, Choices, PerChannel, Preprocessing};
use crate::network::Network;
use crate::text::{counted, shown};

/// What images go through: what the weights' file says, else what the network's publishers do,
/// but for `choices`. With `for_tests`, at the size that the file recommends for tests.
///
/// A preset among the choices takes the place of all that the file says but the size. The channels are
/// those of the network's input: an image is gray for one of a single channel, and has its opacity
/// beside its colours for one of four. As in timm, means and deviations that are said for other
/// channels are averaged, with a note.
///
/// # Errors
///
/// A network that takes no images; choices that make no sense, are for other channels than the
/// network's, or are missing in both places.
pub(crate) fn preprocessing(
    network: &Network,
    weights: &Weights,
    choices: Choices,
    for_tests: bool,
    observe: &mut dyn FnMut(Notice),
) -> Result<Preprocessing> {
    let input = network.input;
    let Some(order) = ChannelOrder::of_channels(input.channels) else {
        return Err(Error::Usage(format!(
            "`{}` takes inputs of {} channels, not images, which have 1 (gray), 3 (red, green, blue) \
             or 4 (and opacity)",
            shown(&network.name),
            input.channels
        )));
    };
    check_choices(&choices, network)?;
    let said = recommended(weights, for_tests, observe);
    let published = match said {
        None if choices.preset.is_none() => weights.evaluation(network)?,
        _ => None,
    };
    let prepared = match said.or(published.as_ref()) {
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
    let chosen = Preprocessing {
        channel_order: match prepared.channel_order {
            said if said.channels() == order.channels() => said,
            _ => order,
        },
        ..prepared
    };
    chosen.validate()?;
    for (name, numbers) in [("mean", chosen.mean), ("std", chosen.std)] {
        tell_of_average(name, numbers, order, observe);
    }
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

/// Refuses choices that are for images of other channels than the network's input.
fn check_choices(choices: &Choices, network: &Network) -> Result<()> {
    let channels = network.input.channels;
    let order = choices.channel_order.map(ChannelOrder::channels);
    // One number is for every channel.
    let numbers = |numbers: Option<PerChannel>| {
        let count = numbers.map(|numbers| numbers.as_slice().len());
        count.filter(|&count| count > 1)
    };
    let said = [
        ("channel-order", order),
        ("mean", numbers(choices.mean)),
        ("std", numbers(choices.std)),
    ];
    for (flag, said) in said {
        if let Some(said) = said.filter(|&said| said != channels) {
            return Err(Error::Usage(format!(
                "`--{flag}` is for images of {}; `{}` takes {channels}",
                counted(said, "channel"),
                shown(&network.name)
            )));
        }
    }
    Ok(())
}

/// Says where numbers for other channels than the network's are averaged.
fn tell_of_average(
    name: &str,
    numbers: PerChannel,
    order: ChannelOrder,
    observe: &mut dyn FnMut(Notice),
) {
    let numbers = numbers.as_slice();
    let differ = numbers.iter().any(|number| Some(number) != numbers.first());
    if differ && numbers.len() != order.channels() {
        observe(Notice::Note(format!(
            "`{name}` is said for {} channels, and the network takes {}: the average is taken, as \
             timm has it\nhint: `--{name}` says another",
            numbers.len(),
            order.channels()
        )));
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
