//! `RepViT` (Wang et al., arXiv:2307.09283): a mobile network of a transformer's form, with
//! depthwise convolutions in place of attention, as timm has it (`timm/models/repvit.py`), before and
//! after its branches are merged.

use self::RepVitForm::{Folded, Legacy, Normed};
use super::SqueezeWidth;
use crate::network::Activation;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stem, four stages of blocks, global average pool, two classifiers whose mean is the answer or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepVit {
    /// Channels of each stage.
    pub channels: [usize; 4],
    /// Blocks of each stage, every other one with an SE block, from the first on.
    pub depths: [usize; 4],
    /// What it is trained with, or has become.
    pub form: RepVitForm,
}

/// What pixels are mixed by, and where there are batch norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepVitForm {
    /// The sum of a depthwise 3x3 convolution, of one of one pixel, and of the input itself; every
    /// convolution has a batch norm, as first published.
    Legacy,
    /// The same, but that the convolution of one pixel has a bias, and the sum a batch norm.
    Normed,
    /// One depthwise 3x3 convolution: sums are folded into it, all batch norms into convolutions
    /// with biases, and the two classifiers into one, as `timm.utils.reparameterize_model` does.
    Folded,
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
    let form = network.form;
    let mut channels = network.channels[0];
    let mut x = net.group("stem", |net| {
        let conv = ConvSpec::new(channels / 2, 3).stride(2);
        let x = conv_norm(net, "conv1", Value::INPUT, conv, form);
        let x = net.activation("act1", x, Activation::Gelu);
        conv_norm(net, "conv2", x, ConvSpec::new(channels, 3).stride(2), form)
    });
    for (stage, (&width, &depth)) in network.channels.iter().zip(&network.depths).enumerate() {
        if stage > 0 {
            let name = format!("stages.{stage}.downsample");
            x = net.block(&name, |net| {
                let y = net.group("pre_block", |net| block(net, x, form, false));
                let conv = ConvSpec::depthwise(channels, KERNEL).stride(2);
                let y = conv_norm(net, "spatial_downsample", y, conv, form);
                let y = conv_norm(net, "channel_downsample", y, ConvSpec::new(width, 1), form);
                mix_channels(net, "ffn", y, form)
            });
        }
        channels = width;
        for index in 0..depth {
            let name = format!("stages.{stage}.blocks.{index}");
            let gated = index % 2 == 0;
            x = net.block(&name, |net| block(net, x, form, gated));
        }
    }
    x = net.push("global_pool", Operation::GlobalAveragePool, &[x]);
    match form {
        Legacy | Normed => net.group("head", |net| two_classifiers(net, x, classes)),
        Folded => {
            x = net.flatten("flatten", x, [1, 1]);
            net.linear("head", x, classes)
        }
    };
}

fn two_classifiers(net: &mut Builder, x: Value, classes: usize) -> Value {
    let [one, other] = ["head", "head_dist"].map(|name| {
        net.group(name, |net| {
            let y = net.norm("bn", x);
            let y = net.flatten("flatten", y, [1, 1]);
            net.linear("l", y, classes)
        })
    });
    let sum = net.push("add", Operation::Add, &[one, other]);
    net.push("mean", Operation::Multiply { factor: 0.5 }, &[sum])
}

/// timm's `ConvNorm`.
fn conv_norm(net: &mut Builder, name: &str, x: Value, conv: ConvSpec, form: RepVitForm) -> Value {
    match form {
        Legacy | Normed => net.group(name, |net| net.conv_norm(["c", "bn"], x, conv)),
        Folded => net.conv(name, x, conv.biased()),
    }
}

fn block(net: &mut Builder, x: Value, form: RepVitForm, gated: bool) -> Value {
    let mut y = mix_pixels(net, "token_mixer", x, form);
    if gated {
        let spec = SeSpec::new(SQUEEZE.of(net.channels_of(y))).names(["fc1", "act", "fc2", "gate"]);
        y = net.group("se", |net| net.squeeze_excite(y, &spec));
    }
    mix_channels(net, "channel_mixer", y, form)
}

fn mix_pixels(net: &mut Builder, name: &str, x: Value, form: RepVitForm) -> Value {
    let channels = net.channels_of(x);
    let wide = ConvSpec::depthwise(channels, KERNEL);
    if form == Folded {
        return net.conv(name, x, wide.biased());
    }
    net.group(name, |net| {
        let wide = conv_norm(net, "conv", x, wide, form);
        let pixel = ConvSpec::depthwise(channels, 1);
        let pixel = match form {
            Normed => net.conv("conv1", x, pixel.biased()),
            Legacy | Folded => conv_norm(net, "conv1", x, pixel, form),
        };
        let sum = net.push("add", Operation::Add, &[wide, pixel]);
        let sum = net.push("add_input", Operation::Add, &[sum, x]);
        match form {
            Normed => net.norm("bn", sum),
            Legacy | Folded => sum,
        }
    })
}

fn mix_channels(net: &mut Builder, name: &str, x: Value, form: RepVitForm) -> Value {
    let channels = net.channels_of(x);
    let y = net.group(name, |net| {
        let y = conv_norm(
            net,
            "conv1",
            x,
            ConvSpec::new(channels * EXPANSION, 1),
            form,
        );
        let y = net.activation("act", y, Activation::Gelu);
        conv_norm(net, "conv2", y, ConvSpec::new(channels, 1), form)
    });
    net.push(&format!("{name}.add"), Operation::Add, &[y, x])
}
