//! AVX-512F: a block of channels is one vector, and 28 sums fill the registers.
//!
//! # Safety
//!
//! Every function needs a processor with AVX-512F and the checks of its namesake in
//! [`super`].
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

use std::arch::x86_64::{
    __m512, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps,
    _mm512_loadu_epi32, _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_permutexvar_ps,
    _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::vector::{self, Vector};
use super::winograd::{self, Side, TilesIn, TilesOut};
use super::{BLOCK, Narrow, Pointwise, Pool, Product};

#[derive(Clone, Copy)]
pub(super) struct Zmm(__m512);

#[allow(clippy::inline_always, reason = "see vector.rs")]
// SAFETY of each: one instruction, which the caller's processor has, on memory that is the
// caller's to touch.
impl Vector for Zmm {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(number) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn prefetch_far(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn permuted(self, lanes: *const u32) -> Self {
        Self(unsafe { _mm512_permutexvar_ps(_mm512_loadu_epi32(lanes.cast()), self.0) })
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn spot<const M: usize, const W: usize, const STEP: usize>(
    memory: *mut f32,
    product: &Product<'_>,
    number: usize,
) {
    // SAFETY: the caller's.
    unsafe { vector::product::<Zmm, M, W, STEP, W>(memory, product, number, 0) }
}

#[target_feature(enable = "avx512f")]
unsafe fn spots<const W: usize, const STEP: usize>(memory: *mut f32, product: &Product<'_>) {
    for (number, of_spot) in product.spots.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            match of_spot.rows {
                1 => spot::<1, W, STEP>(memory, product, number),
                2 => spot::<2, W, STEP>(memory, product, number),
                3 => spot::<3, W, STEP>(memory, product, number),
                4 => spot::<4, W, STEP>(memory, product, number),
                5 => spot::<5, W, STEP>(memory, product, number),
                6 => spot::<6, W, STEP>(memory, product, number),
                7 => spot::<7, W, STEP>(memory, product, number),
                8 => spot::<8, W, STEP>(memory, product, number),
                9 => spot::<9, W, STEP>(memory, product, number),
                10 => spot::<10, W, STEP>(memory, product, number),
                11 => spot::<11, W, STEP>(memory, product, number),
                12 => spot::<12, W, STEP>(memory, product, number),
                13 => spot::<13, W, STEP>(memory, product, number),
                _ => spot::<14, W, STEP>(memory, product, number),
            }
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn product(memory: *mut f32, product: &Product<'_>) {
    // SAFETY: the caller's.
    unsafe {
        match (product.blocks, product.step) {
            (1, BLOCK) => spots::<1, BLOCK>(memory, product),
            (1, _) => spots::<1, 0>(memory, product),
            (_, BLOCK) => spots::<2, BLOCK>(memory, product),
            _ => spots::<2, 0>(memory, product),
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn pixels<const P: usize>(memory: *mut f32, narrow: &Narrow<'_>, number: usize) {
    // SAFETY: the caller's.
    unsafe {
        if narrow.stride == 1 {
            vector::narrow::<Zmm, P, 1>(memory, narrow, number, 0);
        } else {
            vector::narrow::<Zmm, P, 2>(memory, narrow, number, 0);
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn narrow(memory: *mut f32, narrow: &Narrow<'_>) {
    for (number, spot) in narrow.spots.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            match spot.rows {
                1 => pixels::<1>(memory, narrow, number),
                2 => pixels::<2>(memory, narrow, number),
                3 => pixels::<3>(memory, narrow, number),
                4 => pixels::<4>(memory, narrow, number),
                5 => pixels::<5>(memory, narrow, number),
                6 => pixels::<6>(memory, narrow, number),
                7 => pixels::<7>(memory, narrow, number),
                8 => pixels::<8>(memory, narrow, number),
                9 => pixels::<9>(memory, narrow, number),
                10 => pixels::<10>(memory, narrow, number),
                11 => pixels::<11>(memory, narrow, number),
                12 => pixels::<12>(memory, narrow, number),
                13 => pixels::<13>(memory, narrow, number),
                _ => pixels::<14>(memory, narrow, number),
            }
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn pool(memory: *mut f32, pool: &Pool<'_>) {
    // SAFETY: the caller's.
    unsafe { vector::pool::<Zmm>(memory, pool) }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn pointwise(memory: *mut f32, pointwise: &Pointwise<'_>) {
    // SAFETY: the caller's.
    unsafe { vector::pointwise::<Zmm>(memory, pointwise) }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn tiles_in(memory: *mut f32, tiles: &TilesIn) {
    // SAFETY: the caller's.
    unsafe {
        match tiles.side {
            Side::Two => winograd::vector_in::<Zmm, 4>(memory, tiles),
            Side::Four => winograd::vector_in::<Zmm, 6>(memory, tiles),
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn tiles_out(memory: *mut f32, tiles: &TilesOut<'_>) {
    // SAFETY: the caller's.
    unsafe {
        match tiles.side {
            Side::Two => winograd::vector_out::<Zmm, 4, 2>(memory, tiles),
            Side::Four => winograd::vector_out::<Zmm, 6, 4>(memory, tiles),
        }
    }
}
