//! Pruned `EfficientNet`s: Aflalo et al., arXiv:2002.08258. Their channels are as pruning left them,
//! timm's `timm/models/_pruned/`.

use super::{MOBILE, stem, tf};
use crate::network::architecture::{
    Count, EfficientNet, MobileHead, Row, Width, depthwise, inverted,
};
use crate::network::catalog::TIMM_RESULTS;
use crate::network::{Activation, Network};
use crate::preprocessing::Interpolation;

/// Of so many channels in the stem and in the head.
const fn pruned([first, head]: [usize; 2], stages: &'static [&'static [Row]]) -> EfficientNet {
    EfficientNet {
        stem: stem(Count::Fixed(first)),
        stages,
        width: Width {
            divisor: 1,
            ..Width::ONE
        },
        activation: Activation::Silu,
        head: MobileHead::Convolution(Count::Fixed(head)),
        ..MOBILE
    }
}

const B1: EfficientNet = pruned(
    [32, 1280],
    &[
        &[
            depthwise(16).gated(0.25).pruned(32, 8),
            depthwise(16).gated(0.25).pruned(16, 4),
        ],
        &[
            inverted(12, 6.).strided().gated(0.25).pruned(48, 4),
            inverted(12, 6.).gated(0.25).pruned(62, 6),
            inverted(12, 6.).gated(0.25).pruned(48, 6),
        ],
        &[
            inverted(35, 6.)
                .kernel(&[5])
                .strided()
                .gated(0.25)
                .pruned(70, 6),
            inverted(35, 6.).kernel(&[5]).gated(0.25).pruned(61, 10),
            inverted(35, 6.).kernel(&[5]).gated(0.25).pruned(51, 10),
        ],
        &[
            inverted(74, 6.).strided().gated(0.25).pruned(175, 10),
            inverted(74, 6.).gated(0.25).pruned(188, 20),
            inverted(74, 6.).gated(0.25).pruned(137, 20),
            inverted(74, 6.).gated(0.25).pruned(164, 20),
        ],
        &[
            inverted(67, 6.).kernel(&[5]).gated(0.25).pruned(399, 20),
            inverted(67, 6.).kernel(&[5]).gated(0.25).pruned(201, 28),
            inverted(67, 6.).kernel(&[5]).gated(0.25).pruned(160, 28),
            inverted(67, 6.).kernel(&[5]).gated(0.25).pruned(213, 28),
        ],
        &[
            inverted(192, 6.)
                .kernel(&[5])
                .strided()
                .gated(0.25)
                .pruned(637, 27),
            inverted(192, 6.).kernel(&[5]).gated(0.25).pruned(806, 48),
            inverted(192, 6.).kernel(&[5]).gated(0.25).pruned(798, 48),
            inverted(192, 6.).kernel(&[5]).gated(0.25).pruned(891, 48),
            inverted(192, 6.).kernel(&[5]).gated(0.25).pruned(990, 48),
        ],
        &[
            inverted(320, 6.).gated(0.25).pruned(1152, 48),
            inverted(320, 6.).gated(0.25).pruned(1912, 80),
        ],
    ],
);

const B2: EfficientNet = pruned(
    [32, 1408],
    &[
        &[
            depthwise(16).gated(0.25).pruned(32, 8),
            depthwise(16).gated(0.25).pruned(16, 4),
        ],
        &[
            inverted(17, 6.).strided().gated(0.25).pruned(54, 4),
            inverted(17, 6.).gated(0.25).pruned(69, 6),
            inverted(17, 6.).gated(0.25).pruned(61, 6),
        ],
        &[
            inverted(42, 6.)
                .kernel(&[5])
                .strided()
                .gated(0.25)
                .pruned(86, 6),
            inverted(42, 6.).kernel(&[5]).gated(0.25).pruned(72, 12),
            inverted(42, 6.).kernel(&[5]).gated(0.25).pruned(98, 12),
        ],
        &[
            inverted(85, 6.).strided().gated(0.25).pruned(245, 12),
            inverted(85, 6.).gated(0.25).pruned(274, 22),
            inverted(85, 6.).gated(0.25).pruned(254, 22),
            inverted(85, 6.).gated(0.25).pruned(292, 22),
        ],
        &[
            inverted(116, 6.).kernel(&[5]).gated(0.25).pruned(502, 22),
            inverted(116, 6.).kernel(&[5]).gated(0.25).pruned(315, 30),
            inverted(116, 6.).kernel(&[5]).gated(0.25).pruned(354, 30),
            inverted(116, 6.).kernel(&[5]).gated(0.25).pruned(443, 30),
        ],
        &[
            inverted(208, 6.)
                .kernel(&[5])
                .strided()
                .gated(0.25)
                .pruned(719, 30),
            inverted(208, 6.).kernel(&[5]).gated(0.25).pruned(1148, 52),
            inverted(208, 6.).kernel(&[5]).gated(0.25).pruned(1160, 52),
            inverted(208, 6.).kernel(&[5]).gated(0.25).pruned(1182, 52),
            inverted(208, 6.).kernel(&[5]).gated(0.25).pruned(1228, 52),
        ],
        &[
            inverted(352, 6.).gated(0.25).pruned(1248, 52),
            inverted(352, 6.).gated(0.25).pruned(2112, 88),
        ],
    ],
);

const B3: EfficientNet = pruned(
    [40, 1536],
    &[
        &[
            depthwise(24).gated(0.25).pruned(40, 10),
            depthwise(24).gated(0.25).pruned(24, 6),
        ],
        &[
            inverted(12, 6.).strided().gated(0.25).pruned(27, 6),
            inverted(12, 6.).gated(0.25).pruned(49, 8),
            inverted(12, 6.).gated(0.25).pruned(48, 8),
        ],
        &[
            inverted(40, 6.)
                .kernel(&[5])
                .strided()
                .gated(0.25)
                .pruned(83, 8),
            inverted(40, 6.).kernel(&[5]).gated(0.25).pruned(90, 12),
            inverted(40, 6.).kernel(&[5]).gated(0.25).pruned(85, 12),
        ],
        &[
            inverted(93, 6.).strided().gated(0.25).pruned(215, 12),
            inverted(93, 6.).gated(0.25).pruned(261, 24),
            inverted(93, 6.).gated(0.25).pruned(219, 24),
            inverted(93, 6.).gated(0.25).pruned(254, 24),
            inverted(93, 6.).gated(0.25).pruned(236, 24),
        ],
        &[
            inverted(120, 6.).kernel(&[5]).gated(0.25).pruned(480, 24),
            inverted(120, 6.).kernel(&[5]).gated(0.25).pruned(235, 34),
            inverted(120, 6.).kernel(&[5]).gated(0.25).pruned(217, 34),
            inverted(120, 6.).kernel(&[5]).gated(0.25).pruned(226, 33),
            inverted(120, 6.).kernel(&[5]).gated(0.25).pruned(340, 34),
        ],
        &[
            inverted(232, 6.)
                .kernel(&[5])
                .strided()
                .gated(0.25)
                .pruned(802, 34),
            inverted(232, 6.).kernel(&[5]).gated(0.25).pruned(1030, 58),
            inverted(232, 6.).kernel(&[5]).gated(0.25).pruned(924, 58),
            inverted(232, 6.).kernel(&[5]).gated(0.25).pruned(1016, 58),
            inverted(232, 6.).kernel(&[5]).gated(0.25).pruned(1130, 58),
            inverted(232, 6.).kernel(&[5]).gated(0.25).pruned(1266, 58),
        ],
        &[
            inverted(384, 6.).gated(0.25).pruned(1392, 58),
            inverted(384, 6.).gated(0.25).pruned(2301, 96),
        ],
    ],
);

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    tf("efficientnet_b1_pruned", "EfficientNet-B1, pruned", B1)
        .sized(240)
        .cropped(0.882, Interpolation::Bicubic)
        .centred()
        .on_hub(&["in1k"])
        .top1(78.252, 240, TIMM_RESULTS),
    tf("efficientnet_b2_pruned", "EfficientNet-B2, pruned", B2)
        .sized(260)
        .cropped(0.89, Interpolation::Bicubic)
        .centred()
        .on_hub(&["in1k"])
        .top1(79.904, 260, TIMM_RESULTS),
    tf("efficientnet_b3_pruned", "EfficientNet-B3, pruned", B3)
        .sized(300)
        .cropped(0.904, Interpolation::Bicubic)
        .centred()
        .on_hub(&["in1k"])
        .top1(80.864, 300, TIMM_RESULTS),
];
