//! How work on a tensor is cut: into tiles that fit the registers, and into what a thread claims at a
//! time.

use std::ops::Range;

use super::kernels::MAX_MR;
use super::share::{share, shares};

/// How the pixels of an output are cut: into micro-tiles, whose pixels are an even stride apart in
/// the source, and those into M-tiles, for each of which channel sums are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MTiling {
    /// Rows that no micro-tile goes beyond, and the pixels of each.
    rows: usize,
    row_pixels: usize,
    mr: usize,
    m_tiles: usize,
}

/// Pixels of an M-tile, about: enough that what is done once for each is little beside them.
const PIXELS_OF_M_TILE: usize = 4 * MAX_MR;

impl MTiling {
    /// Micro-tiles of at most `mr` pixels of a map that is `height` by `width`, or of all its
    /// pixels in one row where they are an even stride apart. Near-equal shares of a row leave none
    /// nearly empty.
    pub(super) fn new(height: usize, width: usize, even: bool, mr: usize) -> Self {
        let (rows, row_pixels) = if even {
            (1, height * width)
        } else {
            (height, width)
        };
        let m_tiles = if even {
            row_pixels.div_ceil(mr).div_ceil(PIXELS_OF_M_TILE / mr)
        } else {
            rows.div_ceil((PIXELS_OF_M_TILE / width.max(1)).max(1))
        };
        Self {
            rows,
            row_pixels,
            mr,
            m_tiles,
        }
    }

    /// How many M-tiles an image has.
    pub(super) fn m_tiles(&self) -> usize {
        self.m_tiles
    }

    /// Which micro-tiles an M-tile has: near-equal shares of whole rows, or of the one there is.
    pub(super) fn micro_tiles_of(&self, m_tile: usize) -> Range<usize> {
        let of_row = self.row_pixels.div_ceil(self.mr);
        match self.rows {
            1 => share(of_row, self.m_tiles, m_tile),
            rows => {
                let rows = share(rows, self.m_tiles, m_tile);
                rows.start * of_row..rows.end * of_row
            }
        }
    }

    /// The pixels of each micro-tile.
    pub(super) fn pixels(&self) -> impl Iterator<Item = Range<usize>> {
        let Self {
            rows,
            row_pixels,
            mr,
            ..
        } = *self;
        (0..rows).flat_map(move |row| {
            let first = row * row_pixels;
            shares(row_pixels, mr).map(move |share| first + share.start..first + share.end)
        })
    }
}

/// Work on so many items, each with so many panels of weights, cut into chunks, of which each thread
/// begins with its share. Items are the M-tiles of a convolution, or rows of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkGrid {
    panels: usize,
    items: usize,
    panel_parts: usize,
    item_parts: usize,
}

/// Chunks for each thread: enough that one held up by another process does not hold up the rest.
const CHUNKS_OF_THREAD: usize = 6;

impl ChunkGrid {
    /// Work on rows alone.
    pub(super) fn of_rows(rows: usize, threads: usize) -> Self {
        Self {
            panels: 1,
            items: rows,
            panel_parts: 1,
            item_parts: rows.min(threads * CHUNKS_OF_THREAD),
        }
    }

    /// Cuts so that what all chunks read together stays small: the weights of a panel and the
    /// source of an item, in elements, say which of the two is better read once.
    pub(super) fn of_panels(
        panels: usize,
        items: usize,
        [of_panel, of_item]: [usize; 2],
        threads: usize,
    ) -> Self {
        let wanted = threads * CHUNKS_OF_THREAD;
        let by_panels = panels * of_panel > items * of_item;
        let (panel_parts, item_parts) = if by_panels {
            let panel_parts = panels.min(wanted);
            (panel_parts, items.min(wanted.div_ceil(panel_parts)))
        } else {
            let item_parts = items.min(wanted);
            (panels.min(wanted.div_ceil(item_parts)), item_parts)
        };
        Self {
            panels,
            items,
            panel_parts,
            item_parts,
        }
    }

    pub(super) fn chunks(&self) -> usize {
        self.panel_parts * self.item_parts
    }

    /// The panels and items of a chunk.
    pub(super) fn chunk(&self, chunk: usize) -> [Range<usize>; 2] {
        let (panel, item) = (chunk / self.item_parts, chunk % self.item_parts);
        [
            share(self.panels, self.panel_parts, panel),
            share(self.items, self.item_parts, item),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maps of few pixels and many, and the most pixels of a micro-tile.
    fn tilings() -> impl Iterator<Item = ([usize; 2], bool, usize, MTiling)> {
        let sizes = [1, 2, 5, 7, 13, 14, 15, 28, 56, 57, 113];
        let maps = sizes
            .into_iter()
            .flat_map(move |height| sizes.map(|width| [height, width]));
        let of_mr = maps.flat_map(|map| [2, 6, MAX_MR].map(|mr| (map, mr)));
        let even = of_mr.flat_map(|of| [false, true].map(|even| (of, even)));
        even.map(|(([height, width], mr), even)| {
            let tiling = MTiling::new(height, width, even, mr);
            ([height, width], even, mr, tiling)
        })
    }

    #[test]
    fn every_pixel_is_of_one_micro_tile_and_every_micro_tile_of_one_m_tile() {
        for ([height, width], even, mr, tiling) in tilings() {
            let name = format!("{height}x{width}, {mr}, {even}: {tiling:?}");
            let pixels: Vec<_> = tiling.pixels().flatten().collect();
            assert!(pixels.into_iter().eq(0..height * width), "{name}");
            let micro_tiles: Vec<_> = (0..tiling.m_tiles())
                .flat_map(|m_tile| tiling.micro_tiles_of(m_tile))
                .collect();
            assert!(
                micro_tiles.into_iter().eq(0..tiling.pixels().count()),
                "{name}"
            );
            for micro_tile in tiling.pixels() {
                assert!((1..=mr).contains(&micro_tile.len()), "{name}");
                // Only where all pixels are a step apart may a micro-tile go on in the next row.
                let of_one_row = micro_tile.start / width == (micro_tile.end - 1) / width;
                assert!(even || of_one_row, "{name}");
            }
        }
    }

    #[test]
    fn every_panel_of_every_item_is_of_one_chunk() {
        for [panels, items] in [[1, 1], [1, 100], [3, 7], [16, 56], [128, 1]] {
            for sizes in [[0, 1], [1, 0], [9000, 50_000]] {
                for threads in [1, 2, 7] {
                    let grid = ChunkGrid::of_panels(panels, items, sizes, threads);
                    let mut times = vec![0; panels * items];
                    for chunk in 0..grid.chunks() {
                        let [panels, of_chunk] = grid.chunk(chunk);
                        for panel in panels {
                            for item in of_chunk.clone() {
                                times[panel * items + item] += 1;
                            }
                        }
                    }
                    assert!(times.iter().all(|&times| times == 1), "{grid:?}");
                }
            }
        }
    }
}
