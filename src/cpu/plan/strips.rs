//! How Winograd's tiles go through scratch memory, strip by strip.

use super::choose::Tensor;
use crate::cpu::element::ElementType;
use crate::cpu::job::LoopOrder;
use crate::cpu::kernels::{BLOCK, WinogradTile};
use crate::cpu::share::share;
use crate::cpu::view::{LINE, View, spread};

/// A node's strips.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strips {
    pub(super) tile: WinogradTile,
    /// Rows of tiles of an image, and tiles of a row.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Strips that are computed one after the other.
    pub(super) count: usize,
    /// Rows of tiles of all images.
    all_rows: usize,
    /// Parts of each strip that threads mostly keep to.
    parts: usize,
    /// On their way in and out: what tiles are made of, and how many blocks of channels they have.
    element_types: [ElementType; 2],
    blocks: [usize; 2],
    /// From one block to the next, and from one element of a tile to the next on either way.
    block_strides: [usize; 2],
    image_strides: [usize; 2],
}

/// Bytes of scratch memory that a strip may take for each thread, so that each one's part stays in its
/// cache.
const SCRATCH: usize = 1 << 20;

/// Threads that a strip grows with; more would only take memory.
const THREADS_OF_STRIP: usize = 4;

/// Bytes of weights for each of scratch memory that each thread rather reads from the cache that all
/// share than scratch memory from another's.
const WEIGHTS_FOR_SCRATCH: usize = 2;

/// Tiles that a strip has at least, so that reading the weights pays.
const TILES_OF_STRIP: usize = 28;

impl Strips {
    /// As many rows of tiles at once as stay in the cache on their way, but enough to read all
    /// weights for.
    pub(super) fn new(
        tile: WinogradTile,
        images: usize,
        source: &Tensor,
        output: &Tensor,
        threads: usize,
    ) -> Self {
        let [rows, columns] =
            [output.height, output.width].map(|size| size.div_ceil(tile.output_side()));
        let blocks = [source.blocks(), output.blocks()];
        // Products are sums.
        let element_types = [source.element_type, ElementType::F32];
        let bytes = |way: usize| element_types[way].bytes(tile.elements() * blocks[way] * BLOCK);
        let of_tile = bytes(0) + bytes(1);
        let threads = threads.min(THREADS_OF_STRIP);
        let wanted = (threads * SCRATCH / of_tile).max(TILES_OF_STRIP);
        let all_rows = rows * images;
        let count = (all_rows * columns).div_ceil(wanted).min(all_rows);
        // Each part has a row for each strip.
        let parts = threads.min(all_rows / count).max(1);
        let of_strips = (0..count).map(|strip| tile_rows(all_rows, parts, count, strip).count());
        let most_rows = of_strips.max().unwrap_or_default();
        let lines = |way: usize| {
            let of_block = element_types[way].bytes(most_rows * columns * BLOCK);
            spread(of_block.div_ceil(LINE))
        };
        let of_line = element_types.map(|element_type| LINE / element_type.size());
        Self {
            tile,
            rows,
            columns,
            count,
            all_rows,
            parts,
            element_types,
            blocks,
            block_strides: [0, 1].map(|way| lines(way) * of_line[way]),
            // An odd number of lines, so that a tile's elements, all written and read at once, do
            // not compete for the same places of the cache.
            image_strides: [0, 1].map(|way| ((blocks[way] * lines(way)) | 1) * of_line[way]),
        }
    }

    /// Which of the rows of tiles of all images a strip has.
    pub(super) fn tile_rows(&self, strip: usize) -> Vec<usize> {
        tile_rows(self.all_rows, self.parts, self.count, strip).collect()
    }

    /// Where so many tiles of a strip are on their way in and out, in scratch memory that begins at
    /// that byte: `[element of the tile][block][tile][16]`, elements as images.
    pub(super) fn views(&self, byte: usize, tiles: usize) -> [View; 2] {
        let images = self.tile.elements();
        let view = |way: usize, byte: usize| View {
            offset: byte / self.element_types[way].size(),
            image_stride: self.image_strides[way],
            block_stride: self.block_strides[way],
            row_stride: tiles * BLOCK,
            pixel_stride: BLOCK,
            element_type: self.element_types[way],
            images,
            blocks: self.blocks[way],
            height: 1,
            width: tiles,
        };
        [view(0, byte), view(1, byte + self.scratch_of(0))]
    }

    /// Bytes that the tiles of a strip take on their way in and out.
    pub(super) fn scratch(&self) -> usize {
        self.scratch_of(0) + self.scratch_of(1)
    }

    /// On one of both ways.
    fn scratch_of(&self, way: usize) -> usize {
        self.element_types[way].bytes(self.tile.elements() * self.image_strides[way])
    }

    /// The order of the loops over products. Where threads share the tiles, each finds in its own
    /// cache what it has transformed, but reads all of so many weights.
    pub(super) fn loop_order(&self, weights: usize) -> LoopOrder {
        if self.parts > 1 && weights <= WEIGHTS_FOR_SCRATCH * self.scratch() {
            LoopOrder::MTilesAcrossImages
        } else {
            LoopOrder::MTiles
        }
    }

    /// Tiles of all images.
    pub(super) fn tiles(&self) -> usize {
        self.all_rows * self.columns
    }
}

/// Which rows of tiles a strip has of all: some of each thread's share of the map, which it has
/// mostly computed itself.
fn tile_rows(all: usize, parts: usize, strips: usize, strip: usize) -> impl Iterator<Item = usize> {
    (0..parts).flat_map(move |part| {
        let part = share(all, parts, part);
        let of_strip = share(part.len(), strips, strip);
        part.start + of_strip.start..part.start + of_strip.end
    })
}
