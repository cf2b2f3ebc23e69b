//! How pools are computed, and means over the image.

use super::emit::{Computed, Emission};
use crate::cpu::algorithm::Algorithm;
use crate::cpu::fuse::{Node, PoolKind};
use crate::cpu::job::{Job, MeanJob, PoolJob};
use crate::cpu::kernels::Pooling;
use crate::cpu::view::{ChunkGrid, View};
use crate::error::Result;
use crate::network::geometry::adaptive;

/// What the windows of a pool cover of its source.
#[derive(Debug, Clone)]
pub(super) struct PoolWindows {
    pooling: Pooling,
    /// From where to before where each window stands.
    rows: Vec<[usize; 2]>,
    columns: Vec<[usize; 2]>,
    /// For each row of the output, for each of its columns, what a sum is multiplied by; none for a
    /// largest element.
    factors: Vec<Vec<f32>>,
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

impl Emission<'_> {
    pub(super) fn pool(
        &self,
        algorithm: Algorithm,
        node: &Node,
        windows: &PoolWindows,
        channel_sums: Option<View>,
    ) -> Computed {
        let PoolWindows {
            pooling,
            rows,
            columns,
            factors,
        } = windows.clone();
        let output = self.view(node.output);
        let job = Job::Pool(PoolJob {
            pooling,
            rows,
            columns,
            factors,
            source: self.view(node.source),
            output,
            channel_sums,
        });
        let rows = output.images * output.blocks * output.height;
        Computed::one(
            algorithm,
            job,
            ChunkGrid::of_rows(rows, self.target.threads),
        )
    }

    /// Means of a node's source from the channel sums that these nodes have taken.
    pub(super) fn mean_of_sums(&self, node: &Node, parts: &[usize]) -> Computed {
        let [source, output] = [node.source, node.output].map(|id| self.view(id));
        let job = Job::Mean(MeanJob {
            parts: parts
                .iter()
                .map(|part| self.allocation.sums[part])
                .collect(),
            factor: 1. / (source.height * source.width) as f32,
            output,
        });
        let grid = ChunkGrid::of_rows(output.images * output.blocks, self.target.threads);
        Computed::one(Algorithm::MeanOfSums, job, grid)
    }
}
