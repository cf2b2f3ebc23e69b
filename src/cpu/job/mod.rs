//! What a chunk of a phase computes: loops that hand a kernel a line or a row at a time.

use std::ops::Range;

mod convolution;
mod winograd;

pub(super) use self::convolution::{ConvLoop, GemmJob, LoopOrder, SmallGroupJob};
pub(super) use self::winograd::{InputTransformJob, OutputTransformJob, TileStrip};
use super::isa::Isa;
use super::kernels::{self, BLOCK, Elementwise, Memory, Pool, Pooling};
use super::pack::Packed;
use super::view::{ChunkGrid, View};
use crate::network::Activation;

/// What every chunk of a run sees.
pub(super) struct RunContext<'a> {
    pub(super) isa: Isa,
    pub(super) memory: Memory<'a>,
    /// The network's input, `[N, C, H, W]`.
    pub(super) input: &'a [f32],
    pub(super) packed: &'a [Packed<'a>],
}

/// Work between two points at which all threads meet.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub(super) job: Job,
    pub(super) grid: ChunkGrid,
    /// A border of zeros that no phase before this one could write.
    pub(super) halo: Option<Halo>,
}

#[derive(Debug, Clone)]
pub(super) enum Job {
    CopyIn(CopyInJob),
    Gemm(GemmJob),
    SmallGroup(SmallGroupJob),
    InputTransform(InputTransformJob),
    OutputTransform(OutputTransformJob),
    Pool(PoolJob),
    Mean(MeanJob),
    Elementwise(ElementwiseJob),
    CopyChannels(CopyChannelsJob),
}

/// What is done to numbers before they are stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    pub(super) gate: Option<View>,
    pub(super) residual: Option<View>,
    pub(super) activation: Option<Activation>,
    pub(super) sums: Option<SumsPlace>,
}

/// Where sums over the pixels of a line are kept: `[image][line][channels in whole blocks]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SumsPlace {
    pub(super) start: usize,
    pub(super) lines: usize,
    pub(super) width: usize,
}

/// The input's copy.
#[derive(Debug, Clone)]
pub(super) struct CopyInJob {
    pub(super) channels: usize,
    pub(super) output: View,
}

/// A pool whose windows are cut to the image.
#[derive(Debug, Clone)]
pub(super) struct PoolJob {
    pub(super) pooling: Pooling,
    pub(super) rows: Vec<[usize; 2]>,
    pub(super) columns: Vec<[usize; 2]>,
    /// For each row of the output, for each of its columns; none for a largest number.
    pub(super) factors: Vec<Vec<f32>>,
    pub(super) source: View,
    pub(super) output: View,
    pub(super) sums: Option<SumsPlace>,
}

/// Means from sums.
#[derive(Debug, Clone)]
pub(super) struct MeanJob {
    /// In the order of the output's blocks.
    pub(super) parts: Vec<SumsPlace>,
    pub(super) factor: f32,
    pub(super) output: View,
}

/// A pass over a map.
#[derive(Debug, Clone)]
pub(super) struct ElementwiseJob {
    /// Factors and biases.
    pub(super) packed: Option<usize>,
    pub(super) source: View,
    pub(super) output: View,
    pub(super) ending: Ending,
}

/// Copies channels to others that do not begin with a block.
#[derive(Debug, Clone)]
pub(super) struct CopyChannelsJob {
    pub(super) source: View,
    pub(super) channels: usize,
    /// The whole concatenation.
    pub(super) output: View,
    pub(super) first: usize,
    /// Whether it writes zeros after its last channel.
    pub(super) last: bool,
}

/// The border of zeros around every plane of a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Halo {
    pub(super) offset: usize,
    pub(super) planes: usize,
    pub(super) plane_stride: usize,
    pub(super) row_stride: usize,
    pub(super) rows: usize,
    /// Numbers before and after the pixels of a row, and rows above and below them.
    pub(super) columns_around: [usize; 2],
    pub(super) rows_around: [usize; 2],
}

impl Halo {
    fn clear(&self, memory: &Memory<'_>) {
        let [left, right] = self.columns_around;
        let [above, below] = self.rows_around;
        for plane in 0..self.planes {
            let start = self.offset + plane * self.plane_stride;
            memory.zero(start, above * self.row_stride);
            memory.zero(
                start + (self.rows - below) * self.row_stride,
                below * self.row_stride,
            );
            for row in above..self.rows - below {
                let row = start + row * self.row_stride;
                memory.zero(row, left);
                memory.zero(row + self.row_stride - right, right);
            }
        }
    }
}

impl SumsPlace {
    fn at(&self, image: usize, line: usize, block: usize) -> usize {
        self.start + (image * self.lines + line) * self.width + block * BLOCK
    }
}

impl Phase {
    pub(super) fn chunks(&self) -> usize {
        self.grid.chunks() + usize::from(self.halo.is_some())
    }

    pub(super) fn run(&self, chunk: usize, scene: &RunContext<'_>) {
        if chunk == self.grid.chunks() {
            if let Some(border) = &self.halo {
                border.clear(&scene.memory);
            }
            return;
        }
        let [panels, lines] = self.grid.chunk(chunk);
        match &self.job {
            Job::CopyIn(job) => job.run(lines, scene),
            Job::Gemm(job) => job.run([panels, lines], scene),
            Job::SmallGroup(job) => job.run([panels, lines], scene),
            Job::InputTransform(job) => job.run(lines, scene),
            Job::OutputTransform(job) => job.run(lines, scene),
            Job::Pool(job) => job.run(lines, scene),
            Job::Mean(job) => job.run(lines, scene),
            Job::Elementwise(job) => job.run(lines, scene),
            Job::CopyChannels(job) => job.run(lines, scene),
        }
    }
}

impl Ending {
    /// Those of a line.
    fn sums(&self, [image, block]: [usize; 2], line: usize) -> Option<usize> {
        self.sums.map(|sums| sums.at(image, line, block))
    }

    /// What no kernel does, to blocks of numbers at these offsets.
    fn finish(&self, memory: &Memory<'_>, blocks: impl IntoIterator<Item = usize>) {
        if self.activation == Some(Activation::Sigmoid) {
            for block in blocks {
                for offset in block..block + BLOCK {
                    memory.set(offset, sigmoid(memory.get(offset)));
                }
            }
        }
    }
}

fn sigmoid(number: f32) -> f32 {
    1. / (1. + (-number).exp())
}

impl CopyInJob {
    /// Rows of planes, or of blocks.
    fn run(&self, rows: Range<usize>, scene: &RunContext<'_>) {
        let Self { channels, output } = self;
        let View { height, width, .. } = *output;
        let memory = &scene.memory;
        for index in rows {
            let [image, block, row] = row_of(output, index);
            let start = output.at(image, block) + row * output.row_stride;
            let of_channel = |channel: usize| {
                let from = ((image * channels + channel) * height + row) * width;
                &scene.input[from..from + width]
            };
            if output.pixel_stride == 1 {
                memory.write(start, of_channel(block));
                continue;
            }
            memory.zero(start, width * BLOCK);
            for channel in (block * BLOCK..*channels).take(BLOCK) {
                for (column, &number) in of_channel(channel).iter().enumerate() {
                    memory.set(start + column * BLOCK + channel % BLOCK, number);
                }
            }
        }
    }
}

/// The image, block and row of a row among those of all blocks of all images.
fn row_of(view: &View, index: usize) -> [usize; 3] {
    let (plane, row) = (index / view.height, index % view.height);
    [plane / view.blocks, plane % view.blocks, row]
}

impl PoolJob {
    fn run(&self, rows: Range<usize>, scene: &RunContext<'_>) {
        for index in rows {
            let [image, block, row] = row_of(&self.output, index);
            let [first, end] = self.rows[row];
            kernels::pool(
                scene.isa,
                &scene.memory,
                &Pool {
                    pooling: self.pooling,
                    source: self.source.at(image, block) + first * self.source.row_stride,
                    row_stride: self.source.row_stride,
                    rows: end - first,
                    columns: &self.columns,
                    factors: self.factors.get(row).map_or(&[], Vec::as_slice),
                    output: self.output.at(image, block) + row * self.output.row_stride,
                    sums: self.sums.map(|sums| sums.at(image, row, block)),
                },
            );
        }
    }
}

impl MeanJob {
    /// Blocks of all images.
    fn run(&self, blocks: Range<usize>, scene: &RunContext<'_>) {
        for index in blocks {
            let (image, block) = (index / self.output.blocks, index % self.output.blocks);
            let mut first = block;
            let mut parts = self.parts.iter();
            let part = parts.find(|part| {
                let blocks = part.width / BLOCK;
                let inside = first < blocks;
                first -= if inside { 0 } else { blocks };
                inside
            });
            let Some(part) = part else { continue };
            kernels::pool(
                scene.isa,
                &scene.memory,
                &Pool {
                    pooling: Pooling::Mean,
                    source: part.at(image, 0, first),
                    row_stride: part.width,
                    rows: part.lines,
                    columns: &[[0, 1]],
                    factors: &[self.factor],
                    output: self.output.at(image, block),
                    sums: None,
                },
            );
        }
    }
}

impl ElementwiseJob {
    fn run(&self, rows: Range<usize>, scene: &RunContext<'_>) {
        let ending = &self.ending;
        for index in rows {
            let [image, block, row] = row_of(&self.output, index);
            let at = |view: &View| view.at(image, block) + row * view.row_stride;
            let norm = self.packed.map(|packed| {
                let packed = &scene.packed[packed];
                [
                    &packed.weights[block * BLOCK..],
                    &packed.bias[block * BLOCK..],
                ]
            });
            let output = at(&self.output);
            kernels::elementwise(
                scene.isa,
                &scene.memory,
                &Elementwise {
                    source: at(&self.source),
                    pixels: self.output.width,
                    norm,
                    gate: ending.gate.map(|gate| gate.at(image, block)),
                    residual: ending.residual.as_ref().map(at),
                    relu: ending.activation == Some(Activation::Relu),
                    output,
                    sums: ending.sums([image, block], row),
                },
            );
            let pixels = (0..self.output.width).map(|column| output + column * BLOCK);
            ending.finish(&scene.memory, pixels);
        }
    }
}

impl CopyChannelsJob {
    /// Rows of all images.
    fn run(&self, rows: Range<usize>, scene: &RunContext<'_>) {
        let memory = &scene.memory;
        for index in rows {
            let (image, row) = (index / self.output.height, index % self.output.height);
            for column in 0..self.output.width {
                let at = |view: &View, channel: usize| {
                    let block = view.at(image, channel / BLOCK);
                    block + row * view.row_stride + column * BLOCK + channel % BLOCK
                };
                for channel in 0..self.channels {
                    let number = memory.get(at(&self.source, channel));
                    memory.set(at(&self.output, self.first + channel), number);
                }
                let end = self.first + self.channels;
                if self.last && !end.is_multiple_of(BLOCK) {
                    let rest = BLOCK - end % BLOCK;
                    memory.zero(at(&self.output, end), rest);
                }
            }
        }
    }
}
