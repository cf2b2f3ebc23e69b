//! From a description to layers: the words that wiring is written in.

use super::geometry::{Border, Padding, Rounding, Window};
use super::layers::{Layer, Layers, Value};
use super::operation::{Conv, Standardization};
use super::{Activation, Convention, Network, Operation, SqueezeWidth};

/// Wires layers one after the other, by a code base's convention.
#[derive(Debug)]
pub(super) struct Builder {
    /// Whether layers are listed, or only what they read counted.
    lists: bool,
    list: Vec<Layer>,
    /// Tensors that the layers so far read.
    tensors: usize,
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
    stride: [usize; 2],
    groups: usize,
    /// Padding instead of the convention's.
    padding: Option<Padding>,
    /// Whether it has a bias whatever the convention says.
    bias: bool,
    standardization: Option<Standardization>,
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
            stride: [1, 1],
            groups: 1,
            padding: None,
            bias: false,
            standardization: None,
        }
    }

    /// A depthwise convolution: each of so many channels by a kernel of its own.
    pub(super) const fn depthwise(channels: usize, kernel: usize) -> Self {
        Self::new(channels, kernel).groups(channels)
    }

    /// To so many channels.
    pub(super) const fn channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }

    pub(super) const fn stride(self, stride: usize) -> Self {
        self.strides([stride, stride])
    }

    /// Another stride down than across.
    pub(super) const fn strides(self, stride: [usize; 2]) -> Self {
        Self { stride, ..self }
    }

    /// With this padding, whatever the convention says.
    pub(super) const fn padded(self, padding: Padding) -> Self {
        Self {
            padding: Some(padding),
            ..self
        }
    }

    /// With standardized weights.
    pub(super) const fn standardized(self, standardization: Standardization) -> Self {
        Self {
            standardization: Some(standardization),
            ..self
        }
    }

    pub(super) const fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// The elements that each output is a sum of, where so many channels go in.
    pub(super) const fn fan_in(&self, inputs: usize) -> usize {
        inputs / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Without padding, whatever the convention says.
    pub(super) const fn valid(self) -> Self {
        self.padded(Padding::VALID)
    }

    /// With a bias, as no batch norm follows.
    pub(super) const fn biased(self) -> Self {
        Self { bias: true, ..self }
    }
}

impl Builder {
    /// Every layer of `network`.
    pub(super) fn wire(network: &Network) -> Layers {
        let net = Self::wired(network, true);
        Layers::wired(network, net.list, net.channels, net.blocks)
    }

    /// How many tensors the layers of `network` read.
    pub(super) fn count(network: &Network) -> usize {
        Self::wired(network, false).tensors
    }

    fn wired(network: &Network, lists: bool) -> Self {
        let mut net = Self {
            lists,
            list: Vec::new(),
            tensors: 0,
            blocks: Vec::new(),
            channels: vec![network.input.channels],
            convention: network.convention,
            prefix: String::new(),
        };
        let classes = network.classes.unwrap_or_default();
        network.architecture.wire(&mut net, classes);
        net
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
        let value = self.group(name, wire);
        self.ends_block(name);
        value
    }

    /// Has the layer called `name` stand for all layers before it that no block holds, where a
    /// network's names have no such groups.
    pub(super) fn ends_block(&mut self, name: &str) {
        if self.lists {
            let path = self.path(name);
            self.blocks.push(path);
        }
    }

    fn path(&self, name: &str) -> String {
        match (self.prefix.as_str(), name) {
            ("", name) => name.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, name) => format!("{prefix}.{name}"),
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
        self.tensors += operation.tensors();
        if self.lists {
            self.list.push(Layer {
                name: self.path(name),
                operation,
                inputs: inputs.to_vec(),
            });
        }
        // The network's input has channels, too.
        Value::of_layer(self.channels.len() - 2)
    }

    pub(super) fn channels_of(&self, value: Value) -> usize {
        self.channels
            .get(value.index())
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn conv(&mut self, name: &str, x: Value, conv: ConvSpec) -> Value {
        let usual = || self.convention.padding.of(conv.kernel);
        let window = Window {
            kernel: conv.kernel,
            stride: conv.stride,
            ..Window::square(1, 1, conv.padding.unwrap_or_else(usual))
        };
        let conv = Conv {
            in_channels: self.channels_of(x),
            out_channels: conv.channels,
            groups: conv.groups,
            window,
            bias: conv.bias || self.convention.conv_bias,
            standardization: conv.standardization,
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
        self.activation(name, x, Activation::Relu)
    }

    pub(super) fn activation(&mut self, name: &str, x: Value, function: Activation) -> Value {
        self.push(name, Operation::Activation(function), &[x])
    }

    /// A batch norm and, where there is one, a function, as timm's `BatchNormAct2d` has both.
    pub(super) fn norm_activation(
        &mut self,
        name: &str,
        x: Value,
        function: Option<Activation>,
    ) -> Value {
        let x = self.norm(name, x);
        match function {
            Some(function) => self.group(name, |net| net.activation("act", x, function)),
            None => x,
        }
    }

    /// A convolution, a batch norm and, where there is one, a function, called as in timm's
    /// `ConvNormAct`.
    pub(super) fn unit(
        &mut self,
        name: &str,
        x: Value,
        conv: ConvSpec,
        function: Option<Activation>,
    ) -> Value {
        self.group(name, |net| {
            let x = net.conv("conv", x, conv);
            net.norm_activation("bn", x, function)
        })
    }

    /// A depthwise convolution, a 1x1 one to the channels of `conv`, a batch norm and, where there is
    /// one, a function, called as in timm's `SeparableConvNormAct`.
    pub(super) fn separable_unit(
        &mut self,
        name: &str,
        x: Value,
        conv: ConvSpec,
        function: Option<Activation>,
    ) -> Value {
        self.group(name, |net| {
            let inputs = net.channels_of(x);
            let x = net.conv("conv_dw", x, conv.channels(inputs).groups(inputs));
            let x = net.conv("conv_pw", x, ConvSpec::new(conv.channels, 1));
            net.norm_activation("bn", x, function)
        })
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

    /// Every value times one learnt number, a tensor of that name in the group itself.
    pub(super) fn learnt_factor(&mut self, x: Value, tensor: &'static str) -> Value {
        self.push("", Operation::LearntFactor { tensor }, &[x])
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

    /// The 2x2 average pool, rounded up, in front of a shortcut's 1x1 convolution: He et al.,
    /// arXiv:1812.01187, `ResNet`-D.
    pub(super) fn shortcut_pool(&mut self, name: &str, x: Value) -> Value {
        let window = Window {
            rounding: Rounding::Ceil,
            ..Window::square(2, 2, Padding::VALID)
        };
        let border = Border::LeftOut;
        self.push(name, Operation::AveragePool { window, border }, &[x])
    }

    /// The pixels of a feature map of this height and width as one vector an image.
    pub(super) fn flatten(&mut self, name: &str, x: Value, [height, width]: [usize; 2]) -> Value {
        self.push(name, Operation::Flatten { height, width }, &[x])
    }

    /// A dense layer with bias.
    pub(super) fn linear(&mut self, name: &str, x: Value, outputs: usize) -> Value {
        self.dense(name, x, outputs, true)
    }

    /// A dense layer with or without bias.
    pub(super) fn dense(&mut self, name: &str, x: Value, outputs: usize, bias: bool) -> Value {
        let inputs = self.channels_of(x);
        let linear = Operation::Linear {
            inputs,
            outputs,
            bias,
        };
        self.push(name, linear, &[x])
    }

    /// The global average pool, and one dense layer under this name.
    pub(super) fn classifier(&mut self, name: &str, x: Value, classes: usize) -> Value {
        self.pooled_classifier(["avgpool", name], x, classes)
    }

    /// The global average pool and one dense layer under these names.
    pub(super) fn pooled_classifier(
        &mut self,
        [pool, name]: [&str; 2],
        x: Value,
        classes: usize,
    ) -> Value {
        let x = self.push(pool, Operation::GlobalAveragePool, &[x]);
        let x = self.flatten("flatten", x, [1, 1]);
        self.linear(name, x, classes)
    }

    /// An SE block under this name, where there is one.
    pub(super) fn gate(&mut self, name: &str, x: Value, width: Option<SqueezeWidth>) -> Value {
        match width {
            Some(width) => {
                let width = width.of(self.channels_of(x));
                self.group(name, |net| net.squeeze_excite(x, &SeSpec::new(width)))
            }
            None => x,
        }
    }

    /// Hu et al., figure 1: squeeze to means, excite through two dense layers, scale.
    pub(super) fn squeeze_excite(&mut self, x: Value, block: &SeSpec) -> Value {
        let channels = self.channels_of(x);
        let [reduce, between, expand, gate] = block.names;
        let y = self.push("squeeze", Operation::GlobalAveragePool, &[x]);
        let mut y = self.dense(reduce, y, block.width, block.bias);
        if block.norm {
            y = self.norm("bn", y);
        }
        let y = self.activation(between, y, block.activation);
        let y = self.dense(expand, y, channels, block.bias);
        let y = self.activation(gate, y, block.gate);
        self.push("scale", Operation::Scale, &[x, y])
    }

    /// Lee and Park, arXiv:1911.06667, section 2.3: one dense layer as wide as the block, which loses
    /// none of the channels' means, and a hard sigmoid; called as in timm's `EffectiveSEModule`.
    pub(super) fn effective_squeeze_excite(&mut self, x: Value) -> Value {
        let y = self.push("squeeze", Operation::GlobalAveragePool, &[x]);
        let y = self.linear("fc", y, self.channels_of(x));
        let y = self.activation("gate", y, Activation::HardSigmoid);
        self.push("scale", Operation::Scale, &[x, y])
    }
}

/// An SE block as its network has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeSpec {
    width: usize,
    /// Of the first dense layer, the activation, the second and the gate function.
    names: [&'static str; 4],
    activation: Activation,
    gate: Activation,
    bias: bool,
    /// Whether a batch norm called `bn` follows the first dense layer.
    norm: bool,
}

impl SeSpec {
    /// A block of this width between its dense layers as in the paper, called as there.
    pub(super) const fn new(width: usize) -> Self {
        Self {
            width,
            names: ["fc1", "relu", "fc2", "sigmoid"],
            activation: Activation::Relu,
            gate: Activation::Sigmoid,
            bias: true,
            norm: false,
        }
    }

    /// A block of this width, called as in timm's `SEModule`.
    pub(super) const fn timm(width: usize) -> Self {
        Self::new(width).names(["fc1", "act", "fc2", "gate"])
    }

    /// Of the first dense layer, the activation, the second and the gate function.
    pub(super) const fn names(self, names: [&'static str; 4]) -> Self {
        Self { names, ..self }
    }

    /// With another function between the dense layers, and another of the gate.
    pub(super) const fn functions(self, activation: Activation, gate: Activation) -> Self {
        Self {
            activation,
            gate,
            ..self
        }
    }

    /// With a batch norm after the first dense layer.
    pub(super) const fn normed(self) -> Self {
        Self { norm: true, ..self }
    }
}
