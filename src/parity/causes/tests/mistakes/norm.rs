//! Mistakes in batch norms.

use super::super::networks::Case;
use super::{Mistake, is_norm, mistake};
use crate::network::Operation;
use crate::network::operation::Normalization;
use crate::parity::causes::Cause;
use candle_core::{Device, Tensor};

/// Changes a tensor of some batch norm.
fn in_norm(case: &mut Case, change: fn(&mut Case, &str)) -> Option<String> {
    let name = case.some(is_norm)?;
    change(case, &name);
    Some(name)
}

fn exchange(case: &mut Case, layer: &str, one: &str, other: &str) {
    let (first, second) = (case.tensor(layer, one), case.tensor(layer, other));
    case.set(layer, one, second);
    case.set(layer, other, first);
}

fn with_epsilon(case: &mut Case, change: fn(f64) -> f64) -> Option<String> {
    in_norm_operation(
        case,
        |operation, change| match operation {
            Operation::BatchNorm { epsilon, .. } => *epsilon = change(*epsilon),
            _ => unreachable!(),
        },
        change,
    )
}

fn in_norm_operation(
    case: &mut Case,
    edit: fn(&mut Operation, fn(f64) -> f64),
    change: fn(f64) -> f64,
) -> Option<String> {
    let name = case.some(is_norm)?;
    edit(&mut case.at(&name).operation, change);
    Some(name)
}

/// The mean and variance of a batch, channel by channel, by plain loops.
fn batch_norm_in_training(case: &mut Case, name: &str) {
    let Some(Operation::BatchNorm { epsilon, .. }) = case.operation(name) else {
        unreachable!();
    };
    let parameter = |name: &str, parameter| -> Vec<f64> {
        let tensor = case.tensors.get(&format!("{name}.{parameter}"));
        tensor.map_or(Vec::new(), |tensor| tensor.to_vec1().unwrap())
    };
    let (weight, bias) = (parameter(name, "weight"), parameter(name, "bias"));
    case.hook(name, move |inputs| {
        let (images, channels, height, width) = inputs[0].dims4().unwrap();
        let mut values = inputs[0].flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let pixels = height * width;
        for (channel, offset) in bias.iter().enumerate().take(channels) {
            let places: Vec<usize> = (0..images)
                .flat_map(|image| {
                    let start = (image * channels + channel) * pixels;
                    start..start + pixels
                })
                .collect();
            let count = places.len() as f64;
            let mean = places.iter().map(|&place| values[place]).sum::<f64>() / count;
            let squares = places.iter().map(|&place| (values[place] - mean).powi(2));
            let deviation = (squares.sum::<f64>() / count + epsilon).sqrt();
            let factor = weight.get(channel).copied().unwrap_or(1.);
            for place in places {
                values[place] = (values[place] - mean) / deviation * factor + offset;
            }
        }
        Tensor::from_vec(values, inputs[0].shape(), &Device::Cpu).unwrap()
    });
}

/// A layer norm of 1e-6 in place of some batch norm.
fn normed_by_layer(case: &mut Case) -> Option<()> {
    let name = case.some(is_norm)?;
    let channels = case.tensor(&name, "bias").elem_count();
    let ones = case.tensor(&name, "bias").ones_like().unwrap();
    case.set(&name, "weight", ones);
    case.at(&name).operation = Operation::LayerNorm(Normalization {
        channels,
        epsilon: 1e-6,
        weight: true,
        bias: true,
    });
    Some(())
}

pub(super) const MISTAKES: &[Mistake] = &[
    mistake(
        "epsilon 1e-5 for 1e-3, or 1e-3",
        Cause::NormEpsilon,
        |case| with_epsilon(case, |own| if own < 5e-4 { 1e-3 } else { 1e-5 }),
    ),
    Mistake {
        name: "epsilon 1e-12",
        cause: Cause::NormEpsilon,
        // Variances that an epsilon matters beside.
        prepare: |case| {
            for name in case.all(is_norm) {
                let variance = (case.tensor(&name, "running_var") * 1e-2).unwrap();
                case.set(&name, "running_var", variance);
            }
            Some(())
        },
        make: |case| with_epsilon(case, |_| 1e-12),
    },
    Mistake {
        name: "epsilon of a layer norm",
        cause: Cause::NormEpsilon,
        prepare: normed_by_layer,
        make: |case| {
            let name = case.some(|layer| matches!(layer.operation, Operation::LayerNorm(_)))?;
            if let Operation::LayerNorm(normalization) = &mut case.at(&name).operation {
                normalization.epsilon = 1e-3;
            }
            Some(name)
        },
    },
    mistake(
        "statistics of the batch",
        Cause::NormBatchStatistics,
        |case| in_norm(case, batch_norm_in_training),
    ),
    mistake("gamma missing", Cause::NormWeightMissing, |case| {
        let name = case
            .some(|layer| matches!(layer.operation, Operation::BatchNorm { weight: true, .. }))?;
        let ones = case.tensor(&name, "weight").ones_like().unwrap();
        case.set(&name, "weight", ones);
        Some(name)
    }),
    mistake("beta missing", Cause::NormBiasMissing, |case| {
        in_norm(case, |case, name| {
            let zeros = case.tensor(name, "bias").zeros_like().unwrap();
            case.set(name, "bias", zeros);
        })
    }),
    mistake(
        "gamma and beta swapped",
        Cause::NormWeightAndBiasSwapped,
        |case| {
            let name = case.some(|layer| {
                matches!(layer.operation, Operation::BatchNorm { weight: true, .. })
            })?;
            exchange(case, &name, "weight", "bias");
            Some(name)
        },
    ),
    mistake(
        "mean and variance swapped",
        Cause::NormMeanAndVarianceSwapped,
        |case| {
            in_norm(case, |case, name| {
                exchange(case, name, "running_mean", "running_var");
            })
        },
    ),
    mistake(
        "variance for deviation",
        Cause::NormVarianceAsDeviation,
        |case| {
            let name = case.some(is_norm)?;
            let variance = case.tensor(&name, "running_var").sqr().unwrap();
            case.set(&name, "running_var", variance);
            Some(name)
        },
    ),
    mistake("batch norm missing", Cause::NormMissing, |case| {
        in_norm(case, Case::leave_out)
    }),
];
