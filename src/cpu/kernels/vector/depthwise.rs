//! Depthwise convolutions.

use super::{Vector, VectorElement, at, store};
use crate::cpu::kernels::{BLOCK, Depthwise};

/// The `M` pixels of a micro-tile, by its index, in the lanes from `lane` on. `COLUMNS` and
/// `STRIDE` are those of windows that slide along rows, where the compiler knows them, else 0.
///
/// # Safety
///
/// [`crate::cpu::kernels::depthwise`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn depthwise<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
    const M: usize,
    const COLUMNS: usize,
    const STRIDE: usize,
>(
    memory: *mut u8,
    depthwise: &Depthwise<'_>,
    index: usize,
    lane: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let micro_tile = depthwise.micro_tiles.get_unchecked(index);
        let mut sums = [[V::splat(0.); 1]; M];
        let [rows, columns] = depthwise.kernel;
        let source = at::<Source>(memory, depthwise.source + micro_tile.source + lane).cast_const();
        let mut weights = depthwise.weights.as_ptr().add(lane);
        for row in 0..rows {
            let elements = source.add(row * depthwise.row_stride);
            if COLUMNS == 0 {
                for column in 0..columns {
                    let factor = V::load(weights);
                    for m in 0..M {
                        let element = m * depthwise.pixel_stride + column * depthwise.column_stride;
                        let x: V = Source::load(elements.add(element));
                        sums[m][0] = x.multiply_add(factor, sums[m][0]);
                    }
                    weights = weights.wrapping_add(BLOCK);
                }
            } else {
                let mut factors = [V::splat(0.); COLUMNS];
                for column in 0..COLUMNS {
                    factors[column] = V::load(weights.add(column * BLOCK));
                }
                // Columns that the next pixel's window begins with are kept.
                let mut window = [V::splat(0.); COLUMNS];
                for column in STRIDE..COLUMNS {
                    window[column] = Source::load(elements.add((column - STRIDE) * BLOCK));
                }
                for m in 0..M {
                    for column in 0..COLUMNS {
                        window[column] = if column + STRIDE < COLUMNS {
                            window[column + STRIDE]
                        } else {
                            Source::load(elements.add((m * STRIDE + column) * BLOCK))
                        };
                        sums[m][0] = window[column].multiply_add(factors[column], sums[m][0]);
                    }
                }
                weights = weights.wrapping_add(COLUMNS * BLOCK);
            }
        }
        let output = &depthwise.output;
        store::<V, Stored, M, 1>(memory, output, (index, micro_tile), lane, sums);
    }
}
