//! Where every tensor lies: buffers, their borders of zeros, and what may share one.

use super::Planning;
use crate::cpu::fuse::{Id, Work};
use crate::cpu::job::Halo;
use crate::cpu::kernels::BLOCK;
use crate::cpu::view::{View, blocks, spread};
use crate::network::geometry::Extent;

/// A tensor as it is planned.
#[derive(Debug, Clone, Default)]
pub(super) struct Tensor {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) planes: bool,
    /// Rows above and below, columns before and after, that readers want.
    pub(super) halo: [usize; 4],
    /// The buffer that it lies in, and from which channel on.
    pub(super) home: Option<(usize, usize)>,
    /// The last node that reads it.
    pub(super) last_read: usize,
    pub(super) made_by: usize,
}

/// A buffer as it is planned.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) planes: bool,
    pub(super) halo: [usize; 4],
    pub(super) used: [usize; 2],
    /// The first node that overwrites what others have made in it.
    pub(super) overwritten: usize,
}

impl Planning<'_> {
    pub(super) fn halos(&mut self) {
        for (node, convolution) in self.graph.nodes.iter().zip(&self.convolutions) {
            let Some(convolution) = convolution else {
                continue;
            };
            let [rows, columns] = convolution.extents;
            let mut wanted = [rows.before, rows.after, columns.before, columns.after];
            if let Some(tile) = convolution.tile {
                // Whole tiles may reach further.
                let beyond = |extent: &Extent| {
                    extent.output.next_multiple_of(tile.output_side()) - extent.output
                };
                wanted[1] += beyond(&rows);
                wanted[3] += beyond(&columns);
            }
            let halo = &mut self.tensors[node.source].halo;
            *halo = widest(*halo, wanted);
        }
    }

    /// Gives every tensor a buffer, from the last node to the first: what a concatenation or a
    /// pass reads may lie where it writes.
    pub(super) fn homes(&mut self) {
        for (index, node) in self.graph.nodes.iter().enumerate().rev() {
            self.house(node.output);
            let Some((room, first)) = self.tensors[node.output].home else {
                continue;
            };
            match &node.work {
                Work::Concat { members } => {
                    let mut channel = first;
                    for &member in members {
                        let channels = self.tensors[member].channels;
                        let last = channel + channels == self.rooms[room].channels;
                        let whole = channel.is_multiple_of(BLOCK)
                            && (channels.is_multiple_of(BLOCK) || last);
                        if whole && self.may_move(member, room, self.rooms[room].overwritten) {
                            self.move_into(member, room, channel);
                        }
                        channel += channels;
                    }
                }
                Work::Pass { .. } if self.may_move(node.source, room, index) => {
                    let residual = node.epilogue.residual;
                    let elsewhere = residual != Some(node.source)
                        && residual.is_none_or(|id| self.tensors[id].last_read >= index);
                    if elsewhere {
                        self.move_into(node.source, room, first);
                        self.rooms[room].overwritten = index;
                    }
                }
                _ => {}
            }
        }
        self.house(0);
    }

    /// Whether nobody wants `id` after the node at `end`, and it has no home yet.
    pub(super) fn may_move(&self, id: Id, room: usize, end: usize) -> bool {
        let tensor = &self.tensors[id];
        let alike = [tensor.height, tensor.width] == {
            let room = &self.rooms[room];
            [room.height, room.width]
        };
        id != 0 && tensor.home.is_none() && tensor.last_read <= end && alike
    }

    pub(super) fn move_into(&mut self, id: Id, room: usize, channel: usize) {
        let tensor = &mut self.tensors[id];
        tensor.home = Some((room, channel));
        let room = &mut self.rooms[room];
        room.halo = widest(room.halo, tensor.halo);
        room.used = [
            room.used[0].min(tensor.made_by),
            room.used[1].max(tensor.last_read),
        ];
    }

    /// A buffer of its own for `id`, if it has none.
    pub(super) fn house(&mut self, id: Id) {
        if self.tensors[id].home.is_some() {
            return;
        }
        let tensor = &mut self.tensors[id];
        tensor.home = Some((self.rooms.len(), 0));
        self.rooms.push(Room {
            channels: tensor.channels,
            height: tensor.height,
            width: tensor.width,
            planes: tensor.planes,
            halo: tensor.halo,
            used: [tensor.made_by, tensor.last_read.max(tensor.made_by)],
            overwritten: usize::MAX,
        });
    }

    /// Where a tensor lies; its buffer at `offset`.
    pub(super) fn view(&self, id: Id, offsets: &[usize]) -> View {
        let tensor = &self.tensors[id];
        let (index, channel) = tensor.home.unwrap_or_default();
        let room = &self.rooms[index];
        let border = room.border(self.images, offsets[index]);
        let pixel = room.pixel();
        let start =
            border.offset + border.rows_around[0] * border.row_stride + border.columns_around[0];
        View {
            offset: start + channel / BLOCK * border.plane_stride,
            image_stride: room.planes() * border.plane_stride,
            block_stride: border.plane_stride,
            row_stride: border.row_stride,
            pixel_stride: pixel,
            images: self.images,
            blocks: if room.planes {
                tensor.channels
            } else {
                blocks(tensor.channels)
            },
            height: tensor.height,
            width: tensor.width,
        }
    }
}

fn widest(a: [usize; 4], b: [usize; 4]) -> [usize; 4] {
    std::array::from_fn(|side| a[side].max(b[side]))
}

impl Room {
    pub(super) fn pixel(&self) -> usize {
        if self.planes { 1 } else { BLOCK }
    }

    /// Planes of an image.
    pub(super) fn planes(&self) -> usize {
        if self.planes {
            self.channels
        } else {
            blocks(self.channels)
        }
    }

    /// The border around its planes, at `start`.
    pub(super) fn border(&self, images: usize, start: usize) -> Halo {
        let [above, below, before, after] = self.halo;
        let row = (before + self.width + after) * self.pixel();
        let rows = above + self.height + below;
        Halo {
            offset: start,
            planes: images * self.planes(),
            plane_stride: if self.planes {
                rows * row
            } else {
                spread(rows * row / BLOCK) * BLOCK
            },
            row_stride: row,
            rows,
            columns_around: [before, after].map(|columns| columns * self.pixel()),
            rows_around: [above, below],
        }
    }
}

impl Halo {
    pub(super) fn numbers(&self) -> usize {
        self.planes * self.plane_stride
    }
}
