//! `ReXNet` (Han et al., arXiv:2007.00992): mobile blocks whose channels grow by the same step from
//! each to the next, as timm has it (`timm/models/rexnet.py`).

use super::{make_divisible, whole};
use crate::network::Activation;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stem, sixteen blocks, a last 1x1 convolution, global average pool, classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RexNet {
    /// What all channels are multiplied by.
    pub width: f64,
    /// What all channels are a multiple of.
    pub divisor: usize,
}

/// Channels after the stem, those of the first block, and of the last layer, at width 1.
const CHANNELS: [f64; 3] = [32., 16., 1280.];

/// Channels that the blocks gain from the first to one after the last, at width 1.
const GAIN: f64 = 180.;

/// For each stage its blocks, the first one's stride, and whether the blocks have gates.
const STAGES: [(usize, usize, bool); 6] = [
    (1, 1, false),
    (2, 2, false),
    (2, 2, true),
    (3, 2, true),
    (3, 1, true),
    (5, 2, true),
];

/// What a block is widened by inside, but for the first.
const EXPANSION: usize = 6;

/// The share of a block's inner channels that its SE block squeezes to.
const SQUEEZE: f64 = 1. / 12.;

/// timm's `make_divisible` keeps nine tenths.
const LIMIT: f64 = 0.9;

impl RexNet {
    /// So many channels, rounded to a whole number and to a multiple of the divisor.
    fn channels(&self, at_width_1: f64) -> usize {
        let channels = (at_width_1 * self.width).round_ties_even();
        make_divisible(channels, self.divisor, LIMIT)
    }
}

pub(super) fn rexnet(net: &mut Builder, network: &RexNet, classes: usize) {
    let [stem, first, last] = CHANNELS;
    let silu = Some(Activation::Silu);
    let conv = ConvSpec::new(network.channels(stem), 3).stride(2);
    let mut x = net.unit("stem", Value::INPUT, conv, silu);
    let depth: usize = STAGES.iter().map(|&(blocks, ..)| blocks).sum();
    let mut index = 0;
    for (blocks, stride, gated) in STAGES {
        for place in 0..blocks {
            let block = Block {
                channels: network.channels(first + GAIN / depth as f64 * f64::from(index)),
                stride: if place == 0 { stride } else { 1 },
                expansion: if index == 0 { 1 } else { EXPANSION },
                squeeze: gated,
                divisor: network.divisor,
            };
            x = net.block(&format!("features.{index}"), |net| {
                bottleneck(net, x, &block)
            });
            index += 1;
        }
    }
    let conv = ConvSpec::new(
        make_divisible(last * network.width, network.divisor, LIMIT),
        1,
    );
    let x = net.unit(&format!("features.{index}"), x, conv, silu);
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

/// One block, as its stage sees it.
struct Block {
    channels: usize,
    stride: usize,
    expansion: usize,
    squeeze: bool,
    divisor: usize,
}

fn bottleneck(net: &mut Builder, x: Value, block: &Block) -> Value {
    let inputs = net.channels_of(x);
    let mut y = x;
    let mut inner = inputs;
    if block.expansion > 1 {
        inner = make_divisible((inputs * block.expansion) as f64, block.divisor, LIMIT);
        let conv = ConvSpec::new(inner, 1);
        y = net.unit("conv_exp", y, conv, Some(Activation::Silu));
    }
    let conv = ConvSpec::depthwise(inner, 3).stride(block.stride);
    y = net.unit("conv_dw", y, conv, None);
    if block.squeeze {
        let squeezed = whole(inner as f64 * SQUEEZE);
        let width = make_divisible(squeezed as f64, block.divisor, LIMIT);
        let spec = SeSpec::new(width)
            .names(["fc1", "act", "fc2", "gate"])
            .normed();
        y = net.group("se", |net| net.squeeze_excite(y, &spec));
    }
    y = net.activation("act_dw", y, Activation::Relu6);
    y = net.unit("conv_pwl", y, ConvSpec::new(block.channels, 1), None);
    // The first channels alone have a way around: the others are new.
    match block.channels.checked_sub(inputs) {
        Some(new) if block.stride == 1 => {
            let around = if new == 0 {
                x
            } else {
                net.push("pad", Operation::PadChannels(new), &[x])
            };
            net.push("add", Operation::Add, &[y, around])
        }
        _ => y,
    }
}
