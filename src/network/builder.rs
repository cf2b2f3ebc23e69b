//! From a description to layers: the words that wiring is written in.

use super::geometry::{Padding, Window};
use super::layers::{Layer, Layers, Value};
use super::operation::{Activation, Conv};
use super::{Convention, Network, Operation, SqueezeWidth};

/// Wires layers one after the other, by a code base's convention.
#[derive(Debug)]
pub(super) struct Builder {
    list: Vec<Layer>,
    blocks: Vec<String>,
    /// Channels of each value.
    channels: Vec<usize>,
    convention: Convention,
    /// The groups that a layer's name begins with now.
    prefix: String,
}

/// A convolution as its block sees it; the rest follows from the input and the convention.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvSpec {
    channels: usize,
    kernel: [usize; 2],
    stride: usize,
    groups: usize,
    /// Padding instead of the convention's.
    padding: Option<Padding>,
    /// Whether it has a bias whatever the convention says.
    bias: bool,
}

impl ConvSpec {
    /// A square convolution of stride 1.
    pub(super) const fn new(channels: usize, kernel: usize) -> Self {
        Self::rectangular(channels, [kernel, kernel])
    }

    /// A convolution of stride 1 whose kernel has so many rows and columns.
    pub(super) const fn rectangular(channels: usize, kernel: [usize; 2]) -> Self {
        Self {
            channels,
            kernel,
            stride: 1,
            groups: 1,
            padding: None,
            bias: false,
        }
    }

    pub(super) const fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(super) const fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Without padding, whatever the convention says.
    pub(super) const fn valid(self) -> Self {
        Self {
            padding: Some(Padding::VALID),
            ..self
        }
    }

    /// With a bias, as no batch norm follows.
    pub(super) const fn biased(self) -> Self {
        Self { bias: true, ..self }
    }
}

impl Builder {
    /// Every layer of `network`.
    pub(super) fn wire(network: &Network) -> Layers {
        let mut net = Self {
            list: Vec::new(),
            blocks: Vec::new(),
            channels: vec![network.input.channels],
            convention: network.convention,
            prefix: String::new(),
        };
        let classes = network.classes.unwrap_or_default();
        network.architecture.wire(&mut net, classes);
        Layers::wired(network, net.list, net.channels, net.blocks)
    }

    /// Layers under a common name.
    pub(super) fn group<T>(&mut self, name: &str, wire: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.len();
        if outer > 0 {
            self.prefix.push('.');
        }
        self.prefix.push_str(name);
        let result = wire(self);
        self.prefix.truncate(outer);
        result
    }

    /// A group that repeats throughout the network: a residual block, an Inception module.
    pub(super) fn block(&mut self, name: &str, wire: impl FnOnce(&mut Self) -> Value) -> Value {
        let path = self.path(name);
        let value = self.group(name, wire);
        self.blocks.push(path);
        value
    }

    /// Has the layer called `name` stand for all layers before it that no block holds, where a
    /// network's names have no such groups.
    pub(super) fn ends_block(&mut self, name: &str) {
        let path = self.path(name);
        self.blocks.push(path);
    }

    fn path(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        }
    }

    pub(super) fn push(&mut self, name: &str, operation: Operation, inputs: &[Value]) -> Value {
        let channels: Vec<usize> = inputs
            .iter()
            .map(|&value| self.channels_of(value))
            .collect();
        // What does not agree is found where shapes are checked, with the input's size.
        self.channels
            .push(operation.channels(&channels).unwrap_or_default());
        self.list.push(Layer {
            name: self.path(name),
            operation,
            inputs: inputs.to_vec(),
        });
        Value::of_layer(self.list.len() - 1)
    }

    pub(super) fn channels_of(&self, value: Value) -> usize {
        self.channels
            .get(value.index())
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn conv(&mut self, name: &str, x: Value, conv: ConvSpec) -> Value {
        let usual = self.convention.padding.of(conv.kernel);
        let window = Window {
            kernel: conv.kernel,
            ..Window::square(1, conv.stride, conv.padding.unwrap_or(usual))
        };
        let conv = Conv {
            in_channels: self.channels_of(x),
            out_channels: conv.channels,
            groups: conv.groups,
            window,
            bias: conv.bias || self.convention.conv_bias,
        };
        self.push(name, Operation::Conv(conv), &[x])
    }

    pub(super) fn norm(&mut self, name: &str, x: Value) -> Value {
        let norm = Operation::BatchNorm {
            channels: self.channels_of(x),
            epsilon: self.convention.epsilon,
            weight: self.convention.norm_weight,
        };
        self.push(name, norm, &[x])
    }

    pub(super) fn relu(&mut self, name: &str, x: Value) -> Value {
        self.push(name, Operation::Activation(Activation::Relu), &[x])
    }

    pub(super) fn conv_norm(&mut self, names: [&str; 2], x: Value, conv: ConvSpec) -> Value {
        let x = self.conv(names[0], x, conv);
        self.norm(names[1], x)
    }

    pub(super) fn conv_norm_relu(
        &mut self,
        [conv_name, norm_name, relu_name]: [&str; 3],
        x: Value,
        conv: ConvSpec,
    ) -> Value {
        let x = self.conv_norm([conv_name, norm_name], x, conv);
        self.relu(relu_name, x)
    }

    /// `add` and `relu`.
    pub(super) fn add_relu(&mut self, x: Value, shortcut: Value) -> Value {
        let x = self.push("add", Operation::Add, &[x, shortcut]);
        self.relu("relu", x)
    }

    /// The channels of all `inputs`, in their order.
    pub(super) fn concat(&mut self, name: &str, inputs: &[Value]) -> Value {
        self.push(name, Operation::Concat, inputs)
    }

    /// A strided max pool, padded and rounded as the convention has it.
    pub(super) fn max_pool(&mut self, name: &str, x: Value, kernel: usize, stride: usize) -> Value {
        let window = self.convention.max_pool(kernel, stride);
        self.push(name, Operation::MaxPool(window), &[x])
    }

    /// An average pool that divides at the border as the convention has it.
    pub(super) fn average_pool(&mut self, name: &str, x: Value, window: Window) -> Value {
        let border = self.convention.average_border;
        self.push(name, Operation::AveragePool { window, border }, &[x])
    }

    /// The pixels of a feature map of this height and width as one vector an image.
    pub(super) fn flatten(&mut self, name: &str, x: Value, [height, width]: [usize; 2]) -> Value {
        self.push(name, Operation::Flatten { height, width }, &[x])
    }

    pub(super) fn linear(&mut self, name: &str, x: Value, outputs: usize) -> Value {
        let inputs = self.channels_of(x);
        self.push(name, Operation::Linear { inputs, outputs }, &[x])
    }

    /// The global average pool, and one dense layer under this name.
    pub(super) fn classifier(&mut self, name: &str, x: Value, classes: usize) -> Value {
        let x = self.push("avgpool", Operation::GlobalAveragePool, &[x]);
        let x = self.flatten("flatten", x, [1, 1]);
        self.linear(name, x, classes)
    }

    /// An SE block under this name, where there is one.
    pub(super) fn gate(&mut self, name: &str, x: Value, width: Option<SqueezeWidth>) -> Value {
        match width {
            Some(width) => self.group(name, |net| net.squeeze_excite(x, width)),
            None => x,
        }
    }

    /// Hu et al., figure 1: squeeze to means, excite through two dense layers, scale.
    pub(super) fn squeeze_excite(&mut self, x: Value, width: SqueezeWidth) -> Value {
        let channels = self.channels_of(x);
        let squeeze = width.of(channels);
        let y = self.push("squeeze", Operation::GlobalAveragePool, &[x]);
        let y = self.linear("fc1", y, squeeze);
        let y = self.relu("relu", y);
        let y = self.linear("fc2", y, channels);
        let gate = self.push("sigmoid", Operation::Activation(Activation::Sigmoid), &[y]);
        self.push("scale", Operation::Scale, &[x, gate])
    }
}
