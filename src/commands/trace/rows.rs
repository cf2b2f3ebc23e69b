//! From a trace, and what a run adds to it, to the rows of the report.

use super::Measured;
use crate::cli::TraceArgs;
use crate::network::layers::SEPARATORS;
use crate::network::trace::{LayerCost, Trace};
use crate::network::{Layer, Layers, Layout, Shape};
use crate::report::{TraceReport, TraceRow, WindowRow};
use crate::text::path_text;

/// Bytes of a number in single precision.
const SINGLE: u64 = 4;

pub(super) fn report(
    arguments: &TraceArgs,
    layers: &Layers,
    trace: &Trace,
    measured: Option<&Measured>,
) -> TraceReport {
    let mut rows: Vec<TraceRow> = Vec::new();
    let mut output_bytes = 0_u64;
    for (layer, cost) in layers.as_slice().iter().zip(&trace.layers) {
        let (name, kind) = fold(&layer.name, layer.operation.kind(), arguments.depth);
        let row = TraceRow {
            name: name.to_owned(),
            kind,
            values: measured.and_then(|measured| measured.values.get(&layer.name).copied()),
            time_ms: measured
                .and_then(|measured| measured.times.get(&layer.name))
                .map(|&time| super::milliseconds(time)),
            ..row(layer, cost, trace, arguments.layout)
        };
        output_bytes = output_bytes.saturating_add(row.output_bytes);
        match rows.last_mut() {
            Some(group) if group.name == name && kind == GROUP => absorb(group, row),
            _ if kind == GROUP => rows.push(TraceRow {
                window: None,
                groups: None,
                ..row
            }),
            _ => rows.push(row),
        }
    }
    for row in &mut rows {
        row.parameter_share = share(row.parameters, trace.parameters);
        row.mac_share = share(row.macs, trace.macs);
    }
    TraceReport {
        network: layers.name().to_owned(),
        engine: measured.map(|measured| measured.engine),
        weights: measured.and_then(|measured| measured.weights.clone()),
        drawn: measured.is_some_and(|measured| measured.weights.is_none()),
        images: arguments
            .images
            .iter()
            .map(|path| path_text(path))
            .collect(),
        layout: arguments.layout,
        input_shape: trace.input.dims(arguments.layout),
        layers: rows,
        parameters: trace.parameters,
        buffers: trace.buffers,
        macs: trace.macs,
        input_bytes: bytes(trace.input),
        parameter_bytes: trace.parameters.saturating_mul(SINGLE),
        output_bytes,
        time_ms: measured.map(|measured| super::milliseconds(measured.times.values().sum())),
        columns: arguments.columns.clone(),
    }
}

/// What is known of a layer without a run; shares come when all rows are there.
fn row(layer: &Layer, cost: &LayerCost, trace: &Trace, layout: Layout) -> TraceRow {
    let inputs = layer.inputs.iter();
    let inputs: Vec<Shape> = inputs.filter_map(|&value| trace.shape(value)).collect();
    let LayerCost {
        output,
        parameters,
        buffers,
        macs,
    } = *cost;
    TraceRow {
        name: String::new(),
        kind: layer.operation.kind(),
        input_shapes: inputs.iter().map(|input| input.dims(layout)).collect(),
        output_shape: output.dims(layout),
        window: window(layer, &inputs),
        groups: layer.operation.groups(),
        parameters,
        parameter_share: 0.,
        parameter_bytes: parameters.saturating_mul(SINGLE),
        buffers,
        macs,
        mac_share: 0.,
        output_bytes: bytes(output),
        values: None,
        time_ms: None,
    }
}

/// The window that slides over a layer's input, with the padding that it has there: that of SAME
/// depends on the input's size.
fn window(layer: &Layer, inputs: &[Shape]) -> Option<WindowRow> {
    let window = layer.operation.window()?;
    let extents = window.extents(inputs.first()?.spatial?).ok()?;
    Some(WindowRow {
        kernel: window.kernel,
        stride: window.stride,
        padding: extents.map(|extent| [extent.before, extent.after]),
        dilation: window.dilation,
    })
}

fn bytes(shape: Shape) -> u64 {
    let elements = shape.elements().and_then(|count| u64::try_from(count).ok());
    // What exceeds that was refused when it was traced.
    elements.unwrap_or(u64::MAX).saturating_mul(SINGLE)
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
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
    group.parameter_bytes = group.parameter_bytes.saturating_add(layer.parameter_bytes);
    group.buffers += layer.buffers;
    group.macs += layer.macs;
    group.output_bytes = group.output_bytes.saturating_add(layer.output_bytes);
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
