use std::collections::HashMap;
use std::time::Duration;

use candle_core::{Device, Tensor};

use super::Outcome;
use super::pattern::test_pattern;
use super::subject::Subject;
use crate::checkpoint::{Builtin, Weights};
use crate::classifier::{preprocessing, recommended};
use crate::cli::{EngineName, PixelArgs, TraceArgs};
use crate::error::{Error, Result};
use crate::image;
use crate::model::Model;
use crate::model::memory::{self, Together};
use crate::network::layers::SEPARATORS;
use crate::network::trace::{LayerCost, Trace, trace};
use crate::network::{Layers, Layout, Network, Shape};
use crate::report::{TraceReport, TraceRow, Values};
use crate::text::shown_path;

pub(super) fn run(arguments: &TraceArgs) -> anyhow::Result<Outcome> {
    if arguments.image.is_none() && arguments.pixels.prepare_images() {
        return Err(Error::Usage(
            "flags on pixels are for an image, and there is no `--image`\nhint: `--size` \
             chooses the size of any input"
                .to_owned(),
        )
        .into());
    }
    let values_wanted = arguments.values || arguments.image.is_some();
    if !values_wanted && !arguments.plan && arguments.engine.is_given() {
        return Err(Error::Usage(
            "`--engine`, `--winograd` and `--threads` are for a run, and nothing is to run\nhint: \
             `--values` or `--image FILE` has the network run, `--plan` shows how it would"
                .to_owned(),
        )
        .into());
    }
    // Asked for first: a device that is not there is worth an answer without values too. candle
    // has the value of every layer, which is what a trace is read for.
    let usual = if arguments.plan {
        EngineName::Cpu
    } else {
        EngineName::Candle
    };
    let runtime = super::model::runtime(arguments.engine, arguments.device, usual)?;
    let subject = Subject::new(
        arguments.subject.as_deref(),
        arguments.network.as_ref(),
        arguments.weights.as_ref(),
    )?;
    let weights = super::named_weights(subject.weights.as_ref(), arguments.ema)?;
    let network = super::network(
        subject.network.as_deref(),
        weights.as_ref(),
        arguments.widths,
        &arguments.head,
    )?;
    let layers = network.layers();
    let weights = match weights {
        None if values_wanted => Some(builtin_weights_of(&network)?),
        weights => weights,
    };
    // Weights that do not fit are worth an answer even where only shapes are asked for.
    let tensors =
        |weights: &Weights| weights.var_builder(&layers, runtime.dtype(), runtime.device());
    let tensors = weights.as_ref().map(tensors).transpose()?;
    let image = match (&arguments.image, &weights) {
        (Some(path), Some(weights)) => Some(load(path, &network, weights, &arguments.pixels)?),
        _ => None,
    };

    let shape = match &image {
        Some((_, shape)) => *shape,
        None => shape(arguments, &network, weights.as_ref()),
    };
    let trace = trace(&layers, shape)?;
    let check_memory = |together| memory::check(&layers, &trace, &runtime, together, memory::MOST);
    if arguments.plan {
        check_memory(Together::MicroBatch)?;
        let plan = super::plan::report(&layers, &trace, &runtime)?;
        super::print(&plan, arguments.format)?;
        return Ok(Outcome::Yes);
    }
    let measured = match (&weights, tensors) {
        (Some(weights), Some(tensors)) if values_wanted => {
            check_memory(Together::Batch)?;
            weights.check_input(&layers, &trace)?;
            let input = image.map_or_else(|| test_pattern(shape), |(values, _)| values);
            let input = Tensor::from_vec(input, shape.dims(Layout::Nchw), &Device::Cpu)?;
            let model = runtime.build(layers.clone(), tensors, shape)?;
            super::warn_of_nonfinite(weights);
            Some(measure(&*model, runtime.name(), &input)?)
        }
        _ => None,
    };
    let report = report(arguments, &layers, &trace, measured.as_ref());
    super::print(&report, arguments.format)?;
    Ok(Outcome::Yes)
}

/// What running the network adds to layers' rows, by name; nothing to those that are folded into
/// others.
struct Measured {
    engine: &'static str,
    values: HashMap<String, Values>,
    times: HashMap<String, Duration>,
}

/// The batch asked for: of the size asked for, else that of the weights, else the network's own.
fn shape(arguments: &TraceArgs, network: &Network, weights: Option<&Weights>) -> Shape {
    let asked = arguments.pixels.size.map(|size| [size.height, size.width]);
    let of_weights = || {
        let preprocessing = recommended(weights?, arguments.pixels.test_size, &mut super::tell)?;
        Some(preprocessing.size)
    };
    let own = network.input.shape(arguments.batch_size);
    Shape {
        spatial: asked.or_else(of_weights).or(own.spatial),
        ..own
    }
}

fn builtin_weights_of(network: &Network) -> Result<Weights> {
    let builtin = Builtin::of_network(&network.name).ok_or_else(|| {
        Error::Usage(format!(
            "values need weights, and none of `{}` are inside this program\nhint: name a file with \
             `--weights`",
            network.name
        ))
    })?;
    Weights::builtin(builtin)
}

fn load(
    path: &std::path::Path,
    network: &Network,
    weights: &Weights,
    pixels: &PixelArgs,
) -> Result<(Vec<f32>, Shape)> {
    let choices = pixels.choices();
    let preprocessing = preprocessing(
        network,
        weights,
        choices,
        pixels.test_size,
        &mut super::tell,
    )?;
    let values = image::load(path, &preprocessing).map_err(|error| match error {
        Error::Image(problem) => Error::Image(format!("`{}`: {problem}", shown_path(path))),
        error => error,
    })?;
    let shape = Shape {
        spatial: Some(preprocessing.size),
        ..network.input.shape(1)
    };
    Ok((values, shape))
}

/// Runs the network twice, the first time for the values and to warm up, the second for the times.
fn measure(model: &dyn Model, engine: &'static str, input: &Tensor) -> Result<Measured> {
    let mut measured = Measured {
        engine,
        values: HashMap::new(),
        times: HashMap::new(),
    };
    model.run_observed(input, &mut |layer, value| {
        let numbers = value.flatten_all()?.to_vec1::<f32>()?;
        let values = Values::of(&numbers);
        measured.values.insert(layer.name.clone(), values);
        Ok(())
    })?;
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

fn report(
    arguments: &TraceArgs,
    layers: &Layers,
    trace: &Trace,
    measured: Option<&Measured>,
) -> TraceReport {
    let mut rows: Vec<TraceRow> = Vec::new();
    for (layer, cost) in layers.as_slice().iter().zip(&trace.layers) {
        let LayerCost {
            output,
            parameters,
            buffers,
            macs,
        } = *cost;
        let (name, kind) = fold(&layer.name, layer.operation.kind(), arguments.depth);
        let row = TraceRow {
            name: name.to_owned(),
            kind,
            output_shape: output.dims(arguments.layout),
            parameters,
            buffers,
            macs,
            values: measured.and_then(|measured| measured.values.get(&layer.name).copied()),
            time_ms: measured
                .and_then(|measured| measured.times.get(&layer.name))
                .map(|&time| milliseconds(time)),
        };
        match rows.last_mut() {
            Some(group) if group.name == name && kind == GROUP => absorb(group, row),
            _ => rows.push(row),
        }
    }
    TraceReport {
        network: layers.name().to_owned(),
        engine: measured.map(|measured| measured.engine),
        layout: arguments.layout,
        input_shape: trace.input.dims(arguments.layout),
        layers: rows,
        parameters: trace.parameters,
        buffers: trace.buffers,
        macs: trace.macs,
        time_ms: measured.map(|measured| milliseconds(measured.times.values().sum())),
    }
}

const GROUP: &str = "group";

/// The name and kind of a layer's row where rows go no deeper than `depth`.
fn fold<'a>(name: &'a str, kind: &'static str, depth: Option<usize>) -> (&'a str, &'static str) {
    let end = depth.and_then(|depth| name.match_indices(SEPARATORS).nth(depth - 1));
    match end {
        Some((end, _)) => (&name[..end], GROUP),
        None => (name, kind),
    }
}

/// Adds a layer to the group it ends: the group's output is that of its last layer.
fn absorb(group: &mut TraceRow, layer: TraceRow) {
    group.parameters += layer.parameters;
    group.buffers += layer.buffers;
    group.macs += layer.macs;
    group.output_shape = layer.output_shape;
    group.values = layer.values;
    let times = [group.time_ms, layer.time_ms];
    group.time_ms = times.into_iter().flatten().reduce(|a, b| a + b);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_deeper_than_the_depth_folds_into_its_group() {
        assert_eq!(
            fold("layer1.0.se.fc1", "linear", Some(2)),
            ("layer1.0", GROUP)
        );
        assert_eq!(
            fold("layer1.0.se.fc1", "linear", Some(1)),
            ("layer1", GROUP)
        );
        assert_eq!(
            fold("layer1.0.bn1", "batch norm", Some(3)),
            ("layer1.0.bn1", "batch norm")
        );
        assert_eq!(fold("fc", "linear", Some(1)), ("fc", "linear"));
        assert_eq!(fold("a/b.c/d", "add", Some(2)), ("a/b", GROUP));
    }
}
