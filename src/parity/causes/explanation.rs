use serde::Serialize;

use super::{Cause, OF_LAYERS, OF_SEGMENTS};
use crate::parity::isolation::Isolated;

/// Why a value differs in isolation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What the dump calls the value.
    pub name: String,
    /// max |a - b| in isolation; infinite (null in JSON) where shapes differ.
    pub before: f64,
    /// What explains it; nothing where none of the hypotheses does.
    #[serde(flatten)]
    pub found: Found,
    /// Others that explain it as well.
    pub also: Vec<Hypothesis>,
    /// Hypotheses that were tried.
    pub tried: usize,
    /// Hypotheses that were not, since they take too long on so large a part of the network.
    pub not_tried: usize,
    /// Where nothing explains it: the elements that differ most, the worst first.
    pub worst: Vec<Element>,
}

/// What explains a value, or comes near it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// What the reference does otherwise.
    pub cause: Option<Cause>,
    /// The same in words.
    pub explained_by: Option<String>,
    /// The layers where it does.
    pub layers: Vec<String>,
    /// max |a - b| with the same done here.
    pub after: Option<f64>,
    /// Where nothing explains all of it: what explains most.
    pub nearest: Option<Hypothesis>,
}

/// Something that the reference may do otherwise, and what it explains.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hypothesis {
    /// What the reference does otherwise.
    pub cause: Cause,
    /// The same in words.
    pub explained_by: String,
    /// The layers where it does; nothing where it is the input.
    pub layers: Vec<String>,
    /// max |a - b| with the same done here.
    pub after: f64,
}

/// An element of a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Element {
    /// Its indices, NCHW.
    pub position: Vec<usize>,
    /// What this program computes from the reference's values; null in JSON where it is no number.
    pub ours: f64,
    /// The reference's.
    pub theirs: f64,
}

impl Explanation {
    /// Of a value on which no hypothesis is tried.
    pub(super) fn untried(isolated: &Isolated) -> Self {
        Self {
            name: isolated.name.clone(),
            before: isolated.max_abs,
            found: Found::NOTHING,
            also: Vec::new(),
            tried: 0,
            not_tried: OF_LAYERS.len() + OF_SEGMENTS.len(),
            worst: Vec::new(),
        }
    }
}

impl Found {
    pub(super) const NOTHING: Self = Self {
        cause: None,
        explained_by: None,
        layers: Vec::new(),
        after: None,
        nearest: None,
    };
}
