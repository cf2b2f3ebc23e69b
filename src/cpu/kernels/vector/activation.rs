//! Activations of vectors: what [`activation`] says of one element, in every lane.

use super::Vector;
use crate::cpu::kernels::activation::{
    self, GELU_A, GELU_B, GELU_ENDS, LEAST, LN_2, MOST, PER_LN_2, SCALE, SCALING, SERIES, SIXTH,
    STEEP, WHOLE,
};
use crate::network::Activation;

/// The activation of each vector.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn activate<V: Vector>(
    activation: Activation,
    vectors: &mut [V],
) {
    // SAFETY: the caller's.
    unsafe {
        match activation {
            Activation::Relu => each(vectors, |x| V::splat(0.).max(x)),
            Activation::Relu6 => each(vectors, |x| clipped(x, 0., 6.)),
            Activation::LeakyRelu { slope } => {
                #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
                let slope = V::splat(slope as f32);
                each(vectors, |x| x.if_less(0., x.multiply(slope), x));
            }
            // What most networks wait for: without what hardly any element needs.
            Activation::Silu => {
                if is_far(vectors) {
                    each(vectors, |x| over_one_plus_exp(x, x, None));
                } else {
                    let scale = [V::splat(1.), V::splat(WHOLE)];
                    each(vectors, |x| x.divide(one_plus_exp(x, None, scale)));
                }
            }
            Activation::HardSwish => each(vectors, |x| hard_swish(x)),
            Activation::GeluTanh => each(vectors, |x| {
                let [w, rest] = gelu_exponent(x);
                over_one_plus_exp(x, w, Some(rest))
            }),
            Activation::Sigmoid => {
                each(vectors, |x| over_one_plus_exp(V::splat(1.), x, None));
            }
            Activation::HardSigmoid => each(vectors, |x| hard_sigmoid(x)),
            Activation::HardSigmoidKeras2 => each(vectors, |x| {
                clipped(x.multiply(V::splat(0.2)).add(V::splat(0.5)), 0., 1.)
            }),
            // In double precision.
            Activation::Gelu => each(vectors, |x| by_lane(x, activation)),
        }
    }
}

#[inline(always)]
fn each<V: Vector>(vectors: &mut [V], function: impl Fn(V) -> V) {
    for x in vectors {
        *x = function(*x);
    }
}

/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn clipped<V: Vector>(x: V, least: f32, most: f32) -> V {
    // SAFETY: the caller's.
    unsafe { V::splat(most).min(V::splat(least).max(x)) }
}

/// relu6(x + 3) / 6.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn hard_sigmoid<V: Vector>(x: V) -> V {
    // SAFETY: the caller's.
    unsafe {
        let x = clipped(x.add(V::splat(3.)), 0., 6.);
        // The quotient as it is rounded, in three multiply-adds: Markstein, 1990.
        let sixth = V::splat(SIXTH);
        let quotient = x.multiply(sixth);
        let rest = quotient.fused(V::splat(-6.), x);
        rest.fused(sixth, quotient)
    }
}

/// x relu6(x + 3) / 6, which is x itself from 3 on.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn hard_swish<V: Vector>(x: V) -> V {
    // SAFETY: the caller's.
    unsafe { x.multiply(clipped(x.add(V::splat(3.)), 0., 6.).multiply(V::splat(SIXTH))) }
}

/// Whether any element lies below [`STEEP`] or above [`MOST`].
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn is_far<V: Vector>(vectors: &[V]) -> bool {
    // SAFETY: the caller's.
    unsafe {
        // Two of each side by side, since they have to wait for the one before.
        let [[mut a, mut b], [mut c, mut d]] = [[V::splat(0.); 2]; 2];
        let (pairs, rest) = vectors.as_chunks();
        for [x, y] in pairs {
            (a, b) = (x.min(a), y.min(b));
            (c, d) = (x.max(c), y.max(d));
        }
        for x in rest {
            a = x.min(a);
            c = x.max(c);
        }
        a.min(b).any_less(STEEP) || V::splat(0.).subtract(c.max(d)).any_less(-MOST)
    }
}

/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn over_one_plus_exp<V: Vector>(numerator: V, x: V, rest: Option<V>) -> V {
    // SAFETY: the caller's.
    unsafe {
        let one = x.if_less(STEEP, V::splat(SCALE), V::splat(1.));
        let one = x.if_less(LEAST, V::splat(0.), one);
        let whole = x.if_less(STEEP, V::splat(WHOLE - SCALING), V::splat(WHOLE));
        let sum = one_plus_exp(clipped(x, LEAST, MOST), rest, [one, whole]);
        numerator.divide(sum).multiply(one)
    }
}

/// 1 + exp(-(x + rest)), scaled as `one` and [`WHOLE`] are, of elements up to [`MOST`] whose scaled
/// power is a number.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn one_plus_exp<V: Vector>(x: V, rest: Option<V>, [one, whole]: [V; 2]) -> V {
    // SAFETY: the caller's.
    unsafe {
        let shifted = x.fused(V::splat(-PER_LN_2), whole);
        let n = shifted.subtract(whole);
        let r = n.fused(V::splat(LN_2[0]), x);
        let r = match rest {
            None => n.fused(V::splat(LN_2[1]), r),
            Some(rest) => n.fused(V::splat(LN_2[1]), rest).add(r),
        };
        let mut q = V::splat(SERIES[0]);
        for coefficient in &SERIES[1..] {
            q = q.fused(r, V::splat(*coefficient));
        }
        let power = shifted.power();
        q.multiply(power).fused(r, one).add(power)
    }
}

/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn gelu_exponent<V: Vector>(x: V) -> [V; 2] {
    // SAFETY: the caller's.
    unsafe {
        let [[a, a_rest], [b, b_rest]] = [GELU_A, GELU_B].map(|sum| sum.map(|part| V::splat(part)));
        let x = clipped(x, GELU_ENDS[0], GELU_ENDS[1]);
        let negative = |x: V| x.multiply(V::splat(-1.));
        let square = x.multiply(x);
        let square_rest = x.fused(x, negative(square));
        let product = b.multiply(square);
        let product_rest = square.fused(b, negative(product));
        let product_rest = square_rest.fused(b, square.fused(b_rest, product_rest));
        let sum = a.add(product);
        let of_product = sum.subtract(a);
        let of_a = sum.subtract(of_product);
        let sum_rest = a.subtract(of_a).add(product.subtract(of_product));
        let rest = sum_rest.add(product_rest.add(a_rest));
        let w = x.multiply(sum);
        [w, x.fused(rest, x.fused(sum, negative(w)))]
    }
}

/// An activation that has no vector form: the scalar one in each lane.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn by_lane<V: Vector>(x: V, activation: Activation) -> V {
    let mut lanes = [0_f32; super::MAX_LANES];
    // SAFETY: the caller's, and a vector has at most so many lanes.
    unsafe {
        x.store(lanes.as_mut_ptr());
        activation::activate(activation, &mut lanes[..V::LANES]);
        V::load(lanes.as_ptr())
    }
}
