use candle_core::{Error, Result, Tensor};
use candle_nn::Module;

use crate::network::geometry::Window;

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
        let Window { kernel, stride, .. } = self.window;
        pad(xs, self.window, f64::NEG_INFINITY)?.max_pool2d_with_stride(kernel, stride)
    }
}

/// Extends the border of `[N, C, H, W]` with `value` as the window's padding asks.
pub(super) fn pad(xs: &Tensor, window: Window, value: f64) -> Result<Tensor> {
    let mut padded = xs.clone();
    for dim in [2, 3] {
        let extent = window.along(xs.dim(dim)?).map_err(Error::wrap)?;
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
    use crate::network::geometry::Padding;
    use candle_core::Device;

    #[test]
    fn padding_never_wins_over_negative_features() {
        let window = Window {
            kernel: 3,
            stride: 2,
            padding: Padding::Same,
        };
        let xs = Tensor::full(-1f32, (1, 1, 4, 4), &Device::Cpu).unwrap();
        let ys = MaxPool2d::new(window).forward(&xs).unwrap();
        assert_eq!(ys.dims(), [1, 1, 2, 2]);
        assert_eq!(
            ys.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            [-1.; 4]
        );
    }
}
