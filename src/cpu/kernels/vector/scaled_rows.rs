//! Weights times a gate.

use std::array::from_fn;

use super::{MAX_LANES, Vector, VectorElement, at};
use crate::cpu::kernels::ScaledRows;

/// # Safety
///
/// [`crate::cpu::kernels::scaled_rows`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn scaled_rows<
    V: Vector,
    Weight: VectorElement,
    Stored: VectorElement,
>(
    memory: *mut u8,
    rows: &ScaledRows<'_, Weight>,
) {
    let together = Weight::TYPE.together();
    let of_rows = rows.rows.len() / rows.count * together;
    // SAFETY: the caller's.
    unsafe {
        for first in (0..rows.count).step_by(together) {
            let factors = at::<f32>(memory, rows.factors + first).cast_const();
            let factors: [f32; MAX_LANES] = from_fn(|lane| *factors.add(lane % together));
            let factors = V::load(factors.as_ptr());
            for lane in (0..of_rows).step_by(V::LANES) {
                let element = first / together * of_rows + lane;
                let weights: V = Weight::load(rows.rows.as_ptr().add(element));
                let output = at::<Stored>(memory, rows.output + element);
                Stored::store(weights.multiply(factors), output);
            }
        }
    }
}
