//! The batch-reduce GEMM.

use std::ops::Range;

use super::{Vector, store};
use crate::cpu::kernels::{BLOCK, Gemm, MicroTile, Output};
use crate::cpu::share::share;

/// Elements of a run that are added without a branch between them; most runs are of 16.
const UNROLLED: usize = 4;

/// Cache lines of the output that are asked for at once; more would have to wait for each other.
const CACHE_LINES_AT_ONCE: usize = 6;

/// Elements of a cache line.
const CACHE_LINE: usize = 16;

/// The `M` pixels of a micro-tile, by its index, by `W` vectors of channels from `channel` on.
/// `PIXEL_STRIDE` and `NR_BLOCKS` are the argument's where the compiler knows them, else 0.
///
/// # Safety
///
/// [`crate::cpu::kernels::gemm`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn gemm<
    V: Vector,
    const M: usize,
    const W: usize,
    const PIXEL_STRIDE: usize,
    const NR_BLOCKS: usize,
>(
    memory: *mut f32,
    gemm: &Gemm<'_>,
    index: usize,
    channel: usize,
) {
    let stride = if PIXEL_STRIDE == 0 {
        gemm.pixel_stride
    } else {
        PIXEL_STRIDE
    };
    let nr_blocks = if NR_BLOCKS == 0 {
        gemm.nr_blocks
    } else {
        NR_BLOCKS
    };
    let nr = nr_blocks * BLOCK;
    // SAFETY: the caller's.
    unsafe {
        let micro_tile = gemm.micro_tiles.get_unchecked(index);
        let all_runs = &gemm.k_offsets.runs;
        // What the segments before the last have come to; most arguments have but one.
        let mut totals = [[V::splat(0.); W]; M];
        let mut sums = totals;
        let mut prefetched = 0;
        if M * W * V::LANES <= CACHE_LINES_AT_ONCE * CACHE_LINE {
            prefetch_output::<V, W>(memory, &gemm.output, micro_tile, 0..M, channel);
        }
        let mut next_panel = gemm.prefetch.as_ptr();
        let mut lines_per_run = 0;
        if !gemm.prefetch.is_empty() {
            let of_tile = share(gemm.prefetch.len(), gemm.micro_tiles.len(), index);
            next_panel = next_panel.add(of_tile.start);
            lines_per_run = of_tile.len().div_ceil(CACHE_LINE * all_runs.len().max(1));
        }
        let source = memory.cast_const().add(gemm.source + micro_tile.source);
        let mut weights = gemm.weights.as_ptr().add(channel);
        let source_of_next = match (gemm.micro_tiles.get(index + 1), all_runs.first()) {
            (Some(next), Some(first)) => {
                let first = gemm.source + next.source + first.offset;
                memory.cast_const().wrapping_add(first)
            }
            _ => source,
        };
        let mut runs = 0;
        let segments = gemm.k_offsets.segments();
        let several = segments.len() > 1;
        for (segment_index, segment) in segments.enumerate() {
            if segment_index > 0 {
                for m in 0..M {
                    for w in 0..W {
                        totals[m][w] = totals[m][w].add(sums[m][w]);
                        sums[m][w] = V::splat(0.);
                    }
                }
            }
            for run in segment {
                // The next elements, of this micro-tile or the next one, which another core may
                // have written.
                runs += 1;
                let next = match all_runs.get(runs) {
                    Some(next) => source.add(next.offset),
                    None => source_of_next,
                };
                if stride < BLOCK {
                    // Pixels of a plane: a line or two.
                    V::prefetch(next.wrapping_add((M - 1) * stride));
                } else {
                    for m in 0..M {
                        V::prefetch(next.wrapping_add(m * stride));
                    }
                }
                if M * W * V::LANES > CACHE_LINES_AT_ONCE * CACHE_LINE {
                    let end = (prefetched + gemm.k_offsets.prefetched_pixels_per_run).min(M);
                    let pixels = prefetched..end;
                    prefetched = end;
                    prefetch_output::<V, W>(memory, &gemm.output, micro_tile, pixels, channel);
                }
                for _ in 0..lines_per_run {
                    V::prefetch_far(next_panel);
                    next_panel = next_panel.wrapping_add(CACHE_LINE);
                }
                let mut elements = source.add(run.offset);
                let mut rest = run.length;
                while rest >= UNROLLED {
                    for k in 0..UNROLLED {
                        let weights = weights.wrapping_add(k * nr);
                        add_products::<V, M, W>(elements.add(k), stride, weights, &mut sums);
                    }
                    elements = elements.add(UNROLLED);
                    weights = weights.wrapping_add(UNROLLED * nr);
                    rest -= UNROLLED;
                }
                for _ in 0..rest {
                    add_products::<V, M, W>(elements, stride, weights, &mut sums);
                    elements = elements.add(1);
                    // Past the panel's last row it may lie outside, and is not read.
                    weights = weights.wrapping_add(nr);
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
        store(memory, &gemm.output, (index, micro_tile), channel, sums);
    }
}

/// Adds the products of an element of each pixel and its row of weights.
///
/// # Safety
///
/// Elements at each of `M` strides, `W` vectors of weights, and a processor with `V`'s
/// instructions.
#[inline(always)]
unsafe fn add_products<V: Vector, const M: usize, const W: usize>(
    elements: *const f32,
    stride: usize,
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
            let element = V::splat(*elements.add(m * stride));
            for w in 0..W {
                sums[m][w] = element.multiply_add(factors[w], sums[m][w]);
            }
        }
    }
}

/// Asks for the output and the residual of some of a micro-tile's pixels.
///
/// # Safety
///
/// [`Output::check`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
unsafe fn prefetch_output<V: Vector, const W: usize>(
    memory: *mut f32,
    output: &Output<'_>,
    micro_tile: &MicroTile,
    pixels: Range<usize>,
    channel: usize,
) {
    let first = channel / BLOCK;
    for m in pixels {
        for block in first..first + W * V::LANES / BLOCK {
            // SAFETY: the caller's.
            unsafe {
                let view = &output.view;
                let pixel = view.pixel(memory, &micro_tile.output, m);
                V::prefetch(pixel.add(block * view.block_stride));
                let residual = &output.epilogue.residual;
                if let (Some(view), Some(offsets)) = (residual, &micro_tile.residual) {
                    let pixel = view.pixel(memory, offsets, m);
                    V::prefetch(pixel.add(block * view.block_stride));
                }
            }
        }
    }
}
