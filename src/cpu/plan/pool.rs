//! The loops of pools, and of means over the image.

use super::emit::{Computed, Emission};
use super::windows::PoolWindows;
use crate::cpu::algorithm::Algorithm;
use crate::cpu::fuse::Node;
use crate::cpu::job::{Job, MeanJob, PoolJob};
use crate::cpu::tiling::ChunkGrid;
use crate::cpu::view::View;

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
            taps,
        } = windows.clone();
        let output = self.view(node.output);
        let job = Job::Pool(PoolJob {
            pooling,
            rows,
            columns,
            factors,
            taps,
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
