//! PP-LCNet: Cui et al., arXiv:2109.15099.

use super::{MOBILE, stem, timm};
use crate::network::architecture::{
    Count, EfficientNet, MobileHead, MobileSqueeze, SqueezeRounding, Width, separable,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

/// The paper's table 1.
const LCNET: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(16)),
    stages: &[
        &[separable(32)],
        &[separable(64).times(2).strided()],
        &[separable(128).times(2).strided()],
        &[separable(256).strided(), separable(256).kernel(&[5])],
        &[separable(256).times(4).kernel(&[5])],
        &[separable(512).times(2).kernel(&[5]).strided().gated(0.25)],
    ],
    activation: Activation::HardSwish,
    squeeze: MobileSqueeze {
        rounding: SqueezeRounding::Nearest,
        ..MobileSqueeze::HARD
    },
    head: MobileHead::Efficient {
        features: 1280,
        bias: true,
    },
    ..MOBILE
};

const fn lcnet(width: f64) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        ..LCNET
    }
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("lcnet_035", "PP-LCNet, 0.35 times as wide", lcnet(0.35))
        .cropped(0.875, Interpolation::Bilinear),
    timm("lcnet_050", "PP-LCNet, half as wide", lcnet(0.5))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra2_in1k"])
        .top1(63.138, 224, TIMM_RESULTS),
    timm("lcnet_075", "PP-LCNet, 0.75 times as wide", lcnet(0.75))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra2_in1k"])
        .top1(68.786, 224, TIMM_RESULTS),
    timm("lcnet_100", "PP-LCNet", lcnet(1.))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra2_in1k"])
        .top1(72.13, 224, TIMM_RESULTS),
    timm("lcnet_150", "PP-LCNet, 1.5 times as wide", lcnet(1.5))
        .cropped(0.875, Interpolation::Bilinear),
];
