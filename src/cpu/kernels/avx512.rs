//! AVX-512F: a block of channels is one vector, and 28 sums fill the registers.
//!
//! # Safety
//!
//! Every function needs a processor with AVX-512F and the checks of its namesake in
//! [`super`].
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

use std::arch::x86_64::{
    __m512, _CMP_LT_OQ, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_epi32,
    _mm512_loadu_ps, _mm512_mask_blend_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps,
    _mm512_permutexvar_ps, _mm512_set1_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::vector::{self, Vector, whole_kernels, with_pixels, with_sliding};
use super::{
    BLOCK, Depthwise, Elementwise, Gemm, InputTransform, OutputTransform, Pool, ScaledRows,
    SmallGroup,
};
use crate::network::Activation;

#[derive(Clone, Copy)]
pub(super) struct Zmm(__m512);

#[allow(clippy::inline_always, reason = "see vector/mod.rs")]
// SAFETY of each: one instruction, which the caller's processor has, on memory that is the
// caller's to touch.
impl Vector for Zmm {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(element: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(element) })
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
    unsafe fn divide(self, by: Self) -> Self {
        Self(unsafe { _mm512_div_ps(self.0, by.0) })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn if_less(self, bound: f32, then: Self, otherwise: Self) -> Self {
        unsafe {
            let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, _mm512_set1_ps(bound));
            Self(_mm512_mask_blend_ps(less, otherwise.0, then.0))
        }
    }

    #[inline(always)]
    unsafe fn any_less(self, bound: f32) -> bool {
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, _mm512_set1_ps(bound)) != 0 }
    }

    #[inline(always)]
    unsafe fn power(self) -> Self {
        unsafe {
            let bits = _mm512_slli_epi32::<23>(_mm512_castps_si512(self.0));
            Self(_mm512_castsi512_ps(bits))
        }
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

    #[inline(always)]
    unsafe fn activate(activation: Activation, vectors: &mut [Self]) {
        unsafe { activate(activation, vectors) }
    }
}

// Never part of what calls it, whose registers it would take.
#[target_feature(enable = "avx512f")]
#[inline(never)]
unsafe fn activate(activation: Activation, vectors: &mut [Zmm]) {
    // SAFETY: the caller's.
    unsafe { vector::activate(activation, vectors) }
}

#[target_feature(enable = "avx512f")]
unsafe fn micro_tile<const M: usize, const W: usize, const PIXEL_STRIDE: usize>(
    memory: *mut f32,
    gemm: &Gemm<'_>,
    index: usize,
) {
    // SAFETY: the caller's.
    unsafe { vector::gemm::<Zmm, M, W, PIXEL_STRIDE, W>(memory, gemm, index, 0) }
}

#[target_feature(enable = "avx512f")]
unsafe fn micro_tiles<const W: usize, const PIXEL_STRIDE: usize>(
    memory: *mut f32,
    gemm: &Gemm<'_>,
) {
    for (index, tile) in gemm.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            with_pixels!(tile.pixels, [1 2 3 4 5 6 7 8 9 10 11 12 13] else 14, M => micro_tile::<M, W, PIXEL_STRIDE>(memory, gemm, index));
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
unsafe fn pixels<const M: usize>(memory: *mut f32, small_group: &SmallGroup<'_>, index: usize) {
    // SAFETY: the caller's.
    unsafe {
        if small_group.stride == 1 {
            vector::small_group::<Zmm, M, 1>(memory, small_group, index, 0);
        } else {
            vector::small_group::<Zmm, M, 2>(memory, small_group, index, 0);
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn small_group(memory: *mut f32, small_group: &SmallGroup<'_>) {
    for (index, micro_tile) in small_group.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            with_pixels!(micro_tile.pixels, [1 2 3 4 5 6 7 8 9 10 11 12 13] else 14, M => pixels::<M>(memory, small_group, index));
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn depthwise_pixels<const M: usize, const COLUMNS: usize, const STRIDE: usize>(
    memory: *mut f32,
    depthwise: &Depthwise<'_>,
    index: usize,
) {
    // SAFETY: the caller's.
    unsafe { vector::depthwise::<Zmm, M, COLUMNS, STRIDE>(memory, depthwise, index, 0) }
}

#[target_feature(enable = "avx512f")]
unsafe fn sliding<const COLUMNS: usize, const STRIDE: usize>(
    memory: *mut f32,
    depthwise: &Depthwise<'_>,
) {
    for (index, micro_tile) in depthwise.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            with_pixels!(micro_tile.pixels, [1 2 3 4 5 6 7 8 9 10 11 12 13] else 14, M => depthwise_pixels::<M, COLUMNS, STRIDE>(memory, depthwise, index));
        }
    }
}

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn depthwise(memory: *mut f32, depthwise: &Depthwise<'_>) {
    // SAFETY: the caller's.
    unsafe {
        with_sliding!(depthwise, COLUMNS, STRIDE => sliding::<COLUMNS, STRIDE>(memory, depthwise));
    }
}

whole_kernels!(Zmm, [target_feature(enable = "avx512f")]);
