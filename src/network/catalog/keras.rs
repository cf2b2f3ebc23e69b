//! Residual networks in Keras's conventions, with SE blocks and without.

use super::{RESNET50, SIXTEENTH, imagenet};
use crate::network::Network;
use crate::network::architecture::{
    Architecture, Block, ResNet, Shortcut, SqueezeWidth, Stem, StemConvs, StemPool, Strided,
};
use crate::network::convention::KERAS;

/// He et al., arXiv:1512.03385, section 4.2: depth 6n + 2, n basic blocks a stage.
const CIFAR: ResNet = ResNet {
    stem: Stem {
        convs: StemConvs::Single {
            channels: 16,
            kernel: 3,
            stride: 1,
        },
        pool: StemPool::None,
    },
    block: Block::Basic,
    depths: &[3, 3, 3],
    width: 16,
    shortcut: Shortcut::Projection,
    strided: Strided::Spatial,
    squeeze: None,
};

/// The gates keep 1/8 of the channels, not 1/16: a 16th of 16 channels is a single number.
const CIFAR_GATED: ResNet = ResNet {
    squeeze: Some(SqueezeWidth::Reduction {
        ratio: 8,
        minimum: 4,
    }),
    ..CIFAR
};

const fn cifar(name: &'static str, summary: &'static str, resnet: ResNet) -> Network {
    let mut network = imagenet(name, summary, KERAS, Architecture::ResNet(resnet)).sized(32);
    network.classes = Some(10);
    network
}

pub(super) const NETWORKS: &[Network] = &[
    cifar(
        "seresnet20",
        "SE-ResNet-20 for 32x32 images",
        ResNet {
            depths: &[3, 3, 3],
            ..CIFAR_GATED
        },
    ),
    cifar(
        "seresnet32",
        "SE-ResNet-32 for 32x32 images",
        ResNet {
            depths: &[5, 5, 5],
            ..CIFAR_GATED
        },
    ),
    cifar(
        "seresnet44",
        "SE-ResNet-44 for 32x32 images",
        ResNet {
            depths: &[7, 7, 7],
            ..CIFAR_GATED
        },
    ),
    cifar(
        "seresnet56",
        "SE-ResNet-56 for 32x32 images",
        ResNet {
            depths: &[9, 9, 9],
            ..CIFAR_GATED
        },
    ),
    cifar(
        "seresnet110",
        "SE-ResNet-110 for 32x32 images",
        ResNet {
            depths: &[18, 18, 18],
            ..CIFAR_GATED
        },
    ),
    cifar(
        "resnet20",
        "ResNet-20 for 32x32 images",
        ResNet {
            depths: &[3, 3, 3],
            ..CIFAR
        },
    ),
    cifar(
        "resnet32",
        "ResNet-32 for 32x32 images",
        ResNet {
            depths: &[5, 5, 5],
            ..CIFAR
        },
    ),
    cifar(
        "resnet44",
        "ResNet-44 for 32x32 images",
        ResNet {
            depths: &[7, 7, 7],
            ..CIFAR
        },
    ),
    cifar(
        "resnet56",
        "ResNet-56 for 32x32 images",
        ResNet {
            depths: &[9, 9, 9],
            ..CIFAR
        },
    ),
    cifar(
        "resnet110",
        "ResNet-110 for 32x32 images",
        ResNet {
            depths: &[18, 18, 18],
            ..CIFAR
        },
    ),
    imagenet(
        "keras_seresnet50",
        "SE-ResNet-50 in Keras's conventions",
        KERAS,
        Architecture::ResNet(ResNet {
            squeeze: SIXTEENTH,
            ..RESNET50
        }),
    ),
    imagenet(
        "keras_resnet50",
        "ResNet-50 in Keras's conventions",
        KERAS,
        Architecture::ResNet(RESNET50),
    ),
];
