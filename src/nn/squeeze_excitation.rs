use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};

use super::pool::global_average;
use super::relu::relu;

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

/// The values inside an SE block, in the order of computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The mean of each channel, `[N, C, 1, 1]`.
    Squeeze,
    /// The first dense layer, `[N, squeeze, 1, 1]`.
    Fc1,
    /// Its positive part.
    Relu,
    /// The second dense layer, `[N, C, 1, 1]`.
    Fc2,
    /// The gate, between 0 and 1.
    Sigmoid,
    /// The input times the gate, `[N, C, H, W]`.
    Scale,
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

    /// [`Module::forward`] that hands every value to `observe` as it is computed.
    ///
    /// # Errors
    ///
    /// An input that is not `[N, C, H, W]`, or whatever `observe` returns.
    pub fn forward_with(
        &self,
        xs: &Tensor,
        mut observe: impl FnMut(Stage, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let mut seen = |stage, value: Tensor| observe(stage, &value).map(|()| value);
        let squeezed = seen(Stage::Squeeze, global_average(xs)?)?;
        let reduced = seen(Stage::Fc1, over_channels(&self.fc1, &squeezed)?)?;
        let rectified = seen(Stage::Relu, relu(&reduced)?)?;
        let expanded = seen(Stage::Fc2, over_channels(&self.fc2, &rectified)?)?;
        let gate = seen(Stage::Sigmoid, candle_nn::ops::sigmoid(&expanded)?)?;
        seen(Stage::Scale, xs.broadcast_mul(&gate)?)
    }
}

impl Module for SqueezeExcitation {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_with(xs, |_, _| Ok(()))
    }
}

/// A dense layer on `[N, C, 1, 1]`, where it is the same as a 1x1 convolution.
fn over_channels(fc: &Linear, xs: &Tensor) -> Result<Tensor> {
    let (batch, channels, _, _) = xs.dims4()?;
    let ys = fc.forward(&xs.reshape((batch, channels))?)?;
    let outputs = ys.dim(1)?;
    ys.reshape((batch, outputs, 1, 1))
}
