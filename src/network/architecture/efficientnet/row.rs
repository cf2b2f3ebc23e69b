//! A row of a network's table: blocks of one kind that follow each other.

use crate::network::Activation;

/// Blocks that follow each other, as the tables of the papers have them. The first block of a stage
/// strides, the others repeat it without.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// What its blocks are made of.
    pub kind: Kind,
    /// Channels of the output, before the network's width scales them.
    pub channels: usize,
    /// How many blocks, before the network's depth scales them.
    pub repeats: usize,
    /// Rows and columns of the spatial convolution's window; several where its channels are shared
    /// out to convolutions of different windows (`MixNet`).
    pub kernels: &'static [usize],
    /// 2 halves the image.
    pub stride: usize,
    /// What the input's channels are multiplied by inside.
    pub expansion: f64,
    /// Which share of the channels an SE block squeezes to, if there is one.
    pub squeeze: Option<f64>,
    /// The function after its batch norms, where it is not the network's.
    pub activation: Option<Activation>,
    /// Whether the input is added to the output, where both have one shape.
    pub skip: Skip,
    /// Convolutions that the 1x1 ones before and after the spatial one are split into, by their
    /// channels: 1, unless it is `MixNet`.
    pub parts: [usize; 2],
    /// Channels that [`Row::expansion`] multiplies, scaled by the network's width, where they are
    /// not the input's.
    pub expanded_from: Option<usize>,
    /// Whether its first block turns 2x2 pixels into channels, on which all blocks work up to the
    /// next one that strides: `EfficientNet-X` (Li et al., arXiv:2102.05610, section 4.1).
    pub folds: bool,
    /// Channels as pruning left them, of a single block: they follow from nothing else.
    pub pruned: Option<Pruned>,
}

/// What a block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One convolution.
    Conv,
    /// Depthwise, 1x1.
    Depthwise,
    /// Depthwise, 1x1 with the function after it: `MobileNetV1`'s.
    Separable,
    /// 1x1 that widens, depthwise, 1x1 that narrows: `MBConv`.
    Inverted,
    /// A spatial convolution that widens, 1x1 that narrows: `Fused-MBConv`.
    Edge,
}

/// Whether the input is added to the output, where both have one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// It is.
    Added,
    /// It is not.
    None,
}

/// Channels of a pruned block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Channels of the depthwise convolution.
    pub expanded: usize,
    /// Width of the SE block.
    pub squeeze: usize,
}

const fn row(kind: Kind, channels: usize, expansion: f64) -> Row {
    Row {
        kind,
        channels,
        repeats: 1,
        kernels: &[3],
        stride: 1,
        expansion,
        squeeze: None,
        activation: None,
        skip: Skip::Added,
        parts: [1, 1],
        expanded_from: None,
        folds: false,
        pruned: None,
    }
}

/// A 3x3 convolution alone, without a way around it.
pub(in crate::network) const fn conv(channels: usize) -> Row {
    row(Kind::Conv, channels, 1.).without_skip()
}

/// A 3x3 depthwise convolution, then a 1x1 without a function after it.
pub(in crate::network) const fn depthwise(channels: usize) -> Row {
    row(Kind::Depthwise, channels, 1.)
}

/// A 3x3 depthwise convolution, then a 1x1, without a way around them.
pub(in crate::network) const fn separable(channels: usize) -> Row {
    row(Kind::Separable, channels, 1.).without_skip()
}

/// An inverted residual block around a 3x3 depthwise convolution.
pub(in crate::network) const fn inverted(channels: usize, expansion: f64) -> Row {
    row(Kind::Inverted, channels, expansion)
}

/// A residual block whose 3x3 convolution widens.
pub(in crate::network) const fn edge(channels: usize, expansion: f64) -> Row {
    row(Kind::Edge, channels, expansion)
}

/// What differs from a single 3x3 block of stride 1.
impl Row {
    /// So many blocks.
    #[must_use]
    pub const fn times(self, repeats: usize) -> Self {
        Self { repeats, ..self }
    }

    /// With this window.
    #[must_use]
    pub const fn kernel(self, kernels: &'static [usize]) -> Self {
        Self { kernels, ..self }
    }

    /// That halves the image.
    #[must_use]
    pub const fn strided(self) -> Self {
        Self { stride: 2, ..self }
    }

    pub(super) const fn unstrided(self) -> Self {
        Self { stride: 1, ..self }
    }

    /// With an SE block that squeezes to this share of the channels.
    #[must_use]
    pub const fn gated(self, share: f64) -> Self {
        Self {
            squeeze: Some(share),
            ..self
        }
    }

    /// With this function.
    #[must_use]
    pub const fn function(self, activation: Activation) -> Self {
        Self {
            activation: Some(activation),
            ..self
        }
    }

    /// Without a way around it.
    #[must_use]
    pub const fn without_skip(self) -> Self {
        Self {
            skip: Skip::None,
            ..self
        }
    }

    /// With a way around it, where its kind has none usually.
    #[must_use]
    pub const fn with_skip(self) -> Self {
        Self {
            skip: Skip::Added,
            ..self
        }
    }

    /// With 1x1 convolutions that are split into so many: the one before the spatial convolution,
    /// and the one after it.
    #[must_use]
    pub const fn split(self, parts: [usize; 2]) -> Self {
        Self { parts, ..self }
    }

    /// As wide inside as if the input had so many channels.
    #[must_use]
    pub const fn expanded_from(self, channels: usize) -> Self {
        Self {
            expanded_from: Some(channels),
            ..self
        }
    }

    /// Whose first block turns 2x2 pixels into channels.
    #[must_use]
    pub const fn folding(self) -> Self {
        Self {
            folds: true,
            ..self
        }
    }

    /// With as many channels inside as pruning left.
    #[must_use]
    pub const fn pruned(self, expanded: usize, squeeze: usize) -> Self {
        Self {
            pruned: Some(Pruned { expanded, squeeze }),
            ..self
        }
    }
}

/// Whether a block works on 2x2 pixels as channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It does not.
    Unfolded,
    /// It is the one that makes them.
    Folding,
    /// It does.
    Folded,
}

/// Whether pixels are channels, from one block to the next.
#[derive(Debug, Default)]
pub(super) struct Folding {
    is_folded: bool,
}

impl Folding {
    /// `row` as its block is where it stands. The first that strides while pixels are channels does
    /// not, since there are fewer already, and narrows instead, to the channels of a pixel.
    pub(super) fn unfold(&mut self, row: Row) -> (Row, Place) {
        if self.is_folded && row.stride > 1 {
            self.is_folded = false;
            let row = Row {
                expansion: row.expansion / 4.,
                ..row.unstrided()
            };
            return (row, Place::Unfolded);
        }
        let place = match (self.is_folded, row.folds) {
            (true, _) => Place::Folded,
            (false, true) => Place::Folding,
            (false, false) => Place::Unfolded,
        };
        self.is_folded = place != Place::Unfolded;
        (row, place)
    }
}
