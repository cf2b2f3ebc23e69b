//! timm's `ReXNet`s (`timm/models/rexnet.py`).

use super::{TIMM_RESULTS, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, RexNet};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

const fn rexnet(name: &'static str, summary: &'static str, width: f64, divisor: usize) -> Network {
    let network = RexNet { width, divisor };
    imagenet(name, summary, TIMM, Architecture::RexNet(network))
}

pub(super) const NETWORKS: &[Network] = &[
    rexnet("rexnet_100", "ReXNet, 1.0 times as wide", 1., 1)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["nav_in1k"])
        .top1(77.862, 224, TIMM_RESULTS),
    rexnet("rexnet_130", "ReXNet, 1.3 times as wide", 1.3, 1)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["nav_in1k"])
        .top1(79.492, 224, TIMM_RESULTS),
    rexnet("rexnet_150", "ReXNet, 1.5 times as wide", 1.5, 1)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["nav_in1k"])
        .top1(80.322, 224, TIMM_RESULTS),
    rexnet("rexnet_200", "ReXNet, 2.0 times as wide", 2., 1)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["nav_in1k"])
        .top1(81.636, 224, TIMM_RESULTS),
    rexnet("rexnet_300", "ReXNet, 3.0 times as wide", 3., 1)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["nav_in1k"])
        .top1(82.78, 224, TIMM_RESULTS),
    rexnet(
        "rexnetr_100",
        "ReXNet of channels in multiples of 8, 1.0 times as wide",
        1.,
        8,
    )
    .cropped(0.875, Interpolation::Bicubic),
    rexnet(
        "rexnetr_130",
        "ReXNet of channels in multiples of 8, 1.3 times as wide",
        1.3,
        8,
    )
    .cropped(0.875, Interpolation::Bicubic),
    rexnet(
        "rexnetr_150",
        "ReXNet of channels in multiples of 8, 1.5 times as wide",
        1.5,
        8,
    )
    .cropped(0.875, Interpolation::Bicubic),
    rexnet(
        "rexnetr_200",
        "ReXNet of channels in multiples of 8, 2.0 times as wide",
        2.,
        8,
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["sw_in12k_ft_in1k", "sw_in12k"])
    .top1(82.602, 224, TIMM_RESULTS),
    rexnet(
        "rexnetr_300",
        "ReXNet of channels in multiples of 16, 3.0 times as wide",
        3.,
        16,
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["sw_in12k_ft_in1k", "sw_in12k"])
    .top1(84.036, 224, TIMM_RESULTS),
];
