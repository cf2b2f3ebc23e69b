//! The SE block, alone and in one residual block.

use std::borrow::Cow;

use crate::network::architecture::{
    Architecture, Block, Residual, Shortcut, SqueezeWidth, Strided,
};
use crate::network::convention::KERAS;
use crate::network::{Convention, Input, Network, Published};

const FEATURES: Input = Input {
    channels: 32,
    height: 32,
    width: 32,
};

/// The layer alone; [`Network::se_block`] gives it other widths.
pub const SE_BLOCK: Network = Network {
    name: Cow::Borrowed("se_block"),
    summary: Cow::Borrowed("the squeeze-and-excitation layer alone, 32 channels squeezed to 16"),
    convention: KERAS,
    input: FEATURES,
    classes: None,
    architecture: Architecture::SqueezeExcitation {
        squeeze: SqueezeWidth::Fixed(16),
    },
    evaluation: None,
    published: Published::NOTHING,
};

/// The published `SEBottleneck` example. The published code takes a stride, but
/// adds the unstrided input to the result, so only a stride of 1 can work.
pub const SE_BOTTLENECK: Network = Network {
    name: Cow::Borrowed("se_bottleneck"),
    summary: Cow::Borrowed("one bottleneck with an SE block and convolutions with bias; stride 1"),
    convention: Convention {
        conv_bias: true,
        ..KERAS
    },
    architecture: Architecture::Block(Residual {
        block: Block::BOTTLENECK,
        width: 16,
        channels: 32,
        stride: 1,
        strided: Strided::Spatial,
        shortcut: Shortcut::Projection,
        squeeze: Some(SqueezeWidth::Fixed(16)),
    }),
    ..SE_BLOCK
};
