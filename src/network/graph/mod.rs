//! A network as a document: the same list of layers as the catalogue's, written down as JSON.
//!
//! `docs/graphs.md` says what a document has; [`Graph::parse`] reads one, [`Graph::of`] and
//! [`Graph::to_json`] write any network as one.

mod attributes;
mod described;
mod document;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use self::described::{Described, FACTOR};
use self::document::{Document, ImageLayout, InputDocument, Node};
use super::layers::{SEPARATORS, TensorNames};
use super::{Input, Layer, Layers, Operation, Shape, Value};
use crate::error::{Error, Result};
use crate::text::{shown, shown_list};

/// The version of documents that is read and written.
pub const VERSION: u32 = 1;

/// Bytes that a document has at most: a hundred times those of the largest network known.
pub const MOST_BYTES: usize = 16 << 20;

/// Layers that a graph has at most, ten times as many as the largest network known.
pub const MOST_LAYERS: usize = 20_000;

/// Values that all layers together may read.
const MOST_INPUTS: usize = 10 * MOST_LAYERS;

/// Channels that a value has at most, a flattened map's numbers among them: an engine notes of each
/// where it lies.
const MOST_CHANNELS: usize = 1 << 22;

/// What `op` may be.
pub const OPERATIONS: &[&str] = Described::OPERATIONS;

/// Bytes that a name has at most.
const MOST_NAME: usize = 200;

/// A network that a document describes: its layers, one or several of them outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    name: String,
    input: Input,
    input_name: String,
    list: Vec<Layer>,
    /// The shape of each value for one image of the input's size.
    shapes: Vec<Shape>,
    tensors: Arc<TensorNames>,
    /// The layers whose values the network is asked for.
    outputs: Vec<usize>,
    blocks: Vec<String>,
}

impl Graph {
    /// The graph that a document describes.
    ///
    /// ```
    /// use senet::network::graph::Graph;
    /// use senet::network::trace::trace;
    ///
    /// let graph = Graph::parse(r#"{
    ///   "version": 1, "name": "tiny", "input": {"name": "image", "shape": [3, 32, 32], "layout": "chw"},
    ///   "layers": [
    ///     {"name": "conv", "op": "conv", "inputs": ["image"], "out_channels": 8, "kernel": [3, 3]},
    ///     {"name": "pool", "op": "global_average_pool", "inputs": ["conv"]},
    ///     {"name": "flatten", "op": "flatten", "inputs": ["pool"]},
    ///     {"name": "fc", "op": "linear", "inputs": ["flatten"], "out_channels": 10}
    ///   ],
    ///   "outputs": ["fc"]
    /// }"#)?;
    /// let layers = graph.layers(None)?;
    /// assert_eq!(trace(&layers, layers.input().shape(1))?.parameters, 8 * 28 + 90);
    /// # Ok::<(), senet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Text that is no document, is larger than [`MOST_BYTES`] or of another version; layers that
    /// make no sense, by their names.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MOST_BYTES {
            return Err(refused(format!(
                "it has {} bytes; expected at most {MOST_BYTES}",
                text.len()
            )));
        }
        // Some editors put a mark before the text that says how it is encoded.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Document {
            name,
            input,
            layers,
            outputs,
            blocks,
            ..
        } = Document::parse(text)?;
        let name = name.unwrap_or_else(|| "graph".to_owned());
        check_name("its name", &name)?;
        check_name("the name of its input", &input.name)?;
        let input_name = input.name.clone();
        let mut graph = Self {
            name,
            input: image(&input)?,
            input_name,
            list: Vec::with_capacity(layers.len()),
            shapes: Vec::with_capacity(layers.len() + 1),
            tensors: Arc::default(),
            outputs: Vec::new(),
            blocks: Vec::new(),
        };
        graph.shapes.push(graph.input.shape(1));
        let read: usize = layers.iter().map(|node| node.inputs.len()).sum();
        if read > MOST_INPUTS {
            return Err(refused(format!(
                "its layers read {read} values; expected at most {MOST_INPUTS}"
            )));
        }
        let all: HashSet<&str> = layers.iter().map(|node| node.name.as_str()).collect();
        let mut names = TensorNames::default();
        let mut values = HashMap::from([(input.name.as_str(), Value::INPUT)]);
        for (index, node) in layers.iter().enumerate() {
            graph.add(node, &values, &all, &mut names)?;
            if values.insert(&node.name, Value::of_layer(index)).is_some() {
                return Err(of_layer(node, "another layer, or the input, has this name"));
            }
        }
        graph.tensors = Arc::new(names.with_all(&graph.list));
        graph.check_shared_tensors()?;
        for output in &outputs {
            let layer = values.get(output.as_str()).and_then(|value| value.layer());
            let layer = layer.ok_or_else(|| {
                refused(format!(
                    "it has the output `{}`, which is no layer",
                    shown(output)
                ))
            })?;
            if graph.outputs.contains(&layer) {
                return Err(refused(format!(
                    "it has the output `{}` twice",
                    shown(output)
                )));
            }
            graph.outputs.push(layer);
        }
        if graph.outputs.is_empty() {
            return Err(refused(
                "it has no output; expected `outputs` with the name of at least one layer"
                    .to_owned(),
            ));
        }
        if blocks.len() > graph.list.len() {
            return Err(refused(format!(
                "it has {} blocks; expected no more than layers, which are {}",
                blocks.len(),
                graph.list.len()
            )));
        }
        let groups = Groups::of(&graph.list);
        if let Some(block) = blocks.iter().find(|block| !groups.has(block)) {
            return Err(refused(format!(
                "it has the block `{}`, and no layer in a group of this name",
                shown(block)
            )));
        }
        graph.blocks = blocks;
        Ok(graph)
    }

    /// Adds the layer that `node` describes, which may read `values`.
    fn add(
        &mut self,
        node: &Node,
        values: &HashMap<&str, Value>,
        all: &HashSet<&str>,
        names: &mut TensorNames,
    ) -> Result<()> {
        check_name("the name of a layer", &node.name)?;
        let described = node.described()?;
        let read = |name: &String| {
            values.get(name.as_str()).copied().ok_or_else(|| {
                let name_shown = shown(name);
                of_layer(
                    node,
                    &if *name == node.name {
                        "it reads itself".to_owned()
                    } else if all.contains(name.as_str()) {
                        format!(
                            "it reads `{name_shown}`, which comes later; expected layers in the \
                             order of computation, without a cycle"
                        )
                    } else {
                        format!("it reads `{name_shown}`, which no layer and no input is called")
                    },
                )
            })
        };
        let inputs: Vec<Value> = node.inputs.iter().map(read).collect::<Result<_>>()?;
        let shapes: Vec<Shape> = inputs
            .iter()
            .filter_map(|value| self.shapes.get(value.index()).copied())
            .collect();
        let explained = |error: Error| of_layer(node, &error.to_string());
        let operation = described.operation(&shapes).map_err(explained)?;
        let output = operation.output(&shapes).map_err(|error| {
            let dims = shapes.iter().map(|shape| format!("{:?}", dims(*shape)));
            let dims: Vec<String> = dims.collect();
            of_layer(
                node,
                &format!("{error}; its input is {}", shown_list(&dims, 4)),
            )
        })?;
        let problem = match output.elements() {
            None => Some("is too large to be counted"),
            Some(0) => Some("is empty"),
            Some(_) if output.channels > MOST_CHANNELS => Some("has too many channels"),
            Some(_) => None,
        };
        if let Some(problem) = problem {
            let dims = dims(output);
            return Err(of_layer(node, &format!("its output of {dims:?} {problem}")));
        }
        if !operation.is_finite() {
            return Err(of_layer(node, "its constant is NaN or infinite"));
        }
        if let Some(epsilon) = operation.epsilon().filter(|epsilon| *epsilon < 0.) {
            return Err(of_layer(
                node,
                &format!("its epsilon is {epsilon}; expected 0 or more"),
            ));
        }
        let roles = operation.parameters();
        for (role, tensor) in &node.tensors {
            if !roles.iter().any(|parameter| parameter.name == role) {
                let roles: Vec<String> = roles
                    .iter()
                    .map(|role| format!("`{}`", role.name))
                    .collect();
                return Err(of_layer(
                    node,
                    &format!(
                        "it names a tensor for `{}`; expected {}",
                        shown(role),
                        if roles.is_empty() {
                            "none".to_owned()
                        } else {
                            roles.join(", ")
                        }
                    ),
                ));
            }
            check_name("the name of a tensor", tensor).map_err(explained)?;
            let usual = format!("{}.{role}", node.name);
            if usual != *tensor {
                names.renamed.insert(usual, tensor.clone());
            }
        }
        self.list.push(Layer {
            name: node.name.clone(),
            operation,
            inputs,
        });
        self.shapes.push(output);
        Ok(())
    }

    /// The graph that stands for `layers`.
    #[must_use]
    pub fn of(layers: &Layers) -> Self {
        let mut tensors = layers.tensors().cloned().unwrap_or_default();
        let list: Vec<Layer> = layers.as_slice().to_vec();
        let list = list.into_iter().map(|layer| {
            let operation = match layer.operation {
                // Whatever it is called there, its role is one.
                Operation::LearntFactor { tensor } => {
                    let usual = format!("{}.{FACTOR}", layer.name);
                    if tensor != FACTOR {
                        let name = format!("{}.{tensor}", layer.name);
                        tensors.renamed.insert(usual, name);
                    }
                    Operation::LearntFactor { tensor: FACTOR }
                }
                other => other,
            };
            Layer { operation, ..layer }
        });
        let list: Vec<Layer> = list.collect();
        Self {
            name: layers.name().to_owned(),
            input: layers.input(),
            input_name: "image".to_owned(),
            outputs: list.len().checked_sub(1).into_iter().collect(),
            shapes: Vec::new(),
            tensors: Arc::new(tensors.with_all(&list)),
            list,
            blocks: layers.blocks().to_vec(),
        }
    }

    /// Refuses a tensor that two layers read as of different shapes.
    fn check_shared_tensors(&self) -> Result<()> {
        let mut shapes: HashMap<String, (Vec<usize>, &str)> = HashMap::new();
        for layer in &self.list {
            for parameter in layer.operation.parameters() {
                let tensor = self.tensors.of(&layer.name, parameter.name);
                let read = (parameter.shape.clone(), layer.name.as_str());
                let (shape, other) = shapes.entry(tensor.clone()).or_insert(read);
                if *shape != parameter.shape {
                    return Err(Error::Geometry(format!(
                        "layer `{}`: it reads the tensor `{}` as one of shape {:?}, and `{}` does as \
                         one of {shape:?}",
                        shown(&layer.name),
                        shown(&tensor),
                        parameter.shape,
                        shown(other)
                    )));
                }
            }
        }
        Ok(())
    }

    /// The names of the layers that no output needs, in their order: they are left out of whatever is
    /// computed.
    #[must_use]
    pub fn unread(&self) -> Vec<&str> {
        let needed = self.needed(&self.outputs);
        let unread = self.list.iter().zip(needed).filter(|(_, needed)| !needed);
        unread.map(|(layer, _)| layer.name.as_str()).collect()
    }

    /// For each layer whether one of these needs it, directly or not, or is it.
    fn needed(&self, by: &[usize]) -> Vec<bool> {
        let mut needed = vec![false; self.list.len()];
        let mut open = by.to_vec();
        for &layer in by {
            needed[layer] = true;
        }
        while let Some(index) = open.pop() {
            let read = self.list[index].inputs.iter();
            for layer in read.filter_map(|value| value.layer()) {
                if !std::mem::replace(&mut needed[layer], true) {
                    open.push(layer);
                }
            }
        }
        needed
    }

    /// What it is called; `graph` where its document does not say.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its outputs, in the document's order.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs
            .iter()
            .map(|&layer| self.list[layer].name.as_str())
    }

    /// The layers that make the output of this name; without a name, the only output, or the only
    /// one that is a vector an image. What only other outputs need is left out.
    ///
    /// # Errors
    ///
    /// A name that no output has, or several outputs of which none is named.
    pub fn layers(&self, output: Option<&str>) -> Result<Layers> {
        let last = self.output(output)?;
        let needed = self.needed(&[last]);
        let mut moved = vec![Value::INPUT; self.list.len() + 1];
        let mut kept = Vec::new();
        for (index, layer) in self
            .list
            .iter()
            .enumerate()
            .filter(|&(index, _)| needed[index])
        {
            moved[Value::of_layer(index).index()] = Value::of_layer(kept.len());
            let inputs = layer.inputs.iter().map(|value| moved[value.index()]);
            kept.push(Layer {
                inputs: inputs.collect(),
                ..layer.clone()
            });
        }
        self.made_of(kept)
    }

    fn made_of(&self, list: Vec<Layer>) -> Result<Layers> {
        let groups = Groups::of(&list);
        let blocks = self.blocks.iter().filter(|block| groups.has(block));
        let blocks = blocks.cloned().collect();
        let layers = Layers::new(self.name.clone(), self.input, list)?;
        Ok(layers.of_graph(Arc::clone(&self.tensors), blocks))
    }

    fn output(&self, name: Option<&str>) -> Result<usize> {
        let names: Vec<&str> = self.outputs().collect();
        let is_vector = |&&layer: &&usize| {
            let value = Value::of_layer(layer);
            let shape = self.shapes.get(value.index());
            shape.is_some_and(|shape| shape.spatial.is_none())
        };
        if let Some(name) = name {
            let of_name = names.iter().position(|output| *output == name);
            return of_name.map(|place| self.outputs[place]).ok_or_else(|| {
                refused(format!(
                    "it has no output `{}`; expected one of {}",
                    shown(name),
                    shown_list(&names, 8)
                ))
            });
        }
        if let &[only] = self.outputs.as_slice() {
            return Ok(only);
        }
        let vectors: Vec<usize> = self.outputs.iter().filter(is_vector).copied().collect();
        match vectors.as_slice() {
            &[only] => Ok(only),
            _ => Err(refused(format!(
                "it has {} outputs, and it is not plain which is meant: {}\nhint: name one with \
                 `--head`",
                names.len(),
                shown_list(&names, 8)
            ))),
        }
    }

    /// The document, a line a layer.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Input {
            channels,
            height,
            width,
        } = self.input;
        let name_of = |value: &Value| match value.layer() {
            Some(layer) => self.list[layer].name.clone(),
            None => self.input_name.clone(),
        };
        let nodes = self.list.iter().map(|layer| {
            let roles = layer.operation.parameters().into_iter();
            let tensors = roles.filter_map(|role| {
                let usual = format!("{}.{}", layer.name, role.name);
                let tensor = self.tensors.renamed.get(&usual)?;
                Some((role.name.to_owned(), tensor.clone()))
            });
            Node {
                name: layer.name.clone(),
                inputs: layer.inputs.iter().map(name_of).collect(),
                tensors: tensors.collect(),
                operation: Described::of(&layer.operation).attributes(),
            }
        });
        document::written(
            &self.name,
            &InputDocument {
                name: self.input_name.clone(),
                shape: [channels, height, width],
                layout: ImageLayout::Chw,
            },
            nodes,
            &self.outputs().collect::<Vec<_>>(),
            &self.blocks,
        )
    }
}

/// The names of layers, in which groups are found.
struct Groups<'a>(Vec<&'a str>);

impl<'a> Groups<'a> {
    fn of(list: &'a [Layer]) -> Self {
        let mut names: Vec<&str> = list.iter().map(|layer| layer.name.as_str()).collect();
        names.sort_unstable();
        Self(names)
    }

    /// Whether a layer has this name, or is in a group of it.
    fn has(&self, group: &str) -> bool {
        let begins = |with: String| {
            let first = self.0.partition_point(|name| *name < with.as_str());
            self.0
                .get(first)
                .is_some_and(|name| name.starts_with(&with))
        };
        self.0.binary_search(&group).is_ok()
            || SEPARATORS.iter().any(|end| begins(format!("{group}{end}")))
    }
}

/// The input that a document describes.
fn image(input: &InputDocument) -> Result<Input> {
    let [channels, height, width] = match (input.layout, input.shape) {
        (ImageLayout::Chw, shape) => shape,
        (ImageLayout::Hwc, [height, width, channels]) => [channels, height, width],
    };
    if input.shape.contains(&0) {
        return Err(refused(format!(
            "it has an input of {:?}; expected at least 1 of each",
            input.shape
        )));
    }
    Ok(Input {
        channels,
        height,
        width,
    })
}

fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MOST_NAME || name.contains(char::is_control) {
        return Err(refused(format!(
            "{what} is `{}`; expected 1 to {MOST_NAME} bytes without control characters",
            shown(name)
        )));
    }
    Ok(())
}

fn dims(shape: Shape) -> Vec<usize> {
    shape.dims(super::Layout::Nchw)
}

fn refused(problem: String) -> Error {
    Error::Geometry(problem)
}

fn of_layer(node: &Node, problem: &str) -> Error {
    Error::Geometry(format!("layer `{}`: {problem}", shown(&node.name)))
}
