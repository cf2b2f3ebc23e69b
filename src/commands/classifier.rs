//! From flags to what classifies images.

use crate::checkpoint::{Builtin, Source, Weights};
use crate::classifier::{Classifier, Labels, Options};
use crate::cli::{ClassifierArgs, EngineName, PixelArgs, WidthArgs};
use crate::error::{Error, Result};
use crate::image::ChannelOrder;
use crate::model::Runtime;
use crate::network::catalog;

/// What is to compute the network.
///
/// # Errors
///
/// Those of [`super::model::runtime`].
pub(super) fn runtime(arguments: &ClassifierArgs) -> Result<Runtime> {
    super::model::runtime(arguments.engine, EngineName::Cpu)
}

/// Loads the weights that the flags name, ready to classify and, with `features`, to hand out the
/// vector that the classifier reads.
///
/// # Errors
///
/// Those of the weights and of [`Classifier::new_observed`]; a network without weights.
pub(super) fn prepare(
    arguments: &ClassifierArgs,
    pixels: &PixelArgs,
    runtime: Runtime,
    features: bool,
) -> Result<(Weights, Classifier)> {
    let (weights, options) = options(arguments, pixels, runtime)?;
    let options = Options {
        features,
        ..options
    };
    let classifier = Classifier::new_observed(&weights, options, &mut super::tell)?;
    Ok((weights, classifier))
}

/// Loads the weights that the flags name, and says what else they say.
///
/// # Errors
///
/// Those of the weights; a network without weights.
pub(super) fn options(
    arguments: &ClassifierArgs,
    pixels: &PixelArgs,
    runtime: Runtime,
) -> Result<(Weights, Options)> {
    let source = match &arguments.weights {
        Some(source) => source,
        None => &Source::Builtin(builtin(arguments.network.as_deref())),
    };
    let weights = super::weights(source, arguments.variant.ema)?;
    let no_widths = WidthArgs {
        channels: None,
        squeeze: None,
    };
    let network = super::network(
        arguments.network.as_deref(),
        Some(&weights),
        no_widths,
        arguments.variant.head.as_deref(),
    )?;
    // Of a network that takes no images that is said first.
    if arguments.weights.is_none()
        && ChannelOrder::of_channels(network.input.channels).is_some()
        && weights
            .network
            .as_ref()
            .is_none_or(|known| network.name != *known)
    {
        return Err(Error::Usage(format!(
            "`{}` needs weights, and those inside this program are {}\n\
             hint: `--weights` names a file, a folder or a repository of the hub",
            network.name,
            Builtin::names()
        )));
    }
    let options = Options {
        network: Some(network),
        runtime,
        pixels: pixels.choices(),
        test_size: pixels.test_size,
        labels: arguments.labels.clone().map(Labels::File),
        batch_size: arguments.batch_size,
        memory: arguments.memory,
        damage: arguments.damaged,
        features: false,
    };
    Ok((weights, options))
}

/// The weights inside the program for this network, or for whatever is in a photograph.
fn builtin(network: Option<&str>) -> Builtin {
    let network = network.and_then(|name| catalog::find(name).ok());
    let builtin = network.and_then(|network| Builtin::of_network(&network.name));
    builtin.unwrap_or_default()
}
