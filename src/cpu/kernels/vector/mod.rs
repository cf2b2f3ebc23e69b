//! The kernels on any vector of elements; the compiler makes one of each for each.
//!
//! Everything here is `inline(always)`: it becomes part of a function that enables its vector's
//! instructions, and only there do the vectors stay in registers.
#![allow(
    clippy::inline_always,
    reason = "see above: without it every vector goes through memory"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "loops over constant bounds unroll into registers; iterators over arrays may not"
)]

mod activation;
mod depthwise;
mod element;
mod gemm;
mod rows;
mod scaled_rows;
mod small_group;
mod winograd;

pub(super) use activation::activate;
pub(super) use depthwise::depthwise;
pub(in crate::cpu) use element::VectorElement;
pub(super) use gemm::gemm;
pub(super) use rows::{elementwise, pool};
pub(super) use scaled_rows::scaled_rows;
pub(super) use small_group::small_group;
pub(super) use winograd::{input_transform, output_transform};

use super::{BlockView, MicroTile, Output, PixelOffsets};
use half::bf16;

use crate::cpu::epilogue::Epilogue;
use crate::network::Activation;

/// A vector of 8 or 16 elements.
///
/// # Safety
///
/// Every function needs a processor with the vector's instructions; `load` and `store` need a
/// pointer to as many elements as there are lanes, and `permuted` to as many lanes' indices.
pub(in crate::cpu) trait Vector: Copy {
    const LANES: usize;

    /// In each lane two bf16 elements.
    type Pairs: Copy;

    /// As many bf16 elements as there are lanes, widened.
    unsafe fn load_bf16(from: *const bf16) -> Self;
    /// Stores the nearest; numbers too small to be normal are zero.
    unsafe fn store_bf16(self, to: *mut bf16);
    /// The pair at any address in all lanes.
    unsafe fn splat_pair(from: *const bf16) -> Self::Pairs;
    /// As many pairs as there are lanes.
    unsafe fn load_pairs(from: *const bf16) -> Self::Pairs;
    /// Of a block of elements, which are 8 pairs, in each lane the one named there.
    unsafe fn permuted_pairs(block: *const bf16, lanes: *const u32) -> Self::Pairs;
    /// The sum, to which first the second elements' products are added and then the first ones',
    /// each time rounded. Products are exact.
    unsafe fn add_pair_products(pairs: Self::Pairs, factors: Self::Pairs, sum: Self) -> Self;

    unsafe fn splat(element: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self * factor + sum`.
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn subtract(self, other: Self) -> Self;
    unsafe fn multiply(self, other: Self) -> Self;
    /// [`Vector::multiply_add`], rounded once on every processor.
    #[inline(always)]
    unsafe fn fused(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller's.
        unsafe { self.multiply_add(factor, sum) }
    }
    unsafe fn divide(self, by: Self) -> Self;
    /// The larger of each two; `other`'s where one of them is NaN, or both are zero.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller of each two; `other`'s where one of them is NaN, or both are zero.
    unsafe fn min(self, other: Self) -> Self;
    /// In each lane `then` where it is less than the bound, else `otherwise`.
    unsafe fn if_less(self, bound: f32, then: Self, otherwise: Self) -> Self;
    /// Whether any of them is less.
    unsafe fn any_less(self, bound: f32) -> bool;
    /// The number whose sign and exponent are the lowest 9 bits of each element.
    unsafe fn power(self) -> Self;
    /// An activation of each vector, in a function of its own: it takes all registers.
    unsafe fn activate(activation: Activation, vectors: &mut [Self]);
    /// Asks for the cache line at any address to be brought into the nearest cache.
    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {}
    /// Into the second nearest.
    #[inline(always)]
    unsafe fn prefetch_far(_at: *const f32) {}
    /// In each lane the element of the lane named there, modulo the count of lanes.
    unsafe fn permuted(self, lanes: *const u32) -> Self;
}

/// The most lanes of a vector.
pub(super) const MAX_LANES: usize = 16;

/// Calls a function that is generic over the pixels of a micro-tile, `$M`, with `$pixels` of them:
/// one of those listed, or else the last.
macro_rules! with_pixels {
    ($pixels:expr, [$($count:literal)*] else $last:literal, $M:ident => $call:expr) => {
        match $pixels {
            $($count => { const $M: usize = $count; $call })*
            _ => { const $M: usize = $last; $call }
        }
    };
}

/// Calls a function that is generic over how windows slide along rows: over the columns of a kernel,
/// `$COLUMNS`, and the stride, `$STRIDE`, both 0 where this is none that the compiler knows.
macro_rules! with_sliding {
    ($depthwise:expr, $COLUMNS:ident, $STRIDE:ident => $call:expr) => {
        with_sliding!($depthwise, [3 1, 3 2, 5 1, 5 2, 7 1, 7 2], $COLUMNS, $STRIDE => $call)
    };
    ($depthwise:expr, [$($columns:literal $stride:literal),*], $COLUMNS:ident, $STRIDE:ident => $call:expr) => {
        match $depthwise.sliding() {
            $(Some([$columns, $stride]) => {
                const $COLUMNS: usize = $columns;
                const $STRIDE: usize = $stride;
                $call
            })*
            _ => {
                const $COLUMNS: usize = 0;
                const $STRIDE: usize = 0;
                $call
            }
        }
    };
}

/// Computes `$body` with its own code for no activation and for the rectifier: loops in it have no
/// branch for those, and keep their vectors in registers, which a call of any other activation's
/// formula takes.
macro_rules! with_activation {
    ($activation:expr, $known:ident => $body:expr) => {
        match $activation {
            None => {
                let $known = None;
                $body
            }
            Some(Activation::Relu) => {
                let $known = Some(Activation::Relu);
                $body
            }
            $known => $body,
        }
    };
}

/// The kernels of an instruction set that are one function for any argument: on its vector, and
/// with an attribute that enables its instructions.
macro_rules! whole_kernels {
    ($name:ident($argument:ty), $vector:ty, [$attribute:meta]) => {
        #[$attribute]
        pub(in crate::cpu::kernels) unsafe fn $name<
            Source: VectorElement,
            Stored: VectorElement,
        >(
            memory: *mut u8,
            argument: &$argument,
        ) {
            // SAFETY: the caller's.
            unsafe { vector::$name::<$vector, Source, Stored>(memory, argument) }
        }
    };
    ($vector:ty, $attribute:tt) => {
        whole_kernels!(pool(Pool<'_>), $vector, $attribute);
        whole_kernels!(elementwise(Elementwise<'_>), $vector, $attribute);
        whole_kernels!(scaled_rows(ScaledRows<'_, Source>), $vector, $attribute);
        whole_kernels!(input_transform(InputTransform), $vector, $attribute);
        whole_kernels!(output_transform(OutputTransform<'_>), $vector, $attribute);
    };
}

use with_activation;
pub(super) use {whole_kernels, with_pixels, with_sliding};

/// Where an element lies.
///
/// # Safety
///
/// It lies in `memory`, or just behind its last.
#[inline(always)]
unsafe fn at<E>(memory: *mut u8, offset: usize) -> *mut E {
    // SAFETY: the caller's.
    unsafe { memory.cast::<E>().add(offset) }
}

impl BlockView {
    /// A pixel's first element, where its offsets are these.
    ///
    /// # Safety
    ///
    /// [`Output::check`]'s checks.
    #[inline(always)]
    unsafe fn pixel<E>(&self, memory: *mut u8, offsets: &PixelOffsets, m: usize) -> *mut E {
        // SAFETY: the caller's.
        unsafe { at::<E>(memory, self.offset).add(offsets.get_unchecked(m)) }
    }
}

impl Epilogue<BlockView> {
    /// The gate of `W` vectors of channels from `channel` on.
    ///
    /// # Safety
    ///
    /// [`Epilogue::check_channels`]'s checks, and a processor with `V`'s instructions.
    #[inline(always)]
    unsafe fn load_gate<V: Vector, const W: usize>(
        &self,
        memory: *mut u8,
        channel: usize,
    ) -> Option<[V; W]> {
        let view = self.gate.as_ref()?;
        // SAFETY: the caller's.
        unsafe {
            let mut gate = [V::splat(0.); W];
            for w in 0..W {
                gate[w] = V::load(at(memory, view.channel(channel + w * V::LANES)));
            }
            Some(gate)
        }
    }

    /// All of it but the sums, of the values of `M` pixels and `W` vectors of channels, its own
    /// activation given once more. Step by step, each for all values at once: they stay in
    /// registers.
    ///
    /// # Safety
    ///
    /// `residual` points to a vector for each of `M` and `W`, where there is a residual; and a
    /// processor with `V`'s instructions.
    #[inline(always)]
    unsafe fn finish<V: Vector, Stored: VectorElement, const M: usize, const W: usize>(
        &self,
        values: &mut [[V; W]; M],
        (gate, activation): (Option<[V; W]>, Option<Activation>),
        residual: impl Fn(&BlockView, usize, usize) -> *const Stored,
    ) {
        // SAFETY: the caller's.
        unsafe {
            if let Some(gate) = gate {
                for w in 0..W {
                    for m in 0..M {
                        values[m][w] = values[m][w].multiply(gate[w]);
                    }
                }
            }
            if let Some(view) = &self.residual {
                for m in 0..M {
                    for w in 0..W {
                        values[m][w] = values[m][w].add(Stored::load(residual(view, m, w)));
                    }
                }
            }
            match activation {
                None => {}
                Some(Activation::Relu) => each(values, |x| V::splat(0.).max(x)),
                // So few operations that a call would take longer.
                Some(Activation::Relu6) => each(values, |x| activation::clipped(x, 0., 6.)),
                Some(Activation::HardSwish) => each(values, |x| activation::hard_swish(x)),
                Some(other) => {
                    // A copy: what others are given the address of would not stay in registers.
                    let mut vectors = *values;
                    V::activate(other, vectors.as_flattened_mut());
                    *values = vectors;
                }
            }
        }
    }
}

/// A function of each value.
#[inline(always)]
fn each<V: Vector, const M: usize, const W: usize>(
    values: &mut [[V; W]; M],
    function: impl Fn(V) -> V,
) {
    for m in 0..M {
        for w in 0..W {
            values[m][w] = function(values[m][w]);
        }
    }
}

/// Stores the sums of a micro-tile, given by its index and itself, `W` vectors of channels from
/// `channel` on.
///
/// # Safety
///
/// [`Output::check`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
unsafe fn store<V: Vector, Stored: VectorElement, const M: usize, const W: usize>(
    memory: *mut u8,
    output: &Output<'_>,
    (index, micro_tile): (usize, &MicroTile),
    channel: usize,
    mut values: [[V; W]; M],
) {
    let Output {
        bias,
        epilogue,
        view,
        ..
    } = output;
    // SAFETY: the caller's.
    unsafe {
        let element = |view: &BlockView, offsets: &PixelOffsets, m: usize, w: usize| {
            let channel = view.channel(channel + w * V::LANES);
            at::<Stored>(memory, channel).add(offsets.get_unchecked(m))
        };
        for w in 0..W {
            let bias = V::load(bias.as_ptr().add(channel + w * V::LANES));
            for m in 0..M {
                values[m][w] = values[m][w].add(bias);
            }
        }
        let gate = epilogue.load_gate(memory, channel);
        // Each has offsets where there is a residual, as checked.
        let offsets = micro_tile.residual.as_ref().unwrap_or(&micro_tile.output);
        epilogue.finish(&mut values, (gate, epilogue.activation), |view, m, w| {
            element(view, offsets, m, w).cast_const()
        });
        for m in 0..M {
            for w in 0..W {
                Stored::store(values[m][w], element(view, &micro_tile.output, m, w));
            }
        }
        if let Some(sums) = &epilogue.channel_sums {
            for w in 0..W {
                let sum = at::<f32>(memory, sums.channel(channel + w * V::LANES));
                let mut total = V::splat(0.);
                for m in 0..M {
                    total = total.add(values[m][w]);
                }
                if index > 0 {
                    total = total.add(V::load(sum));
                }
                total.store(sum);
            }
        }
    }
}
