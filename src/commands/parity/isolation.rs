//! Values from the reference's own values before them, and why they differ.

use candle_core::{DType, Device};

use crate::checkpoint::Weights;
use crate::cli::ParityArgs;
use crate::error::Result;
use crate::model::memory::{self, Together};
use crate::network::Layers;
use crate::network::trace::Trace;
use crate::parity::causes::{Explanation, explain};
use crate::parity::{Isolated, Isolation, Reference, Tolerance};

/// How the reference's values compare in isolation, and what explains the first that differ.
pub(super) type Why = (Vec<Isolated>, Vec<Explanation>);

/// How the reference's values compare in isolation, and why the first of them differ: in double
/// precision, whatever the network is compared in.
pub(super) fn why(
    arguments: &ParityArgs,
    layers: &Layers,
    weights: &Weights,
    reference: &Reference,
    of_input: &Trace,
) -> Result<Why> {
    // In double precision a value takes twice as much.
    memory::check(
        layers,
        of_input,
        &super::BY_LAYERS,
        Together::Batch,
        memory::MOST / 2,
    )?;
    let tolerance = super::tolerance(arguments, Tolerance::default());
    let vb = weights.var_builder(layers, DType::F64, &Device::Cpu)?;
    let named = reference.values(layers)?;
    let isolation = Isolation::new(layers, vb, reference, &named, tolerance)?;
    let isolated = isolation.values()?;
    let causes = explain(&isolation, &isolated, arguments.causes)?;
    Ok((isolated, causes))
}
