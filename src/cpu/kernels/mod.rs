//! The inner loops. Nothing else of the engine is unsafe but its team, and the line that shares its
//! memory among the team's threads.
//!
//! A feature map lies in memory as blocks of 16 channels: `[image][block][row][column][16]`, with
//! a border of zeros as wide as its readers need. Every function here takes offsets into one
//! [`Memory`], checks once that all it touches lies inside, and then trusts them. `scalar.rs`
//! reads like the formula; `vector.rs` is the same on any [`vector::Vector`], of which `avx2.rs`,
//! `avx512.rs` and `portable.rs` each have one.
#![allow(
    unsafe_code,
    reason = "vector instructions, and memory that threads share"
)]

mod memory;
mod peak;
mod portable;
mod scalar;
mod vector;
mod winograd;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

pub(super) use memory::Memory;
pub(super) use peak::multiply_adds;
pub use winograd::WinogradTile;
pub(super) use winograd::{InputTransform, OutputTransform};

use super::isa::Isa;

/// Channels that lie together.
pub(super) const BLOCK: usize = 16;

/// The most pixels of a [`MicroTile`].
pub(super) const MAX_MR: usize = 14;

/// The most output channels, in blocks, that one [`Gemm`] computes.
pub(super) const MAX_NR_BLOCKS: usize = 2;

/// Where the numbers lie that a pixel is computed from: runs of so many, at offsets from its first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KOffsets {
    offsets: Vec<usize>,
    run_length: usize,
    /// One more than the largest offset of all numbers.
    end: usize,
    /// Pixels whose output and residual are brought near at each run.
    prefetched_pixels_per_run: usize,
}

/// Numbers summed up in a row; sums of so many are then added to each other. That keeps roundings
/// few: the error of a long sum grows with the length of its parts instead of its own.
const K_SEGMENT: usize = 256;

impl KOffsets {
    pub(super) fn new(offsets: Vec<usize>, length: usize) -> Self {
        let end = offsets
            .iter()
            .max()
            .map_or(0, |&last| last.saturating_add(length));
        Self {
            prefetched_pixels_per_run: MAX_MR.div_ceil(offsets.len().max(1)),
            offsets,
            run_length: length,
            end,
        }
    }

    /// Runs of about [`K_SEGMENT`] numbers.
    fn segments(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.offsets
            .chunks((K_SEGMENT / self.run_length.max(1)).max(1))
    }

    /// Numbers in all runs.
    pub(super) fn k(&self) -> usize {
        self.offsets.len().saturating_mul(self.run_length)
    }
}

/// Where up to [`MAX_MR`] pixels lie in a map, from an image's block of channels on. A plan has
/// these for every pixel, so they are small; it refuses what is too large for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PixelOffsets {
    offsets: [u32; MAX_MR],
    count: u32,
    largest: u32,
}

impl PixelOffsets {
    /// The first [`MAX_MR`] of these.
    pub(super) fn new(all: impl Iterator<Item = usize>) -> Self {
        let mut of_pixels = [0; MAX_MR];
        let mut count = 0;
        for (place, offset) in of_pixels.iter_mut().zip(all) {
            *place = u32::try_from(offset).unwrap_or(u32::MAX);
            count += 1;
        }
        Self {
            offsets: of_pixels,
            count,
            largest: of_pixels.into_iter().max().unwrap_or_default(),
        }
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.count as usize
    }

    /// One after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let offsets = self.offsets[..self.count()].iter();
        offsets.map(|&offset| offset as usize)
    }
}

/// Pixels that are computed at once, an even step apart in the source.
#[derive(Debug, Clone)]
pub(super) struct MicroTile {
    pub(super) pixels: usize,
    /// Of its first pixel, from an image's block on.
    pub(super) source: usize,
    pub(super) output: PixelOffsets,
    /// Where something is added to them.
    pub(super) residual: Option<PixelOffsets>,
}

/// What the offsets of micro-tiles count from.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockView {
    /// The image's first block of these channels.
    pub(super) offset: usize,
    /// From one block of channels to the next.
    pub(super) block_stride: usize,
}

/// What becomes of a sum: (sum + bias) * gate + residual, rectified, stored and summed up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epilogue<'a> {
    /// For each output channel.
    pub(super) bias: &'a [f32],
    /// Offset of a factor for each output channel.
    pub(super) gate: Option<usize>,
    pub(super) residual: Option<BlockView>,
    pub(super) relu: bool,
    pub(super) output: BlockView,
    /// Offset of a sum over all pixels for each output channel.
    pub(super) sums: Option<usize>,
}

/// A part of a convolution: for each pixel of all micro-tiles and each of 16 or 32 output channels the
/// sum over all runs of source times weight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gemm<'a> {
    /// Offset that those of the micro-tiles' sources count from.
    pub(super) source: usize,
    /// From one pixel of a micro-tile to the next.
    pub(super) pixel_stride: usize,
    pub(super) micro_tiles: &'a [MicroTile],
    pub(super) k_offsets: &'a KOffsets,
    /// `[numbers in all runs][output channels]`.
    pub(super) weights: &'a [f32],
    /// Output channels, in blocks: 1 or 2.
    pub(super) nr_blocks: usize,
    /// Weights that are needed next, to be brought near meanwhile; a hint that no result depends
    /// on.
    pub(super) prefetch: &'a [f32],
    pub(super) epilogue: Epilogue<'a>,
}

/// A part of a 3x3 convolution whose groups are narrower than a block: for each pixel of all micro-tiles,
/// each of which is of one row, and each channel of one block.
#[derive(Debug, Clone, Copy)]
pub(super) struct SmallGroup<'a> {
    /// Offset that those of the micro-tiles' sources count from: of the input block's lane 0.
    pub(super) source: usize,
    /// From one row of the source to the next.
    pub(super) row_stride: usize,
    /// 1 or 2.
    pub(super) stride: usize,
    pub(super) micro_tiles: &'a [MicroTile],
    /// For each input channel of a group: the lane that it has for each output channel.
    pub(super) lanes: &'a [[u32; BLOCK]],
    /// `[kernel row][input channel][kernel column][16]`.
    pub(super) weights: &'a [f32],
    pub(super) epilogue: Epilogue<'a>,
}

/// What a pool makes of the pixels under its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    Max,
    Mean,
}

/// A row of a pool's output, one block of channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool<'a> {
    pub(super) pooling: Pooling,
    /// Offset of the first of the rows that the window covers.
    pub(super) source: usize,
    /// From one row of the source to the next.
    pub(super) row_stride: usize,
    /// Rows that the window covers.
    pub(super) rows: usize,
    /// For each pixel of the output: the columns that the window covers.
    pub(super) columns: &'a [[usize; 2]],
    /// What a mean's sum is multiplied by, for each pixel.
    pub(super) factors: &'a [f32],
    /// Offset of the output's row.
    pub(super) output: usize,
    pub(super) sums: Option<usize>,
}

/// A row of a map, one block of channels: (source * factor + bias) * gate + residual, rectified.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elementwise<'a> {
    pub(super) source: usize,
    pub(super) pixels: usize,
    /// 16 factors and 16 biases.
    pub(super) norm: Option<[&'a [f32]; 2]>,
    /// Offset of 16 factors.
    pub(super) gate: Option<usize>,
    pub(super) residual: Option<usize>,
    pub(super) relu: bool,
    pub(super) output: usize,
    pub(super) sums: Option<usize>,
}

/// Chooses the instruction set's own function for a checked argument.
macro_rules! dispatch {
    ($isa:expr, $name:ident, $memory:expr, $argument:expr) => {
        match $isa {
            Isa::Scalar => scalar::$name($memory, $argument),
            // SAFETY: checked above, as the function asks.
            Isa::Portable => unsafe { portable::$name($memory.base(), $argument) },
            // SAFETY: checked above; an `Isa` that is not available is refused when an engine
            // is made (`Isa::checked`).
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { avx2::$name($memory.base(), $argument) },
            // SAFETY: as for AVX2.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { avx512::$name($memory.base(), $argument) },
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => scalar::$name($memory, $argument),
        }
    };
}

/// Numbers from the first of something to its end: so many steps on, and then some more. As large
/// as can be where that cannot be counted, so that no memory has them.
fn reach(steps: usize, step: usize, more: usize) -> usize {
    steps.saturating_mul(step).saturating_add(more)
}

impl Epilogue<'_> {
    fn check(&self, memory: &Memory<'_>, micro_tiles: &[MicroTile], blocks: usize) {
        let width = blocks * BLOCK;
        assert!(self.bias.len() >= width);
        let inside = |place: &BlockView, rows: usize, offsets: &PixelOffsets| {
            assert!(rows <= offsets.count());
            let of_blocks = reach(blocks - 1, place.block_stride, BLOCK);
            let last = offsets.largest as usize;
            memory.check(place.offset, last.saturating_add(of_blocks));
        };
        for micro_tile in micro_tiles {
            inside(&self.output, micro_tile.pixels, &micro_tile.output);
            assert!(self.residual.is_none() || micro_tile.residual.is_some());
            if let (Some(residual), Some(offsets)) = (&self.residual, &micro_tile.residual) {
                inside(residual, micro_tile.pixels, offsets);
            }
        }
        if let Some(gate) = self.gate {
            memory.check(gate, width);
        }
        if let Some(sums) = self.sums {
            memory.check(sums, width);
        }
    }
}

/// Computes a part of a convolution.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(super) fn gemm(isa: Isa, memory: &Memory<'_>, gemm: &Gemm<'_>) {
    let Gemm {
        micro_tiles,
        nr_blocks: blocks,
        ..
    } = *gemm;
    assert!((1..=MAX_NR_BLOCKS).contains(&blocks));
    assert!(gemm.weights.len() >= gemm.k_offsets.k().saturating_mul(blocks * BLOCK));
    for micro_tile in micro_tiles {
        assert!((1..=isa.max_mr()).contains(&micro_tile.pixels));
        let numbers = reach(micro_tile.pixels - 1, gemm.pixel_stride, gemm.k_offsets.end);
        memory.check(gemm.source, micro_tile.source.saturating_add(numbers));
    }
    gemm.epilogue.check(memory, micro_tiles, blocks);
    dispatch!(isa, gemm, memory, gemm);
}

/// Computes a part of a convolution of narrow groups.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(super) fn small_group(isa: Isa, memory: &Memory<'_>, small_group: &SmallGroup<'_>) {
    let SmallGroup {
        micro_tiles,
        stride,
        ..
    } = *small_group;
    assert!((1..=2).contains(&stride));
    assert!(small_group.weights.len() >= 9 * small_group.lanes.len() * BLOCK);
    for micro_tile in micro_tiles {
        assert!((1..=isa.max_mr()).contains(&micro_tile.pixels));
        let columns = (micro_tile.pixels - 1) * stride + 3;
        let numbers = reach(2, small_group.row_stride, columns * BLOCK);
        memory.check(
            small_group.source,
            micro_tile.source.saturating_add(numbers),
        );
    }
    for lanes in small_group.lanes {
        // Whole halves of a block come from one half of the source's.
        for half in lanes.chunks_exact(BLOCK / 2) {
            assert!(
                half.iter()
                    .all(|&lane| { lane < 16 && lane / 8 == half[0] / 8 })
            );
        }
    }
    small_group.epilogue.check(memory, micro_tiles, 1);
    dispatch!(isa, small_group, memory, small_group);
}

/// Computes a row of a pool.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(super) fn pool(isa: Isa, memory: &Memory<'_>, pool: &Pool<'_>) {
    let end = pool.columns.iter().map(|columns| columns[1]).max();
    if let Some(last) = pool.rows.checked_sub(1) {
        let of_row = end.unwrap_or(0).saturating_mul(BLOCK);
        memory.check(pool.source, reach(last, pool.row_stride, of_row));
    }
    assert!(pool.pooling == Pooling::Max || pool.factors.len() == pool.columns.len());
    memory.check(pool.output, pool.columns.len() * BLOCK);
    if let Some(sums) = pool.sums {
        memory.check(sums, BLOCK);
    }
    dispatch!(isa, pool, memory, pool);
}

/// Computes a row of what changes each number alone.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(super) fn elementwise(isa: Isa, memory: &Memory<'_>, elementwise: &Elementwise<'_>) {
    let length = elementwise.pixels.saturating_mul(BLOCK);
    memory.check(elementwise.source, length);
    memory.check(elementwise.output, length);
    if let Some(residual) = elementwise.residual {
        memory.check(residual, length);
    }
    if let Some(gate) = elementwise.gate {
        memory.check(gate, BLOCK);
    }
    if let Some(sums) = elementwise.sums {
        memory.check(sums, BLOCK);
    }
    if let Some(norm) = elementwise.norm {
        assert!(norm.iter().all(|numbers| numbers.len() >= BLOCK));
    }
    dispatch!(isa, elementwise, memory, elementwise);
}

/// Transforms a row of tiles of the input.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(super) fn input_transform(isa: Isa, memory: &Memory<'_>, tiles: &InputTransform) {
    let (numbers, side) = (tiles.tile.input_side(), tiles.tile.output_side());
    let Some(last) = tiles.tiles.checked_sub(1) else {
        return;
    };
    let width = reach(last, side * BLOCK, numbers * BLOCK);
    memory.check(tiles.source, reach(numbers - 1, tiles.row_stride, width));
    let of_tiles = tiles.tiles.saturating_mul(BLOCK);
    memory.check(
        tiles.output,
        reach(numbers * numbers - 1, tiles.element_stride, of_tiles),
    );
    dispatch!(isa, input_transform, memory, tiles);
}

/// Transforms a row of tiles of the output, and finishes it.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(super) fn output_transform(isa: Isa, memory: &Memory<'_>, tiles: &OutputTransform<'_>) {
    let (numbers, side) = (tiles.tile.input_side(), tiles.tile.output_side());
    let count = tiles.width.div_ceil(side);
    assert!(tiles.bias.len() >= BLOCK && (1..=side).contains(&tiles.rows) && count > 0);
    let of_tiles = count.saturating_mul(BLOCK);
    memory.check(
        tiles.source,
        reach(numbers * numbers - 1, tiles.element_stride, of_tiles),
    );
    let of_row = tiles.width.saturating_mul(BLOCK);
    for [offset, step] in tiles.residual.into_iter().chain([tiles.output]) {
        memory.check(offset, reach(tiles.rows - 1, step, of_row));
    }
    if let Some(gate) = tiles.gate {
        memory.check(gate, BLOCK);
    }
    if let Some(sums) = tiles.sums {
        memory.check(sums, BLOCK);
    }
    dispatch!(isa, output_transform, memory, tiles);
}
