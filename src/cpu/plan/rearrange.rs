//! Where elements lie that are only moved: channels shuffled, sliced or padded, pixels as channels,
//! pixels repeated.

use super::emit::{Computed, Emission};
use crate::cpu::algorithm::Algorithm;
use crate::cpu::fuse::{Node, Rearrangement};
use crate::cpu::job::{Job, RearrangeJob, Run};
use crate::cpu::kernels::BLOCK;
use crate::cpu::tiling::ChunkGrid;
use crate::network::geometry::nearest;

impl Emission<'_> {
    pub(super) fn rearrange(&self, node: &Node, rearrangement: Rearrangement) -> Computed {
        let [source, output] = [node.source, node.output].map(|id| self.view(id));
        let [from, to] = [node.source, node.output].map(|id| &self.choices.tensors[id]);
        // A flattened map lies as the map does: each of its channels is a pixel's.
        let flattened = match rearrangement {
            Rearrangement::Channels { .. } | Rearrangement::Shuffle { .. } => {
                [to.height, to.width] != [from.height, from.width]
            }
            Rearrangement::SpaceToDepth { .. } | Rearrangement::Nearest => false,
        };
        let pixels = if flattened {
            from.height * from.width
        } else {
            1
        };
        let of_source = from.channels * pixels;
        let channel = |index: usize| {
            let (channel, pixel) = (index / pixels, index % pixels);
            let pixel =
                pixel / from.width * source.row_stride + pixel % from.width * source.pixel_stride;
            let block = channel / BLOCK * source.block_stride;
            (index < of_source).then_some(block + channel % BLOCK + pixel)
        };
        let channels = (0..output.blocks * BLOCK).map(|of_output| {
            if of_output >= to.channels {
                return None;
            }
            match rearrangement {
                Rearrangement::Channels { first } => channel(first + of_output),
                Rearrangement::Shuffle { groups } => {
                    channel(of_output % groups * (of_source / groups) + of_output / groups)
                }
                Rearrangement::SpaceToDepth { block } => {
                    let pixel = of_output / from.channels;
                    let (row, column) = (pixel / block, pixel % block);
                    let pixel = row * source.row_stride + column * source.pixel_stride;
                    Some(channel(of_output % from.channels)? + pixel)
                }
                Rearrangement::Nearest => channel(of_output),
            }
        });
        let channels: Vec<Option<usize>> = channels.collect();
        let places = |size: usize, of_output: usize| match rearrangement {
            Rearrangement::SpaceToDepth { block } => {
                (0..of_output).map(|place| place * block).collect()
            }
            // Sizes that could not be scaled are none that a plan is made for.
            Rearrangement::Nearest => nearest(size, of_output).unwrap_or_default(),
            Rearrangement::Channels { .. } | Rearrangement::Shuffle { .. } => {
                (0..of_output).collect::<Vec<_>>()
            }
        };
        let times = |places: Vec<usize>, stride: usize| {
            places.into_iter().map(|place| place * stride).collect()
        };
        let job = Job::Rearrange(RearrangeJob {
            source,
            output,
            runs: channels.chunks_exact(BLOCK).map(runs).collect(),
            rows: times(places(source.height, output.height), source.row_stride),
            columns: times(places(source.width, output.width), source.pixel_stride),
        });
        let rows = output.images * output.blocks * output.height;
        let grid = ChunkGrid::of_rows(rows, self.target.threads);
        Computed::one(Algorithm::Rearrange, job, grid)
    }
}

/// Channels of a block that lie together, or that are zeros together.
fn runs(channels: &[Option<usize>]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &source in channels {
        match runs.last_mut() {
            Some(run) if run.source.map(|first| first + run.channels) == source => {
                run.channels += 1;
            }
            _ => runs.push(Run {
                source,
                channels: 1,
            }),
        }
    }
    runs
}
