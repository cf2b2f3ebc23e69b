//! timm's `VoVNet`s (`timm/models/vovnet.py`).

use super::{TIMM_RESULTS, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, OsaStage, VovNet};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

const fn vovnet(name: &'static str, summary: &'static str, network: VovNet) -> Network {
    imagenet(name, summary, TIMM, Architecture::VovNet(network))
        .cropped(0.875, Interpolation::Bicubic)
}

const fn stage(depth: usize, inner: usize, channels: usize) -> OsaStage {
    OsaStage {
        depth,
        inner,
        channels,
    }
}

/// Stages of the usual width and these depths.
const fn stages(depths: [usize; 4]) -> [OsaStage; 4] {
    [
        stage(depths[0], 128, 256),
        stage(depths[1], 160, 512),
        stage(depths[2], 192, 768),
        stage(depths[3], 224, 1024),
    ]
}

/// About half as wide, a block each.
const SLIM: [OsaStage; 4] = [
    stage(1, 64, 112),
    stage(1, 80, 256),
    stage(1, 96, 384),
    stage(1, 112, 512),
];

const DEPTHS_39: [usize; 4] = [1, 1, 2, 2];
const DEPTHS_57: [usize; 4] = [1, 1, 4, 3];

/// The second version.
const V39B: VovNet = VovNet {
    stem: [64, 64, 128],
    stages: stages(DEPTHS_39),
    convs: 5,
    separable: false,
    effective: true,
};

const V57B: VovNet = VovNet {
    stages: stages(DEPTHS_57),
    ..V39B
};

const V19B_DW: VovNet = VovNet {
    stem: [64; 3],
    stages: stages([1; 4]),
    convs: 3,
    separable: true,
    ..V39B
};

pub(super) const NETWORKS: &[Network] = &[
    vovnet(
        "ese_vovnet19b_slim_dw",
        "VoVNet-19 V2, slim, depthwise convolutions",
        VovNet {
            stages: SLIM,
            ..V19B_DW
        },
    ),
    vovnet(
        "ese_vovnet19b_dw",
        "VoVNet-19 V2, depthwise convolutions",
        V19B_DW,
    )
    .on_hub(&["ra_in1k"])
    .top1(77.788, 288, TIMM_RESULTS),
    vovnet(
        "ese_vovnet19b_slim",
        "VoVNet-19 V2, slim",
        VovNet {
            stages: SLIM,
            convs: 3,
            ..V39B
        },
    ),
    vovnet("ese_vovnet39b", "VoVNet-39 V2", V39B)
        .on_hub(&["ra_in1k"])
        .top1(80.378, 288, TIMM_RESULTS),
    vovnet("ese_vovnet57b", "VoVNet-57 V2", V57B)
        .sized(256)
        .cropped(0.95, Interpolation::Bicubic)
        .centred()
        .on_hub(&["ra4_e3600_r256_in1k"])
        .top1(83.298, 320, TIMM_RESULTS),
    vovnet(
        "ese_vovnet99b",
        "VoVNet-99 V2",
        VovNet {
            stages: stages([1, 3, 9, 3]),
            ..V39B
        },
    ),
    vovnet(
        "vovnet39a",
        "VoVNet-39",
        VovNet {
            effective: false,
            ..V39B
        },
    ),
    vovnet(
        "vovnet57a",
        "VoVNet-57",
        VovNet {
            effective: false,
            ..V57B
        },
    ),
];
