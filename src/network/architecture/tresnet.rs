//! `TResNet` (Ridnik et al., arXiv:2003.13630), as timm has it (`timm/models/tresnet.py`).

use super::SqueezeWidth;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::layers::Value;
use crate::network::{Activation, Operation};

/// A stem that makes channels of blocks of 4x4 pixels, four stages of residual blocks that are
/// blurred where they stride, a classifier. All but the last stage have SE blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TResNet {
    /// Blocks in each stage. From the second stage on, the first block halves the image.
    pub depths: [usize; 4],
    /// Width of the stem and of the first stage's blocks; each later stage doubles it.
    pub width: usize,
    /// How many stages have bottlenecks, from the last one on; the others have basic blocks.
    pub bottleneck_stages: usize,
}

/// After the convolutions of a block.
const INNER: Activation = Activation::LeakyRelu { slope: 1e-3 };

/// After the stem's convolution: `PyTorch`'s own slope.
const STEM: Activation = Activation::LeakyRelu { slope: 0.01 };

/// What a bottleneck's last convolution widens by.
const EXPANSION: usize = 4;

/// Of a basic block: a quarter of its width.
const OF_BASIC: SqueezeWidth = SqueezeWidth::Reduction {
    ratio: 4,
    minimum: 64,
};

/// Of a bottleneck: an eighth of its output's width, which is half of what is squeezed.
const OF_BOTTLENECK: SqueezeWidth = SqueezeWidth::Reduction {
    ratio: 2,
    minimum: 64,
};

/// One block, as its stage sees it.
#[derive(Debug, Clone, Copy)]
struct Place {
    width: usize,
    stride: usize,
    is_bottleneck: bool,
    is_gated: bool,
}

pub(super) fn tresnet(net: &mut Builder, network: &TResNet, classes: usize) {
    let x = net.group("body", |net| body(net, network));
    net.group("head", |net| {
        net.pooled_classifier(["global_pool", "fc"], x, classes)
    });
}

fn body(net: &mut Builder, network: &TResNet) -> Value {
    let x = net.push("s2d", Operation::SpaceToDepth { block: 4 }, &[Value::INPUT]);
    let mut x = net.unit("conv1", x, ConvSpec::new(network.width, 3), Some(STEM));
    let stages = network.depths.len();
    for (stage, &depth) in network.depths.iter().enumerate() {
        for index in 0..depth {
            let place = Place {
                width: network.width << stage,
                stride: if stage > 0 && index == 0 { 2 } else { 1 },
                is_bottleneck: stage + network.bottleneck_stages >= stages,
                is_gated: stage + 1 < stages,
            };
            let name = format!("layer{}.{index}", stage + 1);
            x = net.block(&name, |net| residual(net, x, place));
        }
    }
    x
}

fn residual(net: &mut Builder, x: Value, place: Place) -> Value {
    let shortcut = shortcut(net, x, place);
    let y = if place.is_bottleneck {
        let y = net.unit("conv1", x, ConvSpec::new(place.width, 1), Some(INNER));
        let y = blurred(net, "conv2", y, place);
        let y = gate(net, y, place, OF_BOTTLENECK);
        net.unit("conv3", y, ConvSpec::new(place.width * EXPANSION, 1), None)
    } else {
        let y = blurred(net, "conv1", x, place);
        let y = net.unit("conv2", y, ConvSpec::new(place.width, 3), None);
        gate(net, y, place, OF_BASIC)
    };
    let y = net.push("add", Operation::Add, &[y, shortcut]);
    net.relu("act", y)
}

/// A 3x3 convolution, which a blur pool follows where the block halves the image.
fn blurred(net: &mut Builder, name: &str, x: Value, place: Place) -> Value {
    let x = net.unit(name, x, ConvSpec::new(place.width, 3), Some(INNER));
    if place.stride == 1 {
        return x;
    }
    let blur = Operation::BlurPool {
        size: 3,
        stride: place.stride,
    };
    net.group(name, |net| net.push("aa", blur, &[x]))
}

fn gate(net: &mut Builder, x: Value, place: Place, width: SqueezeWidth) -> Value {
    if !place.is_gated {
        return x;
    }
    let block = SeSpec::timm(width.of(net.channels_of(x)));
    net.group("se", |net| net.squeeze_excite(x, &block))
}

fn shortcut(net: &mut Builder, x: Value, place: Place) -> Value {
    let expansion = if place.is_bottleneck { EXPANSION } else { 1 };
    let conv = ConvSpec::new(place.width * expansion, 1);
    if place.stride == 2 {
        net.group("downsample", |net| {
            let x = net.shortcut_pool("0", x);
            net.unit("1", x, conv, None)
        })
    } else if net.channels_of(x) == place.width * expansion {
        x
    } else {
        net.unit("downsample.0", x, conv, None)
    }
}
