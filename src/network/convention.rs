//! What code bases do differently: a wrong one gives plausible, slightly wrong numbers.

use super::geometry::Padding;

/// The choices of a code base that its networks share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convention {
    /// The name a weights file gives it in its metadata.
    pub name: &'static str,
    /// How convolutions and pools pad.
    pub padding: Padding,
    /// Added to a batch norm's variance before the square root.
    pub epsilon: f64,
    /// Whether convolutions have a bias, though a batch norm follows.
    pub conv_bias: bool,
}

/// Keras on TensorFlow: SAME padding, which is asymmetric where the size is even,
/// and `BatchNormalization`'s default epsilon.
pub const KERAS: Convention = Convention {
    name: "keras",
    padding: Padding::Same,
    epsilon: 1e-3,
    conv_bias: false,
};
