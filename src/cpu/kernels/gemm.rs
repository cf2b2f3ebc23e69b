//! A batch-reduce GEMM: sums over K, whose elements lie in memory as runs at a list of offsets.
//!
//! A convolution is this without a copy of its input: K goes over input blocks, kernel rows and
//! kernel columns, each a run of 16 channels at an offset from where a pixel's window begins.
//!
//! ```text
//! for each micro-tile:                        MR pixels, a stride apart in the source
//!     sums[MR][NR] = 0                        in registers: 14 x 32 for AVX-512, 6 x 16 for AVX2
//!     for each offset of the K-offsets:
//!         for each element of its run:
//!             w[NR] = weights[k]              one row of the panel: NR / lanes vectors
//!             for m in 0..MR:
//!                 x = splat(source[m * stride + offset + element])
//!                 sums[m] += x * w            one multiply-add a vector
//!             k += 1
//!     output[m] = epilogue(sums[m] + bias)
//!
//!                   panel:  k = 0   w00 w01 ... w0F | w10 ... w1F
//!                           k = 1   w00 w01 ... w0F | w10 ... w1F       NR channels
//!                            ...
//!                                    |               |
//!   source     k = 0 1 2 ...         v               v
//!   pixel 0    x0 x1 x2 ...  x0 -> [ sums 0, 0..16 | sums 0, 16..32 ]
//!   pixel 1    x0 x1 x2 ...  x0 -> [ sums 1, 0..16 | sums 1, 16..32 ]   MR pixels
//!    ...                      ^
//!                             one element, in every lane
//! ```
//!
//! Meanwhile it asks for what comes next: the source at the next offset, the cache lines that the
//! epilogue will touch, and the panel that is needed after this one.

use super::vector::VectorElement;
use super::{BLOCK, MAX_MR, MAX_NR_BLOCKS, Memory, MicroTile, Output, reach};
use crate::cpu::element::with_element;
use crate::cpu::isa::Isa;

/// Elements of K that are summed up in a row; sums of so many are then added to each other. That
/// keeps roundings few: the error of a long sum grows with the length of its parts instead of its
/// own.
const K_SEGMENT: usize = 256;

/// Where the elements lie that a pixel is computed from: runs, at offsets from its first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cpu) struct KOffsets {
    pub(super) runs: Vec<KRun>,
    /// Elements of all runs.
    k: usize,
    /// One more than the largest offset of all elements.
    end: usize,
    /// Runs that are summed up in a row.
    runs_of_segment: usize,
    /// Pixels whose output and residual are asked for at each run.
    pub(super) prefetched_pixels_per_run: usize,
}

/// Elements that lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) struct KRun {
    pub(in crate::cpu) offset: usize,
    pub(in crate::cpu) length: usize,
}

impl KOffsets {
    pub(in crate::cpu) fn new(runs: Vec<KRun>) -> Self {
        let ends = runs.iter().map(|run| run.offset.saturating_add(run.length));
        let longest = runs.iter().map(|run| run.length).max().unwrap_or_default();
        Self {
            k: runs
                .iter()
                .fold(0, |k: usize, run| k.saturating_add(run.length)),
            end: ends.max().unwrap_or_default(),
            runs_of_segment: (K_SEGMENT / longest.max(1)).max(1),
            prefetched_pixels_per_run: MAX_MR.div_ceil(runs.len().max(1)),
            runs,
        }
    }

    /// Runs of about [`K_SEGMENT`] elements.
    pub(super) fn segments(&self) -> impl ExactSizeIterator<Item = &[KRun]> {
        self.runs.chunks(self.runs_of_segment)
    }

    /// K: elements of all runs.
    pub(in crate::cpu) fn k(&self) -> usize {
        self.k
    }
}

/// Part of a convolution: for each pixel of all micro-tiles and each channel of a panel the sum
/// over K of source times weight.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Gemm<'a, Source> {
    /// Offset that those of the micro-tiles' sources count from.
    pub(in crate::cpu) source: usize,
    /// From the source of a micro-tile's pixel to that of the next.
    pub(in crate::cpu) pixel_stride: usize,
    pub(in crate::cpu) micro_tiles: &'a [MicroTile],
    pub(in crate::cpu) k_offsets: &'a KOffsets,
    /// The panel: as many elements of K as are multiplied together, of each output channel;
    /// `[K / together][NR][together]`. They are of the source's type.
    pub(in crate::cpu) weights: &'a [Source],
    /// NR in blocks: 1 or 2.
    pub(in crate::cpu) nr_blocks: usize,
    pub(in crate::cpu) output: Output<'a>,
    /// Weights that are needed next, to be brought into a cache meanwhile; a hint that no result
    /// depends on.
    pub(in crate::cpu) prefetch: &'a [Source],
}

/// Computes part of a convolution.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(in crate::cpu) fn gemm<Source: VectorElement>(
    isa: Isa,
    memory: &Memory<'_>,
    gemm: &Gemm<'_, Source>,
) {
    let Gemm {
        k_offsets,
        nr_blocks,
        ..
    } = *gemm;
    assert!((1..=MAX_NR_BLOCKS).contains(&nr_blocks));
    let together = Source::TYPE.together();
    assert!(
        k_offsets
            .runs
            .iter()
            .all(|run| run.length.is_multiple_of(together))
    );
    assert!(gemm.weights.len() >= k_offsets.k().saturating_mul(nr_blocks * BLOCK));
    for micro_tile in gemm.micro_tiles {
        assert!((1..=isa.max_mr()).contains(&micro_tile.pixels));
        let elements = reach(micro_tile.pixels - 1, gemm.pixel_stride, k_offsets.end);
        let elements = micro_tile.source.saturating_add(elements);
        memory.check(Source::TYPE, gemm.source, elements);
    }
    gemm.output.check(memory, gemm.micro_tiles, nr_blocks);
    with_element!(gemm.output.element_type, Stored => {
        dispatch!(isa, gemm::<Source, Stored>, memory, gemm);
    });
}
