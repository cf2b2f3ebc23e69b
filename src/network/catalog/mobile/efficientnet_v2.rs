//! `EfficientNetV2`: Tan and Le, arXiv:2104.00298.

use super::{MOBILE, stem, tf, timm};
use crate::network::architecture::{
    Count, Depth, EfficientNet, MobileHead, Row, Width, conv, edge, inverted,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

/// <https://github.com/google/automl/tree/master/efficientnetv2>, `v2_base`.
pub(super) const BASE: EfficientNet = EfficientNet {
    stages: &[
        &[conv(16).with_skip()],
        &[edge(32, 4.).times(2).strided()],
        &[edge(48, 4.).times(2).strided()],
        &[inverted(96, 4.).times(3).strided().gated(0.25)],
        &[inverted(112, 6.).times(5).gated(0.25)],
        &[inverted(192, 6.).times(8).strided().gated(0.25)],
    ],
    width: Width {
        limit: 0.,
        ..Width::ONE
    },
    activation: Activation::Silu,
    head: MobileHead::Convolution(Count::Scaled(1280)),
    ..MOBILE
};

pub(super) const fn base(width: f64, depth: &'static [f64]) -> EfficientNet {
    EfficientNet {
        width: Width {
            limit: 0.,
            ..Width::times(width)
        },
        depth: Depth::times(depth),
        ..BASE
    }
}

/// The paper's table 4.
pub(super) const S: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(24)),
    stages: &[
        &[conv(24).times(2).with_skip()],
        &[edge(48, 4.).times(4).strided()],
        &[edge(64, 4.).times(4).strided()],
        &[inverted(128, 4.).times(6).strided().gated(0.25)],
        &[inverted(160, 6.).times(9).gated(0.25)],
        &[inverted(256, 6.).times(15).strided().gated(0.25)],
    ],
    activation: Activation::Silu,
    head: MobileHead::Convolution(Count::Scaled(1280)),
    ..MOBILE
};

pub(super) const M: EfficientNet = EfficientNet {
    stages: &[
        &[conv(24).times(3).with_skip()],
        &[edge(48, 4.).times(5).strided()],
        &[edge(80, 4.).times(5).strided()],
        &[inverted(160, 4.).times(7).strided().gated(0.25)],
        &[inverted(176, 6.).times(14).gated(0.25)],
        &[inverted(304, 6.).times(18).strided().gated(0.25)],
        &[inverted(512, 6.).times(5).gated(0.25)],
    ],
    ..S
};

pub(super) const L: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(32)),
    stages: &[
        &[conv(32).times(4).with_skip()],
        &[edge(64, 4.).times(7).strided()],
        &[edge(96, 4.).times(7).strided()],
        &[inverted(192, 4.).times(10).strided().gated(0.25)],
        &[inverted(224, 6.).times(19).gated(0.25)],
        &[inverted(384, 6.).times(25).strided().gated(0.25)],
        &[inverted(640, 6.).times(7).gated(0.25)],
    ],
    ..S
};

const XL: EfficientNet = EfficientNet {
    stages: &[
        &[conv(32).times(4).with_skip()],
        &[edge(64, 4.).times(8).strided()],
        &[edge(96, 4.).times(8).strided()],
        &[inverted(192, 4.).times(16).strided().gated(0.25)],
        &[inverted(256, 6.).times(24).gated(0.25)],
        &[inverted(512, 6.).times(32).strided().gated(0.25)],
        &[inverted(640, 6.).times(8).gated(0.25)],
    ],
    ..L
};

/// timm's own small one, made after the paper's figures before its code was published.
const RW: EfficientNet = EfficientNet {
    stages: &[
        &[edge(24, 1.).times(2)],
        &[edge(48, 4.).times(4).strided()],
        &[edge(64, 4.).times(4).strided()],
        &[inverted(128, 4.).times(6).strided().gated(0.25)],
        &[inverted(160, 6.).times(9).gated(0.25)],
        &[inverted(272, 6.).times(15).strided().gated(0.25)],
    ],
    head: MobileHead::Convolution(Count::Scaled(1792)),
    ..S
};

/// For timm's tests.
const TEST: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(24)),
    stages: &TEST_STAGES,
    head: MobileHead::Convolution(Count::Scaled(256)),
    ..BASE
};

const TEST_STAGES: [&[Row]; 5] = [
    &[conv(16).with_skip()],
    &[edge(24, 4.).strided()],
    &[edge(32, 4.).strided()],
    &[inverted(48, 4.).strided().gated(0.25)],
    &[inverted(64, 4.).strided().gated(0.25)],
];

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("efficientnetv2_s", "EfficientNetV2-S", S)
        .sized(288)
        .cropped(1.0, Interpolation::Bicubic),
    timm("efficientnetv2_m", "EfficientNetV2-M", M)
        .sized(320)
        .cropped(1.0, Interpolation::Bicubic),
    timm("efficientnetv2_l", "EfficientNetV2-L", L)
        .sized(384)
        .cropped(1.0, Interpolation::Bicubic),
    timm("efficientnetv2_xl", "EfficientNetV2-XL", XL)
        .sized(384)
        .cropped(1.0, Interpolation::Bicubic),
    timm(
        "efficientnetv2_rw_t",
        "EfficientNetV2-T, timm's own",
        EfficientNet {
            width: Width::times(0.8),
            depth: Depth::times(&[0.9]),
            ..S
        },
    )
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(82.354, 288, TIMM_RESULTS),
    timm("efficientnetv2_rw_s", "EfficientNetV2-S, timm's own", RW)
        .sized(288)
        .cropped(1.0, Interpolation::Bicubic)
        .on_hub(&["ra2_in1k"])
        .top1(83.83, 384, TIMM_RESULTS),
    timm(
        "efficientnetv2_rw_m",
        "EfficientNetV2-M, timm's own",
        EfficientNet {
            width: Width::times(1.2),
            depth: Depth::times(&[1.2, 1.2, 1.2, 1.2, 1.6]),
            ..RW
        },
    )
    .sized(320)
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["agc_in1k"])
    .top1(84.83, 416, TIMM_RESULTS),
    tf(
        "tf_efficientnetv2_b0",
        "EfficientNetV2-B0 from TensorFlow",
        BASE,
    )
    .sized(192)
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(78.386, 224, TIMM_RESULTS),
    tf(
        "tf_efficientnetv2_b1",
        "EfficientNetV2-B1 from TensorFlow",
        base(1., &[1.1]),
    )
    .sized(192)
    .cropped(0.882, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(79.518, 240, TIMM_RESULTS),
    tf(
        "tf_efficientnetv2_b2",
        "EfficientNetV2-B2 from TensorFlow",
        base(1.1, &[1.2]),
    )
    .sized(208)
    .cropped(0.89, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(80.226, 260, TIMM_RESULTS),
    tf(
        "tf_efficientnetv2_b3",
        "EfficientNetV2-B3 from TensorFlow",
        base(1.2, &[1.4]),
    )
    .sized(240)
    .cropped(0.9, Interpolation::Bicubic)
    .centred()
    .squashed()
    .on_hub(&["in21k_ft_in1k", "in1k", "in21k"])
    .top1(82.634, 300, TIMM_RESULTS),
    tf("tf_efficientnetv2_s", "EfficientNetV2-S from TensorFlow", S)
        .sized(300)
        .cropped(1.0, Interpolation::Bicubic)
        .centred()
        .on_hub(&["in21k_ft_in1k", "in1k", "in21k"])
        .top1(84.332, 384, TIMM_RESULTS),
    tf("tf_efficientnetv2_m", "EfficientNetV2-M from TensorFlow", M)
        .sized(384)
        .cropped(1.0, Interpolation::Bicubic)
        .centred()
        .squashed()
        .on_hub(&["in21k_ft_in1k", "in1k", "in21k"])
        .top1(86.014, 480, TIMM_RESULTS),
    tf("tf_efficientnetv2_l", "EfficientNetV2-L from TensorFlow", L)
        .sized(384)
        .cropped(1.0, Interpolation::Bicubic)
        .centred()
        .squashed()
        .on_hub(&["in21k_ft_in1k", "in1k", "in21k"])
        .top1(86.802, 480, TIMM_RESULTS),
    tf(
        "tf_efficientnetv2_xl",
        "EfficientNetV2-XL from TensorFlow",
        XL,
    )
    .sized(384)
    .cropped(1.0, Interpolation::Bicubic)
    .centred()
    .squashed()
    .on_hub(&["in21k_ft_in1k", "in21k"])
    .top1(86.754, 512, TIMM_RESULTS),
    timm("test_efficientnet", "small EfficientNetV2 for tests", TEST)
        .sized(160)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["r160_in1k"])
        .top1(46.506, 160, TIMM_RESULTS),
];
