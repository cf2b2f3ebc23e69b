//! Layer norms, group norms and softmax: what needs all channels of a pixel, or a whole map.

use super::emit::{Computed, Emission};
use crate::cpu::algorithm::Algorithm;
use crate::cpu::fuse::{Node, Statistics, WeightSource};
use crate::cpu::job::{Job, NormalizeGroupsJob, NormalizePixelsJob, SoftmaxJob};
use crate::cpu::pack::WeightOrder;
use crate::cpu::tiling::ChunkGrid;

impl Emission<'_> {
    pub(super) fn normalize(
        &mut self,
        node: &Node,
        weights: WeightSource,
        statistics: Statistics,
    ) -> Computed {
        let [source, output] = [node.source, node.output].map(|id| self.view(id));
        let channels = self.tensor(node.output).channels;
        let packed = self.packed(weights, WeightOrder::PerChannel(channels));
        let (job, items) = match statistics {
            Statistics::OfPixels(normalization) => (
                Job::NormalizePixels(NormalizePixelsJob {
                    packed,
                    channels,
                    epsilon: normalization.epsilon,
                    source,
                    output,
                }),
                output.images * output.height,
            ),
            Statistics::OfGroups(groups, normalization) => (
                Job::NormalizeGroups(NormalizeGroupsJob {
                    packed,
                    channels,
                    groups,
                    epsilon: normalization.epsilon,
                    source,
                    output,
                }),
                output.images * groups,
            ),
        };
        let grid = ChunkGrid::of_rows(items, self.target.threads);
        Computed::one(Algorithm::Normalize, job, grid)
    }

    pub(super) fn softmax(&self, node: &Node) -> Computed {
        let [source, output] = [node.source, node.output].map(|id| self.view(id));
        let job = Job::Softmax(SoftmaxJob {
            channels: self.tensor(node.output).channels,
            source,
            output,
        });
        let grid = ChunkGrid::of_rows(output.images * output.height, self.target.threads);
        Computed::one(Algorithm::Softmax, job, grid)
    }
}
