//! Inception-v3 (Szegedy et al., arXiv:1512.00567), its layers called as in torchvision and timm.

use super::SqueezeWidth;
use super::inception::{conv, halving, smooth, stem, unit};
use crate::network::builder::{Builder, ConvSpec};
use crate::network::layers::Value;

/// Stem, eleven modules, classifier.
///
/// SE blocks stand where keras-squeeze-excite-network has them, after each module's concatenation.
/// Other than there they have biases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InceptionV3 {
    /// The width of the SE blocks, if there are any.
    pub squeeze: Option<SqueezeWidth>,
}

/// torchvision's letters.
#[derive(Clone, Copy)]
enum Module {
    /// Figure 5: 5x5 and two 3x3 convolutions; so many channels after the pool.
    A(usize),
    /// Figure 10: A's way to half the size.
    B,
    /// Figure 6: 7x7 convolutions as 1x7 and 7x1, of so many channels inside.
    C(usize),
    /// C's way to half the size.
    D,
    /// Figure 7: 3x3 convolutions that end as 1x3 and 3x1 side by side.
    E,
}

const MODULES: [(&str, Module); 11] = [
    ("Mixed_5b", Module::A(32)),
    ("Mixed_5c", Module::A(64)),
    ("Mixed_5d", Module::A(64)),
    ("Mixed_6a", Module::B),
    ("Mixed_6b", Module::C(128)),
    ("Mixed_6c", Module::C(160)),
    ("Mixed_6d", Module::C(160)),
    ("Mixed_6e", Module::C(192)),
    ("Mixed_7a", Module::D),
    ("Mixed_7b", Module::E),
    ("Mixed_7c", Module::E),
];

pub(super) fn inception_v3(net: &mut Builder, network: &InceptionV3, classes: usize) {
    let names = [
        "Conv2d_1a_3x3",
        "Conv2d_2a_3x3",
        "Conv2d_2b_3x3",
        "maxpool1",
        "Conv2d_3b_1x1",
        "Conv2d_4a_3x3",
        "maxpool2",
    ];
    let mut x = stem(net, names);
    for (name, module) in MODULES {
        x = net.block(name, |net| {
            let branches = branches(net, x, module);
            let x = net.concat("concat", &branches);
            net.gate("se", x, network.squeeze)
        });
    }
    net.classifier("fc", x, classes);
}

fn branches(net: &mut Builder, x: Value, module: Module) -> Vec<Value> {
    match module {
        Module::A(pooled) => vec![
            branch(net, x, "branch1x1", &[conv(64, [1, 1])]),
            branch(net, x, "branch5x5", &[conv(48, [1, 1]), conv(64, [5, 5])]),
            branch(
                net,
                x,
                "branch3x3dbl",
                &[conv(64, [1, 1]), conv(96, [3, 3]), conv(96, [3, 3])],
            ),
            pool_branch(net, x, pooled),
        ],
        Module::B => vec![
            branch(net, x, "branch3x3", &[halving(384)]),
            branch(
                net,
                x,
                "branch3x3dbl",
                &[conv(64, [1, 1]), conv(96, [3, 3]), halving(96)],
            ),
            net.max_pool("pool", x, 3, 2),
        ],
        Module::C(inside) => vec![
            branch(net, x, "branch1x1", &[conv(192, [1, 1])]),
            branch(
                net,
                x,
                "branch7x7",
                &[
                    conv(inside, [1, 1]),
                    conv(inside, [1, 7]),
                    conv(192, [7, 1]),
                ],
            ),
            branch(
                net,
                x,
                "branch7x7dbl",
                &[
                    conv(inside, [1, 1]),
                    conv(inside, [7, 1]),
                    conv(inside, [1, 7]),
                    conv(inside, [7, 1]),
                    conv(192, [1, 7]),
                ],
            ),
            pool_branch(net, x, 192),
        ],
        Module::D => vec![
            branch(net, x, "branch3x3", &[conv(192, [1, 1]), halving(320)]),
            branch(
                net,
                x,
                "branch7x7x3",
                &[
                    conv(192, [1, 1]),
                    conv(192, [1, 7]),
                    conv(192, [7, 1]),
                    halving(192),
                ],
            ),
            net.max_pool("pool", x, 3, 2),
        ],
        Module::E => {
            let one = branch(net, x, "branch1x1", &[conv(320, [1, 1])]);
            let three = branch(net, x, "branch3x3_1", &[conv(384, [1, 1])]);
            let [three_a, three_b] = fork(net, three, "branch3x3_2");
            let double = [conv(448, [1, 1]), conv(384, [3, 3])];
            let double = branch(net, x, "branch3x3dbl", &double);
            let [double_a, double_b] = fork(net, double, "branch3x3dbl_3");
            let pooled = pool_branch(net, x, 192);
            vec![one, three_a, three_b, double_a, double_b, pooled]
        }
    }
}

/// `branch5x5_1`, `branch5x5_2`; `branch1x1` where there is one convolution.
fn branch(net: &mut Builder, x: Value, name: &str, convs: &[ConvSpec]) -> Value {
    super::inception::chain(net, x, name, convs, |place| format!("{name}_{}", place + 1))
}

/// Where a branch ends as two.
fn fork(net: &mut Builder, x: Value, name: &str) -> [Value; 2] {
    [("a", [1, 3]), ("b", [3, 1])]
        .map(|(letter, kernel)| unit(net, &format!("{name}{letter}"), x, conv(384, kernel)))
}

fn pool_branch(net: &mut Builder, x: Value, channels: usize) -> Value {
    let x = smooth(net, "pool", x);
    unit(net, "branch_pool", x, conv(channels, [1, 1]))
}
