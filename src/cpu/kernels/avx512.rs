//! AVX-512F, and `AVX512_BF16` for elements in bf16: a block of channels is one vector, and 28 sums
//! fill the registers.
//!
//! # Safety
//!
//! Every function needs a processor with AVX-512F, those that bf16 elements reach one with
//! `AVX512_BF16` too, and the checks of its namesake in [`super`].
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

use std::arch::x86_64::{
    __m256i, __m512, __m512bh, _CMP_LT_OQ, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch,
    _mm256_loadu_si256, _mm256_storeu_si256, _mm512_add_ps, _mm512_castps_si512,
    _mm512_castsi256_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepu16_epi32,
    _mm512_cvtneps_pbh, _mm512_div_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_epi32,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_permutexvar_epi32, _mm512_permutexvar_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};

use std::mem::transmute;

use half::bf16;

use super::vector::{self, Vector};
use crate::network::Activation;

#[derive(Clone, Copy)]
pub(super) struct Zmm(__m512);

#[allow(clippy::inline_always, reason = "see vector/mod.rs")]
// SAFETY of each: one instruction, which the caller's processor has, on memory that is the
// caller's to touch.
impl Vector for Zmm {
    const LANES: usize = 16;

    type Pairs = __m512bh;

    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits)))
        }
    }

    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut bf16) {
        unsafe {
            let bits: __m256i = transmute(_mm512_cvtneps_pbh(self.0));
            _mm256_storeu_si256(to.cast(), bits);
        }
    }

    #[inline(always)]
    unsafe fn splat_pair(from: *const bf16) -> __m512bh {
        unsafe { transmute(_mm512_set1_epi32(from.cast::<i32>().read_unaligned())) }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const bf16) -> __m512bh {
        unsafe { transmute(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn permuted_pairs(block: *const bf16, lanes: *const u32) -> __m512bh {
        unsafe {
            let block = _mm512_castsi256_si512(_mm256_loadu_si256(block.cast()));
            let lanes = _mm512_loadu_epi32(lanes.cast());
            transmute(_mm512_permutexvar_epi32(lanes, block))
        }
    }

    #[inline(always)]
    unsafe fn add_pair_products(pairs: __m512bh, factors: __m512bh, sum: Self) -> Self {
        Self(unsafe { _mm512_dpbf16_ps(sum.0, pairs, factors) })
    }

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

/// All kernels, with these instructions.
macro_rules! kernels {
    ($features:literal) => {
        use super::Zmm;
        use crate::cpu::kernels::vector::{
            self, VectorElement, whole_kernels, with_pixels, with_sliding,
        };
        use crate::cpu::kernels::{
            BLOCK, Depthwise, Elementwise, Gemm, InputTransform, OutputTransform, Pool,
            ScaledRows, SmallGroup,
        };

        #[target_feature(enable = $features)]
        unsafe fn micro_tile<Source: VectorElement, Stored: VectorElement, const M: usize, const W: usize, const PIXEL_STRIDE: usize>(
            memory: *mut u8,
            gemm: &Gemm<'_, Source>,
            index: usize,
        ) {
            // SAFETY: the caller's.
            unsafe { vector::gemm::<Zmm, Source, Stored, M, W, PIXEL_STRIDE, W>(memory, gemm, index, 0) }
        }

        #[target_feature(enable = $features)]
        unsafe fn micro_tiles<Source: VectorElement, Stored: VectorElement, const W: usize, const PIXEL_STRIDE: usize>(
            memory: *mut u8,
            gemm: &Gemm<'_, Source>,
        ) {
            for (index, tile) in gemm.micro_tiles.iter().enumerate() {
                // SAFETY: the caller's.
                unsafe {
                    with_pixels!(tile.pixels, [1 2 3 4 5 6 7 8 9 10 11 12 13] else 14, M => micro_tile::<Source, Stored, M, W, PIXEL_STRIDE>(memory, gemm, index));
                }
            }
        }

        #[target_feature(enable = $features)]
        pub(in crate::cpu::kernels) unsafe fn gemm<Source: VectorElement, Stored: VectorElement>(memory: *mut u8, gemm: &Gemm<'_, Source>) {
            // SAFETY: the caller's.
            unsafe {
                match (gemm.nr_blocks, gemm.pixel_stride) {
                    (1, BLOCK) => micro_tiles::<Source, Stored, 1, BLOCK>(memory, gemm),
                    (1, _) => micro_tiles::<Source, Stored, 1, 0>(memory, gemm),
                    (_, BLOCK) => micro_tiles::<Source, Stored, 2, BLOCK>(memory, gemm),
                    _ => micro_tiles::<Source, Stored, 2, 0>(memory, gemm),
                }
            }
        }

        #[target_feature(enable = $features)]
        unsafe fn pixels<Source: VectorElement, Stored: VectorElement, const M: usize>(memory: *mut u8, small_group: &SmallGroup<'_, Source>, index: usize) {
            // SAFETY: the caller's.
            unsafe {
                if small_group.stride == 1 {
                    vector::small_group::<Zmm, Source, Stored, M, 1>(memory, small_group, index, 0);
                } else {
                    vector::small_group::<Zmm, Source, Stored, M, 2>(memory, small_group, index, 0);
                }
            }
        }

        #[target_feature(enable = $features)]
        pub(in crate::cpu::kernels) unsafe fn small_group<Source: VectorElement, Stored: VectorElement>(memory: *mut u8, small_group: &SmallGroup<'_, Source>) {
            for (index, micro_tile) in small_group.micro_tiles.iter().enumerate() {
                // SAFETY: the caller's.
                unsafe {
                    with_pixels!(micro_tile.pixels, [1 2 3 4 5 6 7 8 9 10 11 12 13] else 14, M => pixels::<Source, Stored, M>(memory, small_group, index));
                }
            }
        }

        #[target_feature(enable = $features)]
        unsafe fn depthwise_pixels<Source: VectorElement, Stored: VectorElement, const M: usize, const COLUMNS: usize, const STRIDE: usize>(
            memory: *mut u8,
            depthwise: &Depthwise<'_>,
            index: usize,
        ) {
            // SAFETY: the caller's.
            unsafe { vector::depthwise::<Zmm, Source, Stored, M, COLUMNS, STRIDE>(memory, depthwise, index, 0) }
        }

        #[target_feature(enable = $features)]
        unsafe fn sliding<Source: VectorElement, Stored: VectorElement, const COLUMNS: usize, const STRIDE: usize>(
            memory: *mut u8,
            depthwise: &Depthwise<'_>,
        ) {
            for (index, micro_tile) in depthwise.micro_tiles.iter().enumerate() {
                // SAFETY: the caller's.
                unsafe {
                    with_pixels!(micro_tile.pixels, [1 2 3 4 5 6 7 8 9 10 11 12 13] else 14, M => depthwise_pixels::<Source, Stored, M, COLUMNS, STRIDE>(memory, depthwise, index));
                }
            }
        }

        #[target_feature(enable = $features)]
        pub(in crate::cpu::kernels) unsafe fn depthwise<Source: VectorElement, Stored: VectorElement>(memory: *mut u8, depthwise: &Depthwise<'_>) {
            // SAFETY: the caller's.
            unsafe {
                with_sliding!(depthwise, COLUMNS, STRIDE => sliding::<Source, Stored, COLUMNS, STRIDE>(memory, depthwise));
            }
        }

        whole_kernels!(Zmm, [target_feature(enable = $features)]);
    };
}

/// Where all elements are in single precision.
pub(super) mod singles {
    kernels!("avx512f");
}

/// Where some are in bf16.
pub(super) mod halves {
    kernels!("avx512f,avx512bf16");
}
