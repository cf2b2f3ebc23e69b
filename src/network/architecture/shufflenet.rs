//! `ShuffleNet` (Zhang et al., arXiv:1707.01083) with SE blocks (Hu et al., arXiv:1709.01507,
//! section 5.1) and without.

use super::SqueezeWidth;
use crate::network::builder::{Builder, ConvSpec};
use crate::network::geometry::{Padding, Window};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// A convolution and a pool, three stages of units, global average pool, classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShuffleNet {
    /// Groups of the 1x1 convolutions: the paper's g.
    pub groups: usize,
    /// Channels of the first stage's units, which each later stage doubles.
    pub width: usize,
    /// The width of the SE blocks, if there are any: one before each unit's sum or concatenation, as
    /// in the paper's residual networks. It does not say so of this one; of 2.4 million parameters,
    /// as its table 3 states, are the networks with one there.
    pub squeeze: Option<SqueezeWidth>,
}

/// Channels of the first convolution.
const STEM: usize = 24;

/// Table 1: units of each stage.
const DEPTHS: [usize; 3] = [4, 8, 4];

/// A unit's channels, for each of those inside.
const BOTTLENECK: usize = 4;

pub(super) fn shufflenet(net: &mut Builder, network: &ShuffleNet, classes: usize) {
    let conv = ConvSpec::new(STEM, 3).stride(2);
    let mut x = net.conv_norm_relu(["conv1", "bn1", "relu"], Value::INPUT, conv);
    x = net.max_pool("maxpool", x, 3, 2);
    for (stage, depth) in DEPTHS.into_iter().enumerate() {
        for index in 0..depth {
            let unit = Unit {
                channels: network.width << stage,
                // "we do not apply group convolution on the first pointwise layer because the
                // number of input channels is relatively small" (section 3.3).
                first_groups: if stage == 0 && index == 0 {
                    1
                } else {
                    network.groups
                },
                groups: network.groups,
                strided: index == 0,
                squeeze: network.squeeze,
            };
            x = net.block(&format!("layer{}.{index}", stage + 2), |net| {
                shuffle_unit(net, x, &unit)
            });
        }
    }
    net.classifier("fc", x, classes);
}

/// Figure 2: of stride 1 (b), or of stride 2 (c).
struct Unit {
    channels: usize,
    first_groups: usize,
    groups: usize,
    strided: bool,
    squeeze: Option<SqueezeWidth>,
}

fn shuffle_unit(net: &mut Builder, x: Value, unit: &Unit) -> Value {
    let (stride, around) = if unit.strided {
        let window = Window::square(3, 2, Padding::Same);
        (2, net.average_pool("avgpool", x, window))
    } else {
        (1, x)
    };
    // What a unit of stride 2 makes is put behind the pooled input.
    let channels = if unit.strided {
        unit.channels.saturating_sub(net.channels_of(x))
    } else {
        unit.channels
    };
    let inner = unit.channels / BOTTLENECK;
    let conv = ConvSpec::new(inner, 1).groups(unit.first_groups);
    let mut y = net.conv_norm_relu(["conv1", "bn1", "relu1"], x, conv);
    let groups = unit.groups;
    y = net.push("shuffle", Operation::ShuffleChannels { groups }, &[y]);
    let conv = ConvSpec::depthwise(inner, 3).stride(stride);
    y = net.conv_norm(["conv2", "bn2"], y, conv);
    let conv = ConvSpec::new(channels, 1).groups(groups);
    y = net.conv_norm(["conv3", "bn3"], y, conv);
    y = net.gate("se", y, unit.squeeze);
    if unit.strided {
        y = net.concat("concat", &[around, y]);
        return net.relu("relu", y);
    }
    net.add_relu(y, around)
}
