use candle_core::{Error, IndexOp, Result, Tensor};
use candle_nn::{Conv2dConfig, Module, VarBuilder};

use super::BatchNorm;
use super::pool::pad;
use crate::network::geometry::{Padding, Rounding};
use crate::network::operation::Conv;

/// A convolution with the padding of its description, TensorFlow's SAME included:
/// candle's own pads alike on all sides, so here the border is padded first where needed.
///
/// # Shapes
///
/// `[N, in, H, W]` to `[N, out, H', W']`; tensors `weight` `[out, in / groups, k, k]` and,
/// where the description says so, `bias` `[out]`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    conv: Conv,
    /// As the file has it, or as `grouped` reads it.
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
        let [rows, columns] = conv.window.kernel;
        let shape = (conv.out_channels, conv.channels_per_group(), rows, columns);
        let bias = if conv.bias {
            // The shape that broadcasts over a feature map.
            let bias = vb.get(conv.out_channels, "bias")?;
            Some(bias.reshape((1, conv.out_channels, 1, 1))?)
        } else {
            None
        };
        let weight = vb.get(shape, "weight")?;
        Ok(Self {
            conv: *conv,
            weight: match conv.groups {
                1 => weight,
                groups => grouped_weight(&weight, groups)?,
            },
            bias,
        })
    }
}

impl Module for Conv2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let window = self.conv.window;
        let (_, _, height, width) = xs.dims4()?;
        // candle's own does not check that the window fits.
        let extents = window.extents([height, width]).map_err(Error::wrap)?;
        let ys = if self.conv.groups > 1 {
            let size = extents.map(|extent| extent.output);
            grouped(&pad(xs, window, 0.)?, &self.weight, &self.conv, size)?
        } else {
            let (padded, padding) = match (window.padding, window.rounding) {
                (Padding::Symmetric([rows, columns]), Rounding::Floor) if rows == columns => {
                    (xs.clone(), rows)
                }
                _ => (pad(xs, window, 0.)?, 0),
            };
            let config = Conv2dConfig {
                padding,
                stride: window.stride,
                ..Conv2dConfig::default()
            };
            candle_nn::Conv2d::new(self.weight.clone(), None, config).forward(&padded)?
        };
        match &self.bias {
            Some(bias) => ys.broadcast_add(bias),
            None => Ok(ys),
        }
    }
}

/// A grouped convolution of a padded input as one matrix product, batched over the groups;
/// candle's own runs a convolution for each group and concatenates what they make.
///
/// The columns of `[groups, k * k * in / groups, N * H' * W']` are what each position of the
/// window sees; `weight` has the same order, `[groups, out / groups, k * k * in / groups]`.
fn grouped(padded: &Tensor, weight: &Tensor, conv: &Conv, size: [usize; 2]) -> Result<Tensor> {
    let batch = padded.dim(0)?;
    let [out_height, out_width] = size;
    let Conv { groups, window, .. } = *conv;
    let [rows, columns] = window.kernel;
    let stride = window.stride;

    let phases = phases(&padded.transpose(0, 1)?, stride)?;
    let mut seen = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let phase = phases.i((row % stride, column % stride))?;
            let below = phase.narrow(2, row / stride, out_height)?;
            seen.push(below.narrow(3, column / stride, out_width)?);
        }
    }
    let seen = Tensor::stack(&seen, 0)?
        .reshape((rows * columns, groups, conv.channels_per_group(), ()))?
        .transpose(0, 1)?
        .flatten(1, 2)?;
    weight
        .matmul(&seen)?
        .reshape((conv.out_channels, batch, out_height, out_width))?
        .transpose(0, 1)?
        .contiguous()
}

/// `[out, in / groups, k, k]` to `[groups, out / groups, k * k * in / groups]`.
fn grouped_weight(weight: &Tensor, groups: usize) -> Result<Tensor> {
    let (outputs, inputs, rows, columns) = weight.dims4()?;
    weight
        .reshape((groups, outputs / groups, inputs, rows * columns))?
        .transpose(2, 3)?
        .flatten(2, 3)?
        .contiguous()
}

/// Every `stride`th row and column from each of the first on: `[C, N, H, W]` to
/// `[stride, stride, C, N, H / stride, W / stride]`, rounded up with zeros.
fn phases(xs: &Tensor, stride: usize) -> Result<Tensor> {
    let (channels, batch, height, width) = xs.dims4()?;
    let [rows, columns] = [height, width].map(|size| size.div_ceil(stride));
    xs.pad_with_zeros(2, 0, rows * stride - height)?
        .pad_with_zeros(3, 0, columns * stride - width)?
        .reshape(&[channels, batch, rows, stride, columns, stride])?
        .permute([3, 5, 0, 1, 2, 4])?
        .contiguous()
}

/// A convolution followed by a batch norm in inference, for networks of your own.
///
/// # Shapes
///
/// As [`Conv2d`] has them; tensors under `conv` and `bn`, the latter's named as in candle
/// and `PyTorch`: `weight`, `bias`, `running_mean`, `running_var`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Module, VarBuilder, VarMap};
/// use senet::network::geometry::{Padding, Window};
/// use senet::network::operation::Conv;
/// use senet::nn::ConvNorm;
///
/// let window = Window::square(3, 2, Padding::Same);
/// let conv = Conv { in_channels: 3, out_channels: 8, groups: 1, window, bias: false };
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
            bn: BatchNorm::new(conv.out_channels, epsilon, true, vb.pp("bn"))?,
        })
    }
}

impl Module for ConvNorm {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.bn.forward(&self.conv.forward(xs)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::geometry::Window;
    use candle_core::Device;
    use std::collections::HashMap;

    /// Against candle's own, which runs a convolution for each group; sums of up to 36 products
    /// of numbers near 1, in another order: a few roundings of 6e-8 each.
    #[test]
    fn a_grouped_convolution_is_one_for_each_group() {
        for (stride, padding, size) in [(1, 1, (5, 8)), (2, 1, (7, 6)), (3, 0, (8, 7))] {
            let conv = Conv {
                in_channels: 8,
                out_channels: 12,
                groups: 4,
                window: Window::square(3, stride, Padding::Symmetric([padding, padding])),
                bias: false,
            };
            let weight = Tensor::randn(0f32, 1., (12, 2, 3, 3), &Device::Cpu).unwrap();
            let tensors = HashMap::from([("weight".to_owned(), weight.clone())]);
            let vb = VarBuilder::from_tensors(tensors, candle_core::DType::F32, &Device::Cpu);
            let xs = Tensor::randn(0f32, 1., (2, 8, size.0, size.1), &Device::Cpu).unwrap();
            let ours = Conv2d::new(&conv, vb).unwrap().forward(&xs).unwrap();
            let theirs = xs.conv2d(&weight, padding, stride, 1, 4).unwrap();
            assert_eq!(ours.dims(), theirs.dims());
            let error = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
            let error = error.to_scalar::<f32>().unwrap();
            assert!(error < 1e-5, "stride {stride}: {error}");
        }
    }
}
