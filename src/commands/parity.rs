use super::Outcome;
use crate::checkpoint::Reference;
use crate::cli::ParityArgs;
use crate::network::trace::trace;
use crate::nn::SeNet;
use crate::parity::{Tolerance, compare};
use crate::report::Parity;

pub(super) fn run(arguments: &ParityArgs) -> anyhow::Result<Outcome> {
    let weights = super::weights(&arguments.weights)?;
    let description = super::network(
        arguments.network.as_deref(),
        Some(&weights),
        arguments.widths,
    )?;
    let reference = Reference::open(&arguments.reference)?;
    let layers = description.layers();
    weights.check_input(&description, &layers, &trace(&layers, reference.shape()?)?)?;
    let (device, dtype) = super::device(arguments.device)?;
    let vb = weights.var_builder(&description, dtype, &device)?;
    super::warn_of_nonfinite(&weights, &description)?;
    let network = SeNet::new(&description, vb)?;

    let default = Tolerance::of(dtype);
    let tolerance = Tolerance {
        absolute: arguments.atol.unwrap_or(default.absolute),
        relative: arguments.rtol.unwrap_or(default.relative),
    };
    let (layers, coverage) = compare(&description, &network, &reference, tolerance)?;
    let first_divergence = layers.iter().find(|layer| !layer.passed);
    let report = Parity {
        passed: first_divergence.is_none(),
        network: description.name.to_owned(),
        framework: reference.framework().map(str::to_owned),
        atol: tolerance.absolute,
        rtol: tolerance.relative,
        coverage,
        first_divergence: first_divergence.map(|layer| layer.name.clone()),
        layers,
    };
    super::print(&report, arguments.format)?;
    Ok(if report.passed {
        Outcome::Yes
    } else {
        Outcome::No
    })
}
