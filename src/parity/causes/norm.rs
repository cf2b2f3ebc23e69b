//! What a norm may do otherwise.

use candle_core::{Result, Tensor};

use super::Cause;
use super::subject::{Attempt, Subject, attempts};
use crate::network::Operation;
use crate::network::operation::Normalization;
use crate::parity::segment::{Tensors, Work, first};

/// Those of `PyTorch`, Keras, `TensorFlow`'s `EfficientNet`, Caffe, `MXNet` and timm's variants, cuDNN's
/// least, and none.
const EPSILONS: [f64; 12] = [
    1e-5, 1e-3, 1e-4, 2e-5, 1.001e-5, 1e-6, 1e-7, 1e-8, 1e-12, 2e-3, 1e-2, 0.,
];

/// The subject's epsilon, where it is a norm.
fn own_epsilon(subject: &Subject) -> Option<f64> {
    match subject.operation() {
        Operation::BatchNorm { epsilon, .. } => Some(epsilon),
        Operation::LayerNorm(normalization) | Operation::GroupNorm { normalization, .. } => {
            Some(normalization.epsilon)
        }
        _ => None,
    }
}

fn with_epsilon(operation: Operation, epsilon: f64) -> Operation {
    match operation {
        Operation::BatchNorm {
            channels, weight, ..
        } => Operation::BatchNorm {
            channels,
            epsilon,
            weight,
        },
        Operation::LayerNorm(normalization) => Operation::LayerNorm(Normalization {
            epsilon,
            ..normalization
        }),
        Operation::GroupNorm {
            groups,
            normalization,
        } => Operation::GroupNorm {
            groups,
            normalization: Normalization {
                epsilon,
                ..normalization
            },
        },
        other => other,
    }
}

pub(super) fn epsilon(subject: &Subject) -> Vec<Attempt> {
    let Some(own) = own_epsilon(subject) else {
        return Vec::new();
    };
    let others = EPSILONS
        .into_iter()
        .filter(|other| (other - own).abs() > own * 1e-6);
    let attempt = |other| {
        let operation = with_epsilon(subject.operation(), other);
        Attempt::new(
            Cause::NormEpsilon,
            format!("epsilon {other:e} in place of {own:e}"),
            subject.operation_instead(operation),
        )
    };
    others.map(attempt).collect()
}

pub(super) fn batch_statistics(subject: &Subject) -> Vec<Attempt> {
    let Operation::BatchNorm { epsilon, .. } = subject.operation() else {
        return Vec::new();
    };
    let tensors = subject.tensors();
    let work = Work::function(move |inputs| of_batch(first(inputs)?, epsilon, &tensors));
    vec![Attempt::new(
        Cause::NormBatchStatistics,
        "mean and variance of the batch in place of the moving ones",
        subject.instead(work),
    )]
}

/// A batch norm in training.
fn of_batch(xs: &Tensor, epsilon: f64, tensors: &Tensors) -> Result<Tensor> {
    let (batch, channels) = (xs.dim(0)?, xs.dim(1)?);
    let rows = xs
        .reshape((batch, channels, ()))?
        .transpose(0, 1)?
        .contiguous()?;
    let rows = rows.reshape((channels, ()))?;
    let centred = rows.broadcast_sub(&rows.mean_keepdim(1)?)?;
    let variance = centred.sqr()?.mean_keepdim(1)?;
    let mut ys = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?;
    if let Some(weight) = tensors.get("weight") {
        ys = ys.broadcast_mul(&weight.reshape((channels, 1))?)?;
    }
    if let Some(bias) = tensors.get("bias") {
        ys = ys.broadcast_add(&bias.reshape((channels, 1))?)?;
    }
    let ys = ys.reshape((channels, batch, ()))?.transpose(0, 1)?;
    ys.contiguous()?.reshape(xs.shape())
}

/// A norm whose tensors are changed.
fn changed(
    subject: &Subject,
    cause: Cause,
    explained_by: &str,
    change: impl Fn(&mut Tensors) -> Result<bool>,
) -> Vec<Attempt> {
    if own_epsilon(subject).is_none() {
        return Vec::new();
    }
    let mut tensors = subject.tensors();
    attempts(change(&mut tensors).map(|is_changed| {
        is_changed.then(|| Attempt::new(cause, explained_by, subject.tensors_instead(tensors)))
    }))
}

/// Whether both were there to be exchanged.
fn exchange(tensors: &mut Tensors, one: &str, other: &str) -> bool {
    match (tensors.remove(one), tensors.remove(other)) {
        (Some(first), Some(second)) => {
            tensors.insert(one.to_owned(), second);
            tensors.insert(other.to_owned(), first);
            true
        }
        _ => false,
    }
}

pub(super) fn weight_missing(subject: &Subject) -> Vec<Attempt> {
    let explained_by = "no weight (gamma)";
    changed(subject, Cause::NormWeightMissing, explained_by, |tensors| {
        let Some(weight) = tensors.get_mut("weight") else {
            return Ok(false);
        };
        *weight = weight.ones_like()?;
        Ok(true)
    })
}

pub(super) fn bias_missing(subject: &Subject) -> Vec<Attempt> {
    let explained_by = "no bias (beta)";
    changed(subject, Cause::NormBiasMissing, explained_by, |tensors| {
        let Some(bias) = tensors.get_mut("bias") else {
            return Ok(false);
        };
        *bias = bias.zeros_like()?;
        Ok(true)
    })
}

pub(super) fn weight_and_bias_swapped(subject: &Subject) -> Vec<Attempt> {
    changed(
        subject,
        Cause::NormWeightAndBiasSwapped,
        "weight (gamma) and bias (beta) in each other's place",
        |tensors| Ok(exchange(tensors, "weight", "bias")),
    )
}

pub(super) fn mean_and_variance_swapped(subject: &Subject) -> Vec<Attempt> {
    changed(
        subject,
        Cause::NormMeanAndVarianceSwapped,
        "moving mean and variance in each other's place",
        |tensors| Ok(exchange(tensors, "running_mean", "running_var")),
    )
}

pub(super) fn variance_as_deviation(subject: &Subject) -> Vec<Attempt> {
    changed(
        subject,
        Cause::NormVarianceAsDeviation,
        "a division by the variance in place of its root",
        |tensors| {
            let Some(variance) = tensors.get_mut("running_var") else {
                return Ok(false);
            };
            *variance = variance.sqr()?;
            Ok(true)
        },
    )
}

pub(super) fn missing(subject: &Subject) -> Vec<Attempt> {
    if own_epsilon(subject).is_none() {
        return Vec::new();
    }
    vec![Attempt::new(
        Cause::NormMissing,
        format!("no {}", subject.operation().kind()),
        subject.instead(Work::nothing()),
    )]
}
