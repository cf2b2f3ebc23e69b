//! Every value computed from the reference's own values before it, so that one wrong layer is one
//! wrong value, and one wrong early hides none that follows.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::Serialize;

use super::comparison::unravel;
use super::difference::{Difference, elements, significant};
use super::segment::Segment;
use super::{Reference, Tolerance};
use crate::error::Result;
use crate::network::squeeze_excitation::{self, SqueezeExcitation};
use crate::network::trace::{Trace, trace};
use crate::network::{Layers, Layout, Shape, Value};

/// How a value of the reference compares with what the layers before it make of the reference's own
/// values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Isolated {
    /// What the dump calls the value.
    pub name: String,
    /// The values that it was computed from: `input`, or names in the dump.
    pub from: Vec<String>,
    /// The layers between those and it, the one that makes it last.
    pub layers: Vec<String>,
    /// Its shape as these layers compute it, NCHW; nothing where they cannot take what the
    /// reference has before them.
    pub shape: Option<Vec<usize>>,
    /// The reference's shape, where that is another.
    pub reference_shape: Option<Vec<usize>>,
    /// max |a - b|; infinite (null in JSON) where shapes differ, or only one is a number.
    pub max_abs: f64,
    /// max |a - b| / max |b|; null in JSON where the former is infinite or the latter zero.
    pub max_rel: f64,
    /// Where |a - b| is largest, NCHW.
    pub worst: Option<Vec<usize>>,
    /// Whether the difference is within the tolerance.
    pub passed: bool,
}

/// What a reference has of a network: which values, and what it calls them.
pub(super) struct Known<'a> {
    pub(super) layers: &'a Layers,
    pub(super) reference: &'a Reference,
    trace: Trace,
    /// For each value, the first name in the dump for it.
    names: HashMap<Value, String>,
    blocks: Arc<[SqueezeExcitation]>,
}

impl<'a> Known<'a> {
    /// `named` holds each name of the dump and the layer whose output it is.
    pub(super) fn new(
        layers: &'a Layers,
        reference: &'a Reference,
        named: &[(String, usize)],
    ) -> Result<Self> {
        let mut called = HashMap::from([(Value::INPUT, "input".to_owned())]);
        for (name, position) in named {
            let value = Value::of_layer(*position);
            called.entry(value).or_insert_with(|| name.clone());
        }
        Ok(Self {
            layers,
            reference,
            trace: trace(layers, reference.shape()?)?,
            names: called,
            blocks: squeeze_excitation::find(layers).into(),
        })
    }

    pub(super) fn has(&self, value: Value) -> bool {
        self.names.contains_key(&value)
    }

    /// What the dump calls a value that it has.
    pub(super) fn name(&self, value: Value) -> String {
        self.names.get(&value).cloned().unwrap_or_default()
    }

    /// The shape that the network gives a value.
    pub(super) fn shape(&self, value: Value) -> Option<Shape> {
        self.trace.shape(value)
    }

    /// The reference's value in double precision, as a vector or map as the network has it.
    pub(super) fn tensor(&self, value: Value) -> Result<Tensor> {
        if value == Value::INPUT {
            return self.reference.exact_input();
        }
        let tensor = self.reference.tensor(&self.name(value))?;
        let expected = self
            .trace
            .shape(value)
            .map(|shape| shape.dims(Layout::Nchw));
        Ok(match expected {
            Some(expected) if significant(&expected) == significant(tensor.dims()) => {
                tensor.reshape(expected)?
            }
            _ => tensor,
        })
    }

    /// The segment that ends with layer `last`, with the values it reads, but without its tensors.
    pub(super) fn segment(&self, last: usize) -> Result<Segment<'a>> {
        let blocks = Arc::clone(&self.blocks);
        let mut segment = Segment::cut(self.layers, blocks, last, &|value| self.has(value));
        for value in segment.reads() {
            // A value that no segment can do without, but which the dump lacks, is none.
            if self.has(value) {
                segment.known.insert(value, self.tensor(value)?);
            }
        }
        Ok(segment)
    }
}

/// Every value of a reference, computed from the reference's own values nearest before it.
pub struct Isolation<'a> {
    pub(super) known: Known<'a>,
    pub(super) vb: VarBuilder<'a>,
    pub(super) named: &'a [(String, usize)],
    pub(super) tolerance: Tolerance,
}

impl<'a> Isolation<'a> {
    /// Of the values of `reference` that are `named` in it, each with the layer whose output it is.
    /// It computes in the precision of `vb`, which had better be double, so that rounding hides
    /// nothing.
    ///
    /// # Errors
    ///
    /// A reference whose input `layers` cannot take.
    pub fn new(
        layers: &'a Layers,
        vb: VarBuilder<'a>,
        reference: &'a Reference,
        named: &'a [(String, usize)],
        tolerance: Tolerance,
    ) -> Result<Self> {
        Ok(Self {
            known: Known::new(layers, reference, named)?,
            vb,
            named,
            tolerance,
        })
    }

    /// How each value compares, in the order of their names.
    ///
    /// # Errors
    ///
    /// A reference that cannot be read, or tensors that are missing.
    pub fn values(&self) -> Result<Vec<Isolated>> {
        let mut isolated = Vec::with_capacity(self.named.len());
        // Names of one value follow each other.
        let mut last: Option<(usize, Segment, Option<Tensor>)> = None;
        for (name, position) in self.named {
            let (_, segment, ours) = match last.take() {
                Some(computed) if computed.0 == *position => computed,
                _ => {
                    let mut segment = self.known.segment(*position)?;
                    segment.load(&self.vb)?;
                    // The reference's shapes need not fit: that is a difference, too.
                    let value = segment.value().ok();
                    (*position, segment, value)
                }
            };
            let theirs = self.known.reference.tensor(name)?;
            isolated.push(self.compared(&segment, name, ours.as_ref(), &theirs)?);
            last = Some((*position, segment, ours));
        }
        Ok(isolated)
    }

    fn compared(
        &self,
        segment: &Segment,
        name: &str,
        ours: Option<&Tensor>,
        theirs: &Tensor,
    ) -> Result<Isolated> {
        let shape = ours.map(|ours| ours.dims().to_vec());
        let has_shape = shape
            .as_deref()
            .is_some_and(|shape| significant(shape) == significant(theirs.dims()));
        let difference = match ours {
            Some(ours) if has_shape => Difference::between(&elements(ours)?, &elements(theirs)?),
            _ => Difference::OF_SHAPES,
        };
        let read = segment.reads().into_iter();
        let nodes = 0..segment.nodes.len();
        Ok(Isolated {
            name: name.to_owned(),
            from: read.map(|value| self.known.name(value)).collect(),
            layers: nodes.map(|node| segment.name(node).to_owned()).collect(),
            worst: shape
                .as_deref()
                .filter(|_| has_shape)
                .map(|shape| unravel(difference.worst, shape)),
            reference_shape: (!has_shape).then(|| theirs.dims().to_vec()),
            shape,
            max_abs: difference.max_abs,
            max_rel: difference.relative(),
            passed: difference.is_within(self.tolerance),
        })
    }
}
