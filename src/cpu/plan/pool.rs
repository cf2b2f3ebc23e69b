//! How pools and means over the image are computed.

use super::{Computed, Planning};
use crate::cpu::job::{Job, MeanJob, PoolJob};
use crate::cpu::kernels::Pooling;
use crate::cpu::view::ChunkGrid;
use crate::error::{Error, Result};
use crate::network::Operation;
use crate::network::geometry::adaptive;

impl Planning<'_> {
    /// A mean over the image: of the sums that who computed the map has taken, or of the map.
    pub(super) fn mean(&self, index: usize, offsets: &[usize]) -> Result<Computed> {
        let node = &self.graph.nodes[index];
        let Some(parts) = self.summing(node.source) else {
            let whole = Operation::AdaptiveAveragePool([1, 1]);
            return Ok(("mean", vec![self.pool(&whole, index, offsets)?], 0));
        };
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let parts = parts.iter().filter_map(|&part| self.sums[part]);
        let job = Job::Mean(MeanJob {
            parts: parts.collect(),
            factor: 1. / (source.height * source.width) as f32,
            output,
        });
        let grid = ChunkGrid::of_rows(output.images * output.blocks, self.setting.threads);
        Ok(("mean of sums", vec![(job, grid)], 0))
    }

    /// A node's output as a pool of its source.
    pub(super) fn pool(
        &self,
        operation: &Operation,
        index: usize,
        offsets: &[usize],
    ) -> Result<(Job, ChunkGrid)> {
        let node = &self.graph.nodes[index];
        let [source, output] = [node.source, node.output].map(|id| self.view(id, offsets));
        let size = [source.height, source.width];
        let means = |[down, across]: [Vec<usize>; 2]| -> Vec<Vec<f32>> {
            let row = |down: &usize| {
                let divisors = across.iter().map(|across| (down * across) as f32);
                divisors.map(f32::recip).collect()
            };
            down.iter().map(row).collect()
        };
        let (pooling, [rows, columns], factors) = match *operation {
            Operation::MaxPool(window) => (Pooling::Max, window.covered(size)?, Vec::new()),
            Operation::AveragePool { window, border } => {
                let factors = means(window.divisors(size, border)?);
                (Pooling::Mean, window.covered(size)?, factors)
            }
            Operation::AdaptiveAveragePool([height, width]) => {
                let ranges = [adaptive(size[0], height)?, adaptive(size[1], width)?];
                let lengths = ranges.each_ref().map(|ranges| {
                    let lengths = ranges.iter().map(|[first, end]| end - first);
                    lengths.collect::<Vec<usize>>()
                });
                (Pooling::Mean, ranges, means(lengths))
            }
            _ => {
                let kind = operation.kind();
                return Err(Error::Geometry(format!("a {kind} is no pool")));
            }
        };
        let job = Job::Pool(PoolJob {
            pooling,
            rows,
            columns,
            factors,
            source,
            output,
            channel_sums: self.sums[index],
        });
        let rows = output.images * output.blocks * output.height;
        Ok((job, ChunkGrid::of_rows(rows, self.setting.threads)))
    }
}
