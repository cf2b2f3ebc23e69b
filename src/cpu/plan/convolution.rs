//! The loops of convolutions and dense layers.

use std::ops::Range;

use super::choose::Convolution;
use super::emit::{Computed, Emission};
use super::strips::Strips;
use crate::cpu::algorithm::Algorithm;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::fuse::Id;
use crate::cpu::job::{
    ConvLoop, DepthwiseJob, GateWeightsJob, GemmJob, InputTransformJob, Job, LoopOrder,
    OutputTransformJob, PanelWeights, SmallGroupJob, TileStrip,
};
use crate::cpu::kernels::{BLOCK, KOffsets, KRun};
use crate::cpu::pack::{ConvShape, WeightOrder};
use crate::cpu::tiling::{ChunkGrid, MTiling};
use crate::cpu::view::View;

/// Bytes of weights that stay in the cache while a map passes by.
const CACHED: usize = 1 << 18;

impl Emission<'_> {
    /// A convolution's source, from where the window of the output's pixel (0, 0) begins.
    fn windows(&self, source: Id, convolution: &Convolution) -> View {
        let source = self.view(source);
        let [above, before] = convolution.before;
        View {
            offset: source.offset - above * source.row_stride - before * source.pixel_stride,
            ..source
        }
    }

    pub(super) fn small_group(&mut self, index: usize, convolution: &Convolution) -> Computed {
        let shape = convolution.shape;
        let order = WeightOrder::SmallGroup(shape);
        let of_block = 9 * shape.inputs_per_group() * BLOCK;
        let (conv_loop, grid, macs) = self.block_by_block(index, convolution, order, of_block);
        let blocks = shape.small_group_blocks();
        let job = Job::SmallGroup(SmallGroupJob { conv_loop, blocks });
        Computed {
            macs,
            ..Computed::one(Algorithm::SmallGroup, job, grid)
        }
    }

    pub(super) fn depthwise(&mut self, index: usize, convolution: &Convolution) -> Computed {
        let kernel = convolution.shape.kernel;
        let order = WeightOrder::Depthwise(convolution.shape);
        let of_block = kernel[0] * kernel[1] * BLOCK;
        let row_stride = self.view(self.graph.nodes[index].source).row_stride;
        let (conv_loop, grid, macs) = self.block_by_block(index, convolution, order, of_block);
        let [down, across] = convolution.dilation;
        let job = Job::Depthwise(DepthwiseJob {
            kernel,
            row_stride: down * row_stride,
            column_stride: across * BLOCK,
            conv_loop,
        });
        Computed {
            macs,
            ..Computed::one(Algorithm::Depthwise, job, grid)
        }
    }

    /// The loop over output blocks of so many weights each, how it is cut, and its multiplications.
    fn block_by_block(
        &mut self,
        index: usize,
        convolution: &Convolution,
        order: WeightOrder,
        of_block: usize,
    ) -> (ConvLoop, ChunkGrid, u64) {
        let node = &self.graph.nodes[index];
        let m_tiling = self.allocation.tilings[&index].m_tiling;
        let (source, output) = (
            self.windows(node.source, convolution),
            self.view(node.output),
        );
        // A block reads blocks of the source that no other reads, where panels share theirs: they are
        // cut alike, by what there is more of.
        let of_m_tile = source.height * source.width * BLOCK / m_tiling.m_tiles();
        let grid = ChunkGrid::of_panels(
            output.blocks,
            output.images * m_tiling.m_tiles(),
            [of_block, of_m_tile],
            self.target.threads,
        );
        let pixels = output.images * output.height * output.width;
        let macs = pixels as u64 * (of_block * output.blocks) as u64;
        let conv_loop = ConvLoop::new(
            self.packed(convolution.weights, order),
            (source, convolution.strides),
            m_tiling,
            (output, self.epilogue(index)),
            LoopOrder::Panels,
        );
        (conv_loop, grid, macs)
    }

    pub(super) fn gemm(&mut self, index: usize, convolution: &Convolution) -> Computed {
        let node = &self.graph.nodes[index];
        let tiling = self.allocation.tilings[&index];
        let Convolution {
            shape,
            strides,
            dilation,
            ..
        } = *convolution;
        let (mut source, mut output) = (
            self.windows(node.source, convolution),
            self.view(node.output),
        );
        let pixels = output.images * output.height * output.width;
        let panels = shape.panels();
        let k_offsets = panels
            .reads
            .iter()
            .map(|channels| k_offsets(&shape, channels.clone(), &source, dilation));
        let k_offsets: Vec<KOffsets> = k_offsets.collect();
        let mut epilogue = self.epilogue(index);
        let (strides, pixel_stride) = if tiling.images_as_pixels {
            source = source.of_images_as_pixels();
            output = output.of_images_as_pixels();
            epilogue.residual = epilogue.residual.map(|view| view.of_images_as_pixels());
            ([1, 1], source.row_stride)
        } else if output.width == 1 {
            (strides, strides[0] * source.row_stride)
        } else {
            (strides, strides[1] * source.pixel_stride)
        };
        let m_tiles = output.images * tiling.m_tiling.m_tiles();
        let of_panel = panels.elements() / panels.list.len();
        // Blocks are read whole, planes as many as there are.
        let of_pixel = if shape.planes {
            panels.most_read()
        } else {
            panels.most_read().next_multiple_of(BLOCK)
        };
        let of_source = source.images * of_pixel * source.height * source.width;
        let grid = ChunkGrid::of_panels(
            panels.list.len(),
            m_tiles,
            [of_panel, of_source / m_tiles],
            self.target.threads,
        );
        let macs = pixels as u64 * panels.elements() as u64;
        let packed = self.packed(convolution.weights, WeightOrder::Panels(shape));
        // Weights of each image are its own, and are not kept for those of the next.
        let gated = convolution
            .gate
            .map(|gate| (self.view(gate), self.scratch(index, shape.weights)));
        let of_image = panels.elements();
        let order =
            if gated.is_some() || shape.groups == 1 && shape.weights.bytes(of_image) <= CACHED {
                LoopOrder::MTiles
            } else {
                LoopOrder::Panels
            };
        let job = Job::Gemm(GemmJob {
            conv_loop: ConvLoop::new(
                packed,
                (source, strides),
                tiling.m_tiling,
                (output, epilogue),
                order,
            ),
            k_offsets,
            panels: panels.clone(),
            pixel_stride,
            weights: match gated {
                Some((_, offset)) => PanelWeights::Gated {
                    offset,
                    image_stride: of_image,
                },
                None => PanelWeights::Packed,
            },
        });
        let gate = gated.map(|(gate, output)| {
            let job = Job::GateWeights(GateWeightsJob {
                packed,
                gate,
                panels,
                output,
                image_stride: of_image,
            });
            let grid = ChunkGrid::of_rows(gate.images * gate.blocks, self.target.threads);
            (job, grid)
        });
        Computed {
            algorithm: Algorithm::Direct,
            jobs: gate.into_iter().chain([(job, grid)]).collect(),
            macs,
        }
    }

    /// A convolution by Winograd's tiles, strip by strip.
    pub(super) fn winograd(
        &mut self,
        index: usize,
        convolution: &Convolution,
        strips: &Strips,
    ) -> Computed {
        let node = &self.graph.nodes[index];
        let Strips { tile, columns, .. } = *strips;
        let (source, output) = (
            self.windows(node.source, convolution),
            self.view(node.output),
        );
        let epilogue = self.epilogue(index);
        let order = WeightOrder::Winograd(convolution.shape, tile);
        let packed = self.packed(convolution.weights, order);
        let threads = self.target.threads;
        let panels = convolution.shape.of_one_pixel().panels();
        let weights = panels.elements();
        let mut jobs = Vec::with_capacity(3 * strips.count);
        for strip in 0..strips.count {
            let tile_rows = strips.tile_rows(strip);
            let tiles = tile_rows.len() * columns;
            let grid_of = |blocks| ChunkGrid::of_rows(tile_rows.len() * blocks, threads);
            let [input, products] = strips.views(self.allocation.scratch[&index], tiles);
            let strip = |scratch| TileStrip {
                tile,
                tile_rows: tile_rows.clone(),
                rows_per_image: strips.rows,
                tiles_per_row: columns,
                scratch,
            };
            let transform = InputTransformJob {
                strip: strip(input),
                source,
            };
            jobs.push((Job::InputTransform(transform), grid_of(source.blocks)));
            let m_tiling = MTiling::new(1, tiles, true, self.target.isa.max_mr());
            let one_pixel = convolution.shape.of_one_pixel();
            let reads = panels.reads.iter();
            let k_offsets =
                reads.map(|channels| k_offsets(&one_pixel, channels.clone(), &input, [1, 1]));
            let gemm = GemmJob {
                conv_loop: ConvLoop::new(
                    packed,
                    (input, [1, 1]),
                    m_tiling,
                    (products, Epilogue::NONE),
                    strips.loop_order(convolution.shape.weights.bytes(tile.elements() * weights)),
                ),
                panels: panels.clone(),
                k_offsets: k_offsets.collect(),
                pixel_stride: BLOCK,
                weights: PanelWeights::OfElements {
                    image_stride: weights,
                },
            };
            let m_tiles = tile.elements() * m_tiling.m_tiles();
            let grid = ChunkGrid::of_panels(panels.list.len(), m_tiles, [0, 1], threads);
            jobs.push((Job::Gemm(gemm), grid));
            let transform = OutputTransformJob {
                strip: strip(products),
                packed,
                output,
                epilogue,
            };
            jobs.push((Job::OutputTransform(transform), grid_of(output.blocks)));
        }
        Computed {
            algorithm: Algorithm::Winograd(tile),
            jobs,
            macs: (strips.tiles() * tile.elements() * weights) as u64,
        }
    }
}

/// Where the elements of these channels, or planes, lie under a window, in the order of the weights.
pub(super) fn k_offsets(
    shape: &ConvShape,
    channels: Range<usize>,
    source: &View,
    dilation: [usize; 2],
) -> KOffsets {
    let [rows, columns] = shape.kernel;
    // A plane's columns lie together.
    let columns = if shape.planes { 1 } else { columns };
    let mut runs = Vec::new();
    for run in shape.runs(channels) {
        let (first, length) = if shape.planes {
            (run.start * source.block_stride, shape.columns_of_planes())
        } else {
            let block = run.start / BLOCK * source.block_stride;
            (block + run.start % BLOCK, run.len())
        };
        for row in 0..rows {
            for column in 0..columns {
                let tap = row * dilation[0] * source.row_stride
                    + column * dilation[1] * source.pixel_stride;
                let offset = first + tap;
                runs.push(KRun { offset, length });
            }
        }
    }
    KOffsets::new(runs)
}
