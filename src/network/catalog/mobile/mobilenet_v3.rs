//! `MobileNetV3`: Howard et al., arXiv:1905.02244; its minimal variants have neither SE blocks nor
//! hard swish nor 5x5 windows.

use super::{MOBILE, stem, tf, timm};
use crate::network::architecture::{
    Architecture, Count, Depth, EfficientNet, MobileHead, MobileSqueeze, SqueezeRounding, Width,
    conv, depthwise, inverted,
};
use crate::network::catalog::{TIMM_RESULTS, imagenet};
use crate::network::convention::{TENSORFLOW, TIMM};
use crate::network::{Activation, Convention, Network};
use crate::preprocessing::Interpolation;

const RELU: Activation = Activation::Relu;

/// The paper's table 1.
pub(super) const LARGE: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(16)),
    stages: &[
        &[depthwise(16).function(RELU)],
        &[
            inverted(24, 4.).strided().function(RELU),
            inverted(24, 3.).function(RELU),
        ],
        &[inverted(40, 3.)
            .times(3)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU)],
        &[
            inverted(80, 6.).strided(),
            inverted(80, 2.5),
            inverted(80, 2.3).times(2),
        ],
        &[inverted(112, 6.).times(2).gated(0.25)],
        &[inverted(160, 6.)
            .times(3)
            .kernel(&[5])
            .strided()
            .gated(0.25)],
        &[conv(960).kernel(&[1])],
    ],
    activation: Activation::HardSwish,
    squeeze: MobileSqueeze::HARD,
    head: MobileHead::Efficient {
        features: 1280,
        bias: true,
    },
    ..MOBILE
};

/// The paper's table 2.
pub(super) const SMALL: EfficientNet = EfficientNet {
    stages: &[
        &[depthwise(16).strided().gated(0.25).function(RELU)],
        &[
            inverted(24, 4.5).strided().function(RELU),
            inverted(24, 3.67).function(RELU),
        ],
        &[
            inverted(40, 4.).kernel(&[5]).strided().gated(0.25),
            inverted(40, 6.).times(2).kernel(&[5]).gated(0.25),
        ],
        &[inverted(48, 3.).times(2).kernel(&[5]).gated(0.25)],
        &[inverted(96, 6.).times(3).kernel(&[5]).strided().gated(0.25)],
        &[conv(576).kernel(&[1])],
    ],
    head: MobileHead::Efficient {
        features: 1024,
        bias: true,
    },
    ..LARGE
};

const LARGE_MINIMAL: EfficientNet = EfficientNet {
    stages: &[
        &[depthwise(16)],
        &[inverted(24, 4.).strided(), inverted(24, 3.)],
        &[inverted(40, 3.).times(3).strided()],
        &[
            inverted(80, 6.).strided(),
            inverted(80, 2.5),
            inverted(80, 2.3).times(2),
        ],
        &[inverted(112, 6.).times(2)],
        &[inverted(160, 6.).times(3).strided()],
        &[conv(960).kernel(&[1])],
    ],
    activation: RELU,
    ..LARGE
};

const SMALL_MINIMAL: EfficientNet = EfficientNet {
    stages: &[
        &[depthwise(16).strided()],
        &[inverted(24, 4.5).strided(), inverted(24, 3.67)],
        &[inverted(40, 4.).strided(), inverted(40, 6.).times(2)],
        &[inverted(48, 3.).times(2)],
        &[inverted(96, 6.).times(3).strided()],
        &[conv(576).kernel(&[1])],
    ],
    activation: RELU,
    ..SMALL
};

/// timm's first port: SE blocks of other widths, with the block's function between their layers.
const RW: EfficientNet = EfficientNet {
    stages: &[
        &[depthwise(16).without_skip().function(RELU)],
        &[
            inverted(24, 4.).strided().function(RELU),
            inverted(24, 3.).function(RELU),
        ],
        &[inverted(40, 3.)
            .times(3)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU)],
        &[
            inverted(80, 6.).strided(),
            inverted(80, 2.5),
            inverted(80, 2.3).times(2),
        ],
        &[inverted(112, 6.).times(2).gated(0.25)],
        &[inverted(160, 6.)
            .times(3)
            .kernel(&[5])
            .strided()
            .gated(0.25)],
        &[conv(960).kernel(&[1])],
    ],
    squeeze: MobileSqueeze {
        rounding: SqueezeRounding::Nearest,
        activation: None,
        ..MobileSqueeze::HARD
    },
    head: MobileHead::Efficient {
        features: 1280,
        bias: false,
    },
    ..LARGE
};

const fn wide(width: f64, network: EfficientNet) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        ..network
    }
}

/// Symmetric padding, but TensorFlow's epsilon.
const fn rw(name: &'static str, summary: &'static str, network: EfficientNet) -> Network {
    let convention = Convention {
        epsilon: TENSORFLOW.epsilon,
        ..TIMM
    };
    imagenet(
        name,
        summary,
        convention,
        Architecture::EfficientNet(network),
    )
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm(
        "mobilenetv3_large_075",
        "MobileNetV3-Large, 0.75 times as wide",
        wide(0.75, LARGE),
    )
    .cropped(0.875, Interpolation::Bilinear),
    timm("mobilenetv3_large_100", "MobileNetV3-Large", LARGE)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&[
            "ra_in1k",
            "ra4_e3600_r224_in1k",
            "miil_in21k_ft_in1k",
            "miil_in21k",
        ])
        .top1(77.92, 224, TIMM_RESULTS),
    timm(
        "mobilenetv3_large_150d",
        "MobileNetV3-Large, 1.5 times as wide, 1.2 times as deep",
        EfficientNet {
            depth: Depth::times(&[1.2]),
            ..wide(1.5, LARGE)
        },
    )
    .sized(256)
    .cropped(0.95, Interpolation::Bilinear)
    .centred()
    .on_hub(&["ra4_e3600_r256_in1k"])
    .top1(81.832, 320, TIMM_RESULTS),
    timm(
        "mobilenetv3_small_050",
        "MobileNetV3-Small, half as wide",
        EfficientNet {
            stem: stem(Count::Fixed(16)),
            ..wide(0.5, SMALL)
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["lamb_in1k"])
    .top1(57.918, 224, TIMM_RESULTS),
    timm(
        "mobilenetv3_small_075",
        "MobileNetV3-Small, 0.75 times as wide",
        wide(0.75, SMALL),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["lamb_in1k"])
    .top1(65.284, 224, TIMM_RESULTS),
    timm("mobilenetv3_small_100", "MobileNetV3-Small", SMALL)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["lamb_in1k"])
        .top1(67.636, 224, TIMM_RESULTS),
    rw("mobilenetv3_rw", "MobileNetV3-Large, timm's first", RW)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["rmsp_in1k"])
        .top1(75.616, 224, TIMM_RESULTS),
    tf(
        "tf_mobilenetv3_large_075",
        "MobileNetV3-Large from TensorFlow, 0.75 times as wide",
        wide(0.75, LARGE),
    )
    .cropped(0.875, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(73.442, 224, TIMM_RESULTS),
    tf(
        "tf_mobilenetv3_large_100",
        "MobileNetV3-Large from TensorFlow",
        LARGE,
    )
    .cropped(0.875, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(75.51, 224, TIMM_RESULTS),
    tf(
        "tf_mobilenetv3_large_minimal_100",
        "MobileNetV3-Large from TensorFlow, minimal",
        LARGE_MINIMAL,
    )
    .cropped(0.875, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(72.27, 224, TIMM_RESULTS),
    tf(
        "tf_mobilenetv3_small_075",
        "MobileNetV3-Small from TensorFlow, 0.75 times as wide",
        wide(0.75, SMALL),
    )
    .cropped(0.875, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(65.706, 224, TIMM_RESULTS),
    tf(
        "tf_mobilenetv3_small_100",
        "MobileNetV3-Small from TensorFlow",
        SMALL,
    )
    .cropped(0.875, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(67.922, 224, TIMM_RESULTS),
    tf(
        "tf_mobilenetv3_small_minimal_100",
        "MobileNetV3-Small from TensorFlow, minimal",
        SMALL_MINIMAL,
    )
    .cropped(0.875, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(62.892, 224, TIMM_RESULTS),
];
