//! Elements as vectors load, multiply and store them.

use half::bf16;

use super::Vector;
use crate::cpu::element::Element;

/// An element that vectors are made of. Whatever is stored, a vector's lanes are in single precision.
///
/// # Safety
///
/// Every function needs a processor with `V`'s instructions, and pointers to as many elements as it
/// says.
pub(in crate::cpu) trait VectorElement: Element {
    /// A vector of them, widened.
    unsafe fn load<V: Vector>(from: *const Self) -> V;

    /// Stores the nearest elements.
    unsafe fn store<V: Vector>(vector: V, to: *mut Self);

    /// Adds the products of as many elements of each of `M` pixels as are multiplied together,
    /// `stride` elements from each other, and of `W` vectors' lanes of as many weights.
    unsafe fn add_products<V: Vector, const M: usize, const W: usize>(
        elements: *const Self,
        stride: usize,
        weights: *const Self,
        sums: &mut [[V; W]; M],
    );

    /// What a convolution of small groups multiplies: of a block of elements, in each lane those of
    /// the lane named there.
    type Spread<V: Vector>: Copy;

    /// Spreads a block's lanes, of which the named ones lie within as many as a vector has.
    unsafe fn spread<V: Vector>(block: *const Self, lanes: *const u32) -> Self::Spread<V>;

    /// As many weights for each lane as are multiplied together.
    unsafe fn load_weights<V: Vector>(from: *const Self) -> Self::Spread<V>;

    /// Adds the products of elements and weights.
    unsafe fn add_spread<V: Vector>(
        elements: Self::Spread<V>,
        weights: Self::Spread<V>,
        sum: V,
    ) -> V;
}

// SAFETY of all that follows: the caller's.
impl VectorElement for f32 {
    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> V {
        unsafe { V::load(from) }
    }

    #[inline(always)]
    unsafe fn store<V: Vector>(vector: V, to: *mut Self) {
        unsafe { vector.store(to) }
    }

    #[inline(always)]
    unsafe fn add_products<V: Vector, const M: usize, const W: usize>(
        elements: *const Self,
        stride: usize,
        weights: *const Self,
        sums: &mut [[V; W]; M],
    ) {
        unsafe {
            let mut factors = [V::splat(0.); W];
            for w in 0..W {
                factors[w] = V::load(weights.add(w * V::LANES));
            }
            for m in 0..M {
                let element = V::splat(*elements.add(m * stride));
                for w in 0..W {
                    sums[m][w] = element.multiply_add(factors[w], sums[m][w]);
                }
            }
        }
    }

    type Spread<V: Vector> = V;

    #[inline(always)]
    unsafe fn spread<V: Vector>(block: *const Self, lanes: *const u32) -> V {
        unsafe {
            let half = *lanes as usize / V::LANES * V::LANES;
            V::load(block.add(half)).permuted(lanes)
        }
    }

    #[inline(always)]
    unsafe fn load_weights<V: Vector>(from: *const Self) -> V {
        unsafe { V::load(from) }
    }

    #[inline(always)]
    unsafe fn add_spread<V: Vector>(elements: V, weights: V, sum: V) -> V {
        unsafe { elements.multiply_add(weights, sum) }
    }
}

impl VectorElement for bf16 {
    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Self) -> V {
        unsafe { V::load_bf16(from) }
    }

    #[inline(always)]
    unsafe fn store<V: Vector>(vector: V, to: *mut Self) {
        unsafe { vector.store_bf16(to) }
    }

    #[inline(always)]
    unsafe fn add_products<V: Vector, const M: usize, const W: usize>(
        elements: *const Self,
        stride: usize,
        weights: *const Self,
        sums: &mut [[V; W]; M],
    ) {
        unsafe {
            let mut factors = [V::load_pairs(weights); W];
            for w in 1..W {
                factors[w] = V::load_pairs(weights.add(w * 2 * V::LANES));
            }
            for m in 0..M {
                let pair = V::splat_pair(elements.add(m * stride));
                for w in 0..W {
                    sums[m][w] = V::add_pair_products(pair, factors[w], sums[m][w]);
                }
            }
        }
    }

    type Spread<V: Vector> = V::Pairs;

    #[inline(always)]
    unsafe fn spread<V: Vector>(block: *const Self, lanes: *const u32) -> V::Pairs {
        unsafe { V::permuted_pairs(block, lanes) }
    }

    #[inline(always)]
    unsafe fn load_weights<V: Vector>(from: *const Self) -> V::Pairs {
        unsafe { V::load_pairs(from) }
    }

    #[inline(always)]
    unsafe fn add_spread<V: Vector>(elements: V::Pairs, weights: V::Pairs, sum: V) -> V {
        unsafe { V::add_pair_products(elements, weights, sum) }
    }
}
