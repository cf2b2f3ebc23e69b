//! `senet trace --plan`.

use std::collections::HashSet;

use crate::cpu::{self, WinogradTile};
use crate::error::{Error, Result};
use crate::model::Runtime;
use crate::network::squeeze_excitation;
use crate::network::trace::Trace;
use crate::network::{Layer, Layers, Layout, Operation};
use crate::report::PlanReport;

/// What the engine does for an input of the shape that `trace` was made for.
///
/// # Errors
///
/// Another engine, which has no plan, or instructions that this processor lacks.
pub(super) fn report(layers: &Layers, trace: &Trace, runtime: &Runtime) -> Result<PlanReport> {
    let Runtime::Cpu(options) = *runtime else {
        return Err(Error::Usage(
            "`--plan` is of the engine cpu; candle computes the layers one by one".to_owned(),
        ));
    };
    let plan = cpu::plan(layers, trace.input, options)?;
    let mut computed: HashSet<&str> = plan
        .steps
        .iter()
        .flat_map(|step| step.layers.iter().map(String::as_str))
        .collect();
    let list = layers.as_slice();
    // What has no step under its own name: the same numbers by another shape, and the squeeze of a
    // gate that is known early, whose mean is taken before the convolution.
    let renamed = |layer: &&Layer| {
        matches!(
            layer.operation,
            Operation::Flatten { .. } | Operation::Unflatten
        )
    };
    computed.extend(list.iter().filter(renamed).map(|layer| layer.name.as_str()));
    for block in squeeze_excitation::find(layers) {
        let mut dense = block.excitation.iter().map(|dense| &list[dense.layer].name);
        if dense.all(|name| computed.contains(name.as_str())) {
            computed.insert(&list[block.squeeze].name);
        }
    }
    let names = list.iter().map(|layer| layer.name.clone());
    let candle_layers = names
        .filter(|name| !computed.contains(name.as_str()))
        .collect();
    let images = trace.input.batch.max(1) as u64;
    Ok(PlanReport {
        network: layers.name().to_owned(),
        input_shape: trace.input.dims(Layout::Nchw),
        exact: options.winograd < WinogradTile::F4x4,
        macs: plan.steps.iter().map(|step| step.macs).sum(),
        direct_macs: trace.macs / images * plan.micro_batch as u64,
        plan,
        candle_layers,
    })
}
