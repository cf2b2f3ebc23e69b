//! A layer's numbers, with everything linear that follows it folded in.

use candle_core::{DType, Device, Result, Storage, Tensor};
use candle_nn::{Init, VarBuilder};

use super::fuse::Weights;
use crate::network::{Layers, Operation};

/// Numbers of a weights file as they are packed.
pub(super) struct Source<'a> {
    pub(super) layers: &'a Layers,
    pub(super) vb: &'a VarBuilder<'static>,
}

/// A convolution's or dense layer's own numbers, with what batch norm and constants make of them.
pub(super) struct Matrix<'a> {
    /// `[outputs][inputs of a group][kernel row][kernel column]`, each output's yet to be
    /// multiplied by its factor.
    pub(super) weights: &'a [f32],
    /// One for each output.
    pub(super) factors: &'a [f64],
    /// One for each output.
    pub(super) bias: Vec<f32>,
}

impl Source<'_> {
    /// Reads a layer's numbers, in double precision.
    fn read(&self, layer: usize, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        self.tensor(layer, name, shape, DType::F64)?
            .to_vec1::<f64>()
    }

    fn tensor(&self, layer: usize, name: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        let vb = self.vb.pp(&self.layers.as_slice()[layer].name);
        vb.get_with_hints_dtype(shape, name, Init::default(), dtype)?
            .to_device(&Device::Cpu)?
            .flatten_all()
    }

    /// Hands the matrix that `weights` stands for to `pack`. It is not copied before: that takes
    /// longer than to pack it.
    pub(super) fn matrix(&self, weights: &Weights, pack: impl FnOnce(&Matrix<'_>)) -> Result<()> {
        match weights {
            Weights::Layer {
                layer,
                norm,
                factor,
            } => {
                let [factors, bias] = self.affine(*layer, *norm, *factor)?;
                let shape = self.shape(*layer);
                let bias = rounded(&bias);
                // Folded in double precision and rounded once; a file in double precision is not
                // rounded before.
                if self.vb.dtype() == DType::F64 {
                    let numbers = self.read(*layer, "weight", &shape)?;
                    pack(&Matrix {
                        weights: &scaled(&numbers, &factors),
                        factors: &vec![1.; factors.len()],
                        bias,
                    });
                    return Ok(());
                }
                let numbers = self.tensor(*layer, "weight", &shape, DType::F32)?;
                let (storage, layout) = numbers.storage_and_layout();
                match (&*storage, layout.contiguous_offsets()) {
                    (Storage::Cpu(numbers), Some((first, end))) => pack(&Matrix {
                        weights: &numbers.as_slice::<f32>()?[first..end],
                        factors: &factors,
                        bias,
                    }),
                    _ => candle_core::bail!("weights that do not lie together on the CPU"),
                }
                Ok(())
            }
            Weights::Composed { linear, conv } => {
                let outer = Weights::Layer {
                    layer: *linear,
                    norm: None,
                    factor: 1.,
                };
                let (outer_weights, outer_bias) = self.double(&outer)?;
                let (weights, bias) = self.double(conv)?;
                let bias = outer_weights.matmul(&bias.unsqueeze(1)?)?.squeeze(1)?;
                let bias = (bias + outer_bias)?.to_vec1::<f64>()?;
                let weights = outer_weights.matmul(&weights)?;
                pack(&Matrix {
                    weights: &rounded(&weights.flatten_all()?.to_vec1::<f64>()?),
                    factors: &vec![1.; bias.len()],
                    bias: rounded(&bias),
                });
                Ok(())
            }
        }
    }

    /// A layer's folded matrix `[outputs, numbers]` and bias, in double precision.
    fn double(&self, weights: &Weights) -> Result<(Tensor, Tensor)> {
        let Weights::Layer {
            layer,
            norm,
            factor,
        } = weights
        else {
            candle_core::bail!("only a layer's own matrix is composed with another");
        };
        let [factors, bias] = self.affine(*layer, *norm, *factor)?;
        let outputs = factors.len();
        let numbers = self.read(*layer, "weight", &self.shape(*layer))?;
        let factors = Tensor::from_vec(factors, (outputs, 1), &Device::Cpu)?;
        let numbers = Tensor::from_vec(numbers, (outputs, ()), &Device::Cpu)?;
        let bias = Tensor::from_vec(bias, outputs, &Device::Cpu)?;
        Ok((numbers.broadcast_mul(&factors)?, bias))
    }

    fn shape(&self, layer: usize) -> Vec<usize> {
        let parameters = self.layers.as_slice()[layer].operation.parameters();
        let weight = parameters.into_iter().find(|named| named.name == "weight");
        weight.map(|named| named.shape).unwrap_or_default()
    }

    /// For each output of a layer what its sum is multiplied by, and what is added then.
    fn affine(&self, layer: usize, norm: Option<usize>, factor: f64) -> Result<[Vec<f64>; 2]> {
        let operation = self.layers.as_slice()[layer].operation;
        let parameters = operation.parameters();
        let outputs = self.shape(layer)[0];
        let mut bias = if parameters.iter().any(|named| named.name == "bias") {
            self.read(layer, "bias", &[outputs])?
        } else {
            vec![0.; outputs]
        };
        let mut factors = vec![factor; outputs];
        if let Some(norm) = norm {
            let [of_norm, shift] = self.norm(norm)?;
            for (bias, (of_norm, shift)) in bias.iter_mut().zip(of_norm.iter().zip(shift)) {
                *bias = *bias * of_norm + shift;
            }
            for (factors, of_norm) in factors.iter_mut().zip(of_norm) {
                *factors *= of_norm;
            }
        }
        for bias in &mut bias {
            *bias *= factor;
        }
        Ok([factors, bias])
    }

    /// A batch norm as a factor and a shift for each channel.
    pub(super) fn norm(&self, layer: usize) -> Result<[Vec<f64>; 2]> {
        let operation = self.layers.as_slice()[layer].operation;
        let Operation::BatchNorm {
            channels,
            epsilon,
            weight,
        } = operation
        else {
            candle_core::bail!("a {} is no batch norm", operation.kind());
        };
        let mean = self.read(layer, "running_mean", &[channels])?;
        let variance = self.read(layer, "running_var", &[channels])?;
        let bias = self.read(layer, "bias", &[channels])?;
        let mut factors: Vec<f64> = variance
            .iter()
            .map(|variance| (variance + epsilon).sqrt().recip())
            .collect();
        if weight {
            let weights = self.read(layer, "weight", &[channels])?;
            for (factor, weight) in factors.iter_mut().zip(weights) {
                *factor *= weight;
            }
        }
        let shifts = bias
            .iter()
            .zip(mean.iter().zip(&factors))
            .map(|(bias, (mean, factor))| bias - mean * factor)
            .collect();
        Ok([factors, shifts])
    }
}

fn scaled(numbers: &[f64], factors: &[f64]) -> Vec<f32> {
    let rows = numbers
        .chunks(numbers.len() / factors.len().max(1))
        .zip(factors);
    let scaled = rows.flat_map(|(row, factor)| row.iter().map(move |number| number * factor));
    scaled.map(round).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what it is for"
)]
pub(super) fn round(number: f64) -> f32 {
    number as f32
}

pub(super) fn rounded(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().copied().map(round).collect()
}
