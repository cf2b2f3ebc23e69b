//! What a chunk of a phase computes: loops over tiles that hand each to a kernel.

use std::ops::Range;

use super::fuse::Activation;
use super::isa::Isa;
use super::kernels::{
    self, BLOCK, Epilogue, MAX_BLOCKS, Memory, Narrow, Pixels, Pointwise, Pool, Pooling, Product,
    Runs, Side, Sums, TilesIn, TilesOut,
};
use super::pack::{NarrowBlock, Packed, Panels};
use super::view::{Grid, Tiles, View, share};

/// What every chunk of a run sees.
pub(super) struct Scene<'a> {
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
    pub(super) grid: Grid,
    /// A border of zeros that no phase before this one could write.
    pub(super) border: Option<Border>,
}

#[derive(Debug, Clone)]
pub(super) enum Job {
    Enter(EnterJob),
    Product(ProductJob),
    Narrow(NarrowJob),
    TilesIn(TilesInJob),
    TilesOut(TilesOutJob),
    Pool(PoolJob),
    Mean(MeanJob),
    Pass(PassJob),
    Gather(GatherJob),
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
pub(super) struct EnterJob {
    pub(super) channels: usize,
    pub(super) output: View,
}

/// Tiles of a convolution's output, by panels or blocks of its channels.
#[derive(Debug, Clone)]
pub(super) struct Sweep {
    pub(super) packed: usize,
    /// From the output's pixel (0, 0), whose window may begin in the border.
    pub(super) source: View,
    pub(super) stride: usize,
    pub(super) tiles: Tiles,
    pub(super) output: View,
    pub(super) ending: Ending,
    pub(super) outer: Outer,
}

/// Which loop goes round the other: that over panels reads each panel's weights once and the
/// source for each, that over lines the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outer {
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
pub(super) struct ProductJob {
    pub(super) sweep: Sweep,
    pub(super) panels: Panels,
    pub(super) runs: Runs,
    /// From the source of a tile's pixel to that of the next.
    pub(super) step: usize,
    /// From an image's weights to the next one's, where images are the numbers of Winograd's
    /// tiles; these have no bias either.
    pub(super) weights_of_image: Option<usize>,
}

/// Winograd's tiles of a strip: so many rows of tiles, of all images, from a first one on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip {
    pub(super) side: Side,
    pub(super) first: usize,
    /// Rows of tiles of an image.
    pub(super) rows: usize,
    /// Tiles of a row.
    pub(super) columns: usize,
    /// `[number of the tile][block][tile][16]`: numbers are images, blocks are blocks, and all
    /// tiles of the strip are pixels of one row.
    pub(super) scratch: View,
}

/// Transforms a strip's input.
#[derive(Debug, Clone)]
pub(super) struct TilesInJob {
    pub(super) strip: Strip,
    pub(super) source: View,
}

/// Transforms a strip's output.
#[derive(Debug, Clone)]
pub(super) struct TilesOutJob {
    pub(super) strip: Strip,
    pub(super) packed: usize,
    pub(super) output: View,
    pub(super) ending: Ending,
}

/// A convolution by [`kernels::narrow`].
#[derive(Debug, Clone)]
pub(super) struct NarrowJob {
    pub(super) sweep: Sweep,
    pub(super) blocks: Vec<NarrowBlock>,
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
pub(super) struct PassJob {
    /// Factors and biases.
    pub(super) packed: Option<usize>,
    pub(super) source: View,
    pub(super) output: View,
    pub(super) ending: Ending,
}

/// Copies channels to others that do not begin with a block.
#[derive(Debug, Clone)]
pub(super) struct GatherJob {
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
pub(super) struct Border {
    pub(super) start: usize,
    pub(super) planes: usize,
    pub(super) plane: usize,
    pub(super) row: usize,
    pub(super) rows: usize,
    /// Numbers before and after the pixels of a row, and rows above and below them.
    pub(super) columns: [usize; 2],
    pub(super) around: [usize; 2],
}

impl Border {
    fn clear(&self, memory: &Memory<'_>) {
        let [left, right] = self.columns;
        let [above, below] = self.around;
        for plane in 0..self.planes {
            let start = self.start + plane * self.plane;
            memory.zero(start, above * self.row);
            memory.zero(start + (self.rows - below) * self.row, below * self.row);
            for row in above..self.rows - below {
                let row = start + row * self.row;
                memory.zero(row, left);
                memory.zero(row + self.row - right, right);
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
        self.grid.chunks() + usize::from(self.border.is_some())
    }

    pub(super) fn run(&self, chunk: usize, scene: &Scene<'_>) {
        if chunk == self.grid.chunks() {
            if let Some(border) = &self.border {
                border.clear(&scene.memory);
            }
            return;
        }
        let [panels, lines] = self.grid.chunk(chunk);
        match &self.job {
            Job::Enter(job) => job.run(lines, scene),
            Job::Product(job) => job.run([panels, lines], scene),
            Job::Narrow(job) => job.run([panels, lines], scene),
            Job::TilesIn(job) => job.run(lines, scene),
            Job::TilesOut(job) => job.run(lines, scene),
            Job::Pool(job) => job.run(lines, scene),
            Job::Mean(job) => job.run(lines, scene),
            Job::Pass(job) => job.run(lines, scene),
            Job::Gather(job) => job.run(lines, scene),
        }
    }
}

impl Ending {
    fn sums(&self, [image, block]: [usize; 2], line: usize, tile: usize) -> Option<Sums> {
        self.sums.map(|sums| Sums {
            offset: sums.at(image, line, block),
            begin: tile == 0,
        })
    }

    /// What no kernel does.
    fn finish(&self, memory: &Memory<'_>, offsets: &[usize], step: usize, blocks: usize) {
        if self.activation == Some(Activation::Sigmoid) {
            for &offset in offsets {
                for block in 0..blocks {
                    for lane in 0..BLOCK {
                        let offset = offset + block * step + lane;
                        memory.set(offset, sigmoid(memory.get(offset)));
                    }
                }
            }
        }
    }
}

fn sigmoid(number: f32) -> f32 {
    1. / (1. + (-number).exp())
}

impl EnterJob {
    /// Rows of planes, or of blocks.
    fn run(&self, rows: Range<usize>, scene: &Scene<'_>) {
        let Self { channels, output } = self;
        let View { height, width, .. } = *output;
        let memory = &scene.memory;
        for index in rows {
            let [image, block, row] = row_of(output, index);
            let start = output.at(image, block) + row * output.row;
            let of_channel = |channel: usize| {
                let from = ((image * channels + channel) * height + row) * width;
                &scene.input[from..from + width]
            };
            if output.pixel == 1 {
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

const NO_BIAS: [f32; MAX_BLOCKS * BLOCK] = [0.; MAX_BLOCKS * BLOCK];

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

/// A panel of more rows of weights would push out of the cache what is being computed with.
const AHEAD: usize = 512;

impl ProductJob {
    fn run(&self, chunk: [Range<usize>; 2], scene: &Scene<'_>) {
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
}

impl ProductJob {
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
    fn run(&self, chunk: [Range<usize>; 2], scene: &Scene<'_>) {
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

impl Strip {
    /// A block of a row of tiles: the row's image and place in it, the block, and the offset of
    /// its first tile's first number.
    fn row(&self, index: usize) -> ([usize; 3], usize) {
        let (row, block) = (index / self.scratch.blocks, index % self.scratch.blocks);
        let place = self.first + row;
        let scratch = self.scratch.at(0, block) + row * self.columns * BLOCK;
        ([place / self.rows, place % self.rows, block], scratch)
    }
}

impl TilesInJob {
    /// Blocks of rows of tiles.
    fn run(&self, rows: Range<usize>, scene: &Scene<'_>) {
        let Self { strip, source } = self;
        for index in rows {
            let ([image, row, block], output) = strip.row(index);
            let first = row * strip.side.outputs() * source.row;
            kernels::tiles_in(
                scene.isa,
                &scene.memory,
                &TilesIn {
                    side: strip.side,
                    source: source.at(image, block) + first,
                    row: source.row,
                    tiles: strip.columns,
                    output,
                    step: strip.scratch.image,
                },
            );
        }
    }
}

impl TilesOutJob {
    /// Blocks of rows of tiles.
    fn run(&self, rows: Range<usize>, scene: &Scene<'_>) {
        let Self {
            strip,
            output,
            ending,
            ..
        } = self;
        let side = strip.side.outputs();
        for index in rows {
            let ([image, row, block], source) = strip.row(index);
            let first = row * side;
            let at = |view: &View| [view.at(image, block) + first * view.row, view.row];
            kernels::tiles_out(
                scene.isa,
                &scene.memory,
                &TilesOut {
                    side: strip.side,
                    source,
                    step: strip.scratch.image,
                    width: output.width,
                    rows: side.min(output.height - first),
                    bias: &scene.packed[self.packed].bias[block * BLOCK..],
                    gate: ending.gate.map(|gate| gate.at(image, block)),
                    residual: ending.residual.as_ref().map(at),
                    relu: ending.activation == Some(Activation::Relu),
                    output: at(output),
                    sums: ending.sums([image, block], row, 0),
                },
            );
        }
    }
}

/// The image, block and row of a row among those of all blocks of all images.
fn row_of(view: &View, index: usize) -> [usize; 3] {
    let (plane, row) = (index / view.height, index % view.height);
    [plane / view.blocks, plane % view.blocks, row]
}

impl PoolJob {
    fn run(&self, rows: Range<usize>, scene: &Scene<'_>) {
        for index in rows {
            let [image, block, row] = row_of(&self.output, index);
            let [first, end] = self.rows[row];
            kernels::pool(
                scene.isa,
                &scene.memory,
                &Pool {
                    pooling: self.pooling,
                    source: self.source.at(image, block) + first * self.source.row,
                    row: self.source.row,
                    rows: end - first,
                    columns: &self.columns,
                    factors: self.factors.get(row).map_or(&[], Vec::as_slice),
                    output: self.output.at(image, block) + row * self.output.row,
                    sums: self.sums.map(|sums| Sums {
                        offset: sums.at(image, row, block),
                        begin: true,
                    }),
                },
            );
        }
    }
}

impl MeanJob {
    /// Blocks of all images.
    fn run(&self, blocks: Range<usize>, scene: &Scene<'_>) {
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
                    row: part.width,
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

impl PassJob {
    fn run(&self, rows: Range<usize>, scene: &Scene<'_>) {
        let ending = &self.ending;
        for index in rows {
            let [image, block, row] = row_of(&self.output, index);
            let at = |view: &View| view.at(image, block) + row * view.row;
            let norm = self.packed.map(|packed| {
                let packed = &scene.packed[packed];
                [
                    &packed.weights[block * BLOCK..],
                    &packed.bias[block * BLOCK..],
                ]
            });
            let output = at(&self.output);
            kernels::pointwise(
                scene.isa,
                &scene.memory,
                &Pointwise {
                    source: at(&self.source),
                    pixels: self.output.width,
                    norm,
                    gate: ending.gate.map(|gate| gate.at(image, block)),
                    residual: ending.residual.as_ref().map(at),
                    relu: ending.activation == Some(Activation::Relu),
                    output,
                    sums: ending.sums([image, block], row, 0),
                },
            );
            for column in 0..self.output.width {
                let offset = output + column * BLOCK;
                ending.finish(&scene.memory, &[offset], 0, 1);
            }
        }
    }
}

impl GatherJob {
    /// Rows of all images.
    fn run(&self, rows: Range<usize>, scene: &Scene<'_>) {
        let memory = &scene.memory;
        for index in rows {
            let (image, row) = (index / self.output.height, index % self.output.height);
            for column in 0..self.output.width {
                let at = |view: &View, channel: usize| {
                    let block = view.at(image, channel / BLOCK);
                    block + row * view.row + column * BLOCK + channel % BLOCK
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
