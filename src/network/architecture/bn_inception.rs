//! BN-Inception (Ioffe and Szegedy, arXiv:1502.03167), its layers called as in Caffe's and
//! Cadene's networks, but for a group for each module.

use super::SqueezeWidth;
use super::inception::smooth;
use crate::network::builder::{Builder, ConvSpec};
use crate::network::geometry::{Padding, Window};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stem, ten modules, classifier; an SE block may follow each module's concatenation, as in the
/// authors' SE-BN-Inception.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BnInception {
    /// The width of the SE blocks, if there are any.
    pub squeeze: Option<SqueezeWidth>,
}

/// A row of the paper's figure 5: channels of its convolutions.
struct Module {
    name: &'static str,
    /// The 1x1; a module that halves the image has none.
    one: Option<usize>,
    /// The 3x3, and the 1x1 before it.
    three: [usize; 2],
    /// The two 3x3 one after the other, and the 1x1 before them.
    double: [usize; 2],
    pool: Pool,
}

/// What the last branch is.
enum Pool {
    /// An average pool and a 1x1 convolution.
    Average(usize),
    /// A max pool of stride 1 and a 1x1 convolution.
    Max(usize),
    /// A max pool of stride 2 alone; the last 3x3 of the other branches have that stride too.
    Halving,
}

impl Module {
    const fn new(
        name: &'static str,
        one: usize,
        three: [usize; 2],
        double: [usize; 2],
        pool: Pool,
    ) -> Self {
        Self {
            name,
            one: Some(one),
            three,
            double,
            pool,
        }
    }

    const fn halving(name: &'static str, three: [usize; 2], double: [usize; 2]) -> Self {
        Self {
            name,
            one: None,
            three,
            double,
            pool: Pool::Halving,
        }
    }
}

const MODULES: [Module; 10] = [
    Module::new("inception_3a", 64, [64, 64], [64, 96], Pool::Average(32)),
    Module::new("inception_3b", 64, [64, 96], [64, 96], Pool::Average(64)),
    Module::halving("inception_3c", [128, 160], [64, 96]),
    Module::new("inception_4a", 224, [64, 96], [96, 128], Pool::Average(128)),
    Module::new(
        "inception_4b",
        192,
        [96, 128],
        [96, 128],
        Pool::Average(128),
    ),
    Module::new(
        "inception_4c",
        160,
        [128, 160],
        [128, 160],
        Pool::Average(128),
    ),
    Module::new(
        "inception_4d",
        96,
        [128, 192],
        [160, 192],
        Pool::Average(128),
    ),
    Module::halving("inception_4e", [128, 192], [192, 256]),
    Module::new(
        "inception_5a",
        352,
        [192, 320],
        [160, 224],
        Pool::Average(128),
    ),
    Module::new("inception_5b", 352, [192, 320], [192, 224], Pool::Max(128)),
];

pub(super) fn bn_inception(net: &mut Builder, network: &BnInception, classes: usize) {
    let names = ["conv1_7x7_s2", "conv1_7x7_s2_bn", "conv1_relu_7x7"];
    let conv1 = ConvSpec::new(64, 7).stride(2);
    let x = net.conv_norm_relu(names, Value::INPUT, conv1);
    let x = net.max_pool("pool1_3x3_s2", x, 3, 2);
    let names = [
        "conv2_3x3_reduce",
        "conv2_3x3_reduce_bn",
        "conv2_relu_3x3_reduce",
    ];
    let x = net.conv_norm_relu(names, x, ConvSpec::new(64, 1));
    let names = ["conv2_3x3", "conv2_3x3_bn", "conv2_relu_3x3"];
    let x = net.conv_norm_relu(names, x, ConvSpec::new(192, 3));
    let mut x = net.max_pool("pool2_3x3_s2", x, 3, 2);
    for module in &MODULES {
        x = net.block(module.name, |net| {
            let branches = branches(net, x, module);
            let x = net.concat("concat", &branches);
            net.gate("se", x, network.squeeze)
        });
    }
    net.classifier("fc", x, classes);
}

fn branches(net: &mut Builder, x: Value, module: &Module) -> Vec<Value> {
    let stride = match module.pool {
        Pool::Halving => 2,
        Pool::Average(_) | Pool::Max(_) => 1,
    };
    let mut values = Vec::new();
    if let Some(channels) = module.one {
        values.push(unit(net, "1x1", x, ConvSpec::new(channels, 1)));
    }

    let [reduce, channels] = module.three;
    let y = unit(net, "3x3_reduce", x, ConvSpec::new(reduce, 1));
    let last = ConvSpec::new(channels, 3).stride(stride);
    values.push(unit(net, "3x3", y, last));

    let [reduce, channels] = module.double;
    let y = unit(net, "double_3x3_reduce", x, ConvSpec::new(reduce, 1));
    let y = unit(net, "double_3x3_1", y, ConvSpec::new(channels, 3));
    let last = ConvSpec::new(channels, 3).stride(stride);
    values.push(unit(net, "double_3x3_2", y, last));

    values.push(match module.pool {
        Pool::Average(channels) => {
            let y = smooth(net, "pool", x);
            unit(net, "pool_proj", y, ConvSpec::new(channels, 1))
        }
        Pool::Max(channels) => {
            let window = Window::square(3, 1, Padding::Symmetric([1, 1]));
            let y = net.push("pool", Operation::MaxPool(window), &[x]);
            unit(net, "pool_proj", y, ConvSpec::new(channels, 1))
        }
        Pool::Halving => net.max_pool("pool", x, 3, 2),
    });
    values
}

/// `3x3`, `3x3_bn`, `relu_3x3`.
fn unit(net: &mut Builder, name: &str, x: Value, conv: ConvSpec) -> Value {
    let (norm, relu) = (format!("{name}_bn"), format!("relu_{name}"));
    net.conv_norm_relu([name, &norm, &relu], x, conv)
}
