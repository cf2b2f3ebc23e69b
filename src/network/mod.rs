//! A network described as plain data, and what follows from the description alone.
//!
//! [`Network`] says what the network is; [`Network::layers`] turns that into
//! named layers ([`Layers`]), from which the trace, the candle modules and the
//! names of a file's tensors are all derived.

pub mod catalog;
pub mod convention;
pub mod geometry;
pub mod layers;
pub mod operation;
pub mod trace;

pub use convention::Convention;
pub use layers::{Layer, Layers, Value};
pub use operation::{Layout, Operation, Parameter, Shape};

use crate::error::Result;

/// A network, described once.
///
/// ```
/// use senet::network::catalog;
///
/// let network = catalog::find("seresnet20")?;
/// let trace = senet::network::trace::trace(&network.layers(), network.input.shape(1))?;
/// assert_eq!(trace.parameters, 277_082);
/// # Ok::<(), senet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The catalogue's name for it.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// The code base whose arithmetic it follows.
    pub convention: Convention,
    /// What goes in.
    pub input: Input,
    /// What it is made of.
    pub architecture: Architecture,
}

/// The input a network is made for. Other heights and widths work too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// 3 for images.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
}

impl Input {
    /// A batch of such inputs.
    #[must_use]
    pub fn shape(&self, batch: usize) -> Shape {
        Shape {
            batch,
            channels: self.channels,
            spatial: Some([self.height, self.width]),
        }
    }
}

/// The shape of the wiring.
#[derive(Debug, Clone, PartialEq)]
pub enum Architecture {
    /// The squeeze-and-excitation layer alone.
    SqueezeExcitation {
        /// Width between the two dense layers.
        squeeze: SqueezeWidth,
    },
    /// A single residual block that changes neither size nor channels.
    Block(Residual),
    /// Stem, stages of residual blocks, classifier.
    ResNet(ResNet),
}

/// He et al., arXiv:1512.03385; with `squeeze` Hu et al., arXiv:1709.01507.
#[derive(Debug, Clone, PartialEq)]
pub struct ResNet {
    /// Everything before the first stage.
    pub stem: Stem,
    /// What the stages repeat.
    pub block: Block,
    /// Blocks in each stage. From the second stage on, the first block halves the image.
    pub depths: &'static [usize],
    /// Width of the first stage's blocks; each later stage doubles it.
    pub width: usize,
    /// The gates, if there are any.
    pub squeeze: Option<SqueezeWidth>,
    /// Outputs of the classifier.
    pub classes: usize,
}

/// A convolution, and for large images a max pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stem {
    /// Its channels.
    pub channels: usize,
    /// Rows and columns of its window.
    pub kernel: usize,
    /// Its stride.
    pub stride: usize,
    /// Window and stride of the max pool after it.
    pub pool: Option<(usize, usize)>,
}

/// The two residual blocks of He et al., figure 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Two 3x3 convolutions; the first strides.
    Basic,
    /// 1x1, 3x3, 1x1; the 3x3 strides and the last widens by 4.
    Bottleneck,
}

impl Block {
    /// Channels of a block's output for each of its width.
    #[must_use]
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// One residual block, as its stage sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residual {
    /// Which of the two.
    pub block: Block,
    /// Channels inside.
    pub width: usize,
    /// Channels of its output.
    pub channels: usize,
    /// 2 halves the image.
    pub stride: usize,
    /// Its gate.
    pub squeeze: Option<SqueezeWidth>,
}

/// How wide an SE block is between its two dense layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqueezeWidth {
    /// As given.
    Fixed(usize),
    /// The block's channels divided by `ratio`, but at least `minimum`.
    Reduction {
        /// The paper's r, 16 throughout there.
        ratio: usize,
        /// What a narrow block gets.
        minimum: usize,
    },
}

impl SqueezeWidth {
    /// The width for a block of `channels`.
    #[must_use]
    pub fn of(self, channels: usize) -> usize {
        match self {
            Self::Fixed(width) => width,
            Self::Reduction { ratio, minimum } => (channels / ratio).max(minimum),
        }
    }
}

impl Network {
    /// The wiring: every layer, named, in the order of computation.
    #[must_use]
    pub fn layers(&self) -> Layers {
        Layers::of(self)
    }

    /// The SE block alone, for feature maps of `channels`.
    ///
    /// # Errors
    ///
    /// A width of zero.
    pub fn se_block(channels: usize, squeeze: usize) -> Result<Self> {
        if channels == 0 || squeeze == 0 {
            return Err(crate::Error::Geometry(format!(
                "an SE block needs at least 1 channel and a squeeze width of at least 1, \
                 found {channels} and {squeeze}"
            )));
        }
        let mut network = catalog::SE_BLOCK.clone();
        network.input.channels = channels;
        network.architecture = Architecture::SqueezeExcitation {
            squeeze: SqueezeWidth::Fixed(squeeze),
        };
        Ok(network)
    }
}
