//! Where an operation's window slides: what people ask of a layer besides its shapes.

use super::{Conv, Operation};
use crate::network::geometry::{Window, blur_window};

impl Operation {
    /// The window that slides over its input, if one does.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        match *self {
            Self::Conv(Conv { window, .. })
            | Self::MaxPool(window)
            | Self::AveragePool { window, .. } => Some(window),
            Self::BlurPool { size, stride } => Some(blur_window(size, stride)),
            _ => None,
        }
    }

    /// The groups that a convolution splits its channels into.
    #[must_use]
    pub fn groups(&self) -> Option<usize> {
        match self {
            Self::Conv(conv) => Some(conv.groups),
            _ => None,
        }
    }
}
