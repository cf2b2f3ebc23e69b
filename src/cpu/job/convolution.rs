//! Convolutions: loops over panels of output channels and lines of pixels.

use std::ops::Range;

use super::{Ending, RunContext};
use crate::cpu::kernels::{
    self, BLOCK, BlockView, Epilogue, Gemm, KOffsets, MAX_NR_BLOCKS, MicroTile, SmallGroup,
};
use crate::cpu::pack::{Panels, SmallGroupBlock};
use crate::cpu::view::{MTiling, View};
use crate::network::Activation;

/// A convolution's output, by panels or blocks of its channels and lines of its pixels.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct ConvLoop {
    pub(in crate::cpu) packed: usize,
    /// From the output's pixel (0, 0), whose window may begin in the border.
    source: View,
    stride: usize,
    tiling: MTiling,
    /// Found once and not again for each panel of each image.
    micro_tiles: Vec<MicroTile>,
    output: View,
    ending: Ending,
    order: LoopOrder,
}

/// Which loop goes round the other: that over panels reads each panel's weights once and the
/// source for each, that over lines the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum LoopOrder {
    Panels,
    /// Those of an image one after the other.
    MTiles,
    /// Those of all images that are of the same pixels one after the other.
    MTilesAcrossImages,
}

/// A line of a sweep's pixels, and the weights that it is computed with.
struct MTile<'a> {
    image: usize,
    number: usize,
    micro_tiles: &'a [MicroTile],
    weights: Weights,
    /// Those of the next line, if they are others.
    next: Option<Weights>,
}

/// Which weights lines are computed with, one after the other.
#[derive(Clone, Copy)]
struct Weights {
    panel: usize,
    /// Of the first of the lines.
    image: usize,
}

/// A convolution by [`kernels::gemm`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct GemmJob {
    pub(in crate::cpu) conv_loop: ConvLoop,
    pub(in crate::cpu) panels: Panels,
    pub(in crate::cpu) k_offsets: KOffsets,
    /// From the source of a micro-tile's pixel to that of the next.
    pub(in crate::cpu) pixel_stride: usize,
    /// From an image's weights to the next one's, where images are the numbers of Winograd's
    /// tiles; these have no bias either.
    pub(in crate::cpu) weights_image_stride: Option<usize>,
}

/// A convolution by [`kernels::small_group`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct SmallGroupJob {
    pub(in crate::cpu) conv_loop: ConvLoop,
    pub(in crate::cpu) blocks: Vec<SmallGroupBlock>,
}

const NO_BIAS: [f32; MAX_NR_BLOCKS * BLOCK] = [0.; MAX_NR_BLOCKS * BLOCK];

/// A panel of more rows of weights would push out of the cache what is being computed with.
const AHEAD: usize = 2048;

impl ConvLoop {
    /// Its `source` begins where the window of the output's pixel (0, 0) does.
    pub(in crate::cpu) fn new(
        packed: usize,
        (source, stride): (View, usize),
        cut: MTiling,
        (output, ending): (View, Ending),
        outer: LoopOrder,
    ) -> Self {
        let micro_tile = |pixels: Range<usize>| {
            let [row, column] = [pixels.start / output.width, pixels.start % output.width];
            MicroTile {
                pixels: pixels.len(),
                source: row * stride * source.row_stride + column * stride * source.pixel_stride,
                output: output.offsets(pixels.clone()),
                residual: ending.residual.map(|view| view.offsets(pixels)),
            }
        };
        Self {
            micro_tiles: cut.pixels().map(micro_tile).collect(),
            packed,
            source,
            stride,
            tiling: cut,
            output,
            ending,
            order: outer,
        }
    }

    /// Hands some lines of all images to `compute`, each once for each of some panels.
    fn lines(&self, [panels, lines]: [Range<usize>; 2], mut compute: impl FnMut(&MTile<'_>)) {
        let [images, of_image] = [self.source.images, self.tiling.m_tiles()];
        let image_and_line = |index: usize| match self.order {
            LoopOrder::Panels | LoopOrder::MTiles => (index / of_image, index % of_image),
            LoopOrder::MTilesAcrossImages => (index % images, index / images),
        };
        // What has the same weights is done one after the other: all lines, or one.
        let at_once = match self.order {
            LoopOrder::Panels => lines.len().max(1),
            LoopOrder::MTiles | LoopOrder::MTilesAcrossImages => 1,
        };
        let passes = lines.len() / at_once * panels.len();
        let pass = |number: usize| {
            let (group, panel) = (number / panels.len(), number % panels.len());
            let first = lines.start + group * at_once;
            let weights = Weights {
                panel: panels.start + panel,
                image: image_and_line(first).0,
            };
            (weights, first..first + at_once)
        };
        for number in 0..passes {
            let (weights, lines) = pass(number);
            let next = (number + 1 < passes).then(|| pass(number + 1).0);
            for index in lines.clone() {
                let (image, number) = image_and_line(index);
                compute(&MTile {
                    image,
                    number,
                    micro_tiles: &self.micro_tiles[self.tiling.micro_tiles_of(number)],
                    weights,
                    next: next.filter(|_| index + 1 == lines.end),
                });
            }
        }
    }

    /// What becomes of a line's sums, from this block of output channels on.
    fn epilogue<'a>(&self, line: &MTile<'_>, block: usize, bias: &'a [f32]) -> Epilogue<'a> {
        let Self { ending, output, .. } = self;
        let place = |view: &View| BlockView {
            offset: view.at(line.image, block),
            block_stride: view.block_stride,
        };
        Epilogue {
            bias,
            gate: ending.gate.map(|gate| gate.at(line.image, block)),
            residual: ending.residual.as_ref().map(place),
            relu: ending.activation == Some(Activation::Relu),
            output: place(output),
            sums: ending.sums([line.image, block], line.number),
        }
    }

    /// What no kernel does to a line.
    fn finish(&self, line: &MTile<'_>, place: &BlockView, blocks: usize, scene: &RunContext<'_>) {
        let pixels = line
            .micro_tiles
            .iter()
            .flat_map(|micro_tile| micro_tile.output.iter());
        let all = pixels.flat_map(|pixel| {
            (0..blocks).map(move |each| place.offset + pixel + each * place.block_stride)
        });
        self.ending.finish(&scene.memory, all);
    }
}

impl GemmJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], scene: &RunContext<'_>) {
        let Self {
            conv_loop: sweep, ..
        } = self;
        let packed = &scene.packed[sweep.packed];
        sweep.lines(chunk, |line| {
            let panel = &self.panels.list[line.weights.panel];
            let channels = if sweep.source.pixel_stride == 1 {
                0
            } else {
                panel.channel / BLOCK * sweep.source.block_stride + panel.channel % BLOCK
            };
            let bias = match self.weights_image_stride {
                Some(_) => &NO_BIAS[..],
                None => &packed.bias[panel.block * BLOCK..],
            };
            let epilogue = sweep.epilogue(line, panel.block, bias);
            let gemm = Gemm {
                source: sweep.source.at(line.image, 0) + channels,
                pixel_stride: self.pixel_stride,
                micro_tiles: line.micro_tiles,
                k_offsets: &self.k_offsets,
                weights: &packed.weights[self.first(line.weights)..],
                nr_blocks: panel.blocks,
                prefetch: self.ahead(line, packed.weights),
                epilogue,
            };
            kernels::gemm(scene.isa, &scene.memory, &gemm);
            sweep.finish(line, &epilogue.output, panel.blocks, scene);
        });
    }

    /// Where these begin among all.
    fn first(&self, weights: Weights) -> usize {
        let of_image = self.weights_image_stride.unwrap_or_default();
        self.panels.list[weights.panel].weights + weights.image * of_image
    }

    /// The weights that a line brings near for the next one.
    fn ahead<'a>(&self, line: &MTile<'_>, weights: &'a [f32]) -> &'a [f32] {
        let Some(next) = line.next else { return &[] };
        let first = self.first(next);
        if first == self.first(line.weights) || self.panels.numbers > AHEAD {
            return &[];
        }
        let count = self.panels.numbers * self.panels.list[next.panel].blocks * BLOCK;
        &weights[first..first + count]
    }
}

impl SmallGroupJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], scene: &RunContext<'_>) {
        let Self {
            conv_loop: sweep,
            blocks,
        } = self;
        let packed = &scene.packed[sweep.packed];
        sweep.lines(chunk, |line| {
            let block = line.weights.panel;
            let inputs = &blocks[block];
            let weights = 9 * inputs.lanes.len() * BLOCK;
            let epilogue = sweep.epilogue(line, block, &packed.bias[block * BLOCK..]);
            let small_group = SmallGroup {
                source: sweep.source.at(line.image, inputs.block),
                row_stride: sweep.source.row_stride,
                stride: sweep.stride,
                micro_tiles: line.micro_tiles,
                lanes: &inputs.lanes,
                weights: &packed.weights[block * weights..],
                epilogue,
            };
            kernels::small_group(scene.isa, &scene.memory, &small_group);
            sweep.finish(line, &epilogue.output, 1, scene);
        });
    }
}
