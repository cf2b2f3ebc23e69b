//! An epilogue alone: what changes each element of a map by itself.

use super::{BLOCK, BlockView, Memory};
use crate::cpu::element::{ElementType, with_element};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::isa::Isa;

/// A row of a map, one block of channels: source * factor + bias, that times another row, and the
/// epilogue of that. The output may be the source.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Elementwise<'a> {
    /// Offset of the source's row.
    pub(in crate::cpu) source: usize,
    pub(in crate::cpu) pixels: usize,
    /// 16 factors and 16 biases.
    pub(in crate::cpu) norm: Option<[&'a [f32]; 2]>,
    /// Offset of a row that it is multiplied by then, element by element.
    pub(in crate::cpu) product: Option<usize>,
    pub(in crate::cpu) epilogue: Epilogue<BlockView>,
    /// Offset of the output's row.
    pub(in crate::cpu) output: usize,
    /// What all these rows are made of.
    pub(in crate::cpu) element_type: ElementType,
}

/// Computes a row of what changes each element alone.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(in crate::cpu) fn elementwise(isa: Isa, memory: &Memory<'_>, elementwise: &Elementwise<'_>) {
    let Elementwise {
        epilogue,
        norm,
        element_type,
        ..
    } = *elementwise;
    let elements = elementwise.pixels.saturating_mul(BLOCK);
    memory.check(element_type, elementwise.source, elements);
    memory.check(element_type, elementwise.output, elements);
    if let Some(product) = elementwise.product {
        memory.check(element_type, product, elements);
    }
    if let Some(residual) = epilogue.residual {
        residual.check(memory, element_type, 1, elements);
    }
    epilogue.check_channels(memory, 1);
    if let Some(norm) = norm {
        assert!(norm.iter().all(|channels| channels.len() >= BLOCK));
    }
    with_element!(element_type, Stored => {
        dispatch!(isa, elementwise::<Stored, Stored>, memory, elementwise);
    });
}
