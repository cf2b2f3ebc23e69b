//! `MnasNet` (Tan et al., arXiv:1807.11626), with SE blocks (A1, `semnasnet`) and without (B1).

use super::{MOBILE, stem, timm};
use crate::network::Network;
use crate::network::architecture::{Count, EfficientNet, Width, depthwise, inverted};
use crate::network::catalog::TIMM_RESULTS;
use crate::preprocessing::Interpolation;

/// The paper's figure 7 (a).
const A1: EfficientNet = EfficientNet {
    stages: &[
        &[depthwise(16).without_skip()],
        &[inverted(24, 6.).times(2).strided()],
        &[inverted(40, 3.).times(3).kernel(&[5]).strided().gated(0.25)],
        &[inverted(80, 6.).times(4).strided()],
        &[inverted(112, 6.).times(2).gated(0.25)],
        &[inverted(160, 6.)
            .times(3)
            .kernel(&[5])
            .strided()
            .gated(0.25)],
        &[inverted(320, 6.)],
    ],
    ..MOBILE
};

/// <https://github.com/tensorflow/tpu/tree/master/models/official/mnasnet>, `mnasnet_b1`.
pub(super) const B1: EfficientNet = EfficientNet {
    stages: &[
        &[depthwise(16).without_skip()],
        &[inverted(24, 3.).times(3).strided()],
        &[inverted(40, 3.).times(3).kernel(&[5]).strided()],
        &[inverted(80, 6.).times(3).kernel(&[5]).strided()],
        &[inverted(96, 6.).times(2)],
        &[inverted(192, 6.).times(4).kernel(&[5]).strided()],
        &[inverted(320, 6.).without_skip()],
    ],
    ..MOBILE
};

/// The same repository's `mnasnet_small`.
const SMALL: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(8)),
    stages: &[
        &[depthwise(8)],
        &[inverted(16, 3.).strided()],
        &[inverted(16, 6.).times(2).strided()],
        &[inverted(32, 6.).times(4).kernel(&[5]).strided().gated(0.25)],
        &[inverted(32, 6.).times(3).gated(0.25)],
        &[inverted(88, 6.).times(3).kernel(&[5]).strided().gated(0.25)],
        &[inverted(144, 6.)],
    ],
    ..MOBILE
};

pub(super) const fn wide(width: f64, network: EfficientNet) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        ..network
    }
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("semnasnet_050", "MnasNet-A1, half as wide", wide(0.5, A1))
        .cropped(0.875, Interpolation::Bicubic),
    timm(
        "semnasnet_075",
        "MnasNet-A1, 0.75 times as wide",
        wide(0.75, A1),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["rmsp_in1k"])
    .top1(73.0, 224, TIMM_RESULTS),
    timm("semnasnet_100", "MnasNet-A1", A1)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["rmsp_in1k"])
        .top1(75.452, 224, TIMM_RESULTS),
    timm(
        "semnasnet_140",
        "MnasNet-A1, 1.4 times as wide",
        wide(1.4, A1),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm("mnasnet_small", "MnasNet-Small", SMALL)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["lamb_in1k"])
        .top1(66.204, 224, TIMM_RESULTS),
    timm("mnasnet_050", "MnasNet-B1, half as wide", wide(0.5, B1))
        .cropped(0.875, Interpolation::Bicubic),
    timm(
        "mnasnet_075",
        "MnasNet-B1, 0.75 times as wide",
        wide(0.75, B1),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm("mnasnet_100", "MnasNet-B1", B1)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["rmsp_in1k"])
        .top1(74.672, 224, TIMM_RESULTS),
    timm(
        "mnasnet_140",
        "MnasNet-B1, 1.4 times as wide",
        wide(1.4, B1),
    )
    .cropped(0.875, Interpolation::Bicubic),
];
