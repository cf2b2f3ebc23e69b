//! Where a pool's windows stand.

use crate::cpu::fuse::PoolKind;
use crate::cpu::kernels::Pooling;
use crate::cpu::pack::round;
use crate::error::Result;
use crate::network::geometry::{Extent, adaptive, blur, blur_factors, reflected};

/// What the windows of a pool cover of its source.
#[derive(Debug, Clone)]
pub(super) struct PoolWindows {
    pub(super) pooling: Pooling,
    /// From where to before where each window stands.
    pub(super) rows: Vec<[usize; 2]>,
    pub(super) columns: Vec<[usize; 2]>,
    /// For each row of the output, for each of its columns, what a sum is multiplied by; none for a
    /// largest element.
    pub(super) factors: Vec<Vec<f32>>,
    /// For each row and each column of the output, a filter's factors of what its window covers.
    pub(super) taps: [Vec<Vec<f32>>; 2],
}

impl PoolWindows {
    /// # Errors
    ///
    /// A window that does not fit a source of this height and width.
    pub(super) fn new(kind: PoolKind, size: [usize; 2]) -> Result<Self> {
        let without_taps = |pooling, [rows, columns]: [_; 2], factors| Self {
            pooling,
            rows,
            columns,
            factors,
            taps: [Vec::new(), Vec::new()],
        };
        Ok(match kind {
            PoolKind::Max(window) => without_taps(Pooling::Max, window.covered(size)?, Vec::new()),
            PoolKind::GlobalMax => {
                let whole = size.map(|length| vec![[0, length]]);
                without_taps(Pooling::Max, whole, Vec::new())
            }
            PoolKind::Average { window, border } => {
                let factors = factors(&window.divisors(size, border)?);
                without_taps(Pooling::Mean, window.covered(size)?, factors)
            }
            PoolKind::AdaptiveAverage([height, width]) => {
                let ranges = [adaptive(size[0], height)?, adaptive(size[1], width)?];
                let lengths = ranges.each_ref().map(|ranges| {
                    let lengths = ranges.iter().map(|[first, end]| end - first);
                    lengths.collect()
                });
                without_taps(Pooling::Mean, ranges, factors(&lengths))
            }
            PoolKind::Blur { size: taps, stride } => {
                let extents = blur(taps, stride, size)?;
                let factors = blur_factors(taps);
                let along = [0, 1].map(|axis| {
                    let Extent { before, output, .. } = extents[axis];
                    let positions = 0..output;
                    let first =
                        |position: usize| (position * stride).cast_signed() - before.cast_signed();
                    positions
                        .map(|position| folded(first(position), &factors, size[axis]))
                        .unzip()
                });
                let [(rows, row_taps), (columns, column_taps)] = along;
                Self {
                    pooling: Pooling::Filter,
                    rows,
                    columns,
                    factors: Vec::new(),
                    taps: [row_taps, column_taps],
                }
            }
        })
    }
}

/// What a filter of these taps covers of an image of `size` from `first` on, and the factors of that:
/// a reflected pixel's is added to its own.
fn folded(first: isize, taps: &[f64], size: usize) -> ([usize; 2], Vec<f32>) {
    let places = (0..taps.len()).map(|tap| reflected(first + tap.cast_signed(), size));
    let places: Vec<usize> = places.collect();
    let start = places.iter().copied().min().unwrap_or_default();
    let end = places.iter().max().map_or(start, |last| last + 1);
    let mut factors = vec![0.; end - start];
    for (place, factor) in places.iter().zip(taps) {
        factors[place - start] += factor;
    }
    ([start, end], factors.into_iter().map(round).collect())
}

fn factors([down, across]: &[Vec<usize>; 2]) -> Vec<Vec<f32>> {
    let row = |down: &usize| {
        let divisors = across.iter().map(|across| (down * across) as f32);
        divisors.map(f32::recip).collect()
    };
    down.iter().map(row).collect()
}
