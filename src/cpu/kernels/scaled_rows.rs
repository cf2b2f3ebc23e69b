//! Rows of weights, each times a factor: a gate of what they will multiply.

use super::vector::VectorElement;
use super::{BLOCK, Memory};
use crate::cpu::element::ElementType;
use crate::cpu::isa::Isa;

/// Rows of a panel: as many elements in each as the panel has output channels, or as many of so many
/// rows together as are multiplied together.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct ScaledRows<'a, Weight> {
    /// Offset of the rows' factors, which lie together, in single precision.
    pub(in crate::cpu) factors: usize,
    pub(in crate::cpu) rows: &'a [Weight],
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
pub(in crate::cpu) fn scaled_rows<Weight: VectorElement>(
    isa: Isa,
    memory: &Memory<'_>,
    rows: &ScaledRows<'_, Weight>,
) {
    assert!(rows.count > 0 && rows.count.is_multiple_of(Weight::TYPE.together()));
    assert!(
        rows.rows
            .len()
            .is_multiple_of(rows.count.saturating_mul(BLOCK))
    );
    memory.check(ElementType::F32, rows.factors, rows.count);
    memory.check(Weight::TYPE, rows.output, rows.rows.len());
    dispatch!(isa, scaled_rows::<Weight, Weight>, memory, rows);
}
