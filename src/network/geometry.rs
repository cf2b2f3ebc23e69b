//! Output sizes and pads: the only such arithmetic in the project.

use crate::error::{Error, Result};

/// How the border of an image is extended before a window slides over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's SAME: the output has ceil(size / stride) rows, and of an odd
    /// number of padding rows the larger half goes to the bottom and right.
    Same,
    /// This many rows or columns on every side, as in `PyTorch`.
    Symmetric(usize),
}

/// A square window sliding over an image: that of a convolution or a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: usize,
    /// Rows and columns from one position to the next.
    pub stride: usize,
    /// What lies beyond the border.
    pub padding: Padding,
}

/// A window's positions along one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Padding before the first pixel.
    pub before: usize,
    /// Padding after the last pixel.
    pub after: usize,
    /// Number of positions, which is the output's size.
    pub output: usize,
}

impl Window {
    /// Where the window stands along a dimension of `size` pixels.
    ///
    /// # Errors
    ///
    /// A kernel or stride of zero, an input without pixels, or one smaller than
    /// the window with its padding.
    pub fn along(&self, size: usize) -> Result<Extent> {
        let Self { kernel, stride, .. } = *self;
        if kernel == 0 || stride == 0 {
            return Err(Error::Geometry(format!(
                "a window needs a kernel and a stride of at least 1, found {kernel} and {stride}"
            )));
        }
        let too_small = || {
            Error::Geometry(format!(
                "an input of {size} pixels is too small for a window of {kernel}"
            ))
        };
        if size == 0 {
            return Err(too_small());
        }
        match self.padding {
            Padding::Same => {
                let output = size.div_ceil(stride);
                let covered = (output - 1)
                    .checked_mul(stride)
                    .and_then(|last| last.checked_add(kernel))
                    .ok_or_else(|| too_large(size))?;
                // A window narrower than its stride needs no padding at all.
                let total = covered.saturating_sub(size);
                let before = total / 2;
                Ok(Extent {
                    before,
                    after: total - before,
                    output,
                })
            }
            Padding::Symmetric(pad) => {
                let padded = pad
                    .checked_mul(2)
                    .and_then(|pads| pads.checked_add(size))
                    .ok_or_else(|| too_large(size))?;
                let room = padded.checked_sub(kernel).ok_or_else(too_small)?;
                Ok(Extent {
                    before: pad,
                    after: pad,
                    output: room / stride + 1,
                })
            }
        }
    }
}

fn too_large(size: usize) -> Error {
    Error::Geometry(format!("an input of {size} pixels is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(kernel: usize, stride: usize, size: usize) -> (usize, usize, usize) {
        let window = Window {
            kernel,
            stride,
            padding: Padding::Same,
        };
        let extent = window.along(size).unwrap();
        (extent.before, extent.after, extent.output)
    }

    // Expected pads and sizes as in TensorFlow's guide on padding ("tf.nn", notes on padding).
    #[test]
    fn same_padding_of_a_strided_3x3_is_asymmetric_on_even_sizes() {
        assert_eq!(same(3, 2, 224), (0, 1, 112));
        assert_eq!(same(3, 2, 97), (1, 1, 49));
        assert_eq!(same(7, 2, 224), (2, 3, 112));
    }

    #[test]
    fn same_padding_of_a_strided_1x1_is_zero() {
        assert_eq!(same(1, 2, 32), (0, 0, 16));
        assert_eq!(same(1, 2, 33), (0, 0, 17));
    }

    #[test]
    fn same_padding_takes_a_single_pixel() {
        assert_eq!(same(7, 2, 1), (3, 3, 1));
    }

    #[test]
    fn symmetric_padding_rounds_down() {
        let window = Window {
            kernel: 3,
            stride: 2,
            padding: Padding::Symmetric(1),
        };
        assert_eq!(window.along(224).unwrap().output, 112);
        assert_eq!(window.along(97).unwrap().output, 49);
    }

    #[test]
    fn an_input_smaller_than_the_window_is_an_error() {
        let window = Window {
            kernel: 7,
            stride: 1,
            padding: Padding::Symmetric(1),
        };
        let error = window.along(4).unwrap_err().to_string();
        assert_eq!(error, "an input of 4 pixels is too small for a window of 7");
        assert!(window.along(5).is_ok());
    }

    #[test]
    fn sizes_near_the_largest_number_do_not_overflow() {
        for padding in [Padding::Same, Padding::Symmetric(3)] {
            let window = Window {
                kernel: 7,
                stride: 1,
                padding,
            };
            assert!(window.along(usize::MAX).is_err());
        }
    }
}
