//! Convolutions: loops over panels of output channels and lines of pixels.

use std::ops::Range;

use super::{Ending, Scene};
use crate::cpu::fuse::Activation;
use crate::cpu::kernels::{self, BLOCK, Epilogue, MAX_BLOCKS, Narrow, Place, Product, Runs, Spot};
use crate::cpu::pack::{NarrowBlock, Panels};
use crate::cpu::view::{Cut, View};

/// A convolution's output, by panels or blocks of its channels and lines of its pixels.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Sweep {
    pub(in crate::cpu) packed: usize,
    /// From the output's pixel (0, 0), whose window may begin in the border.
    source: View,
    stride: usize,
    cut: Cut,
    /// Found once and not again for each panel of each image.
    spots: Vec<Spot>,
    output: View,
    ending: Ending,
    outer: Outer,
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

/// A line of a sweep's pixels, and the weights that it is computed with.
struct Line<'a> {
    image: usize,
    number: usize,
    spots: &'a [Spot],
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

/// A convolution by [`kernels::product`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct ProductJob {
    pub(in crate::cpu) sweep: Sweep,
    pub(in crate::cpu) panels: Panels,
    pub(in crate::cpu) runs: Runs,
    /// From the source of a spot's pixel to that of the next.
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

impl Sweep {
    /// Its `source` begins where the window of the output's pixel (0, 0) does.
    pub(in crate::cpu) fn new(
        packed: usize,
        (source, stride): (View, usize),
        cut: Cut,
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
            spots: cut.pixels().map(spot).collect(),
            packed,
            source,
            stride,
            cut,
            output,
            ending,
            outer,
        }
    }

    /// Hands some lines of all images to `compute`, each once for each of some panels.
    fn lines(&self, [panels, lines]: [Range<usize>; 2], mut compute: impl FnMut(&Line<'_>)) {
        let [images, of_image] = [self.source.images, self.cut.lines()];
        let image_and_line = |index: usize| match self.outer {
            Outer::Panels | Outer::Lines => (index / of_image, index % of_image),
            Outer::LinesAcross => (index % images, index / images),
        };
        // What has the same weights is done one after the other: all lines, or one.
        let at_once = match self.outer {
            Outer::Panels => lines.len().max(1),
            Outer::Lines | Outer::LinesAcross => 1,
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
                compute(&Line {
                    image,
                    number,
                    spots: &self.spots[self.cut.line(number)],
                    weights,
                    next: next.filter(|_| index + 1 == lines.end),
                });
            }
        }
    }

    /// What becomes of a line's sums, from this block of output channels on.
    fn epilogue<'a>(&self, line: &Line<'_>, block: usize, bias: &'a [f32]) -> Epilogue<'a> {
        let Self { ending, output, .. } = self;
        let place = |view: &View| Place {
            start: view.at(line.image, block),
            block: view.block,
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
    fn finish(&self, line: &Line<'_>, place: &Place, blocks: usize, scene: &Scene<'_>) {
        let pixels = line.spots.iter().flat_map(|spot| spot.output.iter());
        let all = pixels.flat_map(|pixel| {
            (0..blocks).map(move |each| place.start + pixel + each * place.block)
        });
        self.ending.finish(&scene.memory, all);
    }
}

impl ProductJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], scene: &Scene<'_>) {
        let Self { sweep, .. } = self;
        let packed = &scene.packed[sweep.packed];
        sweep.lines(chunk, |line| {
            let panel = &self.panels.list[line.weights.panel];
            let channels = if sweep.source.pixel == 1 {
                0
            } else {
                panel.channel / BLOCK * sweep.source.block + panel.channel % BLOCK
            };
            let bias = match self.weights_of_image {
                Some(_) => &NO_BIAS[..],
                None => &packed.bias[panel.block * BLOCK..],
            };
            let epilogue = sweep.epilogue(line, panel.block, bias);
            let product = Product {
                source: sweep.source.at(line.image, 0) + channels,
                step: self.step,
                spots: line.spots,
                runs: &self.runs,
                weights: &packed.weights[self.first(line.weights)..],
                blocks: panel.blocks,
                ahead: self.ahead(line, packed.weights),
                epilogue,
            };
            kernels::product(scene.isa, &scene.memory, &product);
            sweep.finish(line, &epilogue.output, panel.blocks, scene);
        });
    }

    /// Where these begin among all.
    fn first(&self, weights: Weights) -> usize {
        let of_image = self.weights_of_image.unwrap_or_default();
        self.panels.list[weights.panel].weights + weights.image * of_image
    }

    /// The weights that a line brings near for the next one.
    fn ahead<'a>(&self, line: &Line<'_>, weights: &'a [f32]) -> &'a [f32] {
        let Some(next) = line.next else { return &[] };
        let first = self.first(next);
        if first == self.first(line.weights) || self.panels.numbers > AHEAD {
            return &[];
        }
        let count = self.panels.numbers * self.panels.list[next.panel].blocks * BLOCK;
        &weights[first..first + count]
    }
}

impl NarrowJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], scene: &Scene<'_>) {
        let Self { sweep, blocks } = self;
        let packed = &scene.packed[sweep.packed];
        sweep.lines(chunk, |line| {
            let block = line.weights.panel;
            let inputs = &blocks[block];
            let weights = 9 * inputs.lanes.len() * BLOCK;
            let epilogue = sweep.epilogue(line, block, &packed.bias[block * BLOCK..]);
            let narrow = Narrow {
                source: sweep.source.at(line.image, inputs.block),
                row: sweep.source.row,
                stride: sweep.stride,
                spots: line.spots,
                lanes: &inputs.lanes,
                weights: &packed.weights[block * weights..],
                epilogue,
            };
            kernels::narrow(scene.isa, &scene.memory, &narrow);
            sweep.finish(line, &epilogue.output, 1, scene);
        });
    }
}
