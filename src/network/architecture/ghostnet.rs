//! `GhostNet` (Han et al., arXiv:1911.11907), its second (Tang et al., arXiv:2211.12905) and third
//! version (Liu et al., arXiv:2404.11202), and `RepGhost` (Chen et al., arXiv:2211.06088), as timm
//! has them (`timm/models/ghostnet.py`, `repghost.py`).

use super::{SqueezeWidth, make_divisible};
use crate::network::Activation;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::geometry::{Padding, Window};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stem, stages of bottlenecks of two ghost modules, a 1x1 convolution, global average pool, two
/// dense layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GhostNet {
    /// What a ghost module is.
    pub module: Ghost,
    /// Whether each sum of branches is folded into one convolution with a bias, where there are
    /// such sums.
    pub folded: bool,
    /// What all channels but those of the head are multiplied by.
    pub width: f64,
    /// The bottlenecks, stage by stage.
    pub stages: &'static [&'static [GhostRow]],
    /// What the inner channels of the last bottleneck are multiplied by for the convolution after
    /// it.
    pub last: f64,
}

/// How a ghost module makes the second half of its channels, the ghosts, cheaply from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ghost {
    /// By a depthwise convolution.
    Depthwise,
    /// The same, and from the third bottleneck on the first module is gated pixel by pixel by what
    /// long convolutions make of its input at half the size (DFC attention).
    Attention,
    /// The sum of three depthwise convolutions, of one of one pixel and of a batch norm, as is the
    /// first half of three convolutions, so that training is easier; gated as before.
    Branches,
    /// All channels are first ones, and the ghosts and a batch norm are added to them.
    Added,
}

/// A bottleneck, as its stage sees it, at width 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GhostRow {
    /// Rows and columns of the depthwise convolutions of the bottleneck, not of its modules.
    pub kernel: usize,
    /// Channels between its two modules.
    pub inner: usize,
    /// Channels of its output.
    pub channels: usize,
    /// Whether it has an SE block.
    pub gated: bool,
    /// 2 halves the image.
    pub stride: usize,
}

/// Channels of the stem, at width 1, and of the head, at any.
const CHANNELS: [f64; 2] = [16., 1280.];

/// Every count of channels is a multiple of it.
const DIVISOR: usize = 4;

/// timm's `make_divisible` keeps nine tenths.
const LIMIT: f64 = 0.9;

const SQUEEZE: SqueezeWidth = SqueezeWidth::Divisible {
    share: 0.25,
    divisor: DIVISOR,
    limit: LIMIT,
};

/// The bottlenecks before the first whose modules are gated.
const UNGATED: usize = 2;

/// Convolutions that are summed up where a module has branches.
const BRANCHES: usize = 3;

/// Rows and columns of the depthwise convolutions in a module.
const CHEAP: usize = 3;

/// What the long convolutions are long.
const LONG: usize = 5;

impl GhostNet {
    fn channels(&self, at_width_1: f64) -> usize {
        make_divisible(at_width_1 * self.width, DIVISOR, LIMIT)
    }
}

pub(super) fn ghostnet(net: &mut Builder, network: &GhostNet, classes: usize) {
    let [stem, head] = CHANNELS;
    let conv = ConvSpec::new(network.channels(stem), 3).stride(2);
    let mut x = net.conv_norm_relu(["conv_stem", "bn1", "act1"], Value::INPUT, conv);
    let (mut count, mut inner) = (0, 0);
    for (stage, rows) in network.stages.iter().enumerate() {
        for (index, row) in rows.iter().enumerate() {
            let block = Bottleneck {
                module: network.module,
                folded: network.folded,
                kernel: row.kernel,
                inner: network.channels(row.inner as f64),
                channels: network.channels(row.channels as f64),
                gated: row.gated,
                attention: count >= UNGATED,
                stride: row.stride,
            };
            x = net.block(&format!("blocks.{stage}.{index}"), |net| {
                bottleneck(net, x, &block)
            });
            (count, inner) = (count + 1, row.inner);
        }
    }
    let last = ConvSpec::new(network.channels(inner as f64 * network.last), 1);
    x = net.block(&format!("blocks.{}.0", network.stages.len()), |net| {
        net.conv_norm_relu(["conv", "bn1", "bn1.act"], x, last)
    });
    x = net.push("global_pool", Operation::GlobalAveragePool, &[x]);
    x = net.linear("conv_head", x, super::whole(head));
    x = net.relu("act2", x);
    x = net.flatten("flatten", x, [1, 1]);
    net.linear("classifier", x, classes);
}

/// A bottleneck with the channels that it has.
struct Bottleneck {
    module: Ghost,
    folded: bool,
    kernel: usize,
    inner: usize,
    channels: usize,
    gated: bool,
    /// Whether the first module is gated, where its kind is at all.
    attention: bool,
    stride: usize,
}

fn bottleneck(net: &mut Builder, x: Value, block: &Bottleneck) -> Value {
    let around = shortcut(net, x, block);
    let mut y = net.group("ghost1", |net| {
        let y = ghost(net, x, block, block.inner, true);
        match block.module {
            Ghost::Attention | Ghost::Branches if block.attention => attention(net, x, y),
            _ => y,
        }
    });
    if block.stride > 1 {
        let conv = ConvSpec::depthwise(block.inner, block.kernel).stride(block.stride);
        y = match block.module {
            Ghost::Branches if block.folded => net.conv("conv_dw", y, conv.biased()),
            Ghost::Branches => {
                let scale = ConvSpec::depthwise(block.inner, 1).stride(block.stride);
                let first = branch(net, "dw_rpr_scale", y, scale);
                branches(net, "dw_rpr_conv", y, conv, Some(first))
            }
            Ghost::Depthwise | Ghost::Attention | Ghost::Added => {
                net.conv_norm(["conv_dw", "bn_dw"], y, conv)
            }
        };
    }
    if block.gated {
        let spec = SeSpec::new(SQUEEZE.of(block.inner))
            .names(["conv_reduce", "act1", "conv_expand", "gate"])
            .functions(Activation::Relu, Activation::HardSigmoid);
        y = net.group("se", |net| net.squeeze_excite(y, &spec));
    }
    y = net.group("ghost2", |net| ghost(net, y, block, block.channels, false));
    net.push("add", Operation::Add, &[y, around])
}

fn shortcut(net: &mut Builder, x: Value, block: &Bottleneck) -> Value {
    let inputs = net.channels_of(x);
    if block.stride == 1 && inputs == block.channels {
        return x;
    }
    net.group("shortcut", |net| {
        let conv = ConvSpec::depthwise(inputs, block.kernel).stride(block.stride);
        let y = net.conv_norm(["0", "1"], x, conv);
        net.conv_norm(["2", "3"], y, ConvSpec::new(block.channels, 1))
    })
}

/// A module to so many channels, which are a multiple of [`DIVISOR`], so even.
fn ghost(
    net: &mut Builder,
    x: Value,
    block: &Bottleneck,
    channels: usize,
    rectified: bool,
) -> Value {
    let half = channels / 2;
    let relu = |net: &mut Builder, name: &str, x| if rectified { net.relu(name, x) } else { x };
    match block.module {
        Ghost::Depthwise | Ghost::Attention => {
            let names = ["primary_conv.0", "primary_conv.1"];
            let first = net.conv_norm(names, x, ConvSpec::new(half, 1));
            let first = relu(net, "primary_conv.2", first);
            let names = ["cheap_operation.0", "cheap_operation.1"];
            let ghosts = net.conv_norm(names, first, ConvSpec::depthwise(half, CHEAP));
            let ghosts = relu(net, "cheap_operation.2", ghosts);
            net.concat("concat", &[first, ghosts])
        }
        Ghost::Branches if block.folded => {
            let first = net.conv("primary_conv.0", x, ConvSpec::new(half, 1).biased());
            let first = relu(net, "primary_conv.1", first);
            let conv = ConvSpec::depthwise(half, CHEAP).biased();
            let ghosts = net.conv("cheap_operation.0", first, conv);
            let ghosts = relu(net, "cheap_operation.1", ghosts);
            net.concat("concat", &[first, ghosts])
        }
        Ghost::Branches => {
            let conv = ConvSpec::new(half, 1);
            let first = branches(net, "primary_rpr_conv", x, conv, None);
            let first = relu(net, "primary_activation", first);
            let scaled = branch(net, "cheap_rpr_scale", first, ConvSpec::depthwise(half, 1));
            let skipped = net.norm("cheap_rpr_skip", first);
            let sum = net.push("cheap_rpr_add", Operation::Add, &[scaled, skipped]);
            let conv = ConvSpec::depthwise(half, CHEAP);
            let ghosts = branches(net, "cheap_rpr_conv", first, conv, Some(sum));
            let ghosts = relu(net, "cheap_activation", ghosts);
            net.concat("concat", &[first, ghosts])
        }
        Ghost::Added => {
            let names = ["primary_conv.0", "primary_conv.1"];
            let first = net.conv_norm(names, x, ConvSpec::new(channels, 1));
            let first = relu(net, "primary_conv.2", first);
            let conv = ConvSpec::depthwise(channels, CHEAP);
            let sum = if block.folded {
                net.conv("cheap_operation", first, conv.biased())
            } else {
                let skipped = net.norm("fusion_bn.0", first);
                let names = ["cheap_operation.0", "cheap_operation.1"];
                let ghosts = net.conv_norm(names, first, conv);
                net.push("add", Operation::Add, &[ghosts, skipped])
            };
            relu(net, "relu", sum)
        }
    }
}

/// One of the convolutions that are summed up.
fn branch(net: &mut Builder, name: &str, x: Value, conv: ConvSpec) -> Value {
    net.group(name, |net| net.conv_norm(["conv", "bn1"], x, conv))
}

/// All of them, added one after the other to what there is already.
fn branches(
    net: &mut Builder,
    name: &str,
    x: Value,
    conv: ConvSpec,
    first: Option<Value>,
) -> Value {
    let mut sum = first;
    for index in 0..BRANCHES {
        let more = branch(net, &format!("{name}.{index}"), x, conv);
        sum = Some(match sum {
            Some(sum) => net.push(&format!("{name}.add{index}"), Operation::Add, &[sum, more]),
            None => more,
        });
    }
    sum.unwrap_or(x)
}

/// `y`, which is made of `x`, times a gate for each of its pixels.
fn attention(net: &mut Builder, x: Value, y: Value) -> Value {
    let channels = net.channels_of(y);
    let window = Window::square(2, 2, Padding::VALID);
    let half = net.average_pool("pool", x, window);
    let gate = net.group("short_conv", |net| {
        let z = net.conv_norm(["0", "1"], half, ConvSpec::new(channels, 1));
        let across = ConvSpec::rectangular(channels, [1, LONG]).groups(channels);
        let z = net.conv_norm(["2", "3"], z, across);
        let down = ConvSpec::rectangular(channels, [LONG, 1]).groups(channels);
        net.conv_norm(["4", "5"], z, down)
    });
    let gate = net.activation("gate_fn", gate, Activation::Sigmoid);
    let gate = net.push("upsample", Operation::UpsampleLike, &[gate, y]);
    net.push("product", Operation::Product, &[y, gate])
}
