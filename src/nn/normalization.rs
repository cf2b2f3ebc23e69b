use candle_core::{DType, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use crate::network::operation::Normalization;

/// Every channel times a weight, plus a bias, where there are these.
///
/// # Shapes
///
/// `[N, C, H, W]` or `[N, C]` to the same; tensors `weight` and `bias`, each `[C]`.
#[derive(Debug, Clone)]
pub struct Affine {
    channels: usize,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
}

impl Affine {
    /// Loads the tensors that are said to be there.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(channels: usize, weight: bool, bias: bool, vb: &VarBuilder) -> Result<Self> {
        let read = |name, there: bool| there.then(|| vb.get(channels, name)).transpose();
        Ok(Self {
            channels,
            weight: read("weight", weight)?,
            bias: read("bias", bias)?,
        })
    }
}

impl Module for Affine {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let mut shape = vec![1; xs.rank()];
        shape[1] = self.channels;
        let shape = shape.as_slice();
        let mut ys = xs.clone();
        if let Some(weight) = &self.weight {
            ys = ys.broadcast_mul(&weight.reshape(shape)?)?;
        }
        if let Some(bias) = &self.bias {
            ys = ys.broadcast_add(&bias.reshape(shape)?)?;
        }
        Ok(ys)
    }
}

/// A layer norm over the channels of each pixel, or a group norm: what differs is whose mean and
/// variance are taken.
///
/// # Shapes
///
/// `[N, C, H, W]` or, of a layer norm, `[N, C]` to the same; tensors `weight` and `bias`, each
/// `[C]`, where the description says so.
#[derive(Debug, Clone)]
pub struct Norm {
    /// Of a group norm.
    groups: Option<usize>,
    epsilon: f64,
    affine: Affine,
}

impl Norm {
    /// Loads a layer norm, or with `groups` a group norm.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(
        normalization: &Normalization,
        groups: Option<usize>,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let Normalization {
            channels,
            epsilon,
            weight,
            bias,
        } = *normalization;
        Ok(Self {
            groups,
            epsilon,
            affine: Affine::new(channels, weight, bias, vb)?,
        })
    }
}

impl Module for Norm {
    /// Means and variances of half precision are taken in single precision: the squares of large
    /// values are more than `f16` can hold.
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let dtype = match xs.dtype() {
            DType::F16 | DType::BF16 => DType::F32,
            other => other,
        };
        let wide = xs.to_dtype(dtype)?;
        let rows = match self.groups {
            // Each group's channels and pixels are one row.
            Some(groups) => wide.reshape((xs.dim(0)?, groups, ()))?,
            None => wide,
        };
        let along = if self.groups.is_some() { 2 } else { 1 };
        let centred = rows.broadcast_sub(&rows.mean_keepdim(along)?)?;
        let variance = centred.sqr()?.mean_keepdim(along)?;
        let deviation = (variance + self.epsilon)?.sqrt()?;
        let normalized = centred.broadcast_div(&deviation)?.reshape(xs.shape())?;
        self.affine.forward(&normalized.to_dtype(xs.dtype())?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::Device;

    use super::*;

    fn norm(groups: Option<usize>, channels: usize, epsilon: f64) -> Norm {
        let normalization = Normalization {
            channels,
            epsilon,
            weight: true,
            bias: true,
        };
        let counting: Vec<f64> = (1..=channels).map(|number| number as f64).collect();
        let tensors = [("weight", counting.clone()), ("bias", counting)];
        let tensors = tensors.map(|(name, numbers)| {
            let tensor = Tensor::from_vec(numbers, channels, &Device::Cpu).unwrap();
            (name.to_owned(), tensor)
        });
        let vb = VarBuilder::from_tensors(HashMap::from(tensors), DType::F64, &Device::Cpu);
        Norm::new(&normalization, groups, &vb).unwrap()
    }

    fn near(found: &Tensor, expected: &[f64]) {
        let found: Vec<f64> = found.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            // Of the printed digits.
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    // x = torch.tensor([[[[1., 4.]], [[2., 0.]], [[6., 2.]]]])
    // F.layer_norm(x.permute(0, 2, 3, 1), (3,), w, w, 0.5).permute(0, 3, 1, 2), w = [1, 2, 3]
    #[test]
    fn a_layer_norm_takes_the_statistics_of_each_pixel() {
        let xs = [1_f64, 4., 2., 0., 6., 2.];
        let xs = Tensor::from_slice(&xs, (1, 3, 1, 2), &Device::Cpu).unwrap();
        let ys = norm(None, 3, 0.5).forward(&xs).unwrap();
        near(&ys, &[0.1201, 2.1239, 1.1201, -0.2478, 6.9595, 3.]);
    }

    // x = torch.tensor([[[[1., 4.]], [[2., 0.]], [[6., 2.]], [[0., 8.]]]])
    // F.group_norm(x, 2, w, w, 0.5), w = [1, 2, 3, 4]
    #[test]
    fn a_group_norm_takes_the_statistics_of_each_groups_map() {
        let xs = [1_f64, 4., 2., 0., 6., 2., 0., 8.];
        let xs = Tensor::from_slice(&xs, (1, 4, 1, 2), &Device::Cpu).unwrap();
        let ys = norm(Some(2), 4, 0.5).forward(&xs).unwrap();
        near(
            &ys,
            &[
                0.5425, 2.3725, 2.3050, -0.1350, 4.8516, 1.1484, -0.9377, 8.9377,
            ],
        );
    }
}
