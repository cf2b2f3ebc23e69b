//! timm's networks of residual blocks of several kinds (`timm/models/byobnet.py`).

use super::{SIXTEENTH_OF_8, TIMM_RESULTS, imagenet};
use crate::network::architecture::{
    Architecture, Byob, ByobBlock, ByobShortcut, ByobStage, ByobStem, SqueezeWidth,
};
use crate::network::convention::TIMM;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

const fn byob(name: &'static str, summary: &'static str, network: Byob) -> Network {
    imagenet(name, summary, TIMM, Architecture::Byob(network))
}

/// Blocks of one kind whose groups are so wide inside.
const fn stage(block: ByobBlock, depth: usize, channels: usize, stride: usize) -> ByobStage {
    ByobStage {
        block,
        depth,
        channels,
        stride,
        group: 0,
        share: 0.25,
    }
}

/// A `ResNet`'s stage.
const fn resnet(depth: usize, channels: usize, stride: usize) -> ByobStage {
    stage(ByobBlock::Bottleneck, depth, channels, stride)
}

/// A `ResNeXt`'s stage, its groups 32 wide.
const fn resnext(depth: usize, channels: usize, stride: usize) -> ByobStage {
    ByobStage {
        group: 32,
        ..resnet(depth, channels, stride)
    }
}

/// A `RegNet`-Z's stage, its groups so wide.
const fn regnetz(depth: usize, channels: usize, stride: usize, group: usize) -> ByobStage {
    ByobStage {
        group,
        share: 4.,
        ..stage(ByobBlock::InvertedBottleneck, depth, channels, stride)
    }
}

/// A `GENet`'s stage of bottlenecks that widen, of depthwise convolutions.
const fn wide(depth: usize, channels: usize, stride: usize) -> ByobStage {
    ByobStage {
        group: 1,
        share: 3.,
        ..resnet(depth, channels, stride)
    }
}

/// A `GENet`'s stage of basic blocks.
const fn basic(depth: usize, channels: usize) -> ByobStage {
    ByobStage {
        share: 1.,
        ..stage(ByobBlock::Basic, depth, channels, 2)
    }
}

const QUARTER: Option<SqueezeWidth> = Some(SqueezeWidth::Rounded {
    ratio: 4,
    multiple: 8,
});

const RESNET33TS: Byob = Byob {
    stem: ByobStem::Strided([24, 32, 64]),
    stages: &[
        resnet(2, 256, 1),
        resnet(3, 512, 2),
        resnet(3, 1536, 2),
        resnet(2, 1536, 2),
    ],
    activation: Activation::Silu,
    shortcut: ByobShortcut::Projection,
    activated_sum: true,
    squeeze: None,
    features: Some(1280),
};

const RESNEXT26TS: Byob = Byob {
    stem: ByobStem::Pooled([24, 32, 64]),
    stages: &[
        resnext(2, 256, 1),
        resnext(2, 512, 2),
        resnext(2, 1024, 2),
        resnext(2, 2048, 2),
    ],
    features: None,
    ..RESNET33TS
};

/// Bottlenecks that widen, no function after a sum, and nothing around blocks that change the
/// shape.
const REGNETZ: Byob = Byob {
    shortcut: ByobShortcut::Missing,
    activated_sum: false,
    squeeze: QUARTER,
    ..RESNET33TS
};

/// Lin et al., arXiv:2006.14090.
const GENET: Byob = Byob {
    activation: Activation::Relu,
    features: Some(2560),
    ..RESNET33TS
};

pub(super) const NETWORKS: &[Network] = &[
    byob(
        "seresnet33ts",
        "SE-ResNet-33-T, SiLU and a convolution before the classifier",
        Byob {
            squeeze: SIXTEENTH_OF_8,
            ..RESNET33TS
        },
    )
    .sized(256)
    .cropped(0.9, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(80.814, 288, TIMM_RESULTS),
    byob(
        "seresnext26ts",
        "SE-ResNeXt-26-T, groups of 32, SiLU",
        Byob {
            squeeze: SIXTEENTH_OF_8,
            ..RESNEXT26TS
        },
    )
    .sized(256)
    .cropped(0.9, Interpolation::Bicubic)
    .on_hub(&["ch_in1k"])
    .top1(78.292, 288, TIMM_RESULTS),
    byob(
        "regnetz_b16",
        "RegNetZ-B16",
        Byob {
            stem: ByobStem::Single(32),
            stages: &[
                ByobStage {
                    share: 3.0,
                    ..regnetz(2, 48, 2, 16)
                },
                ByobStage {
                    share: 3.0,
                    ..regnetz(6, 96, 2, 16)
                },
                ByobStage {
                    share: 3.0,
                    ..regnetz(12, 192, 2, 16)
                },
                ByobStage {
                    share: 3.0,
                    ..regnetz(2, 288, 2, 16)
                },
            ],
            features: Some(1536),
            ..REGNETZ
        },
    )
    .cropped(0.94, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ra3_in1k"])
    .top1(80.74, 288, TIMM_RESULTS),
    byob(
        "regnetz_c16",
        "RegNetZ-C16",
        Byob {
            stem: ByobStem::Single(32),
            stages: &[
                regnetz(2, 48, 2, 16),
                regnetz(6, 96, 2, 16),
                regnetz(12, 192, 2, 16),
                regnetz(2, 288, 2, 16),
            ],
            features: Some(1536),
            ..REGNETZ
        },
    )
    .sized(256)
    .cropped(0.94, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ra3_in1k"])
    .top1(82.662, 320, TIMM_RESULTS),
    byob(
        "regnetz_d8",
        "RegNetZ-D8",
        Byob {
            stages: &[
                regnetz(3, 64, 1, 8),
                regnetz(6, 128, 2, 8),
                regnetz(12, 256, 2, 8),
                regnetz(3, 384, 2, 8),
            ],
            features: Some(1792),
            ..REGNETZ
        },
    )
    .sized(256)
    .cropped(0.94, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ra3_in1k"])
    .top1(84.044, 320, TIMM_RESULTS),
    byob(
        "regnetz_d32",
        "RegNetZ-D32",
        Byob {
            stages: &[
                regnetz(3, 64, 1, 32),
                regnetz(6, 128, 2, 32),
                regnetz(12, 256, 2, 32),
                regnetz(3, 384, 2, 32),
            ],
            features: Some(1792),
            ..REGNETZ
        },
    )
    .sized(256)
    .cropped(0.95, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ra3_in1k"])
    .top1(84.028, 320, TIMM_RESULTS),
    byob(
        "regnetz_e8",
        "RegNetZ-E8",
        Byob {
            stages: &[
                regnetz(3, 96, 1, 8),
                regnetz(8, 192, 2, 8),
                regnetz(16, 384, 2, 8),
                regnetz(3, 512, 2, 8),
            ],
            features: Some(2048),
            ..REGNETZ
        },
    )
    .sized(256)
    .cropped(0.94, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ra3_in1k"])
    .top1(85.016, 320, TIMM_RESULTS),
    byob(
        "test_byobnet",
        "timm's small network of every kind of block, for tests",
        Byob {
            stem: ByobStem::Single(24),
            stages: &[
                ByobStage {
                    share: 0.5,
                    ..stage(ByobBlock::Edge, 1, 32, 2)
                },
                ByobStage {
                    share: 0.5,
                    ..stage(ByobBlock::Dark, 1, 64, 2)
                },
                ByobStage {
                    group: 32,
                    ..stage(ByobBlock::Basic, 1, 128, 2)
                },
                ByobStage {
                    group: 64,
                    ..resnet(1, 256, 2)
                },
            ],
            activation: Activation::Relu,
            shortcut: ByobShortcut::Averaged,
            squeeze: QUARTER,
            features: None,
            ..RESNET33TS
        },
    )
    .sized(160)
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["r160_in1k"])
    .top1(45.858, 160, TIMM_RESULTS),
    byob(
        "resnet33ts",
        "ResNet-33-T, SiLU and a convolution before the classifier",
        RESNET33TS,
    )
    .sized(256)
    .cropped(0.9, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(79.71, 288, TIMM_RESULTS),
    byob(
        "resnet32ts",
        "ResNet-32-T, SiLU",
        Byob {
            features: None,
            ..RESNET33TS
        },
    )
    .sized(256)
    .cropped(0.9, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(79.388, 288, TIMM_RESULTS),
    byob(
        "resnext26ts",
        "ResNeXt-26-T, groups of 32, SiLU",
        RESNEXT26TS,
    )
    .sized(256)
    .cropped(0.9, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(77.186, 288, TIMM_RESULTS),
    byob(
        "gernet_s",
        "GENet-small",
        Byob {
            stem: ByobStem::Single(13),
            stages: &[
                basic(1, 48),
                basic(3, 48),
                resnet(7, 384, 2),
                wide(2, 560, 2),
                wide(1, 256, 1),
            ],
            features: Some(1920),
            ..GENET
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["idstcv_in1k"])
    .top1(76.874, 224, TIMM_RESULTS),
    byob(
        "gernet_m",
        "GENet-normal",
        Byob {
            stem: ByobStem::Single(32),
            stages: &[
                basic(1, 128),
                basic(2, 192),
                resnet(6, 640, 2),
                wide(4, 640, 2),
                wide(1, 640, 1),
            ],
            ..GENET
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["idstcv_in1k"])
    .top1(80.702, 224, TIMM_RESULTS),
    byob(
        "gernet_l",
        "GENet-large",
        Byob {
            stem: ByobStem::Single(32),
            stages: &[
                basic(1, 128),
                basic(2, 192),
                resnet(6, 640, 2),
                wide(5, 640, 2),
                wide(4, 640, 1),
            ],
            ..GENET
        },
    )
    .sized(256)
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["idstcv_in1k"])
    .top1(81.354, 256, TIMM_RESULTS),
];
