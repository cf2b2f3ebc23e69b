//! Nodes to phases, for one shape of input, in three passes.
//!
//! ```text
//! graph ──> choices ─────────> allocation ──────────> steps
//!           choose.rs          allocate.rs            emit.rs
//!           what computes      which tensors share    loops, with
//!           each node, on      a buffer, and where    the addresses
//!           what geometry      each buffer lies       of all they touch
//! ```
//!
//! What algorithm a node gets follows from its geometry and from who reads what, and every sum is
//! taken in an order that follows from these too: neither the batch nor the number of threads changes
//! a bit.

mod allocate;
mod arena;
mod choose;
mod convolution;
mod emit;
mod expand;
mod normalize;
mod pool;
mod rearrange;
mod strips;
mod windows;

use self::allocate::Allocation;
use self::choose::Choices;
use super::algorithm::Algorithm;
use super::fuse::Graph;
use super::job::Phase;
use super::options::Target;
use super::pack::PackedWeight;
use super::view::View;
use crate::error::{Error, Result};
use crate::network::trace::{Trace, trace};
use crate::network::{Layers, Layout, Shape};

/// Everything that a run of one shape does.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The weights that a run needs.
    pub(super) weights: Vec<PackedWeight>,
    /// Bytes of memory that it needs.
    arena: usize,
    pub(super) output: TensorView,
    /// The shape of what the network computes.
    pub(super) result: Shape,
}

/// A node's phases.
#[derive(Debug)]
pub(super) struct Step {
    /// The layers it computes, by index; none for what only the engine has.
    pub(super) layers: Vec<usize>,
    pub(super) algorithm: Algorithm,
    pub(super) phases: Vec<Phase>,
    pub(super) output: TensorView,
    /// Multiplications that it really does.
    pub(super) macs: u64,
    /// The buffer that it writes.
    pub(super) buffer: usize,
}

/// A tensor in the arena.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorView {
    pub(super) view: View,
    pub(super) channels: usize,
}

impl TensorView {
    /// `[N, C, H, W]`.
    pub(super) fn shape(&self) -> [usize; 4] {
        let View {
            images,
            height,
            width,
            ..
        } = self.view;
        [images, self.channels, height, width]
    }

    /// Bytes of its elements, channels that fill up a block included.
    pub(super) fn bytes(&self) -> usize {
        let View {
            images,
            blocks,
            height,
            width,
            pixel_stride,
            element_type,
            ..
        } = self.view;
        element_type.bytes(images * blocks * height * width * pixel_stride)
    }
}

impl Step {
    /// The names of the layers it computes.
    pub(super) fn names(&self, layers: &Layers) -> Vec<String> {
        let layers = self
            .layers
            .iter()
            .filter_map(|&layer| layers.as_slice().get(layer));
        layers.map(|layer| layer.name.clone()).collect()
    }
}

/// Elements of a value and its halo, so that
/// [`PixelOffsets`](super::kernels::PixelOffsets) can say where they are; those of all together can
/// still be counted.
const MOST_ELEMENTS: usize = u32::MAX as usize;

impl Plan {
    /// Plans a run on inputs of this shape.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take.
    pub(super) fn new(
        graph: &Graph,
        layers: &Layers,
        input: Shape,
        target: Target,
    ) -> Result<Self> {
        let trace = countable(layers, input)?;
        let choices = Choices::new(graph, layers, &trace, target)?;
        let allocation = Allocation::new(graph, &choices, target)?;
        let (steps, weights, output) = emit::emit(graph, &choices, &allocation, target);
        Ok(Self {
            steps,
            weights,
            arena: allocation.arena,
            output,
            result: trace.output(),
        })
    }

    /// Bytes of memory that a run needs.
    pub(super) fn arena_bytes(&self) -> usize {
        self.arena
    }

    /// Bytes of memory that a run on inputs of this shape needs. The plan itself, which of a large
    /// input is large, is not made.
    ///
    /// # Errors
    ///
    /// Those of [`Plan::new`].
    pub(super) fn arena_bytes_for(
        graph: &Graph,
        layers: &Layers,
        input: Shape,
        target: Target,
    ) -> Result<usize> {
        let choices = Choices::new(graph, layers, &countable(layers, input)?, target)?;
        Ok(Allocation::new(graph, &choices, target)?.arena)
    }
}

/// The shapes of all values, if each is small enough to be planned.
fn countable(layers: &Layers, input: Shape) -> Result<Trace> {
    let trace = trace(layers, input)?;
    let shapes = trace.layers.iter().map(|cost| cost.output);
    for shape in shapes.chain([input]) {
        if !shape
            .elements()
            .is_some_and(|count| (1..=MOST_ELEMENTS).contains(&count))
        {
            return Err(Error::Geometry(format!(
                "a value of shape {:?} cannot be planned: expected 1 to {MOST_ELEMENTS} elements",
                shape.dims(Layout::Nchw)
            )));
        }
    }
    Ok(trace)
}
