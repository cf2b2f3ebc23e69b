//! timm's `RepViT`s (`timm/models/repvit.py`), as they are trained, and as
//! `timm.utils.reparameterize_model` folds them.

use super::{TIMM_RESULTS, imagenet};
use crate::network::Network;
use crate::network::architecture::{Architecture, RepVit, RepVitForm};
use crate::network::convention::TIMM;
use crate::preprocessing::Interpolation;

const M3: RepVit = RepVit {
    channels: [64, 128, 256, 512],
    depths: [4, 4, 18, 2],
    form: RepVitForm::Legacy,
};

const M0_9: RepVit = RepVit {
    channels: [48, 96, 192, 384],
    depths: [2, 2, 14, 2],
    form: RepVitForm::Normed,
};

const M1_0: RepVit = RepVit {
    channels: [56, 112, 224, 448],
    depths: [2, 2, 14, 2],
    form: RepVitForm::Normed,
};

const M1_1: RepVit = RepVit {
    channels: [64, 128, 256, 512],
    depths: [2, 2, 12, 2],
    form: RepVitForm::Normed,
};

const M1_5: RepVit = RepVit {
    channels: [64, 128, 256, 512],
    depths: [4, 4, 24, 4],
    form: RepVitForm::Normed,
};

const M2_3: RepVit = RepVit {
    channels: [80, 160, 320, 640],
    depths: [6, 6, 34, 2],
    form: RepVitForm::Normed,
};

const fn repvit(name: &'static str, summary: &'static str, network: RepVit) -> Network {
    imagenet(name, summary, TIMM, Architecture::RepVit(network))
}

pub(super) const NETWORKS: &[Network] = &[
    repvit(
        "repvit_m1",
        "RepViT-M1, as first published",
        RepVit {
            form: RepVitForm::Legacy,
            ..M0_9
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["dist_in1k"])
    .top1(78.542, 224, TIMM_RESULTS),
    repvit(
        "repvit_m2",
        "RepViT-M2, as first published",
        RepVit {
            form: RepVitForm::Legacy,
            ..M1_1
        },
    )
    .cropped(0.95, Interpolation::Bicubic)
    .on_hub(&["dist_in1k"])
    .top1(80.468, 224, TIMM_RESULTS),
    repvit("repvit_m3", "RepViT-M3, as first published", M3)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["dist_in1k"])
        .top1(81.494, 224, TIMM_RESULTS),
    repvit("repvit_m0_9", "RepViT-M0.9", M0_9)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["dist_300e_in1k", "dist_450e_in1k"])
        .top1(79.058, 224, TIMM_RESULTS),
    repvit("repvit_m1_0", "RepViT-M1.0", M1_0)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["dist_300e_in1k", "dist_450e_in1k"])
        .top1(80.43, 224, TIMM_RESULTS),
    repvit("repvit_m1_1", "RepViT-M1.1", M1_1)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["dist_300e_in1k", "dist_450e_in1k"])
        .top1(81.314, 224, TIMM_RESULTS),
    repvit("repvit_m1_5", "RepViT-M1.5", M1_5)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["dist_300e_in1k", "dist_450e_in1k"])
        .top1(82.52, 224, TIMM_RESULTS),
    repvit("repvit_m2_3", "RepViT-M2.3", M2_3)
        .cropped(0.95, Interpolation::Bicubic)
        .on_hub(&["dist_300e_in1k", "dist_450e_in1k"])
        .top1(83.746, 224, TIMM_RESULTS),
    repvit(
        "repvit_m3_folded",
        "RepViT-M3, branches and batch norms folded into convolutions",
        RepVit {
            form: RepVitForm::Folded,
            ..M3
        },
    )
    .cropped(0.95, Interpolation::Bicubic),
    repvit(
        "repvit_m0_9_folded",
        "RepViT-M0.9 or M1, branches and batch norms folded into convolutions",
        RepVit {
            form: RepVitForm::Folded,
            ..M0_9
        },
    )
    .cropped(0.95, Interpolation::Bicubic),
    repvit(
        "repvit_m1_0_folded",
        "RepViT-M1.0, branches and batch norms folded into convolutions",
        RepVit {
            form: RepVitForm::Folded,
            ..M1_0
        },
    )
    .cropped(0.95, Interpolation::Bicubic),
    repvit(
        "repvit_m1_1_folded",
        "RepViT-M1.1 or M2, branches and batch norms folded into convolutions",
        RepVit {
            form: RepVitForm::Folded,
            ..M1_1
        },
    )
    .cropped(0.95, Interpolation::Bicubic),
    repvit(
        "repvit_m1_5_folded",
        "RepViT-M1.5, branches and batch norms folded into convolutions",
        RepVit {
            form: RepVitForm::Folded,
            ..M1_5
        },
    )
    .cropped(0.95, Interpolation::Bicubic),
    repvit(
        "repvit_m2_3_folded",
        "RepViT-M2.3, branches and batch norms folded into convolutions",
        RepVit {
            form: RepVitForm::Folded,
            ..M2_3
        },
    )
    .cropped(0.95, Interpolation::Bicubic),
];
