//! timm's `GhostNet`s and `RepGhost`s (`timm/models/ghostnet.py`, `repghost.py`), as they are trained,
//! and as `timm.utils.reparameterize_model` folds them.

use super::{TIMM_RESULTS, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, Ghost, GhostNet, GhostRow};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

/// Kernel, inner channels, channels and stride; whether there is an SE block.
const fn row([kernel, inner, channels, stride]: [usize; 4], gated: bool) -> GhostRow {
    GhostRow {
        kernel,
        inner,
        channels,
        gated,
        stride,
    }
}

/// Han et al., arXiv:1911.11907: the bottlenecks of `MobileNetV3`, with ghost modules.
const DEPTHWISE: GhostNet = GhostNet {
    module: Ghost::Depthwise,
    folded: false,
    width: 1.,
    stages: &[
        &[row([3, 16, 16, 1], false)],
        &[row([3, 48, 24, 2], false)],
        &[row([3, 72, 24, 1], false)],
        &[row([5, 72, 40, 2], true)],
        &[row([5, 120, 40, 1], true)],
        &[row([3, 240, 80, 2], false)],
        &[
            row([3, 200, 80, 1], false),
            row([3, 184, 80, 1], false),
            row([3, 184, 80, 1], false),
            row([3, 480, 112, 1], true),
            row([3, 672, 112, 1], true),
        ],
        &[row([5, 672, 160, 2], true)],
        &[
            row([5, 960, 160, 1], false),
            row([5, 960, 160, 1], true),
            row([5, 960, 160, 1], false),
            row([5, 960, 160, 1], true),
        ],
    ],
    last: 1.,
};

const ATTENTION: GhostNet = GhostNet {
    module: Ghost::Attention,
    ..DEPTHWISE
};

const BRANCHES: GhostNet = GhostNet {
    module: Ghost::Branches,
    ..DEPTHWISE
};

const BRANCHES_FOLDED: GhostNet = GhostNet {
    folded: true,
    ..BRANCHES
};

/// Chen et al., arXiv:2211.06088: fewer inner channels, since each takes a convolution.
const ADDED: GhostNet = GhostNet {
    module: Ghost::Added,
    folded: false,
    width: 1.,
    stages: &[
        &[row([3, 8, 16, 1], false)],
        &[row([3, 24, 24, 2], false)],
        &[row([3, 36, 24, 1], false)],
        &[row([5, 36, 40, 2], true)],
        &[row([5, 60, 40, 1], true)],
        &[row([3, 120, 80, 2], false)],
        &[
            row([3, 100, 80, 1], false),
            row([3, 120, 80, 1], false),
            row([3, 120, 80, 1], false),
            row([3, 240, 112, 1], true),
            row([3, 336, 112, 1], true),
        ],
        &[row([5, 336, 160, 2], true)],
        &[
            row([5, 480, 160, 1], false),
            row([5, 480, 160, 1], true),
            row([5, 480, 160, 1], false),
            row([5, 480, 160, 1], true),
        ],
    ],
    last: 2.,
};

const ADDED_FOLDED: GhostNet = GhostNet {
    folded: true,
    ..ADDED
};

const fn ghostnet(
    name: &'static str,
    summary: &'static str,
    width: f64,
    network: GhostNet,
) -> Network {
    let network = GhostNet { width, ..network };
    imagenet(name, summary, TIMM, Architecture::GhostNet(network))
}

pub(super) const NETWORKS: &[Network] = &[
    ghostnet(
        "ghostnet_050",
        "GhostNet, 0.5 times as wide",
        0.5,
        DEPTHWISE,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet("ghostnet_100", "GhostNet, 1.0 times as wide", 1., DEPTHWISE)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(73.958, 224, TIMM_RESULTS),
    ghostnet(
        "ghostnet_130",
        "GhostNet, 1.3 times as wide",
        1.3,
        DEPTHWISE,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "ghostnetv2_100",
        "GhostNetV2, 1.0 times as wide",
        1.,
        ATTENTION,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(75.186, 224, TIMM_RESULTS),
    ghostnet(
        "ghostnetv2_130",
        "GhostNetV2, 1.3 times as wide",
        1.3,
        ATTENTION,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(76.746, 224, TIMM_RESULTS),
    ghostnet(
        "ghostnetv2_160",
        "GhostNetV2, 1.6 times as wide",
        1.6,
        ATTENTION,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(77.836, 224, TIMM_RESULTS),
    ghostnet(
        "ghostnetv3_050",
        "GhostNetV3, 0.5 times as wide",
        0.5,
        BRANCHES,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "ghostnetv3_100",
        "GhostNetV3, 1.0 times as wide",
        1.,
        BRANCHES,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(76.936, 224, TIMM_RESULTS),
    ghostnet(
        "ghostnetv3_130",
        "GhostNetV3, 1.3 times as wide",
        1.3,
        BRANCHES,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "ghostnetv3_160",
        "GhostNetV3, 1.6 times as wide",
        1.6,
        BRANCHES,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_050",
        "RepGhostNet, 0.5 times as wide",
        0.5,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(66.978, 224, TIMM_RESULTS),
    ghostnet(
        "repghostnet_058",
        "RepGhostNet, 0.58 times as wide",
        0.58,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(68.938, 224, TIMM_RESULTS),
    ghostnet(
        "repghostnet_080",
        "RepGhostNet, 0.8 times as wide",
        0.8,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(72.24, 224, TIMM_RESULTS),
    ghostnet(
        "repghostnet_100",
        "RepGhostNet, 1.0 times as wide",
        1.,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(74.208, 224, TIMM_RESULTS),
    ghostnet(
        "repghostnet_111",
        "RepGhostNet, 1.11 times as wide",
        1.11,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(75.06, 224, TIMM_RESULTS),
    ghostnet(
        "repghostnet_130",
        "RepGhostNet, 1.3 times as wide",
        1.3,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(76.378, 224, TIMM_RESULTS),
    ghostnet(
        "repghostnet_150",
        "RepGhostNet, 1.5 times as wide",
        1.5,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(77.474, 224, TIMM_RESULTS),
    ghostnet(
        "repghostnet_200",
        "RepGhostNet, 2.0 times as wide",
        2.,
        ADDED,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(78.802, 224, TIMM_RESULTS),
    ghostnet(
        "ghostnetv3_050_folded",
        "GhostNetV3, 0.5 times as wide, each sum of branches folded into one convolution",
        0.5,
        BRANCHES_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "ghostnetv3_100_folded",
        "GhostNetV3, 1.0 times as wide, each sum of branches folded into one convolution",
        1.,
        BRANCHES_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "ghostnetv3_130_folded",
        "GhostNetV3, 1.3 times as wide, each sum of branches folded into one convolution",
        1.3,
        BRANCHES_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "ghostnetv3_160_folded",
        "GhostNetV3, 1.6 times as wide, each sum of branches folded into one convolution",
        1.6,
        BRANCHES_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_050_folded",
        "RepGhostNet, 0.5 times as wide, each sum of branches folded into one convolution",
        0.5,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_058_folded",
        "RepGhostNet, 0.58 times as wide, each sum of branches folded into one convolution",
        0.58,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_080_folded",
        "RepGhostNet, 0.8 times as wide, each sum of branches folded into one convolution",
        0.8,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_100_folded",
        "RepGhostNet, 1.0 times as wide, each sum of branches folded into one convolution",
        1.,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_111_folded",
        "RepGhostNet, 1.11 times as wide, each sum of branches folded into one convolution",
        1.11,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_130_folded",
        "RepGhostNet, 1.3 times as wide, each sum of branches folded into one convolution",
        1.3,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_150_folded",
        "RepGhostNet, 1.5 times as wide, each sum of branches folded into one convolution",
        1.5,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
    ghostnet(
        "repghostnet_200_folded",
        "RepGhostNet, 2.0 times as wide, each sum of branches folded into one convolution",
        2.,
        ADDED_FOLDED,
    )
    .cropped(0.875, Interpolation::Bicubic),
];
