use candle_core::Tensor;

use super::Cause;
use crate::network::{Activation, Layer, Operation, Value};
use crate::parity::segment::{Edit, Segment, Source, Tensors, Work};

/// A node of a segment, as a hypothesis sees it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) segment: &'a Segment<'a>,
    /// The values of the segment's nodes, as far as they can be computed.
    pub(super) values: &'a [Option<Tensor>],
    pub(super) node: usize,
}

/// What the reference may do otherwise.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) cause: Cause,
    /// As in "explained by ...".
    pub(super) explained_by: String,
    pub(super) edits: Vec<Edit>,
}

/// From a layer to what the reference may do otherwise there.
pub(super) type Rule = fn(&Subject) -> Vec<Attempt>;

impl Attempt {
    pub(super) fn new(cause: Cause, explained_by: impl Into<String>, edit: Edit) -> Self {
        Self {
            cause,
            explained_by: explained_by.into(),
            edits: vec![edit],
        }
    }
}

impl<'a> Subject<'a> {
    pub(super) fn at(&self, node: usize) -> Self {
        Self { node, ..*self }
    }

    pub(super) fn layer(&self) -> &'a Layer {
        let segment: &'a Segment = self.segment;
        &segment.layers.as_slice()[segment.nodes[self.node].layer]
    }

    pub(super) fn operation(&self) -> Operation {
        self.layer().operation
    }

    pub(super) fn activation(&self) -> Option<Activation> {
        match self.operation() {
            Operation::Activation(activation) => Some(activation),
            _ => None,
        }
    }

    /// The layer's tensors.
    pub(super) fn tensors(&self) -> Tensors {
        match &self.segment.nodes[self.node].work {
            Work::Operation(_, tensors) => tensors.clone(),
            Work::Function(_) => Tensors::new(),
        }
    }

    /// What the layer is given at that place, if that can be computed.
    pub(super) fn input(&self, slot: usize) -> Option<&'a Tensor> {
        self.value(*self.segment.nodes[self.node].inputs.get(slot)?)
    }

    pub(super) fn value(&self, source: Source) -> Option<&'a Tensor> {
        match source {
            Source::Known(value) => self.segment.known.get(&value),
            Source::Node(node) => self.values.get(node)?.as_ref(),
        }
    }

    /// Height and width of the layer's first input.
    pub(super) fn size(&self) -> Option<[usize; 2]> {
        match *self.input(0)?.dims() {
            [_, _, height, width] => Some([height, width]),
            _ => None,
        }
    }

    /// The layer does this instead.
    pub(super) fn instead(&self, work: Work) -> Edit {
        Edit::Work(self.node, work)
    }

    /// The layer is of that operation, with the tensors that it has.
    pub(super) fn operation_instead(&self, operation: Operation) -> Edit {
        self.instead(Work::Operation(operation, self.tensors()))
    }

    /// The layer has these tensors.
    pub(super) fn tensors_instead(&self, tensors: Tensors) -> Edit {
        self.instead(Work::Operation(self.operation(), tensors))
    }

    /// What the layer reads at that place goes through an operation first.
    pub(super) fn before(&self, slot: usize, operation: Operation) -> Edit {
        Edit::Before(self.node, slot, Work::plain(operation))
    }

    /// The layer's value goes through an operation at last.
    pub(super) fn after(&self, operation: Operation) -> Edit {
        Edit::After(self.node, Work::plain(operation))
    }

    /// Whether the layer is the network's last.
    pub(super) fn is_output(&self) -> bool {
        self.segment.nodes[self.node].layer + 1 == self.segment.layers.as_slice().len()
    }

    /// The network's value that the layer reads at that place.
    pub(super) fn read(&self, slot: usize) -> Option<Value> {
        self.layer().inputs.get(slot).copied()
    }

    /// The network's layers that read the layer's value.
    pub(super) fn readers(&self) -> impl Iterator<Item = usize> {
        let output = Value::of_layer(self.segment.nodes[self.node].layer);
        let list = self.segment.layers.as_slice().iter().enumerate();
        list.filter(move |(_, layer)| layer.inputs.contains(&output))
            .map(|(index, _)| index)
    }
}

/// What is made of a rule's fallible part: nothing to try where it fails.
pub(super) fn attempts(attempt: candle_core::Result<Option<Attempt>>) -> Vec<Attempt> {
    attempt.ok().flatten().into_iter().collect()
}
