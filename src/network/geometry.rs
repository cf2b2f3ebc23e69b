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
    /// So many rows above and below, and so many columns before and after: Keras's
    /// `ZeroPadding2D` in front of a layer without padding.
    Explicit([[usize; 2]; 2]),
}

impl Padding {
    /// No padding: a window lies inside the image wherever it stands, which TensorFlow calls VALID.
    pub const VALID: Self = Self::Symmetric([0, 0]);

    /// Rows or columns before and after along one axis, where they do not depend on the size.
    fn fixed(self, axis: usize) -> Option<[usize; 2]> {
        match self {
            Self::Same => None,
            Self::Symmetric(pads) => Some([pads[axis]; 2]),
            Self::Explicit(pads) => Some(pads[axis]),
        }
    }
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
    pub stride: [usize; 2],
    /// Rows and columns from one element of the kernel to the next: 1 where they are neighbours.
    pub dilation: [usize; 2],
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
            stride: [stride, stride],
            dilation: [1, 1],
            padding,
            rounding: Rounding::Floor,
        }
    }

    /// The window that stands on an image as this one does on the same image with so many zeros around
    /// it, since it pads with them itself. None where how it pads depends on the image's size, or where
    /// it is rounded up: whether a last position counts depends on what is image and what padding.
    #[must_use]
    pub fn with_zeros_around(self, zeros: [[usize; 2]; 2]) -> Option<Self> {
        let [rows, columns] = [self.padding.fixed(0)?, self.padding.fixed(1)?];
        let sum = |zeros: [usize; 2], pads: [usize; 2]| {
            Some([
                zeros[0].checked_add(pads[0])?,
                zeros[1].checked_add(pads[1])?,
            ])
        };
        let padding = Padding::Explicit([sum(zeros[0], rows)?, sum(zeros[1], columns)?]);
        (self.rounding == Rounding::Floor).then_some(Self { padding, ..self })
    }

    /// Where the window stands on an image of `size`, height and width.
    ///
    /// # Errors
    ///
    /// A kernel, stride or dilation of zero, an input without pixels, or one smaller than the
    /// window with its padding.
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
        let pads = [0, 1].map(|axis| self.padding.fixed(axis));
        let (Border::Counted, [Some(down), Some(across)]) = (border, pads) else {
            let lengths =
                |ranges: Vec<[usize; 2]>| ranges.iter().map(|[first, end]| end - first).collect();
            return Ok(self.covered(size)?.map(lengths));
        };
        let (extents, after) = (self.extents(size)?, [down[1], across[1]]);
        Ok([0, 1].map(|axis| {
            // Rows that a rounded up last position covers are no padding, and never count.
            let padded = extents[axis].before + size[axis] + after[axis];
            self.positions(axis, extents[axis])
                .map(|[start, end]| end.min(padded) - start)
                .collect()
        }))
    }

    /// From where to before where the window stands at each position, counted from the first row
    /// or column of the padding.
    fn positions(&self, axis: usize, extent: Extent) -> impl Iterator<Item = [usize; 2]> {
        let (reach, stride) = (self.reach(axis), self.stride[axis]);
        (0..extent.output).map(move |position| [position * stride, position * stride + reach])
    }

    /// Rows or columns from the window's first element to its last, these included.
    fn reach(&self, axis: usize) -> usize {
        let gaps = self.kernel[axis].saturating_sub(1);
        gaps.saturating_mul(self.dilation[axis]).saturating_add(1)
    }

    fn along(&self, axis: usize, size: usize) -> Result<Extent> {
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let dilation = self.dilation[axis];
        if kernel == 0 || stride == 0 || dilation == 0 {
            return Err(Error::Geometry(format!(
                "a window needs a kernel, a stride and a dilation of at least 1, found {kernel}, \
                 {stride} and {dilation}"
            )));
        }
        let kernel = self.reach(axis);
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
        match self.padding.fixed(axis) {
            None => {
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
            Some([pad, pad_after]) => {
                let padded = pad
                    .checked_add(pad_after)
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
                    after: covered(output)?.saturating_sub(size + pad).max(pad_after),
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

/// Where a blur pool's filter of `size` rows and columns stands on an image, whose border it
/// reflects: without repeating the border itself, as `PyTorch` does.
///
/// # Errors
///
/// A filter or stride of zero, or an image of fewer pixels than its border reflects.
pub fn blur(size: usize, stride: usize, image: [usize; 2]) -> Result<[Extent; 2]> {
    /// Ten times as many as any network has: the factors are binomial coefficients, whose work grows
    /// with their square.
    const MOST: usize = 63;
    if size > MOST {
        return Err(Error::Geometry(format!(
            "a blur pool's filter has at most {MOST} rows and columns, found {size}"
        )));
    }
    let window = blur_window(size, stride);
    let [pad, _] = window.padding.fixed(0).unwrap_or_default();
    if let Some(small) = image.into_iter().find(|&side| side <= pad) {
        return Err(Error::Geometry(format!(
            "an input of {small} pixels is too small to reflect {pad} of them at its border"
        )));
    }
    window.extents(image)
}

/// The window of a blur pool's filter, whose padding reflects.
#[must_use]
pub fn blur_window(size: usize, stride: usize) -> Window {
    // timm's `get_padding`.
    let pad = (stride.saturating_sub(1)).saturating_add(size.saturating_sub(1)) / 2;
    Window::square(size, stride, Padding::Symmetric([pad, pad]))
}

/// The factors of a blur pool's filter along one dimension: binomial coefficients over their sum.
#[must_use]
pub fn blur_factors(size: usize) -> Vec<f64> {
    let mut factors = vec![1.; size.min(1)];
    while factors.len() < size {
        let before = factors.iter().chain([&0.]);
        let after = [0.].into_iter().chain(factors.iter().copied());
        factors = before.zip(after).map(|(a, b)| (a + b) / 2.).collect();
    }
    factors
}

/// The row or column of an image of `size` that stands for `place`, counted from its first one,
/// where the border is reflected.
#[must_use]
pub fn reflected(place: isize, size: usize) -> usize {
    let place = place.unsigned_abs();
    if place < size {
        place
    } else {
        (2 * size).saturating_sub(place + 2)
    }
}

/// For each of `output` rows or columns, the one of `size` that it is a copy of, where an image is
/// brought to another size by its nearest pixels: floor(i * size / output).
///
/// # Errors
///
/// An input without pixels, or sizes that exceed a `usize`.
pub fn nearest(size: usize, output: usize) -> Result<Vec<usize>> {
    let scaled = |place: usize| place.checked_mul(size).ok_or_else(|| too_large(size));
    (0..output)
        .map(|place| Ok(scaled(place)? / output))
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

    // torch.nn.Conv2d(1, 1, 3, stride=(2, 1), padding=(2, 1), dilation=2) on 9x9, and Keras's
    // DepthwiseConv2D(3, strides=2) after ZeroPadding2D(((0, 1), (0, 1))), as its MobileNets have.
    #[test]
    fn strides_dilations_and_pads_differ_by_axis_and_side() {
        let window = Window {
            stride: [2, 1],
            dilation: [2, 2],
            ..Window::square(3, 1, Padding::Symmetric([2, 1]))
        };
        let [rows, columns] = window.extents([9, 9]).unwrap();
        assert_eq!((rows.before, rows.after, rows.output), (2, 2, 5));
        assert_eq!((columns.before, columns.after, columns.output), (1, 1, 7));
        let keras = Window::square(3, 2, Padding::Explicit([[0, 1], [0, 1]]));
        assert_eq!(along(keras, 224), (0, 1, 112));
        assert_eq!(along(keras, 7), (0, 1, 3));
        let none = Window {
            dilation: [0, 1],
            ..keras
        };
        assert!(none.extents([9, 9]).is_err());
    }

    #[test]
    fn same_padding_of_a_dilated_window_is_that_of_its_reach() {
        let window = Window {
            dilation: [2, 2],
            ..Window::square(3, 1, Padding::Same)
        };
        // tf.keras.layers.Conv2D(1, 3, padding="same", dilation_rate=2)
        assert_eq!(along(window, 9), (2, 2, 9));
    }

    // timm.layers.BlurPool2d(3, stride=2): F.pad(x, [1] * 4, mode="reflect"), then a convolution.
    #[test]
    fn a_blur_pool_reflects_its_border() {
        assert_eq!(blur_factors(3), [0.25, 0.5, 0.25]);
        assert_eq!(blur_factors(4), [0.125, 0.375, 0.375, 0.125]);
        let [rows, columns] = blur(3, 2, [8, 9]).unwrap();
        assert_eq!((rows.before, rows.output, columns.output), (1, 4, 5));
        assert!(blur(3, 2, [1, 9]).is_err());
        assert_eq!([-1, 0, 3, 4].map(|place| reflected(place, 4)), [1, 0, 3, 2]);
    }

    // torch.nn.functional.interpolate(torch.arange(3.)[None, None], size=7, mode="nearest")
    #[test]
    fn an_image_is_enlarged_by_its_nearest_pixels() {
        assert_eq!(nearest(3, 7).unwrap(), [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!(nearest(4, 2).unwrap(), [0, 2]);
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
