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

use super::{BLOCK, Epilogue, Narrow, Pixels, Pointwise, Pool, Pooling, Product, Sums};

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

/// Numbers of a cache line.
const LINE: usize = 16;

/// A tile of `M` pixels by `W` vectors, from `first_row` and `first_column` of the product's on.
/// `STEP` and `BLOCKS` are the product's step and blocks where the compiler knows them, else 0.
///
/// # Safety
///
/// [`super::product`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn product<
    V: Vector,
    const M: usize,
    const W: usize,
    const STEP: usize,
    const BLOCKS: usize,
>(
    memory: *mut f32,
    product: &Product<'_>,
    first_row: usize,
    first_column: usize,
) {
    let step = if STEP == 0 { product.step } else { STEP };
    let blocks = if BLOCKS == 0 { product.blocks } else { BLOCKS };
    let width = blocks * BLOCK;
    // SAFETY: the caller's.
    unsafe {
        // What the segments before the last have come to; most products have but one.
        let mut totals = [[V::splat(0.); W]; M];
        let mut sums = totals;
        let mut near = 0;
        let mut ahead = product.ahead.as_ptr();
        let mut fetched = ahead;
        let ahead_step = product.ahead.len() / product.runs.count().max(1);
        let source = memory.cast_const().add(product.source + first_row * step);
        let mut weights = product.weights.as_ptr().add(first_column);
        let segments = product.runs.segments();
        let several = segments.len() > 1;
        for (number, segment) in segments.enumerate() {
            if number > 0 {
                for m in 0..M {
                    for w in 0..W {
                        totals[m][w] = totals[m][w].add(sums[m][w]);
                        sums[m][w] = V::splat(0.);
                    }
                }
            }
            for (run, &offset) in segment.iter().enumerate() {
                // The segment's next numbers, which another core may have written.
                if let Some(&next) = segment.get(run + 1) {
                    for m in 0..M {
                        V::prefetch(source.add(next + m * step));
                    }
                }
                let pixels = near..(near + product.runs.pixels_of_run).min(M);
                near = pixels.end;
                for m in pixels {
                    let first = first_column / BLOCK;
                    let blocks = first..first + W * V::LANES / BLOCK;
                    let row = first_row + m;
                    bring_near::<V>(memory, &product.epilogue.output, row, blocks.clone());
                    if let Some(residual) = &product.epilogue.residual {
                        bring_near::<V>(memory, residual, row, blocks);
                    }
                }
                let mut numbers = source.add(offset);
                let mut rest = product.runs.length;
                while rest >= UNROLLED {
                    ahead = ahead.wrapping_add(UNROLLED * ahead_step);
                    while fetched < ahead {
                        V::prefetch_far(fetched);
                        fetched = fetched.wrapping_add(LINE);
                    }
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
        finish(memory, &product.epilogue, first_row, first_column, sums);
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

/// Asks for some blocks of a pixel.
///
/// # Safety
///
/// [`Epilogue::check`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
unsafe fn bring_near<V: Vector>(
    memory: *mut f32,
    pixels: &Pixels<'_>,
    row: usize,
    blocks: Range<usize>,
) {
    // SAFETY: the caller's.
    unsafe {
        let pixel = pixels.at(memory, row);
        for block in blocks {
            V::prefetch(pixel.add(block * pixels.block));
        }
    }
}

impl Pixels<'_> {
    /// A pixel's first number.
    ///
    /// # Safety
    ///
    /// [`Epilogue::check`]'s checks.
    #[inline(always)]
    unsafe fn at(&self, memory: *mut f32, row: usize) -> *mut f32 {
        // SAFETY: the caller's.
        unsafe {
            let offset = *self.offsets.of_pixels.get_unchecked(row);
            memory.add(self.start).add(offset)
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
    first_row: usize,
    first_column: usize,
    mut sums: [[V; W]; M],
) {
    // SAFETY: the caller's.
    unsafe {
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
        let part = |pixels: &Pixels<'_>, m: usize, w: usize| {
            let column = first_column + w * V::LANES;
            let place = column / BLOCK * pixels.block + column % BLOCK;
            pixels.at(memory, first_row + m).add(place)
        };
        if let Some(residual) = &epilogue.residual {
            for m in 0..M {
                for w in 0..W {
                    sums[m][w] = sums[m][w].add(V::load(part(residual, m, w)));
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
                sums[m][w].store(part(&epilogue.output, m, w));
            }
        }
        if let Some(places) = epilogue.sums {
            for w in 0..W {
                let mut total = V::splat(0.);
                for m in 0..M {
                    total = total.add(sums[m][w]);
                }
                let begin = places.begin && first_row == 0;
                add_sum(
                    memory,
                    places.offset + first_column + w * V::LANES,
                    begin,
                    total,
                );
            }
        }
    }
}

/// # Safety
///
/// A vector's numbers at `offset`, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn add_sum<V: Vector>(memory: *mut f32, offset: usize, begin: bool, total: V) {
    // SAFETY: the caller's.
    unsafe {
        let sum = memory.add(offset);
        let total = if begin {
            total
        } else {
            total.add(V::load(sum))
        };
        total.store(sum);
    }
}

/// `P` pixels of a row, from `first` of the tile's on, in the lanes from `lane` on.
///
/// # Safety
///
/// [`super::narrow`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn narrow<V: Vector, const P: usize, const STRIDE: usize>(
    memory: *mut f32,
    narrow: &Narrow<'_>,
    first: usize,
    lane: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[V::splat(0.); 1]; P];
        let source = memory
            .cast_const()
            .add(narrow.source + first * STRIDE * BLOCK);
        let mut weights = narrow.weights.as_ptr().add(lane);
        for row in 0..3 {
            for lanes in narrow.lanes {
                let half = lanes[lane] as usize / V::LANES * V::LANES;
                let numbers = source.add(row * narrow.row + half);
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
        finish(memory, &narrow.epilogue, first, lane, sums);
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
                                let number = source.add(row * pool.row + column * BLOCK);
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
                                let number = source.add(row * pool.row + column * BLOCK);
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
            if let Some(Sums { offset, begin }) = pool.sums {
                add_sum(memory, offset + lane, begin, total);
            }
        }
    }
}

/// # Safety
///
/// [`super::pointwise`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn pointwise<V: Vector>(memory: *mut f32, pointwise: &Pointwise<'_>) {
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(0.);
        for lane in (0..BLOCK).step_by(V::LANES) {
            let of = |offset: usize| memory.add(offset + lane);
            let mut factor = V::splat(1.);
            let mut bias = zero;
            if let Some([factors, biases]) = pointwise.norm {
                factor = V::load(factors.as_ptr().add(lane));
                bias = V::load(biases.as_ptr().add(lane));
            }
            let mut gate = V::splat(1.);
            if let Some(offset) = pointwise.gate {
                gate = V::load(of(offset));
            }
            let mut total = zero;
            for pixel in 0..pointwise.pixels {
                let mut value = V::load(of(pointwise.source + pixel * BLOCK));
                if pointwise.norm.is_some() {
                    value = value.multiply_add(factor, bias);
                }
                value = value.multiply(gate);
                if let Some(residual) = pointwise.residual {
                    value = value.add(V::load(of(residual + pixel * BLOCK)));
                }
                if pointwise.relu {
                    value = zero.max(value);
                }
                value.store(of(pointwise.output + pixel * BLOCK));
                total = total.add(value);
            }
            if let Some(Sums { offset, begin }) = pointwise.sums {
                add_sum(memory, offset + lane, begin, total);
            }
        }
    }
}
