//! Residual networks (He et al., arXiv:1512.03385; Xie et al., arXiv:1611.05431) with SE blocks
//! (Hu et al., arXiv:1709.01507) and without.

use super::SqueezeWidth;
use crate::network::builder::{Builder, ConvSpec};
use crate::network::geometry::{Padding, Window};
use crate::network::layers::Value;

/// Stem, stages of residual blocks, global average pool, classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResNet {
    /// Everything before the first stage.
    pub stem: Stem,
    /// What the stages repeat.
    pub block: Block,
    /// Blocks in each stage. From the second stage on, the first block halves the image.
    pub depths: &'static [usize],
    /// Width of the first stage's blocks; each later stage doubles it.
    pub width: usize,
    /// The way around a block that changes the shape.
    pub shortcut: Shortcut,
    /// How the first block of a stage halves the image.
    pub strided: Strided,
    /// The width of the SE blocks, if there are any.
    pub squeeze: Option<SqueezeWidth>,
}

/// What comes before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stem {
    /// The convolutions.
    pub convs: StemConvs,
    /// The pool after them, for large images.
    pub pool: StemPool,
}

/// A stem's convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StemConvs {
    /// One convolution.
    Single {
        /// Channels of the convolution.
        channels: usize,
        /// Rows and columns of its window.
        kernel: usize,
        /// The convolution's stride.
        stride: usize,
    },
    /// Three 3x3 convolutions of so many channels, the first strided: He et al.,
    /// arXiv:1812.01187, `ResNet`-C.
    Deep([usize; 3]),
}

/// A stem's pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StemPool {
    /// No pool, for small images.
    None,
    /// The largest of 3x3, stride 2, padded as the convention has it.
    Max,
    /// The mean of 2x2, stride 2.
    Average,
    /// No pool: a 3x3 convolution of stride 2 with a batch norm, as in `ResNet`-RS (Bello et al.,
    /// arXiv:2103.07579).
    Conv,
}

/// A residual block's own convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Two 3x3 convolutions; the first strides.
    Basic,
    /// A basic block with a `ReLU` before the gate, as Cadene's networks have it.
    RectifiedBasic,
    /// 1x1, 3x3, 1x1; the last widens by 4.
    Bottleneck(Bottleneck),
}

/// The choices of a bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bottleneck {
    /// Groups of the 3x3 convolution: `ResNeXt`'s cardinality.
    pub cardinality: usize,
    /// Channels in each group for 64 of the block's width.
    pub base_width: usize,
    /// What the first 1x1's channels are divided by.
    pub reduce_first: usize,
}

/// How a block of stride 2 halves the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strided {
    /// Its first convolution strides, a bottleneck's 1x1 included: Caffe's way.
    First,
    /// Its first 3x3 convolution strides.
    Spatial,
    /// No convolution does; a 2x2 average pool follows the 3x3 against aliasing.
    Averaged,
}

/// The way around a block that changes the shape; the others' is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// A strided 1x1 convolution.
    Projection,
    /// A strided 3x3 convolution, a 1x1 where the stride is 1.
    WideProjection,
    /// A 2x2 average pool where the stride is 2, then a 1x1 convolution: He et al.,
    /// arXiv:1812.01187, `ResNet`-D.
    Averaged,
}

/// One residual block, as its stage sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// The convolutions.
    pub block: Block,
    /// Channels inside.
    pub width: usize,
    /// Channels of its output.
    pub channels: usize,
    /// 2 halves the image.
    pub stride: usize,
    /// How a stride of 2 halves the image.
    pub strided: Strided,
    /// The way around it.
    pub shortcut: Shortcut,
    /// The width of its SE block, if it has one.
    pub squeeze: Option<SqueezeWidth>,
}

impl Block {
    /// The bottleneck of He et al.: one group, as wide as the block.
    pub const BOTTLENECK: Self = Self::Bottleneck(Bottleneck {
        cardinality: 1,
        base_width: 64,
        reduce_first: 1,
    });

    /// `ResNeXt`'s bottleneck.
    #[must_use]
    pub const fn grouped(cardinality: usize, base_width: usize) -> Self {
        Self::Bottleneck(Bottleneck {
            cardinality,
            base_width,
            reduce_first: 1,
        })
    }

    /// Channels of a block's output for each of its width.
    #[must_use]
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic | Self::RectifiedBasic => 1,
            Self::Bottleneck(_) => 4,
        }
    }
}

pub(super) fn resnet(net: &mut Builder, network: &ResNet, classes: usize) {
    let mut x = stem(net, &network.stem);
    for (stage, &depth) in network.depths.iter().enumerate() {
        let width = network.width << stage;
        for index in 0..depth {
            let block = Residual {
                block: network.block,
                width,
                channels: width * network.block.expansion(),
                stride: if stage > 0 && index == 0 { 2 } else { 1 },
                strided: network.strided,
                shortcut: network.shortcut,
                squeeze: network.squeeze,
            };
            let name = format!("layer{}.{index}", stage + 1);
            x = net.block(&name, |net| residual(net, x, &block));
        }
    }
    net.classifier("fc", x, classes);
}

fn stem(net: &mut Builder, stem: &Stem) -> Value {
    let x = match stem.convs {
        StemConvs::Single {
            channels,
            kernel,
            stride,
        } => {
            let conv = ConvSpec::new(channels, kernel).stride(stride);
            net.conv("conv1", Value::INPUT, conv)
        }
        StemConvs::Deep([first, second, third]) => net.group("conv1", |net| {
            let conv = ConvSpec::new(first, 3).stride(2);
            let x = net.conv_norm_relu(["0", "1", "2"], Value::INPUT, conv);
            let x = net.conv_norm_relu(["3", "4", "5"], x, ConvSpec::new(second, 3));
            net.conv("6", x, ConvSpec::new(third, 3))
        }),
    };
    let x = net.norm("bn1", x);
    let x = net.relu("relu", x);
    match stem.pool {
        StemPool::None => x,
        StemPool::Max => net.max_pool("maxpool", x, 3, 2),
        StemPool::Average => {
            let window = Window::square(2, 2, Padding::VALID);
            net.average_pool("maxpool", x, window)
        }
        StemPool::Conv => {
            let conv = ConvSpec::new(net.channels_of(x), 3).stride(2);
            net.group("maxpool", |net| {
                net.conv_norm_relu(["0", "1", "2"], x, conv)
            })
        }
    }
}

pub(super) fn residual(net: &mut Builder, x: Value, block: &Residual) -> Value {
    let shortcut = shortcut(net, x, block);
    let y = match block.block {
        Block::Basic => basic(net, x, block),
        Block::RectifiedBasic => {
            let y = basic(net, x, block);
            net.relu("relu2", y)
        }
        Block::Bottleneck(choices) => bottleneck(net, x, block, choices),
    };
    let y = net.gate("se", y, block.squeeze);
    net.add_relu(y, shortcut)
}

fn shortcut(net: &mut Builder, x: Value, block: &Residual) -> Value {
    let Residual {
        channels, stride, ..
    } = *block;
    if stride == 1 && net.channels_of(x) == channels {
        return x;
    }
    let kernel = match block.shortcut {
        Shortcut::WideProjection if stride > 1 => 3,
        _ => 1,
    };
    net.group("downsample", |net| match block.shortcut {
        Shortcut::Projection | Shortcut::WideProjection => {
            let conv = ConvSpec::new(channels, kernel).stride(stride);
            net.conv_norm(["0", "1"], x, conv)
        }
        Shortcut::Averaged => {
            let pooled = if stride > 1 {
                net.shortcut_pool("0", x)
            } else {
                x
            };
            net.conv_norm(["1", "2"], pooled, ConvSpec::new(channels, 1))
        }
    })
}

fn basic(net: &mut Builder, x: Value, block: &Residual) -> Value {
    let conv = ConvSpec::new(block.channels, 3);
    let y = strided(net, ["conv1", "bn1", "relu1"], x, conv, block);
    net.conv_norm(["conv2", "bn2"], y, conv)
}

fn bottleneck(net: &mut Builder, x: Value, block: &Residual, choices: Bottleneck) -> Value {
    let Bottleneck {
        cardinality,
        base_width,
        reduce_first,
    } = choices;
    let width = block.width * base_width / 64 * cardinality;
    let reduce = ConvSpec::new(width / reduce_first, 1);
    let spatial = ConvSpec::new(width, 3).groups(cardinality);
    let expand = ConvSpec::new(block.channels, 1);
    let (first, second) = (["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"]);
    let y = match block.strided {
        Strided::First => {
            let y = net.conv_norm_relu(first, x, reduce.stride(block.stride));
            net.conv_norm_relu(second, y, spatial)
        }
        Strided::Spatial | Strided::Averaged => {
            let y = net.conv_norm_relu(first, x, reduce);
            strided(net, second, y, spatial, block)
        }
    };
    net.conv_norm(["conv3", "bn3"], y, expand)
}

/// Convolution, batch norm and `ReLU` that halve the image where the block does.
fn strided(
    net: &mut Builder,
    names: [&str; 3],
    x: Value,
    conv: ConvSpec,
    block: &Residual,
) -> Value {
    match block.strided {
        Strided::Averaged if block.stride > 1 => {
            let y = net.conv_norm_relu(names, x, conv);
            let window = Window::square(2, block.stride, Padding::VALID);
            net.average_pool("aa", y, window)
        }
        _ => net.conv_norm_relu(names, x, conv.stride(block.stride)),
    }
}
