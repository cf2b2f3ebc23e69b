//! Convolutions: loops over panels of output channels and M-tiles of pixels.

use std::ops::Range;

use super::RunContext;
use crate::cpu::element::with_element;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::kernels::{
    self, BLOCK, Depthwise, Gemm, KOffsets, MAX_NR_BLOCKS, MicroTile, Output, ScaledRows,
    SmallGroup, VectorElement,
};
use crate::cpu::pack::{Panels, SmallGroupBlock};
use crate::cpu::tiling::MTiling;
use crate::cpu::view::View;

/// A convolution's output, by panels of its channels and M-tiles of its pixels.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct ConvLoop {
    /// Which of the packed weights.
    pub(in crate::cpu) packed: usize,
    /// From the output's pixel (0, 0), whose window may begin in the halo.
    source: View,
    /// Rows and columns from one window to the next.
    strides: [usize; 2],
    tiling: MTiling,
    /// Found once and not again for each panel of each image.
    micro_tiles: Vec<MicroTile>,
    output: View,
    epilogue: Epilogue<View>,
    order: LoopOrder,
}

/// Which loop goes round the other: that over panels reads each panel's weights once and the
/// source for each, that over M-tiles the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum LoopOrder {
    Panels,
    /// Those of an image one after the other.
    MTiles,
    /// Those of all images that are of the same pixels one after the other.
    MTilesAcrossImages,
}

/// Micro-tiles, and the panel that they are computed with in one go.
struct MTile<'a> {
    image: usize,
    /// Which of the image's M-tiles.
    index: usize,
    micro_tiles: &'a [MicroTile],
    panel: PanelOfImage,
    /// That of the next M-tile, if it is another.
    next: Option<PanelOfImage>,
}

/// Which weights M-tiles are computed with, one after the other.
#[derive(Clone, Copy)]
struct PanelOfImage {
    panel: usize,
    /// That of the first M-tile.
    image: usize,
}

/// A convolution by [`kernels::gemm`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct GemmJob {
    pub(in crate::cpu) conv_loop: ConvLoop,
    pub(in crate::cpu) panels: Panels,
    /// For each of what panels read.
    pub(in crate::cpu) k_offsets: Vec<KOffsets>,
    /// From the source of a micro-tile's pixel to that of the next.
    pub(in crate::cpu) pixel_stride: usize,
    pub(in crate::cpu) weights: PanelWeights,
}

/// Where a GEMM's weights are.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) enum PanelWeights {
    /// As they are packed.
    Packed,
    /// So, from those of an image to those of the next, where images are the elements of Winograd's
    /// tiles; these have no bias.
    OfElements { image_stride: usize },
    /// In the arena: each image's own, multiplied by its gate.
    Gated { offset: usize, image_stride: usize },
}

/// Multiplies the weights of a 1x1 convolution by the gate of what it reads, which is less than to
/// multiply that.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct GateWeightsJob {
    /// Which of the packed weights.
    pub(in crate::cpu) packed: usize,
    pub(in crate::cpu) gate: View,
    pub(in crate::cpu) panels: Panels,
    /// Where those of the first image begin, and from one image to the next.
    pub(in crate::cpu) output: usize,
    pub(in crate::cpu) image_stride: usize,
}

/// A convolution by [`kernels::small_group`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct SmallGroupJob {
    pub(in crate::cpu) conv_loop: ConvLoop,
    pub(in crate::cpu) blocks: Vec<SmallGroupBlock>,
}

/// A convolution by [`kernels::depthwise`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct DepthwiseJob {
    pub(in crate::cpu) conv_loop: ConvLoop,
    /// Rows and columns.
    pub(in crate::cpu) kernel: [usize; 2],
    /// From the source of one row of the kernel to that of the next, and of one column.
    pub(in crate::cpu) row_stride: usize,
    pub(in crate::cpu) column_stride: usize,
}

const NO_BIAS: [f32; MAX_NR_BLOCKS * BLOCK] = [0.; MAX_NR_BLOCKS * BLOCK];

/// A panel with a larger K would push out of the cache what is being computed with.
const MAX_PREFETCHED_K: usize = 2048;

impl ConvLoop {
    /// Its `source` begins where the window of the output's pixel (0, 0) does.
    pub(in crate::cpu) fn new(
        packed: usize,
        (source, strides): (View, [usize; 2]),
        tiling: MTiling,
        (output, epilogue): (View, Epilogue<View>),
        order: LoopOrder,
    ) -> Self {
        let micro_tile = |pixels: Range<usize>| {
            let [row, column] = [pixels.start / output.width, pixels.start % output.width];
            MicroTile {
                pixels: pixels.len(),
                source: row * strides[0] * source.row_stride
                    + column * strides[1] * source.pixel_stride,
                output: output.offsets(pixels.clone()),
                residual: epilogue.residual.map(|view| view.offsets(pixels)),
            }
        };
        Self {
            micro_tiles: tiling.pixels().map(micro_tile).collect(),
            packed,
            source,
            strides,
            tiling,
            output,
            epilogue,
            order,
        }
    }

    /// Hands some M-tiles of all images to `compute`, each once for each of some panels.
    fn for_each(&self, [panels, m_tiles]: [Range<usize>; 2], mut compute: impl FnMut(&MTile<'_>)) {
        let [images, of_image] = [self.source.images, self.tiling.m_tiles()];
        let image_and_m_tile = |index: usize| match self.order {
            LoopOrder::Panels | LoopOrder::MTiles => (index / of_image, index % of_image),
            LoopOrder::MTilesAcrossImages => (index % images, index / images),
        };
        // What has the same weights is done one after the other: all M-tiles, or one.
        let at_once = match self.order {
            LoopOrder::Panels => m_tiles.len().max(1),
            LoopOrder::MTiles | LoopOrder::MTilesAcrossImages => 1,
        };
        let passes = m_tiles.len() / at_once * panels.len();
        let pass = |index: usize| {
            let (group, panel) = (index / panels.len(), index % panels.len());
            let first = m_tiles.start + group * at_once;
            let panel = PanelOfImage {
                panel: panels.start + panel,
                image: image_and_m_tile(first).0,
            };
            (panel, first..first + at_once)
        };
        for index in 0..passes {
            let (panel, m_tiles) = pass(index);
            let next = (index + 1 < passes).then(|| pass(index + 1).0);
            for m_tile in m_tiles.clone() {
                let (image, index) = image_and_m_tile(m_tile);
                compute(&MTile {
                    image,
                    index,
                    micro_tiles: &self.micro_tiles[self.tiling.micro_tiles_of(index)],
                    panel,
                    next: next.filter(|_| m_tile + 1 == m_tiles.end),
                });
            }
        }
    }

    /// What becomes of an M-tile's sums, from this block of output channels on.
    fn output<'a>(&self, m_tile: &MTile<'_>, block: usize, bias: &'a [f32]) -> Output<'a> {
        let blocks = [m_tile.image, block, 0];
        Output {
            bias,
            epilogue: self.epilogue.blocks_from(blocks, m_tile.index),
            view: self.output.blocks_from(blocks),
            element_type: self.output.element_type,
        }
    }
}

impl GemmJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], context: &RunContext<'_>) {
        with_element!(self.conv_loop.source.element_type, Source => {
            self.run_on::<Source>(chunk, context);
        });
    }

    fn run_on<Source: VectorElement>(&self, chunk: [Range<usize>; 2], context: &RunContext<'_>) {
        let Self { conv_loop, .. } = self;
        let View {
            block_stride,
            pixel_stride,
            ..
        } = conv_loop.source;
        let packed = &context.packed[conv_loop.packed];
        conv_loop.for_each(chunk, |m_tile| {
            let panel = &self.panels.list[m_tile.panel.panel];
            let channels = if pixel_stride == 1 {
                0
            } else {
                panel.channel / BLOCK * block_stride
            };
            let bias = match self.weights {
                PanelWeights::OfElements { .. } => &NO_BIAS[..],
                PanelWeights::Packed | PanelWeights::Gated { .. } => {
                    &packed.bias[panel.block * BLOCK..]
                }
            };
            let gemm = Gemm::<Source> {
                source: conv_loop.source.at(m_tile.image, 0) + channels,
                pixel_stride: self.pixel_stride,
                micro_tiles: m_tile.micro_tiles,
                k_offsets: &self.k_offsets[panel.reads],
                weights: self.weights(m_tile.panel, context),
                nr_blocks: panel.blocks,
                output: conv_loop.output(m_tile, panel.block, bias),
                prefetch: self.prefetch(m_tile, context),
            };
            kernels::gemm(context.isa, &context.memory, &gemm);
        });
    }

    /// A panel's weights.
    #[allow(unsafe_code, reason = "gated weights lie in memory that threads share")]
    fn weights<'a, Source: VectorElement>(
        &self,
        of: PanelOfImage,
        context: &'a RunContext<'_>,
    ) -> &'a [Source] {
        let packed = context.packed[self.conv_loop.packed].weights();
        let panel = &self.panels.list[of.panel];
        let (first, count) = (panel.first_weight, panel.elements());
        match self.weights {
            PanelWeights::Packed => &packed[first..first + count],
            PanelWeights::OfElements { image_stride } => {
                let first = first + of.image * image_stride;
                &packed[first..first + count]
            }
            PanelWeights::Gated {
                offset,
                image_stride,
            } => {
                let first = offset + of.image * image_stride + first;
                // SAFETY: the phase before has written them (`GateWeightsJob`), and has ended. What
                // this one writes, its output and channel sums, and the halo that it may clear, are
                // of buffers that are in use at the same node, so `lay_out` keeps them apart.
                unsafe { context.memory.elements(first, count) }
            }
        }
    }

    /// The weights that an M-tile prefetches for the next one.
    fn prefetch<'a, Source: VectorElement>(
        &self,
        m_tile: &MTile<'_>,
        context: &'a RunContext<'_>,
    ) -> &'a [Source] {
        let Some(next) = m_tile.next else { return &[] };
        let weights = self.weights(next, context);
        let same = std::ptr::eq(weights, self.weights(m_tile.panel, context));
        if same || self.panels.list[next.panel].k > MAX_PREFETCHED_K {
            return &[];
        }
        weights
    }
}

impl GateWeightsJob {
    /// Blocks of the channels of all images.
    pub(super) fn run(&self, blocks: Range<usize>, context: &RunContext<'_>) {
        with_element!(context.packed[self.packed].element_type, Weight => {
            self.run_on::<Weight>(blocks, context);
        });
    }

    fn run_on<Weight: VectorElement>(&self, blocks: Range<usize>, context: &RunContext<'_>) {
        let packed = context.packed[self.packed].weights();
        for index in blocks {
            let (image, block) = (index / self.gate.blocks, index % self.gate.blocks);
            for panel in &self.panels.list {
                let nr = panel.blocks * BLOCK;
                let rows = (panel.k - block * BLOCK).min(BLOCK);
                let first = panel.first_weight + block * BLOCK * nr;
                let scaled = ScaledRows::<Weight> {
                    factors: self.gate.at(image, block),
                    rows: &packed[first..first + rows * nr],
                    count: rows,
                    output: self.output + image * self.image_stride + first,
                };
                kernels::scaled_rows(context.isa, &context.memory, &scaled);
            }
        }
    }
}

impl SmallGroupJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], context: &RunContext<'_>) {
        with_element!(self.conv_loop.source.element_type, Source => {
            self.run_on::<Source>(chunk, context);
        });
    }

    fn run_on<Source: VectorElement>(&self, chunk: [Range<usize>; 2], context: &RunContext<'_>) {
        let Self { conv_loop, blocks } = self;
        let packed = &context.packed[conv_loop.packed];
        let all_weights = packed.weights::<Source>();
        conv_loop.for_each(chunk, |m_tile| {
            let block = m_tile.panel.panel;
            let inputs = &blocks[block];
            let weights = 9 * inputs.lanes.len() * BLOCK * Source::TYPE.together();
            let small_group = SmallGroup {
                source: conv_loop.source.at(m_tile.image, inputs.block),
                row_stride: conv_loop.source.row_stride,
                stride: conv_loop.strides[1],
                micro_tiles: m_tile.micro_tiles,
                lanes: &inputs.lanes,
                weights: &all_weights[block * weights..],
                output: conv_loop.output(m_tile, block, &packed.bias[block * BLOCK..]),
            };
            kernels::small_group(context.isa, &context.memory, &small_group);
        });
    }
}

impl DepthwiseJob {
    pub(super) fn run(&self, chunk: [Range<usize>; 2], context: &RunContext<'_>) {
        let Self { conv_loop, .. } = self;
        let packed = &context.packed[conv_loop.packed];
        let all_weights = packed.weights();
        let weights = self.kernel[0] * self.kernel[1] * BLOCK;
        conv_loop.for_each(chunk, |m_tile| {
            let block = m_tile.panel.panel;
            let depthwise = Depthwise {
                source: conv_loop.source.at(m_tile.image, block),
                row_stride: self.row_stride,
                column_stride: self.column_stride,
                pixel_stride: conv_loop.strides[1] * conv_loop.source.pixel_stride,
                kernel: self.kernel,
                micro_tiles: m_tile.micro_tiles,
                source_type: conv_loop.source.element_type,
                weights: &all_weights[block * weights..],
                output: conv_loop.output(m_tile, block, &packed.bias[block * BLOCK..]),
            };
            kernels::depthwise(context.isa, &context.memory, &depthwise);
        });
    }
}
