//! A plan as plain data, for whoever wants to see it.

use serde::Serialize;

use super::algorithm::Algorithm;
use super::fuse::Graph;
use super::isa::Isa;
use super::options::{Options, Precision, Target, micro_batch};
use super::plan::{Plan, Step};
use crate::error::Result;
use crate::network::{Layers, Shape};

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// The instructions that it uses.
    pub isa: Isa,
    /// What maps and weights are rounded to.
    pub precision: Precision,
    /// Threads that share the work.
    pub threads: usize,
    /// Images that go through at once; all that follows is of so many.
    #[serde(rename = "portion")]
    pub micro_batch: usize,
    /// What is computed, one after the other.
    pub steps: Vec<StepSummary>,
    /// Bytes of all values together; weights are not counted.
    pub memory: usize,
}

/// What is computed in one go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepSummary {
    /// Names of the layers that it computes, the one whose value it makes last; none where that
    /// value is the engine's own.
    pub layers: Vec<String>,
    /// What computes it.
    pub algorithm: Algorithm,
    /// Shape of its value, `[N, C, H, W]`.
    pub output: Vec<usize>,
    /// The buffer that it writes; some share memory with others.
    pub buffer: usize,
    /// Bytes that it writes.
    pub bytes: usize,
    /// Multiplications that it really does, zeros that fill up a block of channels included.
    pub macs: u64,
}

/// What a run of `layers` on inputs of this shape does; of more than
/// [`MICRO_BATCH`](super::MICRO_BATCH) images, what it does with the first so many. No weights are needed.
///
/// # Errors
///
/// An input that the network cannot take, or instructions that this processor lacks.
///
/// ```
/// use senet::cpu::{self, Algorithm, Options, WinogradTile};
/// use senet::network::catalog;
///
/// let network = catalog::find("seresnet50")?;
/// let plan = cpu::plan(&network.layers(), network.input.shape(1), Options::default())?;
/// let winograd = Algorithm::Winograd(WinogradTile::F4x4);
/// assert!(plan.steps.iter().any(|step| step.algorithm == winograd));
/// # Ok::<(), senet::Error>(())
/// ```
pub fn plan(layers: &Layers, input: Shape, options: Options) -> Result<PlanSummary> {
    let target = options.target()?;
    let plan = Plan::new(&Graph::of(layers), layers, micro_batch(input), target)?;
    Ok(PlanSummary::of(&plan, layers, target))
}

/// Bytes of memory that the values of `layers` take for inputs of this shape where all images go
/// through at once. Of a micro-batch at most, that is what [`plan`] says; but the plan, which of a
/// large input is large, is not made.
///
/// # Errors
///
/// Those of [`plan`].
pub fn memory(layers: &Layers, input: Shape, options: Options) -> Result<usize> {
    Plan::arena_bytes_for(&Graph::of(layers), layers, input, options.target()?)
}

impl PlanSummary {
    pub(super) fn of(plan: &Plan, layers: &Layers, target: Target) -> Self {
        let steps = plan.steps.iter();
        Self {
            isa: target.isa,
            precision: target.precision,
            threads: target.threads,
            micro_batch: plan.output.view.images,
            steps: steps.map(|step| StepSummary::of(step, layers)).collect(),
            memory: plan.arena_bytes(),
        }
    }
}

impl StepSummary {
    pub(super) fn of(step: &Step, layers: &Layers) -> Self {
        Self {
            layers: step.names(layers),
            algorithm: step.algorithm,
            output: step.output.shape().to_vec(),
            buffer: step.buffer,
            bytes: step.output.bytes(),
            macs: step.macs,
        }
    }
}
