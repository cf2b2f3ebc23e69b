//! The kernels on any vector of numbers; the compiler makes one of each for each.
//!
//! Everything here is `inline(always)`: it becomes part of a function that enables its vector's
//! instructions, and only there do the vectors stay in registers.
#![allow(
    clippy::inline_always,
    reason = "see above: without it every vector goes through memory"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "loops over constant bounds unroll into registers; iterators over arrays may not"
)]

use std::ops::Range;

use super::{
    BLOCK, BlockView, Elementwise, Epilogue, Gemm, MicroTile, PixelOffsets, Pool, Pooling,
    SmallGroup,
};
use crate::cpu::view::share;

/// A vector of 8 or 16 numbers.
///
/// # Safety
///
/// Every function needs a processor with the vector's instructions; `load` and `store` need a
/// pointer to as many numbers as there are lanes, and `permuted` to as many lane numbers.
pub(super) trait Vector: Copy {
    const LANES: usize;

    unsafe fn splat(number: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self * factor + sum`.
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn subtract(self, other: Self) -> Self;
    unsafe fn multiply(self, other: Self) -> Self;
    /// The larger of each two; `other`'s where one of them is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// Asks for the cache line at any address to be brought into the nearest cache.
    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {}
    /// Into the second nearest.
    #[inline(always)]
    unsafe fn prefetch_far(_at: *const f32) {}
    /// In each lane the number of the lane named there, modulo the count of lanes.
    unsafe fn permuted(self, lanes: *const u32) -> Self;
}

/// Numbers of a run that are added without a branch between them; most runs are of 16.
const UNROLLED: usize = 4;

/// Cache lines of the output that are asked for at once; more would have to wait for each other.
const LINES_AT_ONCE: usize = 6;

/// Numbers of a cache line.
const LINE: usize = 16;

/// The `M` pixels of a micro-tile, by its number, by `W` vectors from `first_column` of the product's on.
/// `STEP` and `BLOCKS` are the product's step and blocks where the compiler knows them, else 0.
///
/// # Safety
///
/// [`super::gemm`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn gemm<
    V: Vector,
    const M: usize,
    const W: usize,
    const STEP: usize,
    const BLOCKS: usize,
>(
    memory: *mut f32,
    gemm: &Gemm<'_>,
    number: usize,
    first_column: usize,
) {
    let step = if STEP == 0 { gemm.pixel_stride } else { STEP };
    let blocks = if BLOCKS == 0 { gemm.nr_blocks } else { BLOCKS };
    let width = blocks * BLOCK;
    // SAFETY: the caller's.
    unsafe {
        let micro_tile = gemm.micro_tiles.get_unchecked(number);
        let offsets = &gemm.k_offsets.offsets;
        // What the segments before the last have come to; most products have but one.
        let mut totals = [[V::splat(0.); W]; M];
        let mut sums = totals;
        let mut near = 0;
        if M * W * V::LANES <= LINES_AT_ONCE * LINE {
            bring_near::<V, W>(memory, &gemm.epilogue, micro_tile, 0..M, first_column);
        }
        let mut ahead = gemm.prefetch.as_ptr();
        let mut ahead_of_run = 0;
        if !gemm.prefetch.is_empty() {
            let of_tile = share(gemm.prefetch.len(), gemm.micro_tiles.len(), number);
            ahead = ahead.add(of_tile.start);
            ahead_of_run = of_tile.len().div_ceil(LINE * offsets.len().max(1));
        }
        let source = memory.cast_const().add(gemm.source + micro_tile.source);
        let mut weights = gemm.weights.as_ptr().add(first_column);
        let source_of_next = match (gemm.micro_tiles.get(number + 1), offsets.first()) {
            (Some(next), Some(first)) => {
                let first = gemm.source + next.source + first;
                memory.cast_const().wrapping_add(first)
            }
            _ => source,
        };
        let mut done = 0;
        let segments = gemm.k_offsets.segments();
        let several = segments.len() > 1;
        for (index, segment) in segments.enumerate() {
            if index > 0 {
                for m in 0..M {
                    for w in 0..W {
                        totals[m][w] = totals[m][w].add(sums[m][w]);
                        sums[m][w] = V::splat(0.);
                    }
                }
            }
            for &offset in segment {
                // The next numbers, of this micro-tile or the next one, which another core may have
                // written.
                done += 1;
                let next = match offsets.get(done) {
                    Some(&offset) => source.add(offset),
                    None => source_of_next,
                };
                for m in 0..M {
                    V::prefetch(next.wrapping_add(m * step));
                }
                if M * W * V::LANES > LINES_AT_ONCE * LINE {
                    let pixels = near..(near + gemm.k_offsets.prefetched_pixels_per_run).min(M);
                    near = pixels.end;
                    bring_near::<V, W>(memory, &gemm.epilogue, micro_tile, pixels, first_column);
                }
                for _ in 0..ahead_of_run {
                    V::prefetch_far(ahead);
                    ahead = ahead.wrapping_add(LINE);
                }
                let mut numbers = source.add(offset);
                let mut rest = gemm.k_offsets.run_length;
                while rest >= UNROLLED {
                    for number in 0..UNROLLED {
                        let weights = weights.wrapping_add(number * width);
                        add_products::<V, M, W>(numbers.add(number), step, weights, &mut sums);
                    }
                    numbers = numbers.add(UNROLLED);
                    weights = weights.wrapping_add(UNROLLED * width);
                    rest -= UNROLLED;
                }
                for _ in 0..rest {
                    add_products::<V, M, W>(numbers, step, weights, &mut sums);
                    numbers = numbers.add(1);
                    // Past the last row it may lie outside, and is not read.
                    weights = weights.wrapping_add(width);
                }
            }
        }
        if several {
            for m in 0..M {
                for w in 0..W {
                    sums[m][w] = totals[m][w].add(sums[m][w]);
                }
            }
        }
        finish(
            memory,
            &gemm.epilogue,
            (number, micro_tile),
            first_column,
            sums,
        );
    }
}

/// Adds the products of a number of each pixel and its row of weights.
///
/// # Safety
///
/// Numbers at each of `M` steps, `W` vectors of weights, and a processor with `V`'s instructions.
#[inline(always)]
unsafe fn add_products<V: Vector, const M: usize, const W: usize>(
    numbers: *const f32,
    step: usize,
    weights: *const f32,
    sums: &mut [[V; W]; M],
) {
    // SAFETY: the caller's.
    unsafe {
        let mut factors = [V::splat(0.); W];
        for w in 0..W {
            factors[w] = V::load(weights.add(w * V::LANES));
        }
        for m in 0..M {
            let number = V::splat(*numbers.add(m * step));
            for w in 0..W {
                sums[m][w] = number.multiply_add(factors[w], sums[m][w]);
            }
        }
    }
}

/// Asks for what the epilogue of some of a micro-tile's pixels touches.
///
/// # Safety
///
/// [`Epilogue::check`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
unsafe fn bring_near<V: Vector, const W: usize>(
    memory: *mut f32,
    epilogue: &Epilogue<'_>,
    micro_tile: &MicroTile,
    rows: Range<usize>,
    first_column: usize,
) {
    let first = first_column / BLOCK;
    for row in rows {
        for block in first..first + W * V::LANES / BLOCK {
            // SAFETY: the caller's.
            unsafe {
                let output = epilogue.output.pixel(memory, &micro_tile.output, row);
                V::prefetch(output.add(block * epilogue.output.block_stride));
                if let (Some(place), Some(offsets)) = (&epilogue.residual, &micro_tile.residual) {
                    let residual = place.pixel(memory, offsets, row);
                    V::prefetch(residual.add(block * place.block_stride));
                }
            }
        }
    }
}

impl BlockView {
    /// A pixel's first number.
    ///
    /// # Safety
    ///
    /// [`Epilogue::check`]'s checks.
    #[inline(always)]
    unsafe fn pixel(&self, memory: *mut f32, offsets: &PixelOffsets, row: usize) -> *mut f32 {
        // SAFETY: the caller's.
        unsafe {
            let offset = *offsets.offsets.get_unchecked(row);
            memory.add(self.offset).add(offset as usize)
        }
    }
}

/// # Safety
///
/// [`Epilogue::check`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
unsafe fn finish<V: Vector, const M: usize, const W: usize>(
    memory: *mut f32,
    epilogue: &Epilogue<'_>,
    (number, micro_tile): (usize, &MicroTile),
    first_column: usize,
    mut sums: [[V; W]; M],
) {
    // SAFETY: the caller's.
    unsafe {
        let part = |place: &BlockView, offsets: &PixelOffsets, m: usize, w: usize| {
            let column = first_column + w * V::LANES;
            let from_pixel = column / BLOCK * place.block_stride + column % BLOCK;
            place.pixel(memory, offsets, m).add(from_pixel)
        };
        let output = |m: usize, w: usize| part(&epilogue.output, &micro_tile.output, m, w);
        // Step by step, each for all sums at once: they stay in registers.
        for w in 0..W {
            let column = first_column + w * V::LANES;
            let bias = V::load(epilogue.bias.as_ptr().add(column));
            for m in 0..M {
                sums[m][w] = sums[m][w].add(bias);
            }
            if let Some(gate) = epilogue.gate {
                let gate = V::load(memory.add(gate + column));
                for m in 0..M {
                    sums[m][w] = sums[m][w].multiply(gate);
                }
            }
        }
        if let (Some(place), Some(offsets)) = (&epilogue.residual, &micro_tile.residual) {
            for m in 0..M {
                for w in 0..W {
                    sums[m][w] = sums[m][w].add(V::load(part(place, offsets, m, w)));
                }
            }
        }
        if epilogue.relu {
            for m in 0..M {
                for w in 0..W {
                    sums[m][w] = V::splat(0.).max(sums[m][w]);
                }
            }
        }
        for m in 0..M {
            for w in 0..W {
                sums[m][w].store(output(m, w));
            }
        }
        if let Some(offset) = epilogue.sums {
            for w in 0..W {
                let sum = memory.add(offset + first_column + w * V::LANES);
                let mut total = V::splat(0.);
                for m in 0..M {
                    total = total.add(sums[m][w]);
                }
                if number > 0 {
                    total = total.add(V::load(sum));
                }
                total.store(sum);
            }
        }
    }
}

/// The `P` pixels of a micro-tile, by its number, in the lanes from `lane` on.
///
/// # Safety
///
/// [`super::small_group`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn small_group<V: Vector, const P: usize, const STRIDE: usize>(
    memory: *mut f32,
    small_group: &SmallGroup<'_>,
    number: usize,
    lane: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let micro_tile = small_group.micro_tiles.get_unchecked(number);
        let mut sums = [[V::splat(0.); 1]; P];
        let source = memory
            .cast_const()
            .add(small_group.source + micro_tile.source);
        let mut weights = small_group.weights.as_ptr().add(lane);
        for row in 0..3 {
            for lanes in small_group.lanes {
                let half = lanes[lane] as usize / V::LANES * V::LANES;
                let numbers = source.add(row * small_group.row_stride + half);
                let lanes = lanes.as_ptr().add(lane);
                let mut factors = [V::splat(0.); 3];
                for kernel_column in 0..3 {
                    factors[kernel_column] = V::load(weights.add(kernel_column * BLOCK));
                }
                let spread = |column: usize| V::load(numbers.add(column * BLOCK)).permuted(lanes);
                // A window of three columns slides along the row.
                let mut window = [spread(0), spread(1), spread(0)];
                for pixel in 0..P {
                    if STRIDE == 2 && pixel > 0 {
                        window[1] = spread(pixel * 2 + 1);
                    }
                    window[2] = spread(pixel * STRIDE + 2);
                    for kernel_column in 0..3 {
                        sums[pixel][0] = window[kernel_column]
                            .multiply_add(factors[kernel_column], sums[pixel][0]);
                    }
                    if STRIDE == 2 {
                        window[0] = window[2];
                    } else {
                        window = [window[1], window[2], window[2]];
                    }
                }
                weights = weights.wrapping_add(3 * BLOCK);
            }
        }
        finish(
            memory,
            &small_group.epilogue,
            (number, micro_tile),
            lane,
            sums,
        );
    }
}

/// # Safety
///
/// [`super::pool`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn pool<V: Vector>(memory: *mut f32, pool: &Pool<'_>) {
    // SAFETY: the caller's.
    unsafe {
        for lane in (0..BLOCK).step_by(V::LANES) {
            let source = memory.cast_const().add(pool.source + lane);
            let mut total = V::splat(0.);
            for (pixel, &[first, end]) in pool.columns.iter().enumerate() {
                let value = match pool.pooling {
                    Pooling::Max => {
                        let mut largest = V::splat(f32::NEG_INFINITY);
                        for row in 0..pool.rows {
                            for column in first..end {
                                let number = source.add(row * pool.row_stride + column * BLOCK);
                                largest = largest.max(V::load(number));
                            }
                        }
                        largest
                    }
                    Pooling::Mean => {
                        let mut sum = V::splat(0.);
                        for row in 0..pool.rows {
                            let mut of_row = V::splat(0.);
                            for column in first..end {
                                let number = source.add(row * pool.row_stride + column * BLOCK);
                                of_row = of_row.add(V::load(number));
                            }
                            sum = sum.add(of_row);
                        }
                        sum.multiply(V::splat(*pool.factors.get_unchecked(pixel)))
                    }
                };
                value.store(memory.add(pool.output + pixel * BLOCK + lane));
                total = total.add(value);
            }
            if let Some(offset) = pool.sums {
                total.store(memory.add(offset + lane));
            }
        }
    }
}

/// # Safety
///
/// [`super::elementwise`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn elementwise<V: Vector>(memory: *mut f32, elementwise: &Elementwise<'_>) {
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(0.);
        for lane in (0..BLOCK).step_by(V::LANES) {
            let of = |offset: usize| memory.add(offset + lane);
            let mut factor = V::splat(1.);
            let mut bias = zero;
            if let Some([factors, biases]) = elementwise.norm {
                factor = V::load(factors.as_ptr().add(lane));
                bias = V::load(biases.as_ptr().add(lane));
            }
            let mut gate = V::splat(1.);
            if let Some(offset) = elementwise.gate {
                gate = V::load(of(offset));
            }
            let mut total = zero;
            for pixel in 0..elementwise.pixels {
                let mut value = V::load(of(elementwise.source + pixel * BLOCK));
                if elementwise.norm.is_some() {
                    value = value.multiply_add(factor, bias);
                }
                value = value.multiply(gate);
                if let Some(residual) = elementwise.residual {
                    value = value.add(V::load(of(residual + pixel * BLOCK)));
                }
                if elementwise.relu {
                    value = zero.max(value);
                }
                value.store(of(elementwise.output + pixel * BLOCK));
                total = total.add(value);
            }
            if let Some(offset) = elementwise.sums {
                total.store(of(offset));
            }
        }
    }
}
