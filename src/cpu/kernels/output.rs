//! Where a kernel's output lies, and what is done to it before.

use super::{BLOCK, Memory, MicroTile, PixelOffsets, reach};
use crate::cpu::element::ElementType;
use crate::cpu::epilogue::Epilogue;

/// Blocks of an image's channels in memory, from one of them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) struct BlockView {
    /// The first block's first element.
    pub(in crate::cpu) offset: usize,
    /// From one block of channels to the next.
    pub(in crate::cpu) block_stride: usize,
    /// From one row to the next.
    pub(in crate::cpu) row_stride: usize,
}

/// What becomes of sums: with bias, through the epilogue, to where they are stored.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Output<'a> {
    /// One for each output channel.
    pub(in crate::cpu) bias: &'a [f32],
    pub(in crate::cpu) epilogue: Epilogue<BlockView>,
    pub(in crate::cpu) view: BlockView,
    /// What is stored, and what the residual is made of.
    pub(in crate::cpu) element_type: ElementType,
}

impl BlockView {
    /// Where a channel begins, counted from the first block's first.
    #[inline]
    pub(super) fn channel(&self, channel: usize) -> usize {
        self.offset + channel / BLOCK * self.block_stride + channel % BLOCK
    }

    /// Refuses a view whose first blocks, so many, reach outside of `memory` with so many elements
    /// each.
    pub(super) fn check(
        &self,
        memory: &Memory<'_>,
        element_type: ElementType,
        blocks: usize,
        elements: usize,
    ) {
        let count = reach(blocks - 1, self.block_stride, elements);
        memory.check(element_type, self.offset, count);
    }
}

impl Epilogue<BlockView> {
    /// Refuses gates and sums of channels, in single precision, that lie outside.
    pub(super) fn check_channels(&self, memory: &Memory<'_>, blocks: usize) {
        for view in [self.gate, self.channel_sums].into_iter().flatten() {
            view.check(memory, ElementType::F32, blocks, BLOCK);
        }
    }
}

impl Output<'_> {
    /// Refuses micro-tiles of so many blocks of channels, any part of which lies outside.
    pub(super) fn check(&self, memory: &Memory<'_>, micro_tiles: &[MicroTile], blocks: usize) {
        assert!(self.bias.len() >= blocks * BLOCK);
        self.epilogue.check_channels(memory, blocks);
        let check = |view: &BlockView, pixels: usize, offsets: &PixelOffsets| {
            assert!(pixels <= offsets.count());
            let elements = offsets.largest().saturating_add(BLOCK);
            view.check(memory, self.element_type, blocks, elements);
        };
        for micro_tile in micro_tiles {
            check(&self.view, micro_tile.pixels, &micro_tile.output);
            let (view, offsets) = (&self.epilogue.residual, &micro_tile.residual);
            assert!(view.is_none() || offsets.is_some());
            if let (Some(view), Some(offsets)) = (view, offsets) {
                check(view, micro_tile.pixels, offsets);
            }
        }
    }
}
