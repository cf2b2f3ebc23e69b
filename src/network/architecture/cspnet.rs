//! Cross-stage partial networks (Wang et al., arXiv:1911.11929) and `DarkNet` (Redmon and Farhadi,
//! arXiv:1804.02767), as timm has them (`timm/models/cspnet.py`).

use super::{SqueezeWidth, whole};
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::{Activation, Operation};

/// Stem, stages that halve the image, classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CspNet {
    /// Channels of the stem's 3x3 convolutions.
    pub stem: &'static [usize],
    /// The stride of the first of them.
    pub stem_stride: usize,
    /// The stages.
    pub stages: &'static [CspStage],
    /// What a stage does around its blocks.
    pub around: CspAround,
    /// What a stage repeats.
    pub block: CspBlock,
    /// Channels of the blocks, of the stage's.
    pub share: f64,
    /// Channels inside a block, of its output's.
    pub inner: f64,
    /// The function after each batch norm.
    pub activation: Activation,
    /// The width of the SE blocks, if there are any: one in the middle of each block.
    pub squeeze: Option<SqueezeWidth>,
}

/// Blocks of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CspStage {
    /// How many there are.
    pub depth: usize,
    /// Channels of the stage's output.
    pub channels: usize,
    /// Groups of the stage's 3x3 convolutions.
    pub groups: usize,
}

/// What a stage does around its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CspAround {
    /// A strided 3x3 convolution that widens.
    Dark,
    /// A strided 3x3 convolution and a 1x1 one that widens, whose second half goes through the
    /// blocks and a 1x1 convolution, and both halves through another.
    Two,
    /// The same with the first half, and one 1x1 convolution behind, which takes the blocks'
    /// channels first.
    One,
}

/// A block's convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CspBlock {
    /// 1x1, 3x3, the gate, 1x1; a function follows the sum.
    Bottleneck,
    /// 1x1, the gate, 3x3.
    Dark,
    /// 3x3, the gate, 1x1.
    Edge,
}

pub(super) fn cspnet(net: &mut Builder, network: &CspNet, classes: usize) {
    let mut x = Value::INPUT;
    for (number, &channels) in (1..).zip(network.stem) {
        let stride = if number == 1 { network.stem_stride } else { 1 };
        let conv = ConvSpec::new(channels, 3).stride(stride);
        let name = format!("stem.conv{number}");
        x = net.unit(&name, x, conv, Some(network.activation));
    }
    for (number, &place) in network.stages.iter().enumerate() {
        x = net.group(&format!("stages.{number}"), |net| {
            stage(net, x, network, place)
        });
    }
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

fn stage(net: &mut Builder, x: Value, network: &CspNet, place: CspStage) -> Value {
    let activation = Some(network.activation);
    let channels = match network.around {
        CspAround::Dark => place.channels,
        CspAround::Two | CspAround::One => net.channels_of(x),
    };
    let conv = ConvSpec::new(channels, 3).stride(2).groups(place.groups);
    let x = net.unit("conv_down", x, conv, activation);
    if network.around == CspAround::Dark {
        return blocks(net, x, network, place);
    }
    let pointwise = ConvSpec::new(place.channels, 1);
    let x = net.unit("conv_exp", x, pointwise, activation);
    let half = place.channels / 2;
    let [first, second] = [0, half].map(|first| {
        let channels = half;
        let name = if first == 0 {
            "first_half"
        } else {
            "second_half"
        };
        net.push(name, Operation::Slice { first, channels }, &[x])
    });
    let halves = match network.around {
        CspAround::Two => {
            let y = blocks(net, second, network, place);
            let conv = ConvSpec::new(half, 1);
            [first, net.unit("conv_transition_b", y, conv, activation)]
        }
        CspAround::Dark | CspAround::One => [blocks(net, first, network, place), second],
    };
    let x = net.concat("concat", &halves);
    net.unit("conv_transition", x, pointwise, activation)
}

fn blocks(net: &mut Builder, mut x: Value, network: &CspNet, place: CspStage) -> Value {
    for index in 0..place.depth {
        x = net.block(&format!("blocks.{index}"), |net| {
            residual(net, x, network, place)
        });
    }
    x
}

fn residual(net: &mut Builder, x: Value, network: &CspNet, place: CspStage) -> Value {
    let activation = Some(network.activation);
    let rounded = |channels: usize, share: f64| whole((channels as f64 * share).round_ties_even());
    let channels = rounded(place.channels, network.share);
    let inner = rounded(channels, network.inner);
    let spatial = |channels| ConvSpec::new(channels, 3).groups(place.groups);
    let [narrow, wide] = [inner, channels].map(|channels| ConvSpec::new(channels, 1));
    let y = match network.block {
        CspBlock::Bottleneck => {
            let y = net.unit("conv1", x, narrow, activation);
            let y = net.unit("conv2", y, spatial(inner), activation);
            let y = gate(net, "attn2", y, network);
            net.unit("conv3", y, wide, None)
        }
        CspBlock::Dark => {
            let y = net.unit("conv1", x, narrow, activation);
            let y = gate(net, "attn", y, network);
            net.unit("conv2", y, spatial(channels), activation)
        }
        CspBlock::Edge => {
            let y = net.unit("conv1", x, spatial(inner), activation);
            let y = gate(net, "attn", y, network);
            net.unit("conv2", y, wide, activation)
        }
    };
    let y = net.push("add", Operation::Add, &[y, x]);
    match network.block {
        CspBlock::Bottleneck => net.activation("act3", y, network.activation),
        CspBlock::Dark | CspBlock::Edge => y,
    }
}

fn gate(net: &mut Builder, name: &str, x: Value, network: &CspNet) -> Value {
    let Some(width) = network.squeeze else {
        return x;
    };
    let block = SeSpec::timm(width.of(net.channels_of(x)))
        .functions(network.activation, Activation::Sigmoid);
    net.group(name, |net| net.squeeze_excite(x, &block))
}
