//! Rows of weights, each times a factor: a gate of what they will multiply.

use super::{BLOCK, Memory};
use crate::cpu::isa::Isa;

/// Rows of a panel, as many elements in each as the panel has output channels.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct ScaledRows<'a> {
    /// Offset of the rows' factors, which lie together.
    pub(in crate::cpu) factors: usize,
    pub(in crate::cpu) rows: &'a [f32],
    /// How many rows there are.
    pub(in crate::cpu) count: usize,
    /// Offset of the products.
    pub(in crate::cpu) output: usize,
}

/// Multiplies rows by their factors.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`, of no rows, or of rows that are not of whole blocks.
pub(in crate::cpu) fn scaled_rows(isa: Isa, memory: &Memory<'_>, rows: &ScaledRows<'_>) {
    assert!(rows.count > 0);
    assert!(
        rows.rows
            .len()
            .is_multiple_of(rows.count.saturating_mul(BLOCK))
    );
    memory.check(rows.factors, rows.count);
    memory.check(rows.output, rows.rows.len());
    dispatch!(isa, scaled_rows, memory, rows);
}
