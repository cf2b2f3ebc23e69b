//! Winograd's tiles on their way into scratch memory and out of it.

use std::ops::Range;

use super::RunContext;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::kernels::{self, BLOCK, InputTransform, Output, OutputTransform, WinogradTile};
use crate::cpu::view::View;

/// Winograd's tiles of a strip: some rows of tiles of some images.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct TileStrip {
    pub(in crate::cpu) tile: WinogradTile,
    /// Which of the rows of tiles of all images.
    pub(in crate::cpu) tile_rows: Vec<usize>,
    /// Rows of tiles of an image.
    pub(in crate::cpu) rows_per_image: usize,
    /// Tiles of a row.
    pub(in crate::cpu) tiles_per_row: usize,
    /// `[element of a tile][block][tile][16]`: elements are images, blocks are blocks, and all
    /// tiles of the strip are pixels of one row.
    pub(in crate::cpu) scratch: View,
}

/// Transforms a strip's input.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct InputTransformJob {
    pub(in crate::cpu) strip: TileStrip,
    pub(in crate::cpu) source: View,
}

/// Transforms a strip's output.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct OutputTransformJob {
    pub(in crate::cpu) strip: TileStrip,
    pub(in crate::cpu) packed: usize,
    pub(in crate::cpu) output: View,
    pub(in crate::cpu) epilogue: Epilogue<View>,
}

impl TileStrip {
    /// A block of a row of tiles: the row's image, which of the image's it is, the block, and the
    /// offset of the first tile's first element in scratch memory.
    fn row(&self, index: usize) -> ([usize; 3], usize) {
        let (row, block) = (index / self.scratch.blocks, index % self.scratch.blocks);
        let tile_row = self.tile_rows[row];
        let scratch = self.scratch.at(0, block) + row * self.tiles_per_row * BLOCK;
        let image = tile_row / self.rows_per_image;
        ([image, tile_row % self.rows_per_image, block], scratch)
    }
}

impl InputTransformJob {
    /// Blocks of rows of tiles.
    pub(super) fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        let Self { strip, source } = self;
        for index in rows {
            let ([image, row, block], output) = strip.row(index);
            let first = row * strip.tile.output_side();
            let transform = InputTransform {
                tile: strip.tile,
                source_type: source.element_type,
                source: source.blocks_from([image, block, first]).offset,
                row_stride: source.row_stride,
                tiles: strip.tiles_per_row,
                output_type: strip.scratch.element_type,
                output,
                element_stride: strip.scratch.image_stride,
            };
            kernels::input_transform(context.isa, &context.memory, &transform);
        }
    }
}

impl OutputTransformJob {
    /// Blocks of rows of tiles.
    pub(super) fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        let Self { strip, output, .. } = self;
        let side = strip.tile.output_side();
        let bias = context.packed[self.packed].bias;
        for index in rows {
            let ([image, row, block], source) = strip.row(index);
            let first = row * side;
            let blocks = [image, block, first];
            let transform = OutputTransform {
                tile: strip.tile,
                source,
                element_stride: strip.scratch.image_stride,
                width: output.width,
                rows: side.min(output.height - first),
                output: Output {
                    bias: &bias[block * BLOCK..],
                    epilogue: self.epilogue.blocks_from(blocks, row),
                    view: output.blocks_from(blocks),
                    element_type: output.element_type,
                },
            };
            kernels::output_transform(context.isa, &context.memory, &transform);
        }
    }
}
