//! The networks by name, one file per family, one row per network.

mod blocks;
mod branched;
mod byob;
mod cadene;
mod cspnet;
mod ghostnet;
mod inception;
mod keras;
mod lcnet_v2;
mod left_out;
mod lookup;
mod mobile;
mod mobile_paper;
mod nfnet;
mod regnet;
mod repvit;
mod resnet_rs;
mod rexnet;
mod timm;
mod tresnet;
mod vgg;
mod vovnet;

use std::borrow::Cow;

pub use blocks::{SE_BLOCK, SE_BOTTLENECK};
pub use left_out::{LEFT_OUT, LeftOut, left_out};
pub use lookup::{Named, find, understand};

use super::architecture::{
    Architecture, Block, Bottleneck, ResNet, Shortcut, SqueezeWidth, Stem, StemConvs, StemPool,
    Strided,
};
use super::{Convention, Elsewhere, Input, Network, Published, Top1};
use crate::preprocessing::{
    CropMode, IMAGENET_MEAN, IMAGENET_STD, Interpolation, PerChannel, Preprocessing, Preset,
};
use mobile::{
    efficientnet, efficientnet_pruned, efficientnet_v2, fbnet, hardcorenas, keras as applications,
    lcnet, mixnet, mnasnet, mobilenet, mobilenet_v3, torchvision,
};

/// Networks that are listed together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// What they are, in a few words that head the list.
    pub name: &'static str,
    /// The networks.
    pub networks: &'static [Network],
}

const fn family(name: &'static str, networks: &'static [Network]) -> Family {
    Family { name, networks }
}

/// Every family, in the order that `senet models` lists them.
pub const FAMILIES: &[Family] = &[
    family("The block alone", &[SE_BLOCK, SE_BOTTLENECK]),
    family("ResNet in Keras's conventions", keras::NETWORKS),
    family("ResNet, ResNeXt and SENet", timm::NETWORKS),
    family("ResNet, ResNeXt and SENet of Cadene", cadene::NETWORKS),
    family("Inception", inception::NETWORKS),
    family("VGG", vgg::NETWORKS),
    family("EfficientNet", efficientnet::NETWORKS),
    family("EfficientNet, pruned", efficientnet_pruned::NETWORKS),
    family("EfficientNetV2", efficientnet_v2::NETWORKS),
    family("MobileNetV1 and V2", mobilenet::NETWORKS),
    family("MobileNetV3", mobilenet_v3::NETWORKS),
    family("MnasNet", mnasnet::NETWORKS),
    family("MixNet", mixnet::NETWORKS),
    family("FBNetV3", fbnet::NETWORKS),
    family("HardCoRe-NAS", hardcorenas::NETWORKS),
    family("PP-LCNet", lcnet::NETWORKS),
    family("RegNet", regnet::NETWORKS),
    family("ResNet-RS", resnet_rs::NETWORKS),
    family("TResNet", tresnet::NETWORKS),
    family("timm's networks of its own blocks", byob::NETWORKS),
    family("RepVGG and MobileOne", branched::NETWORKS),
    family("Networks without batch norms", nfnet::NETWORKS),
    family("CSPNet and DarkNet", cspnet::NETWORKS),
    family("Mobile networks of torchvision", torchvision::NETWORKS),
    family(
        "Mobile networks of keras.applications",
        applications::NETWORKS,
    ),
    family(
        "MobileNet and ShuffleNet in Keras's conventions",
        mobile_paper::NETWORKS,
    ),
    family("ReXNet", rexnet::NETWORKS),
    family("GhostNet and RepGhost", ghostnet::NETWORKS),
    family("RepViT", repvit::NETWORKS),
    family("PP-LCNetV2", lcnet_v2::NETWORKS),
    family("VoVNet", vovnet::NETWORKS),
];

/// Every network, in the order that `senet models` lists them.
pub fn networks() -> impl Iterator<Item = &'static Network> + Clone {
    FAMILIES.iter().flat_map(|family| family.networks)
}

/// The network of the catalogue that `network` becomes when its sums of branches are folded into one
/// convolution each, as `timm.utils.reparameterize_model` does.
#[must_use]
pub fn folded(network: &Network) -> Option<&'static Network> {
    let folded = network.architecture.folded()?;
    networks().find(|other| other.architecture == folded)
}

/// timm's `results-imagenet.csv`, the best of a network's published weights.
const TIMM_RESULTS: &str = "timm";
/// As a source, the metadata of torchvision's weights, the best of a network's.
const TORCHVISION: &str = "torchvision";

/// A network for ImageNet-1k.
const fn imagenet(
    name: &'static str,
    summary: &'static str,
    convention: Convention,
    architecture: Architecture,
) -> Network {
    Network {
        name: Cow::Borrowed(name),
        summary: Cow::Borrowed(summary),
        convention,
        input: Input {
            channels: 3,
            height: 224,
            width: 224,
        },
        classes: Some(1000),
        architecture,
        evaluation: None,
        published: Published::NOTHING,
    }
}

/// Hu et al., arXiv:1709.01507, section 5.1: 16 by default.
const SIXTEENTH: Option<SqueezeWidth> = Some(SqueezeWidth::Reduction {
    ratio: 16,
    minimum: 1,
});

/// timm's: a sixteenth, rounded to a multiple of 8.
const SIXTEENTH_OF_8: Option<SqueezeWidth> = Some(SqueezeWidth::Rounded {
    ratio: 16,
    multiple: 8,
});

/// He et al., arXiv:1512.03385, table 1, the 50-layer column; the stride on the 3x3.
const RESNET50: ResNet = ResNet {
    stem: Stem {
        convs: StemConvs::Single {
            channels: 64,
            kernel: 7,
            stride: 2,
        },
        pool: StemPool::Max,
    },
    block: Block::BOTTLENECK,
    depths: &[3, 4, 6, 3],
    width: 64,
    shortcut: Shortcut::Projection,
    strided: Strided::Spatial,
    squeeze: None,
};

/// Hu et al., arXiv:1709.01507, appendix, without its gates.
const SENET154: ResNet = ResNet {
    stem: deep([64, 64, 128], StemPool::Max),
    block: Block::Bottleneck(Bottleneck {
        cardinality: 64,
        base_width: 4,
        reduce_first: 2,
    }),
    depths: &[3, 8, 36, 3],
    shortcut: Shortcut::WideProjection,
    ..RESNET50
};

const fn deep(channels: [usize; 3], pool: StemPool) -> Stem {
    Stem {
        convs: StemConvs::Deep(channels),
        pool,
    }
}

/// What a row may add to its network.
impl Network {
    const fn sized(mut self, side: usize) -> Self {
        self.input.height = side;
        self.input.width = side;
        self
    }

    /// Says what timm's evaluation at the network's own size keeps of an image, and how it is
    /// resized.
    const fn cropped(mut self, crop_pct: f64, interpolation: Interpolation) -> Self {
        let size = [self.input.height, self.input.width];
        let (mean, std) = (IMAGENET_MEAN, IMAGENET_STD);
        self.evaluation = Some(Preprocessing::timm(
            size,
            crop_pct,
            interpolation,
            mean,
            std,
        ));
        self
    }

    /// Says that pixels go in from -1 to 1, not by the mean and deviation of `ImageNet`.
    const fn centred(mut self) -> Self {
        if let Some(evaluation) = &mut self.evaluation {
            evaluation.mean = PerChannel::Rgb([0.5; 3]);
            evaluation.std = PerChannel::Rgb([0.5; 3]);
        }
        self
    }

    /// Says that the resize before the crop ignores the aspect ratio.
    const fn squashed(mut self) -> Self {
        if let Some(evaluation) = &mut self.evaluation {
            evaluation.crop_mode = CropMode::Squash;
        }
        self
    }

    /// Says that pixels go in from 0 to 1, as they are.
    const fn unshifted(mut self) -> Self {
        if let Some(evaluation) = &mut self.evaluation {
            evaluation.mean = PerChannel::Rgb([0.; 3]);
            evaluation.std = PerChannel::Rgb([1.; 3]);
        }
        self
    }

    /// Says what Keras's documentation does to an image for it, and what it does to pixels itself.
    const fn prepared(mut self, preset: Preset) -> Self {
        self.evaluation = Some(preset.preprocessing([self.input.height, self.input.width]));
        self
    }

    const fn on_hub(mut self, tags: &'static [&'static str]) -> Self {
        self.published.tags = tags;
        self
    }

    const fn called(mut self, code_base: &'static str, name: &'static str) -> Self {
        self.published.elsewhere = Some(Elsewhere { code_base, name });
        self
    }

    const fn top1(mut self, percent: f64, size: usize, source: &'static str) -> Self {
        self.published.top1 = Some(Top1 {
            percent,
            size,
            source,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How the rows of folded networks are called.
    const FOLDED: &str = "_folded";

    #[test]
    fn a_folded_network_is_what_the_one_of_its_name_becomes() {
        for network in networks().filter(|network| network.name.ends_with(FOLDED)) {
            let before = find(network.name.trim_end_matches(FOLDED)).unwrap();
            assert_eq!(folded(before), Some(network));
            assert_eq!(folded(network), None);
            assert_eq!(network.evaluation, before.evaluation, "{}", network.name);
        }
    }

    #[test]
    fn repvits_that_differ_in_their_batch_norms_alone_become_the_same() {
        for [legacy, normed] in [["repvit_m1", "repvit_m0_9"], ["repvit_m2", "repvit_m1_1"]] {
            let [legacy, normed] = [legacy, normed].map(|name| find(name).unwrap());
            assert!(folded(legacy).is_some());
            assert_eq!(folded(legacy), folded(normed));
        }
    }
}
