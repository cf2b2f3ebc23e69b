//! What code bases do differently: a wrong one gives plausible, slightly wrong numbers.

use super::geometry::Padding;

/// The choices of a code base that its networks share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convention {
    /// The name a weights file gives it in its metadata.
    pub name: &'static str,
    /// How convolutions and pools pad.
    pub padding: PaddingRule,
    /// Added to a batch norm's variance before the square root.
    pub epsilon: f64,
    /// Whether convolutions have a bias, though a batch norm follows.
    pub conv_bias: bool,
}

/// How a code base pads a window, whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaddingRule {
    /// TensorFlow's SAME.
    Same,
    /// Half the kernel on every side, as `PyTorch` code does.
    Symmetric,
}

impl PaddingRule {
    /// The padding of a window of this kernel.
    #[must_use]
    pub fn of(self, kernel: usize) -> Padding {
        match self {
            Self::Same => Padding::Same,
            Self::Symmetric => Padding::Symmetric(kernel / 2),
        }
    }
}

/// Keras on TensorFlow: SAME padding, which is asymmetric where the size is even,
/// and `BatchNormalization`'s default epsilon.
pub const KERAS: Convention = Convention {
    name: "keras",
    padding: PaddingRule::Same,
    epsilon: 1e-3,
    conv_bias: false,
};
