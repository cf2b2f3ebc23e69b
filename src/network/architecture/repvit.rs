//! `RepViT` (Wang et al., arXiv:2307.09283): a mobile network of a transformer's form, with
//! depthwise convolutions in place of attention, as timm has it before its branches are merged
//! (`timm/models/repvit.py`).

use super::SqueezeWidth;
use crate::network::Activation;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stem, four stages of blocks, global average pool, two classifiers whose mean is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepVit {
    /// Channels of each stage.
    pub channels: [usize; 4],
    /// Blocks of each stage, every other one with an SE block, from the first on.
    pub depths: [usize; 4],
    /// How pixels are mixed.
    pub mixer: Mixer,
}

/// The sum of a depthwise 3x3 convolution, of one of one pixel and of the input itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixer {
    /// Each convolution has a batch norm, as first published.
    Legacy,
    /// The convolution of one pixel has a bias, and the sum a batch norm.
    Normed,
}

/// How many times as wide a block is inside.
const EXPANSION: usize = 2;

/// timm's `make_divisible(channels / 4, 8, round_limit=0)`.
const SQUEEZE: SqueezeWidth = SqueezeWidth::Rounded {
    ratio: 4,
    multiple: 8,
};

const KERNEL: usize = 3;

pub(super) fn repvit(net: &mut Builder, network: &RepVit, classes: usize) {
    let mut channels = network.channels[0];
    let mut x = net.group("stem", |net| {
        let conv = ConvSpec::new(channels / 2, 3).stride(2);
        let x = conv_norm(net, "conv1", Value::INPUT, conv);
        let x = net.activation("act1", x, Activation::Gelu);
        conv_norm(net, "conv2", x, ConvSpec::new(channels, 3).stride(2))
    });
    for (stage, (&width, &depth)) in network.channels.iter().zip(&network.depths).enumerate() {
        if stage > 0 {
            let name = format!("stages.{stage}.downsample");
            x = net.block(&name, |net| {
                let y = net.group("pre_block", |net| block(net, x, network.mixer, false));
                let conv = ConvSpec::depthwise(channels, KERNEL).stride(2);
                let y = conv_norm(net, "spatial_downsample", y, conv);
                let y = conv_norm(net, "channel_downsample", y, ConvSpec::new(width, 1));
                mix_channels(net, "ffn", y)
            });
        }
        channels = width;
        for index in 0..depth {
            let name = format!("stages.{stage}.blocks.{index}");
            let gated = index % 2 == 0;
            x = net.block(&name, |net| block(net, x, network.mixer, gated));
        }
    }
    x = net.push("global_pool", Operation::GlobalAveragePool, &[x]);
    net.group("head", |net| {
        let [one, other] = ["head", "head_dist"].map(|name| {
            net.group(name, |net| {
                let y = net.norm("bn", x);
                let y = net.flatten("flatten", y, [1, 1]);
                net.linear("l", y, classes)
            })
        });
        let sum = net.push("add", Operation::Add, &[one, other]);
        net.push("mean", Operation::Multiply { factor: 0.5 }, &[sum]);
    });
}

fn conv_norm(net: &mut Builder, name: &str, x: Value, conv: ConvSpec) -> Value {
    net.group(name, |net| net.conv_norm(["c", "bn"], x, conv))
}

fn block(net: &mut Builder, x: Value, mixer: Mixer, gated: bool) -> Value {
    let mut y = net.group("token_mixer", |net| mix_pixels(net, x, mixer));
    if gated {
        let spec = SeSpec::new(SQUEEZE.of(net.channels_of(y))).names(["fc1", "act", "fc2", "gate"]);
        y = net.group("se", |net| net.squeeze_excite(y, &spec));
    }
    mix_channels(net, "channel_mixer", y)
}

fn mix_pixels(net: &mut Builder, x: Value, mixer: Mixer) -> Value {
    let channels = net.channels_of(x);
    let wide = conv_norm(net, "conv", x, ConvSpec::depthwise(channels, KERNEL));
    let conv = ConvSpec::depthwise(channels, 1);
    let pixel = match mixer {
        Mixer::Legacy => conv_norm(net, "conv1", x, conv),
        Mixer::Normed => net.conv("conv1", x, conv.biased()),
    };
    let sum = net.push("add", Operation::Add, &[wide, pixel]);
    let sum = net.push("add_input", Operation::Add, &[sum, x]);
    match mixer {
        Mixer::Legacy => sum,
        Mixer::Normed => net.norm("bn", sum),
    }
}

fn mix_channels(net: &mut Builder, name: &str, x: Value) -> Value {
    let channels = net.channels_of(x);
    let y = net.group(name, |net| {
        let y = conv_norm(net, "conv1", x, ConvSpec::new(channels * EXPANSION, 1));
        let y = net.activation("act", y, Activation::Gelu);
        conv_norm(net, "conv2", y, ConvSpec::new(channels, 1))
    });
    net.push(&format!("{name}.add"), Operation::Add, &[y, x])
}
