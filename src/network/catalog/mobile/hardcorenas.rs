//! HardCoRe-NAS: Nayman et al., arXiv:2102.11646.

use super::{MOBILE, timm};
use crate::network::architecture::{
    EfficientNet, MobileHead, MobileSqueeze, Row, conv, depthwise, inverted,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

const RELU: Activation = Activation::Relu;

const fn hardcorenas(stages: &'static [&'static [Row]]) -> EfficientNet {
    EfficientNet {
        stages,
        activation: Activation::HardSwish,
        squeeze: MobileSqueeze::HARD,
        head: MobileHead::Efficient {
            features: 1280,
            bias: true,
        },
        ..MOBILE
    }
}

const A: EfficientNet = hardcorenas(&[
    &[depthwise(16).function(RELU)],
    &[
        inverted(24, 3.).kernel(&[5]).strided().function(RELU),
        inverted(24, 3.).kernel(&[5]).gated(0.25).function(RELU),
    ],
    &[
        inverted(40, 3.).kernel(&[5]).strided().function(RELU),
        inverted(40, 6.).kernel(&[5]).gated(0.25).function(RELU),
    ],
    &[
        inverted(80, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(80, 6.).kernel(&[5]).gated(0.25),
    ],
    &[
        inverted(112, 6.).kernel(&[5]).gated(0.25),
        inverted(112, 6.).kernel(&[5]).gated(0.25),
    ],
    &[
        inverted(192, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
    ],
    &[conv(960).kernel(&[1])],
]);

const B: EfficientNet = hardcorenas(&[
    &[depthwise(16).function(RELU)],
    &[
        inverted(24, 3.).kernel(&[5]).strided().function(RELU),
        inverted(24, 3.).kernel(&[5]).gated(0.25).function(RELU),
        inverted(24, 3.).function(RELU),
    ],
    &[
        inverted(40, 3.).kernel(&[5]).strided().function(RELU),
        inverted(40, 3.).kernel(&[5]).function(RELU),
        inverted(40, 3.).kernel(&[5]).function(RELU),
    ],
    &[
        inverted(80, 3.).kernel(&[5]).strided(),
        inverted(80, 3.).kernel(&[5]),
        inverted(80, 3.),
        inverted(80, 3.),
    ],
    &[
        inverted(112, 3.).kernel(&[5]),
        inverted(112, 3.),
        inverted(112, 3.),
        inverted(112, 3.),
    ],
    &[
        inverted(192, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
        inverted(192, 3.).gated(0.25),
    ],
    &[conv(960).kernel(&[1])],
]);

const C: EfficientNet = hardcorenas(&[
    &[depthwise(16).function(RELU)],
    &[
        inverted(24, 3.).kernel(&[5]).strided().function(RELU),
        inverted(24, 3.).kernel(&[5]).gated(0.25).function(RELU),
    ],
    &[
        inverted(40, 3.).kernel(&[5]).strided().function(RELU),
        inverted(40, 3.).kernel(&[5]).function(RELU),
        inverted(40, 3.).kernel(&[5]).function(RELU),
        inverted(40, 3.).kernel(&[5]).function(RELU),
    ],
    &[
        inverted(80, 4.).kernel(&[5]).strided(),
        inverted(80, 6.).kernel(&[5]).gated(0.25),
        inverted(80, 3.),
        inverted(80, 3.),
    ],
    &[
        inverted(112, 6.).kernel(&[5]).gated(0.25),
        inverted(112, 3.),
        inverted(112, 3.),
        inverted(112, 3.),
    ],
    &[
        inverted(192, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
        inverted(192, 3.).gated(0.25),
    ],
    &[conv(960).kernel(&[1])],
]);

const D: EfficientNet = hardcorenas(&[
    &[depthwise(16).function(RELU)],
    &[
        inverted(24, 3.)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU),
        inverted(24, 3.).kernel(&[5]).gated(0.25).function(RELU),
    ],
    &[
        inverted(40, 3.)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU),
        inverted(40, 4.).kernel(&[5]).gated(0.25).function(RELU),
        inverted(40, 3.).gated(0.25).function(RELU),
    ],
    &[
        inverted(80, 4.).kernel(&[5]).strided().gated(0.25),
        inverted(80, 3.).gated(0.25),
        inverted(80, 3.).gated(0.25),
        inverted(80, 3.).gated(0.25),
    ],
    &[
        inverted(112, 4.).gated(0.25),
        inverted(112, 4.).kernel(&[5]).gated(0.25),
        inverted(112, 3.).gated(0.25),
        inverted(112, 3.).kernel(&[5]).gated(0.25),
    ],
    &[
        inverted(192, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
        inverted(192, 6.).gated(0.25),
    ],
    &[conv(960).kernel(&[1])],
]);

const E: EfficientNet = hardcorenas(&[
    &[depthwise(16).function(RELU)],
    &[
        inverted(24, 3.)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU),
        inverted(24, 3.).kernel(&[5]).gated(0.25).function(RELU),
    ],
    &[
        inverted(40, 6.)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU),
        inverted(40, 4.).kernel(&[5]).gated(0.25).function(RELU),
        inverted(40, 4.).kernel(&[5]).gated(0.25).function(RELU),
        inverted(40, 3.).gated(0.25).function(RELU),
    ],
    &[
        inverted(80, 4.).kernel(&[5]).strided().gated(0.25),
        inverted(80, 6.).gated(0.25),
    ],
    &[
        inverted(112, 6.).kernel(&[5]).gated(0.25),
        inverted(112, 6.).kernel(&[5]).gated(0.25),
        inverted(112, 6.).kernel(&[5]).gated(0.25),
        inverted(112, 3.).kernel(&[5]).gated(0.25),
    ],
    &[
        inverted(192, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
        inverted(192, 6.).gated(0.25),
    ],
    &[conv(960).kernel(&[1])],
]);

const F: EfficientNet = hardcorenas(&[
    &[depthwise(16).function(RELU)],
    &[
        inverted(24, 3.)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU),
        inverted(24, 3.).kernel(&[5]).gated(0.25).function(RELU),
    ],
    &[
        inverted(40, 6.)
            .kernel(&[5])
            .strided()
            .gated(0.25)
            .function(RELU),
        inverted(40, 6.).kernel(&[5]).gated(0.25).function(RELU),
    ],
    &[
        inverted(80, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(80, 6.).kernel(&[5]).gated(0.25),
        inverted(80, 3.).gated(0.25),
        inverted(80, 3.).gated(0.25),
    ],
    &[
        inverted(112, 6.).gated(0.25),
        inverted(112, 6.).kernel(&[5]).gated(0.25),
        inverted(112, 6.).kernel(&[5]).gated(0.25),
        inverted(112, 3.).gated(0.25),
    ],
    &[
        inverted(192, 6.).kernel(&[5]).strided().gated(0.25),
        inverted(192, 6.).kernel(&[5]).gated(0.25),
        inverted(192, 6.).gated(0.25),
        inverted(192, 6.).gated(0.25),
    ],
    &[conv(960).kernel(&[1])],
]);

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("hardcorenas_a", "HardCoRe-NAS-A", A)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["miil_green_in1k"])
        .top1(75.926, 224, TIMM_RESULTS),
    timm("hardcorenas_b", "HardCoRe-NAS-B", B)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["miil_green_in1k"])
        .top1(76.55, 224, TIMM_RESULTS),
    timm("hardcorenas_c", "HardCoRe-NAS-C", C)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["miil_green_in1k"])
        .top1(77.092, 224, TIMM_RESULTS),
    timm("hardcorenas_d", "HardCoRe-NAS-D", D)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["miil_green_in1k"])
        .top1(77.45, 224, TIMM_RESULTS),
    timm("hardcorenas_e", "HardCoRe-NAS-E", E)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["miil_green_in1k"])
        .top1(77.788, 224, TIMM_RESULTS),
    timm("hardcorenas_f", "HardCoRe-NAS-F", F)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["miil_green_in1k"])
        .top1(78.1, 224, TIMM_RESULTS),
];
