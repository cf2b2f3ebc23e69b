//! timm's `RegNet`s (`timm/models/regnet.py`), whose arithmetic torchvision shares.

use super::{TIMM_RESULTS, TORCHVISION, imagenet};
use crate::network::architecture::{
    Architecture, GroupRounding, RegNet, RegNetShortcut, RegNetWidths, SqueezeWidth,
};
use crate::network::convention::TIMM;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

/// The widths aside.
const X: RegNet = RegNet {
    widths: RegNetWidths {
        initial: 0,
        slope: 0.,
        factor: 1.,
        depth: 0,
        group: 1,
        rounding: GroupRounding::Nearest,
    },
    expansion: 1,
    squeeze: None,
    activation: Activation::Relu,
    preactivated: false,
    shortcut: RegNetShortcut::Projection,
    activated_sum: true,
    features: None,
};

/// The paper's section 5: a quarter of what goes into the bottleneck.
const Y: RegNet = RegNet {
    squeeze: Some(SqueezeWidth::Share(0.25)),
    ..X
};

const V: RegNet = RegNet {
    activation: Activation::Silu,
    preactivated: true,
    ..Y
};

/// As in `ClassyVision`: bottlenecks that widen by 4, and nothing around those that change the
/// shape.
const Z: RegNet = RegNet {
    expansion: 4,
    activation: Activation::Silu,
    shortcut: RegNetShortcut::Missing,
    activated_sum: false,
    ..Y
};

/// torchvision's rounding of a width to a multiple of its group's.
const DIVISIBLE: RegNetWidths = RegNetWidths {
    rounding: GroupRounding::Divisible,
    ..X.widths
};

const fn regnet(name: &'static str, summary: &'static str, network: RegNet) -> Network {
    imagenet(name, summary, TIMM, Architecture::RegNet(network))
}

pub(super) const NETWORKS: &[Network] = &[
    regnet(
        "regnety_002",
        "RegNetY-200MF",
        RegNet {
            widths: RegNetWidths {
                initial: 24,
                slope: 36.44,
                factor: 2.49,
                group: 8,
                depth: 13,
                ..X.widths
            },
            ..Y
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(70.288, 224, TIMM_RESULTS),
    regnet(
        "regnety_004",
        "RegNetY-400MF",
        RegNet {
            widths: RegNetWidths {
                initial: 48,
                slope: 27.89,
                factor: 2.09,
                group: 8,
                depth: 16,
                ..X.widths
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_400mf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(75.594, 224, TIMM_RESULTS),
    regnet(
        "regnety_006",
        "RegNetY-600MF",
        RegNet {
            widths: RegNetWidths {
                initial: 48,
                slope: 32.54,
                factor: 2.32,
                group: 16,
                depth: 15,
                ..X.widths
            },
            ..Y
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(75.274, 224, TIMM_RESULTS),
    regnet(
        "regnety_008",
        "RegNetY-800MF",
        RegNet {
            widths: RegNetWidths {
                initial: 56,
                slope: 38.84,
                factor: 2.4,
                group: 16,
                depth: 14,
                ..X.widths
            },
            ..Y
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(76.334, 224, TIMM_RESULTS),
    regnet(
        "regnety_008_tv",
        "RegNetY-800MF, widths rounded as in torchvision",
        RegNet {
            widths: RegNetWidths {
                initial: 56,
                slope: 38.84,
                factor: 2.4,
                group: 16,
                depth: 14,
                ..DIVISIBLE
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_800mf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k"])
    .top1(78.672, 224, TIMM_RESULTS),
    regnet(
        "regnety_016",
        "RegNetY-1.6GF",
        RegNet {
            widths: RegNetWidths {
                initial: 48,
                slope: 20.71,
                factor: 2.65,
                group: 24,
                depth: 27,
                ..X.widths
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_1_6gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(80.668, 224, TIMM_RESULTS),
    regnet(
        "regnety_032",
        "RegNetY-3.2GF",
        RegNet {
            widths: RegNetWidths {
                initial: 80,
                slope: 42.63,
                factor: 2.66,
                group: 24,
                depth: 21,
                ..X.widths
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_3_2gf")
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra_in1k", "tv2_in1k", "pycls_in1k"])
    .top1(82.724, 288, TIMM_RESULTS),
    regnet(
        "regnety_040",
        "RegNetY-4.0GF",
        RegNet {
            widths: RegNetWidths {
                initial: 96,
                slope: 31.41,
                factor: 2.24,
                group: 64,
                depth: 22,
                ..X.widths
            },
            ..Y
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra3_in1k", "pycls_in1k"])
    .top1(83.048, 288, TIMM_RESULTS),
    regnet(
        "regnety_064",
        "RegNetY-6.4GF",
        RegNet {
            widths: RegNetWidths {
                initial: 112,
                slope: 33.22,
                factor: 2.27,
                group: 72,
                depth: 25,
                ..X.widths
            },
            ..Y
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra3_in1k", "pycls_in1k"])
    .top1(83.716, 288, TIMM_RESULTS),
    regnet(
        "regnety_080",
        "RegNetY-8.0GF",
        RegNet {
            widths: RegNetWidths {
                initial: 192,
                slope: 76.82,
                factor: 2.19,
                group: 56,
                depth: 17,
                ..X.widths
            },
            ..Y
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra3_in1k", "pycls_in1k"])
    .top1(83.94, 288, TIMM_RESULTS),
    regnet(
        "regnety_080_tv",
        "RegNetY-8.0GF, widths rounded as in torchvision",
        RegNet {
            widths: RegNetWidths {
                initial: 192,
                slope: 76.82,
                factor: 2.19,
                group: 56,
                depth: 17,
                ..DIVISIBLE
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_8gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k"])
    .top1(82.58, 224, TIMM_RESULTS),
    regnet(
        "regnety_120",
        "RegNetY-12GF",
        RegNet {
            widths: RegNetWidths {
                initial: 168,
                slope: 73.36,
                factor: 2.37,
                group: 112,
                depth: 19,
                ..X.widths
            },
            ..Y
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["sw_in12k_ft_in1k", "sw_in12k", "pycls_in1k"])
    .top1(85.428, 288, TIMM_RESULTS),
    regnet(
        "regnety_160",
        "RegNetY-16GF",
        RegNet {
            widths: RegNetWidths {
                initial: 200,
                slope: 106.23,
                factor: 2.48,
                group: 112,
                depth: 18,
                ..X.widths
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_16gf")
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&[
        "sw_in12k_ft_in1k",
        "lion_in12k_ft_in1k",
        "sw_in12k",
        "deit_in1k",
        "tv2_in1k",
        "swag_ft_in1k",
        "swag_lc_in1k",
        "pycls_in1k",
    ])
    .top1(86.028, 288, TIMM_RESULTS),
    regnet(
        "regnety_320",
        "RegNetY-32GF",
        RegNet {
            widths: RegNetWidths {
                initial: 232,
                slope: 115.89,
                factor: 2.53,
                group: 232,
                depth: 20,
                ..X.widths
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_32gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&[
        "tv2_in1k",
        "swag_ft_in1k",
        "swag_lc_in1k",
        "seer_ft_in1k",
        "seer",
        "pycls_in1k",
    ])
    .top1(86.83, 384, TIMM_RESULTS),
    regnet(
        "regnety_640",
        "RegNetY-64GF",
        RegNet {
            widths: RegNetWidths {
                initial: 352,
                slope: 147.48,
                factor: 2.4,
                group: 328,
                depth: 20,
                ..X.widths
            },
            ..Y
        },
    )
    .sized(384)
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["seer_ft_in1k", "seer"])
    .top1(83.924, 384, TIMM_RESULTS),
    regnet(
        "regnety_1280",
        "RegNetY-128GF",
        RegNet {
            widths: RegNetWidths {
                initial: 456,
                slope: 160.83,
                factor: 2.52,
                group: 264,
                depth: 27,
                ..X.widths
            },
            ..Y
        },
    )
    .called(TORCHVISION, "regnet_y_128gf")
    .sized(384)
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["swag_ft_in1k", "swag_lc_in1k", "seer_ft_in1k", "seer"])
    .top1(88.228, 384, TIMM_RESULTS),
    regnet(
        "regnety_2560",
        "RegNetY-256GF",
        RegNet {
            widths: RegNetWidths {
                initial: 640,
                slope: 230.83,
                factor: 2.53,
                group: 373,
                depth: 27,
                ..X.widths
            },
            ..Y
        },
    )
    .sized(384)
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["seer_ft_in1k"])
    .top1(85.144, 384, TIMM_RESULTS),
    regnet(
        "regnetv_040",
        "RegNetV-4.0GF, batch norms first",
        RegNet {
            widths: RegNetWidths {
                initial: 96,
                slope: 31.41,
                factor: 2.24,
                group: 64,
                depth: 22,
                ..X.widths
            },
            ..V
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra3_in1k"])
    .top1(83.204, 288, TIMM_RESULTS),
    regnet(
        "regnetv_064",
        "RegNetV-6.4GF, batch norms first",
        RegNet {
            widths: RegNetWidths {
                initial: 112,
                slope: 33.22,
                factor: 2.27,
                group: 72,
                depth: 25,
                ..X.widths
            },
            shortcut: RegNetShortcut::Averaged,
            ..V
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["ra3_in1k"])
    .top1(83.746, 288, TIMM_RESULTS),
    regnet(
        "regnetz_005",
        "RegNetZ-500MF",
        RegNet {
            widths: RegNetWidths {
                initial: 16,
                slope: 10.7,
                factor: 2.51,
                group: 4,
                depth: 21,
                ..X.widths
            },
            features: Some(1024),
            ..Z
        },
    )
    .cropped(0.95, Interpolation::Bicubic),
    regnet(
        "regnetz_040",
        "RegNetZ-4.0GF",
        RegNet {
            widths: RegNetWidths {
                initial: 48,
                slope: 14.5,
                factor: 2.226,
                group: 8,
                depth: 28,
                ..X.widths
            },
            ..Z
        },
    )
    .sized(256)
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["ra3_in1k"])
    .top1(84.242, 320, TIMM_RESULTS),
    regnet(
        "regnetz_040_h",
        "RegNetZ-4.0GF, a convolution before the classifier",
        RegNet {
            widths: RegNetWidths {
                initial: 48,
                slope: 14.5,
                factor: 2.226,
                group: 8,
                depth: 28,
                ..X.widths
            },
            features: Some(1536),
            ..Z
        },
    )
    .sized(256)
    .cropped(1.0, Interpolation::Bicubic)
    .on_hub(&["ra3_in1k"])
    .top1(84.498, 320, TIMM_RESULTS),
    regnet(
        "regnetx_002",
        "RegNetX-200MF",
        RegNet {
            widths: RegNetWidths {
                initial: 24,
                slope: 36.44,
                factor: 2.49,
                group: 8,
                depth: 13,
                ..X.widths
            },
            ..X
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(68.758, 224, TIMM_RESULTS),
    regnet(
        "regnetx_004",
        "RegNetX-400MF",
        RegNet {
            widths: RegNetWidths {
                initial: 24,
                slope: 24.48,
                factor: 2.54,
                group: 16,
                depth: 22,
                ..X.widths
            },
            ..X
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(72.482, 224, TIMM_RESULTS),
    regnet(
        "regnetx_004_tv",
        "RegNetX-400MF, widths rounded as in torchvision",
        RegNet {
            widths: RegNetWidths {
                initial: 24,
                slope: 24.48,
                factor: 2.54,
                group: 16,
                depth: 22,
                ..DIVISIBLE
            },
            ..X
        },
    )
    .called(TORCHVISION, "regnet_x_400mf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k"])
    .top1(74.596, 224, TIMM_RESULTS),
    regnet(
        "regnetx_006",
        "RegNetX-600MF",
        RegNet {
            widths: RegNetWidths {
                initial: 48,
                slope: 36.97,
                factor: 2.24,
                group: 24,
                depth: 16,
                ..X.widths
            },
            ..X
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(73.904, 224, TIMM_RESULTS),
    regnet(
        "regnetx_008",
        "RegNetX-800MF",
        RegNet {
            widths: RegNetWidths {
                initial: 56,
                slope: 35.73,
                factor: 2.28,
                group: 16,
                depth: 16,
                ..X.widths
            },
            ..X
        },
    )
    .called(TORCHVISION, "regnet_x_800mf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(77.294, 224, TIMM_RESULTS),
    regnet(
        "regnetx_016",
        "RegNetX-1.6GF",
        RegNet {
            widths: RegNetWidths {
                initial: 80,
                slope: 34.01,
                factor: 2.25,
                group: 24,
                depth: 18,
                ..X.widths
            },
            ..X
        },
    )
    .called(TORCHVISION, "regnet_x_1_6gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(79.44, 224, TIMM_RESULTS),
    regnet(
        "regnetx_032",
        "RegNetX-3.2GF",
        RegNet {
            widths: RegNetWidths {
                initial: 88,
                slope: 26.31,
                factor: 2.25,
                group: 48,
                depth: 25,
                ..X.widths
            },
            ..X
        },
    )
    .called(TORCHVISION, "regnet_x_3_2gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(80.916, 224, TIMM_RESULTS),
    regnet(
        "regnetx_040",
        "RegNetX-4.0GF",
        RegNet {
            widths: RegNetWidths {
                initial: 96,
                slope: 38.65,
                factor: 2.43,
                group: 40,
                depth: 23,
                ..X.widths
            },
            ..X
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(78.486, 224, TIMM_RESULTS),
    regnet(
        "regnetx_064",
        "RegNetX-6.4GF",
        RegNet {
            widths: RegNetWidths {
                initial: 184,
                slope: 60.83,
                factor: 2.07,
                group: 56,
                depth: 17,
                ..X.widths
            },
            ..X
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(79.062, 224, TIMM_RESULTS),
    regnet(
        "regnetx_080",
        "RegNetX-8.0GF",
        RegNet {
            widths: RegNetWidths {
                initial: 80,
                slope: 49.56,
                factor: 2.88,
                group: 120,
                depth: 23,
                ..X.widths
            },
            ..X
        },
    )
    .called(TORCHVISION, "regnet_x_8gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(81.552, 224, TIMM_RESULTS),
    regnet(
        "regnetx_120",
        "RegNetX-12GF",
        RegNet {
            widths: RegNetWidths {
                initial: 168,
                slope: 73.36,
                factor: 2.37,
                group: 112,
                depth: 19,
                ..X.widths
            },
            ..X
        },
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["pycls_in1k"])
    .top1(79.608, 224, TIMM_RESULTS),
    regnet(
        "regnetx_160",
        "RegNetX-16GF",
        RegNet {
            widths: RegNetWidths {
                initial: 216,
                slope: 55.59,
                factor: 2.1,
                group: 128,
                depth: 22,
                ..X.widths
            },
            ..X
        },
    )
    .called(TORCHVISION, "regnet_x_16gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(82.574, 224, TIMM_RESULTS),
    regnet(
        "regnetx_320",
        "RegNetX-32GF",
        RegNet {
            widths: RegNetWidths {
                initial: 320,
                slope: 69.86,
                factor: 2.0,
                group: 168,
                depth: 23,
                ..X.widths
            },
            ..X
        },
    )
    .called(TORCHVISION, "regnet_x_32gf")
    .cropped(0.965, Interpolation::Bicubic)
    .on_hub(&["tv2_in1k", "pycls_in1k"])
    .top1(82.824, 224, TIMM_RESULTS),
];
