//! Cadene's ports of the authors' Caffe models, kept by timm as `legacy_*` (`timm/models/senet.py`).

use super::{RESNET50, SENET154, SIXTEENTH, TIMM_RESULTS, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, Block, ResNet, Strided};
use crate::network::convention::CADENE;
use crate::preprocessing::Interpolation;

/// Hu et al., arXiv:1709.01507, table 1: as in He et al., a bottleneck strides on its first 1x1.
const BOTTLENECK: ResNet = ResNet {
    strided: Strided::First,
    squeeze: SIXTEENTH,
    ..RESNET50
};

const BASIC: ResNet = ResNet {
    block: Block::RectifiedBasic,
    ..BOTTLENECK
};

/// Its bottleneck strides on the 3x3.
const GROUPED: ResNet = ResNet {
    block: Block::grouped(32, 4),
    strided: Strided::Spatial,
    ..BOTTLENECK
};

/// The code base that the rows come from, of which timm has more than it had.
const PRETRAINED_MODELS: &str = "pretrained-models.pytorch";

const fn cadene(name: &'static str, summary: &'static str, resnet: ResNet) -> Network {
    imagenet(name, summary, CADENE, Architecture::ResNet(resnet))
}

pub(super) const NETWORKS: &[Network] = &[
    cadene(
        "legacy_seresnet18",
        "SE-ResNet-18 as ported from Caffe",
        ResNet {
            depths: &[2, 2, 2, 2],
            ..BASIC
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(71.742, 224, TIMM_RESULTS),
    cadene(
        "legacy_seresnet34",
        "SE-ResNet-34 as ported from Caffe",
        ResNet {
            depths: &[3, 4, 6, 3],
            ..BASIC
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["in1k"])
    .top1(74.788, 224, TIMM_RESULTS),
    cadene(
        "legacy_seresnet50",
        "SE-ResNet-50 as ported from Caffe",
        ResNet {
            depths: &[3, 4, 6, 3],
            ..BOTTLENECK
        },
    )
    .called(PRETRAINED_MODELS, "se_resnet50")
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["in1k"])
    .top1(77.65, 224, TIMM_RESULTS),
    cadene(
        "legacy_seresnet101",
        "SE-ResNet-101 as ported from Caffe",
        ResNet {
            depths: &[3, 4, 23, 3],
            ..BOTTLENECK
        },
    )
    .called(PRETRAINED_MODELS, "se_resnet101")
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["in1k"])
    .top1(78.37, 224, TIMM_RESULTS),
    cadene(
        "legacy_seresnet152",
        "SE-ResNet-152 as ported from Caffe",
        ResNet {
            depths: &[3, 8, 36, 3],
            ..BOTTLENECK
        },
    )
    .called(PRETRAINED_MODELS, "se_resnet152")
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["in1k"])
    .top1(78.662, 224, TIMM_RESULTS),
    cadene(
        "legacy_seresnext26_32x4d",
        "SE-ResNeXt-26 as ported from Caffe",
        ResNet {
            depths: &[2, 2, 2, 2],
            ..GROUPED
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(77.1, 224, TIMM_RESULTS),
    cadene(
        "legacy_seresnext50_32x4d",
        "SE-ResNeXt-50 as ported from Caffe",
        ResNet {
            depths: &[3, 4, 6, 3],
            ..GROUPED
        },
    )
    .called(PRETRAINED_MODELS, "se_resnext50_32x4d")
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["in1k"])
    .top1(79.08, 224, TIMM_RESULTS),
    cadene(
        "legacy_seresnext101_32x4d",
        "SE-ResNeXt-101 as ported from Caffe",
        ResNet {
            depths: &[3, 4, 23, 3],
            ..GROUPED
        },
    )
    .called(PRETRAINED_MODELS, "se_resnext101_32x4d")
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["in1k"])
    .top1(80.274, 224, TIMM_RESULTS),
    cadene(
        "legacy_senet154",
        "SENet-154 as ported from Caffe",
        ResNet {
            squeeze: SIXTEENTH,
            ..SENET154
        },
    )
    .called(PRETRAINED_MODELS, "senet154")
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["in1k"])
    .top1(81.32, 224, TIMM_RESULTS),
];
