//! What an SE block is: the layers of a list that make one, whoever wired them.

use super::{Layers, Operation, Value};

/// A squeeze-and-excitation block (Hu et al., arXiv:1709.01507, figure 1), by the indices of its
/// layers.
///
/// ```text
/// x ─┬─> global average pool ─> dense, activation ─> dense, gate function ─┐
///    └───────────────────────────────────────────────────────────────────> scale
/// ```
///
/// A dense layer may be spelt as a 1x1 convolution and have a batch norm after it, one of the two may
/// be missing, and so may the activation between them. The means may become a vector, and the gate a
/// map of one pixel again. Nothing else reads a value inside the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqueezeExcitation {
    /// The squeeze: each channel's mean.
    pub squeeze: usize,
    /// From the means to the gate: one dense layer or two, of which the last has the gate function.
    pub excitation: Vec<Dense>,
    /// The multiplication of what was squeezed by the gate.
    pub scale: usize,
}

/// A dense layer of an SE block, by the indices of its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dense {
    /// The dense layer or 1x1 convolution.
    pub layer: usize,
    /// The batch norm of its output, where there is one.
    pub norm: Option<usize>,
    /// The activation after that, where there is one.
    pub activation: Option<usize>,
}

impl Dense {
    /// The last of its layers.
    #[must_use]
    pub fn last(self) -> usize {
        self.activation.or(self.norm).unwrap_or(self.layer)
    }
}

/// The dense layers that a block has at most.
const MOST_DENSE: usize = 2;

/// The SE blocks among `layers`, in the order of their squeezes.
///
/// ```
/// use senet::network::{catalog, squeeze_excitation};
///
/// let layers = catalog::find("seresnet20")?.layers();
/// assert_eq!(squeeze_excitation::find(&layers).len(), 9);
/// # Ok::<(), senet::Error>(())
/// ```
#[must_use]
pub fn find(layers: &Layers) -> Vec<SqueezeExcitation> {
    let list = layers.as_slice();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); list.len()];
    for (reader, layer) in list.iter().enumerate() {
        for read in layer.inputs.iter().filter_map(|value| value.layer()) {
            readers[read].push(reader);
        }
    }
    let search = Search { layers, readers };
    let squeezes = (0..list.len())
        .filter(|&index| matches!(search.operation(index), Operation::GlobalAveragePool));
    squeezes.filter_map(|index| search.block(index)).collect()
}

struct Search<'a> {
    layers: &'a Layers,
    /// The layers that read each layer's output.
    readers: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn operation(&self, layer: usize) -> Operation {
        self.layers.as_slice()[layer].operation
    }

    /// The layer that alone reads another's output, or the same numbers as a vector or a pixel.
    fn only_reader(&self, layer: usize) -> Option<usize> {
        let mut last = layer;
        loop {
            let &[reader] = self.readers[last].as_slice() else {
                return None;
            };
            if !self.only_names_anew(reader) {
                return Some(reader);
            }
            last = reader;
        }
    }

    /// Whether a layer makes a vector of a pixel, or the reverse.
    fn only_names_anew(&self, layer: usize) -> bool {
        matches!(
            self.operation(layer),
            Operation::Unflatten
                | Operation::Flatten {
                    height: 1,
                    width: 1
                }
        )
    }

    /// The layer that made what `value` has, whatever shape that is called by.
    fn maker(&self, value: Value) -> Option<usize> {
        let mut maker = value.layer()?;
        while self.only_names_anew(maker) {
            maker = self.layers.as_slice()[maker].inputs.first()?.layer()?;
        }
        Some(maker)
    }

    /// The block that begins with this squeeze.
    fn block(&self, squeeze: usize) -> Option<SqueezeExcitation> {
        let mut excitation: Vec<Dense> = Vec::new();
        let mut last = squeeze;
        while excitation.len() < MOST_DENSE
            && let Some(dense) = self.dense(self.only_reader(last)?)
        {
            last = dense.last();
            excitation.push(dense);
        }
        let scale = self.only_reader(last)?;
        let gate = excitation.last()?.activation?;
        let squeezed = *self.layers.as_slice()[squeeze].inputs.first()?;
        let &[scaled, by] = self.layers.as_slice()[scale].inputs.as_slice() else {
            return None;
        };
        let is_block = matches!(self.operation(gate), Operation::Activation(function) if function.is_gate())
            && matches!(self.operation(scale), Operation::Scale)
            && scaled == squeezed
            && self.maker(by) == Some(gate);
        is_block.then_some(SqueezeExcitation {
            squeeze,
            excitation,
            scale,
        })
    }

    /// The dense layer at this index, with its activation.
    fn dense(&self, layer: usize) -> Option<Dense> {
        let is_dense = match self.operation(layer) {
            Operation::Linear { .. } => true,
            Operation::Conv(conv) => conv.is_pointwise(),
            _ => false,
        };
        let is_norm = |next: &usize| matches!(self.operation(*next), Operation::BatchNorm { .. });
        let is_activation =
            |next: &usize| matches!(self.operation(*next), Operation::Activation(_));
        is_dense.then(|| {
            let norm = self.only_reader(layer).filter(is_norm);
            let activation = self
                .only_reader(norm.unwrap_or(layer))
                .filter(is_activation);
            Dense {
                layer,
                norm,
                activation,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::geometry::{Padding, Window};
    use crate::network::operation::Conv;
    use crate::network::{Activation, Input, Layer, catalog};

    const RELU: Operation = Operation::Activation(Activation::Relu);
    const SIGMOID: Operation = Operation::Activation(Activation::Sigmoid);

    fn linear(inputs: usize, outputs: usize) -> Operation {
        Operation::Linear {
            inputs,
            outputs,
            bias: true,
        }
    }

    fn conv(inputs: usize, outputs: usize, groups: usize, window: Window) -> Operation {
        Operation::Conv(Conv {
            in_channels: inputs,
            out_channels: outputs,
            groups,
            window,
            bias: true,
            standardization: None,
        })
    }

    fn norm(channels: usize) -> Operation {
        Operation::BatchNorm {
            channels,
            epsilon: 1e-3,
            weight: true,
        }
    }

    fn pointwise(inputs: usize, outputs: usize) -> Operation {
        conv(inputs, outputs, 1, Window::square(1, 1, Padding::VALID))
    }

    /// A rectifier of 8 channels, and after it a squeeze, `excitation` and a scale.
    fn block(excitation: &[Operation]) -> Vec<Layer> {
        let mut list = Vec::new();
        let mut push = |operation, inputs: &[Value]| {
            list.push(Layer {
                name: format!("layer{}", list.len()),
                operation,
                inputs: inputs.to_vec(),
            });
            Value::of_layer(list.len() - 1)
        };
        let x = push(RELU, &[Value::INPUT]);
        let mut y = push(Operation::GlobalAveragePool, &[x]);
        for &operation in excitation {
            y = push(operation, &[y]);
        }
        push(Operation::Scale, &[x, y]);
        list
    }

    fn layers(list: Vec<Layer>) -> Layers {
        let input = Input {
            channels: 8,
            height: 4,
            width: 4,
        };
        Layers::new("test", input, list).unwrap()
    }

    fn found(list: Vec<Layer>) -> usize {
        find(&layers(list)).len()
    }

    #[test]
    fn every_spelling_of_a_block_is_one() {
        for (dense, excitation) in [
            (2, &[linear(8, 2), RELU, linear(2, 8), SIGMOID][..]),
            (2, &[pointwise(8, 2), RELU, pointwise(2, 8), SIGMOID]),
            (2, &[linear(8, 2), SIGMOID, pointwise(2, 8), SIGMOID]),
            (2, &[linear(8, 2), linear(2, 8), SIGMOID]),
            (1, &[linear(8, 8), SIGMOID]),
            (1, &[linear(8, 8), norm(8), SIGMOID]),
            (2, &[linear(8, 2), norm(2), RELU, linear(2, 8), SIGMOID]),
            (2, &[linear(8, 2), norm(2), linear(2, 8), SIGMOID]),
        ] {
            let blocks = find(&layers(block(excitation)));
            let [only] = &blocks[..] else {
                panic!("{excitation:?}: {blocks:?}");
            };
            assert_eq!((only.squeeze, only.scale), (1, excitation.len() + 2));
            assert_eq!(only.excitation.len(), dense);
            assert_eq!(only.excitation[dense - 1].last(), only.scale - 1);
        }
    }

    #[test]
    fn what_is_nearly_a_block_is_none() {
        let grouped = conv(8, 8, 2, Window::square(1, 1, Padding::VALID));
        let wide = conv(8, 8, 1, Window::square(3, 1, Padding::Same));
        for excitation in [
            // No dense layer, and one too many.
            &[SIGMOID][..],
            &[linear(8, 2), linear(2, 2), linear(2, 8), SIGMOID],
            // No gate function.
            &[linear(8, 8)],
            &[linear(8, 8), RELU],
            // Two functions of one dense layer.
            &[linear(8, 8), RELU, SIGMOID],
            // No dense layers, though convolutions.
            &[grouped, SIGMOID],
            &[wide, SIGMOID],
            // A batch norm too many, and one after the activation.
            &[linear(8, 8), norm(8), norm(8), SIGMOID],
            &[linear(8, 2), RELU, norm(2), linear(2, 8), SIGMOID],
        ] {
            assert_eq!(found(block(excitation)), 0, "{excitation:?}");
        }
    }

    #[test]
    fn a_block_multiplies_what_it_squeezed() {
        let mut list = block(&[linear(8, 8), SIGMOID]);
        assert_eq!(found(list.clone()), 1);
        list.last_mut().unwrap().inputs[0] = Value::INPUT;
        assert_eq!(found(list.clone()), 0);
        list.last_mut().unwrap().inputs[0] = Value::of_layer(0);
        assert_eq!(found(list.clone()), 1);
        list.last_mut().unwrap().operation = Operation::Add;
        assert_eq!(found(list), 0);
    }

    #[test]
    fn a_squeeze_is_a_global_average_pool() {
        let mut list = block(&[linear(8, 8), SIGMOID]);
        list[1].operation = Operation::AdaptiveAveragePool([2, 2]);
        assert_eq!(found(list), 0);
    }

    #[test]
    fn a_block_whose_inside_is_read_elsewhere_is_none() {
        let list = block(&[linear(8, 8), RELU, linear(8, 8), SIGMOID]);
        for inside in 1..list.len() - 1 {
            let mut list = list.clone();
            list.push(Layer {
                name: "reader".to_owned(),
                operation: SIGMOID,
                inputs: vec![Value::of_layer(inside)],
            });
            assert_eq!(found(list), 0, "layer {inside}");
        }
    }

    #[test]
    fn the_catalogues_blocks_are_all_recognised() {
        for network in catalog::networks() {
            let layers = network.layers();
            let scales = layers.as_slice().iter();
            let scales = scales.filter(|layer| matches!(layer.operation, Operation::Scale));
            assert_eq!(find(&layers).len(), scales.count(), "{}", network.name);
        }
    }
}
