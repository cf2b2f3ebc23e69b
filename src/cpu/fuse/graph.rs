//! What is computed from a network's layers: nodes, the tensors between them, and where their
//! weights come from.

use crate::cpu::epilogue::Epilogue;
use crate::network::Operation;
use crate::network::geometry::{Border, Window};
use crate::network::operation::{Conv, Normalization};

/// A tensor of the graph: the value of that index, or one that only the engine has.
pub(in crate::cpu) type Id = usize;

/// What is computed from a network's layers, in order.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Graph {
    pub(in crate::cpu) nodes: Vec<Node>,
    /// For each tensor: what it is.
    pub(in crate::cpu) tensors: Vec<Origin>,
    pub(in crate::cpu) output: Id,
}

impl Graph {
    /// The tensor that holds the elements of `id`.
    pub(in crate::cpu) fn same(&self, id: Id) -> Id {
        match self.tensors[id] {
            Origin::Value {
                same_as: Some(other),
            } => other,
            _ => id,
        }
    }
}

/// Where a tensor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Origin {
    /// A value of the layers; the elements of another tensor where it is only named anew.
    Value { same_as: Option<Id> },
    /// The means of that tensor's channels.
    MeansOf(Id),
}

/// One thing to compute.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Node {
    /// The layers it computes, by index, the one whose value it makes last.
    pub(in crate::cpu) layers: Vec<usize>,
    pub(in crate::cpu) source: Id,
    pub(in crate::cpu) output: Id,
    pub(in crate::cpu) work: Work,
    pub(in crate::cpu) epilogue: Epilogue<Id>,
}

impl Node {
    /// The tensors whose elements it reads.
    pub(in crate::cpu) fn reads(&self) -> Vec<Id> {
        let mut reads = match &self.work {
            Work::Concat { members } => members.clone(),
            _ => vec![self.source],
        };
        if let Work::Elementwise {
            product: Some(product),
            ..
        } = self.work
        {
            reads.push(product);
        }
        reads.extend(self.epilogue.gate.into_iter().chain(self.epilogue.residual));
        reads
    }
}

/// What a node does.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Work {
    /// A convolution.
    Conv { conv: Conv, weights: WeightSource },
    /// A dense layer: a convolution with a kernel as large as its source.
    Linear { weights: WeightSource },
    /// A window's largest elements or means.
    Pool(PoolKind),
    /// Each channel's mean.
    Mean,
    /// An epilogue alone; each channel is first multiplied by a factor and shifted, and each
    /// element by another tensor's, where they are.
    Elementwise {
        weights: Option<WeightSource>,
        product: Option<Id>,
    },
    /// By means and variances, then what the layer at that index makes of each channel.
    Normalize(usize, Statistics),
    /// The share of each channel in a pixel.
    Softmax,
    /// The same elements at other places.
    Rearrange(Rearrangement),
    /// Several tensors' channels, in order.
    Concat { members: Vec<Id> },
}

/// A pool's operation.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) enum PoolKind {
    Max(Window),
    Average {
        window: Window,
        border: Border,
    },
    AdaptiveAverage([usize; 2]),
    /// The largest element of a whole map.
    GlobalMax,
    /// A binomial filter of so many rows and columns.
    Blur {
        size: usize,
        stride: usize,
    },
}

/// What means and variances are taken of.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) enum Statistics {
    /// The channels of each pixel.
    OfPixels(Normalization),
    /// The maps of so many groups of channels.
    OfGroups(usize, Normalization),
}

/// Where a tensor's elements come from.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) enum Rearrangement {
    /// The channels from this one on; zeros where there are none.
    Channels { first: usize },
    /// The channels of so many groups, the first of each group first.
    Shuffle { groups: usize },
    /// Blocks of so many rows and columns as channels.
    SpaceToDepth { block: usize },
    /// The nearest pixels, at the output's size.
    Nearest,
    /// The map with so many rows of zeros above and columns before it, and what the output has room
    /// for after it.
    ZeroPad { above: usize, before: usize },
    /// The map from this row and column on.
    Crop { above: usize, before: usize },
}

impl Rearrangement {
    /// That of an operation which only moves elements.
    pub(super) fn of(operation: &Operation) -> Self {
        match *operation {
            Operation::Slice { first, .. } => Self::Channels { first },
            Operation::ShuffleChannels { groups } => Self::Shuffle { groups },
            Operation::SpaceToDepth { block } => Self::SpaceToDepth { block },
            Operation::Upsample(_) | Operation::UpsampleLike => Self::Nearest,
            Operation::ZeroPad([[above, _], [before, _]]) => Self::ZeroPad { above, before },
            Operation::Crop([[above, _], [before, _]]) => Self::Crop { above, before },
            // Zeros after the channels; or a flattened map, of which whoever reads a vector wants the
            // channels in blocks.
            _ => Self::Channels { first: 0 },
        }
    }
}

/// Where packed weights come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cpu) enum WeightSource {
    /// A layer's own.
    Layer(LayerWeights),
    /// The product of a dense layer's and a convolution's.
    Composed { linear: usize, conv: LayerWeights },
    /// A factor and a shift for each channel: those of a layer that is such, or no change, then
    /// multiplied.
    Channels {
        affine: Option<usize>,
        factor: Factor,
    },
}

/// What every element is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cpu) struct Factor {
    pub(in crate::cpu) constant: f64,
    /// A layer whose learnt number is a factor, too.
    pub(in crate::cpu) learnt: Option<usize>,
}

impl Factor {
    pub(in crate::cpu) const ONE: Self = Self {
        constant: 1.,
        learnt: None,
    };
}

/// A layer's weights, its outputs scaled and shifted, then multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cpu) struct LayerWeights {
    pub(in crate::cpu) layer: usize,
    /// The layer that scales and shifts: a batch norm, or what is affine in each channel.
    pub(in crate::cpu) affine: Option<usize>,
    pub(in crate::cpu) factor: Factor,
}
