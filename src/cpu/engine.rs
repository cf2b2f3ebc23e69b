//! A network ready to run on this processor.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytemuck::cast_slice_mut;
use candle_core::{DType, Device, Storage, Tensor};
use candle_nn::{Module, VarBuilder};

use super::cache::{PlanCache, ReadyPlan};
use super::element::with_element;
use super::fuse::Graph;
use super::isa::Isa;
use super::job::RunContext;
use super::kernels::Memory;
use super::options::{MICRO_BATCH, Options, Target, micro_batch};
use super::pack::{PackedBytes, WeightReader, pack};
use super::pages::Pages;
use super::plan::{Plan, Step, TensorView};
use super::summary::PlanSummary;
use super::team::Team;
use crate::error::{Error, Result};
use crate::model::{Model, TimedStep};
use crate::network::trace::trace;
use crate::network::{Layer, Layers, Layout, Shape};

/// A network on the CPU's own kernels.
///
/// It reads weights when it first meets an input's shape, plans for that shape once, and keeps
/// them for the last shapes it met. Several threads may call [`Model::run`]; they wait for each
/// other.
///
/// # Shapes
///
/// `[N, channels, H, W]` to `[N, classes]`, as the network's trace says; in single precision.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use senet::cpu::{Engine, Options};
/// use senet::model::Model;
/// use senet::network::catalog;
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let engine = Engine::new(catalog::find("seresnet20")?.layers(), vb, Options::default())?;
/// let images = Tensor::zeros((2, 3, 32, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(engine.run(&images)?.dims(), [2, 10]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    layers: Layers,
    graph: Graph,
    vb: VarBuilder<'static>,
    target: Target,
    cache: Mutex<PlanCache>,
    running: Mutex<Running>,
}

/// What a run has for itself.
struct Running {
    team: Team,
    arena: Pages,
}

/// Sees each step when it is done.
type Observe<'a> = dyn FnMut(&Step, &Memory<'_>) -> Result<()> + 'a;

impl Engine {
    /// Loads `layers`; each one's name is the path of its tensors in `vb`.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks or that has another shape, or instructions that this processor
    /// lacks.
    pub fn new(layers: Layers, vb: VarBuilder<'static>, options: Options) -> Result<Self> {
        let input = layers.input().shape(1);
        Self::for_input(layers, input, vb, options)
    }

    /// [`Engine::new`] that plans, and reads weights, for the shape of input that will come first
    /// instead of the network's own.
    ///
    /// # Errors
    ///
    /// Fails where [`Engine::new`] fails, or of an input that the network cannot take.
    pub fn for_input(
        layers: Layers,
        input: Shape,
        vb: VarBuilder<'static>,
        options: Options,
    ) -> Result<Self> {
        let engine = Self::unplanned(layers, vb, options)?;
        engine.ready(micro_batch(input))?;
        Ok(engine)
    }

    /// Without a plan: it is made when an input comes.
    pub(super) fn unplanned(
        layers: Layers,
        vb: VarBuilder<'static>,
        options: Options,
    ) -> Result<Self> {
        let target = options.target()?;
        Ok(Self {
            graph: Graph::of(&layers),
            layers,
            vb,
            target,
            cache: Mutex::default(),
            running: Mutex::new(Running {
                team: Team::new(target.threads),
                arena: Pages::zeroed(0)?,
            }),
        })
    }

    /// The instructions that it uses.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.target.isa
    }

    /// What a run on inputs of this shape does, and the bytes of memory that it does it in; of more
    /// than [`MICRO_BATCH`] images, what it does with the first so many.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take.
    pub fn plan(&self, input: Shape) -> Result<PlanSummary> {
        let plan = Plan::new(&self.graph, &self.layers, micro_batch(input), self.target)?;
        Ok(PlanSummary::of(&plan, &self.layers, self.target))
    }

    /// Has so many images at most go through at once.
    fn run_tensor(&self, xs: &Tensor, at_once: usize, observe: &mut Observe<'_>) -> Result<Tensor> {
        let shape = Shape::of_maps(xs.dims4()?);
        // Before the input is borrowed: to plan takes rayon's threads, one of which may have called,
        // and would wait for whoever waits to write to the input.
        let plans = self.plans(shape, at_once)?;
        let xs = xs
            .to_device(&Device::Cpu)?
            .to_dtype(DType::F32)?
            .contiguous()?;
        let (storage, layout) = xs.storage_and_layout();
        let all = match &*storage {
            Storage::Cpu(storage) => storage.as_slice::<f32>()?,
            Storage::Cuda(_) | Storage::Metal(_) => &[],
        };
        let input = all.get(layout.start_offset()..);
        let input = input.and_then(|input| input.get(..xs.elem_count()));
        let input = input.ok_or_else(|| {
            Error::Device("the input's elements are not in this processor's memory".to_owned())
        })?;
        let image = (input.len() / shape.batch.max(1)).max(1);
        let images: Vec<&[f32]> = input.chunks_exact(image).collect();
        self.run_plans(shape, &images, &plans, observe)
    }

    /// The plan of each micro-batch of an input.
    fn plans(&self, shape: Shape, at_once: usize) -> Result<Vec<Arc<ReadyPlan>>> {
        let firsts = (0..shape.batch).step_by(at_once);
        let plans = firsts.map(|first| {
            let batch = at_once.min(shape.batch - first);
            self.ready(Shape { batch, ..shape })
        });
        plans.collect()
    }

    /// Runs each plan on so many of the images as it is for.
    fn run_plans(
        &self,
        shape: Shape,
        images: &[&[f32]],
        plans: &[Arc<ReadyPlan>],
        observe: &mut Observe<'_>,
    ) -> Result<Tensor> {
        let output = match plans.first() {
            Some(ready) => Shape {
                batch: shape.batch,
                ..ready.plan.result
            },
            None => trace(&self.layers, shape)?.output(),
        };
        let mut values = Vec::with_capacity(output.elements().unwrap_or_default());
        let mut rest = images;
        for ready in plans {
            let (images, after) = rest.split_at(ready.plan.result.batch);
            rest = after;
            let mut running = lock(&self.running);
            let bytes = ready.plan.arena_bytes();
            if running.arena.len() < bytes {
                // The old memory goes first.
                running.arena = Pages::zeroed(0)?;
                running.arena = Pages::zeroed(bytes)?;
            }
            values.extend(self.run_plan(ready, &mut running, images, observe)?);
        }
        let dims = output.dims(Layout::Nchw);
        Ok(Tensor::from_vec(values, dims, &Device::Cpu)?)
    }

    #[allow(
        unsafe_code,
        reason = "memory that the team's threads share; see below"
    )]
    fn run_plan(
        &self,
        ready: &ReadyPlan,
        running: &mut Running,
        images: &[&[f32]],
        observe: &mut Observe<'_>,
    ) -> Result<Vec<f32>> {
        let Running { team, arena } = running;
        // SAFETY: chunks of a phase run at once, phases do not. Each chunk writes the outputs and
        // sums of its own panels and M-tiles, which no other chunk has (`ChunkGrid::chunk` cuts
        // both without overlap), and reads tensors that the phase does not write: their buffers are
        // in use at the same node, so `lay_out` keeps them apart. An elementwise step may write the
        // very elements it reads, which are of its own rows. A chunk that clears a halo writes
        // outside of all pixels, and Winograd's transformed input and products are two parts of
        // their scratch. Gated weights have scratch of their own at the node that reads them, which
        // the phase before writes, each block of an image's channels by one chunk. The rows of an
        // expansion lie in buffers of scratch, each of one item of its phase and so of one chunk.
        let memory = unsafe { Memory::new(cast_slice_mut(arena.bytes_mut())) };
        let packed: Vec<_> = ready.weights.iter().map(PackedBytes::elements).collect();
        let context = RunContext {
            isa: self.target.isa,
            memory,
            images,
            packed: &packed,
        };
        for step in &ready.plan.steps {
            for phase in &step.phases {
                team.run(phase.chunks(), &|chunk| phase.run(chunk, &context));
            }
            observe(step, &memory)?;
        }
        Ok(read(&ready.plan.output, &memory))
    }

    /// The plan for a shape, with its weights packed. Nothing is locked meanwhile: to pack takes
    /// rayon's threads, one of which may have called and would wait for itself.
    fn ready(&self, shape: Shape) -> Result<Arc<ReadyPlan>> {
        if let Some(ready) = lock(&self.cache).plan(shape) {
            return Ok(ready);
        }
        let plan = Plan::new(&self.graph, &self.layers, shape, self.target)?;
        let mut weights = lock(&self.cache).weights();
        let is_missing = |needed: &&_| !weights.iter().any(|(known, _)| known == *needed);
        let missing = plan.weights.iter().filter(is_missing).copied().collect();
        let reader = WeightReader {
            layers: &self.layers,
            vb: &self.vb,
        };
        weights.extend(pack(missing, &reader)?);
        Ok(lock(&self.cache).keep(shape, plan, &weights))
    }
}

/// A panic leaves half-computed values behind, which every run overwrites, and no half-made plans.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tensor's elements, image by image and channel by channel.
fn read(tensor: &TensorView, memory: &Memory<'_>) -> Vec<f32> {
    let TensorView { view, channels } = tensor;
    let mut values = Vec::with_capacity(tensor.shape().iter().product());
    for image in 0..view.images {
        for channel in 0..*channels {
            let (block, lane) = (channel / view.pixel_stride, channel % view.pixel_stride);
            let start = view.at(image, block) + lane;
            for row in 0..view.height {
                let row = start + row * view.row_stride;
                let pixels = (0..view.width).map(|column| row + column * view.pixel_stride);
                with_element!(view.element_type, E => {
                    values.extend(pixels.map(|pixel| memory.get::<E>(pixel)));
                });
            }
        }
    }
    values
}

impl Model for Engine {
    fn layers(&self) -> &Layers {
        &self.layers
    }

    fn run(&self, xs: &Tensor) -> Result<Tensor> {
        self.run_tensor(xs, MICRO_BATCH, &mut |_, _| Ok(()))
    }

    /// Reads the images where they lie.
    fn run_images(&self, images: &[&[f32]], dims: [usize; 3]) -> Result<Tensor> {
        let [channels, height, width] = dims;
        let shape = Shape::of_maps((images.len(), channels, height, width));
        let elements = Shape { batch: 1, ..shape }.elements();
        if let Some(image) = images.iter().find(|image| Some(image.len()) != elements) {
            return Err(Error::Geometry(format!(
                "an image of {} elements is not of shape {dims:?}",
                image.len()
            )));
        }
        let plans = self.plans(shape, MICRO_BATCH)?;
        self.run_plans(shape, images, &plans, &mut |_, _| Ok(()))
    }

    /// All images go through at once. `observe` must neither run this engine nor write to `xs`.
    fn run_observed(
        &self,
        xs: &Tensor,
        observe: &mut dyn FnMut(&Layer, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let trace = trace(&self.layers, Shape::of_maps(xs.dims4()?))?;
        self.run_tensor(xs, usize::MAX, &mut |step, memory| {
            let Some(&layer) = step.layers.last() else {
                return Ok(());
            };
            let dims = trace.layers[layer].output.dims(Layout::Nchw);
            let value = Tensor::from_vec(read(&step.output, memory), dims, &Device::Cpu)?;
            observe(&self.layers.as_slice()[layer], &value)
        })
    }

    /// More than [`MICRO_BATCH`] images go through so many at a time, each time by steps of their
    /// own.
    fn run_timed(&self, xs: &Tensor) -> Result<Vec<TimedStep>> {
        let mut steps = Vec::new();
        let mut started = Instant::now();
        self.run_tensor(xs, MICRO_BATCH, &mut |step, _| {
            let time = started.elapsed();
            steps.push(TimedStep {
                layers: step.names(&self.layers),
                algorithm: Some(step.algorithm),
                output: step.output.shape().to_vec(),
                macs: step.macs,
                time,
            });
            started = Instant::now();
            Ok(())
        })?;
        Ok(steps)
    }
}

/// [`Model::run`], as one module among others of candle.
impl Module for Engine {
    fn forward(&self, xs: &Tensor) -> candle_core::Result<Tensor> {
        self.run(xs).map_err(|error| match error {
            Error::Candle(error) => error,
            other => candle_core::Error::wrap(other),
        })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
