use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};

use super::activation::activate;
use super::pool::global_average;
use crate::network::Activation;

/// Squeeze-and-Excitation: weighs each channel of a feature map by a gate that is
/// computed from the means of all channels (Hu et al., <https://arxiv.org/abs/1709.01507>).
///
/// # Shapes
///
/// `[N, C, H, W]` to `[N, C, H, W]`, for any height and width.
///
/// # Tensors
///
/// `fc1.weight` `[squeeze, C]`, `fc1.bias` `[squeeze]`, `fc2.weight` `[C, squeeze]`,
/// `fc2.bias` `[C]`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Module, VarBuilder, VarMap};
/// use senet::nn::SqueezeExcitation;
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let se = SqueezeExcitation::new(32, 16, vb.pp("se"))?;
/// let features = Tensor::randn(0f32, 1., (1, 32, 8, 8), &Device::Cpu)?;
/// assert_eq!(se.forward(&features)?.dims(), features.dims());
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SqueezeExcitation {
    fc1: Linear,
    fc2: Linear,
}

impl SqueezeExcitation {
    /// Loads a block for `channels` channels with `squeeze` units between its dense layers.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(channels: usize, squeeze: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            fc1: linear(channels, squeeze, vb.pp("fc1"))?,
            fc2: linear(squeeze, channels, vb.pp("fc2"))?,
        })
    }
}

impl Module for SqueezeExcitation {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let reduced = dense(&self.fc1, &global_average(xs)?)?;
        let rectified = activate(Activation::Relu, &reduced)?;
        let expanded = dense(&self.fc2, &rectified)?;
        scale(xs, &activate(Activation::Sigmoid, &expanded)?)
    }
}

/// A dense layer on `[N, C]`, or on `[N, C, 1, 1]`, where it is the same as a 1x1 convolution.
pub(super) fn dense(linear: &Linear, xs: &Tensor) -> Result<Tensor> {
    match *xs.dims() {
        [batch, channels, 1, 1] => {
            let ys = linear.forward(&xs.reshape((batch, channels))?)?;
            let outputs = ys.dim(1)?;
            ys.reshape((batch, outputs, 1, 1))
        }
        _ => linear.forward(xs),
    }
}

/// Each channel of `[N, C, H, W]` times its gate, `[N, C, 1, 1]`.
pub(super) fn scale(xs: &Tensor, gate: &Tensor) -> Result<Tensor> {
    match *gate.dims() {
        [images, channels] => xs.broadcast_mul(&gate.reshape((images, channels, 1, 1))?),
        _ => xs.broadcast_mul(gate),
    }
}
