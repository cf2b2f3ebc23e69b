//! Weights times a gate.

use super::Vector;
use crate::cpu::kernels::ScaledRows;

/// # Safety
///
/// [`crate::cpu::kernels::scaled_rows`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn scaled_rows<V: Vector>(
    memory: *mut f32,
    rows: &ScaledRows<'_>,
) {
    let nr = rows.rows.len() / rows.count;
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows.count {
            let factor = V::splat(*memory.add(rows.factors + row));
            for column in (0..nr).step_by(V::LANES) {
                let element = row * nr + column;
                let weights = V::load(rows.rows.as_ptr().add(element));
                let output = memory.add(rows.output + element);
                weights.multiply(factor).store(output);
            }
        }
    }
}
