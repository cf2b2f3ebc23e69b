//! A network ready to run on this processor.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Storage, Tensor};
use candle_nn::{Module, VarBuilder};
use rayon::prelude::*;

use super::cores;
use super::fuse::{Graph, Work};
use super::isa::Isa;
use super::job::RunContext;
use super::kernels::{Memory, WinogradTile};
use super::matrix::{Source, rounded};
use super::pack::{Order, Packed};
use super::pages::Pages;
use super::plan::{Made, Packing, Plan, Setting, Step};
use super::summary::{PlanSummary, StepSummary};
use super::team::Team;
use crate::error::{Error, Result};
use crate::network::trace::trace;
use crate::network::{Layer, Layers, Layout, Shape};

/// How an [`Engine`] computes. `threads` changes no bit of the result; `isa` and `winograd` do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads that compute; one for each physical core that this process may use if not given.
    pub threads: Option<usize>,
    /// The instructions to use; [`Isa::detect`] if not given.
    pub isa: Option<Isa>,
    /// The largest of Winograd's tiles that may compute a 3x3 convolution.
    pub winograd: WinogradTile,
}

/// More than any machine has cores; starting very many takes minutes.
pub(crate) const MOST_THREADS: usize = 1024;

impl Options {
    /// With everything that they leave open decided.
    pub(super) fn setting(self) -> Result<Setting> {
        let threads = self.threads.unwrap_or_else(cores::usable);
        if !(1..=MOST_THREADS).contains(&threads) {
            return Err(Error::Usage(format!(
                "expected 1 to {MOST_THREADS} threads, found {threads}"
            )));
        }
        Ok(Setting {
            isa: match self.isa {
                Some(isa) => isa.checked()?,
                None => Isa::detect()?,
            },
            threads,
            winograd: self.winograd,
        })
    }
}

/// A network on the CPU's own kernels.
///
/// It reads weights when it first meets an input's shape, plans for that shape once, and keeps
/// them for the last shapes it met. Several threads may call [`Engine::run`]; they wait for each
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
    setting: Setting,
    state: Mutex<State>,
}

struct State {
    team: Team,
    plans: HashMap<Shape, Arc<Planned>>,
    packed: HashMap<Packing, Place>,
    memory: Pages,
}

/// Sees each step when it is done.
type Observe<'a> = dyn FnMut(&Step, &Memory<'_>) -> Result<()> + 'a;

/// A plan, and the numbers it needs.
struct Planned {
    plan: Plan,
    packed: Vec<Place>,
}

/// Where a node's packed numbers are.
#[derive(Clone)]
struct Place {
    pages: Arc<Pages>,
    weights: Range<usize>,
    bias: Range<usize>,
}

/// Images that go through at once: larger batches gain nothing, and take more memory.
const IMAGES: usize = 8;

/// What of an input goes through at once.
pub(crate) fn portion(input: Shape) -> Shape {
    Shape {
        batch: input.batch.min(IMAGES),
        ..input
    }
}

/// Plans that are kept. With one more all others go, and the weights that only they needed.
const PLANS: usize = 16;

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
    /// Those of [`Engine::new`], or an input that the network cannot take.
    pub fn for_input(
        layers: Layers,
        input: Shape,
        vb: VarBuilder<'static>,
        options: Options,
    ) -> Result<Self> {
        let engine = Self::unplanned(layers, vb, options)?;
        engine.planned(portion(input))?;
        Ok(engine)
    }

    /// Without a plan: it is made when an input comes.
    pub(super) fn unplanned(
        layers: Layers,
        vb: VarBuilder<'static>,
        options: Options,
    ) -> Result<Self> {
        let setting = options.setting()?;
        Ok(Self {
            graph: Graph::of(&layers),
            layers,
            vb,
            setting,
            state: Mutex::new(State {
                team: Team::new(setting.threads),
                plans: HashMap::new(),
                packed: HashMap::new(),
                memory: Pages::zeroed(0)?,
            }),
        })
    }

    /// The layers it computes.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The instructions that it uses.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.setting.isa
    }

    /// What a run on inputs of this shape does, and the bytes of memory that it does it in; of more
    /// than 8 images, what it does with the first 8.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take.
    pub fn plan(&self, input: Shape) -> Result<PlanSummary> {
        let plan = Plan::new(&self.graph, &self.layers, portion(input), self.setting)?;
        Ok(PlanSummary::of(&plan, &self.layers, self.setting))
    }

    /// Computes the network.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take.
    pub fn run(&self, xs: &Tensor) -> Result<Tensor> {
        self.run_with(xs, IMAGES, &mut |_, _| Ok(()))
    }

    /// [`Engine::run`] that hands every value it keeps to `observe` as it is computed: the
    /// outputs of its steps, each with the last layer that it computes and in the shape that the
    /// network's trace says. All images go through at once. `observe` must neither run this
    /// engine nor write to `xs`.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take, or whatever `observe` returns.
    pub fn run_observed(
        &self,
        xs: &Tensor,
        observe: &mut dyn FnMut(&Layer, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let trace = trace(&self.layers, Shape::of_maps(xs.dims4()?))?;
        self.run_with(xs, usize::MAX, &mut |step, memory| {
            let Some(&layer) = step.layers.last() else {
                return Ok(());
            };
            let dims = trace.layers[layer].output.dims(Layout::Nchw);
            let value = Tensor::from_vec(read(&step.made, memory), dims, &Device::Cpu)?;
            observe(&self.layers.as_slice()[layer], &value)
        })
    }

    /// [`Engine::run`] that says what each step was and how long it took, instead of what came out
    /// in the end. More than 8 images go through 8 at a time, each time by steps of their own.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take.
    pub fn run_timed(&self, xs: &Tensor) -> Result<Vec<(StepSummary, Duration)>> {
        let mut steps = Vec::new();
        let mut started = Instant::now();
        self.run_with(xs, IMAGES, &mut |step, _| {
            let time = started.elapsed();
            steps.push((StepSummary::of(step, &self.layers), time));
            started = Instant::now();
            Ok(())
        })?;
        Ok(steps)
    }

    /// Has so many images at most go through at once.
    fn run_with(&self, xs: &Tensor, most: usize, observe: &mut Observe<'_>) -> Result<Tensor> {
        let shape = Shape::of_maps(xs.dims4()?);
        // Before the input is borrowed: to plan takes rayon's threads, one of which may have called,
        // and would wait for whoever waits to write to the input.
        let portions = (0..shape.batch).step_by(most);
        let plans = portions.map(|first| {
            let batch = most.min(shape.batch - first);
            self.planned(Shape { batch, ..shape })
        });
        let plans = plans.collect::<Result<Vec<_>>>()?;
        let output = match plans.first() {
            Some(planned) => Shape {
                batch: shape.batch,
                ..planned.plan.result
            },
            None => trace(&self.layers, shape)?.output(),
        };
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
            Error::Device("the input's numbers are not in this processor's memory".to_owned())
        })?;
        let mut numbers = Vec::with_capacity(output.elements().unwrap_or_default());
        let each = input.len() / shape.batch.max(1);
        let portions = input.chunks(most.saturating_mul(each).max(1));
        for (images, planned) in portions.zip(&plans) {
            let mut state = self.state();
            if state.memory.len() < planned.plan.memory {
                // The old memory goes first.
                state.memory = Pages::zeroed(0)?;
                state.memory = Pages::zeroed(planned.plan.memory)?;
            }
            numbers.extend(self.compute(planned, &mut state, images, observe)?);
        }
        let dims = output.dims(Layout::Nchw);
        Ok(Tensor::from_vec(numbers, dims, &Device::Cpu)?)
    }

    #[allow(
        unsafe_code,
        reason = "memory that the team's threads share; see below"
    )]
    fn compute(
        &self,
        planned: &Planned,
        state: &mut State,
        input: &[f32],
        observe: &mut Observe<'_>,
    ) -> Result<Vec<f32>> {
        let State { team, memory, .. } = state;
        // SAFETY: chunks of a phase run at once, phases do not. Each chunk writes the outputs and
        // sums of its own panels and lines, which no other chunk has (`ChunkGrid::chunk` cuts both
        // without overlap), and reads tensors that the phase does not write: their buffers are
        // in use at the same node, so `place` keeps them apart. A pass may write the very numbers
        // it reads, which are of its own rows. A chunk that clears a border writes outside of all
        // pixels, and Winograd's transformed input and products are two parts of their scratch.
        let memory = unsafe { Memory::new(memory.numbers_mut()) };
        let packed = planned.packed.iter().map(Place::packed);
        let packed: Vec<Packed<'_>> = packed.collect();
        let scene = RunContext {
            isa: self.setting.isa,
            memory,
            input,
            packed: &packed,
        };
        for step in &planned.plan.steps {
            for phase in &step.phases {
                team.run(phase.chunks(), &|chunk| phase.run(chunk, &scene));
            }
            observe(step, &memory)?;
        }
        Ok(read(&planned.plan.output, &memory))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic leaves half-computed numbers behind, which every run overwrites.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plan for a shape, with its weights packed. That is done without holding the state: it
    /// takes rayon's threads, one of which may have called and would wait for itself.
    fn planned(&self, shape: Shape) -> Result<Arc<Planned>> {
        if let Some(planned) = self.state().plans.get(&shape) {
            return Ok(planned.clone());
        }
        let plan = Plan::new(&self.graph, &self.layers, shape, self.setting)?;
        let known = self.state().packed.clone();
        let missing = plan.packings.iter();
        let missing = missing.filter(|packing| !known.contains_key(packing));
        let missing: Vec<Packing> = missing.copied().collect();
        let new: HashMap<Packing, Place> = self.pack(&missing)?.into_iter().collect();
        let place = |packing| known.get(packing).or_else(|| new.get(packing)).cloned();
        let packed = plan.packings.iter().filter_map(place).collect();
        let planned = Arc::new(Planned { plan, packed });
        let mut state = self.state();
        if state.plans.len() >= PLANS {
            state.plans.clear();
            let needed = &planned.plan.packings;
            state.packed.retain(|packing, _| needed.contains(packing));
        }
        state.packed.extend(new);
        state.plans.insert(shape, planned.clone());
        Ok(planned)
    }

    /// Packs all that a plan lacks into pages of their own.
    fn pack(&self, packings: &[Packing]) -> Result<Vec<(Packing, Place)>> {
        let counts: Vec<[usize; 2]> = packings.iter().map(|each| each.order.counts()).collect();
        let mut pages = Pages::zeroed(counts.iter().flatten().sum())?;
        let mut rest = pages.numbers_mut();
        let mut places = Vec::with_capacity(packings.len());
        for (packing, [weights, bias]) in packings.iter().zip(&counts) {
            let (weights, after) = rest.split_at_mut(*weights);
            let (bias, after) = after.split_at_mut(*bias);
            rest = after;
            places.push((packing, weights, bias));
        }
        // All at once: a layer at a time, threads would wait for each other at every small one.
        places
            .into_par_iter()
            .try_for_each(|(packing, weights, bias)| self.pack_one(packing, weights, bias))?;
        let pages = Arc::new(pages);
        let mut end = 0;
        let mut after = |count: usize| {
            end += count;
            end - count..end
        };
        let places = counts.into_iter().map(|[weights, bias]| Place {
            pages: pages.clone(),
            weights: after(weights),
            bias: after(bias),
        });
        Ok(packings.iter().copied().zip(places).collect())
    }

    fn pack_one(&self, packing: &Packing, weights: &mut [f32], bias: &mut [f32]) -> Result<()> {
        let source = Source {
            layers: &self.layers,
            vb: &self.vb,
        };
        match (&self.graph.nodes[packing.node].work, packing.order) {
            (_, Order::Norm { channels }) => {
                let Work::Pass { norm, factor } = &self.graph.nodes[packing.node].work else {
                    return Err(Error::Geometry("a convolution is no pass".to_owned()));
                };
                let [factors, shifts] = match norm {
                    Some(norm) => source.norm(*norm)?,
                    None => [vec![1.; channels], vec![0.; channels]],
                };
                for (to, numbers) in [(weights, factors), (bias, shifts)] {
                    let numbers: Vec<f64> = numbers.iter().map(|number| number * factor).collect();
                    to[..channels].copy_from_slice(&rounded(&numbers));
                }
            }
            (Work::Conv { weights: of, .. } | Work::Linear { weights: of }, order) => {
                source.matrix(of, |matrix| {
                    order.pack(matrix, weights);
                    bias[..matrix.bias.len()].copy_from_slice(&matrix.bias);
                })?;
            }
            _ => return Err(Error::Geometry("nothing to pack".to_owned())),
        }
        Ok(())
    }
}

impl Place {
    fn packed(&self) -> Packed<'_> {
        let numbers = self.pages.numbers();
        Packed {
            weights: &numbers[self.weights.clone()],
            bias: &numbers[self.bias.clone()],
        }
    }
}

/// A tensor's numbers, image by image and channel by channel.
fn read(made: &Made, memory: &Memory<'_>) -> Vec<f32> {
    let Made { view, channels } = made;
    let mut numbers = Vec::with_capacity(view.images * channels * view.height * view.width);
    for image in 0..view.images {
        for channel in 0..*channels {
            let (block, lane) = if view.pixel_stride == 1 {
                (channel, 0)
            } else {
                (channel / view.pixel_stride, channel % view.pixel_stride)
            };
            let start = view.at(image, block) + lane;
            for row in 0..view.height {
                for column in 0..view.width {
                    numbers.push(
                        memory.get(start + row * view.row_stride + column * view.pixel_stride),
                    );
                }
            }
        }
    }
    numbers
}

/// [`Engine::run`], as one module among others of candle.
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
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}
