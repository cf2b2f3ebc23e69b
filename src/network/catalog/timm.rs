//! timm's SE-ResNet, SE-ResNeXt and SENet-154 (`timm/models/resnet.py`), and their plain twins,
//! whose names and arithmetic torchvision shares.

use super::{RESNET50, SENET154, SIXTEENTH_OF_8, TIMM_RESULTS, TORCHVISION, deep, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, Block, ResNet, Shortcut, StemPool, Strided};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

const BASIC: ResNet = ResNet {
    block: Block::Basic,
    ..RESNET50
};

/// The names' `d`: He et al., arXiv:1812.01187, `ResNet`-D.
const DEEP: ResNet = ResNet {
    stem: deep([32, 32, 64], StemPool::Max),
    shortcut: Shortcut::Averaged,
    ..RESNET50
};

/// The names' `t`: the stem's first convolution is narrower.
const TIERED: ResNet = ResNet {
    stem: deep([24, 32, 64], StemPool::Max),
    ..DEEP
};

/// The names' `aa`: no 3x3 convolution strides, average pools follow instead.
const ANTIALIASED: ResNet = ResNet {
    stem: deep([32, 32, 64], StemPool::Average),
    strided: Strided::Averaged,
    ..DEEP
};

const fn gated(resnet: ResNet) -> ResNet {
    ResNet {
        squeeze: SIXTEENTH_OF_8,
        ..resnet
    }
}

const fn timm(name: &'static str, summary: &'static str, resnet: ResNet) -> Network {
    imagenet(name, summary, TIMM, Architecture::ResNet(resnet))
}

pub(super) const NETWORKS: &[Network] = &[
    timm(
        "seresnet18",
        "SE-ResNet-18",
        gated(ResNet {
            depths: &[2, 2, 2, 2],
            ..BASIC
        }),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnet34",
        "SE-ResNet-34",
        gated(ResNet {
            depths: &[3, 4, 6, 3],
            ..BASIC
        }),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnet50",
        "SE-ResNet-50",
        gated(ResNet {
            depths: &[3, 4, 6, 3],
            ..RESNET50
        }),
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["a1_in1k", "a2_in1k", "a3_in1k", "ra2_in1k"])
    .top1(81.288, 288, TIMM_RESULTS),
    timm(
        "seresnet50t",
        "SE-ResNet-50-T",
        gated(ResNet {
            depths: &[3, 4, 6, 3],
            ..TIERED
        }),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnet101",
        "SE-ResNet-101",
        gated(ResNet {
            depths: &[3, 4, 23, 3],
            ..RESNET50
        }),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnet152",
        "SE-ResNet-152",
        gated(ResNet {
            depths: &[3, 8, 36, 3],
            ..RESNET50
        }),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnet152d",
        "SE-ResNet-152-D",
        gated(ResNet {
            depths: &[3, 8, 36, 3],
            ..DEEP
        }),
    )
    .sized(256)
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(84.344, 320, TIMM_RESULTS),
    timm(
        "seresnet200d",
        "SE-ResNet-200-D",
        gated(ResNet {
            depths: &[3, 24, 36, 3],
            ..DEEP
        }),
    )
    .sized(256)
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnet269d",
        "SE-ResNet-269-D",
        gated(ResNet {
            depths: &[3, 30, 48, 8],
            ..DEEP
        }),
    )
    .sized(256)
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnetaa50d",
        "SE-ResNet-50-D, averaged against aliasing",
        gated(ResNet {
            depths: &[3, 4, 6, 3],
            ..ANTIALIASED
        }),
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "seresnext26d_32x4d",
        "SE-ResNeXt-26-D, 32 groups of 4",
        gated(ResNet {
            depths: &[2, 2, 2, 2],
            block: Block::grouped(32, 4),
            ..DEEP
        }),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["bt_in1k"])
    .top1(78.816, 288, TIMM_RESULTS),
    timm(
        "seresnext26t_32x4d",
        "SE-ResNeXt-26-T, 32 groups of 4",
        gated(ResNet {
            depths: &[2, 2, 2, 2],
            block: Block::grouped(32, 4),
            ..TIERED
        }),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["bt_in1k"])
    .top1(78.736, 288, TIMM_RESULTS),
    timm(
        "seresnext50_32x4d",
        "SE-ResNeXt-50, 32 groups of 4",
        gated(ResNet {
            depths: &[3, 4, 6, 3],
            block: Block::grouped(32, 4),
            ..RESNET50
        }),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["gluon_in1k", "racm_in1k"])
    .top1(82.186, 288, TIMM_RESULTS),
    timm(
        "seresnext101_32x4d",
        "SE-ResNeXt-101, 32 groups of 4",
        gated(ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(32, 4),
            ..RESNET50
        }),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["gluon_in1k"])
    .top1(80.886, 224, TIMM_RESULTS),
    timm(
        "seresnext101_32x8d",
        "SE-ResNeXt-101, 32 groups of 8",
        gated(ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(32, 8),
            ..RESNET50
        }),
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ah_in1k"])
    .top1(84.192, 288, TIMM_RESULTS),
    timm(
        "seresnext101_64x4d",
        "SE-ResNeXt-101, 64 groups of 4",
        gated(ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(64, 4),
            ..RESNET50
        }),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["gluon_in1k"])
    .top1(80.884, 224, TIMM_RESULTS),
    timm(
        "seresnext101d_32x8d",
        "SE-ResNeXt-101-D, 32 groups of 8",
        gated(ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(32, 8),
            ..DEEP
        }),
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ah_in1k"])
    .top1(84.38, 288, TIMM_RESULTS),
    timm(
        "seresnextaa101d_32x8d",
        "SE-ResNeXt-101-D, 32 groups of 8, averaged against aliasing",
        gated(ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(32, 8),
            ..ANTIALIASED
        }),
    )
    .sized(288)
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&[
        "sw_in12k_ft_in1k_288",
        "sw_in12k_ft_in1k",
        "ah_in1k",
        "sw_in12k",
    ])
    .top1(86.722, 320, TIMM_RESULTS),
    timm(
        "seresnextaa201d_32x8d",
        "SE-ResNeXt-201-D, 32 groups of 8, averaged against aliasing",
        gated(ResNet {
            depths: &[3, 24, 36, 4],
            stem: deep([64, 64, 128], StemPool::Average),
            block: Block::grouped(32, 8),
            ..ANTIALIASED
        }),
    )
    .sized(384)
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["sw_in12k_ft_in1k_384", "sw_in12k"])
    .top1(87.304, 384, TIMM_RESULTS),
    timm("senet154", "SENet-154", gated(SENET154))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["gluon_in1k"])
        .top1(81.258, 224, TIMM_RESULTS),
    timm(
        "resnet18",
        "ResNet-18",
        ResNet {
            depths: &[2, 2, 2, 2],
            ..BASIC
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "a1_in1k",
        "a2_in1k",
        "a3_in1k",
        "tv_in1k",
        "fb_ssl_yfcc100m_ft_in1k",
        "fb_swsl_ig1b_ft_in1k",
        "gluon_in1k",
    ])
    .top1(69.758, 224, TORCHVISION),
    timm(
        "resnet34",
        "ResNet-34",
        ResNet {
            depths: &[3, 4, 6, 3],
            ..BASIC
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "a1_in1k",
        "a2_in1k",
        "a3_in1k",
        "bt_in1k",
        "ra4_e3600_r224_in1k",
        "tv_in1k",
        "gluon_in1k",
    ])
    .top1(73.314, 224, TORCHVISION),
    timm(
        "resnet50",
        "ResNet-50",
        ResNet {
            depths: &[3, 4, 6, 3],
            ..RESNET50
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "a1_in1k",
        "a1h_in1k",
        "a2_in1k",
        "a3_in1k",
        "b1k_in1k",
        "b2k_in1k",
        "c1_in1k",
        "c2_in1k",
        "d_in1k",
        "ram_in1k",
        "am_in1k",
        "ra_in1k",
        "bt_in1k",
        "tv_in1k",
        "tv2_in1k",
        "bamboo",
        "fb_ssl_yfcc100m_ft_in1k",
        "fb_swsl_ig1b_ft_in1k",
        "gluon_in1k",
    ])
    .top1(80.858, 224, TORCHVISION),
    timm(
        "resnet50t",
        "ResNet-50-T",
        ResNet {
            depths: &[3, 4, 6, 3],
            ..TIERED
        },
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "resnet101",
        "ResNet-101",
        ResNet {
            depths: &[3, 4, 23, 3],
            ..RESNET50
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "a1h_in1k",
        "a1_in1k",
        "a2_in1k",
        "a3_in1k",
        "tv_in1k",
        "tv2_in1k",
        "gluon_in1k",
    ])
    .top1(81.886, 224, TORCHVISION),
    timm(
        "resnet152",
        "ResNet-152",
        ResNet {
            depths: &[3, 8, 36, 3],
            ..RESNET50
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "a1h_in1k",
        "a1_in1k",
        "a2_in1k",
        "a3_in1k",
        "tv_in1k",
        "tv2_in1k",
        "gluon_in1k",
    ])
    .top1(82.284, 224, TORCHVISION),
    timm(
        "resnet152d",
        "ResNet-152-D",
        ResNet {
            depths: &[3, 8, 36, 3],
            ..DEEP
        },
    )
    .sized(256)
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k", "gluon_in1k"]),
    timm(
        "resnet200d",
        "ResNet-200-D",
        ResNet {
            depths: &[3, 24, 36, 3],
            ..DEEP
        },
    )
    .sized(256)
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"]),
    timm(
        "resnetaa50d",
        "ResNet-50-D, averaged against aliasing",
        ResNet {
            depths: &[3, 4, 6, 3],
            ..ANTIALIASED
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["sw_in12k_ft_in1k", "sw_in12k", "d_in12k"]),
    timm(
        "resnext50_32x4d",
        "ResNeXt-50, 32 groups of 4",
        ResNet {
            depths: &[3, 4, 6, 3],
            block: Block::grouped(32, 4),
            ..RESNET50
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "a1h_in1k",
        "a1_in1k",
        "a2_in1k",
        "a3_in1k",
        "ra_in1k",
        "tv_in1k",
        "tv2_in1k",
        "fb_ssl_yfcc100m_ft_in1k",
        "fb_swsl_ig1b_ft_in1k",
        "gluon_in1k",
    ])
    .top1(81.198, 224, TORCHVISION),
    timm(
        "resnext101_32x4d",
        "ResNeXt-101, 32 groups of 4",
        ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(32, 4),
            ..RESNET50
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "fb_ssl_yfcc100m_ft_in1k",
        "fb_swsl_ig1b_ft_in1k",
        "gluon_in1k",
    ]),
    timm(
        "resnext101_32x8d",
        "ResNeXt-101, 32 groups of 8",
        ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(32, 8),
            ..RESNET50
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&[
        "tv_in1k",
        "tv2_in1k",
        "fb_wsl_ig1b_ft_in1k",
        "fb_ssl_yfcc100m_ft_in1k",
        "fb_swsl_ig1b_ft_in1k",
    ])
    .top1(82.834, 224, TORCHVISION),
    timm(
        "resnext101_64x4d",
        "ResNeXt-101, 64 groups of 4",
        ResNet {
            depths: &[3, 4, 23, 3],
            block: Block::grouped(64, 4),
            ..RESNET50
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["c1_in1k", "tv_in1k", "gluon_in1k"])
    .top1(83.246, 224, TORCHVISION),
];
