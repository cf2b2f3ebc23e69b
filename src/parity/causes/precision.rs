//! How a layer computes in fewer bits: its tensors and inputs are rounded, and what it makes.

use candle_core::{DType, Device, Result, Tensor};

use super::Cause;
use super::subject::{Attempt, Subject};
use crate::network::Operation;
use crate::parity::segment::{Tensors, Work};

/// Fewer bits than single precision has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Precision {
    Tf32,
    F16,
    Bf16,
}

impl Precision {
    /// What rounding changes at most, relative to a number.
    pub(super) fn unit(self) -> f64 {
        match self {
            Self::Tf32 | Self::F16 => 1. / 2048.,
            Self::Bf16 => 1. / 256.,
        }
    }

    /// The nearest numbers that there are in it.
    pub(super) fn round(self, xs: &Tensor) -> Result<Tensor> {
        match self {
            Self::F16 => xs.to_dtype(DType::F16)?.to_dtype(DType::F64),
            Self::Bf16 => xs.to_dtype(DType::BF16)?.to_dtype(DType::F64),
            Self::Tf32 => {
                let values = xs.flatten_all()?.to_vec1::<f64>()?;
                let rounded: Vec<f64> = values.into_iter().map(tf32).collect();
                Tensor::from_vec(rounded, xs.shape(), &Device::Cpu)
            }
        }
    }

    /// The half precision whose numbers all of these are, if any: a reference that has computed in
    /// it. Few values, or values that are all whole, may be so by chance.
    pub(super) fn of_all(values: &[f64]) -> Option<Self> {
        const FEW: usize = 16;
        let telling = values.iter().filter(|value| value.fract() != 0.).count();
        if telling < FEW {
            return None;
        }
        let all = |bits: u32| values.iter().all(|&value| has_bits(value, bits));
        // A number of the narrower one is one of the wider one, too.
        if all(8) {
            Some(Self::Bf16)
        } else if all(11) {
            Some(Self::F16)
        } else {
            None
        }
    }
}

/// Whether so many bits hold a number's significant digits.
fn has_bits(value: f64, bits: u32) -> bool {
    /// Of the digits that double precision stores.
    const STORED: u32 = 52;
    let kept = STORED - (bits - 1);
    !value.is_finite() || value.to_bits() & ((1 << kept) - 1) == 0
}

/// To the nearest number of 11 significant bits, ties to even: what tensor cores read of single
/// precision.
fn tf32(value: f64) -> f64 {
    const DROPPED: u32 = 52 - 10;
    if !value.is_finite() {
        return value;
    }
    let bits = value.to_bits();
    let half = (1_u64 << (DROPPED - 1)) - 1 + ((bits >> DROPPED) & 1);
    f64::from_bits((bits + half) >> DROPPED << DROPPED)
}

/// The layer with its tensors and inputs rounded, and its value where all is computed so.
fn rounded(subject: &Subject, precision: Precision) -> candle_core::Result<Work> {
    let mut tensors = Tensors::new();
    for (name, tensor) in subject.tensors() {
        tensors.insert(name, precision.round(&tensor)?);
    }
    // TF32 rounds what multiplications read, and sums up in single precision; a bias is added then.
    if precision == Precision::Tf32
        && let Some(bias) = subject.tensors().remove("bias")
    {
        tensors.insert("bias".to_owned(), bias);
    }
    let work = Work::Operation(subject.operation(), tensors);
    Ok(Work::function(move |inputs| {
        let inputs: Vec<Tensor> = inputs
            .iter()
            .map(|input| precision.round(input))
            .collect::<Result<_>>()?;
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let value = work.compute(&inputs)?;
        match precision {
            Precision::Tf32 => Ok(value),
            Precision::F16 | Precision::Bf16 => precision.round(&value),
        }
    }))
}

fn attempt(subject: &Subject, cause: Cause, name: &str, precision: Precision) -> Vec<Attempt> {
    let work = rounded(subject, precision).ok();
    let attempt =
        work.map(|work| Attempt::new(cause, format!("rounding to {name}"), subject.instead(work)));
    attempt.into_iter().collect()
}

pub(super) fn tf32_products(subject: &Subject) -> Vec<Attempt> {
    match subject.operation() {
        Operation::Conv(_) | Operation::Linear { .. } => {
            attempt(subject, Cause::RoundingTf32, "TF32", Precision::Tf32)
        }
        _ => Vec::new(),
    }
}

pub(super) fn f16(subject: &Subject) -> Vec<Attempt> {
    attempt(subject, Cause::RoundingF16, "float16", Precision::F16)
}

pub(super) fn bf16(subject: &Subject) -> Vec<Attempt> {
    attempt(subject, Cause::RoundingBf16, "bfloat16", Precision::Bf16)
}
