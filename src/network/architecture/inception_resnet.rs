//! Inception-ResNet-v2 (Szegedy et al., arXiv:1602.07261), its layers called as in timm, and as
//! wide as in TensorFlow-slim, which differs from the paper.

use super::SqueezeWidth;
use super::inception::{chain, conv, halving, smooth, stem, unit};
use crate::network::Operation;
use crate::network::builder::{Builder, ConvSpec};
use crate::network::layers::Value;

/// Stem, 43 modules, 40 of them residual, classifier.
///
/// SE blocks stand where keras-squeeze-excite-network has them: at the end of each module, after
/// a residual one's `ReLU`, and a second time after the last. Other than there they have biases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InceptionResNet {
    /// The width of the SE blocks, if there are any.
    pub squeeze: Option<SqueezeWidth>,
}

/// The convolutions of each of a module's branches.
type Branches = &'static [&'static [ConvSpec]];

/// An average pool makes one more.
const MIXED_5B: Branches = &[
    &[conv(96, [1, 1])],
    &[conv(48, [1, 1]), conv(64, [5, 5])],
    &[conv(64, [1, 1]), conv(96, [3, 3]), conv(96, [3, 3])],
];

/// Figure 16, a third of it.
const BLOCK35: Branches = &[
    &[conv(32, [1, 1])],
    &[conv(32, [1, 1]), conv(32, [3, 3])],
    &[conv(32, [1, 1]), conv(48, [3, 3]), conv(64, [3, 3])],
];

/// A max pool makes one more.
const MIXED_6A: Branches = &[
    &[halving(384)],
    &[conv(256, [1, 1]), conv(256, [3, 3]), halving(384)],
];

const BLOCK17: Branches = &[
    &[conv(192, [1, 1])],
    &[conv(128, [1, 1]), conv(160, [1, 7]), conv(192, [7, 1])],
];

/// A max pool makes one more.
const MIXED_7A: Branches = &[
    &[conv(256, [1, 1]), halving(384)],
    &[conv(256, [1, 1]), halving(288)],
    &[conv(256, [1, 1]), conv(288, [3, 3]), halving(320)],
];

const BLOCK8: Branches = &[
    &[conv(192, [1, 1])],
    &[conv(192, [1, 1]), conv(224, [1, 3]), conv(256, [3, 1])],
];

/// A residual module.
struct Residual {
    branches: Branches,
    /// What it adds is multiplied by this.
    scale: f64,
    /// Whether a `ReLU` follows.
    rectified: bool,
}

impl Residual {
    const fn new(branches: Branches, scale: f64) -> Self {
        Self {
            branches,
            scale,
            rectified: true,
        }
    }
}

/// One module, or so many alike.
enum Part {
    Pooled(&'static str, Branches, Pool),
    Repeated(&'static str, usize, Residual),
    Once(&'static str, Residual),
}

/// What a module's last branch begins with.
enum Pool {
    /// An average pool, and a 1x1 convolution of so many channels.
    Average(usize),
    /// A max pool that halves the image, alone.
    Max,
}

const PARTS: [Part; 7] = [
    Part::Pooled("mixed_5b", MIXED_5B, Pool::Average(64)),
    Part::Repeated("repeat", 10, Residual::new(BLOCK35, 0.17)),
    Part::Pooled("mixed_6a", MIXED_6A, Pool::Max),
    Part::Repeated("repeat_1", 20, Residual::new(BLOCK17, 0.1)),
    Part::Pooled("mixed_7a", MIXED_7A, Pool::Max),
    Part::Repeated("repeat_2", 9, Residual::new(BLOCK8, 0.2)),
    Part::Once(
        "block8",
        Residual {
            rectified: false,
            ..Residual::new(BLOCK8, 1.)
        },
    ),
];

pub(super) fn inception_resnet(net: &mut Builder, network: &InceptionResNet, classes: usize) {
    let names = [
        "conv2d_1a",
        "conv2d_2a",
        "conv2d_2b",
        "maxpool_3a",
        "conv2d_3b",
        "conv2d_4a",
        "maxpool_5a",
    ];
    let mut x = stem(net, names);
    let squeeze = network.squeeze;
    for part in &PARTS {
        x = match part {
            Part::Pooled(name, branches, pool) => net.block(name, |net| {
                let y = pooled(net, x, branches, pool);
                net.gate("se", y, squeeze)
            }),
            Part::Repeated(name, count, block) => (0..*count).fold(x, |x, index| {
                residual(net, x, &format!("{name}.{index}"), block, squeeze)
            }),
            Part::Once(name, block) => residual(net, x, name, block, squeeze),
        };
    }
    let x = net.gate("se", x, squeeze);
    let x = unit(net, "conv2d_7b", x, conv(1536, [1, 1]));
    net.classifier("classif", x, classes);
}

fn pooled(net: &mut Builder, x: Value, convs: Branches, pool: &Pool) -> Value {
    let mut values = branches(net, x, convs);
    let last = format!("branch{}", values.len());
    values.push(match *pool {
        Pool::Average(channels) => net.group(&last, |net| {
            let x = smooth(net, "0", x);
            unit(net, "1", x, conv(channels, [1, 1]))
        }),
        Pool::Max => net.max_pool(&last, x, 3, 2),
    });
    net.concat("concat", &values)
}

fn residual(
    net: &mut Builder,
    x: Value,
    name: &str,
    block: &Residual,
    squeeze: Option<SqueezeWidth>,
) -> Value {
    net.block(name, |net| {
        let branches = branches(net, x, block.branches);
        let y = net.concat("concat", &branches);
        let all = conv(net.channels_of(x), [1, 1]).biased();
        let y = net.conv("conv2d", y, all);
        let factor = block.scale;
        let y = net.push("scale", Operation::Multiply { factor }, &[y]);
        let y = if block.rectified {
            net.add_relu(y, x)
        } else {
            net.push("add", Operation::Add, &[y, x])
        };
        net.gate("se", y, squeeze)
    })
}

/// `branch0`, whose only convolution is called so, `branch1.0`, `branch1.1`.
fn branches(net: &mut Builder, x: Value, branches: Branches) -> Vec<Value> {
    let named = |(index, convs): (usize, &&[ConvSpec])| {
        let name = format!("branch{index}");
        chain(net, x, &name, convs, |place| format!("{name}.{place}"))
    };
    branches.iter().enumerate().map(named).collect()
}
