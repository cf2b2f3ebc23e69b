//! A plan as plain data, for whoever wants to see it.

use serde::Serialize;

use super::engine::{Options, portion};
use super::fuse::Graph;
use super::isa::Isa;
use super::plan::{Plan, Setting, Step};
use crate::error::Result;
use crate::network::{Layers, Shape};

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// The instructions that it uses.
    pub isa: Isa,
    /// Threads that share the work.
    pub threads: usize,
    /// Images that go through at once; all that follows is of so many.
    pub portion: usize,
    /// In order.
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
    /// How.
    pub algorithm: &'static str,
    /// Shape of its value, `[N, C, H, W]`.
    pub output: Vec<usize>,
    /// The buffer that it writes; some share memory with others.
    pub buffer: usize,
    /// Bytes that it writes.
    pub bytes: usize,
    /// Multiplications that it really does, zeros that fill up a block of channels included.
    pub macs: u64,
}

/// What a run of `layers` on inputs of this shape does; of more than 8 images, what it does with
/// the first 8, for so many go through at once. No weights are needed.
///
/// # Errors
///
/// An input that the network cannot take, or instructions that this processor lacks.
///
/// ```
/// use senet::cpu::{self, Options};
/// use senet::network::catalog;
///
/// let network = catalog::find("seresnet50")?;
/// let plan = cpu::plan(&network.layers(), network.input.shape(1), Options::default())?;
/// assert!(plan.steps.iter().any(|step| step.algorithm == "winograd 4x4"));
/// # Ok::<(), senet::Error>(())
/// ```
pub fn plan(layers: &Layers, input: Shape, options: Options) -> Result<PlanSummary> {
    let setting = options.setting()?;
    let plan = Plan::new(&Graph::of(layers), layers, portion(input), setting)?;
    Ok(PlanSummary::of(&plan, layers, setting))
}

/// Bytes of memory that the values of `layers` take for inputs of this shape, all of which go
/// through at once; what [`plan`] says, without making the plan, which of a large input is large.
///
/// # Errors
///
/// Those of [`plan`].
pub fn memory(layers: &Layers, input: Shape, options: Options) -> Result<usize> {
    let numbers = Plan::memory_for(&Graph::of(layers), layers, input, options.setting()?)?;
    Ok(numbers.saturating_mul(size_of::<f32>()))
}

impl PlanSummary {
    pub(super) fn of(plan: &Plan, layers: &Layers, setting: Setting) -> Self {
        let steps = plan.steps.iter();
        Self {
            isa: setting.isa,
            threads: setting.threads,
            portion: plan.output.view.images,
            steps: steps.map(|step| StepSummary::of(step, layers)).collect(),
            memory: plan.memory * size_of::<f32>(),
        }
    }
}

impl StepSummary {
    pub(super) fn of(step: &Step, layers: &Layers) -> Self {
        let names = step.layers.iter();
        let names = names.filter_map(|&layer| layers.as_slice().get(layer));
        Self {
            layers: names.map(|layer| layer.name.clone()).collect(),
            algorithm: step.algorithm,
            output: step.made.shape().to_vec(),
            buffer: step.buffer,
            bytes: step.bytes,
            macs: step.macs,
        }
    }
}
