use std::time::Instant;

use candle_core::{DType, Device, Tensor};

use super::Outcome;
use crate::checkpoint::Weights;
use crate::cli::{PixelArgs, TraceArgs};
use crate::error::{Error, Result};
use crate::image;
use crate::network::trace::{LayerCost, Trace, trace};
use crate::network::{Layers, Layout, Network, Shape};
use crate::nn::SeNet;
use crate::report::{TraceReport, TraceRow, Values};

/// A layer's value may have so many elements, 4 GiB; a few of them live at one time.
const MAX_ELEMENTS: usize = 1 << 30;

pub(super) fn run(arguments: &TraceArgs) -> anyhow::Result<Outcome> {
    if arguments.image.is_none() && arguments.pixels.prepare_images() {
        return Err(Error::Usage(
            "flags on pixels are for an image, and there is no `--image`\nhint: `--input-size` \
             chooses the size of an input that is none"
                .to_owned(),
        )
        .into());
    }
    // Asked for first: a device that is not there is worth an answer without values too.
    let (device, dtype) = super::device(arguments.device)?;
    let weights = arguments.weights.as_ref().map(super::weights);
    let weights = weights.transpose()?;
    let network = super::network(
        arguments.network.as_deref(),
        weights.as_ref(),
        arguments.widths,
    )?;
    if let Some(weights) = &weights {
        // Weights that do not fit are worth an answer even where only shapes are asked for.
        weights.var_builder(&network, DType::F32, &Device::Cpu)?;
    }

    let values_wanted = arguments.values || arguments.image.is_some();
    let weights = match weights {
        None if values_wanted => Some(embedded_weights_of(&network)?),
        weights => weights,
    };
    let image = match (&arguments.image, &weights) {
        (Some(path), Some(weights)) => Some(load(path, &network, weights, &arguments.pixels)?),
        _ => None,
    };

    let shape = match &image {
        Some((_, shape)) => *shape,
        None => shape(arguments, &network, weights.as_ref()),
    };
    let layers = network.layers();
    let trace = trace(&layers, shape)?;
    let measured = match &weights {
        Some(weights) if values_wanted => {
            check_memory(&trace)?;
            weights.check_input(&network, &layers, &trace)?;
            let input = image.map_or_else(|| test_pattern(shape), |(values, _)| values);
            let input = Tensor::from_vec(input, shape.dims(Layout::Nchw), &Device::Cpu)?;
            super::warn_of_nonfinite(weights, &network)?;
            let vb = weights.var_builder(&network, dtype, &device)?;
            measure(&SeNet::new(&network, vb)?, &input)?
        }
        _ => Vec::new(),
    };
    let report = report(arguments, &network, &layers, &trace, &measured);
    super::print(&report, arguments.format)?;
    Ok(Outcome::Yes)
}

/// What running the network adds to a layer's row.
struct Measured {
    values: Values,
    time_ms: f64,
}

/// The batch asked for: of the size asked for, else that of the weights, else the network's own.
fn shape(arguments: &TraceArgs, network: &Network, weights: Option<&Weights>) -> Shape {
    let asked = arguments.input_size.map(|size| [size.height, size.width]);
    let of_weights = || {
        let preprocessing = super::pixels::recommended(weights?, arguments.pixels.test_size)?;
        Some(preprocessing.size)
    };
    let own = network.input.shape(arguments.batch);
    Shape {
        spatial: asked.or_else(of_weights).or(own.spatial),
        ..own
    }
}

fn embedded_weights_of(network: &Network) -> Result<Weights> {
    let weights = Weights::embedded()?;
    if weights.network.as_deref() == Some(network.name) {
        return Ok(weights);
    }
    Err(Error::Usage(format!(
        "values need weights, and none of `{}` are inside this program\nhint: name a file with \
         `--weights`",
        network.name
    )))
}

fn load(
    path: &std::path::Path,
    network: &Network,
    weights: &Weights,
    pixels: &PixelArgs,
) -> Result<(Vec<f32>, Shape)> {
    let preprocessing = super::pixels::preprocessing(network, weights, pixels)?;
    let values = image::load(path, &preprocessing).map_err(|error| match error {
        Error::Image(problem) => Error::Image(format!("`{}`: {problem}", path.display())),
        error => error,
    })?;
    let shape = Shape {
        spatial: Some(preprocessing.size),
        ..network.input.shape(1)
    };
    Ok((values, shape))
}

fn check_memory(trace: &Trace) -> Result<()> {
    let shapes = trace.layers.iter().map(|layer| layer.output);
    for shape in shapes.chain([trace.input]) {
        if shape.elements().is_none_or(|count| count > MAX_ELEMENTS) {
            return Err(Error::Geometry(format!(
                "a value of shape {:?} is too large to compute; shapes alone need no `--values`",
                shape.dims(Layout::Nchw)
            )));
        }
    }
    Ok(())
}

/// Waves that differ by image and channel: smooth like a photograph, and the same every time.
fn test_pattern(shape: Shape) -> Vec<f32> {
    let [height, width] = shape.spatial.unwrap_or([1, 1]);
    let mut pattern = Vec::with_capacity(shape.batch * shape.channels * height * width);
    for plane in 0..shape.batch * shape.channels {
        let frequency = 0.1 + 0.07 * (plane % 7) as f32;
        for row in 0..height {
            for column in 0..width {
                let (x, y) = (column as f32, row as f32);
                pattern.push((frequency * x).sin() + (frequency * (y + plane as f32)).cos());
            }
        }
    }
    pattern
}

/// Runs the network twice, the first time to warm up, and measures each layer of the second.
fn measure(net: &SeNet, input: &Tensor) -> Result<Vec<Measured>> {
    let input = input.to_dtype(net.dtype())?.to_device(net.device())?;
    net.forward_with(&input, &mut |_, _| Ok(()))?;
    // A GPU is handed work and computes on its own: only when it is done does the time count.
    net.device().synchronize()?;
    let mut measured = Vec::with_capacity(net.layers().as_slice().len());
    let mut started = Instant::now();
    net.forward_with(&input, &mut |_, value| {
        net.device().synchronize()?;
        let time_ms = started.elapsed().as_secs_f64() * 1e3;
        let values = value.to_dtype(DType::F32)?.flatten_all()?;
        let values = Values::of(&values.to_vec1::<f32>()?);
        measured.push(Measured { values, time_ms });
        started = Instant::now();
        Ok(())
    })?;
    Ok(measured)
}

fn report(
    arguments: &TraceArgs,
    network: &Network,
    layers: &Layers,
    trace: &Trace,
    measured: &[Measured],
) -> TraceReport {
    let mut rows: Vec<TraceRow> = Vec::new();
    for (index, (layer, cost)) in layers.as_slice().iter().zip(&trace.layers).enumerate() {
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
            values: measured.get(index).map(|measured| measured.values),
            time_ms: measured.get(index).map(|measured| measured.time_ms),
        };
        match rows.last_mut() {
            Some(group) if group.name == name && kind == GROUP => absorb(group, row),
            _ => rows.push(row),
        }
    }
    TraceReport {
        network: network.name.to_owned(),
        layout: arguments.layout,
        input_shape: trace.input.dims(arguments.layout),
        layers: rows,
        parameters: trace.parameters,
        buffers: trace.buffers,
        macs: trace.macs,
        time_ms: (!measured.is_empty()).then(|| measured.iter().map(|layer| layer.time_ms).sum()),
    }
}

const GROUP: &str = "group";

/// The name and kind of a layer's row where rows go no deeper than `depth`.
fn fold<'a>(name: &'a str, kind: &'static str, depth: Option<usize>) -> (&'a str, &'static str) {
    let end = depth.and_then(|depth| name.match_indices('.').nth(depth - 1));
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
    group.time_ms = group.time_ms.zip(layer.time_ms).map(|(a, b)| a + b);
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
    }
}
