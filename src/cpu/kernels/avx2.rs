//! AVX2 and FMA: a block of channels is two vectors, and a tile of 6 pixels by one block fills
//! the registers.
//!
//! # Safety
//!
//! Every function needs a processor with AVX2 and FMA and the checks of its namesake in
//! [`super`].
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

use std::arch::x86_64::{
    __m256, __m256i, _CMP_LT_OQ, _CMP_UNORD_Q, _MM_HINT_T0, _MM_HINT_T1, _mm_loadu_si128,
    _mm_prefetch, _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256,
    _mm256_blendv_epi8, _mm256_blendv_ps, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cmpgt_epi32, _mm256_cvtepu16_epi32,
    _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps,
    _mm256_min_ps, _mm256_movemask_ps, _mm256_mul_ps, _mm256_or_si256, _mm256_packus_epi32,
    _mm256_permute4x64_epi64, _mm256_permutevar8x32_epi32, _mm256_permutevar8x32_ps,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_ps,
    _mm256_sub_ps,
};

use half::bf16;

use super::vector::{self, Vector, VectorElement, whole_kernels, with_pixels, with_sliding};
use super::{
    BLOCK, Depthwise, Elementwise, Gemm, InputTransform, OutputTransform, Pool, ScaledRows,
    SmallGroup,
};
use crate::network::Activation;

#[derive(Clone, Copy)]
pub(super) struct Ymm(__m256);

#[allow(clippy::inline_always, reason = "see vector/mod.rs")]
// SAFETY of each: one instruction, which the caller's processor has, on memory that is the
// caller's to touch.
impl Vector for Ymm {
    const LANES: usize = 8;

    type Pairs = __m256i;

    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        unsafe {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits)))
        }
    }

    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut bf16) {
        unsafe {
            let bits = _mm256_castps_si256(self.0);
            let upper = _mm256_srli_epi32::<16>(bits);
            // Half of the last place, less one where the upper half is even: ties go there.
            let odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
            let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
            let nearest = _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, half));
            // A number that is none stays so.
            let quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
            let is_nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, self.0));
            let rounded = _mm256_blendv_epi8(nearest, quiet, is_nan);
            let size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fff_ffff));
            let is_tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x0080_0000), size);
            let sign = _mm256_and_si256(upper, _mm256_set1_epi32(0x8000));
            let rounded = _mm256_blendv_epi8(rounded, sign, is_tiny);
            // Packed within each half, then the halves.
            let packed = _mm256_packus_epi32(rounded, rounded);
            let packed = _mm256_permute4x64_epi64::<0b1000>(packed);
            _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(packed));
        }
    }

    #[inline(always)]
    unsafe fn splat_pair(from: *const bf16) -> __m256i {
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const bf16) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn permuted_pairs(block: *const bf16, lanes: *const u32) -> __m256i {
        unsafe {
            let block = _mm256_loadu_si256(block.cast());
            _mm256_permutevar8x32_epi32(block, _mm256_loadu_si256(lanes.cast()))
        }
    }

    #[inline(always)]
    unsafe fn add_pair_products(pairs: __m256i, factors: __m256i, sum: Self) -> Self {
        unsafe {
            let first = |pairs| Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)));
            let second = |pairs| {
                let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
                Self(_mm256_castsi256_ps(_mm256_and_si256(pairs, upper)))
            };
            let sum = second(pairs).multiply_add(second(factors), sum);
            first(pairs).multiply_add(first(factors), sum)
        }
    }

    #[inline(always)]
    unsafe fn splat(element: f32) -> Self {
        Self(unsafe { _mm256_set1_ps(element) })
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
    unsafe fn divide(self, by: Self) -> Self {
        Self(unsafe { _mm256_div_ps(self.0, by.0) })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Self(unsafe { _mm256_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn if_less(self, bound: f32, then: Self, otherwise: Self) -> Self {
        unsafe {
            let less = _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, _mm256_set1_ps(bound));
            Self(_mm256_blendv_ps(otherwise.0, then.0, less))
        }
    }

    #[inline(always)]
    unsafe fn any_less(self, bound: f32) -> bool {
        unsafe {
            let less = _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, _mm256_set1_ps(bound));
            _mm256_movemask_ps(less) != 0
        }
    }

    #[inline(always)]
    unsafe fn power(self) -> Self {
        unsafe {
            let bits = _mm256_slli_epi32::<23>(_mm256_castps_si256(self.0));
            Self(_mm256_castsi256_ps(bits))
        }
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

    #[inline(always)]
    unsafe fn activate(activation: Activation, vectors: &mut [Self]) {
        unsafe { activate(activation, vectors) }
    }
}

// Never part of what calls it, whose registers it would take.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
unsafe fn activate(activation: Activation, vectors: &mut [Ymm]) {
    // SAFETY: the caller's.
    unsafe { vector::activate(activation, vectors) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn micro_tile<
    Source: VectorElement,
    Stored: VectorElement,
    const M: usize,
    const PIXEL_STRIDE: usize,
    const NR_BLOCKS: usize,
>(
    memory: *mut u8,
    gemm: &Gemm<'_, Source>,
    index: usize,
    channel: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        vector::gemm::<Ymm, Source, Stored, M, 2, PIXEL_STRIDE, NR_BLOCKS>(
            memory, gemm, index, channel,
        );
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn micro_tiles<
    Source: VectorElement,
    Stored: VectorElement,
    const PIXEL_STRIDE: usize,
    const NR_BLOCKS: usize,
>(
    memory: *mut u8,
    gemm: &Gemm<'_, Source>,
) {
    for channel in (0..NR_BLOCKS * BLOCK).step_by(BLOCK) {
        for (index, tile) in gemm.micro_tiles.iter().enumerate() {
            // SAFETY: the caller's.
            unsafe {
                with_pixels!(tile.pixels, [1 2 3 4 5] else 6, M => micro_tile::<Source, Stored, M, PIXEL_STRIDE, NR_BLOCKS>(memory, gemm, index, channel));
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn gemm<Source: VectorElement, Stored: VectorElement>(
    memory: *mut u8,
    gemm: &Gemm<'_, Source>,
) {
    // SAFETY: the caller's.
    unsafe {
        match (gemm.pixel_stride == BLOCK, gemm.nr_blocks) {
            (true, 1) => micro_tiles::<Source, Stored, BLOCK, 1>(memory, gemm),
            (false, 1) => micro_tiles::<Source, Stored, 0, 1>(memory, gemm),
            // Plans have no panels of two blocks for this instruction set.
            _ => micro_tiles::<Source, Stored, 0, 2>(memory, gemm),
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn pixels<Source: VectorElement, Stored: VectorElement, const M: usize>(
    memory: *mut u8,
    small_group: &SmallGroup<'_, Source>,
    index: usize,
) {
    for lane in [0, 8] {
        // SAFETY: the caller's.
        unsafe {
            if small_group.stride == 1 {
                vector::small_group::<Ymm, Source, Stored, M, 1>(memory, small_group, index, lane);
            } else {
                vector::small_group::<Ymm, Source, Stored, M, 2>(memory, small_group, index, lane);
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn small_group<Source: VectorElement, Stored: VectorElement>(
    memory: *mut u8,
    small_group: &SmallGroup<'_, Source>,
) {
    for (index, micro_tile) in small_group.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            with_pixels!(micro_tile.pixels, [1 2 3 4 5] else 6, M => pixels::<Source, Stored, M>(memory, small_group, index));
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn depthwise_pixels<
    Source: VectorElement,
    Stored: VectorElement,
    const M: usize,
    const COLUMNS: usize,
    const STRIDE: usize,
>(
    memory: *mut u8,
    depthwise: &Depthwise<'_>,
    index: usize,
) {
    for lane in [0, 8] {
        // SAFETY: the caller's.
        unsafe {
            vector::depthwise::<Ymm, Source, Stored, M, COLUMNS, STRIDE>(
                memory, depthwise, index, lane,
            );
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn sliding<
    Source: VectorElement,
    Stored: VectorElement,
    const COLUMNS: usize,
    const STRIDE: usize,
>(
    memory: *mut u8,
    depthwise: &Depthwise<'_>,
) {
    for (index, micro_tile) in depthwise.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            with_pixels!(micro_tile.pixels, [1 2 3 4 5 6 7] else 8, M => depthwise_pixels::<Source, Stored, M, COLUMNS, STRIDE>(memory, depthwise, index));
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn depthwise<Source: VectorElement, Stored: VectorElement>(
    memory: *mut u8,
    depthwise: &Depthwise<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        with_sliding!(depthwise, COLUMNS, STRIDE => sliding::<Source, Stored, COLUMNS, STRIDE>(memory, depthwise));
    }
}

whole_kernels!(Ymm, [target_feature(enable = "avx2,fma")]);
