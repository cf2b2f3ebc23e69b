mod dumps;
mod isolation;
mod names;

use candle_core::{DType, Device};

use super::Outcome;
use crate::checkpoint::Source;
use crate::classifier::preprocessing;
use crate::cli::{EngineName, ParityArgs};
use crate::error::{Error, Result};
use crate::image::Choices;
use crate::model::memory::{self, Together};
use crate::model::{Model, Runtime};
use crate::network::trace::trace;
use crate::parity::{Aliases, Compared, Inside, Reference, Tolerance, compare, look_inside};
use crate::report::Parity;
use crate::text::{escaped, shown, shown_path};

pub(super) fn run(arguments: &ParityArgs) -> anyhow::Result<Outcome> {
    if arguments.names {
        return names::run(arguments);
    }
    match (&arguments.weights, &arguments.ours) {
        (Some(weights), _) => with_weights(arguments, weights),
        (None, Some(ours)) => dumps::run(arguments, ours),
        // The parser asks for one of them.
        (None, None) => Err(Error::Usage("`--weights` or `--ours` is needed".to_owned()).into()),
    }
}

/// The tolerance that the flags ask for, where they do.
fn tolerance(arguments: &ParityArgs, default: Tolerance) -> Tolerance {
    Tolerance {
        absolute: arguments.atol.unwrap_or(default.absolute),
        relative: arguments.rtol.unwrap_or(default.relative),
    }
}

/// The dump to compare with, as the flags say that it is to be read.
fn reference(arguments: &ParityArgs) -> Result<Reference> {
    let reference = Reference::open(&arguments.reference)?.with_extra(arguments.extra);
    Ok(match &arguments.alias {
        Some(alias) => reference.with_aliases(Aliases::open(alias)?),
        None => reference,
    })
}

fn with_weights(arguments: &ParityArgs, weights: &Source) -> anyhow::Result<Outcome> {
    let runtime = super::model::runtime(arguments.engine, EngineName::Cpu)?;
    let weights = super::weights(weights, arguments.variant.ema)?;
    let network = super::network(
        arguments.network.as_deref(),
        Some(&weights),
        arguments.widths,
        arguments.variant.head.as_deref(),
    )?;
    let mut reference = reference(arguments)?;
    if reference.is_of_pixels()? {
        let choices = Choices::default();
        let prepared = preprocessing(&network, &weights, choices, false, &mut super::tell);
        let prepared = prepared.map_err(without_flags)?;
        reference = reference.prepared(prepared);
    }
    let layers = network.layers();
    let input = reference.shape()?;
    let trace = trace(&layers, input)?;
    weights.check_input(&layers, &trace)?;
    memory::check(&layers, &trace, &runtime, Together::Batch, memory::MOST)?;
    let model = runtime.load(&layers, &weights, input)?;
    super::warn_of_nonfinite(&weights);

    let tolerance = tolerance(arguments, Tolerance::of(runtime.dtype()));
    let why = || isolation::why(arguments, &layers, &weights, &reference, &trace);
    let compared = match compare(&*model, &reference, tolerance) {
        // Where shapes differ, what makes them differ is worth more than that they do.
        Err(error @ (Error::Geometry(_) | Error::Candle(_))) => {
            return Err(explained(error, why()).into());
        }
        compared => compared?,
    };
    if compared.values.is_empty() {
        return Err(Error::Usage(format!(
            "nothing was compared: the engine {} folds every value that `{}` holds into others\n\
             hint: `--engine candle` has the value of every layer",
            runtime.name(),
            shown_path(&arguments.reference)
        ))
        .into());
    }
    let inside = match runtime {
        Runtime::Cpu(_) => inside(&compared, &reference, tolerance, || {
            memory::check(&layers, &trace, &BY_LAYERS, Together::Batch, memory::MOST)?;
            BY_LAYERS.load(&layers, &weights, input)
        })?,
        Runtime::Candle { .. } => None,
    };
    let Compared {
        values,
        coverage,
        folded,
        not_finite,
        zero,
        extra,
    } = compared;
    let first = values.iter().find(|value| !value.passed);
    let very = inside.as_ref().and_then(Inside::first_divergence).or(first);
    // No engine computes NaN or infinity of numbers, but one that folds the value does not see it.
    let why = match (arguments.isolate || !not_finite.is_empty(), first) {
        (true, _) => Some(why()?),
        (false, None) => None,
        // That something differs is an answer, whatever keeps the cause from being found.
        (false, Some(_)) => why()
            .inspect_err(|error| {
                super::complain("note", &format!("causes are not looked for: {error}"));
            })
            .ok(),
    };
    let (isolated, causes) = why.unzip();
    let in_isolation = isolated.iter().flatten().find(|value| !value.passed);
    let in_isolation = in_isolation.map(|value| value.name.clone());
    let passed = first.is_none() && in_isolation.is_none();
    if passed {
        warn_of_zero(&zero);
    }
    let report = Parity {
        passed,
        network: layers.name().to_owned(),
        engine: runtime.name(),
        framework: reference.framework().map(str::to_owned),
        atol: tolerance.absolute,
        rtol: tolerance.relative,
        coverage,
        folded,
        extra,
        first_divergence: very.map(|value| value.name.clone()).or(in_isolation),
        inside,
        layers: values,
        width: super::width(),
        isolated,
        causes: causes.unwrap_or_default(),
        isolate: arguments.isolate,
    };
    super::print_as(&report, arguments.format, Parity::write_page)?;
    Ok(if report.passed {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

/// The same refusal of weights that do not say how images are prepared, with what helps here: no
/// flag of `parity` says it.
fn without_flags(error: Error) -> Error {
    match error {
        Error::Checkpoint { file, problem } => {
            let problem = match problem.split_once("\nhint: `--preset`") {
                None => problem,
                Some((problem, _)) => format!(
                    "{problem}\nhint: `--preprocessing` of `scripts.keras.export` and \
                     `scripts.pytorch.export` has the weights say it; or let the dump's `input` be \
                     what the network takes, without metadata `input`"
                ),
            };
            Error::Checkpoint { file, problem }
        }
        error => error,
    }
}

/// Names the first value that is 0 whatever is before it.
fn warn_of_zero(zero: &[String]) {
    if let Some(name) = zero.first() {
        let name = shown(name);
        super::complain(
            "warning",
            &format!("`{name}` is 0 everywhere in the reference: what is before it is not checked"),
        );
    }
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

/// What has the value of every layer.
const BY_LAYERS: Runtime = Runtime::Candle {
    device: Device::Cpu,
    dtype: DType::F32,
};

/// What candle says of the layers inside the first step that differs, where there is memory for it.
fn inside(
    compared: &Compared,
    reference: &Reference,
    tolerance: Tolerance,
    candle: impl FnOnce() -> Result<Box<dyn Model>>,
) -> Result<Option<Inside>> {
    if compared.folded.is_empty() || compared.values.iter().all(|value| value.passed) {
        return Ok(None);
    }
    look_inside(compared, &*candle()?, reference, tolerance)
}
