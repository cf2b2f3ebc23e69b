//! 3x3 convolutions whose groups are narrower than a block: a vector computes one output channel
//! in each lane, and its input is the block's own vector with its lanes permuted.
//!
//! ```text
//! for each micro-tile:                              MR pixels of one row
//!     sums[MR] = 0                                  a vector of output channels each
//!     for row in 0..3:
//!         for input in 0..channels of a group:
//!             w[0..3] = weights[row][input]         a vector for each kernel column
//!             for each column c of the window over all MR pixels:
//!                 x[c] = permute(source[row][c], lanes[input])
//!             for m in 0..MR:
//!                 for column in 0..3:
//!                     sums[m] += x[m * stride + column] * w[column]
//!     output[m] = epilogue(sums[m] + bias)
//!
//!   groups of 4 channels, input 1:
//!
//!   source         a0 a1 a2 a3 | b0 b1 b2 b3 | c0 c1 c2 c3 | d0 d1 d2 d3
//!   lanes[1]        1  1  1  1    5  5  5  5    9  9  9  9   13 13 13 13
//!   x              a1 a1 a1 a1 | b1 b1 b1 b1 | c1 c1 c1 c1 | d1 d1 d1 d1
//!   output channel  0  1  2  3    4  5  6  7    8  9 10 11   12 13 14 15
//! ```
//!
//! The window's columns slide along the row, so that each is loaded and permuted once.

use super::vector::VectorElement;
use super::{BLOCK, Memory, MicroTile, Output, reach};
use crate::cpu::element::with_element;
use crate::cpu::isa::Isa;

/// Part of a 3x3 convolution whose groups are narrower than a block: for each pixel of all
/// micro-tiles, each of which is of one row, and each channel of one block.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct SmallGroup<'a, Source> {
    /// Offset that those of the micro-tiles' sources count from: the input block's lane 0.
    pub(in crate::cpu) source: usize,
    /// From one row of the source to the next.
    pub(in crate::cpu) row_stride: usize,
    /// The convolution's stride, 1 or 2.
    pub(in crate::cpu) stride: usize,
    pub(in crate::cpu) micro_tiles: &'a [MicroTile],
    /// For each input channel of a group, or each so many that are multiplied together: the lane
    /// that it has for each output channel.
    pub(in crate::cpu) lanes: &'a [[u32; BLOCK]],
    /// `[kernel row][input channel][kernel column][16][together]`, of the source's type.
    pub(in crate::cpu) weights: &'a [Source],
    pub(in crate::cpu) output: Output<'a>,
}

/// Computes part of a convolution of small groups.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(in crate::cpu) fn small_group<Source: VectorElement>(
    isa: Isa,
    memory: &Memory<'_>,
    small_group: &SmallGroup<'_, Source>,
) {
    let together = Source::TYPE.together();
    let SmallGroup { source, stride, .. } = *small_group;
    assert!((1..=2).contains(&stride));
    assert!(small_group.weights.len() >= 9 * small_group.lanes.len() * BLOCK * together);
    for micro_tile in small_group.micro_tiles {
        assert!((1..=isa.max_mr()).contains(&micro_tile.pixels));
        let columns = (micro_tile.pixels - 1) * stride + 3;
        let elements = reach(2, small_group.row_stride, columns * BLOCK);
        let elements = micro_tile.source.saturating_add(elements);
        memory.check(Source::TYPE, source, elements);
    }
    for lanes in small_group.lanes {
        // What is multiplied together counts as one lane; whole halves of a block come from as many
        // lanes of the source as half a vector has.
        for half in lanes.chunks_exact(BLOCK / 2) {
            let source = |&lane: &u32| lane as usize * together < BLOCK && lane / 8 == half[0] / 8;
            assert!(half.iter().all(source));
        }
    }
    small_group.output.check(memory, small_group.micro_tiles, 1);
    with_element!(small_group.output.element_type, Stored => {
        dispatch!(isa, small_group::<Source, Stored>, memory, small_group);
    });
}
