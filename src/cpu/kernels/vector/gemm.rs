//! The batch-reduce GEMM.

use std::ops::Range;

use super::{Vector, VectorElement, at, store};
use crate::cpu::kernels::{BLOCK, Gemm, MicroTile, Output};
use crate::cpu::share::share;

/// Steps of a run, each of as many elements as are multiplied together, that are done without a branch
/// between them; most runs are of 16 elements.
const UNROLLED: usize = 4;

/// Cache lines of the output that are asked for at once; more would have to wait for each other.
const CACHE_LINES_AT_ONCE: usize = 6;

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

/// The `M` pixels of a micro-tile, by its index, by `W` vectors of channels from `channel` on.
/// `PIXEL_STRIDE` and `NR_BLOCKS` are the argument's where the compiler knows them, else 0.
///
/// # Safety
///
/// [`crate::cpu::kernels::gemm`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn gemm<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
    const M: usize,
    const W: usize,
    const PIXEL_STRIDE: usize,
    const NR_BLOCKS: usize,
>(
    memory: *mut u8,
    gemm: &Gemm<'_, Source>,
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
    let together = const { Source::TYPE.together() };
    let row = nr_blocks * BLOCK * together;
    let line = const { CACHE_LINE / Source::TYPE.size() };
    // SAFETY: the caller's.
    unsafe {
        let micro_tile = gemm.micro_tiles.get_unchecked(index);
        let all_runs = &gemm.k_offsets.runs;
        // What the segments before the last have come to; most arguments have but one.
        let mut totals = [[V::splat(0.); W]; M];
        let mut sums = totals;
        let mut prefetched = 0;
        if M * W * V::LANES <= CACHE_LINES_AT_ONCE * BLOCK {
            prefetch_output::<V, Stored, W>(memory, &gemm.output, micro_tile, 0..M, channel);
        }
        let mut next_panel = gemm.prefetch.as_ptr();
        let mut lines_per_run = 0;
        if !gemm.prefetch.is_empty() {
            let of_tile = share(gemm.prefetch.len(), gemm.micro_tiles.len(), index);
            next_panel = next_panel.add(of_tile.start);
            lines_per_run = of_tile.len().div_ceil(line * all_runs.len().max(1));
        }
        let source = at::<Source>(memory, gemm.source + micro_tile.source).cast_const();
        let mut weights = gemm.weights.as_ptr().add(channel * together);
        let source_of_next = match (gemm.micro_tiles.get(index + 1), all_runs.first()) {
            (Some(next), Some(first)) => {
                let first = gemm.source + next.source + first.offset;
                memory.cast::<Source>().cast_const().wrapping_add(first)
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
                prefetch_source::<V, Source, M, PIXEL_STRIDE>(next, stride);
                if M * W * V::LANES > CACHE_LINES_AT_ONCE * BLOCK {
                    let end = (prefetched + gemm.k_offsets.prefetched_pixels_per_run).min(M);
                    let pixels = prefetched..end;
                    prefetched = end;
                    let output = &gemm.output;
                    prefetch_output::<V, Stored, W>(memory, output, micro_tile, pixels, channel);
                }
                for _ in 0..lines_per_run {
                    V::prefetch_far(next_panel.cast());
                    next_panel = next_panel.wrapping_add(line);
                }
                let mut elements = source.add(run.offset);
                let mut rest = run.length / together;
                while rest >= UNROLLED {
                    for k in 0..UNROLLED {
                        let elements = elements.add(k * together);
                        let weights = weights.wrapping_add(k * row);
                        Source::add_products::<V, M, W>(elements, stride, weights, &mut sums);
                    }
                    elements = elements.add(UNROLLED * together);
                    weights = weights.wrapping_add(UNROLLED * row);
                    rest -= UNROLLED;
                }
                for _ in 0..rest {
                    Source::add_products::<V, M, W>(elements, stride, weights, &mut sums);
                    elements = elements.add(together);
                    // Past the panel's last row it may lie outside, and is not read.
                    weights = weights.wrapping_add(row);
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
        let pixels = (index, micro_tile);
        store::<V, Stored, M, W>(memory, &gemm.output, pixels, channel, sums);
    }
}

/// Asks for an element of each of `M` pixels, so many elements apart; `PIXEL_STRIDE` is that where the
/// compiler knows it, else 0.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn prefetch_source<
    V: Vector,
    Source: VectorElement,
    const M: usize,
    const PIXEL_STRIDE: usize,
>(
    first: *const Source,
    stride: usize,
) {
    let of_line = const { CACHE_LINE / Source::TYPE.size() };
    // Those of one line once; of a plane's pixels, which take a line or two, the last.
    let step = match PIXEL_STRIDE {
        0 if stride < BLOCK => M,
        0 => 1,
        _ => of_line / PIXEL_STRIDE,
    };
    // SAFETY: the caller's.
    unsafe {
        if step < M {
            for m in (0..M).step_by(step) {
                V::prefetch(first.wrapping_add(m * stride).cast());
            }
        }
        // Wherever in a line the first one begins.
        if step > 1 {
            V::prefetch(first.wrapping_add((M - 1) * stride).cast());
        }
    }
}

/// Asks for the output and the residual of some of a micro-tile's pixels.
///
/// # Safety
///
/// [`Output::check`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
unsafe fn prefetch_output<V: Vector, Stored: VectorElement, const W: usize>(
    memory: *mut u8,
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
                let pixel = view.pixel::<Stored>(memory, &micro_tile.output, m);
                V::prefetch(pixel.add(block * view.block_stride).cast_const().cast());
                let residual = &output.epilogue.residual;
                if let (Some(view), Some(offsets)) = (residual, &micro_tile.residual) {
                    let pixel = view.pixel::<Stored>(memory, offsets, m);
                    V::prefetch(pixel.add(block * view.block_stride).cast_const().cast());
                }
            }
        }
    }
}
