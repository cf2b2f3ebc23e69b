//! torchvision's mobile networks (`torchvision/models/`): those of the other files of this folder
//! with symmetric padding, of which some have TensorFlow's epsilon all the same.

use super::efficientnet::{B0, b};
use super::efficientnet_v2::{L, M, S};
use super::mnasnet::{B1, wide};
use super::mobilenet::V2;
use super::mobilenet_v3::{LARGE, SMALL};
use crate::network::Network;
use crate::network::architecture::{Architecture, EfficientNet};
use crate::network::catalog::{TORCHVISION as SOURCE, imagenet};
use crate::network::convention::{TENSORFLOW, TORCHVISION};
use crate::preprocessing::Interpolation;

/// A network that torchvision calls so too, but for the `tv_` in front.
const fn tv(name: &'static str, summary: &'static str, network: EfficientNet) -> Network {
    let (_, own_name) = name.split_at("tv_".len());
    imagenet(
        name,
        summary,
        TORCHVISION,
        Architecture::EfficientNet(network),
    )
    .called(TORCHVISION.name, own_name)
}

/// With TensorFlow's epsilon.
const fn loose(name: &'static str, summary: &'static str, network: EfficientNet) -> Network {
    let mut network = tv(name, summary, network);
    network.convention.epsilon = TENSORFLOW.epsilon;
    network
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    tv("tv_efficientnet_b0", "EfficientNet-B0 of torchvision", B0)
        .cropped(0.875, Interpolation::Bicubic)
        .top1(77.692, 224, SOURCE),
    tv(
        "tv_efficientnet_b1",
        "EfficientNet-B1 of torchvision",
        b(1., &[1.1]),
    )
    .sized(240)
    .cropped(0.94, Interpolation::Bilinear)
    .top1(79.838, 240, SOURCE),
    tv(
        "tv_efficientnet_b2",
        "EfficientNet-B2 of torchvision",
        b(1.1, &[1.2]),
    )
    .sized(288)
    .cropped(1.0, Interpolation::Bicubic)
    .top1(80.608, 288, SOURCE),
    tv(
        "tv_efficientnet_b3",
        "EfficientNet-B3 of torchvision",
        b(1.2, &[1.4]),
    )
    .sized(300)
    .cropped(0.9375, Interpolation::Bicubic)
    .top1(82.008, 300, SOURCE),
    tv(
        "tv_efficientnet_b4",
        "EfficientNet-B4 of torchvision",
        b(1.4, &[1.8]),
    )
    .sized(380)
    .cropped(0.98958, Interpolation::Bicubic)
    .top1(83.384, 380, SOURCE),
    loose(
        "tv_efficientnet_b5",
        "EfficientNet-B5 of torchvision",
        b(1.6, &[2.2]),
    )
    .sized(456)
    .cropped(1.0, Interpolation::Bicubic)
    .top1(83.444, 456, SOURCE),
    loose(
        "tv_efficientnet_b6",
        "EfficientNet-B6 of torchvision",
        b(1.8, &[2.6]),
    )
    .sized(528)
    .cropped(1.0, Interpolation::Bicubic)
    .top1(84.008, 528, SOURCE),
    loose(
        "tv_efficientnet_b7",
        "EfficientNet-B7 of torchvision",
        b(2., &[3.1]),
    )
    .sized(600)
    .cropped(1.0, Interpolation::Bicubic)
    .top1(84.122, 600, SOURCE),
    loose("tv_efficientnet_v2_s", "EfficientNetV2-S of torchvision", S)
        .sized(384)
        .cropped(1.0, Interpolation::Bilinear)
        .top1(84.228, 384, SOURCE),
    loose("tv_efficientnet_v2_m", "EfficientNetV2-M of torchvision", M)
        .sized(480)
        .cropped(1.0, Interpolation::Bilinear)
        .top1(85.112, 480, SOURCE),
    loose("tv_efficientnet_v2_l", "EfficientNetV2-L of torchvision", L)
        .sized(480)
        .cropped(1.0, Interpolation::Bicubic)
        .centred()
        .top1(85.808, 480, SOURCE),
    tv("tv_mobilenet_v2", "MobileNetV2 of torchvision", V2)
        .cropped(0.9655, Interpolation::Bilinear)
        .top1(72.154, 224, SOURCE),
    loose(
        "tv_mobilenet_v3_large",
        "MobileNetV3-Large of torchvision",
        LARGE,
    )
    .cropped(0.9655, Interpolation::Bilinear)
    .top1(75.274, 224, SOURCE),
    loose(
        "tv_mobilenet_v3_small",
        "MobileNetV3-Small of torchvision",
        SMALL,
    )
    .cropped(0.875, Interpolation::Bilinear)
    .top1(67.668, 224, SOURCE),
    tv(
        "tv_mnasnet0_5",
        "MnasNet-B1 of torchvision, half as wide",
        wide(0.5, B1),
    )
    .cropped(0.875, Interpolation::Bilinear)
    .top1(67.734, 224, SOURCE),
    tv(
        "tv_mnasnet0_75",
        "MnasNet-B1 of torchvision, 0.75 times as wide",
        wide(0.75, B1),
    )
    .cropped(0.9655, Interpolation::Bilinear)
    .top1(71.18, 224, SOURCE),
    tv("tv_mnasnet1_0", "MnasNet-B1 of torchvision", B1)
        .cropped(0.875, Interpolation::Bilinear)
        .top1(73.456, 224, SOURCE),
    tv(
        "tv_mnasnet1_3",
        "MnasNet-B1 of torchvision, 1.3 times as wide",
        wide(1.3, B1),
    )
    .cropped(0.9655, Interpolation::Bilinear)
    .top1(76.506, 224, SOURCE),
];
