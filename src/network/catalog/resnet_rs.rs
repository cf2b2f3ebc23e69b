//! timm's `ResNet`-RS (`timm/models/resnet.py`): Bello et al., arXiv:2103.07579.

use super::{RESNET50, TIMM_RESULTS, deep, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, ResNet, Shortcut, SqueezeWidth, StemPool};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

/// A `ResNet`-D whose stem has a convolution for a pool, gated by a quarter.
const RS: ResNet = ResNet {
    stem: deep([32, 32, 64], StemPool::Conv),
    shortcut: Shortcut::Averaged,
    squeeze: Some(SqueezeWidth::Rounded {
        ratio: 4,
        multiple: 8,
    }),
    ..RESNET50
};

const fn rs(name: &'static str, summary: &'static str, depths: &'static [usize]) -> Network {
    let network = ResNet { depths, ..RS };
    imagenet(name, summary, TIMM, Architecture::ResNet(network))
}

pub(super) const NETWORKS: &[Network] = &[
    rs("resnetrs50", "ResNet-RS-50", &[3, 4, 6, 3])
        .sized(160)
        .cropped(0.91, Interpolation::Bicubic)
        .on_hub(&["tf_in1k"])
        .top1(79.934, 224, TIMM_RESULTS),
    rs("resnetrs101", "ResNet-RS-101", &[3, 4, 23, 3])
        .sized(192)
        .cropped(0.94, Interpolation::Bicubic)
        .on_hub(&["tf_in1k"])
        .top1(82.288, 288, TIMM_RESULTS),
    rs("resnetrs152", "ResNet-RS-152", &[3, 8, 36, 3])
        .sized(256)
        .cropped(1.0, Interpolation::Bicubic)
        .on_hub(&["tf_in1k"])
        .top1(83.71, 320, TIMM_RESULTS),
    rs("resnetrs200", "ResNet-RS-200", &[3, 24, 36, 3])
        .sized(256)
        .cropped(1.0, Interpolation::Bicubic)
        .on_hub(&["tf_in1k"])
        .top1(84.448, 320, TIMM_RESULTS),
    rs("resnetrs270", "ResNet-RS-270", &[4, 29, 53, 4])
        .sized(256)
        .cropped(1.0, Interpolation::Bicubic)
        .on_hub(&["tf_in1k"])
        .top1(84.438, 352, TIMM_RESULTS),
    rs("resnetrs350", "ResNet-RS-350", &[4, 36, 72, 4])
        .sized(288)
        .cropped(1.0, Interpolation::Bicubic)
        .on_hub(&["tf_in1k"])
        .top1(84.71, 384, TIMM_RESULTS),
    rs("resnetrs420", "ResNet-RS-420", &[4, 44, 87, 4])
        .sized(320)
        .cropped(1.0, Interpolation::Bicubic)
        .on_hub(&["tf_in1k"])
        .top1(85.01, 416, TIMM_RESULTS),
];
