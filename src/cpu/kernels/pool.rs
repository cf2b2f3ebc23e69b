//! Pools: the largest element under a window, the mean of all, or what a filter makes of them.

use super::{BLOCK, Memory, reach};
use crate::cpu::element::{ElementType, with_element};
use crate::cpu::isa::Isa;

/// What a pool makes of the pixels under its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Pooling {
    Max,
    Mean,
    /// Sums of what the taps make of rows and columns.
    Filter,
}

/// A row of a pool's output, one block of channels.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Pool<'a> {
    pub(in crate::cpu) pooling: Pooling,
    pub(in crate::cpu) source_type: ElementType,
    /// Offset of the first of the rows that the window covers.
    pub(in crate::cpu) source: usize,
    /// From one row of the source to the next.
    pub(in crate::cpu) row_stride: usize,
    /// Rows that the window covers.
    pub(in crate::cpu) rows: usize,
    /// For each pixel of the output: the columns that the window covers.
    pub(in crate::cpu) columns: &'a [[usize; 2]],
    /// What a mean's sum is multiplied by, for each pixel.
    pub(in crate::cpu) factors: &'a [f32],
    /// A filter's factor for each row, and for each pixel of the output for each of its columns.
    pub(in crate::cpu) row_taps: &'a [f32],
    pub(in crate::cpu) column_taps: &'a [Vec<f32>],
    pub(in crate::cpu) output_type: ElementType,
    /// Offset of the output's row.
    pub(in crate::cpu) output: usize,
    /// Offset of the channels' sums over the output's row, in single precision.
    pub(in crate::cpu) channel_sums: Option<usize>,
}

/// Computes a row of a pool.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(in crate::cpu) fn pool(isa: Isa, memory: &Memory<'_>, pool: &Pool<'_>) {
    let end = pool.columns.iter().map(|columns| columns[1]).max();
    if let Some(last) = pool.rows.checked_sub(1) {
        let of_row = end.unwrap_or(0).saturating_mul(BLOCK);
        let elements = reach(last, pool.row_stride, of_row);
        memory.check(pool.source_type, pool.source, elements);
    }
    match pool.pooling {
        Pooling::Max => {}
        Pooling::Mean => assert!(pool.factors.len() == pool.columns.len()),
        Pooling::Filter => {
            assert!(pool.row_taps.len() == pool.rows);
            assert!(pool.column_taps.len() == pool.columns.len());
            for ([first, end], taps) in pool.columns.iter().zip(pool.column_taps) {
                assert!(first.checked_add(taps.len()) == Some(*end));
            }
        }
    }
    memory.check(pool.output_type, pool.output, pool.columns.len() * BLOCK);
    if let Some(sums) = pool.channel_sums {
        memory.check(ElementType::F32, sums, BLOCK);
    }
    with_element!(pool.source_type, Source => with_element!(pool.output_type, Stored => {
        dispatch!(isa, pool::<Source, Stored>, memory, pool);
    }));
}
