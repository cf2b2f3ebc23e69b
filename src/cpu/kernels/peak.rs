//! What no kernel can beat: multiply-adds on registers alone.

use std::hint::black_box;

#[cfg(target_arch = "x86_64")]
use half::bf16;

use super::portable;
use super::vector::{MAX_LANES, Vector};
use crate::cpu::isa::{Isa, Vectors};
use crate::cpu::options::Precision;

#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// Sums that go on at once: enough for two units that take four cycles for each, and few enough
/// for AVX2's sixteen registers.
#[cfg(target_arch = "x86_64")]
const OF_VECTORS: usize = 12;

/// An array takes two of SSE's sixteen registers.
const OF_ARRAYS: usize = 6;

/// Has the compiler take sums for needed.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[allow(clippy::inline_always, reason = "see vector/mod.rs")]
#[inline(always)]
unsafe fn look_at<V: Vector, const SUMS: usize>(sums: [V; SUMS]) {
    let mut lanes = [0_f32; MAX_LANES];
    for sum in sums {
        // SAFETY: the caller's; a vector has at most so many lanes.
        unsafe { sum.store(lanes.as_mut_ptr()) }
        black_box(&lanes);
    }
}

/// # Safety
///
/// A processor with `V`'s instructions.
#[allow(clippy::inline_always, reason = "see vector/mod.rs")]
#[inline(always)]
unsafe fn sums<V: Vector, const SUMS: usize>(turns: u64) -> u64 {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [V::splat(1.); SUMS];
        let (factor, addend) = (V::splat(black_box(0.5)), V::splat(black_box(0.25)));
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = sum.multiply_add(factor, addend);
            }
        }
        look_at(sums);
    }
    turns * (SUMS * V::LANES) as u64
}

/// Of pairs of bf16 elements, which are two multiply-adds.
///
/// # Safety
///
/// A processor with `V`'s instructions for them.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::inline_always, reason = "see vector/mod.rs")]
#[inline(always)]
unsafe fn sums_of_pairs<V: Vector, const SUMS: usize>(turns: u64) -> u64 {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [V::splat(1.); SUMS];
        let pair = black_box([bf16::from_f32(0.5); 2]);
        let pairs = V::splat_pair(pair.as_ptr());
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = V::add_pair_products(pairs, pairs, *sum);
            }
        }
        look_at(sums);
    }
    turns * (2 * SUMS * V::LANES) as u64
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pairs_of_avx512(turns: u64) -> u64 {
    // SAFETY: the caller's.
    unsafe { sums_of_pairs::<avx512::Zmm, OF_VECTORS>(turns) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn of_avx2(turns: u64) -> u64 {
    // SAFETY: the caller's.
    unsafe { sums::<avx2::Ymm, OF_VECTORS>(turns) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn of_avx512(turns: u64) -> u64 {
    // SAFETY: the caller's.
    unsafe { sums::<avx512::Zmm, OF_VECTORS>(turns) }
}

/// Does nothing but multiply and add, in so many turns, and says how often it has done that: elements of
/// that precision where there are instructions for it, else in single precision.
///
/// # Panics
///
/// Where this processor lacks the instructions.
pub(in crate::cpu) fn multiply_adds(isa: Isa, precision: Precision, turns: u64) -> u64 {
    assert!(isa.is_available(), "this processor lacks {isa}");
    match isa.vectors {
        // SAFETY: available, as asserted, and so is what it has.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 if isa.features.bf16 && precision == Precision::Bf16 => unsafe {
            pairs_of_avx512(turns)
        },
        // SAFETY: any processor.
        Vectors::Scalar | Vectors::Portable => unsafe { sums::<portable::Array, OF_ARRAYS>(turns) },
        // SAFETY: available, as asserted.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { of_avx2(turns) },
        // SAFETY: available, as asserted.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { of_avx512(turns) },
        #[cfg(not(target_arch = "x86_64"))]
        Vectors::Avx2 | Vectors::Avx512 => 0,
    }
}
