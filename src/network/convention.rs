//! What code bases do differently: a wrong one gives plausible, slightly wrong numbers.

use super::geometry::{Border, Padding, Rounding, Window};

/// The choices of a code base that its networks share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convention {
    /// The name a weights file gives it in its metadata.
    pub name: &'static str,
    /// How convolutions pad, where their architecture says nothing else.
    pub padding: PaddingRule,
    /// How strided max pools pad.
    pub pool_padding: PaddingRule,
    /// Whether strided max pools round their output's size up.
    pub pool_rounding: Rounding,
    /// Whether average pools count their padding.
    pub average_border: Border,
    /// Added to a batch norm's variance before the square root.
    pub epsilon: f64,
    /// Whether batch norms have a weight (gamma) besides their bias.
    pub norm_weight: bool,
    /// Whether convolutions have a bias, though a batch norm follows.
    pub conv_bias: bool,
}

impl Convention {
    /// The window of a strided max pool.
    pub(super) fn max_pool(&self, kernel: usize, stride: usize) -> Window {
        let padding = self.pool_padding.of([kernel, kernel]);
        Window {
            rounding: self.pool_rounding,
            ..Window::square(kernel, stride, padding)
        }
    }
}

/// How a code base pads a window, whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaddingRule {
    /// TensorFlow's SAME.
    Same,
    /// Half the kernel on every side, as `PyTorch` code does.
    Symmetric,
    /// No padding at all.
    Valid,
}

impl PaddingRule {
    /// The padding of a window of this kernel.
    #[must_use]
    pub fn of(self, kernel: [usize; 2]) -> Padding {
        match self {
            Self::Same => Padding::Same,
            Self::Symmetric => Padding::Symmetric(kernel.map(|side| side.saturating_sub(1) / 2)),
            Self::Valid => Padding::VALID,
        }
    }
}

/// Keras on TensorFlow: SAME padding, which is asymmetric where the size is even,
/// and `BatchNormalization`'s default epsilon.
pub const KERAS: Convention = Convention {
    name: "keras",
    padding: PaddingRule::Same,
    pool_padding: PaddingRule::Same,
    pool_rounding: Rounding::Floor,
    average_border: Border::LeftOut,
    epsilon: 1e-3,
    norm_weight: true,
    conv_bias: false,
};

/// A graph's: it says of every layer itself what it does, and nothing here is asked.
pub const GRAPH: Convention = Convention {
    name: "graph",
    ..KERAS
};

/// keras.applications' mobile networks, whose files name layers in a way of their own. At stride 2
/// they pad by hand as TensorFlow's SAME does; a model that was made without a size of its input
/// cannot tell odd maps from even ones, and pads all as even.
pub const KERAS_APPLICATIONS: Convention = Convention {
    name: "keras.applications",
    ..KERAS
};

/// timm's and torchvision's residual networks: symmetric padding, `PyTorch`'s default epsilon.
pub const TIMM: Convention = Convention {
    name: "timm",
    padding: PaddingRule::Symmetric,
    pool_padding: PaddingRule::Symmetric,
    average_border: Border::Counted,
    epsilon: 1e-5,
    ..KERAS
};

/// timm's networks whose weights come from TensorFlow (`tf_*`): its padding, which is asymmetric
/// where the size is even, and the epsilon of Google's mobile networks.
pub const TENSORFLOW: Convention = Convention {
    padding: PaddingRule::Same,
    epsilon: 1e-3,
    ..TIMM
};

/// torchvision's mobile networks, whose files name layers by numbers; some rows have the epsilon of
/// [`TENSORFLOW`].
pub const TORCHVISION: Convention = Convention {
    name: "torchvision",
    ..TIMM
};

/// Cadene's networks, ported from the authors' Caffe models and kept by timm as `legacy_*`:
/// max pools without padding whose output is rounded up.
pub const CADENE: Convention = Convention {
    name: "cadene",
    pool_padding: PaddingRule::Valid,
    pool_rounding: Rounding::Ceil,
    ..TIMM
};
