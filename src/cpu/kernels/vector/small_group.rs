//! 3x3 convolutions whose groups are narrower than a block.

use super::{Vector, store};
use crate::cpu::kernels::{BLOCK, SmallGroup};

/// The `M` pixels of a micro-tile, by its index, in the lanes from `lane` on.
///
/// # Safety
///
/// [`crate::cpu::kernels::small_group`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn small_group<
    V: Vector,
    const M: usize,
    const STRIDE: usize,
>(
    memory: *mut f32,
    small_group: &SmallGroup<'_>,
    index: usize,
    lane: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let micro_tile = small_group.micro_tiles.get_unchecked(index);
        let mut sums = [[V::splat(0.); 1]; M];
        let source = memory
            .cast_const()
            .add(small_group.source + micro_tile.source);
        let mut weights = small_group.weights.as_ptr().add(lane);
        for row in 0..3 {
            for lanes in small_group.lanes {
                let half = lanes[lane] as usize / V::LANES * V::LANES;
                let elements = source.add(row * small_group.row_stride + half);
                let lanes = lanes.as_ptr().add(lane);
                let mut factors = [V::splat(0.); 3];
                for kernel_column in 0..3 {
                    factors[kernel_column] = V::load(weights.add(kernel_column * BLOCK));
                }
                let spread = |column: usize| V::load(elements.add(column * BLOCK)).permuted(lanes);
                // A window of three columns slides along the row.
                let mut window = [spread(0), spread(1), spread(0)];
                for m in 0..M {
                    if STRIDE == 2 && m > 0 {
                        window[1] = spread(m * 2 + 1);
                    }
                    window[2] = spread(m * STRIDE + 2);
                    for kernel_column in 0..3 {
                        sums[m][0] =
                            window[kernel_column].multiply_add(factors[kernel_column], sums[m][0]);
                    }
                    if STRIDE == 2 {
                        window[0] = window[2];
                    } else {
                        window = [window[1], window[2], window[2]];
                    }
                }
                weights = weights.wrapping_add(3 * BLOCK);
            }
        }
        let output = &small_group.output;
        store(memory, output, (index, micro_tile), lane, sums);
    }
}
