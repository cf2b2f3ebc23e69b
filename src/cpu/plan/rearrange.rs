//! Where elements lie that are only moved: channels shuffled, sliced or padded, pixels as channels,
//! pixels repeated, borders added or taken away.

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
            Rearrangement::SpaceToDepth { .. }
            | Rearrangement::Nearest
            | Rearrangement::ZeroPad { .. }
            | Rearrangement::Crop { .. } => false,
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
                Rearrangement::Nearest
                | Rearrangement::ZeroPad { .. }
                | Rearrangement::Crop { .. } => channel(of_output),
            }
        });
        let channels: Vec<Option<usize>> = channels.collect();
        let axes = [
            (source.height, output.height, source.row_stride),
            (source.width, output.width, source.pixel_stride),
        ];
        let [rows, columns] = [0, 1].map(|axis| {
            let (size, of_output, stride) = axes[axis];
            let places = places(rearrangement, axis, size, of_output);
            let offset = |place: Option<usize>| place.map(|place| place * stride);
            places.into_iter().map(offset).collect()
        });
        let job = Job::Rearrange(RearrangeJob {
            source,
            output,
            runs: channels.chunks_exact(BLOCK).map(runs).collect(),
            rows,
            columns,
        });
        let rows = output.images * output.blocks * output.height;
        let grid = ChunkGrid::of_rows(rows, self.target.threads);
        Computed::one(Algorithm::Rearrange, job, grid)
    }
}

/// For each row of the output the row of `size` that it comes from, or for each column the column:
/// none of zeros.
fn places(
    rearrangement: Rearrangement,
    axis: usize,
    size: usize,
    of_output: usize,
) -> Vec<Option<usize>> {
    let all = 0..of_output;
    match rearrangement {
        Rearrangement::SpaceToDepth { block } => all.map(|place| Some(place * block)).collect(),
        // Sizes that could not be scaled are none that a plan is made for.
        Rearrangement::Nearest => {
            let places = nearest(size, of_output).unwrap_or_default();
            places.into_iter().map(Some).collect()
        }
        Rearrangement::ZeroPad { above, before } => {
            let inside = |place: usize| place.checked_sub([above, before][axis]);
            let inside = |place| inside(place).filter(|&place| place < size);
            all.map(inside).collect()
        }
        Rearrangement::Crop { above, before } => all
            .map(|place| Some(place + [above, before][axis]))
            .collect(),
        Rearrangement::Channels { .. } | Rearrangement::Shuffle { .. } => all.map(Some).collect(),
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
