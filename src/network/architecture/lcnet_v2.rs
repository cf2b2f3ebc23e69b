//! PP-LCNetV2 (Baidu, PaddleClas): depthwise separable convolutions, some of them the sum of
//! several sizes, as timm has it (`timm/models/lcnetv2.py`), before and after these are merged.

use super::{make_divisible, whole};
use crate::network::Activation;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stem, four stages, global average pool, two dense layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LcNetV2 {
    /// What all channels but those of the head are multiplied by.
    pub width: f64,
    /// Blocks of each stage, the first of which halves the image.
    pub depths: [usize; 4],
    /// Whether each sum of depthwise convolutions is folded into one with a bias.
    pub folded: bool,
}

/// Channels of the stem's two layers, at width 1, and of the head, at any.
const CHANNELS: [f64; 3] = [32., 64., 1280.];

/// What a stage's blocks have in common.
#[expect(clippy::struct_excessive_bools, reason = "columns of timm's table")]
struct Stage {
    /// Channels of its output, at width 1.
    channels: f64,
    kernel: usize,
    /// Whether the depthwise convolution is the sum of those of all smaller odd sizes.
    branches: bool,
    /// Whether an SE block follows it.
    gated: bool,
    /// Whether the 1x1 convolution is two, half as wide between them.
    split: bool,
    /// Whether the input is added where it has the output's shape.
    residual: bool,
}

const PLAIN: Stage = Stage {
    channels: 128.,
    kernel: 3,
    branches: false,
    gated: false,
    split: false,
    residual: false,
};

const STAGES: [Stage; 4] = [
    PLAIN,
    Stage {
        channels: 256.,
        ..PLAIN
    },
    Stage {
        channels: 512.,
        kernel: 5,
        branches: true,
        gated: true,
        split: true,
        residual: false,
    },
    Stage {
        channels: 1024.,
        kernel: 5,
        branches: true,
        gated: false,
        split: false,
        residual: true,
    },
];

/// The share of the channels that an SE block squeezes to, rounded down.
const SQUEEZE: f64 = 0.25;

impl LcNetV2 {
    fn channels(&self, at_width_1: f64) -> usize {
        make_divisible(at_width_1 * self.width, 8, 0.9)
    }
}

pub(super) fn lcnet_v2(net: &mut Builder, network: &LcNetV2, classes: usize) {
    let [first, second, head] = CHANNELS;
    let relu = Some(Activation::Relu);
    let conv = ConvSpec::new(network.channels(first), 3).stride(2);
    let mut x = net.unit("stem.0", Value::INPUT, conv, relu);
    let stem = Stage {
        channels: second,
        ..PLAIN
    };
    x = net.group("stem.1", |net| separable(net, x, network, &stem, 1));
    for (index, (stage, &depth)) in STAGES.iter().zip(&network.depths).enumerate() {
        for place in 0..depth {
            let stride = if place == 0 { 2 } else { 1 };
            x = net.block(&format!("stages.{index}.{place}"), |net| {
                separable(net, x, network, stage, stride)
            });
        }
    }
    x = net.push("global_pool", Operation::GlobalAveragePool, &[x]);
    x = net.dense("conv_head", x, whole(head), false);
    x = net.relu("act2", x);
    x = net.flatten("flatten", x, [1, 1]);
    net.linear("classifier", x, classes);
}

fn separable(
    net: &mut Builder,
    x: Value,
    network: &LcNetV2,
    stage: &Stage,
    stride: usize,
) -> Value {
    let channels = network.channels(stage.channels);
    let inputs = net.channels_of(x);
    let relu = Some(Activation::Relu);
    let conv = ConvSpec::depthwise(inputs, stage.kernel).stride(stride);
    let mut y = if stage.branches {
        let y = if network.folded {
            net.conv("dw_conv", x, conv.biased())
        } else {
            branches(net, x, stage.kernel, stride)
        };
        net.relu("dw_act", y)
    } else {
        net.unit("dw_conv", x, conv, relu)
    };
    if stage.gated {
        let width = whole(inputs as f64 * SQUEEZE);
        let spec = SeSpec::new(width).names(["fc1", "act", "fc2", "gate"]);
        y = net.group("se", |net| net.squeeze_excite(y, &spec));
    }
    y = if stage.split {
        let y = net.unit("pw_conv.0", y, ConvSpec::new(channels / 2, 1), relu);
        net.unit("pw_conv.1", y, ConvSpec::new(channels, 1), relu)
    } else {
        net.unit("pw_conv", y, ConvSpec::new(channels, 1), relu)
    };
    if stage.residual && stride == 1 && inputs == channels {
        y = net.push("add", Operation::Add, &[y, x]);
    }
    y
}

/// Depthwise convolutions of this and all smaller odd sizes, summed up; one of one pixel would pass
/// over the pixels between where it strides, and is left out there.
fn branches(net: &mut Builder, x: Value, kernel: usize, stride: usize) -> Value {
    let channels = net.channels_of(x);
    let kernels = (1..=kernel).rev().step_by(2);
    let kernels = kernels.filter(|&kernel| kernel > 1 || stride == 1);
    let mut sum = None;
    for (index, kernel) in kernels.enumerate() {
        let conv = ConvSpec::depthwise(channels, kernel).stride(stride);
        let more = net.unit(&format!("dw_conv_list.{index}"), x, conv, None);
        sum = Some(match sum {
            Some(sum) => net.push(&format!("dw_add.{index}"), Operation::Add, &[sum, more]),
            None => more,
        });
    }
    sum.unwrap_or(x)
}
