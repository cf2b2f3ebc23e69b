//! The first pass: what computes each node, and on what geometry.

use std::collections::HashMap;

use super::expand::ExpandedRows;
use super::strips::Strips;
use super::windows::PoolWindows;
use crate::cpu::element::ElementType;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::fuse::{
    Factor, Graph, Id, Node, Origin, PoolKind, Rearrangement, Statistics, WeightSource, Work,
};
use crate::cpu::kernels::{BLOCK, WinogradTile};
use crate::cpu::options::{Precision, Target};
use crate::cpu::pack::ConvShape;
use crate::cpu::view::blocks;
use crate::error::Result;
use crate::network::geometry::{Extent, Padding, Window};
use crate::network::trace::Trace;
use crate::network::{Layers, Shape};

/// What all nodes of a graph are computed by and on.
#[derive(Debug)]
pub(super) struct Choices {
    pub(super) images: usize,
    pub(super) tensors: Vec<Tensor>,
    /// For each node.
    pub(super) nodes: Vec<Choice>,
    /// For a convolution whose source is not multiplied by its gate before, which node that would
    /// have been.
    pub(super) gates: HashMap<usize, usize>,
    /// For a convolution whose source is computed with it, a few rows at a time, which node that is.
    pub(super) expands: HashMap<usize, usize>,
    /// Layers that end a block, whose values are kept for whoever asks for them.
    ends: Vec<usize>,
}

/// A tensor's shape, and who makes and reads it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tensor {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Whether its channels lie in planes of their own instead of in blocks.
    pub(super) planes: bool,
    pub(super) element_type: ElementType,
    /// Rows above and below, columns before and after, that readers want to be zero.
    pub(super) halo: [usize; 4],
    /// The node that makes it; none makes the input.
    pub(super) made_by: Option<usize>,
    /// The last node that reads it.
    pub(super) last_read: usize,
}

/// What computes a node.
#[derive(Debug)]
pub(super) enum Choice {
    Gemm(Convolution),
    SmallGroup(Convolution),
    Depthwise(Convolution),
    /// A 1x1 convolution, then of its output one of each channel alone, a few rows at a time.
    ExpandDepthwise(Box<[Convolution; 2]>, ExpandedRows),
    Winograd(Convolution, Strips),
    Pool(PoolWindows),
    /// From channel sums, where there are some; else as the pool of whole maps.
    Mean(PoolWindows),
    /// With what each channel is multiplied by and shifted, and the tensor that it is multiplied by,
    /// where they are.
    Elementwise(Option<WeightSource>, Option<Id>),
    /// By means and variances, then what a layer makes of each channel.
    Normalize(WeightSource, Statistics),
    Softmax,
    Rearrange(Rearrangement),
    /// Nothing: the convolution that reads it has its weights multiplied by the gate instead.
    GateWeights,
    /// Nothing: the convolution that reads it computes it.
    Expand,
    /// Of these, in the order of channels.
    Concat(Vec<Id>),
}

/// A convolution's geometry; a dense layer is one with a kernel as large as its source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) shape: ConvShape,
    pub(super) weights: WeightSource,
    /// Rows and columns from one window to the next.
    pub(super) strides: [usize; 2],
    /// Rows and columns from one element of the kernel to the next.
    pub(super) dilation: [usize; 2],
    /// Rows above and columns before the source, where the first window begins.
    pub(super) before: [usize; 2],
    /// What the channels of its source are yet to be multiplied by.
    pub(super) gate: Option<Id>,
}

/// Narrower groups spread a tile's transforms over too few products: computed directly,
/// SE-ResNeXt-50 takes 4 to 8 % less time.
const FEWEST_CHANNELS_OF_GROUP: usize = 64;

/// Bytes of an image's map that are read from afar again if it is stored as a whole. Tests have
/// small maps, which take both ways.
const LEAVES_CACHE: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };

/// With fewer tiles, reading the transformed weights takes longer than they save.
const FEWEST_TILES: usize = 9;

impl Tensor {
    fn of(shape: Shape) -> Self {
        let [height, width] = shape.spatial.unwrap_or([1, 1]);
        Self {
            channels: shape.channels,
            height,
            width,
            ..Self::default()
        }
    }

    /// What its elements are where maps are computed in that precision. Single pixels, of which a
    /// network's means, gates and classes are, stay in single precision: they take no time, and all
    /// that follows would have their errors.
    fn element_type(&self, precision: Precision) -> ElementType {
        let is_map = [self.height, self.width] != [1, 1];
        match precision {
            Precision::Bf16 if is_map => ElementType::Bf16,
            Precision::Bf16 | Precision::F32 => ElementType::F32,
        }
    }

    /// Blocks of channels, or planes.
    pub(super) fn blocks(&self) -> usize {
        if self.planes {
            self.channels
        } else {
            blocks(self.channels)
        }
    }
}

impl Choices {
    /// # Errors
    ///
    /// A window that does not fit.
    pub(super) fn new(
        graph: &Graph,
        layers: &Layers,
        trace: &Trace,
        target: Target,
    ) -> Result<Self> {
        let shapes = trace.layers.iter().map(|cost| cost.output);
        let shapes = [trace.input].into_iter().chain(shapes);
        let mut tensors: Vec<Tensor> = shapes.map(Tensor::of).collect();
        for origin in graph.tensors.get(tensors.len()..).unwrap_or(&[]) {
            if let Origin::MeansOf(source) = *origin {
                tensors.push(Tensor {
                    channels: tensors[source].channels,
                    height: 1,
                    width: 1,
                    ..Tensor::default()
                });
            }
        }
        tensors[0].planes = as_planes(graph, tensors[0].channels);
        for tensor in &mut tensors {
            tensor.element_type = tensor.element_type(target.precision);
        }
        let mut choices = Self {
            images: trace.input.batch,
            tensors,
            nodes: Vec::with_capacity(graph.nodes.len()),
            gates: HashMap::new(),
            expands: HashMap::new(),
            ends: layers
                .blocks()
                .iter()
                .filter_map(|block| layers.position(block))
                .collect(),
        };
        for index in 0..graph.nodes.len() {
            let choice = choices.choose(graph, index, target)?;
            choices.nodes.push(choice);
        }
        choices.tensors[graph.output].last_read = graph.nodes.len();
        Ok(choices)
    }

    fn choose(&mut self, graph: &Graph, index: usize, target: Target) -> Result<Choice> {
        let node = &graph.nodes[index];
        self.tensors[node.output].made_by = Some(index);
        for id in node.reads() {
            self.tensors[id].last_read = index;
        }
        let source = &self.tensors[node.source];
        let size = [source.height, source.width];
        Ok(match &node.work {
            Work::Conv { conv, weights } => {
                let gate = self.gates.get(&index);
                let gate = gate.and_then(|&gated| graph.nodes[gated].epilogue.gate);
                if let Some(gate) = gate {
                    self.tensors[gate].last_read = index;
                }
                let window = (conv.window, conv.groups);
                let choice = self.convolution(node, window, (*weights, gate), target)?;
                self.with_expansion(graph, index, choice, target)
            }
            Work::Linear { weights } => {
                let whole = Window {
                    kernel: size,
                    ..Window::square(1, 1, Padding::VALID)
                };
                self.convolution(node, (whole, 1), (*weights, None), target)?
            }
            Work::Pool(kind) => Choice::Pool(PoolWindows::new(*kind, size)?),
            Work::Mean => Choice::Mean(PoolWindows::new(PoolKind::AdaptiveAverage([1, 1]), size)?),
            Work::Elementwise { .. } if let Some(reader) = self.gates_weights(graph, index) => {
                self.gates.insert(reader, index);
                Choice::GateWeights
            }
            Work::Elementwise { weights, product } => Choice::Elementwise(*weights, *product),
            Work::Normalize(layer, statistics) => {
                let weights = WeightSource::Channels {
                    affine: Some(*layer),
                    factor: Factor::ONE,
                };
                Choice::Normalize(weights, *statistics)
            }
            Work::Softmax => Choice::Softmax,
            Work::Rearrange(rearrangement) => Choice::Rearrange(*rearrangement),
            Work::Concat { members } => Choice::Concat(members.clone()),
        })
    }

    /// The convolution that can have its weights multiplied by the gate of the node at `index`, and
    /// takes fewer products for it than there are elements in the map, which is also all the memory
    /// that they may take: it alone reads that, pixel by pixel, and nobody reads the map without the
    /// gate after it. Other images change nothing about it: their weights are as many as their maps.
    fn gates_weights(&self, graph: &Graph, index: usize) -> Option<usize> {
        let node = &graph.nodes[index];
        let only_gate = Epilogue {
            gate: node.epilogue.gate,
            ..Epilogue::NONE
        };
        let is_gate = matches!(
            node.work,
            Work::Elementwise {
                weights: None,
                product: None
            }
        );
        let read_by_caller = [node.source, node.output].contains(&graph.output);
        if !is_gate || node.epilogue != only_gate || node.source == 0 || read_by_caller {
            return None;
        }
        let mut later = (index + 1..graph.nodes.len()).filter(|&later| {
            let reads = graph.nodes[later].reads();
            reads.contains(&node.source) || reads.contains(&node.output)
        });
        let (Some(reader), None) = (later.next(), later.next()) else {
            return None;
        };
        let Node {
            source,
            work: Work::Conv { conv, .. },
            epilogue,
            ..
        } = &graph.nodes[reader]
        else {
            return None;
        };
        let others = [epilogue.gate, epilogue.residual];
        let tensor = &self.tensors[node.output];
        let outputs = conv.out_channels.next_multiple_of(BLOCK);
        let fewer = outputs <= tensor.height * tensor.width;
        let unread = [node.source, node.output].map(|id| !others.contains(&Some(id)));
        let alone = *source == node.output && unread == [true; 2];
        (conv.is_pointwise() && alone && fewer).then_some(reader)
    }

    /// A convolution of each channel alone together with the 1x1 convolution before it, where that is
    /// so large that it would leave the cache, and nobody else reads it.
    fn with_expansion(
        &mut self,
        graph: &Graph,
        index: usize,
        choice: Choice,
        target: Target,
    ) -> Choice {
        let node = &graph.nodes[index];
        let Choice::Depthwise(depthwise) = choice else {
            return choice;
        };
        let tensor = &self.tensors[node.source];
        let Some(before) = tensor.made_by else {
            return choice;
        };
        let Choice::Gemm(expand) = self.nodes[before] else {
            return choice;
        };
        let alone = [node, &graph.nodes[before]].map(|node| {
            let Epilogue { gate, residual, .. } = node.epilogue;
            [gate, residual] == [None; 2]
        });
        let later = &graph.nodes[before + 1..];
        let readers = later
            .iter()
            .filter(|later| later.reads().contains(&node.source));
        let ends_block = graph.nodes[before]
            .layers
            .last()
            .is_some_and(|layer| self.ends.contains(layer));
        let elements = tensor.blocks() * BLOCK * tensor.height * tensor.width;
        let bytes = tensor.element_type.bytes(elements);
        // One with padding has rows and columns of its bias beyond those of its source.
        let is_pointwise = matches!(
            &graph.nodes[before].work,
            Work::Conv { conv, .. } if conv.is_pointwise()
        );
        let fits = is_pointwise
            && !expand.shape.planes
            && expand.gate.is_none()
            && depthwise.dilation == [1, 1]
            && alone == [true; 2]
            && readers.count() == 1
            && graph.output != node.source
            && !ends_block
            && bytes >= LEAVES_CACHE;
        if !fits {
            return choice;
        }
        let output = &self.tensors[node.output];
        let rows = ExpandedRows::new(&depthwise, tensor, output, self.images, target);
        self.tensors[graph.nodes[before].source].last_read = index;
        self.nodes[before] = Choice::Expand;
        self.expands.insert(index, before);
        Choice::ExpandDepthwise(Box::new([expand, depthwise]), rows)
    }

    fn convolution(
        &mut self,
        node: &Node,
        (window, groups): (Window, usize),
        (weights, gate): (WeightSource, Option<Id>),
        target: Target,
    ) -> Result<Choice> {
        let [source, output] = [node.source, node.output].map(|id| &self.tensors[id]);
        let [rows, columns] = window.extents([source.height, source.width])?;
        let shape = ConvShape {
            inputs: source.channels,
            outputs: output.channels,
            groups,
            kernel: window.kernel,
            planes: source.planes,
            nr_blocks: target.isa.nr_blocks(),
            weights: source.element_type,
        };
        let convolution = Convolution {
            shape,
            weights,
            strides: window.stride,
            dilation: window.dilation,
            before: [rows.before, columns.before],
            gate,
        };
        let tile = convolution.tile([output.height, output.width], target.winograd);
        let mut halo = [rows.before, rows.after, columns.before, columns.after];
        if shape.planes {
            halo[3] += shape.columns_of_planes() - shape.kernel[1];
        }
        let choice = if gate.is_some() {
            // Nothing else multiplies its weights by a gate; `gates_weights` asks for what it can.
            assert!(
                shape.kernel == [1, 1] && shape.groups == 1 && !shape.planes,
                "weights of {shape:?} are not multiplied by a gate"
            );
            Choice::Gemm(convolution)
        } else if let Some(tile) = tile {
            // Whole tiles may reach further.
            let beyond = |extent: &Extent| {
                extent.output.next_multiple_of(tile.output_side()) - extent.output
            };
            halo[1] += beyond(&rows);
            halo[3] += beyond(&columns);
            let strips = Strips::new(tile, self.images, source, output, target.threads);
            Choice::Winograd(convolution, strips)
        } else if convolution.is_depthwise() {
            Choice::Depthwise(convolution)
        } else if convolution.is_small_group() {
            Choice::SmallGroup(convolution)
        } else {
            Choice::Gemm(convolution)
        };
        let wanted = &mut self.tensors[node.source].halo;
        *wanted = widest(*wanted, halo);
        Ok(choice)
    }
}

/// Whether an input of so many channels is kept in planes: a few channels are better read as they
/// come, by convolutions.
fn as_planes(graph: &Graph, channels: usize) -> bool {
    let input: Id = 0;
    let reads_planes = |node: &Node| match &node.work {
        Work::Conv { conv, .. } => {
            let others = [node.epilogue.gate, node.epilogue.residual];
            // A run of a plane's pixels is a row of the kernel.
            let together = conv.window.dilation[1] == 1;
            conv.groups == 1 && together && !others.contains(&Some(input))
        }
        _ => false,
    };
    let mut readers = graph
        .nodes
        .iter()
        .filter(|node| node.reads().contains(&input));
    channels < BLOCK && graph.output != input && readers.all(reads_planes)
}

/// The larger of two halos on each side.
pub(super) fn widest(a: [usize; 4], b: [usize; 4]) -> [usize; 4] {
    std::array::from_fn(|side| a[side].max(b[side]))
}

impl Convolution {
    /// Winograd's tile for an output of this height and width, none larger than `largest`, if it is
    /// worth its transforms: enough channels to spread those over, and enough tiles to spread the
    /// weights over.
    fn tile(&self, size: [usize; 2], largest: WinogradTile) -> Option<WinogradTile> {
        let shape = &self.shape;
        let [inputs, outputs] = [shape.inputs_per_group(), shape.outputs_per_group()];
        let fewest = if shape.groups > 1 {
            FEWEST_CHANNELS_OF_GROUP
        } else {
            BLOCK
        };
        if shape.kernel != [3, 3]
            || [self.strides, self.dilation] != [[1, 1]; 2]
            || shape.planes
            || inputs.min(outputs) < fewest
        {
            return None;
        }
        let count = |tile: WinogradTile| -> usize {
            let tiles = size.map(|size| size.div_ceil(tile.output_side()));
            tiles.iter().product()
        };
        // The elements of the larger tile are sums in which much cancels, which bf16 would lose.
        let largest = match shape.weights {
            ElementType::F32 => largest,
            ElementType::Bf16 => WinogradTile::F2x2,
        };
        [WinogradTile::F4x4, WinogradTile::F2x2]
            .into_iter()
            .filter(|&tile| tile <= largest)
            .find(|&tile| count(tile) >= FEWEST_TILES)
    }

    /// Whether [`crate::cpu::kernels::depthwise`] computes it.
    fn is_depthwise(&self) -> bool {
        let shape = &self.shape;
        !shape.planes && shape.groups > 1 && [shape.inputs, shape.outputs] == [shape.groups; 2]
    }

    /// Whether [`crate::cpu::kernels::small_group`] computes it.
    fn is_small_group(&self) -> bool {
        let shape = &self.shape;
        let [inputs, outputs] = [shape.inputs_per_group(), shape.outputs_per_group()];
        shape.groups > 1
            && !shape.planes
            && shape.kernel == [3, 3]
            && [[1, 1], [2, 2]].contains(&self.strides)
            && self.dilation == [1, 1]
            && outputs < BLOCK
            && BLOCK.is_multiple_of(outputs)
            && inputs <= outputs
            && outputs.is_multiple_of(inputs)
    }
}
