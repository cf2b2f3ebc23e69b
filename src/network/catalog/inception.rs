//! Inception networks, plain as `PyTorch` code has them and with SE blocks as the authors of the
//! `SENet` paper and users of Keras do.

use super::{SIXTEENTH, TORCHVISION, imagenet};
use crate::network::architecture::{Architecture, BnInception, InceptionResNet, InceptionV3};
use crate::network::convention::{CADENE, KERAS, PaddingRule, TIMM};
use crate::network::geometry::Border;
use crate::network::{Convention, Network};
use crate::preprocessing::Interpolation;

/// torchvision's and timm's: as Google trained them.
const TIMM_INCEPTION: Convention = Convention {
    pool_padding: PaddingRule::Valid,
    epsilon: 1e-3,
    ..TIMM
};

/// The conventions of Keras's applications, whose batch norms have no gamma.
const KERAS_INCEPTION: Convention = Convention {
    pool_padding: PaddingRule::Valid,
    norm_weight: false,
    ..KERAS
};

pub(super) const NETWORKS: &[Network] = &[
    // Its weights want blue first, from 0 to 255, which `cropped` cannot say.
    imagenet(
        "bn_inception",
        "BN-Inception as ported from Caffe, its convolutions with bias",
        Convention {
            conv_bias: true,
            ..CADENE
        },
        Architecture::BnInception(BnInception { squeeze: None }),
    ),
    imagenet(
        "se_bn_inception",
        "SE-BN-Inception as in Caffe, an SE block after each of ten modules",
        CADENE,
        Architecture::BnInception(BnInception { squeeze: SIXTEENTH }),
    ),
    // torchvision's file expects ImageNet's mean and deviation and undoes them in the network
    // (`transform_input`): from -1 to 1 is what its first convolution sees.
    imagenet(
        "inception_v3",
        "Inception-v3",
        TIMM_INCEPTION,
        Architecture::InceptionV3(InceptionV3 { squeeze: None }),
    )
    .sized(299)
    .cropped(0.875, Interpolation::Bicubic)
    .centred()
    .on_hub(&["tv_in1k", "tf_in1k", "tf_adv_in1k", "gluon_in1k"])
    .top1(77.294, 299, TORCHVISION),
    imagenet(
        "se_inception_v3",
        "SE-Inception-v3 in Keras's conventions, an SE block after each of 11 modules",
        KERAS_INCEPTION,
        Architecture::InceptionV3(InceptionV3 { squeeze: SIXTEENTH }),
    )
    .sized(299),
    imagenet(
        "inception_resnet_v2",
        "Inception-ResNet-v2",
        Convention {
            average_border: Border::LeftOut,
            ..TIMM_INCEPTION
        },
        Architecture::InceptionResNet(InceptionResNet { squeeze: None }),
    )
    .sized(299)
    .cropped(0.8975, Interpolation::Bicubic)
    .centred()
    .on_hub(&["tf_in1k", "tf_ens_adv_in1k"]),
    imagenet(
        "se_inception_resnet_v2",
        "SE-Inception-ResNet-v2 in Keras's conventions, an SE block after each of 43 modules, two \
         after the last",
        KERAS_INCEPTION,
        Architecture::InceptionResNet(InceptionResNet { squeeze: SIXTEENTH }),
    )
    .sized(299),
];
