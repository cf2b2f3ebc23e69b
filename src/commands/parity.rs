mod isolation;

use super::Outcome;
use crate::classifier::preprocessing;
use crate::cli::{EngineName, ParityArgs};
use crate::error::{Error, Result};
use crate::image::Choices;
use crate::model::memory::{self, Together};
use crate::network::trace::trace;
use crate::parity::{Compared, Reference, Tolerance, compare};
use crate::report::Parity;
use crate::text::{escaped, shown_path};

pub(super) fn run(arguments: &ParityArgs) -> anyhow::Result<Outcome> {
    let runtime = super::model::runtime(arguments.engine, arguments.device, EngineName::Cpu)?;
    let weights = super::weights(&arguments.weights, arguments.ema)?;
    let network = super::network(
        arguments.network.as_deref(),
        Some(&weights),
        arguments.widths,
        &arguments.head,
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
    let why = || isolation::why(arguments, &layers, &weights, &reference, &trace);
    let Compared {
        values,
        coverage,
        folded,
    } = match compare(&*model, &reference, tolerance) {
        // Where shapes differ, what makes them differ is worth more than that they do.
        Err(error @ Error::Geometry(_)) => return Err(explained(error, why()).into()),
        compared => compared?,
    };
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
    let why = if first_divergence.is_some() || arguments.isolate {
        Some(why()?)
    } else {
        None
    };
    let (isolated, causes) = why.unzip();
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
        isolated,
        causes: causes.unwrap_or_default(),
        isolate: arguments.isolate,
    };
    super::print(&report, arguments.format)?;
    Ok(if report.passed {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

/// A refusal of shapes with what explains them, if anything does.
fn explained(error: Error, why: Result<isolation::Why>) -> Error {
    let Ok((_, causes)) = why else {
        return error;
    };
    let explanations = causes.into_iter();
    let explanation =
        explanations.filter_map(|cause| Some((cause.name, cause.found.explained_by?)));
    match explanation.into_iter().next() {
        None => error,
        Some((name, explained_by)) => Error::Geometry(format!(
            "{error}\nhint: at `{}` {} explains the difference",
            escaped(&name),
            escaped(&explained_by)
        )),
    }
}
