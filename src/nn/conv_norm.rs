use candle_core::{Result, Tensor};
use candle_nn::{BatchNorm, Conv2dConfig, Module, ModuleT, VarBuilder, batch_norm};

use super::pool::pad;
use crate::network::geometry::Padding;
use crate::network::operation::Conv;

/// A convolution with the padding of its description, TensorFlow's SAME included:
/// candle's own pads alike on all sides, so here the border is padded first where needed.
///
/// # Shapes
///
/// `[N, in, H, W]` to `[N, out, H', W']`; tensors `weight` `[out, in, k, k]` and,
/// where the description says so, `bias` `[out]`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    conv: Conv,
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Conv2d {
    /// Loads the convolution that `conv` describes.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(conv: &Conv, vb: VarBuilder) -> Result<Self> {
        let kernel = conv.window.kernel;
        let shape = (conv.out_channels, conv.in_channels, kernel, kernel);
        let bias = if conv.bias {
            // The shape that broadcasts over a feature map.
            let bias = vb.get(conv.out_channels, "bias")?;
            Some(bias.reshape((1, conv.out_channels, 1, 1))?)
        } else {
            None
        };
        Ok(Self {
            conv: *conv,
            weight: vb.get(shape, "weight")?,
            bias,
        })
    }
}

impl Module for Conv2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let window = self.conv.window;
        let (padded, padding) = match window.padding {
            Padding::Symmetric(pad) => (xs.clone(), pad),
            Padding::Same => (pad(xs, window, 0.)?, 0),
        };
        let config = Conv2dConfig {
            padding,
            stride: window.stride,
            ..Conv2dConfig::default()
        };
        candle_nn::Conv2d::new(self.weight.clone(), None, config)
            .forward(&padded)
            .and_then(|ys| match &self.bias {
                Some(bias) => ys.broadcast_add(bias),
                None => Ok(ys),
            })
    }
}

/// A convolution followed by a batch norm in inference, for networks of your own.
///
/// # Shapes
///
/// Those of [`Conv2d`]; tensors under `conv` and `bn`, the latter's named as in candle
/// and `PyTorch`: `weight`, `bias`, `running_mean`, `running_var`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Module, VarBuilder, VarMap};
/// use senet::network::geometry::{Padding, Window};
/// use senet::network::operation::Conv;
/// use senet::nn::ConvNorm;
///
/// let window = Window { kernel: 3, stride: 2, padding: Padding::Same };
/// let conv = Conv { in_channels: 3, out_channels: 8, window, bias: false };
/// let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
/// let layer = ConvNorm::new(&conv, 1e-3, vb)?;
/// let image = Tensor::zeros((1, 3, 31, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(layer.forward(&image)?.dims(), [1, 8, 16, 16]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConvNorm {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvNorm {
    /// Loads the convolution that `conv` describes and a batch norm of this epsilon.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(conv: &Conv, epsilon: f64, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            conv: Conv2d::new(conv, vb.pp("conv"))?,
            bn: batch_norm(conv.out_channels, epsilon, vb.pp("bn"))?,
        })
    }
}

impl Module for ConvNorm {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.bn.forward_t(&self.conv.forward(xs)?, false)
    }
}
