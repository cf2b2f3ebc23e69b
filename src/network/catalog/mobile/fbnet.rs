//! `FBNetV3`: Dai et al., arXiv:2006.02049.

use super::{MOBILE, stem, timm};
use crate::network::architecture::{
    Count, EfficientNet, MobileHead, MobileSqueeze, Row, SqueezeOf, SqueezeRounding, Width, conv,
    depthwise, inverted,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

/// Less than this share of a number of channels is not taken when it is rounded.
const LIMIT: f64 = 0.95;

const fn fbnet(channels: usize, stages: &'static [&'static [Row]]) -> EfficientNet {
    EfficientNet {
        stem: stem(Count::Scaled(channels)),
        stages,
        width: Width {
            limit: LIMIT,
            ..Width::ONE
        },
        activation: Activation::HardSwish,
        squeeze: MobileSqueeze {
            of: SqueezeOf::Input,
            rounding: SqueezeRounding::Eighths { limit: LIMIT },
            activation: None,
            gate: Activation::HardSigmoid,
        },
        head: MobileHead::Efficient {
            features: 1984,
            bias: false,
        },
        ..MOBILE
    }
}

const B: EfficientNet = fbnet(
    16,
    &[
        &[depthwise(16).times(2)],
        &[
            inverted(24, 4.).kernel(&[5]).strided(),
            inverted(24, 2.).times(3).kernel(&[5]),
        ],
        &[
            inverted(40, 5.).kernel(&[5]).strided().gated(0.25),
            inverted(40, 3.).times(4).kernel(&[5]).gated(0.25),
        ],
        &[
            inverted(72, 5.).kernel(&[5]).strided(),
            inverted(72, 3.).times(4),
        ],
        &[
            inverted(120, 5.).gated(0.25),
            inverted(120, 3.).times(5).kernel(&[5]).gated(0.25),
        ],
        &[
            inverted(184, 6.).strided().gated(0.25),
            inverted(184, 4.).times(5).kernel(&[5]).gated(0.25),
            inverted(224, 6.).kernel(&[5]).gated(0.25),
        ],
        &[conv(1344).kernel(&[1])],
    ],
);

const D: EfficientNet = fbnet(
    24,
    &[
        &[depthwise(16).times(2)],
        &[inverted(24, 5.).strided(), inverted(24, 2.).times(5)],
        &[
            inverted(40, 4.).kernel(&[5]).strided().gated(0.25),
            inverted(40, 3.).times(4).gated(0.25),
        ],
        &[inverted(72, 5.).strided(), inverted(72, 3.).times(4)],
        &[
            inverted(128, 5.).gated(0.25),
            inverted(128, 3.).times(6).kernel(&[5]).gated(0.25),
        ],
        &[
            inverted(208, 6.).strided().gated(0.25),
            inverted(208, 5.).times(5).kernel(&[5]).gated(0.25),
            inverted(240, 6.).kernel(&[5]).gated(0.25),
        ],
        &[conv(1440).kernel(&[1])],
    ],
);

const G: EfficientNet = fbnet(
    32,
    &[
        &[depthwise(24).times(3)],
        &[
            inverted(40, 4.).kernel(&[5]).strided(),
            inverted(40, 2.).times(4).kernel(&[5]),
        ],
        &[
            inverted(56, 4.).kernel(&[5]).strided().gated(0.25),
            inverted(56, 3.).times(4).kernel(&[5]).gated(0.25),
        ],
        &[
            inverted(104, 5.).kernel(&[5]).strided(),
            inverted(104, 3.).times(4),
        ],
        &[
            inverted(160, 5.).gated(0.25),
            inverted(160, 3.).times(8).kernel(&[5]).gated(0.25),
        ],
        &[
            inverted(264, 6.).strided().gated(0.25),
            inverted(264, 5.).times(6).kernel(&[5]).gated(0.25),
            inverted(288, 6.).times(2).kernel(&[5]).gated(0.25),
        ],
        &[conv(1728).kernel(&[1])],
    ],
);

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("fbnetv3_b", "FBNetV3-B", B)
        .cropped(0.95, Interpolation::Bilinear)
        .on_hub(&["ra2_in1k"])
        .top1(79.154, 256, TIMM_RESULTS),
    timm("fbnetv3_d", "FBNetV3-D", D)
        .cropped(0.95, Interpolation::Bilinear)
        .on_hub(&["ra2_in1k"])
        .top1(79.682, 256, TIMM_RESULTS),
    timm("fbnetv3_g", "FBNetV3-G", G)
        .sized(240)
        .cropped(0.95, Interpolation::Bilinear)
        .on_hub(&["ra2_in1k"])
        .top1(82.034, 288, TIMM_RESULTS),
];
