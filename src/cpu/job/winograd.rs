//! Winograd's tiles on their way into scratch memory and out of it.

use std::ops::Range;

use super::{Ending, RunContext};
use crate::cpu::kernels::{self, BLOCK, InputTransform, OutputTransform, WinogradTile};
use crate::cpu::view::View;
use crate::network::Activation;

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
    /// `[number of the tile][block][tile][16]`: numbers are images, blocks are blocks, and all
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
    pub(in crate::cpu) ending: Ending,
}

impl TileStrip {
    /// A block of a row of tiles: the row's image and place in it, the block, and the offset of
    /// its first tile's first number.
    fn row(&self, index: usize) -> ([usize; 3], usize) {
        let (row, block) = (index / self.scratch.blocks, index % self.scratch.blocks);
        let place = self.tile_rows[row];
        let scratch = self.scratch.at(0, block) + row * self.tiles_per_row * BLOCK;
        (
            [
                place / self.rows_per_image,
                place % self.rows_per_image,
                block,
            ],
            scratch,
        )
    }
}

impl InputTransformJob {
    /// Blocks of rows of tiles.
    pub(super) fn run(&self, rows: Range<usize>, scene: &RunContext<'_>) {
        let Self { strip, source } = self;
        for index in rows {
            let ([image, row, block], output) = strip.row(index);
            let first = row * strip.tile.output_side() * source.row_stride;
            kernels::input_transform(
                scene.isa,
                &scene.memory,
                &InputTransform {
                    tile: strip.tile,
                    source: source.at(image, block) + first,
                    row_stride: source.row_stride,
                    tiles: strip.tiles_per_row,
                    output,
                    element_stride: strip.scratch.image_stride,
                },
            );
        }
    }
}

impl OutputTransformJob {
    /// Blocks of rows of tiles.
    pub(super) fn run(&self, rows: Range<usize>, scene: &RunContext<'_>) {
        let Self {
            strip,
            output,
            ending,
            ..
        } = self;
        let side = strip.tile.output_side();
        for index in rows {
            let ([image, row, block], source) = strip.row(index);
            let first = row * side;
            let at = |view: &View| {
                [
                    view.at(image, block) + first * view.row_stride,
                    view.row_stride,
                ]
            };
            kernels::output_transform(
                scene.isa,
                &scene.memory,
                &OutputTransform {
                    tile: strip.tile,
                    source,
                    element_stride: strip.scratch.image_stride,
                    width: output.width,
                    rows: side.min(output.height - first),
                    bias: &scene.packed[self.packed].bias[block * BLOCK..],
                    gate: ending.gate.map(|gate| gate.at(image, block)),
                    residual: ending.residual.as_ref().map(at),
                    relu: ending.activation == Some(Activation::Relu),
                    output: at(output),
                    sums: ending.sums([image, block], row),
                },
            );
        }
    }
}
