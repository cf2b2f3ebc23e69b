//! Pillow's resampling in integers, bit for bit: what nearly every network saw in training.
//!
//! Other resizes round elsewhere, or take rows and columns in another order: the
//! `image` crate's differs in some samples by one, others by up to 20 in noise.

use std::ops::Range;

use image::{ImageBuffer, Pixel};

use super::Interpolation;
use super::filter::{WEIGHT_BITS, Window, windows, windows_memory};
use super::geometry::Side;
use crate::error::{Error, Result};

/// The most pixels there may be between the two passes: 192 MiB in red, green and blue.
const MAX_PIXELS: usize = 1 << 26;

/// A half in units of the weights, so that the shift that ends a sum rounds it.
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// The part of the resized `image` that `height` and `width` keep, without borders. `CHANNELS` is the
/// number of a pixel's samples, each of which is resized by itself.
///
/// Samples are rounded to 8 bits between the passes. Rows and columns that end
/// outside the kept part are not computed.
///
/// # Errors
///
/// [`Error::Image`] when there would be too many pixels between the passes.
pub(super) fn resample<P: Pixel<Subpixel = u8>, const CHANNELS: usize>(
    image: &ImageBuffer<P, Vec<u8>>,
    height: &Side,
    width: &Side,
    interpolation: Interpolation,
) -> Result<ImageBuffer<P, Vec<u8>>> {
    debug_assert_eq!(CHANNELS, usize::from(P::CHANNEL_COUNT));
    let windows = |side: &Side| windows(side.found, side.resized, side.kept.clone(), interpolation);
    let (mut columns, mut rows) = (windows(height), windows(width));
    let kept = |side: &Side| side.kept.end - side.kept.start;
    let mut resized = ImageBuffer::new(kept(width), kept(height));
    let row_length = CHANNELS * image.width() as usize;
    if columns_come_first(height, width) {
        let read = shift_to_first(&mut rows);
        let mut between = between::<CHANNELS>(columns.len(), read.len())?;
        let read = CHANNELS * read.start..CHANNELS * read.end;
        along_columns(image, row_length, read.clone(), &columns, &mut between);
        along_rows::<CHANNELS>(&between, read.len(), &rows, &mut resized);
    } else {
        let read = shift_to_first(&mut columns);
        let mut between = between::<CHANNELS>(read.len(), rows.len())?;
        let read = &image.as_raw()[row_length * read.start..row_length * read.end];
        along_rows::<CHANNELS>(read, row_length, &rows, &mut between);
        let row_length = CHANNELS * rows.len();
        along_columns(&between, row_length, 0..row_length, &columns, &mut resized);
    }
    Ok(resized)
}

/// Bytes that [`resample`] of so many channels takes at most, the result included.
pub(super) fn resample_memory(
    height: &Side,
    width: &Side,
    interpolation: Interpolation,
    channels: u64,
) -> u64 {
    let windows = |side: &Side| windows_memory(side.found, side.resized, &side.kept, interpolation);
    let [rows, columns] = [height, width].map(|side| u64::from(side.kept.end - side.kept.start));
    let between = if columns_come_first(height, width) {
        rows.saturating_mul(width.found.into())
    } else {
        columns.saturating_mul(height.found.into())
    };
    // A row in 32 bits.
    let sums = (4 * channels).saturating_mul(u64::from(width.found).max(columns));
    [
        windows(height),
        windows(width),
        channels * between.min(MAX_PIXELS as u64),
        channels.saturating_mul(rows.saturating_mul(columns)),
        sums,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

/// Pillow 13's choice of the order. Up to 12 the rows came first always, so that of an image
/// that loses more than twice as many rows as columns it made other pixels.
fn columns_come_first(height: &Side, width: &Side) -> bool {
    let lost = |side: &Side| i64::from(side.found) - i64::from(side.resized);
    lost(height) > 0 && lost(height) > 2 * lost(width)
}

/// The samples that the windows read, from whose first one on they count then.
fn shift_to_first(windows: &mut [Window]) -> Range<usize> {
    let first = windows.iter().map(|window| window.first).min().unwrap_or(0);
    let end = windows.iter().map(Window::end).max().unwrap_or(0);
    for window in windows {
        window.first -= first;
    }
    first..end
}

/// Room for the pixels between the passes.
fn between<const CHANNELS: usize>(height: usize, width: usize) -> Result<Vec<u8>> {
    if height.saturating_mul(width) > MAX_PIXELS {
        return Err(Error::Image(format!(
            "image too large to resize: {height}x{width} pixels (height x width) between the \
             passes; expected at most {MAX_PIXELS}"
        )));
    }
    Ok(vec![0; CHANNELS * height * width])
}

/// The rows of `samples`, each resized to a pixel for each window.
fn along_rows<const CHANNELS: usize>(
    samples: &[u8],
    row_length: usize,
    windows: &[Window],
    resized: &mut [u8],
) {
    let resized = resized.chunks_exact_mut(CHANNELS * windows.len());
    for (row, resized) in samples.chunks_exact(row_length).zip(resized) {
        for (window, resized) in windows.iter().zip(resized.chunks_exact_mut(CHANNELS)) {
            let mut sums = [HALF; CHANNELS];
            let pixels = row[CHANNELS * window.first..].chunks_exact(CHANNELS);
            for (pixel, weight) in pixels.zip(&window.weights) {
                for (sum, sample) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*sample) * weight;
                }
            }
            resized.copy_from_slice(&sums.map(rounded));
        }
    }
}

/// The part of each row that is `read` becomes a row for each window.
fn along_columns(
    samples: &[u8],
    row_length: usize,
    read: Range<usize>,
    windows: &[Window],
    resized: &mut [u8],
) {
    let mut sums = vec![0; read.len()];
    for (window, resized) in windows.iter().zip(resized.chunks_exact_mut(read.len())) {
        sums.fill(HALF);
        let rows = samples.chunks_exact(row_length).skip(window.first);
        for (row, weight) in rows.zip(&window.weights) {
            for (sum, sample) in sums.iter_mut().zip(&row[read.clone()]) {
                *sum += i32::from(*sample) * weight;
            }
        }
        for (resized, sum) in resized.iter_mut().zip(&sums) {
            *resized = rounded(*sum);
        }
    }
}

fn rounded(sum: i32) -> u8 {
    u8::try_from((sum >> WEIGHT_BITS).clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use image::imageops::crop_imm;
    use image::{Rgb, RgbImage};

    use super::*;

    /// A different sample everywhere.
    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 1_u32;
        RgbImage::from_fn(width, height, |_, _| {
            Rgb([0; 3].map(|_: u8| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            }))
        })
    }

    fn side(found: u32, resized: u32, kept: Range<u32>) -> Side {
        Side {
            found,
            resized,
            border: 0,
            result: kept.end - kept.start,
            kept,
        }
    }

    #[test]
    fn the_kept_part_is_the_same_as_in_the_whole() {
        // Larger, smaller, so much less high that columns come first, and as it is.
        let sizes = [(40, 61), (19, 23), (9, 31), (37, 31)];
        let image = noise(31, 37);
        for interpolation in Interpolation::ALL {
            for (height, width) in sizes {
                let resize = |rows, columns| {
                    let (height, width) = (side(37, height, rows), side(31, width, columns));
                    resample::<_, 3>(&image, &height, &width, interpolation).unwrap()
                };
                let whole = resize(0..height, 0..width);
                assert_eq!(whole.dimensions(), (width, height));
                let kept = resize(3..height - 2, 5..width - 1);
                let expected = crop_imm(&whole, 5, 3, width - 6, height - 5).to_image();
                assert!(kept == expected, "{interpolation:?} to {height}x{width}");
            }
        }
    }

    #[test]
    fn columns_come_first_where_more_than_twice_as_many_rows_are_lost() {
        let first =
            |height, width| columns_come_first(&side(100, height, 0..1), &side(100, width, 0..1));
        assert!(!first(50, 50) && !first(50, 75) && !first(100, 120) && !first(120, 150));
        assert!(first(49, 75) && first(99, 100) && first(99, 120));
    }
}
