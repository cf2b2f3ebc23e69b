//! `MixNet`: Tan and Le, arXiv:1907.09595.

use super::{MOBILE, stem, tf, timm};
use crate::network::architecture::{
    Count, Depth, EfficientNet, MobileHead, Width, depthwise, inverted,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

const SILU: Activation = Activation::Silu;

/// <https://github.com/tensorflow/tpu/tree/master/models/official/mnasnet/mixnet>, `mixnet-s`.
const S: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(16)),
    stages: &[
        &[depthwise(16)],
        &[
            inverted(24, 6.).split([2, 2]).strided(),
            inverted(24, 3.).split([2, 2]),
        ],
        &[
            inverted(40, 6.)
                .kernel(&[3, 5, 7])
                .strided()
                .gated(0.5)
                .function(SILU),
            inverted(40, 6.)
                .times(3)
                .kernel(&[3, 5])
                .split([2, 2])
                .gated(0.5)
                .function(SILU),
        ],
        &[
            inverted(80, 6.)
                .kernel(&[3, 5, 7])
                .split([1, 2])
                .strided()
                .gated(0.25)
                .function(SILU),
            inverted(80, 6.)
                .times(2)
                .kernel(&[3, 5])
                .split([1, 2])
                .gated(0.25)
                .function(SILU),
        ],
        &[
            inverted(120, 6.)
                .kernel(&[3, 5, 7])
                .split([2, 2])
                .gated(0.5)
                .function(SILU),
            inverted(120, 3.)
                .times(2)
                .kernel(&[3, 5, 7, 9])
                .split([2, 2])
                .gated(0.5)
                .function(SILU),
        ],
        &[
            inverted(200, 6.)
                .kernel(&[3, 5, 7, 9, 11])
                .strided()
                .gated(0.5)
                .function(SILU),
            inverted(200, 6.)
                .times(2)
                .kernel(&[3, 5, 7, 9])
                .split([1, 2])
                .gated(0.5)
                .function(SILU),
        ],
    ],
    head: MobileHead::Convolution(Count::Fixed(1536)),
    ..MOBILE
};

/// The same repository's `mixnet-m`.
const M: EfficientNet = EfficientNet {
    stem: stem(Count::Scaled(24)),
    stages: &[
        &[depthwise(24)],
        &[
            inverted(32, 6.).kernel(&[3, 5, 7]).split([2, 2]).strided(),
            inverted(32, 3.).split([2, 2]),
        ],
        &[
            inverted(40, 6.)
                .kernel(&[3, 5, 7, 9])
                .strided()
                .gated(0.5)
                .function(SILU),
            inverted(40, 6.)
                .times(3)
                .kernel(&[3, 5])
                .split([2, 2])
                .gated(0.5)
                .function(SILU),
        ],
        &[
            inverted(80, 6.)
                .kernel(&[3, 5, 7])
                .strided()
                .gated(0.25)
                .function(SILU),
            inverted(80, 6.)
                .times(3)
                .kernel(&[3, 5, 7, 9])
                .split([2, 2])
                .gated(0.25)
                .function(SILU),
        ],
        &[
            inverted(120, 6.).gated(0.5).function(SILU),
            inverted(120, 3.)
                .times(3)
                .kernel(&[3, 5, 7, 9])
                .split([2, 2])
                .gated(0.5)
                .function(SILU),
        ],
        &[
            inverted(200, 6.)
                .kernel(&[3, 5, 7, 9])
                .strided()
                .gated(0.5)
                .function(SILU),
            inverted(200, 6.)
                .times(3)
                .kernel(&[3, 5, 7, 9])
                .split([1, 2])
                .gated(0.5)
                .function(SILU),
        ],
    ],
    ..S
};

const fn larger(width: f64, depth: &'static [f64]) -> EfficientNet {
    EfficientNet {
        width: Width::times(width),
        depth: Depth::times(depth).rounded(),
        ..M
    }
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    timm("mixnet_s", "MixNet-S", S)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ft_in1k"])
        .top1(76.0, 224, TIMM_RESULTS),
    timm("mixnet_m", "MixNet-M", M)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ft_in1k"])
        .top1(77.268, 224, TIMM_RESULTS),
    timm("mixnet_l", "MixNet-L", larger(1.3, &[1.]))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ft_in1k"])
        .top1(78.97, 224, TIMM_RESULTS),
    timm("mixnet_xl", "MixNet-XL, timm's own", larger(1.6, &[1.2]))
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["ra_in1k"])
        .top1(80.494, 224, TIMM_RESULTS),
    timm("mixnet_xxl", "MixNet-XXL, timm's own", larger(2.4, &[1.3]))
        .cropped(0.875, Interpolation::Bicubic),
    tf("tf_mixnet_s", "MixNet-S from TensorFlow", S)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(75.656, 224, TIMM_RESULTS),
    tf("tf_mixnet_m", "MixNet-M from TensorFlow", M)
        .cropped(0.875, Interpolation::Bicubic)
        .on_hub(&["in1k"])
        .top1(76.952, 224, TIMM_RESULTS),
    tf(
        "tf_mixnet_l",
        "MixNet-L from TensorFlow",
        larger(1.3, &[1.]),
    )
    .cropped(0.875, Interpolation::Bicubic)
    .on_hub(&["in1k"])
    .top1(78.774, 224, TIMM_RESULTS),
];
