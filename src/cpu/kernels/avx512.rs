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
use super::winograd::{self, InputTransform, OutputTransform, WinogradTile};
use super::{BLOCK, Elementwise, Gemm, Pool, SmallGroup};

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
unsafe fn micro_tile<const M: usize, const W: usize, const STEP: usize>(
    memory: *mut f32,
    gemm: &Gemm<'_>,
    number: usize,
) {
    // SAFETY: the caller's.
    unsafe { vector::gemm::<Zmm, M, W, STEP, W>(memory, gemm, number, 0) }
}

#[target_feature(enable = "avx512f")]
unsafe fn micro_tiles<const W: usize, const STEP: usize>(memory: *mut f32, gemm: &Gemm<'_>) {
    for (number, tile) in gemm.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            match tile.pixels {
                1 => micro_tile::<1, W, STEP>(memory, gemm, number),
                2 => micro_tile::<2, W, STEP>(memory, gemm, number),
                3 => micro_tile::<3, W, STEP>(memory, gemm, number),
                4 => micro_tile::<4, W, STEP>(memory, gemm, number),
                5 => micro_tile::<5, W, STEP>(memory, gemm, number),
                6 => micro_tile::<6, W, STEP>(memory, gemm, number),
                7 => micro_tile::<7, W, STEP>(memory, gemm, number),
                8 => micro_tile::<8, W, STEP>(memory, gemm, number),
                9 => micro_tile::<9, W, STEP>(memory, gemm, number),
                10 => micro_tile::<10, W, STEP>(memory, gemm, number),
                11 => micro_tile::<11, W, STEP>(memory, gemm, number),
                12 => micro_tile::<12, W, STEP>(memory, gemm, number),
                13 => micro_tile::<13, W, STEP>(memory, gemm, number),
                _ => micro_tile::<14, W, STEP>(memory, gemm, number),
            }
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn gemm(memory: *mut f32, gemm: &Gemm<'_>) {
    // SAFETY: the caller's.
    unsafe {
        match (gemm.nr_blocks, gemm.pixel_stride) {
            (1, BLOCK) => micro_tiles::<1, BLOCK>(memory, gemm),
            (1, _) => micro_tiles::<1, 0>(memory, gemm),
            (_, BLOCK) => micro_tiles::<2, BLOCK>(memory, gemm),
            _ => micro_tiles::<2, 0>(memory, gemm),
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn pixels<const P: usize>(memory: *mut f32, small_group: &SmallGroup<'_>, number: usize) {
    // SAFETY: the caller's.
    unsafe {
        if small_group.stride == 1 {
            vector::small_group::<Zmm, P, 1>(memory, small_group, number, 0);
        } else {
            vector::small_group::<Zmm, P, 2>(memory, small_group, number, 0);
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn small_group(memory: *mut f32, small_group: &SmallGroup<'_>) {
    for (number, micro_tile) in small_group.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            match micro_tile.pixels {
                1 => pixels::<1>(memory, small_group, number),
                2 => pixels::<2>(memory, small_group, number),
                3 => pixels::<3>(memory, small_group, number),
                4 => pixels::<4>(memory, small_group, number),
                5 => pixels::<5>(memory, small_group, number),
                6 => pixels::<6>(memory, small_group, number),
                7 => pixels::<7>(memory, small_group, number),
                8 => pixels::<8>(memory, small_group, number),
                9 => pixels::<9>(memory, small_group, number),
                10 => pixels::<10>(memory, small_group, number),
                11 => pixels::<11>(memory, small_group, number),
                12 => pixels::<12>(memory, small_group, number),
                13 => pixels::<13>(memory, small_group, number),
                _ => pixels::<14>(memory, small_group, number),
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
pub(super) unsafe fn elementwise(memory: *mut f32, elementwise: &Elementwise<'_>) {
    // SAFETY: the caller's.
    unsafe { vector::elementwise::<Zmm>(memory, elementwise) }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn input_transform(memory: *mut f32, tiles: &InputTransform) {
    // SAFETY: the caller's.
    unsafe {
        match tiles.tile {
            WinogradTile::F2x2 => winograd::vector_in::<Zmm, 4>(memory, tiles),
            WinogradTile::F4x4 => winograd::vector_in::<Zmm, 6>(memory, tiles),
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn output_transform(memory: *mut f32, tiles: &OutputTransform<'_>) {
    // SAFETY: the caller's.
    unsafe {
        match tiles.tile {
            WinogradTile::F2x2 => winograd::vector_out::<Zmm, 4, 2>(memory, tiles),
            WinogradTile::F4x4 => winograd::vector_out::<Zmm, 6, 4>(memory, tiles),
        }
    }
}
