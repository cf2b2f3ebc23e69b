//! Pools: the largest element under a window, or the mean of all.

use super::{BLOCK, Memory, reach};
use crate::cpu::isa::Isa;

/// What a pool makes of the pixels under its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Pooling {
    Max,
    Mean,
}

/// A row of a pool's output, one block of channels.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Pool<'a> {
    pub(in crate::cpu) pooling: Pooling,
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
    /// Offset of the output's row.
    pub(in crate::cpu) output: usize,
    /// Offset of the channels' sums over the output's row.
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
        memory.check(pool.source, reach(last, pool.row_stride, of_row));
    }
    assert!(pool.pooling == Pooling::Max || pool.factors.len() == pool.columns.len());
    memory.check(pool.output, pool.columns.len() * BLOCK);
    if let Some(sums) = pool.channel_sums {
        memory.check(sums, BLOCK);
    }
    dispatch!(isa, pool, memory, pool);
}
