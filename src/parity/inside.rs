//! The very layer that differs, within what an engine computes as one step.

use std::collections::HashMap;

use serde::Serialize;

use super::{Compared, Comparison, Reference, Tolerance, compare};
use crate::error::Result;
use crate::model::Model;

/// What candle says of the layers inside the first step that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inside {
    /// The value that the step ends with.
    pub step: String,
    /// What computed the layers inside: `candle`.
    pub engine: &'static str,
    /// The values that the dump has of these layers, in their order, and that of the step.
    pub layers: Vec<Comparison>,
}

impl Inside {
    /// The first of the layers that differs; none where candle agrees with the reference, and it
    /// is the other engine that does not.
    #[must_use]
    pub fn first_divergence(&self) -> Option<&Comparison> {
        self.layers.iter().find(|layer| !layer.passed)
    }
}

/// Looks for the first layer that differs where an engine, which folds layers into others, found
/// the end of a step that does; `candle` is the same network, a layer at a time. Nothing where all
/// is equal or nothing was folded.
///
/// # Errors
///
/// Those of [`compare`].
pub fn look_inside(
    compared: &Compared,
    candle: &dyn Model,
    reference: &Reference,
    tolerance: Tolerance,
) -> Result<Option<Inside>> {
    let values = &compared.values;
    let Some(first) = values.iter().position(|value| !value.passed) else {
        return Ok(None);
    };
    if compared.folded.is_empty() {
        return Ok(None);
    }
    let positions = reference.values(candle.layers())?;
    let positions: HashMap<String, usize> = positions.into_iter().collect();
    let position = |value: &Comparison| positions.get(&value.name).copied();
    let end = position(&values[first]);
    let begin = first
        .checked_sub(1)
        .and_then(|before| position(&values[before]));
    let by_candle = compare(candle, reference, tolerance)?.values.into_iter();
    let is_folded = |value: &Comparison| compared.folded.contains(&value.name);
    // Whatever differs before is the culprit, too: the engine's values after it may hide it.
    let mut layers: Vec<Comparison> = by_candle
        .filter(|value| {
            let inside = position(value) > begin && position(value) <= end;
            let before = position(value) <= end && !value.passed;
            let is_end = value.name == values[first].name;
            is_end || is_folded(value) && (inside || before)
        })
        .collect();
    layers.dedup_by(|a, b| a.name == b.name);
    if layers.len() < 2 {
        return Ok(None);
    }
    Ok(Some(Inside {
        step: values[first].name.clone(),
        engine: "candle",
        layers,
    }))
}
