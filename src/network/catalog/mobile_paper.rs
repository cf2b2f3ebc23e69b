//! The mobile networks of the `SENet` paper (Hu et al., arXiv:1709.01507, table 3), with their SE
//! blocks and without, in Keras's conventions.

use super::{SIXTEENTH, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, MobileNet, ShuffleNet};
use crate::network::convention::KERAS;

/// "`ShuffleNet` 1x (g = 3)".
const SHUFFLENET: ShuffleNet = ShuffleNet {
    groups: 3,
    width: 240,
    squeeze: None,
};

pub(super) const NETWORKS: &[Network] = &[
    imagenet(
        "mobilenet",
        "MobileNet, 1.0 times as wide, in Keras's conventions",
        KERAS,
        Architecture::MobileNet(MobileNet { squeeze: None }),
    ),
    imagenet(
        "se_mobilenet",
        "SE-MobileNet, an SE block after each of 13 separable convolutions",
        KERAS,
        Architecture::MobileNet(MobileNet { squeeze: SIXTEENTH }),
    ),
    imagenet(
        "shufflenet",
        "ShuffleNet, 1 time as wide, 3 groups, in Keras's conventions",
        KERAS,
        Architecture::ShuffleNet(SHUFFLENET),
    ),
    imagenet(
        "se_shufflenet",
        "SE-ShuffleNet, an SE block in each of 16 units",
        KERAS,
        Architecture::ShuffleNet(ShuffleNet {
            squeeze: SIXTEENTH,
            ..SHUFFLENET
        }),
    ),
];
