use super::Outcome;
use crate::classifier::preprocessing;
use crate::cli::{EngineName, ParityArgs};
use crate::error::Error;
use crate::image::Choices;
use crate::model::memory::{self, Together};
use crate::network::trace::trace;
use crate::parity::{Compared, Reference, Tolerance, compare};
use crate::report::Parity;
use crate::text::shown_path;

pub(super) fn run(arguments: &ParityArgs) -> anyhow::Result<Outcome> {
    let runtime = super::model::runtime(arguments.engine, arguments.device, EngineName::Cpu)?;
    let weights = super::weights(&arguments.weights, arguments.ema)?;
    let network = super::network(
        arguments.network.as_deref(),
        Some(&weights),
        arguments.widths,
    )?;
    let mut reference = Reference::open(&arguments.reference)?;
    if reference.is_of_pixels()? {
        let choices = Choices::default();
        let prepared = preprocessing(&network, &weights, choices, false, &mut super::tell)?;
        reference = reference.prepared(prepared);
    }
    let layers = network.layers();
    let input = reference.shape()?;
    let trace = trace(&layers, input)?;
    weights.check_input(&layers, &trace)?;
    memory::check(&layers, &trace, &runtime, Together::Batch, memory::MOST)?;
    let model = runtime.load(&layers, &weights, input)?;
    super::warn_of_nonfinite(&weights);

    let default = Tolerance::of(runtime.dtype());
    let tolerance = Tolerance {
        absolute: arguments.atol.unwrap_or(default.absolute),
        relative: arguments.rtol.unwrap_or(default.relative),
    };
    let Compared {
        values,
        coverage,
        folded,
    } = compare(&*model, &reference, tolerance)?;
    if values.is_empty() {
        return Err(Error::Usage(format!(
            "nothing was compared: the engine {} folds every value that `{}` holds into others\n\
             hint: `--engine candle` has the value of every layer",
            runtime.name(),
            shown_path(&arguments.reference)
        ))
        .into());
    }
    let first_divergence = values.iter().find(|value| !value.passed);
    let report = Parity {
        passed: first_divergence.is_none(),
        network: layers.name().to_owned(),
        engine: runtime.name(),
        framework: reference.framework().map(str::to_owned),
        atol: tolerance.absolute,
        rtol: tolerance.relative,
        coverage,
        folded,
        first_divergence: first_divergence.map(|value| value.name.clone()),
        layers: values,
    };
    super::print(&report, arguments.format)?;
    Ok(if report.passed {
        Outcome::Yes
    } else {
        Outcome::No
    })
}
