//! Networks whose convolutions are trained as sums of branches and may be folded into one
//! afterwards: `RepVGG` (Ding et al., arXiv:2101.03697) and `MobileOne` (Vasu et al.,
//! arXiv:2206.04040), as timm has them (`timm/models/byobnet.py`).

use super::SqueezeWidth;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::{Activation, Operation};

/// A stem of one 3x3 convolution, four stages of 3x3 convolutions of which the first halves the
/// image, a classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepVgg {
    /// Channels of the stem.
    pub stem: usize,
    /// Convolutions in each stage.
    pub depths: [usize; 4],
    /// Channels of each stage.
    pub widths: [usize; 4],
    /// Groups of every second convolution of a stage; 1 for none.
    pub groups: usize,
    /// The width of the SE blocks, if there are any: one after each convolution.
    pub squeeze: Option<SqueezeWidth>,
    /// Whether each sum of branches is folded into one convolution with a bias.
    pub folded: bool,
}

/// A stem of one 3x3 convolution, four stages of depthwise 3x3 and 1x1 convolutions in turn, of
/// which the first halves the image, a classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MobileOne {
    /// Channels of the stem.
    pub stem: usize,
    /// Channels of each stage.
    pub widths: [usize; 4],
    /// Of each stage, the last pairs of convolutions that have SE blocks, one after each.
    pub gated: [usize; 4],
    /// Convolutions that are added up for one, but in the stem.
    pub branches: usize,
    /// Whether each sum of branches is folded into one convolution with a bias.
    pub folded: bool,
}

/// Pairs of convolutions in each stage of every `MobileOne`.
const PAIRS: [usize; 4] = [2, 8, 10, 1];

/// Of every `MobileOne`'s SE blocks.
const SQUEEZE: SqueezeWidth = SqueezeWidth::Rounded {
    ratio: 16,
    multiple: 8,
};

/// What the branches of a sum are called.
#[derive(Debug, Clone, Copy)]
enum Names {
    /// One convolution, `conv_kxk`, and one of 1x1, `conv_1x1`.
    RepVgg,
    /// So many convolutions, `conv_kxk.0` and on, and one of 1x1, `conv_scale`, where they are not.
    MobileOne(usize),
}

/// A convolution in branches, a gate, a rectifier.
#[derive(Debug, Clone, Copy)]
struct Branched {
    channels: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    names: Names,
    squeeze: Option<SqueezeWidth>,
    folded: bool,
}

pub(super) fn rep_vgg(net: &mut Builder, network: &RepVgg, classes: usize) {
    let conv = Branched {
        channels: network.stem,
        kernel: 3,
        stride: 2,
        groups: 1,
        names: Names::RepVgg,
        squeeze: network.squeeze,
        folded: network.folded,
    };
    let mut x = net.group("stem", |net| branched(net, Value::INPUT, conv));
    let stages = network.depths.into_iter().zip(network.widths);
    for (stage, (depth, channels)) in stages.enumerate() {
        for index in 0..depth {
            let conv = Branched {
                channels,
                stride: if index == 0 { 2 } else { 1 },
                groups: if index % 2 == 1 { network.groups } else { 1 },
                ..conv
            };
            let name = format!("stages.{stage}.{index}");
            x = net.block(&name, |net| branched(net, x, conv));
        }
    }
    classifier(net, x, classes);
}

pub(super) fn mobile_one(net: &mut Builder, network: &MobileOne, classes: usize) {
    let conv = Branched {
        channels: network.stem,
        kernel: 3,
        stride: 2,
        groups: 1,
        names: Names::MobileOne(1),
        squeeze: None,
        folded: network.folded,
    };
    let mut x = net.group("stem", |net| branched(net, Value::INPUT, conv));
    let stages = PAIRS.into_iter().zip(network.widths).zip(network.gated);
    for (stage, ((pairs, channels), gated)) in stages.enumerate() {
        for pair in 0..pairs {
            let inputs = net.channels_of(x);
            let conv = Branched {
                names: Names::MobileOne(network.branches),
                squeeze: (pair + gated >= pairs).then_some(SQUEEZE),
                ..conv
            };
            let depthwise = Branched {
                channels: inputs,
                stride: if pair == 0 { 2 } else { 1 },
                groups: inputs,
                ..conv
            };
            let pointwise = Branched {
                channels,
                kernel: 1,
                stride: 1,
                ..conv
            };
            for (index, conv) in [(2 * pair, depthwise), (2 * pair + 1, pointwise)] {
                let name = format!("stages.{stage}.{index}");
                x = net.block(&name, |net| branched(net, x, conv));
            }
        }
    }
    classifier(net, x, classes);
}

fn classifier(net: &mut Builder, x: Value, classes: usize) {
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

fn branched(net: &mut Builder, x: Value, block: Branched) -> Value {
    let conv = ConvSpec::new(block.channels, block.kernel)
        .stride(block.stride)
        .groups(block.groups);
    let y = if block.folded {
        net.conv("reparam_conv", x, conv.biased())
    } else {
        sum(net, x, conv, block)
    };
    let y = match block.squeeze {
        Some(width) => {
            let gate = SeSpec::timm(width.of(block.channels));
            net.group("attn", |net| net.squeeze_excite(y, &gate))
        }
        None => y,
    };
    net.activation("act", y, Activation::Relu)
}

/// The branches: what a 1x1 convolution, all the others, and a batch norm of the input itself add
/// up to, the latter where shapes allow it.
fn sum(net: &mut Builder, x: Value, conv: ConvSpec, block: Branched) -> Value {
    let pixel = ConvSpec::new(block.channels, 1)
        .stride(block.stride)
        .groups(block.groups);
    let mut terms = Vec::new();
    match block.names {
        Names::RepVgg => {
            terms.push(net.unit("conv_1x1", x, pixel, None));
            terms.push(net.unit("conv_kxk", x, conv, None));
        }
        Names::MobileOne(branches) => {
            if block.kernel > 1 {
                terms.push(net.unit("conv_scale", x, pixel, None));
            }
            for branch in 0..branches {
                terms.push(net.unit(&format!("conv_kxk.{branch}"), x, conv, None));
            }
        }
    }
    if block.stride == 1 && net.channels_of(x) == block.channels {
        terms.push(net.norm("identity", x));
    }
    let mut total = None;
    for (number, term) in terms.into_iter().enumerate() {
        total = Some(match total {
            Some(total) => net.push(&format!("add{number}"), Operation::Add, &[total, term]),
            None => term,
        });
    }
    total.unwrap_or(x)
}
