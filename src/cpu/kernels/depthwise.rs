//! Depthwise convolutions: each channel is computed from the same channel of the source alone, so
//! that a vector of channels is multiplied by a vector of weights.
//!
//! ```text
//! for each micro-tile:                              MR pixels of one row
//!     sums[MR] = 0                                  a vector of channels each
//!     for row of the kernel:
//!         w[0..columns] = weights[row]              a vector for each kernel column
//!         for m in 0..MR:
//!             for column in 0..columns:
//!                 sums[m] += source[row][m * stride + column] * w[column]
//!     output[m] = epilogue(sums[m] + bias)
//!
//!   3 columns, stride 1:
//!
//!   source columns     0    1    2    3    4   ...          16 channels each
//!   pixel 0          [ w0   w1   w2 ]
//!   pixel 1               [ w0   w1   w2 ]
//!   pixel 2                    [ w0   w1   w2 ]
//! ```
//!
//! The window's columns slide along the row, so that each is loaded once for a row of the kernel.

use super::{BLOCK, Memory, MicroTile, Output, reach};
use crate::cpu::element::{ElementType, with_element};
use crate::cpu::isa::{Isa, Vectors};

/// Part of a depthwise convolution: for each pixel of all micro-tiles, each of which is of one row,
/// and each channel of one block.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Depthwise<'a> {
    /// Offset that those of the micro-tiles' sources count from: the block's lane 0.
    pub(in crate::cpu) source: usize,
    /// From the source of one row of the kernel to that of the next.
    pub(in crate::cpu) row_stride: usize,
    /// From that of one column of the kernel to that of the next.
    pub(in crate::cpu) column_stride: usize,
    /// From the source of a micro-tile's pixel to that of the next.
    pub(in crate::cpu) pixel_stride: usize,
    /// Rows and columns of the kernel.
    pub(in crate::cpu) kernel: [usize; 2],
    pub(in crate::cpu) micro_tiles: &'a [MicroTile],
    pub(in crate::cpu) source_type: ElementType,
    /// `[kernel row][kernel column][16]`.
    pub(in crate::cpu) weights: &'a [f32],
    pub(in crate::cpu) output: Output<'a>,
}

impl Isa {
    /// The most pixels of a depthwise convolution's micro-tile: besides their sums the registers
    /// hold a row of a kernel.
    pub(in crate::cpu) fn max_depthwise_mr(self) -> usize {
        match self.vectors {
            Vectors::Scalar | Vectors::Portable => 4,
            Vectors::Avx2 => 8,
            Vectors::Avx512 => 14,
        }
    }
}

impl Depthwise<'_> {
    /// The columns of the kernel and the stride, in pixels, where windows slide along rows without
    /// gaps in them.
    pub(super) fn sliding(&self) -> Option<[usize; 2]> {
        let [_, columns] = self.kernel;
        let stride = self.pixel_stride / BLOCK;
        let dense = self.column_stride == BLOCK && self.pixel_stride.is_multiple_of(BLOCK);
        dense.then_some([columns, stride])
    }
}

/// Computes part of a depthwise convolution.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(in crate::cpu) fn depthwise(isa: Isa, memory: &Memory<'_>, depthwise: &Depthwise<'_>) {
    let [rows, columns] = depthwise.kernel;
    assert!(rows > 0 && columns > 0);
    let weights = rows.saturating_mul(columns).saturating_mul(BLOCK);
    assert!(depthwise.weights.len() >= weights);
    let row = reach(columns - 1, depthwise.column_stride, BLOCK);
    let window = reach(rows - 1, depthwise.row_stride, row);
    for micro_tile in depthwise.micro_tiles {
        assert!((1..=isa.max_depthwise_mr()).contains(&micro_tile.pixels));
        let elements = reach(micro_tile.pixels - 1, depthwise.pixel_stride, window);
        let elements = micro_tile.source.saturating_add(elements);
        memory.check(depthwise.source_type, depthwise.source, elements);
    }
    depthwise.output.check(memory, depthwise.micro_tiles, 1);
    with_element!(depthwise.source_type, Source => {
        with_element!(depthwise.output.element_type, Stored => {
            dispatch!(isa, depthwise::<Source, Stored>, memory, depthwise);
        });
    });
}
