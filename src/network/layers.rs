//! Description to named layers: the list, and the words its wiring is written in.

use std::collections::HashSet;

use super::geometry::{Padding, Window};
use super::operation::{Activation, Conv};
use super::{Convention, Network, Operation, SqueezeWidth};

/// A value of the network: its input, or a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(usize);

impl Value {
    /// What goes into the network.
    pub const INPUT: Self = Self(0);

    /// The output of the layer at that index of the list.
    #[must_use]
    pub const fn of_layer(index: usize) -> Self {
        Self(index + 1)
    }

    /// The index of the layer whose output this is; `None` for the network's input.
    #[must_use]
    pub const fn layer(self) -> Option<usize> {
        self.0.checked_sub(1)
    }

    /// Its place in a table of all values: the input comes first, then the layers' outputs in
    /// their order. A table has one place more than there are layers.
    #[must_use]
    pub const fn index(self) -> usize {
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
pub(super) struct Convolution {
    channels: usize,
    kernel: [usize; 2],
    stride: usize,
    groups: usize,
    /// Instead of the convention's.
    padding: Option<Padding>,
    /// Whether it has a bias whatever the convention says.
    bias: bool,
}

impl Convolution {
    /// A square one of stride 1.
    pub(super) const fn new(channels: usize, kernel: usize) -> Self {
        Self::rectangular(channels, [kernel, kernel])
    }

    /// One of so many rows and columns.
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
        let classes = network.classes.unwrap_or_default();
        network.architecture.wire(&mut layers, classes);
        layers
    }

    /// No layers yet, of an input of so many channels: for tests of what no network of the
    /// catalogue has.
    #[cfg(test)]
    pub(crate) fn reading(channels: usize) -> Self {
        Self {
            list: Vec::new(),
            gates: Vec::new(),
            blocks: Vec::new(),
            channels: vec![channels],
            convention: super::convention::KERAS,
            prefix: String::new(),
        }
    }

    /// All layers, in the order of computation.
    #[must_use]
    pub fn as_slice(&self) -> &[Layer] {
        &self.list
    }

    /// The layer whose output `value` is; none of the network's input.
    #[must_use]
    pub fn maker(&self, value: Value) -> Option<&Layer> {
        self.list.get(value.layer()?)
    }

    /// For each layer, the values that it is the last to read.
    #[must_use]
    pub fn last_reads(&self) -> Vec<Vec<Value>> {
        let mut read_later = HashSet::new();
        let mut last_reads: Vec<Vec<Value>> = self
            .list
            .iter()
            .rev()
            .map(|layer| {
                let inputs = layer.inputs.iter().copied();
                inputs.filter(|&value| read_later.insert(value)).collect()
            })
            .collect();
        last_reads.reverse();
        last_reads
    }

    /// The SE blocks, in order.
    #[must_use]
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// Names of the residual blocks, Inception modules or VGG stages, in order.
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

    /// Layers under a common name.
    pub(crate) fn group<T>(&mut self, name: &str, wire: impl FnOnce(&mut Self) -> T) -> T {
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

    pub(crate) fn push(&mut self, name: &str, operation: Operation, inputs: &[Value]) -> Value {
        let channels: Vec<usize> = inputs
            .iter()
            .map(|&value| self.channels_of(value))
            .collect();
        self.channels.push(operation.channels(&channels));
        self.list.push(Layer {
            name: self.path(name),
            operation,
            inputs: inputs.to_vec(),
        });
        Value::of_layer(self.list.len() - 1)
    }

    pub(crate) fn channels_of(&self, value: Value) -> usize {
        self.channels.get(value.0).copied().unwrap_or_default()
    }

    pub(super) fn conv(&mut self, name: &str, x: Value, conv: Convolution) -> Value {
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

    pub(super) fn conv_norm(&mut self, names: [&str; 2], x: Value, conv: Convolution) -> Value {
        let x = self.conv(names[0], x, conv);
        self.norm(names[1], x)
    }

    pub(super) fn conv_norm_relu(
        &mut self,
        [conv_name, norm_name, relu_name]: [&str; 3],
        x: Value,
        conv: Convolution,
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
    pub(crate) fn squeeze_excite(&mut self, x: Value, width: SqueezeWidth) -> Value {
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
        let y = self.relu("relu", y);
        let y = self.linear("fc2", y, channels);
        let gate = self.push("sigmoid", Operation::Activation(Activation::Sigmoid), &[y]);
        self.push("scale", Operation::Scale, &[x, gate])
    }
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
        for network in catalog::networks() {
            let layers = network.layers();
            let mut names: Vec<_> = layers.as_slice().iter().map(|layer| &layer.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), layers.as_slice().len(), "{}", network.name);
        }
    }
}
