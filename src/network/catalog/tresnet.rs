//! timm's `TResNet`s (`timm/models/tresnet.py`).

use super::{TIMM_RESULTS, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, TResNet};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

const fn tresnet(name: &'static str, summary: &'static str, network: TResNet) -> Network {
    imagenet(name, summary, TIMM, Architecture::TResNet(network))
}

pub(super) const NETWORKS: &[Network] = &[
    tresnet(
        "tresnet_m",
        "TResNet-M",
        TResNet {
            depths: [3, 4, 11, 3],
            width: 64,
            bottleneck_stages: 2,
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .unshifted()
    .on_hub(&[
        "miil_in21k_ft_in1k",
        "miil_in21k",
        "miil_in1k",
        "miil_in1k_448",
    ])
    .top1(83.09, 224, TIMM_RESULTS),
    tresnet(
        "tresnet_l",
        "TResNet-L",
        TResNet {
            depths: [4, 5, 18, 3],
            width: 76,
            bottleneck_stages: 2,
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .unshifted()
    .on_hub(&["miil_in1k", "miil_in1k_448"])
    .top1(82.278, 448, TIMM_RESULTS),
    tresnet(
        "tresnet_xl",
        "TResNet-XL",
        TResNet {
            depths: [4, 5, 24, 3],
            width: 83,
            bottleneck_stages: 2,
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .unshifted()
    .on_hub(&["miil_in1k", "miil_in1k_448"])
    .top1(83.066, 448, TIMM_RESULTS),
    tresnet(
        "tresnet_v2_l",
        "TResNet-L, version 2",
        TResNet {
            depths: [3, 4, 23, 3],
            width: 64,
            bottleneck_stages: 4,
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .unshifted()
    .on_hub(&["miil_in21k_ft_in1k", "miil_in21k"])
    .top1(83.91, 224, TIMM_RESULTS),
];
