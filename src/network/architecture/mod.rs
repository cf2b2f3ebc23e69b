//! What networks are made of, a file a family: its description, and its wiring.

mod bn_inception;
mod inception;
mod inception_resnet;
mod inception_v3;
mod resnet;
mod vgg;

pub use bn_inception::BnInception;
pub use inception_resnet::InceptionResNet;
pub use inception_v3::InceptionV3;
pub use resnet::{
    Block, Bottleneck, ResNet, Residual, Shortcut, Stem, StemConvs, StemPool, Strided,
};
pub use vgg::Vgg;

use super::builder::Builder;
use super::layers::Value;

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
    /// Stem, Inception modules with batch norms, classifier.
    BnInception(BnInception),
    /// Stem, Inception modules of factorised convolutions, classifier.
    InceptionV3(InceptionV3),
    /// Stem, residual Inception modules, classifier.
    InceptionResNet(InceptionResNet),
    /// Stages of convolutions and pools, dense layers.
    Vgg(Vgg),
}

impl Architecture {
    /// Adds every layer to `net`; a classifier tells apart so many `classes`.
    pub(super) fn wire(&self, net: &mut Builder, classes: usize) {
        match self {
            Self::SqueezeExcitation { squeeze } => {
                net.squeeze_excite(Value::INPUT, *squeeze);
            }
            Self::Block(block) => {
                resnet::residual(net, Value::INPUT, block);
            }
            Self::ResNet(network) => resnet::resnet(net, network, classes),
            Self::BnInception(network) => bn_inception::bn_inception(net, network, classes),
            Self::InceptionV3(network) => inception_v3::inception_v3(net, network, classes),
            Self::InceptionResNet(network) => {
                inception_resnet::inception_resnet(net, network, classes);
            }
            Self::Vgg(network) => vgg::vgg(net, network, classes),
        }
    }
}

/// How wide an SE block is between its two dense layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqueezeWidth {
    /// So many channels.
    Fixed(usize),
    /// The block's channels divided by `ratio`, but at least `minimum`.
    Reduction {
        /// The paper's r, 16 throughout there.
        ratio: usize,
        /// The least width.
        minimum: usize,
    },
    /// The block's channels divided by `ratio`, rounded to the nearest multiple of `multiple`
    /// (a half up), but at least that: timm's `make_divisible`.
    Rounded {
        /// The paper's r, which the block's channels are divided by.
        ratio: usize,
        /// What the width is a multiple of.
        multiple: usize,
    },
}

impl SqueezeWidth {
    /// The width for a block of `channels`.
    #[must_use]
    pub fn of(self, channels: usize) -> usize {
        match self {
            Self::Fixed(width) => width,
            Self::Reduction { ratio, minimum } => (channels / ratio).max(minimum),
            Self::Rounded { ratio, multiple } => {
                let step = ratio * multiple;
                ((channels + step / 2) / step * multiple).max(multiple)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timm_rounds_a_squeeze_width_to_a_multiple_of_8() {
        let width = SqueezeWidth::Rounded {
            ratio: 16,
            multiple: 8,
        };
        // [timm.layers.make_divisible(c / 16, 8, round_limit=0.) for c in (64, 128, 192, 256, 2048)]
        let widths = [64, 128, 192, 256, 2048].map(|channels| width.of(channels));
        assert_eq!(widths, [8, 8, 16, 16, 128]);
    }
}
