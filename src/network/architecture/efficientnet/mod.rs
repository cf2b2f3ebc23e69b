//! Mobile networks of inverted residual blocks, as timm's `efficientnet.py` and `mobilenetv3.py` have
//! them: `MobileNet` (Howard et al., arXiv:1704.04861; Sandler et al., arXiv:1801.04381; Howard et
//! al., arXiv:1905.02244), `MnasNet` (Tan et al., arXiv:1807.11626), `EfficientNet` (Tan and Le,
//! arXiv:1905.11946 and arXiv:2104.00298), `MixNet` (Tan and Le, arXiv:1907.09595) and their like.

mod block;
mod row;
mod scaling;

pub use row::{Kind, Pruned, Row, Skip};
pub(in crate::network) use row::{conv, depthwise, edge, inverted, separable};
pub use scaling::{Count, Depth, DepthRounding, Width};

use super::SqueezeWidth;
use crate::network::Activation;
use crate::network::builder::{Builder, ConvSpec};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stem, stages of mobile blocks, head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EfficientNet {
    /// The strided convolution that everything begins with.
    pub stem: MobileStem,
    /// The blocks of each stage, before [`EfficientNet::width`] and [`EfficientNet::depth`] scale
    /// them.
    pub stages: &'static [&'static [Row]],
    /// What channels are multiplied by, and how they are rounded.
    pub width: Width,
    /// What the blocks of a stage are multiplied by.
    pub depth: Depth,
    /// Channels that a depthwise convolution sees at a time: 1, unless it is none.
    pub group_size: usize,
    /// The function after each batch norm, where a row has no other.
    pub activation: Activation,
    /// How rows with SE blocks have them.
    pub squeeze: MobileSqueeze,
    /// What halves the image in a block of stride 2.
    pub strided: MobileStrided,
    /// What follows the last stage.
    pub head: MobileHead,
}

/// The convolution that everything begins with, of stride 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MobileStem {
    /// Channels of it.
    pub channels: Count,
    /// Rows and columns of its window.
    pub kernel: usize,
}

/// The SE blocks of a network, for a row that says which share of the channels they squeeze to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MobileSqueeze {
    /// The channels that a share is taken of.
    pub of: SqueezeOf,
    /// How a share of them is rounded.
    pub rounding: SqueezeRounding,
    /// The function between the dense layers; the row's own where there is none.
    pub activation: Option<Activation>,
    /// The gate's function.
    pub gate: Activation,
}

/// Of which channels an SE block's width is a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqueezeOf {
    /// Of the input of the block that it is in.
    Input,
    /// Of the channels that it gates, which are the input's times the expansion.
    Expanded,
}

/// How a share of the channels becomes an SE block's width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SqueezeRounding {
    /// [`SqueezeWidth::Share`].
    Nearest,
    /// [`SqueezeWidth::Divisible`] by 8 with this limit.
    Eighths {
        /// Less than this share of what was to be rounded is not taken.
        limit: f64,
    },
}

/// What halves the image in a block of stride 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MobileStrided {
    /// Its depthwise convolution, or an edge block's expanding one.
    Convolution,
    /// A filter [1 2 1] / 4 after that, with zeros beyond the border: Zhang, arXiv:1904.11486.
    Blur,
}

/// What follows the last stage, up to the classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MobileHead {
    /// The global average pool alone.
    Pool,
    /// A 1x1 convolution to so many channels with its batch norm and function, then the pool.
    Convolution(Count),
    /// The pool, then a dense layer and a function: `MobileNetV3`'s efficient head (Howard et al.,
    /// arXiv:1905.02244, section 5.1).
    Efficient {
        /// Outputs of the dense layer.
        features: usize,
        /// Whether the dense layer has a bias.
        bias: bool,
    },
}

impl MobileSqueeze {
    /// `EfficientNet`'s: a share of the block's input, between the dense layers the block's own
    /// function.
    pub const EFFICIENT: Self = Self {
        of: SqueezeOf::Input,
        rounding: SqueezeRounding::Nearest,
        activation: None,
        gate: Activation::Sigmoid,
    };

    /// `MobileNetV3`'s: a share of what it gates, in eighths, with a hard sigmoid.
    pub const HARD: Self = Self {
        of: SqueezeOf::Expanded,
        rounding: SqueezeRounding::Eighths { limit: 0.9 },
        activation: Some(Activation::Relu),
        gate: Activation::HardSigmoid,
    };

    /// The width for a block that gates `channels`, its input's times `expansion`.
    fn width(&self, share: f64, expansion: f64, channels: usize) -> usize {
        let share = match self.of {
            SqueezeOf::Input => share / expansion,
            SqueezeOf::Expanded => share,
        };
        let width = match self.rounding {
            SqueezeRounding::Nearest => SqueezeWidth::Share(share),
            SqueezeRounding::Eighths { limit } => SqueezeWidth::Divisible {
                share,
                divisor: 8,
                limit,
            },
        };
        width.of(channels)
    }
}

pub(super) fn efficientnet(net: &mut Builder, network: &EfficientNet, classes: usize) {
    let stem = ConvSpec::new(
        network.width.count(network.stem.channels),
        network.stem.kernel,
    );
    let names = ["conv_stem", "bn1"];
    let mut x = conv_norm_act(net, names, Value::INPUT, stem.stride(2), network.activation);
    let mut folding = row::Folding::default();
    for (stage, rows) in network.stages.iter().enumerate() {
        let is_end = stage == 0 || stage + 1 == network.stages.len();
        for (index, row) in network.depth.blocks(rows, stage, is_end).enumerate() {
            let row = if index == 0 { *row } else { row.unstrided() };
            let (row, place) = folding.unfold(row);
            x = net.block(&format!("blocks.{stage}.{index}"), |net| {
                block::block(net, x, network, (&row, place))
            });
        }
    }
    head(net, x, network, classes);
}

fn head(net: &mut Builder, x: Value, network: &EfficientNet, classes: usize) {
    let pool =
        |net: &mut Builder, x| net.push("global_pool.pool", Operation::GlobalAveragePool, &[x]);
    let x = match network.head {
        MobileHead::Pool => pool(net, x),
        MobileHead::Convolution(features) => {
            let features = ConvSpec::new(network.width.count(features), 1);
            let x = conv_norm_act(net, ["conv_head", "bn2"], x, features, network.activation);
            pool(net, x)
        }
        MobileHead::Efficient { features, bias } => {
            let x = pool(net, x);
            let x = net.dense("conv_head", x, features, bias);
            net.activation("act2", x, network.activation)
        }
    };
    let x = net.flatten("flatten", x, [1, 1]);
    net.linear("classifier", x, classes);
}

/// A convolution, its batch norm, and the function that timm's batch norm has within.
fn conv_norm_act(
    net: &mut Builder,
    [conv, norm]: [&str; 2],
    x: Value,
    spec: ConvSpec,
    function: Activation,
) -> Value {
    let x = net.conv_norm([conv, norm], x, spec);
    net.group(norm, |net| net.activation("act", x, function))
}
