//! A layer's weights, with everything linear that follows it folded in.

use candle_core::{DType, Device, Result, Storage, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::cpu::fuse::{Factor, LayerWeights, WeightSource};
use crate::network::operation::{Normalization, Standardization};
use crate::network::{Layers, Operation};

/// Reads weights from wherever a builder of variables finds them.
pub(in crate::cpu) struct WeightReader<'a> {
    pub(in crate::cpu) layers: &'a Layers,
    pub(in crate::cpu) vb: &'a VarBuilder<'static>,
}

/// A convolution's or dense layer's own weights, with what batch norm and constants make of them.
pub(super) struct Matrix<'a> {
    /// `[outputs][inputs of a group][kernel row][kernel column]`, each output's yet to be
    /// multiplied by its factor.
    pub(super) weights: &'a [f32],
    /// One for each output.
    pub(super) factors: &'a [f64],
    /// One for each output.
    pub(super) bias: Vec<f32>,
}

impl WeightReader<'_> {
    /// A layer's weights `[outputs][K]` in double precision, standardized where they are to be.
    fn weights(&self, layer: usize) -> Result<Vec<f64>> {
        let shape = self.shape(layer);
        let mut weights = self.read(layer, "weight", &shape)?;
        if let Some(standardization) = self.standardization(layer) {
            let outputs = shape[0];
            let gains = if standardization.gain {
                self.read(layer, "gain", &[outputs, 1, 1, 1])?
            } else {
                vec![1.; outputs]
            };
            let fan_in = weights.len() / outputs.max(1);
            for (weights, gain) in weights.chunks_exact_mut(fan_in.max(1)).zip(gains) {
                standardize(weights, &standardization, gain);
            }
        }
        Ok(weights)
    }

    fn standardization(&self, layer: usize) -> Option<Standardization> {
        match self.layers.as_slice()[layer].operation {
            Operation::Conv(conv) => conv.standardization,
            _ => None,
        }
    }

    /// Reads a layer's tensor, in double precision.
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

    /// Hands the matrix that `source` stands for, of so many outputs, to `pack`. It is not copied
    /// before: that takes longer than to pack it.
    pub(super) fn matrix(
        &self,
        source: &WeightSource,
        outputs: usize,
        pack: impl FnOnce(&Matrix<'_>),
    ) -> Result<()> {
        match source {
            WeightSource::Layer(folded) => self.layer(folded, pack),
            WeightSource::Composed { linear, conv } => {
                let (outer, outer_bias) = self.double(&LayerWeights {
                    layer: *linear,
                    affine: None,
                    factor: Factor::ONE,
                })?;
                let (inner, bias) = self.double(conv)?;
                let bias = outer.matmul(&bias.unsqueeze(1)?)?.squeeze(1)?;
                let bias = (bias + outer_bias)?.to_vec1::<f64>()?;
                let weights = outer.matmul(&inner)?;
                pack(&Matrix {
                    weights: &rounded(&weights.flatten_all()?.to_vec1::<f64>()?),
                    factors: &vec![1.; bias.len()],
                    bias: rounded(&bias),
                });
                Ok(())
            }
            WeightSource::Channels { affine, factor } => {
                let factor = self.factor(*factor)?;
                let [factors, shifts] = match *affine {
                    Some(layer) => self.channels(layer)?,
                    None => [vec![1.; outputs], vec![0.; outputs]],
                };
                pack(&Matrix {
                    weights: &vec![1.; outputs],
                    factors: &times(&factors, factor),
                    bias: rounded(&times(&shifts, factor)),
                });
                Ok(())
            }
        }
    }

    /// Folded in double precision and rounded once; a file in double precision is not rounded
    /// before.
    fn layer(&self, folded: &LayerWeights, pack: impl FnOnce(&Matrix<'_>)) -> Result<()> {
        let layer = folded.layer;
        let [factors, bias] = self.affine(folded)?;
        let shape = self.shape(layer);
        let bias = rounded(&bias);
        if self.vb.dtype() == DType::F64 || self.standardization(layer).is_some() {
            let weights = self.weights(layer)?;
            pack(&Matrix {
                weights: &scaled(&weights, &factors),
                factors: &vec![1.; factors.len()],
                bias,
            });
            return Ok(());
        }
        let weights = self.tensor(layer, "weight", &shape, DType::F32)?;
        let (storage, layout) = weights.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(weights), Some((first, end))) => pack(&Matrix {
                weights: &weights.as_slice::<f32>()?[first..end],
                factors: &factors,
                bias,
            }),
            _ => candle_core::bail!("weights that do not lie together on the CPU"),
        }
        Ok(())
    }

    /// A layer's folded matrix `[outputs, K]` and bias, in double precision.
    fn double(&self, folded: &LayerWeights) -> Result<(Tensor, Tensor)> {
        let [factors, bias] = self.affine(folded)?;
        let outputs = factors.len();
        let weights = self.weights(folded.layer)?;
        let factors = Tensor::from_vec(factors, (outputs, 1), &Device::Cpu)?;
        let weights = Tensor::from_vec(weights, (outputs, ()), &Device::Cpu)?;
        let bias = Tensor::from_vec(bias, outputs, &Device::Cpu)?;
        Ok((weights.broadcast_mul(&factors)?, bias))
    }

    fn shape(&self, layer: usize) -> Vec<usize> {
        let parameters = self.layers.as_slice()[layer].operation.parameters();
        let weight = parameters.into_iter().find(|named| named.name == "weight");
        weight.map(|named| named.shape).unwrap_or_default()
    }

    /// For each output of a layer what its sum is multiplied by, and what is added then.
    fn affine(&self, folded: &LayerWeights) -> Result<[Vec<f64>; 2]> {
        let LayerWeights {
            layer,
            affine,
            factor,
        } = *folded;
        let parameters = self.layers.as_slice()[layer].operation.parameters();
        let outputs = self.shape(layer)[0];
        let mut bias = if parameters.iter().any(|named| named.name == "bias") {
            self.read(layer, "bias", &[outputs])?
        } else {
            vec![0.; outputs]
        };
        let factor = self.factor(factor)?;
        let mut factors = vec![factor; outputs];
        if let Some(affine) = affine {
            let [times, shift] = self.channels(affine)?;
            for (bias, (times, shift)) in bias.iter_mut().zip(times.iter().zip(shift)) {
                *bias = *bias * times + shift;
            }
            for (factors, times) in factors.iter_mut().zip(times) {
                *factors *= times;
            }
        }
        Ok([factors, times(&bias, factor)])
    }

    fn factor(&self, factor: Factor) -> Result<f64> {
        let Some(layer) = factor.learnt else {
            return Ok(factor.constant);
        };
        match self.layers.as_slice()[layer].operation {
            Operation::LearntFactor { tensor } => {
                let learnt = self.read(layer, tensor, &[])?;
                Ok(learnt.iter().product::<f64>() * factor.constant)
            }
            _ => candle_core::bail!("a layer without a learnt factor"),
        }
    }

    /// A factor and a shift for each channel: a batch norm, or what a layer does to each channel
    /// once that is normalized.
    fn channels(&self, layer: usize) -> Result<[Vec<f64>; 2]> {
        match self.layers.as_slice()[layer].operation {
            Operation::BatchNorm {
                channels,
                epsilon,
                weight,
            } => self.batch_norm(layer, channels, epsilon, weight),
            Operation::LayerNorm(Normalization {
                channels,
                weight,
                bias,
                ..
            })
            | Operation::GroupNorm {
                normalization:
                    Normalization {
                        channels,
                        weight,
                        bias,
                        ..
                    },
                ..
            }
            | Operation::Affine {
                channels,
                weight,
                bias,
            } => {
                let read = |name, there, otherwise| {
                    if there {
                        self.read(layer, name, &[channels])
                    } else {
                        Ok(vec![otherwise; channels])
                    }
                };
                Ok([read("weight", weight, 1.)?, read("bias", bias, 0.)?])
            }
            _ => candle_core::bail!("a layer that does nothing to each channel"),
        }
    }

    fn batch_norm(
        &self,
        layer: usize,
        channels: usize,
        epsilon: f64,
        weight: bool,
    ) -> Result<[Vec<f64>; 2]> {
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

/// One output's weights, less their mean and over the root of their variance.
fn standardize(weights: &mut [f64], standardization: &Standardization, gain: f64) {
    let Standardization { epsilon, scale, .. } = *standardization;
    let count = weights.len() as f64;
    let mean = weights.iter().sum::<f64>() / count;
    let squares = weights.iter().map(|weight| (weight - mean).powi(2));
    let variance = squares.sum::<f64>() / count;
    let factor = scale * gain / (variance + epsilon).sqrt();
    for weight in weights {
        *weight = (*weight - mean) * factor;
    }
}

fn times(values: &[f64], factor: f64) -> Vec<f64> {
    values.iter().map(|value| value * factor).collect()
}

fn scaled(weights: &[f64], factors: &[f64]) -> Vec<f32> {
    let rows = weights
        .chunks(weights.len() / factors.len().max(1))
        .zip(factors);
    let scaled = rows.flat_map(|(row, factor)| row.iter().map(move |weight| weight * factor));
    scaled.map(round).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what it is for"
)]
pub(in crate::cpu) fn round(value: f64) -> f32 {
    value as f32
}

fn rounded(values: &[f64]) -> Vec<f32> {
    values.iter().copied().map(round).collect()
}
