//! Output sizes and pads: the only such arithmetic in the project.

use crate::error::{Error, Result};

/// How the border of an image is extended before a window slides over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's SAME: the output has ceil(size / stride) rows, and of an odd
    /// number of padding rows the larger half goes to the bottom and right.
    Same,
    /// So many rows above and below, and so many columns on either side, as in `PyTorch`.
    Symmetric([usize; 2]),
}

impl Padding {
    /// No padding: a window lies inside the image wherever it stands, which TensorFlow calls VALID.
    pub const VALID: Self = Self::Symmetric([0, 0]);
}

/// What becomes of a last position at which the window would reach over the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// The position is left out.
    Floor,
    /// It counts if the window still begins in the image or the padding before it: Caffe's
    /// pools, and `PyTorch`'s `ceil_mode`.
    Ceil,
}

/// What an average pool divides by where its window reaches over the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// The pixels and the padding, which is `PyTorch`'s and Caffe's way.
    Counted,
    /// The pixels alone, which is TensorFlow's way.
    LeftOut,
}

/// A window sliding over an image: that of a convolution or a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Rows and columns from one position to the next.
    pub stride: usize,
    /// What lies beyond the border.
    pub padding: Padding,
    /// What becomes of a last position that does not fit.
    pub rounding: Rounding,
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
    /// A square window of `kernel` rows and columns; a last position that does not fit is left out.
    #[must_use]
    pub const fn square(kernel: usize, stride: usize, padding: Padding) -> Self {
        Self {
            kernel: [kernel, kernel],
            stride,
            padding,
            rounding: Rounding::Floor,
        }
    }

    /// Where the window stands on an image of `size`, height and width.
    ///
    /// # Errors
    ///
    /// A kernel or stride of zero, an input without pixels, or one smaller than
    /// the window with its padding.
    pub fn extents(&self, size: [usize; 2]) -> Result<[Extent; 2]> {
        Ok([self.along(0, size[0])?, self.along(1, size[1])?])
    }

    /// The rows and columns of the image, from a first to before an end, that the window covers
    /// at each of its positions.
    ///
    /// # Errors
    ///
    /// Fails where [`Window::extents`] fails.
    pub fn covered(&self, size: [usize; 2]) -> Result<[Vec<[usize; 2]>; 2]> {
        let extents = self.extents(size)?;
        Ok([0, 1].map(|axis| {
            let (before, size) = (extents[axis].before, size[axis]);
            // A position that lies in the padding alone covers nothing.
            let inside = |row: usize| row.saturating_sub(before).min(size);
            self.positions(axis, extents[axis])
                .map(|[start, end]| [inside(start), inside(end)])
                .collect()
        }))
    }

    /// By how many numbers an average pool divides the sum under each position, along both
    /// dimensions: the divisor of a position is the product of the two.
    ///
    /// # Errors
    ///
    /// Fails where [`Window::extents`] fails.
    pub fn divisors(&self, size: [usize; 2], border: Border) -> Result<[Vec<usize>; 2]> {
        let (Border::Counted, Padding::Symmetric(pads)) = (border, self.padding) else {
            let lengths =
                |ranges: Vec<[usize; 2]>| ranges.iter().map(|[first, end]| end - first).collect();
            return Ok(self.covered(size)?.map(lengths));
        };
        let extents = self.extents(size)?;
        Ok([0, 1].map(|axis| {
            // Rows that a rounded up last position covers are no padding, and never count.
            let padded = extents[axis].before + size[axis] + pads[axis];
            self.positions(axis, extents[axis])
                .map(|[start, end]| end.min(padded) - start)
                .collect()
        }))
    }

    /// From where to before where the window stands at each position, counted from the first row
    /// or column of the padding.
    fn positions(&self, axis: usize, extent: Extent) -> impl Iterator<Item = [usize; 2]> {
        let (kernel, stride) = (self.kernel[axis], self.stride);
        (0..extent.output).map(move |position| [position * stride, position * stride + kernel])
    }

    fn along(&self, axis: usize, size: usize) -> Result<Extent> {
        let (kernel, stride) = (self.kernel[axis], self.stride);
        if kernel == 0 || stride == 0 {
            return Err(Error::Geometry(format!(
                "a window needs a kernel and a stride of at least 1, found {kernel} and {stride}"
            )));
        }
        let too_small = || {
            let pixels = if size == 1 { "pixel" } else { "pixels" };
            Error::Geometry(format!(
                "an input of {size} {pixels} is too small for a window of {kernel}"
            ))
        };
        if size == 0 {
            return Err(too_small());
        }
        // The rows from the first that position 0 covers to the last of position `output` - 1.
        let covered = |output: usize| {
            (output - 1)
                .checked_mul(stride)
                .and_then(|last| last.checked_add(kernel))
                .ok_or_else(|| too_large(size))
        };
        match self.padding {
            Padding::Same => {
                let output = size.div_ceil(stride);
                // A window narrower than its stride needs no padding at all.
                let total = covered(output)?.saturating_sub(size);
                let before = total / 2;
                Ok(Extent {
                    before,
                    after: total - before,
                    output,
                })
            }
            Padding::Symmetric(pad) => {
                let pad = pad[axis];
                let padded = pad
                    .checked_mul(2)
                    .and_then(|pads| pads.checked_add(size))
                    .ok_or_else(|| too_large(size))?;
                let last = match self.rounding {
                    Rounding::Floor => {
                        let room = padded.checked_sub(kernel).ok_or_else(too_small)?;
                        room / stride
                    }
                    Rounding::Ceil => {
                        // All but one of a stride's rows may lie beyond.
                        let reach = padded.checked_add(stride - 1);
                        let reach = reach.ok_or_else(|| too_large(size))?;
                        let room = reach.checked_sub(kernel).ok_or_else(too_small)?;
                        match room / stride {
                            last if last * stride >= size + pad => last - 1,
                            last => last,
                        }
                    }
                };
                let output = last + 1;
                Ok(Extent {
                    before: pad,
                    after: covered(output)?.saturating_sub(size + pad).max(pad),
                    output,
                })
            }
        }
    }
}

/// The rows or columns that an adaptive average pool takes each of its `output` means of,
/// from a first to before an end: they share a border row where `size` is no multiple.
///
/// # Errors
///
/// An input or output without pixels.
pub fn adaptive(size: usize, output: usize) -> Result<Vec<[usize; 2]>> {
    if size == 0 || output == 0 {
        return Err(Error::Geometry(format!(
            "an adaptive average pool cannot make {output} of {size} pixels"
        )));
    }
    let scaled = |place: usize| place.checked_mul(size).ok_or_else(|| too_large(size));
    (0..output)
        .map(|place| Ok([scaled(place)? / output, scaled(place + 1)?.div_ceil(output)]))
        .collect()
}

fn too_large(size: usize) -> Error {
    Error::Geometry(format!("an input of {size} pixels is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(kernel: usize, stride: usize, size: usize) -> (usize, usize, usize) {
        let window = Window::square(kernel, stride, Padding::Same);
        along(window, size)
    }

    fn along(window: Window, size: usize) -> (usize, usize, usize) {
        let [extent, other] = window.extents([size, size]).unwrap();
        assert_eq!(extent, other);
        (extent.before, extent.after, extent.output)
    }

    fn ceil(kernel: usize, stride: usize, pad: usize) -> Window {
        Window {
            rounding: Rounding::Ceil,
            ..Window::square(kernel, stride, Padding::Symmetric([pad, pad]))
        }
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
        let window = Window::square(3, 2, Padding::Symmetric([1, 1]));
        assert_eq!(along(window, 224), (1, 1, 112));
        assert_eq!(along(window, 97), (1, 1, 49));
    }

    #[test]
    fn an_input_smaller_than_the_window_is_an_error() {
        let window = Window::square(7, 1, Padding::Symmetric([1, 1]));
        let error = window.extents([5, 4]).unwrap_err().to_string();
        assert_eq!(error, "an input of 4 pixels is too small for a window of 7");
        assert!(window.extents([5, 5]).is_ok());
    }

    #[test]
    fn sizes_near_the_largest_number_do_not_overflow() {
        for padding in [Padding::Same, Padding::Symmetric([3, 3])] {
            let window = Window::square(7, 1, padding);
            assert!(window.extents([usize::MAX, 1]).is_err());
        }
        assert!(adaptive(usize::MAX, 7).is_err());
    }

    // Sizes as torch.nn.MaxPool2d(kernel, stride, padding, ceil_mode=True) gives them.
    #[test]
    fn a_rounded_up_last_position_begins_in_the_image_or_the_padding_before_it() {
        assert_eq!(along(ceil(3, 2, 0), 112), (0, 1, 56));
        assert_eq!(along(ceil(3, 2, 0), 113), (0, 0, 56));
        assert_eq!(along(ceil(2, 2, 0), 7), (0, 1, 4));
        assert_eq!(along(ceil(3, 2, 0), 2), (0, 1, 1));
        assert!(ceil(3, 2, 0).extents([1, 2]).is_err());
        // A third position would begin in the padding after the image.
        assert_eq!(along(ceil(2, 3, 1), 5), (1, 1, 2));
    }

    // Divisors as torch.nn.AvgPool2d divides a map of ones: 3, stride 1, padding 1, then
    // 2, stride 2, ceil_mode.
    #[test]
    fn an_average_counts_its_padding_or_not_but_never_what_lies_beyond() {
        let window = Window::square(3, 1, Padding::Symmetric([1, 1]));
        let of = |window: Window, size, border| {
            window.divisors([size, size], border).unwrap()[0].clone()
        };
        assert_eq!(of(window, 4, Border::Counted), [3, 3, 3, 3]);
        assert_eq!(of(window, 4, Border::LeftOut), [2, 3, 3, 2]);
        for border in [Border::Counted, Border::LeftOut] {
            assert_eq!(of(ceil(2, 2, 0), 5, border), [2, 2, 1]);
        }
        let same = Window::square(3, 1, Padding::Same);
        assert_eq!(of(same, 4, Border::LeftOut), [2, 3, 3, 2]);
    }

    #[test]
    fn a_window_need_not_be_square() {
        let window = Window {
            kernel: [1, 7],
            ..Window::square(1, 1, Padding::Symmetric([0, 3]))
        };
        let [rows, columns] = window.extents([5, 9]).unwrap();
        assert_eq!((rows.before, rows.output), (0, 5));
        assert_eq!((columns.before, columns.output), (3, 9));
    }

    // torch.nn.AdaptiveAvgPool2d's ranges: floor(i * size / output) to ceil((i + 1) * size / output).
    #[test]
    fn adaptive_ranges_overlap_where_the_size_is_no_multiple() {
        assert_eq!(adaptive(7, 7).unwrap()[3], [3, 4]);
        assert_eq!(adaptive(5, 3).unwrap(), [[0, 2], [1, 4], [3, 5]]);
        assert_eq!(adaptive(1, 2).unwrap(), [[0, 1], [0, 1]]);
        assert!(adaptive(0, 7).is_err());
    }
}
