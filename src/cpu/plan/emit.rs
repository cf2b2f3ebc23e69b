//! The third pass: loops, with the addresses of all they touch.

use super::allocate::{Allocation, Location};
use super::choose::{Choice, Choices};
use super::{Step, TensorView};
use crate::cpu::algorithm::Algorithm;
use crate::cpu::element::ElementType;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::fuse::{Graph, Id, Node, WeightSource};
use crate::cpu::job::{CopyChannelsJob, CopyInJob, ElementwiseJob, Job, Phase};
use crate::cpu::kernels::BLOCK;
use crate::cpu::options::Target;
use crate::cpu::pack::{PackedWeight, WeightOrder};
use crate::cpu::tiling::ChunkGrid;
use crate::cpu::view::View;

/// The pass as it goes on.
pub(super) struct Emission<'a> {
    pub(super) graph: &'a Graph,
    pub(super) choices: &'a Choices,
    pub(super) allocation: &'a Allocation,
    pub(super) target: Target,
    weights: Vec<PackedWeight>,
    /// For each buffer of maps, whether a step has cleared its halo.
    cleared: Vec<bool>,
}

/// What computes a node: phases, and the multiplications that they do.
pub(super) struct Computed {
    pub(super) algorithm: Algorithm,
    pub(super) jobs: Vec<(Job, ChunkGrid)>,
    pub(super) macs: u64,
}

impl Computed {
    /// One phase without multiplications that count.
    pub(super) fn one(algorithm: Algorithm, job: Job, grid: ChunkGrid) -> Self {
        Self {
            algorithm,
            jobs: vec![(job, grid)],
            macs: 0,
        }
    }
}

/// The steps of all nodes, the weights that they need, and where the output is.
pub(super) fn emit(
    graph: &Graph,
    choices: &Choices,
    allocation: &Allocation,
    target: Target,
) -> (Vec<Step>, Vec<PackedWeight>, TensorView) {
    let mut emission = Emission {
        graph,
        choices,
        allocation,
        target,
        weights: Vec::new(),
        cleared: vec![false; allocation.buffers.len()],
    };
    let copy_in = emission.copy_in();
    let mut steps = vec![emission.step(0, Vec::new(), copy_in)];
    for (index, (node, choice)) in graph.nodes.iter().zip(&choices.nodes).enumerate() {
        let Some(computed) = emission.node(index, node, choice) else {
            continue;
        };
        let [gated, expanded] = [&choices.gates, &choices.expands].map(|with| {
            let with = with.get(&index);
            with.map_or(&[][..], |&node| &graph.nodes[node].layers)
        });
        let layers = [gated, expanded, &node.layers].concat();
        steps.push(emission.step(node.output, layers, computed));
    }
    let output = emission.tensor(graph.output);
    (steps, emission.weights, output)
}

impl Emission<'_> {
    /// Where a tensor lies.
    pub(super) fn view(&self, id: Id) -> View {
        let Location { buffer, channel } = self.allocation.locations[&id];
        let tensor = &self.choices.tensors[id];
        let (buffer, offset) = (
            &self.allocation.buffers[buffer],
            self.allocation.offsets[buffer],
        );
        let [above, _, before, _] = buffer.halo;
        View {
            offset: offset / buffer.element_type.size()
                + channel / BLOCK * buffer.block_stride()
                + above * buffer.row_stride()
                + before * buffer.pixel_stride(),
            image_stride: buffer.image_stride(),
            block_stride: buffer.block_stride(),
            row_stride: buffer.row_stride(),
            pixel_stride: buffer.pixel_stride(),
            element_type: buffer.element_type,
            images: self.choices.images,
            blocks: tensor.blocks(),
            height: tensor.height,
            width: tensor.width,
        }
    }

    pub(super) fn tensor(&self, id: Id) -> TensorView {
        TensorView {
            view: self.view(id),
            channels: self.choices.tensors[id].channels,
        }
    }

    /// A node's epilogue.
    pub(super) fn epilogue(&self, index: usize) -> Epilogue<View> {
        Epilogue {
            channel_sums: self.allocation.sums.get(&index).copied(),
            ..self.graph.nodes[index].epilogue.map(|id| self.view(id))
        }
    }

    /// Where a node's scratch memory begins, in elements of that type.
    pub(super) fn scratch(&self, index: usize, element_type: ElementType) -> usize {
        self.allocation.scratch[&index] / element_type.size()
    }

    /// Which of the plan's weights these are, packed so.
    pub(super) fn packed(&mut self, source: WeightSource, order: WeightOrder) -> usize {
        self.weights.push(PackedWeight { source, order });
        self.weights.len() - 1
    }

    /// A step from what computes it. The first that writes to a buffer clears its halo.
    fn step(&mut self, id: Id, layers: Vec<usize>, computed: Computed) -> Step {
        let Location { buffer, .. } = self.allocation.locations[&id];
        let phases = computed.jobs.into_iter().map(|(job, grid)| {
            let maps = &self.allocation.buffers[buffer];
            let uncleared = !std::mem::replace(&mut self.cleared[buffer], true);
            let halo = || maps.halo(self.choices.images, self.allocation.offsets[buffer]);
            Phase {
                job,
                grid,
                halo: (uncleared && maps.halo != [0; 4]).then(halo),
            }
        });
        Step {
            layers,
            algorithm: computed.algorithm,
            phases: phases.collect(),
            output: self.tensor(id),
            macs: computed.macs,
            buffer,
        }
    }

    fn copy_in(&self) -> Computed {
        let TensorView { view, channels } = self.tensor(0);
        let rows = view.images * view.blocks * view.height;
        let job = Job::CopyIn(CopyInJob {
            channels,
            output: view,
        });
        let grid = ChunkGrid::of_rows(rows, self.target.threads);
        Computed::one(Algorithm::CopyIn, job, grid)
    }

    /// What computes a node, if anything has to.
    fn node(&mut self, index: usize, node: &Node, choice: &Choice) -> Option<Computed> {
        let sums = self.allocation.sums.get(&index).copied();
        Some(match choice {
            Choice::Gemm(convolution) => self.gemm(index, convolution),
            Choice::SmallGroup(convolution) => self.small_group(index, convolution),
            Choice::Depthwise(convolution) => self.depthwise(index, convolution),
            Choice::ExpandDepthwise(convolutions, rows) => {
                self.expand_depthwise(index, convolutions, rows)
            }
            Choice::Winograd(convolution, strips) => self.winograd(index, convolution, strips),
            Choice::Pool(windows) => self.pool(Algorithm::Pool, node, windows, sums),
            Choice::Mean(whole) => match self.allocation.summed.get(&index) {
                Some(parts) => self.mean_of_sums(node, parts),
                None => self.pool(Algorithm::Mean, node, whole, sums),
            },
            Choice::GateWeights | Choice::Expand => return None,
            Choice::Elementwise(weights, product) => self.elementwise(index, *weights, *product),
            Choice::Normalize(weights, statistics) => self.normalize(node, *weights, *statistics),
            Choice::Softmax => self.softmax(node),
            Choice::Rearrange(rearrangement) => self.rearrange(node, *rearrangement),
            Choice::Concat(members) => self.concat(node, members),
        })
    }

    fn elementwise(
        &mut self,
        index: usize,
        weights: Option<WeightSource>,
        product: Option<Id>,
    ) -> Computed {
        let node = &self.graph.nodes[index];
        let TensorView {
            view: output,
            channels,
        } = self.tensor(node.output);
        let job = Job::Elementwise(ElementwiseJob {
            packed: weights.map(|source| self.packed(source, WeightOrder::PerChannel(channels))),
            product: product.map(|id| self.view(id)),
            source: self.view(node.source),
            output,
            epilogue: self.epilogue(index),
        });
        let rows = output.images * output.blocks * output.height;
        let grid = ChunkGrid::of_rows(rows, self.target.threads);
        Computed::one(Algorithm::Elementwise, job, grid)
    }

    /// Copies the members that do not lie where they belong.
    fn concat(&self, node: &Node, members: &[Id]) -> Computed {
        let TensorView {
            view: output,
            channels: all,
        } = self.tensor(node.output);
        let Location { buffer, channel } = self.allocation.locations[&node.output];
        let rows = output.images * output.height;
        let mut first = 0;
        let mut jobs = Vec::new();
        for member in members {
            let TensorView {
                view: source,
                channels,
            } = self.tensor(*member);
            let belongs = Location {
                buffer,
                channel: channel + first,
            };
            if self.allocation.locations[member] != belongs {
                let job = Job::CopyChannels(CopyChannelsJob {
                    source,
                    channels,
                    output,
                    first,
                    last: first + channels == all,
                });
                jobs.push((job, ChunkGrid::of_rows(rows, self.target.threads)));
            }
            first += channels;
        }
        let algorithm = if jobs.is_empty() {
            Algorithm::ConcatInPlace
        } else {
            Algorithm::ConcatCopy
        };
        Computed {
            algorithm,
            jobs,
            macs: 0,
        }
    }
}
