//! A 1x1 convolution whose rows are read by a convolution of each channel alone while they are in
//! the cache.
//!
//! ```text
//! for each image, panel of channels and segment of the output's rows:
//!     for each M-tile of the segment:
//!         the rows under its windows that are not there yet:   source -> buffer
//!         its rows, block by block:                            buffer -> output
//! ```

use std::ops::Range;

use super::RunContext;
use crate::cpu::element::{ElementType, with_element};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::kernels::{
    self, BLOCK, BlockView, Depthwise, Gemm, KOffsets, MicroTile, Output, VectorElement,
};
use crate::cpu::pack::{Panel, Panels};
use crate::cpu::share::share;
use crate::cpu::view::View;
use crate::network::Activation;

#[derive(Debug, Clone)]
pub(in crate::cpu) struct ExpandDepthwiseJob {
    pub(in crate::cpu) expand: ExpandToRows,
    pub(in crate::cpu) depthwise: DepthwiseOfRows,
    pub(in crate::cpu) buffer: RowBuffer,
    /// Where the first buffer begins; they lie end to end.
    pub(in crate::cpu) scratch: usize,
    pub(in crate::cpu) segments: usize,
}

/// The 1x1 convolution.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct ExpandToRows {
    /// Which of the packed weights.
    pub(in crate::cpu) packed: usize,
    pub(in crate::cpu) source: View,
    pub(in crate::cpu) panels: Panels,
    /// For each of what panels read.
    pub(in crate::cpu) k_offsets: Vec<KOffsets>,
    /// Of a row.
    pub(in crate::cpu) micro_tiles: Vec<MicroTile>,
    pub(in crate::cpu) activation: Option<Activation>,
}

/// The convolution that reads its rows.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct DepthwiseOfRows {
    /// Which of the packed weights.
    pub(in crate::cpu) packed: usize,
    pub(in crate::cpu) kernel: [usize; 2],
    pub(in crate::cpu) strides: [usize; 2],
    /// Of the rows of an M-tile that has most.
    pub(in crate::cpu) micro_tiles: Vec<MicroTile>,
    pub(in crate::cpu) tiles_of_row: usize,
    /// M-tiles of an image: near-equal shares of its rows.
    pub(in crate::cpu) m_tiles: usize,
    pub(in crate::cpu) output: View,
    pub(in crate::cpu) epilogue: Epilogue<View>,
}

/// What rows are kept in: they leave no cache, so that nothing is gained by rounding them.
pub(in crate::cpu) const OF_ROWS: ElementType = ElementType::F32;

/// Rows of a panel's blocks, with the zeros around them, counted from the first of zeros above.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct RowBuffer {
    /// How many are kept.
    pub(in crate::cpu) rows: usize,
    pub(in crate::cpu) row_stride: usize,
    pub(in crate::cpu) block_stride: usize,
    pub(in crate::cpu) blocks: usize,
    /// Rows of zeros above the map, and columns before it.
    pub(in crate::cpu) above: usize,
    pub(in crate::cpu) before: usize,
    /// Rows of the map.
    pub(in crate::cpu) height: usize,
}

/// Which rows a buffer has at the moment.
struct Kept {
    offset: usize,
    rows: Range<usize>,
}

impl RowBuffer {
    pub(in crate::cpu) fn elements(&self) -> usize {
        self.blocks.saturating_mul(self.block_stride)
    }
}

impl ExpandDepthwiseJob {
    /// Segments of panels of images.
    pub(super) fn run(&self, items: Range<usize>, context: &RunContext<'_>) {
        for item in items {
            let segment = item % self.segments;
            let panels = &self.expand.panels.list;
            let [image, panel] = [
                item / self.segments / panels.len(),
                item / self.segments % panels.len(),
            ];
            let offset = self.scratch + item * self.buffer.elements();
            context.memory.zero(OF_ROWS, offset, self.buffer.elements());
            let mut kept = Kept { offset, rows: 0..0 };
            for m_tile in share(self.depthwise.m_tiles, self.segments, segment) {
                self.m_tile(image, &panels[panel], m_tile, &mut kept, context);
            }
        }
    }

    fn m_tile(
        &self,
        image: usize,
        panel: &Panel,
        m_tile: usize,
        kept: &mut Kept,
        context: &RunContext<'_>,
    ) {
        let Self {
            depthwise, buffer, ..
        } = self;
        let rows = share(depthwise.output.height, depthwise.m_tiles, m_tile);
        let [down, across] = depthwise.strides;
        let first = rows.start * down;
        let end = (rows.end - 1) * down + depthwise.kernel[0];
        if end - kept.rows.start > buffer.rows {
            // What is still needed goes to the front.
            let still = first..kept.rows.end.max(first);
            for block in 0..panel.blocks {
                let to = kept.offset + block * buffer.block_stride;
                let from = to + (first - kept.rows.start) * buffer.row_stride;
                let count = still.len() * buffer.row_stride;
                if count > 0 {
                    let places = [from, to].map(|place| (OF_ROWS, place));
                    context.memory.copy(places, count);
                }
            }
            kept.rows = still;
        }
        for row in kept.rows.end..end {
            self.row(image, panel, row, kept, context);
        }
        kept.rows.end = end;
        let packed = &context.packed[depthwise.packed];
        let weights = packed.weights();
        let taps = depthwise.kernel[0] * depthwise.kernel[1];
        for block in 0..panel.blocks {
            let of_output = panel.block + block;
            let blocks = [image, of_output, rows.start];
            let source = kept.offset
                + block * buffer.block_stride
                + (first - kept.rows.start) * buffer.row_stride;
            let argument = Depthwise {
                source,
                row_stride: buffer.row_stride,
                column_stride: BLOCK,
                pixel_stride: across * BLOCK,
                kernel: depthwise.kernel,
                micro_tiles: &depthwise.micro_tiles[..rows.len() * depthwise.tiles_of_row],
                source_type: OF_ROWS,
                weights: &weights[of_output * taps * BLOCK..],
                output: Output {
                    bias: &packed.bias[of_output * BLOCK..],
                    epilogue: depthwise.epilogue.blocks_from(blocks, m_tile),
                    view: depthwise.output.blocks_from(blocks),
                    element_type: depthwise.output.element_type,
                },
            };
            kernels::depthwise(context.isa, &context.memory, &argument);
        }
    }

    /// Computes a row into the buffer; zeros where the map has none.
    fn row(&self, image: usize, panel: &Panel, row: usize, kept: &Kept, context: &RunContext<'_>) {
        let Self { expand, buffer, .. } = self;
        let offset = kept.offset + (row - kept.rows.start) * buffer.row_stride;
        let in_map = row.checked_sub(buffer.above);
        let Some(row) = in_map.filter(|&row| row < buffer.height) else {
            for block in 0..panel.blocks {
                let offset = offset + block * buffer.block_stride;
                context.memory.zero(OF_ROWS, offset, buffer.row_stride);
            }
            return;
        };
        with_element!(expand.source.element_type, Source => {
            expand.row::<Source>([image, row], panel, (offset, buffer), context);
        });
    }
}

impl ExpandToRows {
    /// Computes an image's row to this place of a buffer.
    fn row<Source: VectorElement>(
        &self,
        [image, row]: [usize; 2],
        panel: &Panel,
        (offset, buffer): (usize, &RowBuffer),
        context: &RunContext<'_>,
    ) {
        let packed = &context.packed[self.packed];
        let weights = panel.first_weight..panel.first_weight + panel.elements();
        let gemm = Gemm::<Source> {
            source: self.source.at(image, 0) + row * self.source.row_stride,
            pixel_stride: self.source.pixel_stride,
            micro_tiles: &self.micro_tiles,
            k_offsets: &self.k_offsets[panel.reads],
            weights: &packed.weights()[weights],
            nr_blocks: panel.blocks,
            output: Output {
                bias: &packed.bias[panel.block * BLOCK..],
                epilogue: Epilogue {
                    activation: self.activation,
                    ..Epilogue::NONE
                },
                view: BlockView {
                    offset: offset + buffer.before * BLOCK,
                    block_stride: buffer.block_stride,
                    row_stride: buffer.row_stride,
                },
                element_type: OF_ROWS,
            },
            prefetch: &[],
        };
        kernels::gemm(context.isa, &context.memory, &gemm);
    }
}
