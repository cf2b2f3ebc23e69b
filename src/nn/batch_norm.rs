use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Init, Module, VarBuilder};

/// A batch norm in inference: (x - mean) * weight / sqrt(variance + epsilon) + bias.
///
/// The factor is computed once, in double precision. The statistics of a network in half
/// precision are read in single precision: a variance may be larger than `f16` can hold, and
/// epsilon is smaller than it can tell from nothing.
///
/// # Shapes
///
/// `[N, C, H, W]` or `[N, C]` to the same; tensors `running_mean`, `running_var`, `bias` and, where there is
/// one, `weight`, each `[C]`.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    mean: Tensor,
    factor: Tensor,
    bias: Tensor,
}

impl BatchNorm {
    /// Loads a batch norm of `channels`. Without a `weight` it is 1.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(channels: usize, epsilon: f64, weight: bool, vb: VarBuilder) -> Result<Self> {
        let dtype = match vb.dtype() {
            DType::F16 | DType::BF16 => DType::F32,
            other => other,
        };
        let read = |name| {
            let tensor = vb.get_with_hints_dtype(channels, name, Init::default(), dtype)?;
            // Not every device has double precision.
            tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)
        };
        let deviation = (read("running_var")? + epsilon)?.sqrt()?;
        let factor = if weight {
            (read("weight")? / deviation)?
        } else {
            deviation.recip()?
        };
        let ready = |tensor: Tensor| {
            tensor
                .reshape((1, channels, 1, 1))?
                .to_dtype(vb.dtype())?
                .to_device(vb.device())
        };
        Ok(Self {
            mean: ready(read("running_mean")?)?,
            factor: ready(factor)?,
            bias: ready(read("bias")?)?,
        })
    }
}

impl Module for BatchNorm {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let norm = |xs: &Tensor| {
            xs.broadcast_sub(&self.mean)?
                .broadcast_mul(&self.factor)?
                .broadcast_add(&self.bias)
        };
        match *xs.dims() {
            [batch, channels] => norm(&xs.reshape((batch, channels, 1, 1))?)?.flatten_from(1),
            _ => norm(xs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_variance_beyond_half_precision_is_no_infinity() {
        let tensors = [
            ("running_mean", 2.),
            ("running_var", 1e6),
            ("weight", 500.),
            ("bias", 1.),
        ];
        let tensors: HashMap<_, _> = tensors
            .map(|(name, value)| {
                (
                    name.to_owned(),
                    Tensor::new(&[value], &Device::Cpu).unwrap(),
                )
            })
            .into();
        let vb = VarBuilder::from_tensors(tensors, DType::F16, &Device::Cpu);
        let norm = BatchNorm::new(1, 1e-3, true, vb).unwrap();
        let xs = Tensor::full(102f32, (1, 1, 1, 1), &Device::Cpu).unwrap();
        let ys = norm.forward(&xs.to_dtype(DType::F16).unwrap()).unwrap();
        let ys = ys.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
        // (102 - 2) * 500 / 1000 + 1, which half precision holds exactly.
        assert_eq!(ys.to_vec1::<f32>().unwrap(), [51.]);
    }
}
