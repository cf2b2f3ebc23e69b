//! What a chunk of a phase computes: loops that hand a kernel an M-tile or a row at a time.

use std::ops::Range;

mod convolution;
mod expand;
mod normalize;
mod rearrange;
mod winograd;

pub(super) use self::convolution::{
    ConvLoop, DepthwiseJob, GateWeightsJob, GemmJob, LoopOrder, PanelWeights, SmallGroupJob,
};
pub(super) use self::expand::{
    DepthwiseOfRows, ExpandDepthwiseJob, ExpandToRows, OF_ROWS, RowBuffer,
};
pub(super) use self::normalize::{NormalizeGroupsJob, NormalizePixelsJob, SoftmaxJob};
pub(super) use self::rearrange::{RearrangeJob, Run};
pub(super) use self::winograd::{InputTransformJob, OutputTransformJob, TileStrip};
use super::element::ElementType;
use super::epilogue::Epilogue;
use super::isa::Isa;
use super::kernels::{self, BLOCK, BlockView, Elementwise, Memory, Pool, Pooling};
use super::pack::Packed;
use super::tiling::ChunkGrid;
use super::view::View;

/// What every chunk of a run sees.
pub(super) struct RunContext<'a> {
    pub(super) isa: Isa,
    pub(super) memory: Memory<'a>,
    /// The network's input: images of `[C, H, W]`.
    pub(super) images: &'a [&'a [f32]],
    pub(super) packed: &'a [Packed<'a>],
}

/// Work between two points at which all threads meet.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub(super) job: Job,
    pub(super) grid: ChunkGrid,
    /// A halo of zeros that no phase before this one could write.
    pub(super) halo: Option<Halo>,
}

#[derive(Debug, Clone)]
pub(super) enum Job {
    CopyIn(CopyInJob),
    GateWeights(GateWeightsJob),
    Gemm(GemmJob),
    SmallGroup(SmallGroupJob),
    Depthwise(DepthwiseJob),
    ExpandDepthwise(ExpandDepthwiseJob),
    InputTransform(InputTransformJob),
    OutputTransform(OutputTransformJob),
    Pool(PoolJob),
    Mean(MeanJob),
    Elementwise(ElementwiseJob),
    NormalizePixels(NormalizePixelsJob),
    NormalizeGroups(NormalizeGroupsJob),
    Softmax(SoftmaxJob),
    CopyChannels(CopyChannelsJob),
    Rearrange(RearrangeJob),
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
    /// For each row of the output, for each of its columns; none for a maximum.
    pub(super) factors: Vec<Vec<f32>>,
    /// For each row and each column of the output, the factors of what its window covers; none but
    /// of a filter.
    pub(super) taps: [Vec<Vec<f32>>; 2],
    pub(super) source: View,
    pub(super) output: View,
    pub(super) channel_sums: Option<View>,
}

/// Means from sums.
#[derive(Debug, Clone)]
pub(super) struct MeanJob {
    /// Sums, a row for each part of the map, in the order of the output's blocks.
    pub(super) parts: Vec<View>,
    pub(super) factor: f32,
    pub(super) output: View,
}

/// An epilogue alone, on a map.
#[derive(Debug, Clone)]
pub(super) struct ElementwiseJob {
    /// Which of the packed weights are its factors and biases.
    pub(super) packed: Option<usize>,
    /// What it is multiplied by, element by element.
    pub(super) product: Option<View>,
    pub(super) source: View,
    pub(super) output: View,
    pub(super) epilogue: Epilogue<View>,
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

/// The halo of zeros around every plane of a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Halo {
    pub(super) element_type: ElementType,
    pub(super) offset: usize,
    pub(super) planes: usize,
    pub(super) plane_stride: usize,
    pub(super) row_stride: usize,
    pub(super) rows: usize,
    /// Elements before and after the pixels of a row.
    pub(super) columns_around: [usize; 2],
    /// Rows above and below the pixels.
    pub(super) rows_around: [usize; 2],
}

impl Halo {
    fn clear(&self, memory: &Memory<'_>) {
        let [left, right] = self.columns_around;
        let [above, below] = self.rows_around;
        for plane in 0..self.planes {
            let start = self.offset + plane * self.plane_stride;
            let zero = |offset, count| memory.zero(self.element_type, offset, count);
            zero(start, above * self.row_stride);
            zero(
                start + (self.rows - below) * self.row_stride,
                below * self.row_stride,
            );
            for row in above..self.rows - below {
                let row = start + row * self.row_stride;
                zero(row, left);
                zero(row + self.row_stride - right, right);
            }
        }
    }
}

impl Epilogue<View> {
    /// Of an image's blocks from this one on, at this row. What is stored there is summed up in
    /// the sums' row of that index.
    fn blocks_from(&self, [image, block, row]: [usize; 3], sums_row: usize) -> Epilogue<BlockView> {
        Epilogue {
            gate: self.gate.map(|gate| gate.blocks_from([image, block, 0])),
            residual: self
                .residual
                .map(|residual| residual.blocks_from([image, block, row])),
            activation: self.activation,
            channel_sums: self
                .channel_sums
                .map(|sums| sums.blocks_from([image, block, sums_row])),
        }
    }
}

impl Phase {
    pub(super) fn chunks(&self) -> usize {
        self.grid.chunks() + usize::from(self.halo.is_some())
    }

    pub(super) fn run(&self, chunk: usize, context: &RunContext<'_>) {
        if chunk == self.grid.chunks() {
            if let Some(halo) = &self.halo {
                halo.clear(&context.memory);
            }
            return;
        }
        let [panels, items] = self.grid.chunk(chunk);
        match &self.job {
            Job::CopyIn(job) => job.run(items, context),
            Job::GateWeights(job) => job.run(items, context),
            Job::Gemm(job) => job.run([panels, items], context),
            Job::SmallGroup(job) => job.run([panels, items], context),
            Job::Depthwise(job) => job.run([panels, items], context),
            Job::ExpandDepthwise(job) => job.run(items, context),
            Job::InputTransform(job) => job.run(items, context),
            Job::OutputTransform(job) => job.run(items, context),
            Job::Pool(job) => job.run(items, context),
            Job::Mean(job) => job.run(items, context),
            Job::Elementwise(job) => job.run(items, context),
            Job::NormalizePixels(job) => job.run(items, context),
            Job::NormalizeGroups(job) => job.run(items, context),
            Job::Softmax(job) => job.run(items, context),
            Job::CopyChannels(job) => job.run(items, context),
            Job::Rearrange(job) => job.run(items, context),
        }
    }
}

impl CopyInJob {
    /// Rows of planes, or of blocks.
    fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        let Self { channels, output } = self;
        let View { height, width, .. } = *output;
        let memory = &context.memory;
        for index in rows {
            let [image, block, row] = row_of(output, index);
            let start = output.at(image, block) + row * output.row_stride;
            let of_channel = |channel: usize| {
                let from = (channel * height + row) * width;
                &context.images[image][from..from + width]
            };
            if output.pixel_stride == 1 {
                memory.write(output.element_type, start, of_channel(block));
                continue;
            }
            memory.zero(output.element_type, start, width * BLOCK);
            for channel in (block * BLOCK..*channels).take(BLOCK) {
                for (column, &element) in of_channel(channel).iter().enumerate() {
                    let place = start + column * BLOCK + channel % BLOCK;
                    memory.write(output.element_type, place, &[element]);
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
    fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        for index in rows {
            let [image, block, row] = row_of(&self.output, index);
            let [first, end] = self.rows[row];
            kernels::pool(
                context.isa,
                &context.memory,
                &Pool {
                    pooling: self.pooling,
                    source_type: self.source.element_type,
                    source: self.source.blocks_from([image, block, first]).offset,
                    row_stride: self.source.row_stride,
                    rows: end - first,
                    columns: &self.columns,
                    factors: self.factors.get(row).map_or(&[], Vec::as_slice),
                    row_taps: self.taps[0].get(row).map_or(&[], Vec::as_slice),
                    column_taps: &self.taps[1],
                    output_type: self.output.element_type,
                    output: self.output.blocks_from([image, block, row]).offset,
                    channel_sums: self
                        .channel_sums
                        .map(|sums| sums.blocks_from([image, block, row]).offset),
                },
            );
        }
    }
}

impl MeanJob {
    /// Blocks of all images.
    fn run(&self, blocks: Range<usize>, context: &RunContext<'_>) {
        for index in blocks {
            let (image, block) = (index / self.output.blocks, index % self.output.blocks);
            let mut first = block;
            let mut parts = self.parts.iter();
            let part = parts.find(|part| {
                let inside = first < part.blocks;
                first -= if inside { 0 } else { part.blocks };
                inside
            });
            let Some(part) = part else { continue };
            kernels::pool(
                context.isa,
                &context.memory,
                &Pool {
                    pooling: Pooling::Mean,
                    source_type: part.element_type,
                    source: part.at(image, first),
                    row_stride: part.row_stride,
                    rows: part.height,
                    columns: &[[0, 1]],
                    factors: &[self.factor],
                    row_taps: &[],
                    column_taps: &[],
                    output_type: self.output.element_type,
                    output: self.output.at(image, block),
                    channel_sums: None,
                },
            );
        }
    }
}

impl ElementwiseJob {
    fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        for index in rows {
            let [image, block, row] = row_of(&self.output, index);
            let blocks = [image, block, row];
            let norm = self.packed.map(|packed| {
                let packed = &context.packed[packed];
                [packed.weights(), packed.bias].map(|channels| &channels[block * BLOCK..])
            });
            let elementwise = Elementwise {
                source: self.source.blocks_from(blocks).offset,
                pixels: self.output.width,
                norm,
                product: self.product.map(|view| view.blocks_from(blocks).offset),
                epilogue: self.epilogue.blocks_from(blocks, row),
                output: self.output.blocks_from(blocks).offset,
                element_type: self.output.element_type,
            };
            kernels::elementwise(context.isa, &context.memory, &elementwise);
        }
    }
}

impl CopyChannelsJob {
    /// Rows of all images.
    fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        let memory = &context.memory;
        for index in rows {
            let (image, row) = (index / self.output.height, index % self.output.height);
            for column in 0..self.output.width {
                let at = |view: &View, channel: usize| {
                    let block = view.at(image, channel / BLOCK);
                    block + row * view.row_stride + column * BLOCK + channel % BLOCK
                };
                let typed = |view: &View, channel| (view.element_type, at(view, channel));
                for channel in 0..self.channels {
                    let to = typed(&self.output, self.first + channel);
                    memory.copy([typed(&self.source, channel), to], 1);
                }
                let end = self.first + self.channels;
                if self.last && !end.is_multiple_of(BLOCK) {
                    let rest = BLOCK - end % BLOCK;
                    memory.zero(self.output.element_type, at(&self.output, end), rest);
                }
            }
        }
    }
}
