mod input;
mod rows;
mod saved;

use std::collections::HashMap;
use std::time::Duration;

use candle_core::Tensor;

use self::input::Input;
use self::saved::{Saved, Selection};
use super::Outcome;
use super::subject::Subject;
use crate::checkpoint::{Builtin, Weights, drawn_weights};
use crate::cli::{EngineName, TraceArgs};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::memory::{self, Together};
use crate::network::Network;
use crate::network::trace::trace;
use crate::report::{Column, Format, TraceFormat, Values};

pub(super) fn run(arguments: &TraceArgs) -> anyhow::Result<Outcome> {
    let format = plan_format(arguments)?;
    let values_wanted = values_wanted(arguments);
    // Asked for first: a device that is not there is worth an answer without values too. candle
    // has the value of every layer, which is what a trace is read for.
    let usual = if arguments.plan {
        EngineName::Cpu
    } else {
        EngineName::Candle
    };
    let runtime = super::model::runtime(arguments.engine, usual)?;
    let subject = Subject::new(
        arguments.subject.as_deref(),
        arguments.network.as_ref(),
        arguments.weights.as_ref(),
    )?;
    let weights = super::named_weights(subject.weights.as_ref(), arguments.variant.ema)?;
    let network = super::network(
        subject.network.as_deref(),
        weights.as_ref(),
        arguments.widths,
        arguments.variant.head.as_deref(),
    )?;
    let network = super::with_classes(network, arguments.classes, weights.as_ref())?;
    let layers = network.layers();
    let selection = Selection::of(arguments, &layers)?;
    let weights = match weights {
        None if values_wanted => builtin_weights_of(&network, arguments)?,
        weights => weights,
    };
    let place = |selection: &Selection<'_>| selection.place(arguments, weights.as_ref());
    let place = selection.as_ref().map(place).transpose()?;
    // Weights that do not fit are worth an answer even where only shapes are asked for.
    let tensors =
        |weights: &Weights| weights.var_builder(&layers, runtime.weights_dtype(), runtime.device());
    let tensors = weights.as_ref().map(tensors).transpose()?;
    let input = Input::of(arguments, &network, weights.as_ref())?;
    let trace = trace(&layers, input.shape)?;
    let check_memory = |together| memory::check(&layers, &trace, &runtime, together, memory::MOST);
    if arguments.plan {
        check_memory(Together::MicroBatch)?;
        let plan = super::plan::report(&layers, &trace, &runtime)?;
        super::print(&plan, format)?;
        return Ok(Outcome::Yes);
    }
    let measured = if values_wanted {
        check_memory(Together::Batch)?;
        if let Some(weights) = &weights {
            weights.check_input(&layers, &trace)?;
        } else {
            super::complain("note", "the values are those of weights drawn at random");
        }
        let xs = input.tensor(arguments)?;
        let drawn = || drawn_weights(&layers, runtime.weights_dtype(), runtime.device());
        let model = runtime.build(layers.clone(), tensors.unwrap_or_else(drawn), input.shape)?;
        if let Some(weights) = &weights {
            super::warn_of_nonfinite(weights);
        }
        let of_weights = |weights: &Weights| weights.file().name().to_owned();
        let weights = weights.as_ref().map(of_weights);
        let saved = selection.zip(place).map(|(selection, place)| {
            selection.create(&place, arguments, &layers, &runtime, weights.as_deref())
        });
        let saved = saved.transpose()?;
        Some(measure(&*model, runtime.name(), weights, &xs, saved)?)
    } else {
        None
    };
    let report = rows::report(arguments, &layers, &trace, measured.as_ref());
    super::to_stdout(|out| report.write_as(arguments.format, out))?;
    Ok(Outcome::Yes)
}

/// Whether the network is to run.
fn values_wanted(arguments: &TraceArgs) -> bool {
    arguments.values || !arguments.images.is_empty() || arguments.save_to.is_some()
}

/// The form of a plan, where one is asked for.
///
/// # Errors
///
/// Flags that do not go together.
fn plan_format(arguments: &TraceArgs) -> Result<Format> {
    if arguments.images.is_empty() && arguments.pixels.prepare_images() {
        return Err(Error::Usage(
            "flags on pixels are for an image, and there is no `--image`\nhint: `--size` \
             chooses the size of any input"
                .to_owned(),
        ));
    }
    let values_wanted = values_wanted(arguments);
    if !values_wanted && !arguments.plan && arguments.engine.is_given() {
        return Err(Error::Usage(
            "`--engine`, `--winograd` and `--threads` are for a run, and nothing is to run\nhint: \
             `--values` or `--image FILE` has the network run, `--plan` shows how it would"
                .to_owned(),
        ));
    }
    let of_a_run = |columns: &Vec<Column>| columns.iter().any(|column| column.is_of_a_run());
    if !values_wanted && arguments.columns.as_ref().is_some_and(of_a_run) {
        return Err(Error::Usage(
            "`--columns` asks for values or times, and nothing is to run\nhint: `--values` or \
             `--image FILE` has the network run"
                .to_owned(),
        ));
    }
    match (arguments.format, arguments.plan) {
        (TraceFormat::Json, _) => Ok(Format::Json),
        (TraceFormat::Table, _) | (_, false) => Ok(Format::Table),
        (_, true) => Err(Error::Usage(
            "`--plan` is written as a table or JSON\nhint: `--format json`".to_owned(),
        )),
    }
}

/// What running the network adds to layers' rows, by name; nothing to those that are folded into
/// others.
struct Measured {
    engine: &'static str,
    /// The file that the weights are from; nothing where they were drawn.
    weights: Option<String>,
    values: HashMap<String, Values>,
    times: HashMap<String, Duration>,
}

/// The weights inside the program for a network; nothing where there are none, and a pattern is to
/// go through weights that are drawn.
fn builtin_weights_of(network: &Network, arguments: &TraceArgs) -> Result<Option<Weights>> {
    // They are for another number of classes.
    let builtin = match arguments.classes.num_classes {
        Some(_) => None,
        None => Builtin::of_network(&network.name),
    };
    match builtin {
        Some(builtin) => Weights::builtin(builtin).map(Some),
        None if arguments.images.is_empty() => Ok(None),
        None => Err(Error::Usage(format!(
            "an image's values need weights, and none of `{}` are inside this program\nhint: name a \
             file with `--weights`; `--values` shows those of a pattern under drawn weights",
            network.name
        ))),
    }
}

/// Runs the network twice, the first time for the values, those to be saved among them, and to warm
/// up, the second for the times.
fn measure(
    model: &dyn Model,
    engine: &'static str,
    weights: Option<String>,
    input: &Tensor,
    mut saved: Option<Saved>,
) -> anyhow::Result<Measured> {
    let mut measured = Measured {
        engine,
        weights,
        values: HashMap::new(),
        times: HashMap::new(),
    };
    if let Some(saved) = &mut saved {
        saved.add_input(input)?;
    }
    model.run_observed(input, &mut |layer, value| {
        if let Some(saved) = &mut saved {
            saved.add_value(layer, value)?;
        }
        let numbers = value.flatten_all()?.to_vec1::<f32>()?;
        let values = Values::of(&numbers);
        measured.values.insert(layer.name.clone(), values);
        Ok(())
    })?;
    if let Some(saved) = saved {
        saved.finish()?;
    }
    // What only the engine does is part of the step that it is done for, which comes next.
    let mut before = Duration::ZERO;
    for step in model.run_timed(input)? {
        let time = before + step.time;
        before = match step.layers.into_iter().last() {
            Some(layer) => {
                *measured.times.entry(layer).or_default() += time;
                Duration::ZERO
            }
            None => time,
        };
    }
    Ok(measured)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
