//! Networks without batch norms, as timm has them (`timm/models/nfnet.py`): NF-`ResNet` and
//! NF-`RegNet` (Brock et al., arXiv:2101.08692), `NFNet` (Brock et al., arXiv:2102.06171).
//!
//! What batch norms would keep near 1 is kept there by standardized weights and by constants. Those
//! in front of a convolution are part of its weights' scale, since it is linear; timm multiplies
//! by some of them as values instead, which only rounds differently.

use super::SqueezeWidth;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::geometry::Padding;
use crate::network::layers::Value;
use crate::network::operation::Standardization;
use crate::network::{Activation, Operation};

/// Stem, four stages of bottlenecks whose functions come first, a last convolution where there is
/// one, classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NfNet {
    /// Everything before the first stage.
    pub stem: NfStem,
    /// Blocks in each stage.
    pub depths: [usize; 4],
    /// Channels of each stage.
    pub channels: [usize; 4],
    /// How wide a bottleneck is inside.
    pub inner: NfWidth,
    /// Channels of a group of the 3x3 convolutions, if they have groups.
    pub group: Option<usize>,
    /// Whether a bottleneck has two 3x3 convolutions.
    pub doubled: bool,
    /// The width of the SE blocks, if there are any.
    pub squeeze: Option<SqueezeWidth>,
    /// The function in front of each convolution.
    pub activation: Activation,
    /// What that function is multiplied by to keep the variance.
    pub gamma: f64,
    /// Where that is done.
    pub code: NfCode,
    /// Channels of a last 1x1 convolution, where there is one.
    pub features: Option<usize>,
}

/// What comes before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NfStem {
    /// A 3x3 convolution of so many channels and stride 2; the first stage halves the image too.
    Single(usize),
    /// A 7x7 convolution of so many channels and stride 2, a 3x3 max pool of stride 2.
    Pooled(usize),
    /// Four 3x3 convolutions of up to so many channels, each twice as many as the one before; the
    /// first and the last stride.
    Deep(usize),
}

/// How wide a bottleneck is inside, before that is rounded to whole groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NfWidth {
    /// A share of its output, and the SE block at its end.
    OfOutput(f64),
    /// A share of its input, all of it in the first block, and the SE block after the 3x3
    /// convolution.
    OfInput(f64),
}

/// Whose arithmetic it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NfCode {
    /// timm's: gamma is in the weights of every convolution, the first and the last one's too.
    Timm,
    /// `DeepMind`'s: gamma follows each function, convolutions pad as `TensorFlow` does, and each
    /// block's branch is multiplied by one learnt number.
    DeepMind,
}

/// alpha, what a block's branch is multiplied by.
const ALPHA: f64 = 0.2;

/// What a gated branch is multiplied by besides, as gates halve it on average.
const GATE_GAIN: f64 = 2.;

/// Added to the variance of weights.
const EPSILON: f64 = 1e-5;

/// One block, as its stage sees it.
#[derive(Debug, Clone, Copy)]
struct Place {
    channels: usize,
    inner: usize,
    groups: usize,
    stride: usize,
    /// 1 over the deviation that the block's input is expected to have.
    beta: f64,
}

pub(super) fn nfnet(net: &mut Builder, network: &NfNet, classes: usize) {
    let mut x = net.group("stem", |net| stem(net, network));
    let mut variance = 1.;
    for (stage, (depth, channels)) in network.depths.into_iter().zip(network.channels).enumerate() {
        let is_halved = stage > 0 || matches!(network.stem, NfStem::Single(_));
        for index in 0..depth {
            let (inner, groups) = network.inner(net.channels_of(x), channels, stage + index == 0);
            let place = Place {
                channels,
                inner,
                groups,
                stride: if is_halved && index == 0 { 2 } else { 1 },
                beta: 1. / f64::sqrt(variance),
            };
            x = net.block(&format!("stages.{stage}.{index}"), |net| {
                bottleneck(net, x, network, place)
            });
            // A stage's first block projects what it adds its branch to, without alpha.
            if index == 0 {
                variance = 1.;
            }
            variance += ALPHA * ALPHA;
        }
    }
    if let Some(features) = network.features {
        let conv = ConvSpec::new(features, 1);
        x = network.conv(net, "final_conv", x, conv, Input::Raw);
    }
    let x = match network.code {
        NfCode::Timm => net.activation("final_act", x, network.activation),
        NfCode::DeepMind => net.group("final_act", |net| {
            let x = net.activation("act", x, network.activation);
            let factor = network.gamma;
            net.push("gamma", Operation::Multiply { factor }, &[x])
        }),
    };
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

/// What goes into a convolution.
#[derive(Debug, Clone, Copy)]
enum Input {
    /// A value as it is.
    Raw,
    /// What the function makes of a value, to be multiplied by this besides gamma.
    Activated(f64),
}

impl NfNet {
    /// Channels inside a block, and the groups that they are in.
    fn inner(&self, inputs: usize, outputs: usize, is_first: bool) -> (usize, usize) {
        let (of, share) = match self.inner {
            NfWidth::OfOutput(share) => (outputs, share),
            NfWidth::OfInput(_) if is_first => (inputs, 1.),
            NfWidth::OfInput(share) => (inputs, share),
        };
        let inner = super::make_divisible(of as f64 * share, 8, 0.9);
        match self.group {
            None | Some(0) => (inner, 1),
            Some(group) => (inner / group * group, inner / group),
        }
    }

    /// A convolution of standardized weights, with a bias.
    fn conv(&self, net: &mut Builder, name: &str, x: Value, conv: ConvSpec, input: Input) -> Value {
        let (gamma, beta) = match (self.code, input) {
            (NfCode::Timm, Input::Raw) => (self.gamma, 1.),
            (NfCode::DeepMind, Input::Raw) => (1., 1.),
            (NfCode::Timm | NfCode::DeepMind, Input::Activated(beta)) => (self.gamma, beta),
        };
        let fan_in = conv.fan_in(net.channels_of(x));
        let conv = conv.biased().standardized(Standardization {
            epsilon: EPSILON,
            scale: gamma * beta / (fan_in as f64).sqrt(),
            gain: true,
        });
        let conv = match self.code {
            NfCode::Timm => conv,
            NfCode::DeepMind => conv.padded(Padding::Same),
        };
        net.conv(name, x, conv)
    }

    fn gate(&self, net: &mut Builder, name: &str, x: Value) -> Value {
        let Some(width) = self.squeeze else {
            return x;
        };
        let block = SeSpec::timm(width.of(net.channels_of(x)));
        net.group(name, |net| net.squeeze_excite(x, &block))
    }
}

fn stem(net: &mut Builder, network: &NfNet) -> Value {
    let x = Value::INPUT;
    match network.stem {
        NfStem::Single(channels) => {
            let conv = ConvSpec::new(channels, 3).stride(2);
            network.conv(net, "conv", x, conv, Input::Raw)
        }
        NfStem::Pooled(channels) => {
            let conv = ConvSpec::new(channels, 7).stride(2);
            let x = network.conv(net, "conv", x, conv, Input::Raw);
            net.max_pool("pool", x, 3, 2)
        }
        NfStem::Deep(channels) => {
            let conv = ConvSpec::new(channels / 8, 3).stride(2);
            let mut x = network.conv(net, "conv1", x, conv, Input::Raw);
            for (number, (share, stride)) in (2..).zip([(4, 1), (2, 1), (1, 2)]) {
                x = net.activation(&format!("act{number}"), x, network.activation);
                let conv = ConvSpec::new(channels / share, 3).stride(stride);
                let name = format!("conv{number}");
                x = network.conv(net, &name, x, conv, Input::Activated(1.));
            }
            x
        }
    }
}

fn bottleneck(net: &mut Builder, x: Value, network: &NfNet, place: Place) -> Value {
    let Place {
        channels,
        inner,
        groups,
        stride,
        beta,
    } = place;
    let multiplied = |net: &mut Builder, name: &str, y, factor| {
        net.push(name, Operation::Multiply { factor }, &[y])
    };
    let spatial = ConvSpec::new(inner, 3).groups(groups);
    let first = net.activation("act1", x, network.activation);
    let shortcut = if stride > 1 || net.channels_of(x) != channels {
        net.group("downsample", |net| {
            let pooled = if stride > 1 {
                net.shortcut_pool("pool", first)
            } else {
                first
            };
            let conv = ConvSpec::new(channels, 1);
            network.conv(net, "conv", pooled, conv, Input::Activated(beta))
        })
    } else {
        x
    };

    let conv = ConvSpec::new(inner, 1);
    let mut y = network.conv(net, "conv1", first, conv, Input::Activated(beta));
    y = net.activation("act2", y, network.activation);
    let conv = spatial.stride(stride);
    y = network.conv(net, "conv2", y, conv, Input::Activated(1.));
    if network.doubled {
        y = net.activation("act2b", y, network.activation);
        y = network.conv(net, "conv2b", y, spatial, Input::Activated(1.));
    }
    let is_gated_inside = matches!(network.inner, NfWidth::OfInput(_));
    if is_gated_inside && network.squeeze.is_some() {
        y = network.gate(net, "attn", y);
        y = multiplied(net, "attn_gain", y, GATE_GAIN);
    }
    y = net.activation("act3", y, network.activation);
    let conv = ConvSpec::new(channels, 1);
    y = network.conv(net, "conv3", y, conv, Input::Activated(1.));
    if !is_gated_inside && network.squeeze.is_some() {
        y = network.gate(net, "attn_last", y);
        y = multiplied(net, "attn_gain", y, GATE_GAIN);
    }
    match network.code {
        NfCode::Timm => {}
        NfCode::DeepMind => y = net.learnt_factor(y, "skipinit_gain"),
    }
    y = multiplied(net, "alpha", y, ALPHA);
    net.push("add", Operation::Add, &[y, shortcut])
}
