//! A 1x1 convolution and the convolution of each channel alone that reads it, a few rows at a time:
//! where an inverted residual block is widest, its map never leaves the cache.

use super::choose::{Convolution, Tensor};
use super::convolution::k_offsets;
use super::emit::{Computed, Emission};
use crate::cpu::algorithm::Algorithm;
use crate::cpu::job::{DepthwiseOfRows, ExpandDepthwiseJob, ExpandToRows, Job, OF_ROWS, RowBuffer};
use crate::cpu::kernels::{BLOCK, MicroTile, PixelOffsets};
use crate::cpu::options::Target;
use crate::cpu::pack::WeightOrder;
use crate::cpu::share::shares;
use crate::cpu::tiling::{ChunkGrid, MTiling};

/// How the rows of the 1x1 convolution's output are kept: those of each panel of its channels, of
/// each segment of an image's rows, in a buffer of their own.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpandedRows {
    images: usize,
    panels: usize,
    /// Into which the rows of the output are cut; where one begins, rows are computed again.
    segments: usize,
    buffer: RowBuffer,
}

/// Segments of an image's rows have at least so many M-tiles, lest too much be computed again.
const FEWEST_M_TILES: usize = 8;

/// Buffers for each thread, so that none waits long for the others.
const BUFFERS_OF_THREAD: usize = 4;

impl ExpandedRows {
    /// Those of `expanded`, which the convolution makes `output` of.
    pub(super) fn new(
        depthwise: &Convolution,
        expanded: &Tensor,
        output: &Tensor,
        images: usize,
        target: Target,
    ) -> Self {
        let [rows, columns] = depthwise.shape.kernel;
        let [down, across] = depthwise.strides;
        let [above, before] = depthwise.before;
        let mr = target.isa.max_depthwise_mr();
        let tiling = MTiling::new(output.height, output.width, false, mr);
        let of_m_tile = output.height.div_ceil(tiling.m_tiles());
        let under_m_tile = (of_m_tile - 1) * down + rows;
        // As many again, so that rows are moved to the front but every few M-tiles.
        let kept = under_m_tile.saturating_mul(2);
        let width = ((output.width - 1) * across + columns).max(before + expanded.width);
        let row_stride = width.saturating_mul(BLOCK);
        let panel_blocks = target.isa.nr_blocks();
        let panels = expanded.blocks().div_ceil(panel_blocks);
        let wanted = match target.threads {
            1 => 1,
            threads => (threads * BUFFERS_OF_THREAD).div_ceil(images * panels),
        };
        Self {
            images,
            panels,
            segments: wanted.min(tiling.m_tiles() / FEWEST_M_TILES).max(1),
            buffer: RowBuffer {
                rows: kept,
                row_stride,
                block_stride: kept.saturating_mul(row_stride),
                blocks: panel_blocks,
                above,
                before,
                height: expanded.height,
            },
        }
    }

    fn items(&self) -> usize {
        self.images * self.panels * self.segments
    }

    /// Elements of all buffers; where those cannot be counted, as many as can be.
    pub(super) fn scratch(&self) -> usize {
        self.items().saturating_mul(self.buffer.elements())
    }
}

impl Emission<'_> {
    pub(super) fn expand_depthwise(
        &mut self,
        index: usize,
        [expand, depthwise]: &[Convolution; 2],
        rows: &ExpandedRows,
    ) -> Computed {
        let before = &self.graph.nodes[self.choices.expands[&index]];
        let node = &self.graph.nodes[index];
        let (source, output) = (self.view(before.source), self.view(node.output));
        let (buffer, m_tiling) = (rows.buffer, self.allocation.tilings[&index].m_tiling);
        let panels = expand.shape.panels();
        let reads = panels.reads.iter();
        let k_offsets = reads
            .map(|channels| k_offsets(&expand.shape, channels.clone(), &source, expand.dilation));
        let tile = |pixels: usize, source: usize, output: PixelOffsets| MicroTile {
            pixels,
            source,
            output,
            residual: None,
        };
        let of_row = shares(source.width, self.target.isa.max_mr()).map(|pixels| {
            let offsets = PixelOffsets::new(pixels.clone().map(|pixel| pixel * BLOCK));
            tile(pixels.len(), pixels.start * source.pixel_stride, offsets)
        });
        let mr = self.target.isa.max_depthwise_mr();
        let [down, across] = depthwise.strides;
        let most_rows = output.height.div_ceil(m_tiling.m_tiles());
        let of_m_tile = (0..most_rows).flat_map(|row| {
            shares(output.width, mr).map(move |pixels| {
                let offsets = pixels
                    .clone()
                    .map(|pixel| row * output.row_stride + pixel * BLOCK);
                let source = row * down * buffer.row_stride + pixels.start * across * BLOCK;
                tile(pixels.len(), source, PixelOffsets::new(offsets))
            })
        });
        let pixels = [source, output].map(|map| (map.images * map.height * map.width) as u64);
        let taps = depthwise.shape.kernel[0] * depthwise.shape.kernel[1];
        let macs = pixels[0] * panels.elements() as u64
            + pixels[1] * (taps * output.blocks * BLOCK) as u64;
        let job = ExpandDepthwiseJob {
            expand: ExpandToRows {
                packed: self.packed(expand.weights, WeightOrder::Panels(expand.shape)),
                source,
                k_offsets: k_offsets.collect(),
                micro_tiles: of_row.collect(),
                activation: before.epilogue.activation,
                panels,
            },
            depthwise: DepthwiseOfRows {
                packed: self.packed(depthwise.weights, WeightOrder::Depthwise(depthwise.shape)),
                kernel: depthwise.shape.kernel,
                strides: depthwise.strides,
                micro_tiles: of_m_tile.collect(),
                tiles_of_row: output.width.div_ceil(mr),
                m_tiles: m_tiling.m_tiles(),
                output,
                epilogue: self.epilogue(index),
            },
            buffer,
            scratch: self.scratch(index, OF_ROWS),
            segments: rows.segments,
        };
        let grid = ChunkGrid::of_rows(rows.items(), self.target.threads);
        Computed {
            macs,
            ..Computed::one(Algorithm::ExpandDepthwise, Job::ExpandDepthwise(job), grid)
        }
    }
}
