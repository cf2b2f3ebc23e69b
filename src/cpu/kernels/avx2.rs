//! AVX2 and FMA: a block of channels is two vectors, and a tile of 6 pixels by one block fills
//! the registers.
//!
//! # Safety
//!
//! Every function needs a processor with AVX2 and FMA and the checks of its namesake in
//! [`super`].
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

use std::arch::x86_64::{
    __m256, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps, _mm256_mul_ps, _mm256_permutevar8x32_ps,
    _mm256_set1_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::vector::{self, Vector};
use super::winograd::{self, Side, TilesIn, TilesOut};
use super::{BLOCK, Narrow, Pointwise, Pool, Product};

#[derive(Clone, Copy)]
pub(super) struct Ymm(__m256);

#[allow(clippy::inline_always, reason = "see vector.rs")]
// SAFETY of each: one instruction, which the caller's processor has, on memory that is the
// caller's to touch.
impl Vector for Ymm {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self {
        Self(unsafe { _mm256_set1_ps(number) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        Self(unsafe { _mm256_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Self(unsafe { _mm256_max_ps(self.0, other.0) })
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
        Self(unsafe { _mm256_permutevar8x32_ps(self.0, _mm256_loadu_si256(lanes.cast())) })
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn spot<const M: usize, const STEP: usize, const BLOCKS: usize>(
    memory: *mut f32,
    product: &Product<'_>,
    number: usize,
    column: usize,
) {
    // SAFETY: the caller's.
    unsafe { vector::product::<Ymm, M, 2, STEP, BLOCKS>(memory, product, number, column) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn spots<const STEP: usize, const BLOCKS: usize>(memory: *mut f32, product: &Product<'_>) {
    for column in (0..BLOCKS * BLOCK).step_by(BLOCK) {
        for (number, of_spot) in product.spots.iter().enumerate() {
            // SAFETY: the caller's.
            unsafe {
                match of_spot.rows {
                    1 => spot::<1, STEP, BLOCKS>(memory, product, number, column),
                    2 => spot::<2, STEP, BLOCKS>(memory, product, number, column),
                    3 => spot::<3, STEP, BLOCKS>(memory, product, number, column),
                    4 => spot::<4, STEP, BLOCKS>(memory, product, number, column),
                    5 => spot::<5, STEP, BLOCKS>(memory, product, number, column),
                    _ => spot::<6, STEP, BLOCKS>(memory, product, number, column),
                }
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn product(memory: *mut f32, product: &Product<'_>) {
    // SAFETY: the caller's.
    unsafe {
        match (product.step == BLOCK, product.blocks) {
            (true, 1) => spots::<BLOCK, 1>(memory, product),
            (false, 1) => spots::<0, 1>(memory, product),
            // Plans have no panels of two blocks for this instruction set.
            _ => spots::<0, 2>(memory, product),
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn pixels<const P: usize>(memory: *mut f32, narrow: &Narrow<'_>, number: usize) {
    for lane in [0, 8] {
        // SAFETY: the caller's.
        unsafe {
            if narrow.stride == 1 {
                vector::narrow::<Ymm, P, 1>(memory, narrow, number, lane);
            } else {
                vector::narrow::<Ymm, P, 2>(memory, narrow, number, lane);
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
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
                _ => pixels::<6>(memory, narrow, number),
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn pool(memory: *mut f32, pool: &Pool<'_>) {
    // SAFETY: the caller's.
    unsafe { vector::pool::<Ymm>(memory, pool) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn pointwise(memory: *mut f32, pointwise: &Pointwise<'_>) {
    // SAFETY: the caller's.
    unsafe { vector::pointwise::<Ymm>(memory, pointwise) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tiles_in(memory: *mut f32, tiles: &TilesIn) {
    // SAFETY: the caller's.
    unsafe {
        match tiles.side {
            Side::Two => winograd::vector_in::<Ymm, 4>(memory, tiles),
            Side::Four => winograd::vector_in::<Ymm, 6>(memory, tiles),
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tiles_out(memory: *mut f32, tiles: &TilesOut<'_>) {
    // SAFETY: the caller's.
    unsafe {
        match tiles.side {
            Side::Two => winograd::vector_out::<Ymm, 4, 2>(memory, tiles),
            Side::Four => winograd::vector_out::<Ymm, 6, 4>(memory, tiles),
        }
    }
}
