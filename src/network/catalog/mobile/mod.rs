//! timm's mobile networks (`timm/models/efficientnet.py`, `mobilenetv3.py`, `hardcorenas.py`).

pub(super) mod efficientnet;
pub(super) mod efficientnet_pruned;
pub(super) mod efficientnet_v2;
pub(super) mod fbnet;
pub(super) mod hardcorenas;
pub(super) mod keras;
pub(super) mod lcnet;
pub(super) mod mixnet;
pub(super) mod mnasnet;
pub(super) mod mobilenet;
pub(super) mod mobilenet_v3;
pub(super) mod torchvision;

use super::imagenet;
use crate::network::architecture::{
    Architecture, Count, Depth, EfficientNet, MobileHead, MobileSqueeze, MobileStem, MobileStrided,
    Width,
};
use crate::network::convention::{TENSORFLOW, TIMM};
use crate::network::{Activation, Network};

/// What most of them have; the stages are each family's own.
const MOBILE: EfficientNet = EfficientNet {
    stem: MobileStem {
        channels: Count::Scaled(32),
        kernel: 3,
    },
    stages: &[],
    width: Width::ONE,
    depth: Depth::ONE,
    group_size: 1,
    activation: Activation::Relu,
    squeeze: MobileSqueeze::EFFICIENT,
    strided: MobileStrided::Convolution,
    head: MobileHead::Convolution(Count::Fixed(1280)),
};

/// A network trained in `PyTorch`.
const fn timm(name: &'static str, summary: &'static str, network: EfficientNet) -> Network {
    imagenet(name, summary, TIMM, Architecture::EfficientNet(network))
}

/// A network whose weights come from TensorFlow.
const fn tf(name: &'static str, summary: &'static str, network: EfficientNet) -> Network {
    imagenet(
        name,
        summary,
        TENSORFLOW,
        Architecture::EfficientNet(network),
    )
}

const fn stem(channels: Count) -> MobileStem {
    MobileStem {
        channels,
        kernel: 3,
    }
}
