//! A fold over the layers: shapes, parameters, MACs, for any input, without weights.

use super::operation::{Layout, Shape};
use super::{Layer, Layers};
use crate::error::{Error, Result};

/// What each layer makes and costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The network's input.
    pub input: Shape,
    /// In the order of [`Layers::as_slice`].
    pub layers: Vec<LayerCost>,
    /// Trainable numbers in the network.
    pub parameters: u64,
    /// Numbers that training gathers: batch norm statistics.
    pub buffers: u64,
    /// Multiplies of convolutions and linear layers, for the whole batch.
    pub macs: u64,
}

/// What one layer makes and costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerCost {
    /// Of its output.
    pub output: Shape,
    /// Trainable numbers.
    pub parameters: u64,
    /// Numbers that training gathers.
    pub buffers: u64,
    /// Multiplies of a convolution or linear layer, for the whole batch.
    pub macs: u64,
}

/// Folds over `layers` for an input of this shape.
///
/// # Errors
///
/// An input that the network cannot take; the message names the layer that refuses it.
pub fn trace(layers: &Layers, input: Shape) -> Result<Trace> {
    let mut shapes = vec![input];
    let mut costs = Vec::with_capacity(layers.as_slice().len());
    let (mut parameters, mut buffers, mut macs) = (0_u64, 0_u64, 0_u64);
    for layer in layers.as_slice() {
        let cost = cost(layer, &shapes)?;
        parameters += cost.parameters;
        buffers += cost.buffers;
        macs = macs
            .checked_add(cost.macs)
            .ok_or_else(|| too_large(layer))?;
        shapes.push(cost.output);
        costs.push(cost);
    }
    Ok(Trace {
        input,
        layers: costs,
        parameters,
        buffers,
        macs,
    })
}

fn cost(layer: &Layer, shapes: &[Shape]) -> Result<LayerCost> {
    let inputs: Vec<Shape> = layer
        .inputs
        .iter()
        .filter_map(|value| shapes.get(value.index()).copied())
        .collect();
    let output = layer.operation.output(&inputs).map_err(|error| {
        let found: Vec<_> = inputs
            .iter()
            .map(|input| input.dims(Layout::Nchw))
            .collect();
        Error::Geometry(format!(
            "layer `{}`: {error}; its input is {found:?}",
            layer.name
        ))
    })?;
    let (mut parameters, mut buffers) = (0, 0);
    for parameter in layer.operation.parameters() {
        let count = parameter.shape.iter().product::<usize>() as u64;
        if parameter.trainable {
            parameters += count;
        } else {
            buffers += count;
        }
    }
    let macs = layer
        .operation
        .macs(output)
        .ok_or_else(|| too_large(layer))?;
    Ok(LayerCost {
        output,
        parameters,
        buffers,
        macs,
    })
}

fn too_large(layer: &Layer) -> Error {
    Error::Geometry(format!(
        "layer `{}`: the input is too large: its multiplications cannot be counted in 64 bits",
        layer.name
    ))
}
