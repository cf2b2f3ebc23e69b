//! VGG with batch norms, as torchvision has it, and with SE blocks.

use super::{SIXTEENTH, TORCHVISION, imagenet};
use crate::network::architecture::{Architecture, Vgg};
use crate::network::convention::{PaddingRule, TIMM};
use crate::network::{Convention, Network};
use crate::preprocessing::Interpolation;

/// Simonyan and Zisserman, arXiv:1409.1556, table 1, column D.
const VGG16: Vgg = Vgg {
    depths: &[2, 2, 3, 3, 3],
    squeeze: None,
};

const fn vgg(name: &'static str, summary: &'static str, vgg: Vgg) -> Network {
    let convention = Convention {
        pool_padding: PaddingRule::Valid,
        conv_bias: true,
        ..TIMM
    };
    imagenet(name, summary, convention, Architecture::Vgg(vgg))
}

pub(super) const NETWORKS: &[Network] = &[
    vgg("vgg16_bn", "VGG-16 with batch norms", VGG16)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["tv_in1k"])
        .top1(73.36, 224, TORCHVISION),
    vgg(
        "se_vgg16_bn",
        "SE-VGG-16 with batch norms, an SE block after the ReLU of every convolution",
        Vgg {
            squeeze: SIXTEENTH,
            ..VGG16
        },
    ),
];
