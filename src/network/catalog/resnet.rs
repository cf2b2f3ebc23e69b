//! Residual networks, with SE blocks and without.

use crate::network::convention::KERAS;
use crate::network::{Architecture, Block, Input, Network, ResNet, SqueezeWidth, Stem};

const CIFAR_IMAGE: Input = Input {
    channels: 3,
    height: 32,
    width: 32,
};

const IMAGENET_IMAGE: Input = Input {
    channels: 3,
    height: 224,
    width: 224,
};

/// He et al., arXiv:1512.03385, section 4.2: depth 6n + 2, n basic blocks a stage.
/// The gates keep 1/8 of the channels, not 1/16: a 16th of 16 channels is a single number.
const CIFAR: ResNet = ResNet {
    stem: Stem {
        channels: 16,
        kernel: 3,
        stride: 1,
        pool: None,
    },
    block: Block::Basic,
    depths: &[3, 3, 3],
    width: 16,
    squeeze: None,
    classes: 10,
};

const CIFAR_SQUEEZE: Option<SqueezeWidth> = Some(SqueezeWidth::Reduction {
    ratio: 8,
    minimum: 4,
});

/// He et al., table 1, the 50-layer column; the stride on the 3x3.
const IMAGENET: ResNet = ResNet {
    stem: Stem {
        channels: 64,
        kernel: 7,
        stride: 2,
        pool: Some((3, 2)),
    },
    block: Block::Bottleneck,
    depths: &[3, 4, 6, 3],
    width: 64,
    squeeze: None,
    classes: 1000,
};

const IMAGENET_SQUEEZE: Option<SqueezeWidth> = Some(SqueezeWidth::Reduction {
    ratio: 16,
    minimum: 1,
});

const fn cifar(name: &'static str, summary: &'static str, resnet: ResNet) -> Network {
    Network {
        name,
        summary,
        convention: KERAS,
        input: CIFAR_IMAGE,
        architecture: Architecture::ResNet(resnet),
    }
}

pub(super) const SERESNET20: Network = cifar(
    "seresnet20",
    "SE-ResNet-20 for 32x32 images",
    ResNet {
        depths: &[3, 3, 3],
        squeeze: CIFAR_SQUEEZE,
        ..CIFAR
    },
);

pub(super) const SERESNET32: Network = cifar(
    "seresnet32",
    "SE-ResNet-32 for 32x32 images",
    ResNet {
        depths: &[5, 5, 5],
        squeeze: CIFAR_SQUEEZE,
        ..CIFAR
    },
);

pub(super) const SERESNET44: Network = cifar(
    "seresnet44",
    "SE-ResNet-44 for 32x32 images",
    ResNet {
        depths: &[7, 7, 7],
        squeeze: CIFAR_SQUEEZE,
        ..CIFAR
    },
);

pub(super) const SERESNET56: Network = cifar(
    "seresnet56",
    "SE-ResNet-56 for 32x32 images",
    ResNet {
        depths: &[9, 9, 9],
        squeeze: CIFAR_SQUEEZE,
        ..CIFAR
    },
);

pub(super) const SERESNET110: Network = cifar(
    "seresnet110",
    "SE-ResNet-110 for 32x32 images",
    ResNet {
        depths: &[18, 18, 18],
        squeeze: CIFAR_SQUEEZE,
        ..CIFAR
    },
);

pub(super) const RESNET20: Network = cifar(
    "resnet20",
    "ResNet-20 for 32x32 images",
    ResNet {
        depths: &[3, 3, 3],
        ..CIFAR
    },
);

pub(super) const RESNET32: Network = cifar(
    "resnet32",
    "ResNet-32 for 32x32 images",
    ResNet {
        depths: &[5, 5, 5],
        ..CIFAR
    },
);

pub(super) const RESNET44: Network = cifar(
    "resnet44",
    "ResNet-44 for 32x32 images",
    ResNet {
        depths: &[7, 7, 7],
        ..CIFAR
    },
);

pub(super) const RESNET56: Network = cifar(
    "resnet56",
    "ResNet-56 for 32x32 images",
    ResNet {
        depths: &[9, 9, 9],
        ..CIFAR
    },
);

pub(super) const RESNET110: Network = cifar(
    "resnet110",
    "ResNet-110 for 32x32 images",
    ResNet {
        depths: &[18, 18, 18],
        ..CIFAR
    },
);

pub(super) const KERAS_SERESNET50: Network = Network {
    name: "keras_seresnet50",
    summary: "SE-ResNet-50 in Keras's conventions",
    convention: KERAS,
    input: IMAGENET_IMAGE,
    architecture: Architecture::ResNet(ResNet {
        squeeze: IMAGENET_SQUEEZE,
        ..IMAGENET
    }),
};

pub(super) const KERAS_RESNET50: Network = Network {
    name: "keras_resnet50",
    summary: "ResNet-50 in Keras's conventions",
    convention: KERAS,
    input: IMAGENET_IMAGE,
    architecture: Architecture::ResNet(IMAGENET),
};
