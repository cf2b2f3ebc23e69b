//! Convolutions tile by tile: loops over panels of output channels and lines of pixels.

use std::ops::Range;

use super::{Ending, Scene};
use crate::cpu::fuse::Activation;
use crate::cpu::kernels::{
    self, BLOCK, Epilogue, MAX_BLOCKS, Narrow, Offsets, Pixels, Product, Runs,
};
use crate::cpu::pack::{NarrowBlock, Panels};
use crate::cpu::view::{Tiles, View, share};

/// Tiles of a convolution's output, by panels or blocks of its channels.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Sweep {
    pub(in crate::cpu) packed: usize,
    /// From the output's pixel (0, 0), whose window may begin in the border.
    source: View,
    stride: usize,
    tiles: Tiles,
    /// For each tile, found once and not again for each panel of each image.
    spots: Vec<Spot>,
    output: View,
    ending: Ending,
    outer: Outer,
}

/// What of the map a tile is.
#[derive(Debug, Clone)]
struct Spot {
    rows: usize,
    /// Of its first pixel, from an image's block on.
    source: usize,
    output: Offsets,
    residual: Option<Offsets>,
}

/// Which loop goes round the other: that over panels reads each panel's weights once and the
/// source for each, that over lines the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Outer {
    Panels,
    /// Those of an image one after the other.
    Lines,
    /// Those of all images that are of the same pixels one after the other.
    LinesAcross,
}

/// A tile of a sweep.
struct Tile<'a> {
    image: usize,
    line: usize,
    /// Which of its line's it is.
    number: usize,
    spot: &'a Spot,
    /// Panel and image whose weights are needed next.
    next: [usize; 2],
    /// Tiles until then, this one included, and how many there were.
    left: usize,
    of: usize,
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
const AHEAD: usize = 2048;

/// Tiles that share in bringing near the weights that are needed after them.
const TILES_AHEAD: usize = 4;

impl Sweep {
    /// Its `source` begins where the window of the output's pixel (0, 0) does.
    pub(in crate::cpu) fn new(
        packed: usize,
        (source, stride): (View, usize),
        tiles: Tiles,
        (output, ending): (View, Ending),
        outer: Outer,
    ) -> Self {
        let spot = |pixels: Range<usize>| {
            let [row, column] = [pixels.start / output.width, pixels.start % output.width];
            Spot {
                rows: pixels.len(),
                source: row * stride * source.row + column * stride * source.pixel,
                output: output.offsets(pixels.clone()),
                residual: ending.residual.map(|view| view.offsets(pixels)),
            }
        };
        Self {
            spots: tiles.pixels().map(spot).collect(),
            packed,
            source,
            stride,
            tiles,
            output,
            ending,
            outer,
        }
    }

    /// Hands every tile of some panels and lines of all images to `compute`, with its panel.
    fn tiles(&self, [panels, lines]: [Range<usize>; 2], mut compute: impl FnMut(usize, &Tile<'_>)) {
        let (outer, inner) = match self.outer {
            Outer::Panels => (panels, lines),
            Outer::Lines | Outer::LinesAcross => (lines, panels),
        };
        let [images, lines] = [self.source.images, self.tiles.lines()];
        let image_and_line = |index: usize| match self.outer {
            Outer::Panels | Outer::Lines => (index / lines, index % lines),
            Outer::LinesAcross => (index % images, index / images),
        };
        let panel_and_line = |first, second| match self.outer {
            Outer::Panels => (first, second),
            Outer::Lines | Outer::LinesAcross => (second, first),
        };
        let by_panels = self.outer == Outer::Panels;
        for first in outer.clone() {
            let [mut left, mut of] = [0; 2];
            for second in inner.clone() {
                let (panel, index) = panel_and_line(first, second);
                let (image, line) = image_and_line(index);
                let spots = &self.spots[self.tiles.line(line)];
                let (next_panel, next_index) = if !by_panels && second + 1 < inner.end {
                    panel_and_line(first, second + 1)
                } else if first + 1 < outer.end {
                    panel_and_line(first + 1, inner.start)
                } else {
                    (panel, index)
                };
                let next = [next_panel, image_and_line(next_index).0];
                if !by_panels {
                    (left, of) = (spots.len(), spots.len());
                } else if second == inner.start {
                    let tiles = inner.clone().map(|index| image_and_line(index).1);
                    of = tiles.map(|line| self.tiles.line(line).len()).sum();
                    left = of;
                }
                for (number, spot) in spots.iter().enumerate() {
                    let tile = Tile {
                        image,
                        line,
                        number,
                        spot,
                        next,
                        left,
                        of,
                    };
                    compute(panel, &tile);
                    left -= 1;
                }
            }
        }
    }

    /// Where the source of a tile's first pixel is, in the block that it begins with.
    fn source(&self, tile: &Tile<'_>, block: usize) -> usize {
        self.source.at(tile.image, block) + tile.spot.source
    }

    /// What becomes of a tile's sums, from this block of output channels on.
    fn epilogue<'a>(&self, tile: &Tile<'a>, block: usize, bias: &'a [f32]) -> Epilogue<'a> {
        let Self { ending, output, .. } = self;
        let pixels = |view: &View, offsets: &'a Offsets| Pixels {
            start: view.at(tile.image, block),
            offsets,
            block: view.block,
        };
        let residual = ending.residual.as_ref().zip(tile.spot.residual.as_ref());
        Epilogue {
            bias,
            gate: ending.gate.map(|gate| gate.at(tile.image, block)),
            residual: residual.map(|(view, offsets)| pixels(view, offsets)),
            relu: ending.activation == Some(Activation::Relu),
            output: pixels(output, &tile.spot.output),
            sums: ending.sums([tile.image, block], tile.line, tile.number),
        }
    }

    /// What no kernel does to a tile.
    fn finish(&self, pixels: &Pixels<'_>, blocks: usize, scene: &Scene<'_>) {
        let Pixels {
            start,
            offsets,
            block,
        } = *pixels;
        let pixels = offsets.as_slice().iter();
        let all =
            pixels.flat_map(|pixel| (0..blocks).map(move |each| start + pixel + each * block));
        self.ending.finish(&scene.memory, all);
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
                rows: tile.spot.rows,
                runs: &self.runs,
                weights: &packed.weights[first..],
                blocks: panel.blocks,
                ahead: self.ahead(tile, first, packed.weights),
                epilogue,
            };
            kernels::product(scene.isa, &scene.memory, &product);
            sweep.finish(&epilogue.output, panel.blocks, scene);
        });
    }

    /// The part that a tile brings near of the weights that are needed next; its own begin at
    /// `first`.
    fn ahead<'a>(&self, tile: &Tile<'_>, first: usize, weights: &'a [f32]) -> &'a [f32] {
        let [panel, image] = tile.next;
        let panel = &self.panels.list[panel];
        let start = panel.weights + image * self.weights_of_image.unwrap_or_default();
        let tiles = tile.of.min(TILES_AHEAD);
        if start == first || self.panels.numbers > AHEAD || tile.left > tiles {
            return &[];
        }
        let count = self.panels.numbers * panel.blocks * BLOCK;
        let part = share(count, tiles, tiles - tile.left);
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
                pixels: tile.spot.rows,
                lanes: &inputs.lanes,
                weights: &packed.weights[block * weights..],
                epilogue,
            };
            kernels::narrow(scene.isa, &scene.memory, &narrow);
            sweep.finish(&epilogue.output, 1, scene);
        });
    }
}
