//! What is done to a sum before it is stored: one description, from the graph to the kernels.

use crate::network::Activation;

/// A value times its channel's gate, plus the residual, and the activation of that; bias comes
/// before, with the weights. The graph says which tensors those are, a plan where they lie, and a
/// kernel's argument where the part lies that it computes: each is a `Location` of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Epilogue<Location> {
    /// A factor for each channel.
    pub(super) gate: Option<Location>,
    /// A tensor of the output's shape, which is added.
    pub(super) residual: Option<Location>,
    pub(super) activation: Option<Activation>,
    /// Where the stored values are summed up for each channel, from which a squeeze's means
    /// follow. That they are, the plan decides.
    pub(super) channel_sums: Option<Location>,
}

impl<Location> Epilogue<Location> {
    /// Stores a value as it is.
    pub(super) const NONE: Self = Self {
        gate: None,
        residual: None,
        activation: None,
        channel_sums: None,
    };

    /// The same at other locations.
    pub(super) fn map<Other>(self, mut locate: impl FnMut(Location) -> Other) -> Epilogue<Other> {
        Epilogue {
            gate: self.gate.map(&mut locate),
            residual: self.residual.map(&mut locate),
            activation: self.activation,
            channel_sums: self.channel_sums.map(&mut locate),
        }
    }
}

impl<Location> Default for Epilogue<Location> {
    fn default() -> Self {
        Self::NONE
    }
}
