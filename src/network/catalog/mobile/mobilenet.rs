//! `MobileNetV1` (Howard et al., arXiv:1704.04861) and V2 (Sandler et al., arXiv:1801.04381).

use super::{MOBILE, stem, timm};
use crate::network::architecture::{
    Count, Depth, EfficientNet, MobileHead, Width, depthwise, inverted, separable,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

/// The paper's table 1.
const V1: EfficientNet = EfficientNet {
    stages: &[
        &[separable(64)],
        &[separable(128).times(2).strided()],
        &[separable(256).times(2).strided()],
        &[separable(512).times(6).strided()],
        &[separable(1024).times(2).strided()],
    ],
    activation: Activation::Relu6,
    head: MobileHead::Pool,
    ..MOBILE
};

/// The paper's table 2.
pub(super) const V2: EfficientNet = EfficientNet {
    stages: &[
        &[depthwise(16)],
        &[inverted(24, 6.).times(2).strided()],
        &[inverted(32, 6.).times(3).strided()],
        &[inverted(64, 6.).times(4).strided()],
        &[inverted(96, 6.).times(3)],
        &[inverted(160, 6.).times(3).strided()],
        &[inverted(320, 6.)],
    ],
    activation: Activation::Relu6,
    head: MobileHead::Convolution(Count::AtLeast(1280)),
    ..MOBILE
};

const fn v2(width: f64) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        ..V2
    }
}

/// The names' `d`: deeper as well, with the stem, the head and the ends of the stages as they were.
const fn deeper(width: f64, depth: &'static [f64]) -> EfficientNet {
    EfficientNet {
        stem: stem(Count::Fixed(32)),
        depth: Depth::times(depth).fixed_ends(),
        head: MobileHead::Convolution(Count::Fixed(1280)),
        ..v2(width)
    }
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("mobilenetv1_100", "MobileNetV1", V1)
        .cropped(0.875, Interpolation::Bicubic)
        .centred()
        .on_hub(&["ra4_e3600_r224_in1k"])
        .top1(76.088, 256, TIMM_RESULTS),
    timm(
        "mobilenetv1_100h",
        "MobileNetV1 with a convolution before the pool",
        EfficientNet {
            head: MobileHead::Convolution(Count::AtLeast(1024)),
            ..V1
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ra4_e3600_r224_in1k"])
    .top1(76.598, 256, TIMM_RESULTS),
    timm(
        "mobilenetv1_125",
        "MobileNetV1, 1.25 times as wide",
        EfficientNet {
            width: Width::times(1.25),
            ..V1
        },
    )
    .cropped(0.9, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ra4_e3600_r224_in1k"])
    .top1(77.612, 256, TIMM_RESULTS),
    timm(
        "mobilenetv2_035",
        "MobileNetV2, 0.35 times as wide",
        v2(0.35),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm("mobilenetv2_050", "MobileNetV2, half as wide", v2(0.5))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["lamb_in1k"])
        .top1(65.928, 224, TIMM_RESULTS),
    timm(
        "mobilenetv2_075",
        "MobileNetV2, 0.75 times as wide",
        v2(0.75),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm("mobilenetv2_100", "MobileNetV2", V2)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra_in1k"])
        .top1(72.91, 224, TIMM_RESULTS),
    timm("mobilenetv2_140", "MobileNetV2, 1.4 times as wide", v2(1.4))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra_in1k"])
        .top1(76.528, 224, TIMM_RESULTS),
    timm(
        "mobilenetv2_110d",
        "MobileNetV2, 1.1 times as wide, 1.2 times as deep",
        deeper(1.1, &[1.2]),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["ra_in1k"])
    .top1(75.056, 224, TIMM_RESULTS),
    timm(
        "mobilenetv2_120d",
        "MobileNetV2, 1.2 times as wide, 1.4 times as deep",
        deeper(1.2, &[1.4]),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["ra_in1k"])
    .top1(77.3, 224, TIMM_RESULTS),
];
