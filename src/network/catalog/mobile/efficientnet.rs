//! `EfficientNet`: Tan and Le, arXiv:1905.11946; its relatives without SE blocks, `EfficientNet-Lite`
//! and `EfficientNet-EdgeTPU`; `EfficientNet-X` and `-H` (Li et al., arXiv:2102.05610); `TinyNet`
//! (Han et al., arXiv:2010.14819).

use super::{MOBILE, stem, tf, timm};
use crate::network::architecture::{
    Count, Depth, EfficientNet, MobileHead, MobileStrided, Row, Width, depthwise, edge, inverted,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

/// The paper's table 1, with SE blocks everywhere.
const B0_STAGES: &[&[Row]] = &[
    &[depthwise(16).gated(0.25)],
    &[inverted(24, 6.).times(2).strided().gated(0.25)],
    &[inverted(40, 6.).times(2).kernel(&[5]).strided().gated(0.25)],
    &[inverted(80, 6.).times(3).strided().gated(0.25)],
    &[inverted(112, 6.).times(3).kernel(&[5]).gated(0.25)],
    &[inverted(192, 6.)
        .times(4)
        .kernel(&[5])
        .strided()
        .gated(0.25)],
    &[inverted(320, 6.).gated(0.25)],
];

pub(super) const B0: EfficientNet = EfficientNet {
    stages: B0_STAGES,
    activation: Activation::Silu,
    head: MobileHead::Convolution(Count::Scaled(1280)),
    ..MOBILE
};

/// So many times B0's channels and blocks: the paper's section 3.3.
pub(super) const fn b(width: f64, depth: &'static [f64]) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        depth: Depth::times(depth),
        ..B0
    }
}

/// <https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite>: no SE blocks,
/// and neither stem nor head nor the ends of the stages grow.
const LITE0: EfficientNet = EfficientNet {
    stem: stem(Count::Fixed(32)),
    stages: &[
        &[depthwise(16)],
        &[inverted(24, 6.).times(2).strided()],
        &[inverted(40, 6.).times(2).kernel(&[5]).strided()],
        &[inverted(80, 6.).times(3).strided()],
        &[inverted(112, 6.).times(3).kernel(&[5])],
        &[inverted(192, 6.).times(4).kernel(&[5]).strided()],
        &[inverted(320, 6.)],
    ],
    activation: Activation::Relu6,
    ..MOBILE
};

const fn lite(width: f64, depth: &'static [f64]) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        depth: Depth::times(depth).fixed_ends(),
        ..LITE0
    }
}

/// <https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/edgetpu>: the first
/// block is as wide inside as if its input had its output's channels.
const EDGE_TPU: EfficientNet = EfficientNet {
    stages: &[
        &[edge(24, 4.).expanded_from(24).without_skip()],
        &[edge(32, 8.).times(2).strided()],
        &[edge(48, 8.).times(4).strided()],
        &[inverted(96, 8.).times(5).kernel(&[5]).strided()],
        &[inverted(144, 8.).times(4).kernel(&[5])],
        &[inverted(192, 8.).times(2).kernel(&[5]).strided()],
    ],
    activation: Activation::Relu,
    ..B0
};

const fn edge_tpu(width: f64, depth: &'static [f64]) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        depth: Depth::times(depth),
        ..EDGE_TPU
    }
}

/// `EfficientNet-X`; `EfficientNet-H` has a narrower expansion in the first stages.
const fn x(width: f64, depth: &'static [f64], stages: &'static [&'static [Row]]) -> EfficientNet {
    EfficientNet {
        stages,
        ..b(width, depth)
    }
}

const X_STAGES: &[&[Row]] = &[
    &[depthwise(16).gated(0.25).folding()],
    &[edge(24, 6.)
        .times(2)
        .strided()
        .gated(0.25)
        .function(Activation::Relu)],
    &[edge(40, 6.)
        .times(2)
        .kernel(&[5])
        .strided()
        .gated(0.25)
        .function(Activation::Relu)],
    &[inverted(80, 6.).times(3).strided().gated(0.25)],
    &[inverted(112, 6.).times(3).kernel(&[5]).gated(0.25)],
    &[inverted(192, 6.)
        .times(4)
        .kernel(&[5])
        .strided()
        .gated(0.25)],
    &[inverted(320, 6.).gated(0.25)],
];

const H_STAGES: &[&[Row]] = &[
    &[depthwise(16).gated(0.25).folding()],
    &[edge(24, 4.)
        .times(2)
        .strided()
        .gated(0.25)
        .function(Activation::Relu)],
    &[edge(40, 4.)
        .times(2)
        .kernel(&[5])
        .strided()
        .gated(0.25)
        .function(Activation::Relu)],
    &[inverted(80, 4.).times(3).strided().gated(0.25)],
    &[inverted(112, 6.).times(3).kernel(&[5]).gated(0.25)],
    &[inverted(192, 6.)
        .times(4)
        .kernel(&[5])
        .strided()
        .gated(0.25)],
    &[inverted(320, 6.).gated(0.25)],
];

/// B0 with fewer blocks than channels, at smaller sizes: `TinyNet`.
const fn tiny(width: f64, depth: &'static [f64]) -> EfficientNet {
    EfficientNet {
        stem: stem(Count::Fixed(32)),
        width: Width::times(width),
        depth: Depth::times(depth).rounded(),
        head: MobileHead::Convolution(Count::AtLeast(1280)),
        ..B0
    }
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("efficientnet_b0", "EfficientNet-B0", B0)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra_in1k", "ra4_e3600_r224_in1k"])
        .top1(79.364, 256, TIMM_RESULTS),
    timm("efficientnet_b1", "EfficientNet-B1", b(1., &[1.1]))
        .sized(240)
        .cropped(0.9, Interpolation::Bicubic)
        .centred()
        .on_hub(&["ra4_e3600_r240_in1k", "ft_in1k"])
        .top1(81.444, 288, TIMM_RESULTS),
    timm("efficientnet_b2", "EfficientNet-B2", b(1.1, &[1.2]))
        .sized(256)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra_in1k"])
        .top1(80.612, 288, TIMM_RESULTS),
    timm("efficientnet_b3", "EfficientNet-B3", b(1.2, &[1.4]))
        .sized(288)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra2_in1k"])
        .top1(82.296, 320, TIMM_RESULTS),
    timm("efficientnet_b4", "EfficientNet-B4", b(1.4, &[1.8]))
        .sized(320)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra2_in1k"])
        .top1(83.468, 384, TIMM_RESULTS),
    timm("efficientnet_b5", "EfficientNet-B5", b(1.6, &[2.2]))
        .sized(448)
        .cropped(1.0, Interpolation::Bicubic)
        .squashed()
        .on_hub(&["sw_in12k_ft_in1k", "sw_in12k"])
        .top1(85.894, 448, TIMM_RESULTS),
    timm("efficientnet_b6", "EfficientNet-B6", b(1.8, &[2.6]))
        .sized(528)
        .cropped(0.942, Interpolation::Bicubic),
    timm("efficientnet_b7", "EfficientNet-B7", b(2., &[3.1]))
        .sized(600)
        .cropped(0.949, Interpolation::Bicubic),
    timm("efficientnet_b8", "EfficientNet-B8", b(2.2, &[3.6]))
        .sized(672)
        .cropped(0.954, Interpolation::Bicubic),
    timm("efficientnet_l2", "EfficientNet-L2", b(4.3, &[5.3]))
        .sized(800)
        .cropped(0.961, Interpolation::Bicubic),
    tf("tf_efficientnet_b0", "EfficientNet-B0 from TensorFlow", B0)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ns_jft_in1k", "ap_in1k", "aa_in1k", "in1k"])
        .top1(78.68, 224, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b1",
        "EfficientNet-B1 from TensorFlow",
        b(1., &[1.1]),
    )
    .sized(240)
    .cropped(0.882, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k", "ap_in1k", "aa_in1k", "in1k"])
    .top1(81.388, 240, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b2",
        "EfficientNet-B2 from TensorFlow",
        b(1.1, &[1.2]),
    )
    .sized(260)
    .cropped(0.89, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k", "ap_in1k", "aa_in1k", "in1k"])
    .top1(82.412, 260, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b3",
        "EfficientNet-B3 from TensorFlow",
        b(1.2, &[1.4]),
    )
    .sized(300)
    .cropped(0.904, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k", "ap_in1k", "aa_in1k", "in1k"])
    .top1(84.054, 300, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b4",
        "EfficientNet-B4 from TensorFlow",
        b(1.4, &[1.8]),
    )
    .sized(380)
    .cropped(0.922, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k", "ap_in1k", "aa_in1k", "in1k"])
    .top1(85.156, 380, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b5",
        "EfficientNet-B5 from TensorFlow",
        b(1.6, &[2.2]),
    )
    .sized(456)
    .cropped(0.934, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k", "ap_in1k", "ra_in1k", "aa_in1k", "in1k"])
    .top1(86.096, 456, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b6",
        "EfficientNet-B6 from TensorFlow",
        b(1.8, &[2.6]),
    )
    .sized(528)
    .cropped(0.942, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k", "ap_in1k", "aa_in1k"])
    .top1(86.476, 528, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b7",
        "EfficientNet-B7 from TensorFlow",
        b(2., &[3.1]),
    )
    .sized(600)
    .cropped(0.949, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k", "ap_in1k", "ra_in1k", "aa_in1k"])
    .top1(86.85, 600, TIMM_RESULTS),
    tf(
        "tf_efficientnet_b8",
        "EfficientNet-B8 from TensorFlow",
        b(2.2, &[3.6]),
    )
    .sized(672)
    .cropped(0.954, Interpolation::Bicubic)
    .centred()
    .on_hub(&["ap_in1k", "ra_in1k"])
    .top1(85.358, 672, TIMM_RESULTS),
    tf(
        "tf_efficientnet_l2",
        "EfficientNet-L2 from TensorFlow",
        b(4.3, &[5.3]),
    )
    .sized(475)
    .cropped(0.936, Interpolation::Bicubic)
    .on_hub(&["ns_jft_in1k_475", "ns_jft_in1k"])
    .top1(88.36, 800, TIMM_RESULTS),
    timm("efficientnet_lite0", "EfficientNet-Lite0", LITE0)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra_in1k"])
        .top1(75.488, 224, TIMM_RESULTS),
    timm("efficientnet_lite1", "EfficientNet-Lite1", lite(1., &[1.1]))
        .sized(240)
        .cropped(0.882, Interpolation::Bicubic),
    timm(
        "efficientnet_lite2",
        "EfficientNet-Lite2",
        lite(1.1, &[1.2]),
    )
    .sized(260)
    .cropped(0.89, Interpolation::Bicubic),
    timm(
        "efficientnet_lite3",
        "EfficientNet-Lite3",
        lite(1.2, &[1.4]),
    )
    .sized(300)
    .cropped(0.904, Interpolation::Bicubic),
    timm(
        "efficientnet_lite4",
        "EfficientNet-Lite4",
        lite(1.4, &[1.8]),
    )
    .sized(380)
    .cropped(0.922, Interpolation::Bicubic),
    tf(
        "tf_efficientnet_lite0",
        "EfficientNet-Lite0 from TensorFlow",
        LITE0,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .centred()
    .on_hub(&["in1k"])
    .top1(74.846, 224, TIMM_RESULTS),
    tf(
        "tf_efficientnet_lite1",
        "EfficientNet-Lite1 from TensorFlow",
        lite(1., &[1.1]),
    )
    .sized(240)
    .cropped(0.882, Interpolation::Bicubic)
    .centred()
    .on_hub(&["in1k"])
    .top1(76.674, 240, TIMM_RESULTS),
    tf(
        "tf_efficientnet_lite2",
        "EfficientNet-Lite2 from TensorFlow",
        lite(1.1, &[1.2]),
    )
    .sized(260)
    .cropped(0.89, Interpolation::Bicubic)
    .centred()
    .on_hub(&["in1k"])
    .top1(77.47, 260, TIMM_RESULTS),
    tf(
        "tf_efficientnet_lite3",
        "EfficientNet-Lite3 from TensorFlow",
        lite(1.2, &[1.4]),
    )
    .sized(300)
    .cropped(0.904, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(79.808, 300, TIMM_RESULTS),
    tf(
        "tf_efficientnet_lite4",
        "EfficientNet-Lite4 from TensorFlow",
        lite(1.4, &[1.8]),
    )
    .sized(380)
    .cropped(0.92, Interpolation::Bilinear)
    .centred()
    .on_hub(&["in1k"])
    .top1(81.54, 380, TIMM_RESULTS),
    timm("efficientnet_es", "EfficientNet-EdgeTPU, small", EDGE_TPU)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra_in1k"])
        .top1(78.1, 224, TIMM_RESULTS),
    timm(
        "efficientnet_em",
        "EfficientNet-EdgeTPU, medium",
        edge_tpu(1., &[1.1]),
    )
    .sized(240)
    .cropped(0.882, Interpolation::Bicubic)
    .on_hub(&["ra2_in1k"])
    .top1(79.256, 240, TIMM_RESULTS),
    timm(
        "efficientnet_el",
        "EfficientNet-EdgeTPU, large",
        edge_tpu(1.2, &[1.4]),
    )
    .sized(300)
    .cropped(0.904, Interpolation::Bicubic)
    .on_hub(&["ra_in1k"])
    .top1(81.308, 300, TIMM_RESULTS),
    tf(
        "tf_efficientnet_es",
        "EfficientNet-EdgeTPU, small, from TensorFlow",
        EDGE_TPU,
    )
    .cropped(0.875, Interpolation::Bicubic)
    .centred()
    .on_hub(&["in1k"])
    .top1(76.608, 224, TIMM_RESULTS),
    tf(
        "tf_efficientnet_em",
        "EfficientNet-EdgeTPU, medium, from TensorFlow",
        edge_tpu(1., &[1.1]),
    )
    .sized(240)
    .cropped(0.882, Interpolation::Bicubic)
    .centred()
    .on_hub(&["in1k"])
    .top1(78.128, 240, TIMM_RESULTS),
    tf(
        "tf_efficientnet_el",
        "EfficientNet-EdgeTPU, large, from TensorFlow",
        edge_tpu(1.2, &[1.4]),
    )
    .sized(300)
    .cropped(0.904, Interpolation::Bicubic)
    .centred()
    .on_hub(&["in1k"])
    .top1(80.246, 300, TIMM_RESULTS),
    timm(
        "efficientnet_blur_b0",
        "EfficientNet-B0, blurred against aliasing",
        EfficientNet {
            strided: MobileStrided::Blur,
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "efficientnet_b0_g16_evos",
        "EfficientNet-B0, grouped by 16 channels, with batch norms",
        EfficientNet {
            width: Width {
                divisor: 16,
                ..Width::ONE
            },
            group_size: 16,
            ..B0
        },
    )
    .cropped(0.875, Interpolation::Bicubic),
    timm(
        "efficientnet_x_b3",
        "EfficientNet-X-B3",
        x(1.2, &[1.4], X_STAGES),
    )
    .sized(288)
    .cropped(0.95, Interpolation::Bicubic),
    timm(
        "efficientnet_x_b5",
        "EfficientNet-X-B5",
        x(1.6, &[2.2], X_STAGES),
    )
    .sized(448)
    .cropped(1.0, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["sw_r448_e450_in1k"])
    .top1(84.928, 576, TIMM_RESULTS),
    timm(
        "efficientnet_h_b5",
        "EfficientNet-H-B5",
        x(1.92, &[2.2], H_STAGES),
    )
    .sized(448)
    .cropped(1.0, Interpolation::Bicubic)
    .squashed()
    .on_hub(&["sw_r448_e450_in1k"])
    .top1(84.942, 576, TIMM_RESULTS),
    timm("tinynet_a", "TinyNet-A", tiny(1., &[1.2]))
        .sized(192)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(77.666, 192, TIMM_RESULTS),
    timm("tinynet_b", "TinyNet-B", tiny(0.75, &[1.1]))
        .sized(188)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(74.946, 188, TIMM_RESULTS),
    timm("tinynet_c", "TinyNet-C", tiny(0.54, &[0.85]))
        .sized(184)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(71.214, 184, TIMM_RESULTS),
    timm("tinynet_d", "TinyNet-D", tiny(0.54, &[0.695]))
        .sized(152)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(66.936, 152, TIMM_RESULTS),
    timm("tinynet_e", "TinyNet-E", tiny(0.51, &[0.6]))
        .sized(106)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(59.874, 106, TIMM_RESULTS),
];
