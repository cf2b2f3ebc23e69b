//! timm's PP-LCNetV2 (`timm/models/lcnetv2.py`), as they are trained and with their branches folded.

use super::imagenet;
use crate::network::Network;
use crate::network::architecture::{Architecture, LcNetV2};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

const SMALL: LcNetV2 = LcNetV2 {
    width: 0.75,
    depths: [2, 2, 4, 2],
    folded: false,
};

const BASE: LcNetV2 = LcNetV2 {
    width: 1.,
    depths: [2, 2, 6, 2],
    folded: false,
};

const LARGE: LcNetV2 = LcNetV2 {
    width: 1.25,
    depths: [2, 2, 8, 2],
    folded: false,
};

const fn lcnet_v2(name: &'static str, summary: &'static str, network: LcNetV2) -> Network {
    imagenet(name, summary, TIMM, Architecture::LcNetV2(network))
}

pub(super) const NETWORKS: &[Network] = &[
    lcnet_v2("lcnetv2_small", "PP-LCNetV2 small", SMALL)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["paddle_in1k"]),
    lcnet_v2("lcnetv2_base", "PP-LCNetV2 base", BASE)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ssld_in1k", "paddle_in1k"]),
    lcnet_v2("lcnetv2_large", "PP-LCNetV2 large", LARGE)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["paddle_in1k"]),
    lcnet_v2(
        "lcnetv2_small_folded",
        "PP-LCNetV2 small, each sum of depthwise convolutions folded into one",
        LcNetV2 {
            folded: true,
            ..SMALL
        },
    )
    .cropped(0.875, Interpolation::Bicubic),
    lcnet_v2(
        "lcnetv2_base_folded",
        "PP-LCNetV2 base, each sum of depthwise convolutions folded into one",
        LcNetV2 {
            folded: true,
            ..BASE
        },
    )
    .cropped(0.875, Interpolation::Bicubic),
    lcnet_v2(
        "lcnetv2_large_folded",
        "PP-LCNetV2 large, each sum of depthwise convolutions folded into one",
        LcNetV2 {
            folded: true,
            ..LARGE
        },
    )
    .cropped(0.875, Interpolation::Bicubic),
];
