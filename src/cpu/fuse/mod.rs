//! Layers to nodes: what is computed in one go. Nothing here knows the input's size.
//!
//! A node is a convolution, a pool or an elementwise step, with everything that can be done to an
//! element before it is stored: its batch norm, a constant, a gate, a residual, an activation.
//!
//! A gate is known before the last convolution where that is linear up to the squeeze, since the
//! mean of W h + b is W mean(h) + b: then it is a factor in that convolution's epilogue, and
//! the first dense layer's matrix times W is one small matrix. Elsewhere the squeeze is summed up
//! as its input is stored, and the gate multiplies in an elementwise step of its own, in place,
//! together with the residual and the activation; a plan may multiply the weights of the 1x1
//! convolution that reads its output instead.

mod graph;

pub(super) use self::graph::{
    Factor, Graph, Id, LayerWeights, Node, Origin, PoolKind, Rearrangement, Statistics,
    WeightSource, Work,
};
use super::epilogue::Epilogue;
use crate::network::operation::Conv;
use crate::network::squeeze_excitation::{self, SqueezeExcitation};
use crate::network::{Layers, Operation, Value};

/// What a chain of layers has been folded into so far.
#[derive(Debug, Clone, Default)]
struct Chain {
    layers: Vec<usize>,
    /// A layer that scales and shifts each channel.
    affine: Option<usize>,
    factor: Option<Factor>,
    /// A tensor of the same shape that all is multiplied by.
    product: Option<Id>,
    epilogue: Epilogue<Id>,
}

/// Who reads a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// The layer of that index.
    Layer(usize),
    /// Whoever runs the network, of its output.
    Caller,
}

struct Fusing<'a> {
    layers: &'a Layers,
    /// Who reads each value.
    readers: Vec<Vec<Reader>>,
    blocks: Vec<SqueezeExcitation>,
    /// For each layer whether it is a zero padding that whoever reads it does itself.
    padded_by_readers: Vec<bool>,
    /// Layers that a node has already.
    done: Vec<bool>,
    graph: Graph,
}

impl Graph {
    pub(super) fn of(layers: &Layers) -> Self {
        let list = layers.as_slice();
        let output = list.len();
        let mut readers = vec![Vec::new(); list.len() + 1];
        for (index, layer) in list.iter().enumerate() {
            for value in &layer.inputs {
                readers[value.index()].push(Reader::Layer(index));
            }
        }
        readers[output].push(Reader::Caller);
        let mut fusing = Fusing {
            layers,
            readers,
            blocks: squeeze_excitation::find(layers),
            padded_by_readers: Vec::new(),
            done: vec![false; list.len()],
            graph: Self {
                nodes: Vec::new(),
                tensors: vec![Origin::Value { same_as: None }; list.len() + 1],
                output,
            },
        };
        fusing.padded_by_readers = (0..list.len())
            .map(|index| fusing.only_convs_pad(index))
            .collect();
        for index in 0..list.len() {
            if !fusing.done[index] {
                fusing.add(index);
            }
        }
        let mut graph = fusing.graph;
        graph.output = graph.same(graph.output);
        graph
    }
}

impl Fusing<'_> {
    fn tensor(&self, value: Value) -> Id {
        self.graph.same(value.index())
    }

    /// Adds what computes the layer at `index` and what can be folded into it.
    fn add(&mut self, index: usize) {
        let layer = &self.layers.as_slice()[index];
        let Some(&first) = layer.inputs.first() else {
            return;
        };
        let source = self.tensor(first);
        if self.is_named_anew(index) {
            self.graph.tensors[Value::of_layer(index).index()] = Origin::Value {
                same_as: Some(source),
            };
            return;
        }
        let mut chain = Chain {
            layers: vec![index],
            ..Chain::default()
        };
        let work = match layer.operation {
            Operation::Conv(conv) => {
                let conv = self.padded(index, first, conv, &mut chain);
                self.follow(index, &mut chain);
                self.gate_early(index, &conv, source, &mut chain);
                let weights = chain.weights(index);
                Work::Conv { conv, weights }
            }
            Operation::Linear { .. } => {
                self.follow(index, &mut chain);
                let weights = chain.weights(index);
                Work::Linear { weights }
            }
            Operation::MaxPool(window) => Work::Pool(PoolKind::Max(window)),
            Operation::AveragePool { window, border } => {
                Work::Pool(PoolKind::Average { window, border })
            }
            Operation::AdaptiveAveragePool(size) => Work::Pool(PoolKind::AdaptiveAverage(size)),
            // Nobody sums up the input as it is stored.
            Operation::GlobalAveragePool if first == Value::INPUT => {
                Work::Pool(PoolKind::AdaptiveAverage([1, 1]))
            }
            Operation::GlobalAveragePool => Work::Mean,
            Operation::GlobalMaxPool => Work::Pool(PoolKind::GlobalMax),
            Operation::Concat => Work::Concat {
                members: layer
                    .inputs
                    .iter()
                    .map(|&value| self.tensor(value))
                    .collect(),
            },
            Operation::BlurPool { size, stride } => Work::Pool(PoolKind::Blur { size, stride }),
            Operation::LayerNorm(normalization) => {
                Work::Normalize(index, Statistics::OfPixels(normalization))
            }
            Operation::GroupNorm {
                groups,
                normalization,
            } => Work::Normalize(index, Statistics::OfGroups(groups, normalization)),
            Operation::Softmax => Work::Softmax,
            Operation::Flatten { .. }
            | Operation::Unflatten
            | Operation::Slice { .. }
            | Operation::PadChannels(_)
            | Operation::ShuffleChannels { .. }
            | Operation::SpaceToDepth { .. }
            | Operation::ZeroPad(_)
            | Operation::Crop(_)
            | Operation::Upsample(_)
            | Operation::UpsampleLike => Work::Rearrange(Rearrangement::of(&layer.operation)),
            Operation::BatchNorm { .. }
            | Operation::Affine { .. }
            | Operation::Activation(_)
            | Operation::Scale
            | Operation::Multiply { .. }
            | Operation::LearntFactor { .. }
            | Operation::Product
            | Operation::Add => {
                let second = layer.inputs.get(1).map(|&value| self.tensor(value));
                match layer.operation {
                    Operation::BatchNorm { .. } | Operation::Affine { .. } => {
                        chain.affine = Some(index);
                    }
                    Operation::Activation(activation) => {
                        chain.epilogue.activation = Some(activation);
                    }
                    Operation::Scale => chain.epilogue.gate = second,
                    Operation::Multiply { factor } => chain.multiply(factor),
                    Operation::LearntFactor { .. } => chain.multiply_learnt(index),
                    Operation::Product => chain.product = second,
                    _ => chain.epilogue.residual = second,
                }
                self.follow(index, &mut chain);
                let factor = chain.factor.unwrap_or(Factor::ONE);
                let affine = chain.affine;
                let changes = affine.is_some() || factor != Factor::ONE;
                Work::Elementwise {
                    weights: changes.then_some(WeightSource::Channels { affine, factor }),
                    product: chain.product,
                }
            }
        };
        self.push(chain, source, work);
    }

    /// Whether the value of the layer at `index` is that of its input by another shape, or with a border
    /// that whoever reads it adds.
    fn is_named_anew(&self, index: usize) -> bool {
        match self.layers.as_slice()[index].operation {
            Operation::Unflatten => true,
            Operation::Flatten { height, width } => {
                [height, width] == [1, 1] || self.only_dense_layers_read(index)
            }
            Operation::ZeroPad(_) => self.padded_by_readers[index],
            _ => false,
        }
    }

    /// Whether all that read the zero padding at `index` are convolutions that can pad so
    /// themselves.
    fn only_convs_pad(&self, index: usize) -> bool {
        let list = self.layers.as_slice();
        let Operation::ZeroPad(pads) = list[index].operation else {
            return false;
        };
        let pads_itself = |reader: &Reader| match *reader {
            Reader::Layer(reader) => match list[reader].operation {
                Operation::Conv(conv) => conv.window.with_zeros_around(pads).is_some(),
                _ => false,
            },
            Reader::Caller => false,
        };
        let readers = &self.readers[Value::of_layer(index).index()];
        readers.iter().all(pads_itself)
    }

    /// The convolution at `index`, which reads `value`, with the zeros that a layer before it pads
    /// with, where the two are computed in one go.
    fn padded(&self, index: usize, value: Value, conv: Conv, chain: &mut Chain) -> Conv {
        let Some(before) = value.layer() else {
            return conv;
        };
        let Operation::ZeroPad(pads) = self.layers.as_slice()[before].operation else {
            return conv;
        };
        let window = conv.window.with_zeros_around(pads);
        let Some(window) = window.filter(|_| self.padded_by_readers[before]) else {
            return conv;
        };
        // The first that reads it has it among its layers.
        if self.readers[value.index()].first() == Some(&Reader::Layer(index)) {
            chain.layers.insert(0, before);
        }
        Conv { window, ..conv }
    }

    /// Whether all that read the value of the layer at `index` are dense layers, which take a map as
    /// well as its elements in a row.
    fn only_dense_layers_read(&self, index: usize) -> bool {
        let is_dense = |reader: &Reader| match *reader {
            Reader::Layer(reader) => {
                let operation = &self.layers.as_slice()[reader].operation;
                matches!(operation, Operation::Linear { .. })
            }
            Reader::Caller => false,
        };
        self.readers[Value::of_layer(index).index()]
            .iter()
            .all(is_dense)
    }

    fn push(&mut self, chain: Chain, source: Id, work: Work) {
        for &layer in &chain.layers {
            self.done[layer] = true;
        }
        let Some(&last) = chain.layers.last() else {
            return;
        };
        self.graph.nodes.push(Node {
            layers: chain.layers,
            source,
            output: Value::of_layer(last).index(),
            work,
            epilogue: chain.epilogue,
        });
    }

    /// Folds what alone reads the chain's value, as long as it can be folded.
    fn follow(&self, start: usize, chain: &mut Chain) {
        while let Some(&last) = chain.layers.last()
            && let output = Value::of_layer(last)
            && let &[Reader::Layer(reader)] = self.readers[output.index()].as_slice()
        {
            let layer = &self.layers.as_slice()[reader];
            let Epilogue {
                gate,
                residual,
                activation,
                ..
            } = chain.epilogue;
            if activation.is_some() {
                break;
            }
            match layer.operation {
                Operation::BatchNorm { .. } | Operation::Affine { .. }
                    if chain.affine.is_none()
                        && chain.product.is_none()
                        && chain.factor.is_none()
                        && gate.is_none()
                        && residual.is_none() =>
                {
                    chain.affine = Some(reader);
                }
                Operation::Multiply { factor } if residual.is_none() => chain.multiply(factor),
                Operation::LearntFactor { .. }
                    if residual.is_none()
                        && chain.factor.is_none_or(|factor| factor.learnt.is_none()) =>
                {
                    chain.multiply_learnt(reader);
                }
                Operation::Add if residual.is_none() => {
                    let other = layer.inputs.iter().find(|&&value| value != output);
                    // Only what is computed before this node is there to be added.
                    match other.filter(|other| other.layer().is_none_or(|layer| layer < start)) {
                        Some(&other) => chain.epilogue.residual = Some(self.tensor(other)),
                        None => break,
                    }
                }
                Operation::Activation(activation) => chain.epilogue.activation = Some(activation),
                _ => break,
            }
            chain.layers.push(reader);
        }
    }

    /// Folds the SE block that reads the chain's value, if its gate follows from the means of the
    /// convolution's input, and adds what computes the gate.
    fn gate_early(&mut self, index: usize, conv: &Conv, source: Id, chain: &mut Chain) {
        if !conv.is_pointwise()
            || chain.epilogue != Epilogue::NONE
            || source == Value::INPUT.index()
        {
            return;
        }
        let Some(&last) = chain.layers.last() else {
            return;
        };
        let output = &self.readers[Value::of_layer(last).index()];
        let reads_it =
            |block: &&SqueezeExcitation| *output == [block.squeeze, block.scale].map(Reader::Layer);
        let Some(block) = self.blocks.iter().find(reads_it).cloned() else {
            return;
        };
        // Composed weights take no batch norm after them.
        if block.excitation.iter().any(|dense| dense.norm.is_some()) {
            return;
        }
        let mut input = self.means(source, block.squeeze);
        for (stage, dense) in block.excitation.iter().enumerate() {
            let mut excite = Chain {
                layers: vec![dense.layer],
                ..Chain::default()
            };
            if let Some(layer) = dense.activation
                && let Operation::Activation(activation) = self.layers.as_slice()[layer].operation
            {
                excite.layers.push(layer);
                excite.epilogue.activation = Some(activation);
            }
            let weights = match stage {
                0 => WeightSource::Composed {
                    linear: dense.layer,
                    conv: chain.layer_weights(index),
                },
                _ => excite.weights(dense.layer),
            };
            self.push(excite, input, Work::Linear { weights });
            input = Value::of_layer(dense.last()).index();
        }
        chain.epilogue.gate = Some(input);
        chain.layers.push(block.scale);
        self.follow(index, chain);
    }

    /// Adds the means of a tensor that is no layer's squeeze.
    fn means(&mut self, source: Id, squeeze: usize) -> Id {
        self.done[squeeze] = true;
        let output = self.graph.tensors.len();
        self.graph.tensors.push(Origin::MeansOf(source));
        self.graph.nodes.push(Node {
            layers: Vec::new(),
            source,
            output,
            work: Work::Mean,
            epilogue: Epilogue::NONE,
        });
        output
    }
}

impl Chain {
    fn weights(&self, layer: usize) -> WeightSource {
        WeightSource::Layer(self.layer_weights(layer))
    }

    fn layer_weights(&self, layer: usize) -> LayerWeights {
        LayerWeights {
            layer,
            affine: self.affine,
            factor: self.factor.unwrap_or(Factor::ONE),
        }
    }

    fn multiply(&mut self, constant: f64) {
        self.factor.get_or_insert(Factor::ONE).constant *= constant;
    }

    /// Multiplies by the number of the layer at that index; by no more than one such layer's.
    fn multiply_learnt(&mut self, layer: usize) {
        self.factor.get_or_insert(Factor::ONE).learnt = Some(layer);
    }
}
