//! timm's networks of residual blocks of several kinds (`timm/models/byobnet.py`): `ResNet`s and
//! `ResNeXt`s with other stems, `RegNet`-Z as timm trained it, `GENet` (Lin et al.,
//! arXiv:2006.14090).

use super::{SqueezeWidth, make_divisible};
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::{Activation, Operation};

/// Stem, stages of blocks, a last convolution where there is one, classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Byob {
    /// Everything before the first stage.
    pub stem: ByobStem,
    /// The stages.
    pub stages: &'static [ByobStage],
    /// The function after each batch norm.
    pub activation: Activation,
    /// The way around a block that changes the shape.
    pub shortcut: ByobShortcut,
    /// Whether a function follows the sum at a block's end.
    pub activated_sum: bool,
    /// The width of the SE blocks, if there are any.
    pub squeeze: Option<SqueezeWidth>,
    /// Channels of a last 1x1 convolution, where there is one.
    pub features: Option<usize>,
}

/// What comes before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByobStem {
    /// A 3x3 convolution of so many channels and stride 2.
    Single(usize),
    /// Three 3x3 convolutions of so many channels, the first strided, and a 3x3 max pool of
    /// stride 2.
    Pooled([usize; 3]),
    /// Three 3x3 convolutions of so many channels, the first and the last strided.
    Strided([usize; 3]),
}

/// Blocks of one kind and width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByobStage {
    /// What they are.
    pub block: ByobBlock,
    /// How many there are.
    pub depth: usize,
    /// Channels of their outputs.
    pub channels: usize,
    /// The first block's stride.
    pub stride: usize,
    /// Channels of a group of the convolutions that have groups; 0 for one group.
    pub group: usize,
    /// Channels inside a block, of those that its kind says, before they are rounded to a multiple
    /// of 8.
    pub share: f64,
}

/// A block's convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByobBlock {
    /// 3x3, 3x3, of which the second has groups, then the gate.
    Basic,
    /// 1x1, 3x3 with groups, the gate, 1x1; as wide inside as a share of the output.
    Bottleneck,
    /// The same, as wide inside as a share of the input.
    InvertedBottleneck,
    /// 1x1, 3x3 with groups, then the gate.
    Dark,
    /// 3x3 with groups, the gate, 1x1.
    Edge,
}

/// The way around a block that changes the shape; the others' is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByobShortcut {
    /// A strided 1x1 convolution.
    Projection,
    /// A 2x2 average pool where the stride is 2, then a 1x1 convolution.
    Averaged,
    /// None: such a block has no sum.
    Missing,
}

/// One block, as its stage sees it.
#[derive(Debug, Clone, Copy)]
struct Place {
    stage: ByobStage,
    stride: usize,
    /// Channels inside.
    inner: usize,
}

pub(super) fn byob(net: &mut Builder, network: &Byob, classes: usize) {
    let mut x = stem(net, network);
    for (number, &stage) in network.stages.iter().enumerate() {
        for index in 0..stage.depth {
            let of = match stage.block {
                ByobBlock::InvertedBottleneck => net.channels_of(x),
                ByobBlock::Basic | ByobBlock::Bottleneck | ByobBlock::Dark | ByobBlock::Edge => {
                    stage.channels
                }
            };
            let place = Place {
                stage,
                stride: if index == 0 { stage.stride } else { 1 },
                inner: make_divisible(of as f64 * stage.share, 8, 0.9),
            };
            let name = format!("stages.{number}.{index}");
            x = net.block(&name, |net| residual(net, x, network, place));
        }
    }
    if let Some(features) = network.features {
        let conv = ConvSpec::new(features, 1);
        x = net.unit("final_conv", x, conv, Some(network.activation));
    }
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

fn stem(net: &mut Builder, network: &Byob) -> Value {
    let activation = Some(network.activation);
    let (channels, strides) = match network.stem {
        ByobStem::Single(channels) => {
            let conv = ConvSpec::new(channels, 3).stride(2);
            return net.unit("stem", Value::INPUT, conv, activation);
        }
        ByobStem::Pooled(channels) => (channels, [2, 1, 1]),
        ByobStem::Strided(channels) => (channels, [2, 1, 2]),
    };
    net.group("stem", |net| {
        let mut x = Value::INPUT;
        for (number, (channels, stride)) in (1..).zip(channels.into_iter().zip(strides)) {
            let conv = ConvSpec::new(channels, 3).stride(stride);
            x = net.unit(&format!("conv{number}"), x, conv, activation);
        }
        match network.stem {
            ByobStem::Pooled(_) => net.max_pool("pool", x, 3, 2),
            ByobStem::Single(_) | ByobStem::Strided(_) => x,
        }
    })
}

fn residual(net: &mut Builder, x: Value, network: &Byob, place: Place) -> Value {
    let shortcut = shortcut(net, x, network, place);
    let activation = Some(network.activation);
    let Place {
        stage,
        stride,
        inner,
    } = place;
    let groups = |channels: usize| channels.checked_div(stage.group).unwrap_or(1);
    let (narrow, wide) = (ConvSpec::new(inner, 1), ConvSpec::new(stage.channels, 1));
    let spatial = |channels| ConvSpec::new(channels, 3);
    let y = match stage.block {
        ByobBlock::Basic => {
            let y = net.unit("conv1_kxk", x, spatial(inner).stride(stride), activation);
            let conv = spatial(stage.channels).groups(groups(inner));
            let y = net.unit("conv2_kxk", y, conv, None);
            gate(net, "attn_last", y, network)
        }
        ByobBlock::Bottleneck | ByobBlock::InvertedBottleneck => {
            let y = net.unit("conv1_1x1", x, narrow, activation);
            let conv = spatial(inner).groups(groups(inner)).stride(stride);
            let y = net.unit("conv2_kxk", y, conv, activation);
            let y = gate(net, "attn", y, network);
            net.unit("conv3_1x1", y, wide, None)
        }
        ByobBlock::Dark => {
            let y = net.unit("conv1_1x1", x, narrow, activation);
            let conv = spatial(stage.channels).groups(groups(inner)).stride(stride);
            let y = net.unit("conv2_kxk", y, conv, None);
            gate(net, "attn_last", y, network)
        }
        ByobBlock::Edge => {
            let conv = spatial(inner).groups(groups(inner)).stride(stride);
            let y = net.unit("conv1_kxk", x, conv, activation);
            let y = gate(net, "attn", y, network);
            net.unit("conv2_1x1", y, wide, None)
        }
    };
    let y = match shortcut {
        Some(shortcut) => net.push("add", Operation::Add, &[y, shortcut]),
        None => y,
    };
    if network.activated_sum {
        net.activation("act", y, network.activation)
    } else {
        y
    }
}

fn gate(net: &mut Builder, name: &str, x: Value, network: &Byob) -> Value {
    match network.squeeze {
        Some(width) => {
            let block = SeSpec::timm(width.of(net.channels_of(x)));
            net.group(name, |net| net.squeeze_excite(x, &block))
        }
        None => x,
    }
}

/// The way around a block, if it has one.
fn shortcut(net: &mut Builder, x: Value, network: &Byob, place: Place) -> Option<Value> {
    let Place { stage, stride, .. } = place;
    if stride == 1 && net.channels_of(x) == stage.channels {
        return Some(x);
    }
    let conv = ConvSpec::new(stage.channels, 1);
    match network.shortcut {
        ByobShortcut::Missing => None,
        ByobShortcut::Projection => Some(net.unit("shortcut", x, conv.stride(stride), None)),
        ByobShortcut::Averaged => Some(net.group("shortcut", |net| {
            let pooled = if stride > 1 {
                net.shortcut_pool("pool", x)
            } else {
                x
            };
            net.unit("conv", pooled, conv, None)
        })),
    }
}
