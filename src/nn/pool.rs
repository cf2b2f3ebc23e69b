use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::Module;

use crate::network::geometry::{Border, Extent, Window, adaptive, blur, blur_factors, reflected};

/// The largest value under each position of a window. The border is padded with
/// negative infinity, so padding never wins, whatever the sign of the features.
///
/// # Shapes
///
/// `[N, C, H, W]` to `[N, C, H', W']`, as the window says.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool2d {
    window: Window,
}

impl MaxPool2d {
    /// A pool with this window.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self { window }
    }
}

impl Module for MaxPool2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let Window {
            kernel: [rows, columns],
            stride: [down, across],
            ..
        } = self.window;
        pad(xs, self.window, f64::NEG_INFINITY)?
            .max_pool2d_with_stride((rows, columns), (down, across))
    }
}

/// The mean under each position of a window, with or without the padding it covers.
///
/// # Shapes
///
/// `[N, C, H, W]` to `[N, C, H', W']`, as the window says.
#[derive(Debug, Clone, Copy)]
pub struct AveragePool2d {
    window: Window,
    border: Border,
}

impl AveragePool2d {
    /// A pool with this window that divides as `border` says.
    #[must_use]
    pub fn new(window: Window, border: Border) -> Self {
        Self { window, border }
    }
}

impl Module for AveragePool2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let Window {
            kernel: [rows, columns],
            stride: [stride_down, stride_across],
            ..
        } = self.window;
        let means = pad(xs, self.window, 0.)?
            .avg_pool2d_with_stride((rows, columns), (stride_down, stride_across))?;
        let (_, _, height, width) = xs.dims4()?;
        let [down, across] = self
            .window
            .divisors([height, width], self.border)
            .map_err(Error::wrap)?;
        if down.iter().all(|&count| count == rows) && across.iter().all(|&count| count == columns) {
            return Ok(means);
        }
        // candle has divided by the whole window everywhere.
        let area = (rows * columns) as f64;
        let corrections: Vec<f64> = down
            .iter()
            .flat_map(|down| {
                across
                    .iter()
                    .map(move |across| area / (down * across) as f64)
            })
            .collect();
        let corrections = Tensor::from_vec(corrections, (down.len(), across.len()), &Device::Cpu)?
            .to_dtype(xs.dtype())?
            .to_device(xs.device())?;
        means.broadcast_mul(&corrections)
    }
}

/// Means of as many parts of the image as the output has pixels, as `PyTorch`'s
/// `AdaptiveAvgPool2d` cuts it.
///
/// # Shapes
///
/// `[N, C, H, W]` to `[N, C, height, width]`.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveAveragePool2d {
    size: [usize; 2],
}

impl AdaptiveAveragePool2d {
    /// A pool to this height and width.
    #[must_use]
    pub fn new(size: [usize; 2]) -> Self {
        Self { size }
    }
}

impl Module for AdaptiveAveragePool2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = xs.dims4()?;
        if [height, width] == self.size {
            return Ok(xs.clone());
        }
        // A mean of rows of means of columns: the parts are rectangles.
        let rows = averaging(height, self.size[0], xs)?;
        let columns = averaging(width, self.size[1], xs)?;
        let xs = xs.contiguous()?.broadcast_matmul(&columns.t()?)?;
        rows.broadcast_matmul(&xs.contiguous()?)
    }
}

/// The matrix `[output, size]` whose product with `size` pixels is their `output` means.
fn averaging(size: usize, output: usize, like: &Tensor) -> Result<Tensor> {
    let ranges = adaptive(size, output).map_err(Error::wrap)?;
    let mut matrix = vec![0_f64; output * size];
    for (row, [first, end]) in matrix.chunks_exact_mut(size).zip(ranges) {
        row[first..end].fill(1. / (end - first) as f64);
    }
    Tensor::from_vec(matrix, (output, size), &Device::Cpu)?
        .to_dtype(like.dtype())?
        .to_device(like.device())
}

/// A binomial filter that slides over an image whose border is reflected.
///
/// # Shapes
///
/// `[N, C, H, W]` to `[N, C, H', W']`, as [`blur`] says.
#[derive(Debug, Clone, Copy)]
pub struct BlurPool2d {
    size: usize,
    stride: usize,
}

impl BlurPool2d {
    /// A filter of `size` rows and columns.
    #[must_use]
    pub fn new(size: usize, stride: usize) -> Self {
        Self { size, stride }
    }

    /// The matrix `[output, size]` whose product with an image's rows or columns filters them.
    fn filter(&self, image: usize, extent: Extent, like: &Tensor) -> Result<Tensor> {
        let mut matrix = vec![0_f64; extent.output * image];
        for (position, row) in matrix.chunks_exact_mut(image).enumerate() {
            for (tap, factor) in blur_factors(self.size).into_iter().enumerate() {
                let place = (position * self.stride + tap).cast_signed();
                row[reflected(place - extent.before.cast_signed(), image)] += factor;
            }
        }
        Tensor::from_vec(matrix, (extent.output, image), &Device::Cpu)?
            .to_dtype(like.dtype())?
            .to_device(like.device())
    }
}

impl Module for BlurPool2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = xs.dims4()?;
        let [rows, columns] = blur(self.size, self.stride, [height, width]).map_err(Error::wrap)?;
        let [rows, columns] =
            [(height, rows), (width, columns)].map(|(size, extent)| self.filter(size, extent, xs));
        let xs = xs.contiguous()?.broadcast_matmul(&columns?.t()?)?;
        rows?.broadcast_matmul(&xs.contiguous()?)
    }
}

/// The mean of each channel: `[N, C, H, W]` to `[N, C, 1, 1]`. Half precision is summed up in
/// single: a sum of a few thousand activations is more than `f16` can hold.
pub(super) fn global_average(xs: &Tensor) -> Result<Tensor> {
    match xs.dtype() {
        DType::F16 | DType::BF16 => xs
            .to_dtype(DType::F32)?
            .mean_keepdim((2, 3))?
            .to_dtype(xs.dtype()),
        _ => xs.mean_keepdim((2, 3)),
    }
}

/// Extends the border of `[N, C, H, W]` with `value` as the window's padding asks.
pub(super) fn pad(xs: &Tensor, window: Window, value: f64) -> Result<Tensor> {
    let mut padded = xs.clone();
    let (_, _, height, width) = xs.dims4()?;
    let extents = window.extents([height, width]).map_err(Error::wrap)?;
    for (dim, extent) in [2, 3].into_iter().zip(extents) {
        for (count, in_front) in [(extent.before, true), (extent.after, false)] {
            if count == 0 {
                continue;
            }
            let mut shape = padded.dims().to_vec();
            shape[dim] = count;
            let border = Tensor::full(value, shape, xs.device())?.to_dtype(xs.dtype())?;
            padded = if in_front {
                Tensor::cat(&[&border, &padded], dim)?
            } else {
                Tensor::cat(&[&padded, &border], dim)?
            };
        }
    }
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::geometry::{Padding, Rounding};

    fn values(ys: &Tensor) -> Vec<f32> {
        ys.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// 0, 1, 2, ... row by row.
    fn counting(height: usize, width: usize) -> Tensor {
        let values: Vec<f32> = (0..height * width).map(|value| value as f32).collect();
        Tensor::from_vec(values, (1, 1, height, width), &Device::Cpu).unwrap()
    }

    #[test]
    fn padding_never_wins_over_negative_features() {
        let window = Window::square(3, 2, Padding::Same);
        let xs = Tensor::full(-1f32, (1, 1, 4, 4), &Device::Cpu).unwrap();
        let ys = MaxPool2d::new(window).forward(&xs).unwrap();
        assert_eq!(ys.dims(), [1, 1, 2, 2]);
        assert_eq!(values(&ys), [-1.; 4]);
    }

    #[test]
    fn a_rounded_up_max_pool_sees_the_last_rows() {
        let window = Window {
            rounding: Rounding::Ceil,
            ..Window::square(3, 2, Padding::VALID)
        };
        let ys = MaxPool2d::new(window).forward(&counting(4, 4)).unwrap();
        // torch.nn.MaxPool2d(3, 2, ceil_mode=True)(torch.arange(16.).reshape(1, 1, 4, 4))
        assert_eq!(values(&ys), [10., 11., 14., 15.]);
    }

    #[test]
    fn an_average_pool_divides_by_its_padding_or_not() {
        let window = Window::square(3, 2, Padding::Symmetric([1, 1]));
        let pool = |border| {
            let ys = AveragePool2d::new(window, border).forward(&counting(3, 3));
            values(&ys.unwrap())
        };
        // torch.nn.AvgPool2d(3, 2, 1, count_include_pad=...)(torch.arange(9.).reshape(1, 1, 3, 3)):
        // sums of four pixels each.
        for (border, divisor) in [(Border::Counted, 9.), (Border::LeftOut, 4.)] {
            let expected = [8., 12., 20., 24.].map(|sum: f32| sum / divisor);
            // Two roundings of 6e-8 in numbers of up to 6.
            for (found, expected) in pool(border).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_rounded_up_average_pool_divides_by_what_there_is() {
        let window = Window {
            rounding: Rounding::Ceil,
            ..Window::square(2, 2, Padding::VALID)
        };
        let pool = AveragePool2d::new(window, Border::LeftOut);
        // torch.nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        let ys = pool.forward(&counting(3, 3)).unwrap();
        assert_eq!(values(&ys), [2., 3.5, 6.5, 8.]);
    }

    // timm.layers.BlurPool2d(1)(torch.arange(20.).reshape(1, 1, 4, 5))
    #[test]
    fn a_blur_pool_sees_the_border_reflected() {
        let ys = BlurPool2d::new(3, 2).forward(&counting(4, 5)).unwrap();
        assert_eq!(ys.dims(), [1, 1, 2, 3]);
        assert_eq!(values(&ys), [3., 4.5, 6., 10.5, 12., 13.5]);
    }

    #[test]
    fn an_adaptive_average_pool_takes_any_size() {
        let pool = AdaptiveAveragePool2d::new([2, 2]);
        // torch.nn.AdaptiveAvgPool2d(2)(torch.arange(15.).reshape(1, 1, 3, 5))
        let ys = pool.forward(&counting(3, 5)).unwrap();
        assert_eq!(values(&ys), [3.5, 5.5, 8.5, 10.5]);
        let ys = pool.forward(&counting(1, 2)).unwrap();
        assert_eq!(values(&ys), [0., 1., 0., 1.]);
    }

    #[test]
    fn a_global_average_in_half_precision_does_not_overflow() {
        let xs = Tensor::full(60f32, (1, 1, 56, 56), &Device::Cpu).unwrap();
        let ys = global_average(&xs.to_dtype(DType::F16).unwrap()).unwrap();
        assert_eq!(values(&ys.to_dtype(DType::F32).unwrap()), [60.]);
    }
}
