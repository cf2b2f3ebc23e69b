//! Description to named layers: the only wiring in the project.

use super::geometry::Window;
use super::operation::Conv;
use super::{Architecture, Block, Convention, Network, Operation, ResNet, Residual, SqueezeWidth};

/// A value of the network: its input, or a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value(usize);

impl Value {
    /// What goes into the network.
    pub const INPUT: Self = Self(0);

    /// 0 for the input, n + 1 for the output of layer n.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// A named operation on named values.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Canonical name, and path of its tensors: `layer1.0.conv1`.
    pub name: String,
    /// What it computes.
    pub operation: Operation,
    /// What it computes it from.
    pub inputs: Vec<Value>,
}

/// Where an SE block lies in the list: six layers from `squeeze` to `scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Path of the group: `layer1.0.se`, or nothing for the block alone.
    pub path: String,
    /// Index of its `squeeze` among the layers.
    pub first: usize,
    /// Channels it gates.
    pub channels: usize,
    /// Width between its dense layers.
    pub squeeze: usize,
}

impl Gate {
    /// `squeeze`, `fc1`, `relu`, `fc2`, `sigmoid`, `scale`.
    pub const LAYERS: usize = 6;
}

/// A network's layers, in the order of computation.
#[derive(Debug, Clone, PartialEq)]
pub struct Layers {
    list: Vec<Layer>,
    gates: Vec<Gate>,
    blocks: Vec<String>,
    /// Channels of each value.
    channels: Vec<usize>,
    convention: Convention,
    prefix: String,
}

/// A convolution as its block sees it; the rest follows from the input and the convention.
#[derive(Debug, Clone, Copy)]
struct Convolution {
    channels: usize,
    kernel: usize,
    stride: usize,
}

impl Layers {
    pub(super) fn of(network: &Network) -> Self {
        let mut layers = Self {
            list: Vec::new(),
            gates: Vec::new(),
            blocks: Vec::new(),
            channels: vec![network.input.channels],
            convention: network.convention,
            prefix: String::new(),
        };
        match &network.architecture {
            Architecture::SqueezeExcitation { squeeze } => {
                layers.squeeze_excite(Value::INPUT, *squeeze);
            }
            Architecture::Block(block) => {
                residual(&mut layers, Value::INPUT, block);
            }
            Architecture::ResNet(network) => resnet(&mut layers, network),
        }
        layers
    }

    /// All layers, in the order of computation.
    #[must_use]
    pub fn as_slice(&self) -> &[Layer] {
        &self.list
    }

    /// The SE blocks, in order.
    #[must_use]
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// Names of the residual blocks, in order.
    #[must_use]
    pub fn blocks(&self) -> &[String] {
        &self.blocks
    }

    /// Channels of the network's output: the number of classes of a classifier.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.channels.last().copied().unwrap_or_default()
    }

    /// Index of the layer called `name`, or of the last one of the group `name`
    /// (`layer1.0`, `layer1`), whose output is the group's.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().rposition(|layer| {
            layer
                .name
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    fn group<T>(&mut self, name: &str, wire: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.len();
        if outer > 0 {
            self.prefix.push('.');
        }
        self.prefix.push_str(name);
        let result = wire(self);
        self.prefix.truncate(outer);
        result
    }

    fn path(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        }
    }

    fn push(&mut self, name: &str, operation: Operation, inputs: &[Value]) -> Value {
        let channels = inputs.first().map_or(0, |&value| self.channels_of(value));
        self.channels.push(operation.channels(channels));
        self.list.push(Layer {
            name: self.path(name),
            operation,
            inputs: inputs.to_vec(),
        });
        Value(self.list.len())
    }

    fn channels_of(&self, value: Value) -> usize {
        self.channels.get(value.0).copied().unwrap_or_default()
    }

    fn window(&self, kernel: usize, stride: usize) -> Window {
        Window {
            kernel,
            stride,
            padding: self.convention.padding.of(kernel),
        }
    }

    fn conv(&mut self, name: &str, x: Value, conv: Convolution) -> Value {
        let conv = Conv {
            in_channels: self.channels_of(x),
            out_channels: conv.channels,
            window: self.window(conv.kernel, conv.stride),
            bias: self.convention.conv_bias,
        };
        self.push(name, Operation::Conv(conv), &[x])
    }

    fn norm(&mut self, name: &str, x: Value) -> Value {
        let norm = Operation::BatchNorm {
            channels: self.channels_of(x),
            epsilon: self.convention.epsilon,
        };
        self.push(name, norm, &[x])
    }

    /// `conv{index}` and `bn{index}`.
    fn conv_norm(&mut self, index: usize, x: Value, conv: Convolution) -> Value {
        let x = self.conv(&format!("conv{index}"), x, conv);
        self.norm(&format!("bn{index}"), x)
    }

    /// `conv{index}`, `bn{index}` and `relu{index}`.
    fn conv_norm_relu(&mut self, index: usize, x: Value, conv: Convolution) -> Value {
        let x = self.conv_norm(index, x, conv);
        self.push(&format!("relu{index}"), Operation::Relu, &[x])
    }

    fn linear(&mut self, name: &str, x: Value, outputs: usize) -> Value {
        let inputs = self.channels_of(x);
        self.push(name, Operation::Linear { inputs, outputs }, &[x])
    }

    /// Hu et al., figure 1: squeeze to means, excite through two dense layers, scale.
    fn squeeze_excite(&mut self, x: Value, width: SqueezeWidth) -> Value {
        let channels = self.channels_of(x);
        let squeeze = width.of(channels);
        self.gates.push(Gate {
            path: self.prefix.clone(),
            first: self.list.len(),
            channels,
            squeeze,
        });
        let y = self.push("squeeze", Operation::GlobalAveragePool, &[x]);
        let y = self.linear("fc1", y, squeeze);
        let y = self.push("relu", Operation::Relu, &[y]);
        let y = self.linear("fc2", y, channels);
        let gate = self.push("sigmoid", Operation::Sigmoid, &[y]);
        self.push("scale", Operation::Scale, &[x, gate])
    }
}

fn resnet(net: &mut Layers, network: &ResNet) {
    let stem = &network.stem;
    let conv = Convolution {
        channels: stem.channels,
        kernel: stem.kernel,
        stride: stem.stride,
    };
    let x = net.conv_norm(1, Value::INPUT, conv);
    let mut x = net.push("relu", Operation::Relu, &[x]);
    if let Some((kernel, stride)) = stem.pool {
        let window = net.window(kernel, stride);
        x = net.push("maxpool", Operation::MaxPool(window), &[x]);
    }
    for (stage, &depth) in network.depths.iter().enumerate() {
        let width = network.width << stage;
        for index in 0..depth {
            let block = Residual {
                block: network.block,
                width,
                channels: width * network.block.expansion(),
                stride: if stage > 0 && index == 0 { 2 } else { 1 },
                squeeze: network.squeeze,
            };
            let name = format!("layer{}.{index}", stage + 1);
            x = net.group(&name, |net| residual(net, x, &block));
            net.blocks.push(name);
        }
    }
    let x = net.push("avgpool", Operation::GlobalAveragePool, &[x]);
    let x = net.push("flatten", Operation::Flatten, &[x]);
    net.linear("fc", x, network.classes);
}

fn residual(net: &mut Layers, x: Value, block: &Residual) -> Value {
    let shortcut = shortcut(net, x, block);
    let y = match block.block {
        Block::Basic => basic(net, x, block),
        Block::Bottleneck => bottleneck(net, x, block),
    };
    let y = match block.squeeze {
        Some(squeeze) => net.group("se", |net| net.squeeze_excite(y, squeeze)),
        None => y,
    };
    let y = net.push("add", Operation::Add, &[y, shortcut]);
    net.push("relu", Operation::Relu, &[y])
}

/// The identity, or a strided 1x1 convolution and batch norm where the shape changes.
fn shortcut(net: &mut Layers, x: Value, block: &Residual) -> Value {
    if block.stride == 1 && net.channels_of(x) == block.channels {
        return x;
    }
    let conv = Convolution {
        channels: block.channels,
        kernel: 1,
        stride: block.stride,
    };
    net.group("downsample", |net| {
        let x = net.conv("0", x, conv);
        net.norm("1", x)
    })
}

fn basic(net: &mut Layers, x: Value, block: &Residual) -> Value {
    let conv = |stride| Convolution {
        channels: block.channels,
        kernel: 3,
        stride,
    };
    let y = net.conv_norm_relu(1, x, conv(block.stride));
    net.conv_norm(2, y, conv(1))
}

fn bottleneck(net: &mut Layers, x: Value, block: &Residual) -> Value {
    let conv = |channels, kernel, stride| Convolution {
        channels,
        kernel,
        stride,
    };
    let y = net.conv_norm_relu(1, x, conv(block.width, 1, 1));
    let y = net.conv_norm_relu(2, y, conv(block.width, 3, block.stride));
    net.conv_norm(3, y, conv(block.channels, 1, 1))
}

#[cfg(test)]
mod tests {
    use crate::network::catalog;

    #[test]
    fn a_group_stands_for_its_last_layer() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        let name = |position: usize| layers.as_slice()[position].name.as_str();
        assert_eq!(name(layers.position("layer1").unwrap()), "layer1.2.relu");
        assert_eq!(name(layers.position("layer2.0").unwrap()), "layer2.0.relu");
        assert_eq!(
            name(layers.position("layer2.0.downsample").unwrap()),
            "layer2.0.downsample.1"
        );
        assert_eq!(layers.position("layer"), None);
    }

    #[test]
    fn names_are_unique_in_every_network() {
        for network in catalog::NETWORKS {
            let layers = network.layers();
            let mut names: Vec<_> = layers.as_slice().iter().map(|layer| &layer.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), layers.as_slice().len(), "{}", network.name);
        }
    }
}
