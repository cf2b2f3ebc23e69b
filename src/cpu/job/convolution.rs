//! Convolutions tile by tile: loops over panels of output channels and lines of pixels.

use std::ops::Range;

use super::{Ending, Scene};
use crate::cpu::fuse::Activation;
use crate::cpu::kernels::{self, BLOCK, Epilogue, MAX_BLOCKS, Narrow, Pixels, Product, Runs};
use crate::cpu::pack::{NarrowBlock, Panels};
use crate::cpu::view::{Tiles, View, share};

/// Tiles of a convolution's output, by panels or blocks of its channels.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Sweep {
    pub(in crate::cpu) packed: usize,
    /// From the output's pixel (0, 0), whose window may begin in the border.
    pub(in crate::cpu) source: View,
    pub(in crate::cpu) stride: usize,
    pub(in crate::cpu) tiles: Tiles,
    pub(in crate::cpu) output: View,
    pub(in crate::cpu) ending: Ending,
    pub(in crate::cpu) outer: Outer,
}

/// Which loop goes round the other: that over panels reads each panel's weights once and the
/// source for each, that over lines the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Outer {
    Panels,
    Lines,
}

/// A tile of a sweep: which of a line's it is, and its pixels in the image.
struct Tile {
    image: usize,
    line: usize,
    number: usize,
    of: usize,
    pixels: Range<usize>,
    /// Panel and image of the tile that comes after this line.
    next: [usize; 2],
}

/// A convolution by [`kernels::product`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct ProductJob {
    pub(in crate::cpu) sweep: Sweep,
    pub(in crate::cpu) panels: Panels,
    pub(in crate::cpu) runs: Runs,
    /// From the source of a tile's pixel to that of the next.
    pub(in crate::cpu) step: usize,
    /// From an image's weights to the next one's, where images are the numbers of Winograd's
    /// tiles; these have no bias either.
    pub(in crate::cpu) weights_of_image: Option<usize>,
}

/// A convolution by [`kernels::narrow`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct NarrowJob {
    pub(in crate::cpu) sweep: Sweep,
    pub(in crate::cpu) blocks: Vec<NarrowBlock>,
}

const NO_BIAS: [f32; MAX_BLOCKS * BLOCK] = [0.; MAX_BLOCKS * BLOCK];

/// A panel of more rows of weights would push out of the cache what is being computed with.
const AHEAD: usize = 512;

impl Sweep {
    /// Hands every tile of some panels and lines of all images to `compute`, with its panel.
    fn tiles(&self, [panels, lines]: [Range<usize>; 2], mut compute: impl FnMut(usize, &Tile)) {
        let (outer, inner) = match self.outer {
            Outer::Panels => (panels, lines),
            Outer::Lines => (lines, panels),
        };
        let panel_and_line = |first, second| match self.outer {
            Outer::Panels => (first, second),
            Outer::Lines => (second, first),
        };
        for first in outer.clone() {
            for second in inner.clone() {
                let (panel, index) = panel_and_line(first, second);
                let (image, line) = (index / self.tiles.lines(), index % self.tiles.lines());
                let (next_panel, next_index) = if second + 1 < inner.end {
                    panel_and_line(first, second + 1)
                } else if first + 1 < outer.end {
                    panel_and_line(first + 1, inner.start)
                } else {
                    (panel, index)
                };
                let next = [next_panel, next_index / self.tiles.lines()];
                let tiles = self.tiles.line(line);
                for (number, pixels) in tiles.iter().enumerate() {
                    let tile = Tile {
                        image,
                        line,
                        number,
                        of: tiles.len(),
                        pixels: pixels.clone(),
                        next,
                    };
                    compute(panel, &tile);
                }
            }
        }
    }

    /// Where the source of a tile's first pixel is, in the block that it begins with.
    fn source(&self, tile: &Tile, block: usize) -> usize {
        let (row, column) = (
            tile.pixels.start / self.output.width,
            tile.pixels.start % self.output.width,
        );
        self.source.at(tile.image, block)
            + row * self.stride * self.source.row
            + column * self.stride * self.source.pixel
    }

    /// What becomes of a tile's sums, from this block of output channels on.
    fn epilogue<'a>(&self, tile: &Tile, block: usize, bias: &'a [f32]) -> Epilogue<'a> {
        let Self { ending, output, .. } = self;
        let Range { start, end } = tile.pixels;
        let place = |view: &View| view.pixels(view.at(tile.image, block), start, end - start);
        Epilogue {
            bias,
            gate: ending.gate.map(|gate| gate.at(tile.image, block)),
            residual: ending.residual.as_ref().map(place),
            relu: ending.activation == Some(Activation::Relu),
            output: place(output),
            sums: ending.sums([tile.image, block], tile.line, tile.number),
        }
    }

    /// What no kernel does to a tile.
    fn finish(&self, tile: &Tile, epilogue: &Epilogue<'_>, blocks: usize, scene: &Scene<'_>) {
        let Pixels { offsets, block } = &epilogue.output;
        let offsets = &offsets[..tile.pixels.len()];
        self.ending.finish(&scene.memory, offsets, *block, blocks);
    }
}

impl ProductJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], scene: &Scene<'_>) {
        let Self { sweep, panels, .. } = self;
        let packed = &scene.packed[sweep.packed];
        sweep.tiles(chunk, |panel, tile| {
            let panel = &panels.list[panel];
            let channels = if sweep.source.pixel == 1 {
                0
            } else {
                panel.channel / BLOCK * sweep.source.block + panel.channel % BLOCK
            };
            let (bias, of_image) = match self.weights_of_image {
                Some(of_image) => (&NO_BIAS[..], tile.image * of_image),
                None => (&packed.bias[panel.block * BLOCK..], 0),
            };
            let epilogue = sweep.epilogue(tile, panel.block, bias);
            let first = of_image + panel.weights;
            let product = Product {
                source: sweep.source(tile, 0) + channels,
                step: self.step,
                rows: tile.pixels.len(),
                runs: &self.runs,
                weights: &packed.weights[first..],
                blocks: panel.blocks,
                ahead: self.ahead(tile, first, packed.weights),
                epilogue,
            };
            kernels::product(scene.isa, &scene.memory, &product);
            sweep.finish(tile, &epilogue, panel.blocks, scene);
        });
    }

    /// The part that a tile brings near of the weights that are needed after its line; its own
    /// begin at `first`.
    fn ahead<'a>(&self, tile: &Tile, first: usize, weights: &'a [f32]) -> &'a [f32] {
        let [panel, image] = tile.next;
        let panel = &self.panels.list[panel];
        let start = panel.weights + image * self.weights_of_image.unwrap_or_default();
        if start == first || self.panels.numbers > AHEAD {
            return &[];
        }
        let count = self.panels.numbers * panel.blocks * BLOCK;
        let part = share(count, tile.of, tile.number);
        &weights[start + part.start..start + part.end]
    }
}

impl NarrowJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], scene: &Scene<'_>) {
        let Self { sweep, blocks } = self;
        let packed = &scene.packed[sweep.packed];
        sweep.tiles(chunk, |block, tile| {
            let inputs = &blocks[block];
            let weights = 9 * inputs.lanes.len() * BLOCK;
            let epilogue = sweep.epilogue(tile, block, &packed.bias[block * BLOCK..]);
            let narrow = Narrow {
                source: sweep.source(tile, inputs.block),
                row: sweep.source.row,
                stride: sweep.stride,
                pixels: tile.pixels.len(),
                lanes: &inputs.lanes,
                weights: &packed.weights[block * weights..],
                epilogue,
            };
            kernels::narrow(scene.isa, &scene.memory, &narrow);
            sweep.finish(tile, &epilogue, 1, scene);
        });
    }
}
