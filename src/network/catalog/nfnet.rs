//! timm's networks without batch norms (`timm/models/nfnet.py`).

use super::{SIXTEENTH_OF_8, TIMM_RESULTS, imagenet};
use crate::network::architecture::{Architecture, NfCode, NfNet, NfStem, NfWidth, SqueezeWidth};
use crate::network::convention::TIMM;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

const fn nfnet(name: &'static str, summary: &'static str, network: NfNet) -> Network {
    imagenet(name, summary, TIMM, Architecture::NfNet(network))
}

/// `DeepMind`'s constants, by function: 1 over the deviation of what it makes of normal numbers.
const GAMMA_OF_GELU: f64 = 1.701_504_349_708_557_1;
const GAMMA_OF_RELU: f64 = 1.713_958_859_443_664_6;
const GAMMA_OF_SILU: f64 = 1.788_129_329_681_396_5;

/// Brock et al., arXiv:2102.06171, table 1.
const F0: NfNet = NfNet {
    stem: NfStem::Deep(128),
    depths: [1, 2, 6, 3],
    channels: [256, 512, 1536, 1536],
    inner: NfWidth::OfOutput(0.5),
    group: Some(128),
    doubled: true,
    squeeze: Some(SqueezeWidth::Rounded {
        ratio: 2,
        multiple: 8,
    }),
    activation: Activation::Gelu,
    gamma: GAMMA_OF_GELU,
    code: NfCode::Timm,
    features: Some(3072),
};

/// timm's lighter one.
const L0: NfNet = NfNet {
    inner: NfWidth::OfOutput(0.25),
    group: Some(64),
    squeeze: Some(SqueezeWidth::Rounded {
        ratio: 4,
        multiple: 8,
    }),
    activation: Activation::Silu,
    gamma: GAMMA_OF_SILU,
    features: Some(2304),
    ..F0
};

/// Brock et al., arXiv:2101.08692: a `ResNet` without batch norms.
const NF_RESNET: NfNet = NfNet {
    stem: NfStem::Pooled(64),
    channels: [256, 512, 1024, 2048],
    inner: NfWidth::OfOutput(0.25),
    group: None,
    doubled: false,
    squeeze: None,
    activation: Activation::Relu,
    gamma: GAMMA_OF_RELU,
    features: None,
    ..F0
};

/// The same paper's `RegNet`, its channels multiples of 8.
const NF_REGNET: NfNet = NfNet {
    stem: NfStem::Single(40),
    channels: [40, 80, 160, 328],
    inner: NfWidth::OfInput(2.25),
    group: Some(8),
    doubled: false,
    activation: Activation::Silu,
    gamma: GAMMA_OF_SILU,
    features: Some(960),
    ..F0
};

/// Each size of NFNet-F has so many times the first one's blocks.
const fn times(size: usize) -> [usize; 4] {
    [size, 2 * size, 6 * size, 3 * size]
}

pub(super) const NETWORKS: &[Network] = &[
    nfnet(
        "dm_nfnet_f0",
        "NFNet-F0, DeepMind's",
        NfNet {
            depths: times(1),
            code: NfCode::DeepMind,
            ..F0
        },
    )
    .sized(192)
    .cropped(0.9, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["dm_in1k"])
    .top1(83.468, 256, TIMM_RESULTS),
    nfnet(
        "dm_nfnet_f1",
        "NFNet-F1, DeepMind's",
        NfNet {
            depths: times(2),
            code: NfCode::DeepMind,
            ..F0
        },
    )
    .cropped(0.91, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["dm_in1k"])
    .top1(84.7, 320, TIMM_RESULTS),
    nfnet(
        "dm_nfnet_f2",
        "NFNet-F2, DeepMind's",
        NfNet {
            depths: times(3),
            code: NfCode::DeepMind,
            ..F0
        },
    )
    .sized(256)
    .cropped(0.92, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["dm_in1k"])
    .top1(85.184, 352, TIMM_RESULTS),
    nfnet(
        "dm_nfnet_f3",
        "NFNet-F3, DeepMind's",
        NfNet {
            depths: times(4),
            code: NfCode::DeepMind,
            ..F0
        },
    )
    .sized(320)
    .cropped(0.94, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["dm_in1k"])
    .top1(85.676, 416, TIMM_RESULTS),
    nfnet(
        "dm_nfnet_f4",
        "NFNet-F4, DeepMind's",
        NfNet {
            depths: times(5),
            code: NfCode::DeepMind,
            ..F0
        },
    )
    .sized(384)
    .cropped(0.951, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["dm_in1k"])
    .top1(85.838, 512, TIMM_RESULTS),
    nfnet(
        "dm_nfnet_f5",
        "NFNet-F5, DeepMind's",
        NfNet {
            depths: times(6),
            code: NfCode::DeepMind,
            ..F0
        },
    )
    .sized(416)
    .cropped(0.954, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["dm_in1k"])
    .top1(86.102, 544, TIMM_RESULTS),
    nfnet(
        "dm_nfnet_f6",
        "NFNet-F6, DeepMind's",
        NfNet {
            depths: times(7),
            code: NfCode::DeepMind,
            ..F0
        },
    )
    .sized(448)
    .cropped(0.956, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["dm_in1k"])
    .top1(86.364, 576, TIMM_RESULTS),
    nfnet(
        "nfnet_f0",
        "NFNet-F0, timm's",
        NfNet {
            depths: times(1),
            ..F0
        },
    )
    .sized(192)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nfnet_f1",
        "NFNet-F1, timm's",
        NfNet {
            depths: times(2),
            ..F0
        },
    )
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nfnet_f2",
        "NFNet-F2, timm's",
        NfNet {
            depths: times(3),
            ..F0
        },
    )
    .sized(256)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nfnet_f3",
        "NFNet-F3, timm's",
        NfNet {
            depths: times(4),
            ..F0
        },
    )
    .sized(320)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nfnet_f4",
        "NFNet-F4, timm's",
        NfNet {
            depths: times(5),
            ..F0
        },
    )
    .sized(384)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nfnet_f5",
        "NFNet-F5, timm's",
        NfNet {
            depths: times(6),
            ..F0
        },
    )
    .sized(416)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nfnet_f6",
        "NFNet-F6, timm's",
        NfNet {
            depths: times(7),
            ..F0
        },
    )
    .sized(448)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nfnet_f7",
        "NFNet-F7, timm's",
        NfNet {
            depths: times(8),
            ..F0
        },
    )
    .sized(480)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet("nfnet_l0", "NFNet-L0, timm's lighter one", L0)
        .cropped(0.9, Interpolation::Bicubic)
        .on_hub(&["ra2_in1k"])
        .top1(82.766, 288, TIMM_RESULTS),
    nfnet(
        "nf_regnet_b0",
        "NF-RegNet-B0",
        NfNet {
            stem: NfStem::Single(40),
            depths: [1, 3, 6, 6],
            channels: [40, 80, 160, 328],
            features: Some(960),
            ..NF_REGNET
        },
    )
    .sized(192)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_regnet_b1",
        "NF-RegNet-B1",
        NfNet {
            stem: NfStem::Single(40),
            depths: [2, 4, 7, 7],
            channels: [40, 80, 160, 328],
            features: Some(960),
            ..NF_REGNET
        },
    )
    .sized(256)
    .cropped(0.9, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(79.368, 288, TIMM_RESULTS),
    nfnet(
        "nf_regnet_b2",
        "NF-RegNet-B2",
        NfNet {
            stem: NfStem::Single(40),
            depths: [2, 4, 8, 8],
            channels: [40, 88, 176, 368],
            features: Some(1064),
            ..NF_REGNET
        },
    )
    .sized(240)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_regnet_b3",
        "NF-RegNet-B3",
        NfNet {
            stem: NfStem::Single(40),
            depths: [2, 5, 9, 9],
            channels: [40, 96, 184, 400],
            features: Some(1152),
            ..NF_REGNET
        },
    )
    .sized(288)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_regnet_b4",
        "NF-RegNet-B4",
        NfNet {
            stem: NfStem::Single(48),
            depths: [2, 6, 11, 11],
            channels: [48, 112, 216, 464],
            features: Some(1344),
            ..NF_REGNET
        },
    )
    .sized(320)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_regnet_b5",
        "NF-RegNet-B5",
        NfNet {
            stem: NfStem::Single(64),
            depths: [3, 7, 14, 14],
            channels: [64, 128, 256, 528],
            features: Some(1536),
            ..NF_REGNET
        },
    )
    .sized(384)
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_seresnet26",
        "NF-SE-ResNet-26",
        NfNet {
            depths: [2, 2, 2, 2],
            squeeze: SIXTEENTH_OF_8,
            ..NF_RESNET
        },
    )
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_seresnet50",
        "NF-SE-ResNet-50",
        NfNet {
            depths: [3, 4, 6, 3],
            squeeze: SIXTEENTH_OF_8,
            ..NF_RESNET
        },
    )
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_seresnet101",
        "NF-SE-ResNet-101",
        NfNet {
            depths: [3, 4, 23, 3],
            squeeze: SIXTEENTH_OF_8,
            ..NF_RESNET
        },
    )
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "test_nfnet",
        "timm's small NFNet, for tests",
        NfNet {
            depths: [1, 1, 1, 1],
            channels: [32, 64, 96, 128],
            group: Some(8),
            features: Some(192),
            ..L0
        },
    )
    .sized(160)
    .cropped(0.95, Interpolation::Bicubic)
    .centred()
    .on_hub(&["r160_in1k"])
    .top1(47.634, 160, TIMM_RESULTS),
    nfnet(
        "nf_resnet26",
        "NF-ResNet-26",
        NfNet {
            depths: [2, 2, 2, 2],
            ..NF_RESNET
        },
    )
    .cropped(0.9, Interpolation::Bicubic),
    nfnet(
        "nf_resnet50",
        "NF-ResNet-50",
        NfNet {
            depths: [3, 4, 6, 3],
            ..NF_RESNET
        },
    )
    .sized(256)
    .cropped(0.94, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(80.658, 288, TIMM_RESULTS),
    nfnet(
        "nf_resnet101",
        "NF-ResNet-101",
        NfNet {
            depths: [3, 4, 23, 3],
            ..NF_RESNET
        },
    )
    .cropped(0.9, Interpolation::Bicubic),
];
