//! timm's `RepVGG` and `MobileOne` (`timm/models/byobnet.py`), as they are trained, and as
//! `timm.utils.reparameterize_model` folds them.

use super::{SIXTEENTH, TIMM_RESULTS, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, MobileOne, RepVgg};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

const B0: RepVgg = RepVgg {
    stem: 64,
    depths: [4, 6, 16, 1],
    widths: [64, 128, 256, 1280],
    groups: 1,
    squeeze: None,
    folded: false,
};

const D2SE: RepVgg = RepVgg {
    depths: [8, 14, 24, 1],
    widths: [160, 320, 640, 2560],
    squeeze: SIXTEENTH,
    ..B0
};

const S4: MobileOne = MobileOne {
    stem: 64,
    widths: [192, 448, 896, 2048],
    gated: [0, 0, 5, 1],
    branches: 1,
    folded: false,
};

const PLAIN: MobileOne = MobileOne {
    gated: [0; 4],
    ..S4
};

const fn rep_vgg(name: &'static str, summary: &'static str, network: RepVgg) -> Network {
    imagenet(name, summary, TIMM, Architecture::RepVgg(network))
}

const fn mobile_one(name: &'static str, summary: &'static str, network: MobileOne) -> Network {
    imagenet(name, summary, TIMM, Architecture::MobileOne(network))
}

pub(super) const NETWORKS: &[Network] = &[
    rep_vgg("repvgg_d2se", "SE-RepVGG-D2", D2SE)
        .sized(320)
        .cropped(1.0, Interpolation::Bilinear)
        .on_hub(&["rvgg_in1k"])
        .top1(83.55, 320, TIMM_RESULTS),
    rep_vgg(
        "repvgg_d2se_folded",
        "SE-RepVGG-D2, each sum of branches folded into one convolution",
        RepVgg {
            folded: true,
            ..D2SE
        },
    )
    .sized(320)
    .cropped(1.0, Interpolation::Bilinear),
    mobile_one("mobileone_s4", "SE-MobileOne-S4", S4)
        .cropped(0.9, Interpolation::Bilinear)
        .on_hub(&["apple_in1k"])
        .top1(79.446, 224, TIMM_RESULTS),
    mobile_one(
        "mobileone_s4_folded",
        "SE-MobileOne-S4, each sum of branches folded into one convolution",
        MobileOne { folded: true, ..S4 },
    )
    .cropped(0.9, Interpolation::Bilinear),
    rep_vgg(
        "repvgg_a0",
        "RepVGG-A0",
        RepVgg {
            stem: 48,
            depths: [2, 4, 14, 1],
            widths: [48, 96, 192, 1280],
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(72.426, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_a1",
        "RepVGG-A1",
        RepVgg {
            depths: [2, 4, 14, 1],
            widths: [64, 128, 256, 1280],
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(74.474, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_a2",
        "RepVGG-A2",
        RepVgg {
            depths: [2, 4, 14, 1],
            widths: [96, 192, 384, 1408],
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(76.488, 224, TIMM_RESULTS),
    rep_vgg("repvgg_b0", "RepVGG-B0", B0)
        .cropped(0.875, Interpolation::Bilinear)
        .on_hub(&["rvgg_in1k"])
        .top1(75.158, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_b1",
        "RepVGG-B1",
        RepVgg {
            widths: [128, 256, 512, 2048],
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(78.37, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_b1g4",
        "RepVGG-B1, every second convolution of 4 groups",
        RepVgg {
            widths: [128, 256, 512, 2048],
            groups: 4,
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(77.608, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_b2",
        "RepVGG-B2",
        RepVgg {
            widths: [160, 320, 640, 2560],
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(78.788, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_b2g4",
        "RepVGG-B2, every second convolution of 4 groups",
        RepVgg {
            widths: [160, 320, 640, 2560],
            groups: 4,
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(79.396, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_b3",
        "RepVGG-B3",
        RepVgg {
            widths: [192, 384, 768, 2560],
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(80.528, 224, TIMM_RESULTS),
    rep_vgg(
        "repvgg_b3g4",
        "RepVGG-B3, every second convolution of 4 groups",
        RepVgg {
            widths: [192, 384, 768, 2560],
            groups: 4,
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["rvgg_in1k"])
    .top1(80.224, 224, TIMM_RESULTS),
    mobile_one(
        "mobileone_s0",
        "MobileOne-S0",
        MobileOne {
            stem: 48,
            widths: [48, 128, 256, 1024],
            branches: 4,
            ..PLAIN
        },
    )
    .cropped(0.875, Interpolation::Bilinear)
    .on_hub(&["apple_in1k"])
    .top1(71.398, 224, TIMM_RESULTS),
    mobile_one(
        "mobileone_s1",
        "MobileOne-S1",
        MobileOne {
            widths: [96, 192, 512, 1280],
            ..PLAIN
        },
    )
    .cropped(0.9, Interpolation::Bilinear)
    .on_hub(&["apple_in1k"])
    .top1(75.76, 224, TIMM_RESULTS),
    mobile_one(
        "mobileone_s2",
        "MobileOne-S2",
        MobileOne {
            widths: [96, 256, 640, 2048],
            ..PLAIN
        },
    )
    .cropped(0.9, Interpolation::Bilinear)
    .on_hub(&["apple_in1k"])
    .top1(77.504, 224, TIMM_RESULTS),
    mobile_one(
        "mobileone_s3",
        "MobileOne-S3",
        MobileOne {
            widths: [128, 320, 768, 2048],
            ..PLAIN
        },
    )
    .cropped(0.9, Interpolation::Bilinear)
    .on_hub(&["apple_in1k"])
    .top1(78.002, 224, TIMM_RESULTS),
];
