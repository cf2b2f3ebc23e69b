//! How far apart two values are, element by element.

use candle_core::{DType, Device, Result, Tensor};

use super::Tolerance;

/// How far one value is from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    /// max |a - b|; infinite where only one of the two is a number, and where shapes differ.
    pub(super) max_abs: f64,
    /// max |b|.
    pub(super) largest: f64,
    /// Where |a - b| is largest, in row-major order.
    pub(super) worst: usize,
}

impl Difference {
    /// Of values that have not the same shape.
    pub(super) const OF_SHAPES: Self = Self {
        max_abs: f64::INFINITY,
        largest: 0.,
        worst: 0,
    };

    /// Of `ours` from `theirs`. What is NaN, or the same infinity, in both is equal.
    pub(super) fn between(ours: &[f64], theirs: &[f64]) -> Self {
        let mut found = Self {
            max_abs: 0.,
            largest: 0.,
            worst: 0,
        };
        for (index, (&a, &b)) in ours.iter().zip(theirs).enumerate() {
            if b.is_finite() {
                found.largest = found.largest.max(b.abs());
            }
            let difference = apart(a, b);
            if difference > found.max_abs {
                (found.max_abs, found.worst) = (difference, index);
            }
        }
        found
    }

    /// max |a - b| / max |b|.
    pub(super) fn relative(&self) -> f64 {
        if self.max_abs == 0. {
            0.
        } else {
            self.max_abs / self.largest
        }
    }

    pub(super) fn is_within(&self, tolerance: Tolerance) -> bool {
        self.max_abs <= tolerance.absolute + tolerance.relative * self.largest
            && self.max_abs.is_finite()
    }
}

/// |a - b|: 0 where both are NaN or the same infinity, infinite where one of them is no number.
pub(super) fn apart(a: f64, b: f64) -> f64 {
    #[expect(
        clippy::float_cmp,
        reason = "only infinities of one sign are meant to be equal here"
    )]
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.;
    }
    let difference = (a - b).abs();
    if difference.is_nan() {
        f64::INFINITY
    } else {
        difference
    }
}

/// The elements of a tensor in row-major order.
pub(super) fn elements(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?
        .flatten_all()?
        .to_vec1()
}

/// The dimensions that tell two shapes apart: a vector an image is the same in `[N, C]` and
/// `[N, C, 1, 1]`.
pub(super) fn significant(dims: &[usize]) -> &[usize] {
    match dims {
        [vector @ .., 1, 1] if dims.len() == 4 => vector,
        dims => dims,
    }
}
