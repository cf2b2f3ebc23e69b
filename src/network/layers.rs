//! What a network is once it is wired: a list of named layers, whoever made it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{Input, Network, Operation};
use crate::error::{Error, Result};

/// What a group's name ends with in those of its layers.
pub const SEPARATORS: [char; 2] = ['.', '/'];

/// A value of the network: its input, or a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(usize);

impl Value {
    /// What goes into the network.
    pub const INPUT: Self = Self(0);

    /// The output of the layer at that index of the list.
    #[must_use]
    pub const fn of_layer(index: usize) -> Self {
        Self(index.saturating_add(1))
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
    /// What the layer computes.
    pub operation: Operation,
    /// The values that the operation is applied to, in its order.
    pub inputs: Vec<Value>,
}

/// A network's layers, in the order of computation, and what they are called and made for.
///
/// [`Network::layers`] wires those of the catalogue; [`Layers::new`] takes any list.
#[derive(Debug, Clone, PartialEq)]
pub struct Layers {
    name: Cow<'static, str>,
    convention: Option<&'static str>,
    input: Input,
    list: Vec<Layer>,
    /// Channels of each value.
    channels: Vec<usize>,
    blocks: Vec<String>,
    /// Of a graph; nothing where files of any spelling are read.
    tensors: Option<Arc<TensorNames>>,
}

/// What a graph settles of the names of tensors.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TensorNames {
    /// Those that are not called by their layer and parameter, by what would be those.
    pub(super) renamed: BTreeMap<String, String>,
    /// All that the graph reads, whatever output it is asked for.
    pub(super) all: BTreeSet<String>,
}

impl TensorNames {
    pub(super) fn of(&self, layer: &str, parameter: &str) -> String {
        let usual = format!("{layer}.{parameter}");
        self.renamed.get(&usual).cloned().unwrap_or(usual)
    }

    /// With all that these layers read.
    pub(super) fn with_all(mut self, layers: &[Layer]) -> Self {
        for layer in layers {
            for parameter in layer.operation.parameters() {
                self.all.insert(self.of(&layer.name, parameter.name));
            }
        }
        self
    }
}

impl Layers {
    /// A network of any wiring.
    ///
    /// ```
    /// use senet::network::{Activation, Input, Layer, Layers, Operation, Value};
    ///
    /// let input = Input { channels: 16, height: 8, width: 8 };
    /// let layer = |name: &str, operation, inputs: &[Value]| Layer {
    ///     name: name.to_owned(),
    ///     operation,
    ///     inputs: inputs.to_vec(),
    /// };
    /// let gate = Operation::Activation(Activation::Sigmoid);
    /// let layers = Layers::new("parameterless", input, vec![
    ///     layer("squeeze", Operation::GlobalAveragePool, &[Value::INPUT]),
    ///     layer("gate", gate, &[Value::of_layer(0)]),
    ///     layer("scale", Operation::Scale, &[Value::INPUT, Value::of_layer(1)]),
    /// ])?;
    /// assert_eq!(layers.outputs(), 16);
    /// # Ok::<(), senet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A name that two layers have, a layer that reads what no layer before it makes, one that
    /// reads another count of values or channels than its operation takes, or one whose constant
    /// is no finite number. Heights and widths depend on the input and are checked by
    /// [`trace`](super::trace::trace).
    pub fn new(name: impl Into<Cow<'static, str>>, input: Input, list: Vec<Layer>) -> Result<Self> {
        let mut channels = vec![input.channels];
        let mut names = HashSet::new();
        for layer in &list {
            let refused =
                |problem: String| Error::Geometry(format!("layer `{}`: {problem}", layer.name));
            if !names.insert(layer.name.as_str()) {
                return Err(refused("another layer has this name".to_owned()));
            }
            let inputs = layer.inputs.iter();
            let inputs: Option<Vec<usize>> = inputs
                .map(|value| channels.get(value.index()).copied())
                .collect();
            let inputs = inputs.ok_or_else(|| {
                refused("it reads a value that no layer before it makes".to_owned())
            })?;
            if !layer.operation.is_finite() {
                return Err(refused("its constant is NaN or infinite".to_owned()));
            }
            let output = layer.operation.channels(&inputs);
            channels.push(output.map_err(|error| refused(error.to_string()))?);
        }
        Ok(Self {
            name: name.into(),
            convention: None,
            input,
            list,
            channels,
            blocks: Vec::new(),
            tensors: None,
        })
    }

    /// Another list of this network's layers.
    ///
    /// # Errors
    ///
    /// Those of [`Layers::new`].
    pub(super) fn rewired(&self, list: Vec<Layer>) -> Result<Self> {
        let Self { list, channels, .. } = Self::new(self.name.clone(), self.input, list)?;
        Ok(Self {
            list,
            channels,
            ..self.clone()
        })
    }

    /// The same layers as those of a graph: what tensors are called is settled, and which groups
    /// are blocks.
    pub(super) fn of_graph(self, tensors: Arc<TensorNames>, blocks: Vec<String>) -> Self {
        Self {
            blocks,
            tensors: Some(tensors),
            ..self
        }
    }

    /// The layers of a network of the catalogue, as its builder wired them.
    pub(super) fn wired(
        network: &Network,
        list: Vec<Layer>,
        channels: Vec<usize>,
        blocks: Vec<String>,
    ) -> Self {
        Self {
            name: network.name.clone(),
            convention: Some(network.convention.name),
            input: network.input,
            list,
            channels,
            blocks,
            tensors: None,
        }
    }

    /// What messages call the network.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The code base whose arithmetic the layers follow, where they follow one: a
    /// [`Convention`](super::Convention)'s name.
    #[must_use]
    pub fn convention(&self) -> Option<&'static str> {
        self.convention
    }

    /// What a file calls a layer's parameter, where a graph has settled that; nothing where files
    /// of any spelling are read. Several layers may read one tensor.
    #[must_use]
    pub fn tensor_name(&self, layer: &str, parameter: &str) -> Option<String> {
        let tensors = self.tensors.as_ref()?;
        Some(tensors.of(layer, parameter))
    }

    /// Whether a graph has settled what tensors are called, and one of this name is among them, be it
    /// for another output.
    #[must_use]
    pub fn knows_tensor(&self, name: &str) -> bool {
        let tensors = self.tensors.as_ref();
        tensors.is_some_and(|tensors| tensors.all.contains(name))
    }

    /// Whether a graph has settled what tensors are called.
    #[must_use]
    pub fn is_graph(&self) -> bool {
        self.tensors.is_some()
    }

    pub(super) fn tensors(&self) -> Option<&TensorNames> {
        self.tensors.as_deref()
    }

    /// The input that the network is made for.
    #[must_use]
    pub fn input(&self) -> Input {
        self.input
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

    /// Index of the layer called `name`; else of the last one of the group `name` (`layer1.0`,
    /// `layer1`), whose output is the group's. Groups end at a dot or a slash. A learnt factor is
    /// called as the group whose tensor it has, and is not meant by that name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        let is_named = |layer: &Layer| {
            layer.name == name && !matches!(layer.operation, Operation::LearntFactor { .. })
        };
        let is_within = |layer: &Layer| {
            let rest = layer.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATORS))
        };
        let named = self.list.iter().position(is_named);
        named.or_else(|| self.list.iter().rposition(is_within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, catalog};

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
    fn every_block_stands_for_what_it_ends_with() {
        for network in catalog::networks() {
            let layers = network.layers();
            let all = layers.as_slice();
            for block in layers.blocks() {
                let within = format!("{block}.");
                // Of VGG the block is a max pool alone.
                let is_within = |layer: &Layer| format!("{}.", layer.name).starts_with(&within);
                let last = all.iter().rposition(is_within);
                assert_eq!(layers.position(block), last, "{}, {block}", network.name);
            }
        }
    }

    #[test]
    fn the_layers_of_every_network_pass_as_those_of_any_list() {
        for network in catalog::networks() {
            let wired = network.layers();
            let list = wired.as_slice().to_vec();
            let layers = Layers::new(network.name.clone(), network.input, list).unwrap();
            assert_eq!(layers.outputs(), wired.outputs(), "{}", network.name);
            assert_eq!(layers.channels, wired.channels, "{}", network.name);
        }
    }

    #[test]
    fn a_constant_that_is_no_finite_number_is_refused() {
        let input = Input {
            channels: 3,
            height: 2,
            width: 2,
        };
        let is_taken = |operation| {
            let layer = Layer {
                name: "constant".to_owned(),
                operation,
                inputs: vec![Value::INPUT],
            };
            Layers::new("test", input, vec![layer]).is_ok()
        };
        for factor in [1., f64::NAN, f64::INFINITY] {
            let norm = Operation::BatchNorm {
                channels: 3,
                epsilon: factor,
                weight: true,
            };
            assert_eq!(is_taken(Operation::Multiply { factor }), factor.is_finite());
            assert_eq!(is_taken(norm), factor.is_finite());
        }
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused() {
        const INPUT: Value = Value::INPUT;
        let first = Value::of_layer(0);
        let relu = Operation::Activation(Activation::Relu);
        let linear = |inputs, outputs| Operation::Linear {
            inputs,
            outputs,
            bias: true,
        };
        let refused = |list: &[(&str, Operation, &[Value])]| {
            let layer = |&(name, operation, inputs): &(&str, Operation, &[Value])| Layer {
                name: name.to_owned(),
                operation,
                inputs: inputs.to_vec(),
            };
            let input = Input {
                channels: 3,
                height: 1,
                width: 1,
            };
            let layers = Layers::new("test", input, list.iter().map(layer).collect());
            layers.unwrap_err().to_string()
        };
        for (expected, list) in [
            (
                "layer `a`: another layer has this name",
                &[("a", relu, &[INPUT][..]), ("a", relu, &[first])][..],
            ),
            (
                "layer `a`: it reads a value that no layer before it makes",
                &[("a", relu, &[first])],
            ),
            ("layer `a`: relu needs an input", &[("a", relu, &[])]),
            (
                "layer `a`: relu takes 1 input, found 2",
                &[("a", relu, &[INPUT, INPUT])],
            ),
            (
                "layer `a`: add takes 2 inputs, found 1",
                &[("a", Operation::Add, &[INPUT])],
            ),
            (
                "layer `a`: linear expects 4 channels, found 3",
                &[("a", linear(4, 2), &[INPUT])],
            ),
            (
                "layer `b`: scale needs as many channels of both its inputs, found 3 and 2",
                &[
                    ("a", linear(3, 2), &[INPUT]),
                    ("b", Operation::Scale, &[INPUT, first]),
                ],
            ),
        ] {
            assert_eq!(refused(list), expected);
        }
    }
}
