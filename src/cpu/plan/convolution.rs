//! How a convolution or dense layer is computed: its algorithm, cut, loops and scratch memory.

use super::{Computed, Planning};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::fuse::{Node, Work};
use crate::cpu::job::{
    ConvLoop, GemmJob, InputTransformJob, Job, LoopOrder, OutputTransformJob, SmallGroupJob,
    TileStrip,
};
use crate::cpu::kernels::{BLOCK, KOffsets, WinogradTile};
use crate::cpu::pack::{Form, Order};
use crate::cpu::share::share;
use crate::cpu::view::{ChunkGrid, MTiling, View, blocks, spread};
use crate::error::{Error, Result};
use crate::network::geometry::{Extent, Padding, Window};

/// A convolution's geometry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) form: Form,
    pub(super) window: Window,
    /// Where the window stands on the source.
    pub(super) extents: [Extent; 2],
    pub(super) small_group: bool,
    /// Winograd's tiles, if it is computed so.
    pub(super) tile: Option<WinogradTile>,
}

/// How Winograd's tiles of a node go through scratch memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scratch {
    pub(super) tile: WinogradTile,
    /// Rows of tiles of an image, and tiles of a row.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Strips that are computed one after the other.
    pub(super) strips: usize,
    /// Parts of each strip that threads mostly keep to.
    pub(super) parts: usize,
    /// The most tiles of a strip.
    pub(super) tiles: usize,
    /// Blocks of channels on their way in and out.
    pub(super) blocks: [usize; 2],
}

impl Scratch {
    /// From a block of channels to the next, in blocks.
    fn block(&self) -> usize {
        spread(self.tiles)
    }

    /// From a tile's number to the next, where a tile has so many blocks of channels: odd, so that
    /// its numbers, all written and read at once, do not compete for the same places of the cache.
    fn image(&self, blocks: usize) -> usize {
        (blocks * self.block()) | 1
    }

    /// Which of the rows of tiles of all images a strip has: some of each thread's share of the
    /// map, which it has mostly computed itself.
    pub(super) fn places(&self, rows: usize, strip: usize) -> Vec<usize> {
        let parts = (0..self.parts).map(|part| share(rows, self.parts, part));
        let rows = parts.flat_map(|part| {
            let of_strip = share(part.len(), self.strips, strip);
            part.start + of_strip.start..part.start + of_strip.end
        });
        rows.collect()
    }

    /// How its products are swept. Where threads share the tiles, each finds in its own cache what
    /// it has transformed, but reads all of so many weights.
    fn outer(&self, weights: usize) -> LoopOrder {
        if self.parts > 1 && weights <= WEIGHTS_FOR_SCRATCH * self.size() {
            LoopOrder::MTilesAcrossImages
        } else {
            LoopOrder::MTiles
        }
    }

    /// What the tiles of a strip take on their way in and out, in numbers.
    pub(super) fn size(&self) -> usize {
        let numbers = self.tile.input_side() * self.tile.input_side();
        let images = self.blocks.map(|blocks| self.image(blocks));
        numbers * images.iter().sum::<usize>() * BLOCK
    }
}

/// Numbers of scratch memory that a strip may take for each thread, so that each one's part stays
/// in its cache: 1 MB.
const SCRATCH: usize = 1 << 18;

/// Threads that a strip grows with; more would only take memory.
const THREADS_OF_STRIP: usize = 4;

/// Numbers of weights for each of scratch memory that each thread rather reads from the cache that
/// all share than scratch memory from another's.
const WEIGHTS_FOR_SCRATCH: usize = 2;

/// Tiles that a strip has at least, so that reading the weights pays.
const TILES_OF_STRIP: usize = 28;

/// Weights that stay in the cache while a map passes by: 256 KB.
const CACHED: usize = 1 << 16;

impl Planning<'_> {
    pub(super) fn convolution(&self, node: &Node) -> Result<Option<Convolution>> {
        let source = &self.tensors[node.source];
        let (window, groups) = match &node.work {
            Work::Conv { conv, .. } => (conv.window, conv.groups),
            Work::Linear { .. } => {
                let whole = Window {
                    kernel: [source.height, source.width],
                    ..Window::square(1, 1, Padding::VALID)
                };
                (whole, 1)
            }
            _ => return Ok(None),
        };
        let extents = window.extents([source.height, source.width])?;
        let form = Form {
            inputs: source.channels,
            outputs: self.tensors[node.output].channels,
            groups,
            kernel: window.kernel,
            planes: false,
            widest: self.setting.isa.nr_blocks(),
        };
        let output = extents.map(|extent| extent.output);
        let tile = form.tiles(output, window.stride, self.setting.winograd);
        Ok(Some(Convolution {
            form,
            window,
            extents,
            small_group: form.is_small_group(window.stride),
            tile,
        }))
    }

    /// How a convolution's output is cut, and whether its images are the pixels of one.
    pub(super) fn cut(&self, index: usize, offsets: &[usize]) -> Option<(MTiling, bool)> {
        let node = &self.graph.nodes[index];
        let convolution = self.convolutions[index].as_ref()?;
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let rows = self.setting.isa.max_mr();
        if convolution.small_group {
            // Its kernels take pixels of one row of one image.
            return Some((
                MTiling::new(output.height, output.width, false, rows),
                false,
            ));
        }
        let alone = output.height * output.width == 1
            && node.epilogue.gate.is_none()
            && self.sums[index].is_none();
        if alone {
            return Some((MTiling::new(self.images, 1, true, rows), true));
        }
        let pointwise = convolution.form.kernel == [1, 1]
            && convolution.window.stride == 1
            && [source.height, source.width] == [output.height, output.width];
        let even = (pointwise && source.even_stride().is_some()) || output.width == 1;
        Some((MTiling::new(output.height, output.width, even, rows), false))
    }

    pub(super) fn convolve(&mut self, index: usize, offsets: &[usize]) -> Result<Computed> {
        let node = &self.graph.nodes[index];
        let (Some(convolution), Some((cut, as_pixels))) =
            (self.convolutions[index], self.cut(index, offsets))
        else {
            return Err(Error::Geometry("no convolution".to_owned()));
        };
        let Convolution {
            form,
            window,
            extents: [down, across],
            small_group,
            tile: _,
        } = convolution;
        let mut epilogue = self.epilogue(index, offsets);
        let [mut source, mut output] = [node.source, node.output].map(|id| self.view(id, offsets));
        source.offset -= down.before * source.row_stride + across.before * source.pixel_stride;
        let pixels = (output.images * output.height * output.width) as u64;
        let threads = self.setting.threads;
        if small_group {
            let blocks = form.small_group_blocks();
            let of_line = output.height * output.width * BLOCK / cut.m_tiles();
            let grid = ChunkGrid::of_panels(
                blocks.len(),
                output.images * cut.m_tiles(),
                [9 * form.share() * BLOCK, of_line],
                threads,
            );
            let macs = pixels * (9 * form.share() * blocks.len() * BLOCK) as u64;
            let packed = self.packing(index, Order::SmallGroup(form));
            let source = (source, window.stride);
            let sweep = ConvLoop::new(packed, source, cut, (output, epilogue), LoopOrder::Panels);
            let job = Job::SmallGroup(SmallGroupJob {
                conv_loop: sweep,
                blocks,
            });
            return Ok(("narrow groups", vec![(job, grid)], macs));
        }
        let panels = form.panels();
        let [rows, columns] = form.kernel;
        let mut runs = Vec::with_capacity(panels.source_blocks * rows * columns);
        for block in 0..panels.source_blocks {
            let columns = if form.planes { 1 } else { columns };
            for row in 0..rows {
                for column in 0..columns {
                    let tap = row * source.row_stride + column * source.pixel_stride;
                    runs.push(block * source.block_stride + tap);
                }
            }
        }
        let step = if as_pixels {
            source.image_stride
        } else if output.width == 1 {
            window.stride * source.row_stride
        } else {
            window.stride * source.pixel_stride
        };
        if as_pixels {
            source = source.of_images_as_pixels();
            output = output.of_images_as_pixels();
            epilogue.residual = epilogue.residual.map(|view| view.of_images_as_pixels());
        }
        let stride = if as_pixels { 1 } else { window.stride };
        let lines = output.images * cut.m_tiles();
        let of_panel = panels.numbers * BLOCK * panels.list[0].blocks;
        let of_line = source.images
            * panels.source_blocks
            * source.height
            * source.width
            * source.pixel_stride
            / lines;
        let grid = ChunkGrid::of_panels(panels.list.len(), lines, [of_panel, of_line], threads);
        let macs = pixels * (panels.numbers * blocks(form.outputs) * BLOCK) as u64;
        let outer = if form.groups == 1 && panels.weights() <= CACHED {
            LoopOrder::MTiles
        } else {
            LoopOrder::Panels
        };
        let packed = self.packing(index, Order::Panels(form));
        let sweep = ConvLoop::new(packed, (source, stride), cut, (output, epilogue), outer);
        let job = Job::Gemm(GemmJob {
            conv_loop: sweep,
            k_offsets: KOffsets::new(runs, panels.run),
            panels,
            pixel_stride: step,
            weights_image_stride: None,
        });
        Ok(("direct", vec![(job, grid)], macs))
    }

    /// How a node's tiles go through scratch memory, if it is computed so.
    pub(super) fn scratch(&self, index: usize, offsets: &[usize]) -> Option<Scratch> {
        let tile = self.convolutions[index]?.tile?;
        let node = &self.graph.nodes[index];
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let [rows, columns] =
            [output.height, output.width].map(|size| size.div_ceil(tile.output_side()));
        let blocks = [source.blocks, output.blocks];
        let numbers = tile.input_side() * tile.input_side() * blocks.iter().sum::<usize>();
        // As many rows of tiles as stay in the cache on their way, but enough to read all weights
        // for.
        let threads = self.setting.threads.min(THREADS_OF_STRIP);
        let wanted = (threads * SCRATCH / (numbers * BLOCK)).max(TILES_OF_STRIP);
        let all = rows * output.images;
        let strips = (all * columns).div_ceil(wanted).min(all);
        let mut scratch = Scratch {
            tile,
            rows,
            columns,
            strips,
            // Each part has a row for each strip.
            parts: threads.min(all / strips).max(1),
            tiles: 0,
            blocks,
        };
        let rows_of = |strip| scratch.places(all, strip).len();
        scratch.tiles = (0..strips).map(rows_of).max().unwrap_or_default() * columns;
        Some(scratch)
    }

    /// A convolution by Winograd's tiles, strip by strip.
    pub(super) fn winograd(&mut self, index: usize, offsets: &[usize]) -> Result<Computed> {
        let (Some(convolution), Some(scratch), Some(buffer)) = (
            self.convolutions[index],
            self.scratch(index, offsets),
            self.scratches[index],
        ) else {
            return Err(Error::Geometry("no tiles".to_owned()));
        };
        let node = &self.graph.nodes[index];
        let Convolution {
            form,
            extents: [down, across],
            ..
        } = convolution;
        let Scratch {
            tile,
            rows,
            columns,
            strips,
            ..
        } = scratch;
        let [mut source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        source.offset -= down.before * source.row_stride + across.before * source.pixel_stride;
        let epilogue = self.epilogue(index, offsets);
        let packed = self.packing(index, Order::Winograd(form, tile));
        let threads = self.setting.threads;
        let panels = form.pointwise().panels();
        let numbers = tile.input_side() * tile.input_side();
        let of_image = panels.weights();
        let mut jobs = Vec::with_capacity(3 * strips);
        for strip in 0..strips {
            let places = scratch.places(rows * output.images, strip);
            let tiles = places.len() * columns;
            let place = |start, blocks| View {
                offset: start,
                image_stride: scratch.image(blocks) * BLOCK,
                block_stride: scratch.block() * BLOCK,
                row_stride: tiles * BLOCK,
                pixel_stride: BLOCK,
                images: numbers,
                blocks,
                height: 1,
                width: tiles,
            };
            let input = place(offsets[buffer], source.blocks);
            let start = input.offset + numbers * input.image_stride;
            let products = place(start, output.blocks);
            let strip = |scratch| TileStrip {
                tile,
                tile_rows: places.clone(),
                rows_per_image: rows,
                tiles_per_row: columns,
                scratch,
            };
            let transform = InputTransformJob {
                strip: strip(input),
                source,
            };
            let cut = MTiling::new(1, tiles, true, self.setting.isa.max_mr());
            let lines = numbers * cut.m_tiles();
            let runs = (0..panels.source_blocks).map(|block| block * input.block_stride);
            let product = GemmJob {
                conv_loop: ConvLoop::new(
                    packed,
                    (input, 1),
                    cut,
                    (products, Epilogue::NONE),
                    scratch.outer(numbers * of_image),
                ),
                panels: panels.clone(),
                k_offsets: KOffsets::new(runs.collect(), panels.run),
                pixel_stride: BLOCK,
                weights_image_stride: Some(of_image),
            };
            let output_transform = OutputTransformJob {
                strip: strip(products),
                packed,
                output,
                epilogue,
            };
            jobs.push((
                Job::InputTransform(transform),
                ChunkGrid::of_rows(places.len() * source.blocks, threads),
            ));
            jobs.push((
                Job::Gemm(product),
                ChunkGrid::of_panels(panels.list.len(), lines, [0, 1], threads),
            ));
            jobs.push((
                Job::OutputTransform(output_transform),
                ChunkGrid::of_rows(places.len() * output.blocks, threads),
            ));
        }
        let macs = (output.images * rows * columns * numbers * of_image) as u64;
        let name = match tile {
            WinogradTile::F2x2 => "winograd 2x2",
            WinogradTile::F4x4 => "winograd 4x4",
        };
        Ok((name, jobs, macs))
    }
}
