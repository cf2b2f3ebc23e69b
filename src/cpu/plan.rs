//! Nodes to phases, for one shape of input: geometry, places in memory, loops.
//!
//! What algorithm a node gets follows from its geometry alone, and every sum is taken in an order
//! that follows from it too: neither the batch nor the number of threads changes a bit.

use super::fuse::{Finish, Graph, Id, Node, Origin, Work};
use super::isa::Isa;
use super::job::{
    Border, Ending, EnterJob, GatherJob, Job, MeanJob, NarrowJob, Outer, PassJob, Phase, PoolJob,
    ProductJob, Strip, SumsPlace, Sweep, TilesInJob, TilesOutJob,
};
use super::kernels::{BLOCK, Pooling, Runs, Side};
use super::pack::{Form, Order};
use super::place::{Buffer, place};
use super::view::{Grid, Tiles, View, blocks, share};
use crate::error::{Error, Result};
use crate::network::geometry::{Extent, Padding, Window, adaptive};
use crate::network::trace::{Trace, trace};
use crate::network::{Layers, Operation, Shape};

/// Everything that a run of one shape does.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Which numbers a run needs, packed how.
    pub(super) packings: Vec<Packing>,
    /// Numbers of memory that it needs.
    pub(super) memory: usize,
    pub(super) output: Made,
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
    pub(super) exact: bool,
}

/// A tensor as it is planned.
#[derive(Debug, Clone, Default)]
struct Tensor {
    channels: usize,
    height: usize,
    width: usize,
    planes: bool,
    /// Rows above and below, columns before and after, that readers want.
    halo: [usize; 4],
    /// The buffer that it lies in, and from which channel on.
    home: Option<(usize, usize)>,
    /// The last node that reads it.
    last_read: usize,
    made_by: usize,
}

/// A buffer as it is planned.
#[derive(Debug, Clone)]
struct Room {
    channels: usize,
    height: usize,
    width: usize,
    planes: bool,
    halo: [usize; 4],
    used: [usize; 2],
    /// The first node that overwrites what others have made in it.
    overwritten: usize,
}

/// A convolution's geometry.
#[derive(Debug, Clone, Copy)]
struct Convolution {
    form: Form,
    window: Window,
    /// Where the window stands on the source.
    extents: [Extent; 2],
    narrow: bool,
    /// Winograd's tiles, if it is computed so.
    side: Option<Side>,
}

/// How Winograd's tiles of a node go through scratch memory.
#[derive(Debug, Clone, Copy)]
struct Scratch {
    side: Side,
    /// Rows of tiles of an image, and tiles of a row.
    rows: usize,
    columns: usize,
    /// Strips that are computed one after the other.
    strips: usize,
    /// The most tiles of a strip.
    tiles: usize,
    /// A tile's numbers, in blocks of channels, on their way in and out.
    numbers: usize,
}

/// An algorithm's name, its phases, and the multiplications that it does.
type Computed = (&'static str, Vec<(Job, Grid)>, u64);

/// Numbers of scratch memory that a strip may take, so that it stays in the cache: 1 MB.
const SCRATCH: usize = 1 << 18;

/// Tiles that a strip has at least, so that reading the weights pays.
const TILES_OF_STRIP: usize = 28;

/// Weights that stay in the cache while a map passes by: 256 KB.
const CACHED: usize = 1 << 16;

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
    sums: Vec<Option<SumsPlace>>,
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
        let trace = trace(layers, input)?;
        let mut planning = Planning {
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
        planning.build()
    }
}

impl Node {
    /// The tensors whose numbers it reads.
    fn reads(&self) -> Vec<Id> {
        let mut reads = match &self.work {
            Work::Concat { members } => members.clone(),
            _ => vec![self.source],
        };
        reads.extend(self.finish.gate.into_iter().chain(self.finish.residual));
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
                conv.groups == 1 && node.finish.gate != Some(0) && node.finish.residual != Some(0)
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
                    convolution.side = None;
                }
            }
        }
        Ok(())
    }

    fn convolution(&self, node: &Node) -> Result<Option<Convolution>> {
        let source = &self.tensors[node.source];
        let (window, groups) = match &node.work {
            Work::Conv { conv, .. } => (conv.window, conv.groups),
            Work::Linear { .. } => {
                let whole = Window {
                    kernel: [source.height, source.width],
                    ..Window::square(1, 1, Padding::VALID)
                };
                (whole, 1)
            }
            _ => return Ok(None),
        };
        let extents = window.extents([source.height, source.width])?;
        let form = Form {
            inputs: source.channels,
            outputs: self.tensors[node.output].channels,
            groups,
            kernel: window.kernel,
            planes: false,
        };
        Ok(Some(Convolution {
            form,
            window,
            extents,
            narrow: form.is_narrow(window.stride),
            side: form.tiles(
                extents.map(|extent| extent.output),
                window.stride,
                self.setting.exact,
            ),
        }))
    }

    fn halos(&mut self) {
        for (node, convolution) in self.graph.nodes.iter().zip(&self.convolutions) {
            let Some(convolution) = convolution else {
                continue;
            };
            let [rows, columns] = convolution.extents;
            let mut wanted = [rows.before, rows.after, columns.before, columns.after];
            if let Some(side) = convolution.side {
                // Whole tiles may reach further.
                let beyond = |extent: &Extent| {
                    extent.output.next_multiple_of(side.outputs()) - extent.output
                };
                wanted[1] += beyond(&rows);
                wanted[3] += beyond(&columns);
            }
            let halo = &mut self.tensors[node.source].halo;
            *halo = widest(*halo, wanted);
        }
    }

    /// Gives every tensor a buffer, from the last node to the first: what a concatenation or a
    /// pass reads may lie where it writes.
    fn homes(&mut self) {
        for (index, node) in self.graph.nodes.iter().enumerate().rev() {
            self.house(node.output);
            let Some((room, first)) = self.tensors[node.output].home else {
                continue;
            };
            match &node.work {
                Work::Concat { members } => {
                    let mut channel = first;
                    for &member in members {
                        let channels = self.tensors[member].channels;
                        let last = channel + channels == self.rooms[room].channels;
                        let whole = channel.is_multiple_of(BLOCK)
                            && (channels.is_multiple_of(BLOCK) || last);
                        if whole && self.may_move(member, room, self.rooms[room].overwritten) {
                            self.move_into(member, room, channel);
                        }
                        channel += channels;
                    }
                }
                Work::Pass { .. } if self.may_move(node.source, room, index) => {
                    let residual = node.finish.residual;
                    let elsewhere = residual != Some(node.source)
                        && residual.is_none_or(|id| self.tensors[id].last_read >= index);
                    if elsewhere {
                        self.move_into(node.source, room, first);
                        self.rooms[room].overwritten = index;
                    }
                }
                _ => {}
            }
        }
        self.house(0);
    }

    /// Whether nobody wants `id` after the node at `end`, and it has no home yet.
    fn may_move(&self, id: Id, room: usize, end: usize) -> bool {
        let tensor = &self.tensors[id];
        let alike = [tensor.height, tensor.width] == {
            let room = &self.rooms[room];
            [room.height, room.width]
        };
        id != 0 && tensor.home.is_none() && tensor.last_read <= end && alike
    }

    fn move_into(&mut self, id: Id, room: usize, channel: usize) {
        let tensor = &mut self.tensors[id];
        tensor.home = Some((room, channel));
        let room = &mut self.rooms[room];
        room.halo = widest(room.halo, tensor.halo);
        room.used = [
            room.used[0].min(tensor.made_by),
            room.used[1].max(tensor.last_read),
        ];
    }

    /// A buffer of its own for `id`, if it has none.
    fn house(&mut self, id: Id) {
        if self.tensors[id].home.is_some() {
            return;
        }
        let tensor = &mut self.tensors[id];
        tensor.home = Some((self.rooms.len(), 0));
        self.rooms.push(Room {
            channels: tensor.channels,
            height: tensor.height,
            width: tensor.width,
            planes: tensor.planes,
            halo: tensor.halo,
            used: [tensor.made_by, tensor.last_read.max(tensor.made_by)],
            overwritten: usize::MAX,
        });
    }

    /// Where a tensor lies; its buffer at `offset`.
    fn view(&self, id: Id, offsets: &[usize]) -> View {
        let tensor = &self.tensors[id];
        let (index, channel) = tensor.home.unwrap_or_default();
        let room = &self.rooms[index];
        let border = room.border(self.images, offsets[index]);
        let pixel = room.pixel();
        let start = border.start + border.around[0] * border.row + border.columns[0];
        View {
            start: start + channel / BLOCK * border.plane,
            image: room.planes() * border.plane,
            block: border.plane,
            row: border.row,
            pixel,
            images: self.images,
            blocks: if room.planes {
                tensor.channels
            } else {
                blocks(tensor.channels)
            },
            height: tensor.height,
            width: tensor.width,
        }
    }

    /// How a convolution's output is cut, and whether its images are the pixels of one.
    fn tiles(&self, index: usize, offsets: &[usize]) -> Option<(Tiles, bool)> {
        let node = &self.graph.nodes[index];
        let convolution = self.convolutions[index].as_ref()?;
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let rows = self.setting.isa.rows();
        let alone = output.height * output.width == 1
            && node.finish.gate.is_none()
            && self.sums[index].is_none();
        if alone {
            return Some((Tiles::new(self.images, 1, true, rows), true));
        }
        let pointwise = convolution.form.kernel == [1, 1]
            && convolution.window.stride == 1
            && [source.height, source.width] == [output.height, output.width];
        let even = (pointwise && source.even_step().is_some()) || output.width == 1;
        let even = even && !convolution.narrow;
        Some((Tiles::new(output.height, output.width, even, rows), false))
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

    fn build(mut self) -> Result<Plan> {
        let mut buffers: Vec<Buffer> = self
            .rooms
            .iter()
            .map(|room| Buffer {
                numbers: room.border(self.images, 0).numbers(),
                used: room.used,
            })
            .collect();
        let nowhere = vec![0; buffers.len()];
        let mut sums_buffers = Vec::new();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if !matches!(node.work, Work::Mean) {
                continue;
            }
            for part in self.summing(node.source).unwrap_or_default() {
                let output = self.graph.nodes[part].output;
                let width = blocks(self.tensors[output].channels) * BLOCK;
                // Marks that there are sums, which the tiles depend on.
                let mut place = SumsPlace {
                    start: 0,
                    lines: self.tensors[output].height,
                    width,
                };
                self.sums[part] = Some(place);
                if let Some(side) = self.convolutions[part].and_then(|conv| conv.side) {
                    place.lines = place.lines.div_ceil(side.outputs());
                } else if let Some((tiles, _)) = self.tiles(part, &nowhere) {
                    place.lines = tiles.lines();
                }
                self.sums[part] = Some(place);
                sums_buffers.push(part);
                buffers.push(Buffer {
                    numbers: self.images * place.lines * width,
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
                numbers: scratch.tiles * (scratch.numbers * BLOCK),
                used: [index, index],
            });
        }
        let (offsets, memory) = place(&buffers);
        for (part, offset) in sums_buffers.iter().zip(&offsets[self.rooms.len()..]) {
            if let Some(place) = &mut self.sums[*part] {
                place.start = *offset;
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
                phase.border = Some(room.border(self.images, offsets[step.buffer]));
                cleared[step.buffer] = true;
            }
        }
    }

    fn enter(&self, offsets: &[usize]) -> Step {
        let made = self.made(0, offsets);
        let rows = self.images * made.view.blocks * made.view.height;
        let grid = Grid::of_rows(rows, self.setting.threads);
        let job = Job::Enter(EnterJob {
            channels: made.channels,
            output: made.view,
        });
        self.finished(0, Vec::new(), "copy in", vec![(job, grid)], 0, offsets)
    }

    fn finished(
        &self,
        id: Id,
        layers: Vec<usize>,
        algorithm: &'static str,
        phases: Vec<(Job, Grid)>,
        macs: u64,
        offsets: &[usize],
    ) -> Step {
        let made = self.made(id, offsets);
        let View {
            images,
            blocks,
            height,
            width,
            pixel,
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
                    border: None,
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

    fn ending(&self, index: usize, finish: &Finish, offsets: &[usize]) -> Ending {
        Ending {
            gate: finish.gate.map(|id| self.view(id, offsets)),
            residual: finish.residual.map(|id| self.view(id, offsets)),
            activation: finish.activation,
            sums: self.sums[index],
        }
    }

    fn step(&mut self, index: usize, offsets: &[usize]) -> Result<Step> {
        let node = &self.graph.nodes[index];
        let threads = self.setting.threads;
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let rows = output.images * output.blocks * output.height;
        let (algorithm, jobs, macs) = match &node.work {
            Work::Conv { .. } if self.scratches[index].is_some() => {
                self.winograd(index, offsets)?
            }
            Work::Conv { .. } | Work::Linear { .. } => {
                let (name, job, grid, macs) = self.convolve(index, offsets)?;
                (name, vec![(job, grid)], macs)
            }
            Work::Pool(operation) => {
                let job = self.pool(operation, node.source, node.output, index, offsets)?;
                ("pool", vec![(job, Grid::of_rows(rows, threads))], 0)
            }
            Work::Mean => {
                if let Some(parts) = self.summing(node.source) {
                    let parts = parts.iter().filter_map(|&part| self.sums[part]);
                    let job = Job::Mean(MeanJob {
                        parts: parts.collect(),
                        factor: 1. / (source.height * source.width) as f32,
                        output,
                    });
                    let grid = Grid::of_rows(output.images * output.blocks, threads);
                    ("mean of sums", vec![(job, grid)], 0)
                } else {
                    let whole = Operation::AdaptiveAveragePool([1, 1]);
                    let job = self.pool(&whole, node.source, node.output, index, offsets)?;
                    ("mean", vec![(job, Grid::of_rows(rows, threads))], 0)
                }
            }
            Work::Pass { norm, factor } => {
                let channels = self.tensors[node.output].channels;
                let packed = (norm.is_some() || (factor - 1.).abs() > 0.)
                    .then(|| self.packing(index, Order::Norm { channels }));
                let job = Job::Pass(PassJob {
                    packed,
                    source,
                    output,
                    ending: self.ending(index, &node.finish, offsets),
                });
                ("pass", vec![(job, Grid::of_rows(rows, threads))], 0)
            }
            Work::Concat { members } => {
                let (room, mut channel) = self.tensors[node.output].home.unwrap_or_default();
                let first_channel = channel;
                let mut jobs = Vec::new();
                for &member in members {
                    let tensor = &self.tensors[member];
                    let end = channel - first_channel + tensor.channels;
                    if tensor.home != Some((room, channel)) {
                        let job = Job::Gather(GatherJob {
                            source: self.view(member, offsets),
                            channels: tensor.channels,
                            output,
                            first: channel - first_channel,
                            last: end == self.tensors[node.output].channels,
                        });
                        let rows = output.images * output.height;
                        jobs.push((job, Grid::of_rows(rows, threads)));
                    }
                    channel += tensor.channels;
                }
                let name = if jobs.is_empty() { "in place" } else { "copy" };
                (name, jobs, 0)
            }
        };
        let (layers, id) = (node.layers.clone(), node.output);
        Ok(self.finished(id, layers, algorithm, jobs, macs, offsets))
    }

    fn convolve(
        &mut self,
        index: usize,
        offsets: &[usize],
    ) -> Result<(&'static str, Job, Grid, u64)> {
        let node = &self.graph.nodes[index];
        let (Some(convolution), Some((tiles, as_pixels))) =
            (self.convolutions[index], self.tiles(index, offsets))
        else {
            return Err(Error::Geometry("no convolution".to_owned()));
        };
        let Convolution {
            form,
            window,
            extents: [down, across],
            narrow,
            side: _,
        } = convolution;
        let mut ending = self.ending(index, &node.finish, offsets);
        let [mut source, mut output] = [node.source, node.output].map(|id| self.view(id, offsets));
        source.start -= down.before * source.row + across.before * source.pixel;
        let pixels = (output.images * output.height * output.width) as u64;
        let threads = self.setting.threads;
        if narrow {
            let blocks = form.narrow_blocks();
            let grid = Grid::of_panels(
                blocks.len(),
                output.images * tiles.lines(),
                [9 * form.share() * BLOCK, output.width * BLOCK],
                threads,
            );
            let macs = pixels * (9 * form.share() * blocks.len() * BLOCK) as u64;
            let sweep = Sweep {
                packed: self.packing(index, Order::Narrow(form)),
                source,
                stride: window.stride,
                tiles,
                output,
                ending,
                outer: Outer::Panels,
            };
            let job = Job::Narrow(NarrowJob { sweep, blocks });
            return Ok(("narrow groups", job, grid, macs));
        }
        let panels = form.panels();
        let [rows, columns] = form.kernel;
        let mut runs = Vec::with_capacity(panels.source_blocks * rows * columns);
        for block in 0..panels.source_blocks {
            let columns = if form.planes { 1 } else { columns };
            for row in 0..rows {
                for column in 0..columns {
                    let tap = row * source.row + column * source.pixel;
                    runs.push(block * source.block + tap);
                }
            }
        }
        let step = if as_pixels {
            source.image
        } else if output.width == 1 {
            window.stride * source.row
        } else {
            window.stride * source.pixel
        };
        if as_pixels {
            source = source.of_images_as_pixels();
            output = output.of_images_as_pixels();
            ending.residual = ending.residual.map(|view| view.of_images_as_pixels());
        }
        let stride = if as_pixels { 1 } else { window.stride };
        let lines = output.images * tiles.lines();
        let of_panel = panels.numbers * BLOCK * panels.list[0].blocks;
        let of_line =
            source.images * panels.source_blocks * source.height * source.width * source.pixel
                / lines;
        let grid = Grid::of_panels(panels.list.len(), lines, [of_panel, of_line], threads);
        let macs = pixels * (panels.numbers * blocks(form.outputs) * BLOCK) as u64;
        let outer = if form.groups == 1 && panels.weights() <= CACHED {
            Outer::Lines
        } else {
            Outer::Panels
        };
        let sweep = Sweep {
            packed: self.packing(index, Order::Panels(form)),
            source,
            stride,
            tiles,
            output,
            ending,
            outer,
        };
        let job = Job::Product(ProductJob {
            sweep,
            runs: Runs::new(runs, panels.run),
            panels,
            step,
            weights_of_image: None,
        });
        Ok(("direct", job, grid, macs))
    }

    /// How a node's tiles go through scratch memory, if it is computed so.
    fn scratch(&self, index: usize, offsets: &[usize]) -> Option<Scratch> {
        let side = self.convolutions[index]?.side?;
        let node = &self.graph.nodes[index];
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let [rows, columns] =
            [output.height, output.width].map(|size| size.div_ceil(side.outputs()));
        let numbers = side.numbers() * side.numbers() * (source.blocks + output.blocks);
        // As many rows of tiles as stay in the cache on their way, but enough to read all weights
        // for.
        let wanted = (SCRATCH / (numbers * BLOCK)).max(TILES_OF_STRIP);
        let all = rows * output.images;
        let strips = (all * columns).div_ceil(wanted).min(all);
        Some(Scratch {
            side,
            rows,
            columns,
            strips,
            tiles: all.div_ceil(strips) * columns,
            numbers,
        })
    }

    /// A convolution by Winograd's tiles, strip by strip.
    fn winograd(&mut self, index: usize, offsets: &[usize]) -> Result<Computed> {
        let (Some(convolution), Some(scratch), Some(buffer)) = (
            self.convolutions[index],
            self.scratch(index, offsets),
            self.scratches[index],
        ) else {
            return Err(Error::Geometry("no tiles".to_owned()));
        };
        let node = &self.graph.nodes[index];
        let Convolution {
            form,
            extents: [down, across],
            ..
        } = convolution;
        let Scratch {
            side,
            rows,
            columns,
            strips,
            ..
        } = scratch;
        let [mut source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        source.start -= down.before * source.row + across.before * source.pixel;
        let ending = self.ending(index, &node.finish, offsets);
        let packed = self.packing(index, Order::Winograd(form, side));
        let threads = self.setting.threads;
        let panels = form.pointwise().panels();
        let numbers = side.numbers() * side.numbers();
        let of_image = panels.weights();
        let mut jobs = Vec::with_capacity(3 * strips);
        for strip in 0..strips {
            let share = share(rows * output.images, strips, strip);
            let tiles = share.len() * columns;
            let place = |start, blocks| View {
                start,
                image: blocks * tiles * BLOCK,
                block: tiles * BLOCK,
                row: tiles * BLOCK,
                pixel: BLOCK,
                images: numbers,
                blocks,
                height: 1,
                width: tiles,
            };
            let input = place(offsets[buffer], source.blocks);
            let start = input.start + numbers * input.image;
            let products = place(start, output.blocks);
            let strip = |scratch| Strip {
                side,
                first: share.start,
                rows,
                columns,
                scratch,
            };
            let transform = TilesInJob {
                strip: strip(input),
                source,
            };
            let cut = Tiles::new(1, tiles, true, self.setting.isa.rows());
            let lines = numbers * cut.lines();
            let runs = (0..panels.source_blocks).map(|block| block * input.block);
            let product = ProductJob {
                sweep: Sweep {
                    packed,
                    source: input,
                    stride: 1,
                    tiles: cut,
                    output: products,
                    ending: Ending::default(),
                    outer: Outer::Lines,
                },
                panels: panels.clone(),
                runs: Runs::new(runs.collect(), panels.run),
                step: BLOCK,
                weights_of_image: Some(of_image),
            };
            let finish = TilesOutJob {
                strip: strip(products),
                packed,
                output,
                ending: ending.clone(),
            };
            jobs.push((
                Job::TilesIn(transform),
                Grid::of_rows(share.len() * source.blocks, threads),
            ));
            jobs.push((
                Job::Product(product),
                Grid::of_panels(panels.list.len(), lines, [0, 1], threads),
            ));
            jobs.push((
                Job::TilesOut(finish),
                Grid::of_rows(share.len() * output.blocks, threads),
            ));
        }
        let macs = (output.images * rows * columns * numbers * of_image) as u64;
        let name = match side {
            Side::Two => "winograd 2x2",
            Side::Four => "winograd 4x4",
        };
        Ok((name, jobs, macs))
    }

    fn pool(
        &self,
        operation: &Operation,
        source: Id,
        output: Id,
        index: usize,
        offsets: &[usize],
    ) -> Result<Job> {
        let [source, output] = [source, output].map(|id| self.view(id, offsets));
        let size = [source.height, source.width];
        let means = |[down, across]: [Vec<usize>; 2]| -> Vec<Vec<f32>> {
            let row = |down: &usize| {
                let divisors = across.iter().map(|across| (down * across) as f32);
                divisors.map(f32::recip).collect()
            };
            down.iter().map(row).collect()
        };
        let (pooling, [rows, columns], factors) = match *operation {
            Operation::MaxPool(window) => (Pooling::Max, window.covered(size)?, Vec::new()),
            Operation::AveragePool { window, border } => {
                let factors = means(window.divisors(size, border)?);
                (Pooling::Mean, window.covered(size)?, factors)
            }
            Operation::AdaptiveAveragePool([height, width]) => {
                let ranges = [adaptive(size[0], height)?, adaptive(size[1], width)?];
                let lengths = ranges.each_ref().map(|ranges| {
                    let lengths = ranges.iter().map(|[first, end]| end - first);
                    lengths.collect::<Vec<usize>>()
                });
                (Pooling::Mean, ranges, means(lengths))
            }
            _ => {
                let kind = operation.kind();
                return Err(Error::Geometry(format!("a {kind} is no pool")));
            }
        };
        Ok(Job::Pool(PoolJob {
            pooling,
            rows,
            columns,
            factors,
            source,
            output,
            sums: self.sums[index],
        }))
    }
}

fn widest(a: [usize; 4], b: [usize; 4]) -> [usize; 4] {
    std::array::from_fn(|side| a[side].max(b[side]))
}

impl Room {
    fn pixel(&self) -> usize {
        if self.planes { 1 } else { BLOCK }
    }

    /// Planes of an image.
    fn planes(&self) -> usize {
        if self.planes {
            self.channels
        } else {
            blocks(self.channels)
        }
    }

    /// The border around its planes, at `start`.
    fn border(&self, images: usize, start: usize) -> Border {
        let [above, below, before, after] = self.halo;
        let row = (before + self.width + after) * self.pixel();
        let rows = above + self.height + below;
        Border {
            start,
            planes: images * self.planes(),
            plane: rows * row,
            row,
            rows,
            columns: [before, after].map(|columns| columns * self.pixel()),
            around: [above, below],
        }
    }
}

impl Border {
    fn numbers(&self) -> usize {
        self.planes * self.plane
    }
}
