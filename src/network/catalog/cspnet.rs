//! timm's cross-stage partial networks and `DarkNet`s (`timm/models/cspnet.py`).

use super::{SIXTEENTH_OF_8, TIMM_RESULTS, imagenet};
use crate::network::architecture::{
    Architecture, CspAround, CspBlock, CspNet, CspStage, SqueezeWidth,
};
use crate::network::convention::TIMM;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

const fn csp(name: &'static str, summary: &'static str, network: CspNet) -> Network {
    imagenet(name, summary, TIMM, Architecture::CspNet(network))
}

const fn stage(depth: usize, channels: usize) -> CspStage {
    CspStage {
        depth,
        channels,
        groups: 1,
    }
}

const QUARTER: Option<SqueezeWidth> = Some(SqueezeWidth::Rounded {
    ratio: 4,
    multiple: 8,
});

const L: CspNet = CspNet {
    stem: &[32, 64],
    stem_stride: 2,
    stages: &[stage(3, 128), stage(6, 256), stage(9, 512), stage(3, 1024)],
    around: CspAround::One,
    block: CspBlock::Dark,
    share: 0.5,
    inner: 1.,
    activation: Activation::Silu,
    squeeze: None,
};

/// 1.25 times as wide and 1.33 times as deep.
const X: CspNet = CspNet {
    stem: &[40, 80],
    stages: &[stage(3, 160), stage(7, 320), stage(11, 640), stage(3, 1280)],
    ..L
};

const EDGE_X: CspNet = CspNet {
    block: CspBlock::Edge,
    inner: 1.5,
    ..X
};

/// Bottlenecks, of depthwise convolutions in the last two stages.
const XDW: CspNet = CspNet {
    stages: &[
        stage(3, 256),
        stage(6, 512),
        CspStage {
            groups: 256,
            ..stage(12, 1024)
        },
        CspStage {
            groups: 512,
            ..stage(4, 2048)
        },
    ],
    around: CspAround::Two,
    block: CspBlock::Bottleneck,
    inner: 0.5,
    ..L
};

const DARKNET53: CspNet = CspNet {
    stem: &[32],
    stem_stride: 1,
    stages: &[
        stage(1, 64),
        stage(2, 128),
        stage(8, 256),
        stage(8, 512),
        stage(4, 1024),
    ],
    around: CspAround::Dark,
    share: 1.,
    inner: 0.5,
    activation: Activation::LeakyRelu { slope: 0.01 },
    ..L
};

const DARKNET21: CspNet = CspNet {
    stages: &[
        stage(1, 64),
        stage(1, 128),
        stage(1, 256),
        stage(2, 512),
        stage(2, 1024),
    ],
    ..DARKNET53
};

pub(super) const NETWORKS: &[Network] = &[
    csp(
        "cs3sedarknet_l",
        "SE-CS3-DarkNet-L",
        CspNet {
            squeeze: QUARTER,
            ..L
        },
    )
    .sized(256)
    .cropped(0.887, Interpolation::Bicubic)
    .on_hub(&["c2ns_in1k"])
    .top1(81.77, 288, TIMM_RESULTS),
    csp(
        "cs3sedarknet_x",
        "SE-CS3-DarkNet-X",
        CspNet {
            squeeze: SIXTEENTH_OF_8,
            ..X
        },
    )
    .sized(256)
    .cropped(0.887, Interpolation::Bicubic)
    .on_hub(&["c2ns_in1k"])
    .top1(82.654, 288, TIMM_RESULTS),
    csp(
        "cs3sedarknet_xdw",
        "SE-CS3-DarkNet-X, depthwise convolutions in the last stages",
        CspNet {
            squeeze: SIXTEENTH_OF_8,
            ..XDW
        },
    )
    .sized(256)
    .cropped(0.887, Interpolation::Bicubic),
    csp(
        "cs3se_edgenet_x",
        "SE-CS3-EdgeNet-X",
        CspNet {
            squeeze: QUARTER,
            ..EDGE_X
        },
    )
    .sized(256)
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["c2ns_in1k"])
    .top1(83.55, 320, TIMM_RESULTS),
    csp(
        "sedarknet21",
        "SE-DarkNet-21",
        CspNet {
            squeeze: SIXTEENTH_OF_8,
            ..DARKNET21
        },
    )
    .sized(256)
    .cropped(0.887, Interpolation::Bilinear),
    csp("cs3darknet_l", "CS3-DarkNet-L", L)
        .sized(256)
        .cropped(0.887, Interpolation::Bicubic)
        .on_hub(&["c2ns_in1k"])
        .top1(80.882, 288, TIMM_RESULTS),
    csp("cs3darknet_x", "CS3-DarkNet-X", X)
        .sized(256)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["c2ns_in1k"])
        .top1(82.234, 288, TIMM_RESULTS),
    csp("cs3edgenet_x", "CS3-EdgeNet-X", EDGE_X)
        .sized(256)
        .cropped(0.887, Interpolation::Bicubic)
        .on_hub(&["c2_in1k"])
        .top1(82.734, 288, TIMM_RESULTS),
    csp("darknet21", "DarkNet-21", DARKNET21)
        .sized(256)
        .cropped(0.887, Interpolation::Bilinear),
    csp("darknet53", "DarkNet-53", DARKNET53)
        .sized(256)
        .cropped(0.887, Interpolation::Bicubic)
        .on_hub(&["c2ns_in1k"])
        .top1(80.542, 288, TIMM_RESULTS),
];
