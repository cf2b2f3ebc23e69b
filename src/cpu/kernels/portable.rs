//! Any processor: arrays of fixed size, which the compiler turns into the vectors it knows.
//!
//! On x86 these are SSE's, two for an array: a GEMM's loop is `mulps` and `addps`, and
//! SE-ResNet-50 runs at 0.63 of what these can do on a Zen 5. With AVX2 allowed to the compiler
//! an array is one vector.
//!
//! # Safety
//!
//! Every function needs the checks of its namesake in [`super`].
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

use std::array::from_fn;

use half::bf16;

use super::vector::{self, Vector, VectorElement, whole_kernels, with_pixels, with_sliding};
use super::{
    BLOCK, Depthwise, Elementwise, Gemm, InputTransform, OutputTransform, Pool, ScaledRows,
    SmallGroup,
};
use crate::cpu::element::Element;
use crate::network::Activation;

const LANES: usize = 8;

#[derive(Clone, Copy)]
pub(super) struct Array([f32; LANES]);

#[allow(clippy::inline_always, reason = "see vector/mod.rs")]
impl Vector for Array {
    const LANES: usize = LANES;

    type Pairs = [[bf16; 2]; LANES];

    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller's.
        let elements = unsafe { from.cast::<[bf16; LANES]>().read_unaligned() };
        Self(elements.map(bf16::widened))
    }

    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut bf16) {
        // SAFETY: the caller's.
        unsafe {
            to.cast::<[bf16; LANES]>()
                .write_unaligned(self.0.map(bf16::rounded));
        }
    }

    #[inline(always)]
    unsafe fn splat_pair(from: *const bf16) -> Self::Pairs {
        // SAFETY: the caller's.
        [unsafe { from.cast::<[bf16; 2]>().read_unaligned() }; LANES]
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const bf16) -> Self::Pairs {
        // SAFETY: the caller's.
        unsafe { from.cast::<Self::Pairs>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn permuted_pairs(block: *const bf16, lanes: *const u32) -> Self::Pairs {
        // SAFETY: the caller's.
        let (block, lanes) = unsafe {
            let lanes = lanes.cast::<[u32; LANES]>().read_unaligned();
            (Self::load_pairs(block), lanes)
        };
        lanes.map(|lane| block[lane as usize % LANES])
    }

    // Products of bf16 elements are exact, so that no sum is rounded otherwise than by a fused one.
    #[inline(always)]
    unsafe fn add_pair_products(pairs: Self::Pairs, factors: Self::Pairs, sum: Self) -> Self {
        Self(from_fn(|lane| {
            let product = |of: usize| pairs[lane][of].widened() * factors[lane][of].widened();
            sum.0[lane] + product(1) + product(0)
        }))
    }

    #[inline(always)]
    unsafe fn splat(element: f32) -> Self {
        Self([element; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }

    // Not `mul_add`: where a processor lacks it, that calls a function for every element.
    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        Self(from_fn(|lane| self.0[lane] * factor.0[lane] + sum.0[lane]))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    #[inline(always)]
    unsafe fn subtract(self, other: Self) -> Self {
        Self(from_fn(|lane| self.0[lane] - other.0[lane]))
    }

    #[inline(always)]
    unsafe fn multiply(self, other: Self) -> Self {
        Self(from_fn(|lane| self.0[lane] * other.0[lane]))
    }

    // Where a processor lacks it, a function's call for every element, but the same bits.
    #[inline(always)]
    unsafe fn fused(self, factor: Self, sum: Self) -> Self {
        Self(from_fn(|lane| {
            self.0[lane].mul_add(factor.0[lane], sum.0[lane])
        }))
    }

    #[inline(always)]
    unsafe fn divide(self, by: Self) -> Self {
        Self(from_fn(|lane| self.0[lane] / by.0[lane]))
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Self(from_fn(|lane| {
            if self.0[lane] < other.0[lane] {
                self.0[lane]
            } else {
                other.0[lane]
            }
        }))
    }

    #[inline(always)]
    unsafe fn if_less(self, bound: f32, then: Self, otherwise: Self) -> Self {
        Self(from_fn(|lane| {
            if self.0[lane] < bound {
                then.0[lane]
            } else {
                otherwise.0[lane]
            }
        }))
    }

    #[inline(always)]
    unsafe fn any_less(self, bound: f32) -> bool {
        self.0.iter().any(|&element| element < bound)
    }

    #[inline(always)]
    unsafe fn power(self) -> Self {
        Self(from_fn(|lane| f32::from_bits(self.0[lane].to_bits() << 23)))
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Self(from_fn(|lane| {
            if self.0[lane] > other.0[lane] {
                self.0[lane]
            } else {
                other.0[lane]
            }
        }))
    }

    #[inline(always)]
    unsafe fn permuted(self, lanes: *const u32) -> Self {
        // SAFETY: the caller's.
        let lanes = unsafe { lanes.cast::<[u32; LANES]>().read_unaligned() };
        Self(from_fn(|lane| self.0[lanes[lane] as usize % LANES]))
    }

    #[inline(always)]
    unsafe fn activate(activation: Activation, vectors: &mut [Self]) {
        // SAFETY: the caller's.
        unsafe { activate(activation, vectors) }
    }
}

// Never part of what calls it, whose registers it would take.
#[inline(never)]
unsafe fn activate(activation: Activation, vectors: &mut [Array]) {
    // SAFETY: the caller's.
    unsafe { vector::activate(activation, vectors) }
}

// Not part of whatever calls it: there the loop's vectors would not stay in registers.
#[inline(never)]
unsafe fn micro_tile<Source: VectorElement, Stored: VectorElement, const M: usize>(
    memory: *mut u8,
    gemm: &Gemm<'_, Source>,
    index: usize,
    channel: usize,
) {
    // SAFETY: the caller's.
    unsafe { vector::gemm::<Array, Source, Stored, M, 2, 0, 0>(memory, gemm, index, channel) }
}

pub(super) unsafe fn gemm<Source: VectorElement, Stored: VectorElement>(
    memory: *mut u8,
    gemm: &Gemm<'_, Source>,
) {
    for (index, tile) in gemm.micro_tiles.iter().enumerate() {
        for channel in (0..gemm.nr_blocks * BLOCK).step_by(BLOCK) {
            // SAFETY: the caller's.
            unsafe {
                if tile.pixels == 1 {
                    micro_tile::<Source, Stored, 1>(memory, gemm, index, channel);
                } else {
                    micro_tile::<Source, Stored, 2>(memory, gemm, index, channel);
                }
            }
        }
    }
}

// As above.
#[inline(never)]
unsafe fn pixels<Source: VectorElement, Stored: VectorElement, const M: usize>(
    memory: *mut u8,
    small_group: &SmallGroup<'_, Source>,
    index: usize,
) {
    for lane in (0..BLOCK).step_by(LANES) {
        // SAFETY: the caller's.
        unsafe {
            if small_group.stride == 1 {
                vector::small_group::<Array, Source, Stored, M, 1>(
                    memory,
                    small_group,
                    index,
                    lane,
                );
            } else {
                vector::small_group::<Array, Source, Stored, M, 2>(
                    memory,
                    small_group,
                    index,
                    lane,
                );
            }
        }
    }
}

pub(super) unsafe fn small_group<Source: VectorElement, Stored: VectorElement>(
    memory: *mut u8,
    small_group: &SmallGroup<'_, Source>,
) {
    for (index, micro_tile) in small_group.micro_tiles.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            if micro_tile.pixels == 1 {
                pixels::<Source, Stored, 1>(memory, small_group, index);
            } else {
                pixels::<Source, Stored, 2>(memory, small_group, index);
            }
        }
    }
}

// As above.
#[inline(never)]
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
    for lane in (0..BLOCK).step_by(LANES) {
        // SAFETY: the caller's.
        unsafe {
            vector::depthwise::<Array, Source, Stored, M, COLUMNS, STRIDE>(
                memory, depthwise, index, lane,
            );
        }
    }
}

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
            with_pixels!(micro_tile.pixels, [1 2 3] else 4, M => depthwise_pixels::<Source, Stored, M, COLUMNS, STRIDE>(memory, depthwise, index));
        }
    }
}

pub(super) unsafe fn depthwise<Source: VectorElement, Stored: VectorElement>(
    memory: *mut u8,
    depthwise: &Depthwise<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        with_sliding!(depthwise, COLUMNS, STRIDE => sliding::<Source, Stored, COLUMNS, STRIDE>(memory, depthwise));
    }
}

whole_kernels!(Array, [inline]);
