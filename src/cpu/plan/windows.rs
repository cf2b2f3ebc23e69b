//! Where a pool's windows stand.

use crate::cpu::fuse::PoolKind;
use crate::cpu::kernels::Pooling;
use crate::error::Result;
use crate::network::geometry::adaptive;

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
}

impl PoolWindows {
    /// # Errors
    ///
    /// A window that does not fit a source of this height and width.
    pub(super) fn new(kind: PoolKind, size: [usize; 2]) -> Result<Self> {
        let (pooling, [rows, columns], factors) = match kind {
            PoolKind::Max(window) => (Pooling::Max, window.covered(size)?, Vec::new()),
            PoolKind::Average { window, border } => {
                let factors = factors(&window.divisors(size, border)?);
                (Pooling::Mean, window.covered(size)?, factors)
            }
            PoolKind::AdaptiveAverage([height, width]) => {
                let ranges = [adaptive(size[0], height)?, adaptive(size[1], width)?];
                let lengths = ranges.each_ref().map(|ranges| {
                    let lengths = ranges.iter().map(|[first, end]| end - first);
                    lengths.collect()
                });
                (Pooling::Mean, ranges, factors(&lengths))
            }
        };
        Ok(Self {
            pooling,
            rows,
            columns,
            factors,
        })
    }
}

fn factors([down, across]: &[Vec<usize>; 2]) -> Vec<Vec<f32>> {
    let row = |down: &usize| {
        let divisors = across.iter().map(|across| (down * across) as f32);
        divisors.map(f32::recip).collect()
    };
    down.iter().map(row).collect()
}
