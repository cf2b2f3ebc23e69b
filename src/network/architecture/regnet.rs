//! `RegNet` X, Y and Z (Radosavovic et al., arXiv:2003.13678; Dollár et al., arXiv:2103.06877), and
//! timm's V, a Y whose batch norms come first (`timm/models/regnet.py`).

use super::{SqueezeWidth, make_divisible, whole};
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::{Activation, Operation};

/// A stem that halves the image, four stages of bottlenecks whose widths follow from a line, a
/// classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegNet {
    /// How wide the blocks are, and how many each stage has.
    pub widths: RegNetWidths,
    /// Channels of a bottleneck inside, for each of its output's.
    pub expansion: usize,
    /// The width of the SE blocks, of the channels that go into the bottleneck, if there are any.
    pub squeeze: Option<SqueezeWidth>,
    /// The function after each batch norm.
    pub activation: Activation,
    /// Whether a block's batch norms come before its convolutions.
    pub preactivated: bool,
    /// The way around a block that changes the shape.
    pub shortcut: RegNetShortcut,
    /// Whether a function follows the sum at a block's end.
    pub activated_sum: bool,
    /// Channels of a last 1x1 convolution, where there is one.
    pub features: Option<usize>,
}

/// The rule by which a network's widths are found: section 3.3 of the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegNetWidths {
    /// `w_0`, the first block's width before it is rounded.
    pub initial: usize,
    /// `w_a`, what each block is wider than the one before.
    pub slope: f64,
    /// `w_m`, what the widths are rounded to powers of.
    pub factor: f64,
    /// Blocks in all stages.
    pub depth: usize,
    /// Channels of a group of the 3x3 convolutions.
    pub group: usize,
    /// How widths are made multiples of the group's.
    pub rounding: GroupRounding,
}

/// How a bottleneck's width is made a multiple of its group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupRounding {
    /// The nearest multiple, a half to the even one, as in pycls.
    Nearest,
    /// [`make_divisible`] with a limit of 0.9, as in torchvision.
    Divisible,
}

/// The way around a block that changes the shape; the others' is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegNetShortcut {
    /// A strided 1x1 convolution.
    Projection,
    /// A 2x2 average pool where the stride is 2, then a 1x1 convolution.
    Averaged,
    /// None: such a block has no sum.
    Missing,
}

/// Blocks of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stage {
    depth: usize,
    channels: usize,
    /// Channels inside a bottleneck.
    inner: usize,
    /// Channels of a group.
    group: usize,
}

/// What the widths of the blocks are multiples of, before groups.
const QUANTUM: f64 = 8.;

/// Channels of the stem.
const STEM: usize = 32;

impl RegNetWidths {
    /// The stages of a network whose bottlenecks are so much wider inside.
    fn stages(self, expansion: usize) -> Vec<Stage> {
        let initial = self.initial as f64;
        let mut stages: Vec<Stage> = Vec::new();
        for block in 0..self.depth {
            let on_line = initial + self.slope * block as f64;
            let power = ((on_line / initial).ln() / self.factor.ln()).round_ties_even();
            let rounded = (initial * self.factor.powf(power) / QUANTUM).round_ties_even();
            let channels = whole(rounded * QUANTUM);
            match stages.last_mut() {
                Some(stage) if stage.channels == channels => stage.depth += 1,
                _ => stages.push(Stage {
                    depth: 1,
                    channels,
                    inner: channels,
                    group: self.group,
                }),
            }
        }
        for stage in &mut stages {
            let inner = stage.channels * expansion;
            let group = self.group.min(inner).max(1);
            stage.inner = match self.rounding {
                GroupRounding::Nearest => {
                    whole((inner as f64 / group as f64).round_ties_even()) * group
                }
                GroupRounding::Divisible => make_divisible(inner as f64, group, 0.9),
            };
            stage.group = group;
            stage.channels = stage.inner / expansion.max(1);
        }
        stages
    }
}

/// One block, as its stage sees it.
#[derive(Debug, Clone, Copy)]
struct Place {
    stage: Stage,
    stride: usize,
}

pub(super) fn regnet(net: &mut Builder, network: &RegNet, classes: usize) {
    let activation = Some(network.activation);
    let stem = ConvSpec::new(STEM, 3).stride(2);
    let mut x = if network.preactivated {
        net.conv("stem", Value::INPUT, stem)
    } else {
        net.unit("stem", Value::INPUT, stem, activation)
    };
    let stages = network.widths.stages(network.expansion);
    for (number, &stage) in (1..).zip(&stages) {
        for index in 1..=stage.depth {
            let stride = if index == 1 { 2 } else { 1 };
            let place = Place { stage, stride };
            x = net.block(&format!("s{number}.b{index}"), |net| {
                if network.preactivated {
                    preactivated(net, x, network, place)
                } else {
                    bottleneck(net, x, network, place)
                }
            });
        }
    }
    if let Some(features) = network.features {
        x = net.unit("final_conv", x, ConvSpec::new(features, 1), activation);
    } else if network.preactivated || !network.activated_sum {
        x = net.activation("final_conv", x, network.activation);
    }
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

fn spatial(place: Place) -> ConvSpec {
    let Stage { inner, group, .. } = place.stage;
    ConvSpec::new(inner, 3)
        .groups(inner / group)
        .stride(place.stride)
}

fn bottleneck(net: &mut Builder, x: Value, network: &RegNet, place: Place) -> Value {
    let activation = Some(network.activation);
    let y = net.unit("conv1", x, ConvSpec::new(place.stage.inner, 1), activation);
    let y = net.unit("conv2", y, spatial(place), activation);
    let y = gate(net, x, y, network);
    let y = net.unit("conv3", y, ConvSpec::new(place.stage.channels, 1), None);
    let y = match shortcut(net, x, network, place) {
        Some(shortcut) => net.push("add", Operation::Add, &[y, shortcut]),
        None => y,
    };
    if network.activated_sum {
        net.activation("act3", y, network.activation)
    } else {
        y
    }
}

fn preactivated(net: &mut Builder, x: Value, network: &RegNet, place: Place) -> Value {
    let activation = Some(network.activation);
    let x = net.norm_activation("norm1", x, activation);
    let y = net.conv("conv1", x, ConvSpec::new(place.stage.inner, 1));
    let y = net.norm_activation("norm2", y, activation);
    let y = net.conv("conv2", y, spatial(place));
    let y = gate(net, x, y, network);
    let y = net.norm_activation("norm3", y, activation);
    let y = net.conv("conv3", y, ConvSpec::new(place.stage.channels, 1));
    match shortcut(net, x, network, place) {
        Some(shortcut) => net.push("add", Operation::Add, &[y, shortcut]),
        None => y,
    }
}

/// The SE block, whose width follows from what goes into the bottleneck.
fn gate(net: &mut Builder, x: Value, y: Value, network: &RegNet) -> Value {
    let Some(width) = network.squeeze else {
        return y;
    };
    let block = SeSpec::timm(width.of(net.channels_of(x)))
        .functions(network.activation, Activation::Sigmoid);
    net.group("se", |net| net.squeeze_excite(y, &block))
}

/// The way around a block, if it has one.
fn shortcut(net: &mut Builder, x: Value, network: &RegNet, place: Place) -> Option<Value> {
    let Place { stage, stride } = place;
    if stride == 1 && net.channels_of(x) == stage.channels {
        return Some(x);
    }
    let conv = ConvSpec::new(stage.channels, 1);
    let project = |net: &mut Builder, name: &str, x, conv| {
        if network.preactivated {
            net.conv(name, x, conv)
        } else {
            net.unit(name, x, conv, None)
        }
    };
    match network.shortcut {
        RegNetShortcut::Missing => None,
        RegNetShortcut::Projection => Some(project(net, "downsample", x, conv.stride(stride))),
        RegNetShortcut::Averaged => {
            let pooled = if stride > 1 {
                net.shortcut_pool("downsample.0", x)
            } else {
                x
            };
            Some(project(net, "downsample.1", pooled, conv))
        }
    }
}
