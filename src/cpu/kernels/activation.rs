//! Activations of one element, and the numbers that they have in common with those of vectors:
//! both do the same operations in the same order, so that every bit is the same.
//!
//! What has an exponential in it is a quotient by 1 + exp(-x), and so are the sigmoid, `SiLU` and the
//! approximation of GELU:
//!
//! ```text
//! -x = n ln 2 - r                      n whole, |r| <= ln 2 / 2: Cody and Waite, 1980
//! exp(-r) = 1 + r q, q = -1 + c2 r - c3 r^2 + c4 r^3 - c5 r^4 + c6 r^5, off by at most 4e-9 of it
//! 1 + exp(-x) = (1 + 2^n q r) + 2^n    in this order the least is lost
//! ```
//!
//! Below -64, where 2^n may be too large for a number, both summands are scaled by 2^-64, and so
//! is the quotient.

use candle_core::cpu::erf::erf_f64 as erf;

use crate::network::Activation;

/// 1 / ln 2.
pub(super) const PER_LN_2: f32 = std::f32::consts::LOG2_E;

/// ln 2 as a sum, of which products of the first part with whole numbers below 2^11 are exact.
pub(super) const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];

/// The coefficients of q from that of r^5 down, signs included: a minimax fit, rounded.
pub(super) const SERIES: [f32; 6] = [
    0.001_381_459_9,
    -0.008_368_717,
    0.041_668_39,
    -0.166_665_21,
    0.499_999_94,
    -1.,
];

/// Added to a number of a magnitude below 2^22 it leaves the whole number that is nearest in the
/// lowest bits, and 127 more, the exponent of 1.
pub(super) const WHOLE: f32 = 12_582_912. + 127.;

/// What 2^n may be too large for.
pub(super) const STEEP: f32 = -64.;

/// The binary exponent that such summands are scaled by, and its power.
pub(super) const SCALING: f32 = 64.;
pub(super) const SCALE: f32 = 1. / 18_446_744_073_709_551_616.;

/// Beyond these, the quotient is no number but 0, and exp(-x) nothing beside 1.
pub(super) const LEAST: f32 = -132.;
pub(super) const MOST: f32 = 87.;

/// GELU's approximation is x / (1 + exp(-w)), with w = x (a + b x^2), a = 2 sqrt(2 / pi) and
/// b = 0.044715 a, each as a sum; w is so steep that its own rounding would be seen.
pub(super) const GELU_A: [f32; 2] = [1.595_769_2, -4.534_068e-8];
pub(super) const GELU_B: [f32; 2] = [0.071_354_814, 2.398_832_5e-9];

/// Where that is as good as x, or 0, and no power of x is too large.
pub(super) const GELU_ENDS: [f32; 2] = [-12., 12.];

/// 1/6, rounded: 6 times it is 1 again.
pub(super) const SIXTH: f32 = 1. / 6.;

/// An activation of one element.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
pub(super) fn activated(activation: Activation, x: f32) -> f32 {
    match activation {
        // NaN stays NaN.
        Activation::Relu => {
            if x < 0. {
                0.
            } else {
                x
            }
        }
        Activation::Relu6 => clipped(x, 0., 6.),
        Activation::LeakyRelu { slope } => {
            if x < 0. {
                x * slope as f32
            } else {
                x
            }
        }
        Activation::Silu => over_one_plus_exp(x, x, None),
        Activation::HardSwish => x * (clipped(x + 3., 0., 6.) * SIXTH),
        Activation::Gelu => {
            let x = f64::from(x);
            (x * (1. + erf(x / std::f64::consts::SQRT_2)) / 2.) as f32
        }
        Activation::GeluTanh => {
            let [w, rest] = gelu_exponent(x);
            over_one_plus_exp(x, w, Some(rest))
        }
        Activation::Sigmoid => over_one_plus_exp(1., x, None),
        Activation::HardSigmoid => clipped(x + 3., 0., 6.) / 6.,
        Activation::HardSigmoidKeras2 => clipped(x * 0.2 + 0.5, 0., 1.),
    }
}

/// min(max(x, least), most); NaN stays NaN.
fn clipped(x: f32, least: f32, most: f32) -> f32 {
    if x < least {
        least
    } else if x > most {
        most
    } else {
        x
    }
}

/// Numerator / (1 + exp(-(x + rest))), where the rest is too small to be seen in x.
fn over_one_plus_exp(numerator: f32, x: f32, rest: Option<f32>) -> f32 {
    let [one, whole] = if x < LEAST {
        [0., WHOLE - SCALING]
    } else if x < STEEP {
        [SCALE, WHOLE - SCALING]
    } else {
        [1., WHOLE]
    };
    let x = clipped(x, LEAST, MOST);
    let shifted = x.mul_add(-PER_LN_2, whole);
    let n = shifted - whole;
    let r = n.mul_add(LN_2[0], x);
    let r = match rest {
        None => n.mul_add(LN_2[1], r),
        Some(rest) => n.mul_add(LN_2[1], rest) + r,
    };
    let [first, others @ ..] = SERIES;
    let q = others
        .into_iter()
        .fold(first, |sum, coefficient| sum.mul_add(r, coefficient));
    let power = f32::from_bits(shifted.to_bits() << 23);
    numerator / ((q * power).mul_add(r, one) + power) * one
}

/// w of GELU's approximation, and what is lost of it as it is rounded.
fn gelu_exponent(x: f32) -> [f32; 2] {
    let [[a, a_rest], [b, b_rest]] = [GELU_A, GELU_B];
    let x = clipped(x, GELU_ENDS[0], GELU_ENDS[1]);
    let square = x * x;
    let square_rest = x.mul_add(x, -square);
    let product = b * square;
    let product_rest = square_rest.mul_add(b, square.mul_add(b_rest, square.mul_add(b, -product)));
    // Knuth's sum of two numbers, of which either may be the larger.
    let sum = a + product;
    let of_product = sum - a;
    let sum_rest = (a - (sum - of_product)) + (product - of_product);
    let rest = sum_rest + (product_rest + a_rest);
    let w = x * sum;
    [w, x.mul_add(rest, x.mul_add(sum, -w))]
}

/// Of many elements by their scalar form. Never part of a kernel: a call keeps its registers free.
#[inline(never)]
pub(super) fn activate(activation: Activation, elements: &mut [f32]) {
    for element in elements {
        *element = activated(activation, *element);
    }
}
