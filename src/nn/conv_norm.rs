use candle_core::{DType, Device, Error, IndexOp, Result, Tensor};
use candle_nn::{Conv2dConfig, Module, VarBuilder};

use super::BatchNorm;
use super::pool::pad;
use crate::network::geometry::{Padding, Rounding, Window};
use crate::network::operation::{Conv, Standardization};

/// A convolution with the padding of its description, TensorFlow's SAME included:
/// candle's own pads alike on all sides, so here the border is padded first where needed.
///
/// # Shapes
///
/// `[N, in, H, W]` to `[N, out, H', W']`; tensors `weight` `[out, in / groups, k, k]` and,
/// where the description says so, `bias` `[out]` and `gain` `[out, 1, 1, 1]`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    conv: Conv,
    /// As the file has it and standardized, or as [`grouped`] or [`depthwise`] reads that.
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
        let mut weight = vb.get(shape, "weight")?;
        if let Some(standardization) = &conv.standardization {
            let gain = if standardization.gain {
                Some(vb.get((conv.out_channels, 1, 1, 1), "gain")?)
            } else {
                None
            };
            weight = standardized(&weight, gain.as_ref(), standardization)?;
        }
        Ok(Self {
            conv: *conv,
            weight: match Way::of(conv) {
                Way::Candle => weight,
                Way::Grouped => grouped_weight(&weight, conv.groups)?,
                Way::Depthwise => depthwise_weight(&weight)?,
            },
            bias,
        })
    }
}

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By candle's own, which has one stride and one dilation.
    Candle,
    /// As one product of matrices for each group.
    Grouped,
    /// Each channel by itself.
    Depthwise,
}

impl Way {
    fn of(conv: &Conv) -> Self {
        let is_even = |pair: [usize; 2]| pair[0] == pair[1];
        if conv.groups > 1 && conv.channels_per_group() == 1 {
            Self::Depthwise
        } else if conv.groups == 1 && is_even(conv.window.stride) && is_even(conv.window.dilation) {
            Self::Candle
        } else {
            Self::Grouped
        }
    }
}

/// The weights of each output channel less their mean, over the root of their variance and
/// epsilon, times the scale and the gain: in double precision, rounded once.
fn standardized(
    weight: &Tensor,
    gain: Option<&Tensor>,
    standardization: &Standardization,
) -> Result<Tensor> {
    let exact = weight.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let outputs = exact.dim(0)?;
    let rows = exact.reshape((outputs, ()))?;
    let centred = rows.broadcast_sub(&rows.mean_keepdim(1)?)?;
    let variance = centred.sqr()?.mean_keepdim(1)?;
    let root = (variance + standardization.epsilon)?.sqrt()?;
    let mut scaled = (centred.broadcast_div(&root)? * standardization.scale)?;
    if let Some(gain) = gain {
        let gain = gain.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        scaled = scaled.broadcast_mul(&gain.reshape((outputs, 1))?)?;
    }
    scaled
        .reshape(weight.shape())?
        .to_dtype(weight.dtype())?
        .to_device(weight.device())
}

impl Module for Conv2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let window = self.conv.window;
        let (_, _, height, width) = xs.dims4()?;
        // candle's own does not check that the window fits.
        let extents = window.extents([height, width]).map_err(Error::wrap)?;
        let size = extents.map(|extent| extent.output);
        let ys = match Way::of(&self.conv) {
            Way::Depthwise => depthwise(&pad(xs, window, 0.)?, &self.weight, &self.conv, size)?,
            Way::Grouped => grouped(&pad(xs, window, 0.)?, &self.weight, &self.conv, size)?,
            Way::Candle => {
                let (padded, padding) = match (window.padding, window.rounding) {
                    (Padding::Symmetric([rows, columns]), Rounding::Floor) if rows == columns => {
                        (xs.clone(), rows)
                    }
                    _ => (pad(xs, window, 0.)?, 0),
                };
                let config = Conv2dConfig {
                    padding,
                    stride: window.stride[0],
                    dilation: window.dilation[0],
                    ..Conv2dConfig::default()
                };
                candle_nn::Conv2d::new(self.weight.clone(), None, config).forward(&padded)?
            }
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
    let seen = seen(&padded.transpose(0, 1)?, window, size)?;
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

/// A convolution of each channel by itself: for each element of the kernel, what it sees at every
/// position, times its weights `[k * k, 1, out, 1, 1]`, is added up.
fn depthwise(padded: &Tensor, weight: &Tensor, conv: &Conv, size: [usize; 2]) -> Result<Tensor> {
    let (batch, inputs, _, _) = padded.dims4()?;
    let per_channel = conv.out_channels / inputs;
    let mut sums: Option<Tensor> = None;
    for (tap, seen) in seen(padded, conv.window, size)?.iter().enumerate() {
        let seen = if per_channel == 1 {
            seen.clone()
        } else {
            // An input channel's outputs are neighbours.
            let [height, width] = size;
            let repeated = (batch, inputs, per_channel, height, width);
            let outputs = (batch, conv.out_channels, height, width);
            seen.unsqueeze(2)?
                .broadcast_as(repeated)?
                .reshape(outputs)?
        };
        let products = seen.broadcast_mul(&weight.i(tap)?)?;
        sums = Some(match sums {
            Some(sums) => (sums + products)?,
            None => products,
        });
    }
    sums.ok_or_else(|| Error::msg("a kernel without elements"))
}

/// `[out, 1, k, k]` to `[k * k, 1, out, 1, 1]`.
fn depthwise_weight(weight: &Tensor) -> Result<Tensor> {
    let (outputs, _, rows, columns) = weight.dims4()?;
    weight
        .reshape((outputs, rows * columns))?
        .t()?
        .contiguous()?
        .reshape(&[rows * columns, 1, outputs, 1, 1])
}

/// What each element of a window sees at all its positions: of the padded `[A, B, H, W]` an
/// `[A, B, H', W']` for each.
fn seen(padded: &Tensor, window: Window, size: [usize; 2]) -> Result<Vec<Tensor>> {
    let [rows, columns] = window.kernel;
    let [row_step, column_step] = window.dilation;
    // A window that goes further than the image is high has one position, whatever its stride.
    let down = window.stride[0].min(padded.dim(2)?);
    let across = window.stride[1].min(padded.dim(3)?);
    let phases = phases(padded, [down, across])?;
    let mut seen = Vec::with_capacity(rows * columns);
    for row in (0..rows).map(|row| row * row_step) {
        for column in (0..columns).map(|column| column * column_step) {
            let phase = phases.i((row % down, column % across))?;
            let below = phase.narrow(2, row / down, size[0])?;
            seen.push(below.narrow(3, column / across, size[1])?);
        }
    }
    Ok(seen)
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

/// Every row and column a stride apart from each of the first on: `[A, B, H, W]` to
/// `[down, across, A, B, H / down, W / across]`, rounded up with zeros.
fn phases(xs: &Tensor, [down, across]: [usize; 2]) -> Result<Tensor> {
    let (first, second, height, width) = xs.dims4()?;
    let (rows, columns) = (height.div_ceil(down), width.div_ceil(across));
    xs.pad_with_zeros(2, 0, rows * down - height)?
        .pad_with_zeros(3, 0, columns * across - width)?
        .reshape(&[first, second, rows, down, columns, across])?
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
/// let conv = Conv {
///     in_channels: 3,
///     out_channels: 8,
///     groups: 1,
///     window,
///     bias: false,
///     standardization: None,
/// };
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
    use std::collections::HashMap;

    /// Our convolution of random numbers, and candle's own of the same with `theirs` of padding,
    /// stride and dilation.
    fn both(conv: &Conv, size: (usize, usize), theirs: [usize; 3]) -> [Tensor; 2] {
        let [rows, columns] = conv.window.kernel;
        let shape = (conv.out_channels, conv.channels_per_group(), rows, columns);
        let weight = Tensor::randn(0f32, 1., shape, &Device::Cpu).unwrap();
        let tensors = HashMap::from([("weight".to_owned(), weight.clone())]);
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let shape = (2, conv.in_channels, size.0, size.1);
        let xs = Tensor::randn(0f32, 1., shape, &Device::Cpu).unwrap();
        let ours = Conv2d::new(conv, vb).unwrap().forward(&xs).unwrap();
        let [padding, stride, dilation] = theirs;
        let theirs = xs.conv2d(&weight, padding, stride, dilation, conv.groups);
        [ours, theirs.unwrap()]
    }

    /// Sums of up to 100 products of numbers near 1, in another order: a few roundings of 6e-8
    /// each.
    fn assert_same([ours, theirs]: [Tensor; 2], what: &str) {
        assert_eq!(ours.dims(), theirs.dims(), "{what}");
        let error = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
        let error = error.to_scalar::<f32>().unwrap();
        assert!(error < 2e-5, "{what}: {error}");
    }

    fn conv(channels: [usize; 2], groups: usize, window: Window) -> Conv {
        Conv {
            in_channels: channels[0],
            out_channels: channels[1],
            groups,
            window,
            bias: false,
            standardization: None,
        }
    }

    /// candle's own runs a convolution for each group.
    #[test]
    fn a_grouped_convolution_is_one_for_each_group() {
        for (stride, padding, dilation, size) in [
            (1, 1, 1, (5, 8)),
            (2, 1, 1, (7, 6)),
            (3, 0, 1, (8, 7)),
            (1, 2, 2, (9, 6)),
        ] {
            for (channels, groups, kernel) in [([8, 12], 4, 3), ([6, 6], 6, 3), ([5, 10], 5, 5)] {
                if kernel > 3 && padding == 0 {
                    continue;
                }
                let window = Window {
                    dilation: [dilation; 2],
                    ..Window::square(
                        kernel,
                        stride,
                        Padding::Symmetric([padding * kernel / 3; 2]),
                    )
                };
                let (padding, size) = (padding * kernel / 3, (size.0 + 4, size.1 + 4));
                let conv = conv(channels, groups, window);
                let both = both(&conv, size, [padding, stride, dilation]);
                assert_same(both, &format!("{conv:?}"));
            }
        }
    }

    #[test]
    fn strides_may_differ_down_and_across() {
        let window = |stride| Window {
            stride,
            ..Window::square(3, 1, Padding::Symmetric([1, 1]))
        };
        for groups in [1, 4] {
            let [ours, every] = both(&conv([4, 8], groups, window([2, 1])), (7, 6), [1, 1, 1]);
            let second = Tensor::new(&[0u32, 2, 4, 6], &Device::Cpu).unwrap();
            let theirs = every.index_select(&second, 2).unwrap();
            assert_same([ours, theirs], &format!("{groups} groups"));
        }
    }

    // timm.layers.ScaledStdConv2d(1, 2, (1, 2), gamma=1.5, eps=1e-6) whose weight is
    // [[[[1, 3]]], [[[2, 2]]]] and whose gain is [2, 1]: scale is gamma * 2^-0.5.
    #[test]
    fn standardized_weights_have_no_mean_and_the_scale_as_deviation() {
        let device = &Device::Cpu;
        let weight = Tensor::new(&[1f32, 3., 2., 2.], device).unwrap();
        let weight = weight.reshape((2, 1, 1, 2)).unwrap();
        let gain = Tensor::new(&[2f32, 1.], device).unwrap();
        let gain = gain.reshape((2, 1, 1, 1)).unwrap();
        let standardization = Standardization {
            epsilon: 1e-6,
            scale: 1.5 / 2_f64.sqrt(),
            gain: true,
        };
        let found = standardized(&weight, Some(&gain), &standardization).unwrap();
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        let expected = [-2.121_319_3, 2.121_319_3, 0., 0.];
        // One rounding of numbers near 2.
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 3e-7, "{found} {expected}");
        }
    }
}
