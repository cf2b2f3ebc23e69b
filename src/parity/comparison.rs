//! Two values of one layer, compared.

use candle_core::{DType, Device, Tensor};
use serde::Serialize;

use super::difference::significant;
use crate::error::{Error, Result};
use crate::text::shown;

/// How far apart two values may be: |a - b| <= `absolute` + `relative` * max |b|.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// How far apart two values of any size may be, in their own unit.
    pub absolute: f64,
    /// What may come to that: a share of the value's largest magnitude.
    pub relative: f64,
}

impl Default for Tolerance {
    /// Single precision rounds to 6e-8; against float64 that grew to 6.4e-6 of a value's
    /// largest magnitude in the last stage of SE-ResNet-50 at 224x224, and to 3e-6 at its
    /// output. A parameter wrong by 1 % differs by more, as tests of every tensor of three
    /// networks show. The absolute part is for values that are all but zero, such as a gate's
    /// dead rectifier. Deep networks without gates can be worse conditioned: drawn so, they made
    /// TensorFlow's own float32 differ by 2e-5, and ask for a larger `--rtol`.
    fn default() -> Self {
        Self {
            absolute: 1e-7,
            relative: 1e-5,
        }
    }
}

/// How one value compares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What the layer or group is called.
    pub name: String,
    /// The value's shape as this program computes it, NCHW.
    pub shape: Vec<usize>,
    /// max |a - b|; infinite (null in JSON) where NaN or infinities differ.
    pub max_abs: f64,
    /// max |a - b| / max |b|; null in JSON where the former is infinite or the latter zero.
    pub max_rel: f64,
    /// The cosine of the angle between the two; NaN (null in JSON) where `max_abs` is infinite.
    pub cosine: f64,
    /// Where |a - b| is largest, NCHW.
    pub worst: Vec<usize>,
    /// Whether the difference is within the tolerance.
    pub passed: bool,
}

impl Tolerance {
    /// The default for a network that computes in `dtype`. Half precision sums up in single
    /// precision and rounds what each layer makes, to 2^-11 in `f16` and 2^-8 in `bf16`. In
    /// SE-ResNet-20 in `f16` that grew to 7 such roundings; 40 are allowed, since errors grow
    /// with the root of the depth and the deepest network has 30 times as many layers. In `bf16`
    /// that is 0.16: only gross errors show. The engine cpu's logits were off by 0.03 in
    /// SE-ResNet-50 and by 0.13 in EfficientNet-B0, on weights whose gates are open and shut.
    #[must_use]
    pub fn of(dtype: DType) -> Self {
        const ROUNDINGS: f64 = 40.;
        let rounding = match dtype {
            DType::F16 => 1. / 2048.,
            DType::BF16 => 1. / 256.,
            _ => return Self::default(),
        };
        Self {
            absolute: rounding,
            relative: ROUNDINGS * rounding,
        }
    }
}

/// Compares `ours` with `theirs` in double precision.
pub(super) fn compare_values(
    name: &str,
    ours: &Tensor,
    theirs: &Tensor,
    tolerance: Tolerance,
) -> Result<Comparison> {
    let shape = ours.dims().to_vec();
    check_shape(name, &shape, theirs)?;
    let flat = |tensor: &Tensor| -> Result<Vec<f64>> {
        // Not every device has double precision.
        Ok(tensor
            .to_device(&Device::Cpu)?
            .to_dtype(DType::F64)?
            .flatten_all()?
            .to_vec1::<f64>()?)
    };
    let (ours, theirs) = (flat(ours)?, flat(theirs)?);

    let (mut max_abs, mut worst, mut largest) = (0_f64, 0, 0_f64);
    let (mut dot, mut norm_ours, mut norm_theirs) = (0_f64, 0_f64, 0_f64);
    for (index, (&a, &b)) in ours.iter().zip(&theirs).enumerate() {
        #[expect(
            clippy::float_cmp,
            reason = "only infinities of one sign are meant to be equal here"
        )]
        let difference = if a == b { 0. } else { (a - b).abs() };
        let difference = if difference.is_nan() {
            f64::INFINITY
        } else {
            difference
        };
        if difference > max_abs {
            (max_abs, worst) = (difference, index);
        }
        // An infinity both share is equal, and says nothing of the scale of the rest.
        if a.is_finite() && b.is_finite() {
            largest = largest.max(b.abs());
            dot += a * b;
            norm_ours += a * a;
            norm_theirs += b * b;
        }
    }
    let both_zero = norm_ours == 0. && norm_theirs == 0.;
    Ok(Comparison {
        name: name.to_owned(),
        max_abs,
        max_rel: if max_abs == 0. { 0. } else { max_abs / largest },
        cosine: if max_abs.is_infinite() {
            f64::NAN
        } else if both_zero {
            1.
        } else {
            dot / (norm_ours.sqrt() * norm_theirs.sqrt())
        },
        worst: unravel(worst, &shape),
        passed: max_abs <= tolerance.absolute + tolerance.relative * largest && max_abs.is_finite(),
        shape,
    })
}

/// Refuses what the reference has for a value that is of this shape here, if its own is another.
pub(super) fn check_shape(name: &str, shape: &[usize], theirs: &Tensor) -> Result<()> {
    if significant(shape) == significant(theirs.dims()) {
        return Ok(());
    }
    Err(Error::Geometry(format!(
        "`{}`: this network computes {shape:?}, the reference has {:?}, both as NCHW",
        shown(name),
        theirs.dims()
    )))
}

/// The index along each dimension of the element at `flat` in row-major order.
pub(super) fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let along = flat % size;
            flat /= size;
            along
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    fn compare(ours: &[f32], theirs: &[f64]) -> Comparison {
        let shape = (1, ours.len());
        let ours = Tensor::from_slice(ours, shape, &Device::Cpu).unwrap();
        let theirs = Tensor::from_slice(theirs, shape, &Device::Cpu).unwrap();
        compare_values("fc", &ours, &theirs, Tolerance::default()).unwrap()
    }

    #[test]
    fn the_error_is_relative_to_the_largest_magnitude_of_the_reference() {
        let comparison = compare(&[1., -4.5], &[1., -4.]);
        assert!((comparison.max_abs - 0.5).abs() < 1e-12);
        assert!((comparison.max_rel - 0.125).abs() < 1e-12);
        assert_eq!(comparison.worst, [0, 1]);
        assert!(!comparison.passed);
    }

    #[test]
    fn a_nan_on_either_side_fails() {
        assert!(!compare(&[1., f32::NAN], &[1., 2.]).passed);
        assert!(!compare(&[1., 2.], &[f64::NAN, 2.]).passed);
        assert!(!compare(&[f32::NAN], &[f64::NAN]).passed);
        assert!(compare(&[f32::NAN], &[f64::NAN]).cosine.is_nan());
        assert!(compare(&[1., f32::NAN], &[1., 2.]).cosine.is_nan());
        assert!(!compare(&[f32::INFINITY], &[1.]).passed);
    }

    #[test]
    fn rounding_passes_and_a_part_in_ten_thousand_does_not() {
        assert!(compare(&[1., 2.000_000_2], &[1., 2.]).passed);
        assert!(!compare(&[1., 2.0002], &[1., 2.]).passed);
    }

    #[test]
    fn an_infinity_that_both_share_hides_no_other_error() {
        assert!(compare(&[f32::INFINITY, 1.], &[f64::INFINITY, 1.]).passed);
        let comparison = compare(&[f32::INFINITY, 1.], &[f64::INFINITY, 5.]);
        assert!(!comparison.passed);
        assert!((comparison.max_rel - 0.8).abs() < 1e-12);
    }

    #[test]
    fn two_values_of_zeros_are_equal() {
        let comparison = compare(&[0., 0.], &[0., 0.]);
        assert!(comparison.passed);
        assert!((comparison.cosine - 1.).abs() < 1e-12);
    }
}
