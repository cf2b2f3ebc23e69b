//! A fold over the layers: shapes, parameters, MACs, for any input, without weights.

use std::collections::HashSet;

use super::operation::{Layout, Parameter, Shape};
use super::{Layer, Layers, Value};
use crate::error::{Error, Result};

/// What each layer makes and costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The network's input.
    pub input: Shape,
    /// What each layer makes and costs, in the order of [`Layers::as_slice`].
    pub layers: Vec<LayerCost>,
    /// Trainable elements in the network.
    pub parameters: u64,
    /// Elements that training gathers: batch norm statistics.
    pub buffers: u64,
    /// Multiplies of convolutions and linear layers, for the whole batch.
    pub macs: u64,
}

impl Trace {
    /// The shape of what the network computes.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.layers.last().map_or(self.input, |cost| cost.output)
    }

    /// The shape of a value: of the input or of a layer's output.
    #[must_use]
    pub fn shape(&self, value: Value) -> Option<Shape> {
        match value.layer() {
            None => Some(self.input),
            Some(layer) => Some(self.layers.get(layer)?.output),
        }
    }
}

/// What one layer makes and costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerCost {
    /// The shape of the layer's output.
    pub output: Shape,
    /// Trainable elements.
    pub parameters: u64,
    /// Elements that training gathers.
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
    let mut counted = HashSet::new();
    for layer in layers.as_slice() {
        // A tensor that several layers read counts where it is read first.
        let is_new = |parameter: &Parameter| {
            let tensor = layers.tensor_name(&layer.name, parameter.name);
            tensor.is_none_or(|tensor| counted.insert(tensor))
        };
        let cost = cost(layer, &shapes, is_new).map_err(|error| {
            let size = input.spatial.unwrap_or_default();
            Error::Geometry(format!("at an input of {}x{}, {error}", size[0], size[1]))
        })?;
        let add = |sum: u64, count| sum.checked_add(count).ok_or_else(|| too_large(layer));
        parameters = add(parameters, cost.parameters)?;
        buffers = add(buffers, cost.buffers)?;
        macs = add(macs, cost.macs)?;
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

fn cost(
    layer: &Layer,
    shapes: &[Shape],
    is_new: impl FnMut(&Parameter) -> bool,
) -> Result<LayerCost> {
    let inputs: Vec<Shape> = layer
        .inputs
        .iter()
        .filter_map(|value| shapes.get(value.index()).copied())
        .collect();
    let output = layer.operation.output(&inputs).map_err(|error| {
        let found: Vec<_> = inputs
            .iter()
            .map(|input| format!("{:?}", input.dims(Layout::Nchw)))
            .collect();
        Error::Geometry(format!(
            "layer `{}`: {error}; its input is {}",
            layer.name,
            found.join(" and ")
        ))
    })?;
    let (mut parameters, mut buffers) = (0_u64, 0_u64);
    for parameter in layer.operation.parameters().into_iter().filter(is_new) {
        let count = parameter
            .shape
            .iter()
            .try_fold(1_u64, |product, &size| product.checked_mul(size as u64))
            .ok_or_else(|| too_large(layer))?;
        let sum = if parameter.trainable {
            &mut parameters
        } else {
            &mut buffers
        };
        *sum = count.checked_add(*sum).ok_or_else(|| too_large(layer))?;
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
        "layer `{}` is too large: what it holds or multiplies cannot be counted in 64 bits",
        layer.name
    ))
}
