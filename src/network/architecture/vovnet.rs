//! `VoVNet` (Lee et al., arXiv:1904.09730; its second version with effective SE blocks: Lee and
//! Park, arXiv:1911.06667), as timm has it (`timm/models/vovnet.py`).

use crate::network::builder::{Builder, ConvSpec};
use crate::network::geometry::{Padding, Rounding, Window};
use crate::network::layers::Value;
use crate::network::{Activation, Operation};

/// Stem, four stages of blocks that aggregate what all their convolutions make at once, classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VovNet {
    /// Channels of the stem's three convolutions, the first and last of which halve the image.
    pub stem: [usize; 3],
    /// The stages. From the second on, a max pool in front halves the image.
    pub stages: [OsaStage; 4],
    /// 3x3 convolutions of a block, one after the other.
    pub convs: usize,
    /// Whether these and the stem's, but for its first, are depthwise with a 1x1 convolution behind.
    pub separable: bool,
    /// Whether it is of the second version: the last block of each stage has an effective SE block,
    /// and a shortcut leads around all but the first.
    pub effective: bool,
}

/// Blocks of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OsaStage {
    /// How many there are.
    pub depth: usize,
    /// Channels of each of a block's 3x3 convolutions.
    pub inner: usize,
    /// Channels of a block's output.
    pub channels: usize,
}

const RELU: Option<Activation> = Some(Activation::Relu);

pub(super) fn vovnet(net: &mut Builder, network: &VovNet, classes: usize) {
    let [first, second, third] = network.stem.map(|channels| ConvSpec::new(channels, 3));
    let mut x = net.unit("stem.0", Value::INPUT, first.stride(2), RELU);
    x = spatial(net, "stem.1", x, second, network);
    x = spatial(net, "stem.2", x, third.stride(2), network);
    for (number, &stage) in network.stages.iter().enumerate() {
        x = net.group(&format!("stages.{number}"), |net| {
            let x = if number == 0 { x } else { halved(net, x) };
            blocks(net, x, network, stage)
        });
    }
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

/// A 3x3 max pool without padding whose output is rounded up.
fn halved(net: &mut Builder, x: Value) -> Value {
    let window = Window {
        rounding: Rounding::Ceil,
        ..Window::square(3, 2, Padding::VALID)
    };
    net.push("pool", Operation::MaxPool(window), &[x])
}

fn blocks(net: &mut Builder, mut x: Value, network: &VovNet, stage: OsaStage) -> Value {
    for index in 0..stage.depth {
        x = net.block(&format!("blocks.{index}"), |net| {
            let y = aggregation(net, x, network, stage);
            if !network.effective {
                return y;
            }
            let y = if index + 1 == stage.depth {
                net.group("attn", |net| net.effective_squeeze_excite(y))
            } else {
                y
            };
            if index == 0 {
                y
            } else {
                net.push("add", Operation::Add, &[y, x])
            }
        });
    }
    x
}

/// One-shot aggregation: 3x3 convolutions one after the other, and a 1x1 convolution of the input
/// and all their outputs.
fn aggregation(net: &mut Builder, x: Value, network: &VovNet, stage: OsaStage) -> Value {
    let mut parts = vec![x];
    let mut y = x;
    // A depthwise convolution cannot change how many channels there are.
    if network.separable && net.channels_of(x) != stage.inner {
        y = net.unit("conv_reduction", x, ConvSpec::new(stage.inner, 1), RELU);
    }
    for index in 0..network.convs {
        let conv = ConvSpec::new(stage.inner, 3);
        y = spatial(net, &format!("conv_mid.{index}"), y, conv, network);
        parts.push(y);
    }
    let y = net.concat("concat", &parts);
    net.unit("conv_concat", y, ConvSpec::new(stage.channels, 1), RELU)
}

/// A 3x3 convolution, batch norm and rectifier.
fn spatial(net: &mut Builder, name: &str, x: Value, conv: ConvSpec, network: &VovNet) -> Value {
    if network.separable {
        net.separable_unit(name, x, conv, RELU)
    } else {
        net.unit(name, x, conv, RELU)
    }
}
