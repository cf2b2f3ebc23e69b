//! Nodes to phases, for one shape of input: geometry, places in memory, loops.
//!
//! What algorithm a node gets follows from its geometry alone, and every sum is taken in an order
//! that follows from it too: neither the batch nor the number of threads changes a bit.

mod convolution;
mod layout;
mod pool;

use self::convolution::Convolution;
use self::layout::{Room, Tensor};
use super::epilogue::Epilogue;
use super::fuse::{Graph, Id, Node, Origin, Work};
use super::isa::Isa;
use super::job::{CopyChannelsJob, CopyInJob, ElementwiseJob, Job, Phase};
use super::kernels::{BLOCK, WinogradTile};
use super::pack::Order;
use super::place::{Buffer, place};
use super::view::{ChunkGrid, View, blocks};
use crate::error::{Error, Result};
use crate::network::trace::{Trace, trace};
use crate::network::{Layers, Layout, Shape};

/// Everything that a run of one shape does.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Which numbers a run needs, packed how.
    pub(super) packings: Vec<Packing>,
    /// Numbers of memory that it needs.
    pub(super) memory: usize,
    pub(super) output: Made,
    /// The shape of what the network computes.
    pub(super) result: Shape,
}

/// A node's phases.
#[derive(Debug)]
pub(super) struct Step {
    /// The layers it computes, by index; none for what only the engine has.
    pub(super) layers: Vec<usize>,
    pub(super) algorithm: &'static str,
    pub(super) phases: Vec<Phase>,
    pub(super) made: Made,
    /// Multiplications that it really does.
    pub(super) macs: u64,
    /// The buffer that it writes, and its bytes.
    pub(super) buffer: usize,
    pub(super) bytes: usize,
}

/// An algorithm's name, its phases, and the multiplications that it does.
type Computed = (&'static str, Vec<(Job, ChunkGrid)>, u64);

/// A tensor that a step has made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) view: View,
    pub(super) channels: usize,
}

impl Made {
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
}

/// Numbers of a node, in the order of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Packing {
    pub(super) node: usize,
    pub(super) order: Order,
}

/// What a plan depends on besides the network and the input's shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) isa: Isa,
    pub(super) threads: usize,
    pub(super) winograd: WinogradTile,
}

/// Numbers of a value and its border, so that [`PixelOffsets`](super::kernels::Offsets) can say where
/// they are; those of all together can still be counted.
const MOST_NUMBERS: usize = u32::MAX as usize;

struct Planning<'a> {
    graph: &'a Graph,
    trace: Trace,
    images: usize,
    setting: Setting,
    tensors: Vec<Tensor>,
    rooms: Vec<Room>,
    /// For each node, if it is one.
    convolutions: Vec<Option<Convolution>>,
    /// For each node whose output is summed up: the place of its sums, relative to their buffer.
    sums: Vec<Option<View>>,
    packings: Vec<Packing>,
    /// For each node that Winograd's tiles compute, the buffer of its scratch.
    scratches: Vec<Option<usize>>,
}

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
        setting: Setting,
    ) -> Result<Self> {
        Planning::new(graph, layers, input, setting)?.build()
    }

    /// Numbers of memory that such a run needs. The plan itself, which of a large input is large,
    /// is not made.
    ///
    /// # Errors
    ///
    /// Those of [`Plan::new`].
    pub(super) fn memory_for(
        graph: &Graph,
        layers: &Layers,
        input: Shape,
        setting: Setting,
    ) -> Result<usize> {
        let placed = Planning::new(graph, layers, input, setting)?.placed()?;
        Ok(placed.memory)
    }
}

/// Where every buffer lies.
struct Placed {
    offsets: Vec<usize>,
    memory: usize,
    /// The nodes that sum up what they store; their buffers follow those of the rooms.
    summing: Vec<usize>,
}

impl<'a> Planning<'a> {
    /// Shapes, and which tensors share a buffer.
    fn new(graph: &'a Graph, layers: &Layers, input: Shape, setting: Setting) -> Result<Self> {
        let trace = trace(layers, input)?;
        let shapes = trace.layers.iter().map(|cost| cost.output);
        for shape in shapes.chain([input]) {
            if !shape
                .elements()
                .is_some_and(|count| (1..=MOST_NUMBERS).contains(&count))
            {
                return Err(Error::Geometry(format!(
                    "a value of shape {:?} cannot be planned: expected 1 to {MOST_NUMBERS} numbers",
                    shape.dims(Layout::Nchw)
                )));
            }
        }
        let mut planning = Self {
            graph,
            images: input.batch,
            setting,
            tensors: Vec::new(),
            rooms: Vec::new(),
            convolutions: Vec::new(),
            sums: vec![None; graph.nodes.len()],
            packings: Vec::new(),
            scratches: vec![None; graph.nodes.len()],
            trace,
        };
        planning.shapes()?;
        planning.halos();
        planning.homes();
        Ok(planning)
    }
}

impl Node {
    /// The tensors whose numbers it reads.
    fn reads(&self) -> Vec<Id> {
        let mut reads = match &self.work {
            Work::Concat { members } => members.clone(),
            _ => vec![self.source],
        };
        reads.extend(self.epilogue.gate.into_iter().chain(self.epilogue.residual));
        reads
    }
}

impl Planning<'_> {
    /// Shapes, readers and the geometry of convolutions.
    fn shapes(&mut self) -> Result<()> {
        let of = |shape: Shape| {
            let [height, width] = shape.spatial.unwrap_or([1, 1]);
            Tensor {
                channels: shape.channels,
                height,
                width,
                ..Tensor::default()
            }
        };
        self.tensors.push(of(self.trace.input));
        let outputs = self.trace.layers.iter().map(|cost| of(cost.output));
        self.tensors.extend(outputs);
        let extra = self.graph.tensors.get(self.tensors.len()..).unwrap_or(&[]);
        for origin in extra {
            if let Origin::MeansOf(source) = *origin {
                let channels = self.tensors[source].channels;
                self.tensors.push(Tensor {
                    channels,
                    height: 1,
                    width: 1,
                    ..Tensor::default()
                });
            }
        }
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if let Work::Pass { .. } = node.work {
                // A flattened map keeps its shape here.
                let source = self.tensors[node.source].clone();
                self.tensors[node.output] = source;
            }
            self.tensors[node.output].made_by = index;
            let convolution = self.convolution(node)?;
            self.convolutions.push(convolution);
        }
        for (index, node) in self.graph.nodes.iter().enumerate() {
            for id in node.reads() {
                self.tensors[id].last_read = index;
            }
        }
        self.tensors[self.graph.output].last_read = self.graph.nodes.len();
        // A few channels are better read as they come.
        let of_input = |node: &&Node| node.reads().contains(&0);
        let as_planes = |node: &Node| match &node.work {
            Work::Conv { conv, .. } => {
                conv.groups == 1
                    && node.epilogue.gate != Some(0)
                    && node.epilogue.residual != Some(0)
            }
            _ => false,
        };
        if self.tensors[0].channels < BLOCK
            && self.graph.output != 0
            && self.graph.nodes.iter().filter(of_input).all(as_planes)
        {
            self.tensors[0].planes = true;
            for (node, convolution) in self.graph.nodes.iter().zip(&mut self.convolutions) {
                if let (0, Some(convolution)) = (node.source, convolution) {
                    convolution.form.planes = true;
                    convolution.tile = None;
                }
            }
        }
        Ok(())
    }

    /// The nodes that make `id`, in the order of its channels, if each can sum up what it stores.
    fn summing(&self, id: Id) -> Option<Vec<usize>> {
        let index = self.tensors[id].made_by;
        let node = self.graph.nodes.get(index)?;
        if id == 0 || node.output != id {
            return None;
        }
        match &node.work {
            Work::Conv { .. } | Work::Linear { .. } | Work::Pass { .. } | Work::Pool(_) => {
                Some(vec![index])
            }
            Work::Concat { members } => {
                let (room, mut channel) = self.tensors[id].home?;
                let mut parts = Vec::new();
                for &member in members {
                    if self.tensors[member].home != Some((room, channel)) {
                        return None;
                    }
                    parts.extend(self.summing(member)?);
                    channel += self.tensors[member].channels;
                }
                Some(parts)
            }
            Work::Mean => None,
        }
    }

    /// Sizes of all buffers, and their places.
    fn placed(&mut self) -> Result<Placed> {
        let mut buffers: Vec<Buffer> = self
            .rooms
            .iter()
            .map(|room| Buffer {
                numbers: room.border(self.images, 0).numbers(),
                used: room.used,
            })
            .collect();
        if let Some(large) = buffers.iter().find(|buffer| buffer.numbers > MOST_NUMBERS) {
            return Err(Error::Geometry(format!(
                "a value and its border of {} numbers cannot be planned: expected at most \
                 {MOST_NUMBERS}",
                large.numbers
            )));
        }
        let nowhere = vec![0; buffers.len()];
        let mut summing = Vec::new();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if !matches!(node.work, Work::Mean) {
                continue;
            }
            for part in self.summing(node.source).unwrap_or_default() {
                let output = self.graph.nodes[part].output;
                let blocks = blocks(self.tensors[output].channels);
                // A map of one column, a row for each M-tile.
                let sums = |m_tiles| View {
                    offset: 0,
                    image_stride: m_tiles * blocks * BLOCK,
                    block_stride: BLOCK,
                    row_stride: blocks * BLOCK,
                    pixel_stride: BLOCK,
                    images: self.images,
                    blocks,
                    height: m_tiles,
                    width: 1,
                };
                // Marks that there are sums, which the tiling depends on.
                let mut m_tiles = self.tensors[output].height;
                self.sums[part] = Some(sums(m_tiles));
                if let Some(tile) = self.convolutions[part].and_then(|conv| conv.tile) {
                    m_tiles = m_tiles.div_ceil(tile.output_side());
                } else if let Some((tiling, _)) = self.cut(part, &nowhere) {
                    m_tiles = tiling.m_tiles();
                }
                self.sums[part] = Some(sums(m_tiles));
                summing.push(part);
                buffers.push(Buffer {
                    numbers: self.images * m_tiles * blocks * BLOCK,
                    used: [part, index],
                });
            }
        }
        for index in 0..self.graph.nodes.len() {
            let Some(scratch) = self.scratch(index, &nowhere) else {
                continue;
            };
            self.scratches[index] = Some(buffers.len());
            buffers.push(Buffer {
                numbers: scratch.size(),
                used: [index, index],
            });
        }
        let (offsets, memory) = place(&buffers);
        Ok(Placed {
            offsets,
            memory,
            summing,
        })
    }

    fn build(mut self) -> Result<Plan> {
        let Placed {
            offsets,
            memory,
            summing,
        } = self.placed()?;
        for (part, offset) in summing.iter().zip(&offsets[self.rooms.len()..]) {
            if let Some(sums) = &mut self.sums[*part] {
                sums.offset = *offset;
            }
        }
        let mut steps = vec![self.enter(&offsets)];
        for index in 0..self.graph.nodes.len() {
            steps.push(self.step(index, &offsets)?);
        }
        let output = self.made(self.graph.output, &offsets);
        self.borders(&mut steps, &offsets);
        Ok(Plan {
            steps,
            packings: self.packings,
            memory,
            output,
            result: self.trace.output(),
        })
    }

    fn made(&self, id: Id, offsets: &[usize]) -> Made {
        Made {
            view: self.view(id, offsets),
            channels: self.tensors[id].channels,
        }
    }

    /// Has the first step that writes to a buffer clear its border.
    fn borders(&self, steps: &mut [Step], offsets: &[usize]) {
        let mut cleared = vec![false; self.rooms.len()];
        for step in steps {
            let room = &self.rooms[step.buffer];
            let Some(phase) = step.phases.first_mut() else {
                continue;
            };
            if room.halo != [0; 4] && !cleared[step.buffer] {
                phase.halo = Some(room.border(self.images, offsets[step.buffer]));
                cleared[step.buffer] = true;
            }
        }
    }

    fn enter(&self, offsets: &[usize]) -> Step {
        let made = self.made(0, offsets);
        let rows = self.images * made.view.blocks * made.view.height;
        let grid = ChunkGrid::of_rows(rows, self.setting.threads);
        let job = Job::CopyIn(CopyInJob {
            channels: made.channels,
            output: made.view,
        });
        let computed = ("copy in", vec![(job, grid)], 0);
        self.finished(0, Vec::new(), computed, offsets)
    }

    fn finished(
        &self,
        id: Id,
        layers: Vec<usize>,
        (algorithm, phases, macs): Computed,
        offsets: &[usize],
    ) -> Step {
        let made = self.made(id, offsets);
        let View {
            images,
            blocks,
            height,
            width,
            pixel_stride: pixel,
            ..
        } = made.view;
        Step {
            layers,
            algorithm,
            phases: phases
                .into_iter()
                .map(|(job, grid)| Phase {
                    job,
                    grid,
                    halo: None,
                })
                .collect(),
            made,
            macs,
            buffer: self.tensors[id].home.unwrap_or_default().0,
            bytes: images * blocks * height * width * pixel * size_of::<f32>(),
        }
    }

    fn packing(&mut self, node: usize, order: Order) -> usize {
        self.packings.push(Packing { node, order });
        self.packings.len() - 1
    }

    fn epilogue(&self, index: usize, offsets: &[usize]) -> Epilogue<View> {
        Epilogue {
            channel_sums: self.sums[index],
            ..self.graph.nodes[index]
                .epilogue
                .map(|id| self.view(id, offsets))
        }
    }

    fn step(&mut self, index: usize, offsets: &[usize]) -> Result<Step> {
        let node = &self.graph.nodes[index];
        let threads = self.setting.threads;
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let rows = output.images * output.blocks * output.height;
        let computed = match &node.work {
            Work::Conv { .. } if self.scratches[index].is_some() => {
                self.winograd(index, offsets)?
            }
            Work::Conv { .. } | Work::Linear { .. } => self.convolve(index, offsets)?,
            Work::Pool(operation) => ("pool", vec![self.pool(operation, index, offsets)?], 0),
            Work::Mean => self.mean(index, offsets)?,
            Work::Pass { norm, factor } => {
                let channels = self.tensors[node.output].channels;
                let packed = (norm.is_some() || (factor - 1.).abs() > 0.)
                    .then(|| self.packing(index, Order::Norm { channels }));
                let job = Job::Elementwise(ElementwiseJob {
                    packed,
                    source,
                    output,
                    epilogue: self.epilogue(index, offsets),
                });
                ("pass", vec![(job, ChunkGrid::of_rows(rows, threads))], 0)
            }
            Work::Concat { members } => {
                let (room, mut channel) = self.tensors[node.output].home.unwrap_or_default();
                let first_channel = channel;
                let mut jobs = Vec::new();
                for &member in members {
                    let tensor = &self.tensors[member];
                    let end = channel - first_channel + tensor.channels;
                    if tensor.home != Some((room, channel)) {
                        let job = Job::CopyChannels(CopyChannelsJob {
                            source: self.view(member, offsets),
                            channels: tensor.channels,
                            output,
                            first: channel - first_channel,
                            last: end == self.tensors[node.output].channels,
                        });
                        let rows = output.images * output.height;
                        jobs.push((job, ChunkGrid::of_rows(rows, threads)));
                    }
                    channel += tensor.channels;
                }
                let name = if jobs.is_empty() { "in place" } else { "copy" };
                (name, jobs, 0)
            }
        };
        let (layers, id) = (node.layers.clone(), node.output);
        Ok(self.finished(id, layers, computed, offsets))
    }
}
