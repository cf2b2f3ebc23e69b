//! A part of a network between values that the reference has, computed from those, with or without
//! something changed in it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::VarBuilder;

use crate::network::squeeze_excitation::SqueezeExcitation;
use crate::network::{Layer, Layers, Operation, Shape, Value};
use crate::nn::Leaf;

/// A layer's tensors, by what the operation calls them.
pub(super) type Tensors = HashMap<String, Tensor>;

/// Where an input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A value that the reference has.
    Known(Value),
    /// The node of that index.
    Node(usize),
}

/// What is done to inputs.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// A layer's operation, with its tensors.
    Operation(Operation, Tensors),
    /// What no operation is.
    Function(Function),
}

/// A function of a node's inputs.
#[derive(Clone)]
pub(super) struct Function(Arc<Of>);

type Of = dyn Fn(&[&Tensor]) -> Result<Tensor>;

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function")
    }
}

impl Work {
    /// An operation without tensors.
    pub(super) fn plain(operation: Operation) -> Self {
        Self::Operation(operation, Tensors::new())
    }

    pub(super) fn function(function: impl Fn(&[&Tensor]) -> Result<Tensor> + 'static) -> Self {
        Self::Function(Function(Arc::new(function)))
    }

    /// The first input as it is.
    pub(super) fn nothing() -> Self {
        Self::function(|inputs| first(inputs).cloned())
    }

    pub(super) fn compute(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        match self {
            Self::Function(Function(function)) => function(inputs),
            Self::Operation(operation, tensors) => {
                // The name is the path of its tensors.
                const NAME: &str = "layer";
                let tensors = tensors.iter();
                let tensors =
                    tensors.map(|(name, tensor)| (format!("{NAME}.{name}"), tensor.clone()));
                let vb = VarBuilder::from_tensors(tensors.collect(), DType::F64, &Device::Cpu);
                let layer = Layer {
                    name: NAME.to_owned(),
                    operation: *operation,
                    inputs: Vec::new(),
                };
                first(inputs)?;
                Leaf::load(&layer, &vb)?.forward(inputs)
            }
        }
    }
}

/// The first of a node's inputs.
pub(super) fn first<'a>(inputs: &[&'a Tensor]) -> Result<&'a Tensor> {
    let first = inputs.first().copied();
    first.ok_or_else(|| Error::msg("a node without inputs"))
}

/// A layer within a segment.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its index in the network's list.
    pub(super) layer: usize,
    pub(super) work: Work,
    pub(super) inputs: Vec<Source>,
    /// What inputs go through first, and which of them.
    before: Vec<(usize, Work)>,
    /// What the value goes through at last.
    after: Vec<Work>,
}

impl Node {
    fn compute(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let mut changed: Vec<Tensor> = inputs.iter().copied().cloned().collect();
        for (slot, work) in &self.before {
            if let Some(input) = changed.get_mut(*slot) {
                *input = work.compute(&[input])?;
            }
        }
        let changed: Vec<&Tensor> = changed.iter().collect();
        let mut value = self.work.compute(&changed)?;
        for work in &self.after {
            value = work.compute(&[&value])?;
        }
        Ok(value)
    }
}

/// The layers between values that the reference has and another such value, which the last of them
/// makes.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    pub(super) layers: &'a Layers,
    /// The network's SE blocks.
    pub(super) blocks: Arc<[SqueezeExcitation]>,
    pub(super) nodes: Vec<Node>,
    /// Those of the reference that it reads, and others nearby.
    pub(super) known: HashMap<Value, Tensor>,
}

/// Something that is done otherwise.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// A node does something else.
    Work(usize, Work),
    /// A node reads another value at that place.
    Read(usize, usize, Source),
    /// What a node reads at that place goes through something first.
    Before(usize, usize, Work),
    /// A node's value goes through something at last.
    After(usize, Work),
    /// The network's input goes through something first.
    Input(Work),
}

impl<'a> Segment<'a> {
    /// The layers that make the value of layer `last` from values of which `is_known` says that the
    /// reference has them, without these values.
    pub(super) fn cut(
        layers: &'a Layers,
        blocks: Arc<[SqueezeExcitation]>,
        last: usize,
        is_known: &dyn Fn(Value) -> bool,
    ) -> Self {
        let all = layers.as_slice();
        let mut is_inside = vec![false; (last + 1).min(all.len())];
        if let Some(inside) = is_inside.last_mut() {
            *inside = true;
        }
        for index in (0..is_inside.len()).rev() {
            if is_inside[index] {
                let unknown = all[index].inputs.iter().filter(|&&value| !is_known(value));
                for layer in unknown.filter_map(|value| value.layer()) {
                    is_inside[layer] = true;
                }
            }
        }
        let mut node_of: HashMap<usize, usize> = HashMap::new();
        let mut nodes = Vec::new();
        for (index, layer) in all.iter().enumerate().take(is_inside.len()) {
            if !is_inside[index] {
                continue;
            }
            let source = |&value: &Value| match value.layer().and_then(|layer| node_of.get(&layer))
            {
                Some(&node) if !is_known(value) => Source::Node(node),
                _ => Source::Known(value),
            };
            let inputs = layer.inputs.iter().map(source).collect();
            node_of.insert(index, nodes.len());
            nodes.push(Node {
                layer: index,
                work: Work::plain(layer.operation),
                inputs,
                before: Vec::new(),
                after: Vec::new(),
            });
        }
        Self {
            layers,
            blocks,
            nodes,
            known: HashMap::new(),
        }
    }

    /// Reads the tensors of its layers.
    pub(super) fn load(&mut self, vb: &VarBuilder) -> Result<()> {
        for node in &mut self.nodes {
            let layer = &self.layers.as_slice()[node.layer];
            let vb = vb.pp(&layer.name);
            let mut tensors = Tensors::new();
            for parameter in layer.operation.parameters() {
                let tensor = vb.get(parameter.shape, parameter.name)?;
                tensors.insert(parameter.name.to_owned(), tensor);
            }
            node.work = Work::Operation(layer.operation, tensors);
        }
        Ok(())
    }

    /// The values of the reference that it reads, each once.
    pub(super) fn reads(&self) -> Vec<Value> {
        let inputs = self.nodes.iter().flat_map(|node| &node.inputs);
        let mut reads: Vec<Value> = inputs
            .filter_map(|source| match source {
                Source::Known(value) => Some(*value),
                Source::Node(_) => None,
            })
            .collect();
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    /// The node of the layer at that index of the network's list.
    pub(super) fn node_of(&self, layer: usize) -> Option<usize> {
        self.nodes
            .binary_search_by_key(&layer, |node| node.layer)
            .ok()
    }

    pub(super) fn name(&self, node: usize) -> &str {
        &self.layers.as_slice()[self.nodes[node].layer].name
    }

    /// The value of the last node, every other dropped after its last use.
    pub(super) fn value(&self) -> Result<Tensor> {
        let mut last_use = vec![0; self.nodes.len()];
        for (reader, node) in self.nodes.iter().enumerate() {
            for source in &node.inputs {
                if let Source::Node(read) = source {
                    last_use[*read] = reader;
                }
            }
        }
        let mut values: Vec<Option<Tensor>> = vec![None; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let value = node.compute(&self.inputs(node, &values, &self.known)?)?;
            values[index] = Some(value);
            for source in &node.inputs {
                if let Source::Node(read) = *source
                    && last_use[read] == index
                {
                    values[read] = None;
                }
            }
        }
        values.pop().flatten().ok_or_else(no_value)
    }

    /// What changes of its values with these edits, where nothing then reads what it makes itself;
    /// `unchanged` holds the values without them.
    pub(super) fn edited(&self, edits: &[Edit], unchanged: &[Option<Tensor>]) -> Option<Edited> {
        let mut nodes = self.nodes.clone();
        let mut known = self.known.clone();
        let mut is_changed = vec![false; nodes.len()];
        for edit in edits {
            let (Edit::Work(node, _)
            | Edit::Read(node, ..)
            | Edit::Before(node, ..)
            | Edit::After(node, _)) = *edit
            else {
                let Edit::Input(work) = edit else { continue };
                let input = known.get_mut(&Value::INPUT)?;
                *input = work.compute(&[input]).ok()?;
                for (changed, node) in is_changed.iter_mut().zip(&nodes) {
                    *changed |= node.inputs.contains(&Source::Known(Value::INPUT));
                }
                continue;
            };
            is_changed[node] = true;
            let node = &mut nodes[node];
            match edit.clone() {
                Edit::Work(_, work) => node.work = work,
                Edit::Read(_, slot, source) => *node.inputs.get_mut(slot)? = source,
                Edit::Before(_, slot, work) => node.before.push((slot, work)),
                Edit::After(_, work) => node.after.push(work),
                Edit::Input(_) => {}
            }
        }
        let order = order(&nodes)?;
        for &index in &order {
            let reads_changed = nodes[index]
                .inputs
                .iter()
                .any(|source| matches!(source, Source::Node(read) if is_changed[*read]));
            // A node without a value, whose shapes did not fit, has to be computed.
            is_changed[index] |= reads_changed || unchanged[index].is_none();
        }
        let order = order.into_iter().filter(|&index| is_changed[index]);
        Some(Edited {
            order: order.collect(),
            nodes,
            known,
        })
    }

    fn inputs<'v>(
        &self,
        node: &Node,
        values: &'v [Option<Tensor>],
        known: &'v HashMap<Value, Tensor>,
    ) -> Result<Vec<&'v Tensor>> {
        let input = |source: &Source| match source {
            Source::Known(value) => known.get(value),
            Source::Node(index) => values[*index].as_ref(),
        };
        let inputs: Option<Vec<&Tensor>> = node.inputs.iter().map(input).collect();
        inputs.ok_or_else(|| {
            let name = &self.layers.as_slice()[node.layer].name;
            Error::msg(format!("layer `{name}` reads a value that is not there"))
        })
    }

    /// The value of every node that can be computed: shapes of the reference need not fit.
    pub(super) fn possible_values(&self) -> Vec<Option<Tensor>> {
        let mut values: Vec<Option<Tensor>> = vec![None; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let inputs = self.inputs(node, &values, &self.known);
            values[index] = inputs.and_then(|inputs| node.compute(&inputs)).ok();
        }
        values
    }
}

fn no_value() -> Error {
    Error::msg("a segment without layers")
}

/// What has to be computed anew after edits.
pub(super) struct Edited {
    /// The nodes whose values change, in order of computation.
    pub(super) order: Vec<usize>,
    nodes: Vec<Node>,
    known: HashMap<Value, Tensor>,
}

impl Edited {
    /// The last node's value.
    pub(super) fn value(&self, segment: &Segment, unchanged: &[Option<Tensor>]) -> Result<Tensor> {
        let mut values = unchanged.to_vec();
        for &index in &self.order {
            let node = &self.nodes[index];
            let value = node.compute(&segment.inputs(node, &values, &self.known)?)?;
            values[index] = Some(value);
        }
        values.pop().flatten().ok_or_else(no_value)
    }
}

/// The nodes that the last one needs, in order of computation; `None` where one needs itself.
fn order(nodes: &[Node]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    let mut stack = vec![nodes.len().checked_sub(1)?];
    while let Some(&index) = stack.last() {
        match state[index] {
            State::New => {
                state[index] = State::Open;
                for source in &nodes[index].inputs {
                    if let Source::Node(read) = *source {
                        match state[read] {
                            State::New => stack.push(read),
                            State::Open => return None,
                            State::Done => {}
                        }
                    }
                }
            }
            State::Open => {
                state[index] = State::Done;
                order.push(index);
                stack.pop();
            }
            State::Done => {
                stack.pop();
            }
        }
    }
    Some(order)
}

/// The shape of a tensor of maps or vectors.
pub(super) fn shape_of(tensor: &Tensor) -> Option<Shape> {
    match *tensor.dims() {
        [batch, channels, height, width] => Some(Shape::of_maps((batch, channels, height, width))),
        [batch, channels] => Some(Shape {
            batch,
            channels,
            spatial: None,
        }),
        _ => None,
    }
}
