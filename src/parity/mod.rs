//! Does a network compute what another framework computed? Where do they first differ?

mod aliases;
pub mod causes;
mod comparison;
mod difference;
mod dumps;
mod inside;
mod isolation;
mod naming;
mod reference;
mod segment;
mod spelling;
mod writer;

use std::collections::HashMap;

use candle_core::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::trace::trace;
use crate::network::{Layout, Value};

use comparison::{check_shape, compare_values};
use difference::elements;

pub use aliases::Aliases;
pub use comparison::{Comparison, Tolerance};
pub use dumps::{ComparedDumps, Dump, DumpSummary, compare_dumps};
pub use inside::{Inside, look_inside};
pub use isolation::{Isolated, Isolation};
pub use naming::{Extra, NamedValue, NamedValues};
pub use reference::Reference;
pub use writer::DumpWriter;

/// What was compared, and what could not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// In the network's order.
    pub values: Vec<Comparison>,
    /// How much of the network these are.
    pub coverage: Coverage,
    /// Values of the dump that the model never has, since it folds them into others.
    pub folded: Vec<String>,
    /// Those of `folded` of which the dump does not have numbers alone: NaN or infinity is in them.
    pub not_finite: Vec<String>,
    /// Values that are 0 everywhere in the dump, in the network's order: whatever is before them
    /// may be wrong.
    pub zero: Vec<String>,
    /// Values of the dump that mean no layer of the network, and were left out.
    pub extra: Vec<String>,
}

/// How much of a network was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Layers whose value was compared.
    pub layers: usize,
    /// Layers of the network.
    pub of_layers: usize,
    /// Blocks whose output was compared.
    pub blocks: usize,
    /// Blocks of the network.
    pub of_blocks: usize,
}

/// Feeds the reference's input to `model` and compares every value that it names and the model
/// keeps, each with the output of that very layer.
///
/// # Errors
///
/// A reference that does not belong to this network, or an input it cannot take.
pub fn compare(model: &dyn Model, reference: &Reference, tolerance: Tolerance) -> Result<Compared> {
    let layers = model.layers();
    let NamedValues {
        values: wanted,
        extra,
    } = reference.to_compare(layers)?;
    let input = reference.input()?;
    let expected = layers.input().channels;
    if input.dim(1)? != expected {
        return Err(Error::Geometry(format!(
            "the reference's `input` has {} channels; `{}` takes {expected}",
            input.dim(1)?,
            layers.name()
        )));
    }

    let list = layers.as_slice();
    let mut wanted_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, value) in wanted.iter().enumerate() {
        let layer = list[value.position].name.as_str();
        wanted_of.entry(layer).or_default().push(index);
    }
    let mut compared: Vec<Option<Comparison>> = vec![None; wanted.len()];
    let mut are: Vec<Numbers> = vec![Numbers::Some; wanted.len()];
    model.run_observed(&input, &mut |layer, value| {
        for &index in wanted_of.get(layer.name.as_str()).into_iter().flatten() {
            let name = wanted[index].name.as_str();
            let theirs = reference.tensor(name)?;
            are[index] = Numbers::of(&theirs)?;
            compared[index] = Some(compare_values(name, value, &theirs, tolerance)?);
        }
        Ok(())
    })?;

    let mut covered = vec![false; list.len()];
    let (mut folded, mut not_finite, mut zero) = (Vec::new(), Vec::new(), Vec::new());
    let trace = trace(layers, reference.shape()?)?;
    for (index, value) in wanted.into_iter().enumerate() {
        if compared[index].is_some() {
            covered[value.position] = true;
        } else {
            // What is not compared can be wrong in these ways all the same.
            let theirs = reference.tensor(&value.name)?;
            if let Some(shape) = trace.shape(Value::of_layer(value.position)) {
                check_shape(&value.name, &shape.dims(Layout::Nchw), &theirs)?;
            }
            are[index] = Numbers::of(&theirs)?;
            if are[index] == Numbers::NotFinite {
                not_finite.push(value.name.clone());
            }
            folded.push(value.name.clone());
        }
        if are[index] == Numbers::Zero {
            zero.push(value.name);
        }
    }
    let blocks = layers.blocks();
    let of_block = |block: &&String| layers.position(block).is_some_and(|last| covered[last]);
    Ok(Compared {
        values: compared.into_iter().flatten().collect(),
        coverage: Coverage {
            layers: covered.iter().filter(|&&covered| covered).count(),
            of_layers: list.len(),
            blocks: blocks.iter().filter(of_block).count(),
            of_blocks: blocks.len(),
        },
        folded,
        not_finite,
        zero,
        extra,
    })
}

/// What a value of a dump is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// Nothing but 0.
    Zero,
    /// NaN or infinity, whatever else.
    NotFinite,
    /// Numbers, not all of them 0.
    Some,
}

impl Numbers {
    fn of(value: &Tensor) -> Result<Self> {
        let elements = elements(value)?;
        Ok(if elements.iter().any(|element| !element.is_finite()) {
            Self::NotFinite
        } else if elements.iter().all(|&element| element == 0.) {
            Self::Zero
        } else {
            Self::Some
        })
    }
}
