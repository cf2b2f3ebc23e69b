//! What networks are made of, a file a family: its description, and its wiring.

mod bn_inception;
mod branched;
mod byob;
mod cspnet;
mod efficientnet;
mod ghostnet;
mod inception;
mod inception_resnet;
mod inception_v3;
mod lcnet_v2;
mod mobilenet;
mod nfnet;
mod regnet;
mod repvit;
mod resnet;
mod rexnet;
mod shufflenet;
mod tresnet;
mod vgg;
mod vovnet;

pub use bn_inception::BnInception;
pub use branched::{MobileOne, RepVgg};
pub use byob::{Byob, ByobBlock, ByobShortcut, ByobStage, ByobStem};
pub use cspnet::{CspAround, CspBlock, CspNet, CspStage};
pub use efficientnet::{
    Count, Depth, DepthRounding, EfficientNet, Kind, MobileHead, MobileSqueeze, MobileStem,
    MobileStrided, Pruned, Row, Skip, SqueezeOf, SqueezeRounding, Width,
};
pub(in crate::network) use efficientnet::{conv, depthwise, edge, inverted, separable};
pub use ghostnet::{Ghost, GhostNet, GhostRow};
pub use inception_resnet::InceptionResNet;
pub use inception_v3::InceptionV3;
pub use lcnet_v2::LcNetV2;
pub use mobilenet::MobileNet;
pub use nfnet::{NfCode, NfNet, NfStem, NfWidth};
pub use regnet::{GroupRounding, RegNet, RegNetShortcut, RegNetWidths};
pub use repvit::{RepVit, RepVitForm};
pub use resnet::{
    Block, Bottleneck, ResNet, Residual, Shortcut, Stem, StemConvs, StemPool, Strided,
};
pub use rexnet::RexNet;
pub use shufflenet::ShuffleNet;
pub use tresnet::TResNet;
pub use vgg::Vgg;
pub use vovnet::{OsaStage, VovNet};

use std::sync::Arc;

use super::builder::{Builder, SeSpec};
use super::layers::{Layers, Value};

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
    /// Stem, stages of mobile blocks, head.
    EfficientNet(EfficientNet),
    /// Stem, four stages of bottlenecks whose widths follow from a line, classifier.
    RegNet(RegNet),
    /// A stem that makes channels of pixels, stages of residual blocks, classifier.
    TResNet(TResNet),
    /// Stem, stages of residual blocks of several kinds, classifier.
    Byob(Byob),
    /// Stages of 3x3 convolutions that are trained as sums of branches, classifier.
    RepVgg(RepVgg),
    /// Stages of depthwise and 1x1 convolutions that are trained as sums of branches, classifier.
    MobileOne(MobileOne),
    /// Stem, stages of bottlenecks of standardized weights without batch norms, classifier.
    NfNet(NfNet),
    /// Stem, stages of residual blocks around which half of the channels is led, classifier.
    CspNet(CspNet),
    /// Stem, mobile blocks that grow evenly, classifier.
    RexNet(RexNet),
    /// Stem, bottlenecks of two ghost modules, two dense layers.
    GhostNet(GhostNet),
    /// Stem, stages of blocks of a transformer's form, one classifier or two.
    RepVit(RepVit),
    /// Stem, stages of separable convolutions, two dense layers.
    LcNetV2(LcNetV2),
    /// Stem, stages of blocks that aggregate all their convolutions, classifier.
    VovNet(VovNet),
    /// Depthwise separable convolutions, classifier.
    MobileNet(MobileNet),
    /// Stem, units whose channels are shuffled, classifier.
    ShuffleNet(ShuffleNet),
    /// Whatever a graph says, layer by layer.
    Graph(Arc<Layers>),
}

impl Architecture {
    /// Adds every layer to `net`; a classifier tells apart so many `classes`.
    pub(super) fn wire(&self, net: &mut Builder, classes: usize) {
        match self {
            Self::SqueezeExcitation { squeeze } => {
                let channels = net.channels_of(Value::INPUT);
                let block = SeSpec::new(squeeze.of(channels));
                net.squeeze_excite(Value::INPUT, &block);
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
            Self::EfficientNet(network) => efficientnet::efficientnet(net, network, classes),
            Self::RegNet(network) => regnet::regnet(net, network, classes),
            Self::TResNet(network) => tresnet::tresnet(net, network, classes),
            Self::Byob(network) => byob::byob(net, network, classes),
            Self::RepVgg(network) => branched::rep_vgg(net, network, classes),
            Self::MobileOne(network) => branched::mobile_one(net, network, classes),
            Self::NfNet(network) => nfnet::nfnet(net, network, classes),
            Self::CspNet(network) => cspnet::cspnet(net, network, classes),
            Self::RexNet(network) => rexnet::rexnet(net, network, classes),
            Self::GhostNet(network) => ghostnet::ghostnet(net, network, classes),
            Self::RepVit(network) => repvit::repvit(net, network, classes),
            Self::LcNetV2(network) => lcnet_v2::lcnet_v2(net, network, classes),
            Self::VovNet(network) => vovnet::vovnet(net, network, classes),
            Self::MobileNet(network) => mobilenet::mobilenet(net, network, classes),
            Self::ShuffleNet(network) => shufflenet::shufflenet(net, network, classes),
            // It has been wired by whoever wrote it.
            Self::Graph(_) => {}
        }
    }
}

impl Architecture {
    /// The same with every sum of branches folded into one convolution, where it is trained as
    /// such sums.
    #[must_use]
    pub fn folded(&self) -> Option<Self> {
        match *self {
            Self::RepVgg(network) => (!network.folded).then_some(Self::RepVgg(RepVgg {
                folded: true,
                ..network
            })),
            Self::MobileOne(network) => (!network.folded).then_some(Self::MobileOne(MobileOne {
                folded: true,
                ..network
            })),
            Self::GhostNet(network) => {
                let branched = matches!(network.module, Ghost::Branches | Ghost::Added);
                (branched && !network.folded).then_some(Self::GhostNet(GhostNet {
                    folded: true,
                    ..network
                }))
            }
            Self::RepVit(network) => {
                (network.form != RepVitForm::Folded).then_some(Self::RepVit(RepVit {
                    form: RepVitForm::Folded,
                    ..network
                }))
            }
            Self::LcNetV2(network) => (!network.folded).then_some(Self::LcNetV2(LcNetV2 {
                folded: true,
                ..network
            })),
            _ => None,
        }
    }
}

/// How wide an SE block is between its two dense layers.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// This share of the channels, rounded to the nearest whole number (a half to the even one),
    /// as Python's `round` does: timm's `EfficientNet`s.
    Share(f64),
    /// This share of the channels, as [`make_divisible`] rounds it with this divisor and limit.
    Divisible {
        /// What the channels are multiplied by.
        share: f64,
        /// What the width is a multiple of.
        divisor: usize,
        /// Less than this share of what was to be rounded is not taken.
        limit: f64,
    },
}

/// The multiple of `divisor` that is nearest to `value` (a half up), at least `divisor` itself, and
/// the next one where that would be less than `limit` of `value`: timm's `make_divisible`, after
/// `TensorFlow`'s mobile networks, whose limit is 0.9.
#[must_use]
pub fn make_divisible(value: f64, divisor: usize, limit: f64) -> usize {
    let step = divisor.max(1) as f64;
    let nearest = ((value + step / 2.) / step).floor().max(1.) * step;
    let rounded = if nearest < limit * value {
        nearest + step
    } else {
        nearest
    };
    whole(rounded)
}

/// The whole number that a non-negative `value` is; 0 of what is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of channels, far below 2^53"
)]
fn whole(value: f64) -> usize {
    value as usize
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
            Self::Share(share) => whole((channels as f64 * share).round_ties_even()),
            Self::Divisible {
                share,
                divisor,
                limit,
            } => make_divisible(channels as f64 * share, divisor, limit),
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

    // timm.layers.make_divisible, and round(channels * share).
    #[test]
    fn widths_are_rounded_as_timm_does() {
        let of = |value| make_divisible(value, 8, 0.9);
        assert_eq!([3., 11.9, 12., 40. * 0.35].map(of), [8, 16, 16, 16]);
        assert_eq!(make_divisible(11.9, 8, 0.), 8);
        let share = SqueezeWidth::Share(0.25);
        assert_eq!([10, 14, 96].map(|channels| share.of(channels)), [2, 4, 24]);
        let mobile = SqueezeWidth::Divisible {
            share: 0.25,
            divisor: 8,
            limit: 0.9,
        };
        assert_eq!(
            [72, 120, 672].map(|channels| mobile.of(channels)),
            [24, 32, 168]
        );
    }
}
