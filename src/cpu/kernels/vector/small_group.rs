//! 3x3 convolutions whose groups are narrower than a block.

use super::{Vector, VectorElement, at, store};
use crate::cpu::kernels::{BLOCK, SmallGroup};

/// The `M` pixels of a micro-tile, by its index, in the lanes from `lane` on.
///
/// # Safety
///
/// [`crate::cpu::kernels::small_group`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn small_group<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
    const M: usize,
    const STRIDE: usize,
>(
    memory: *mut u8,
    small_group: &SmallGroup<'_, Source>,
    index: usize,
    lane: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let micro_tile = small_group.micro_tiles.get_unchecked(index);
        let mut sums = [[V::splat(0.); 1]; M];
        let source = at::<Source>(memory, small_group.source + micro_tile.source).cast_const();
        let together = const { Source::TYPE.together() };
        let mut weights = small_group.weights.as_ptr().add(lane * together);
        for row in 0..3 {
            for lanes in small_group.lanes {
                let elements = source.add(row * small_group.row_stride);
                let lanes = lanes.as_ptr().add(lane);
                let mut factors = [Source::load_weights::<V>(weights); 3];
                for kernel_column in 1..3 {
                    let weights = weights.add(kernel_column * BLOCK * together);
                    factors[kernel_column] = Source::load_weights::<V>(weights);
                }
                let spread =
                    |column: usize| Source::spread::<V>(elements.add(column * BLOCK), lanes);
                // A window of three columns slides along the row.
                let mut window = [spread(0), spread(1), spread(0)];
                for m in 0..M {
                    if STRIDE == 2 && m > 0 {
                        window[1] = spread(m * 2 + 1);
                    }
                    window[2] = spread(m * STRIDE + 2);
                    for kernel_column in 0..3 {
                        sums[m][0] = Source::add_spread(
                            window[kernel_column],
                            factors[kernel_column],
                            sums[m][0],
                        );
                    }
                    if STRIDE == 2 {
                        window[0] = window[2];
                    } else {
                        window = [window[1], window[2], window[2]];
                    }
                }
                weights = weights.wrapping_add(3 * BLOCK * together);
            }
        }
        let output = &small_group.output;
        store::<V, Stored, M, 1>(memory, output, (index, micro_tile), lane, sums);
    }
}
