//! Pillow's resampling in integers, bit for bit: what nearly every network saw in training.
//!
//! The `image` crate's own resize rounds elsewhere, so that some samples differ
//! by one, and takes several times as long on a photograph of 24 megapixels.

use image::RgbImage;

use super::Interpolation;

/// Weights are integers in units of `2^-22`: 8 bits of sample and 2 of overshoot fill an `i32`.
const WEIGHT_BITS: u32 = 22;
/// A half in those units, so that the shift that ends a sum rounds it.
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// What one output sample is made of: the input samples from `first` on, weighted.
#[derive(Debug)]
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// Resizes to `width` times `height` pixels, first along the rows, then along the columns.
pub(super) fn resample(
    image: RgbImage,
    width: u32,
    height: u32,
    interpolation: Interpolation,
) -> RgbImage {
    let image = if image.width() == width {
        image
    } else {
        along_rows(&image, &windows(image.width(), width, interpolation), width)
    };
    if image.height() == height {
        image
    } else {
        along_columns(
            &image,
            &windows(image.height(), height, interpolation),
            height,
        )
    }
}

fn along_rows(image: &RgbImage, windows: &[Window], width: u32) -> RgbImage {
    let mut resized = RgbImage::new(width, image.height());
    let rows = image.chunks_exact(3 * image.width() as usize);
    for (row, resized) in rows.zip(resized.chunks_exact_mut(3 * width as usize)) {
        for (window, resized) in windows.iter().zip(resized.chunks_exact_mut(3)) {
            let mut sums = [HALF; 3];
            let pixels = row[3 * window.first..].chunks_exact(3);
            for (pixel, weight) in pixels.zip(&window.weights) {
                for (sum, sample) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*sample) * weight;
                }
            }
            resized.copy_from_slice(&sums.map(rounded));
        }
    }
    resized
}

fn along_columns(image: &RgbImage, windows: &[Window], height: u32) -> RgbImage {
    let row_length = 3 * image.width() as usize;
    let mut resized = RgbImage::new(image.width(), height);
    let mut sums = vec![0; row_length];
    for (window, resized) in windows.iter().zip(resized.chunks_exact_mut(row_length)) {
        sums.fill(HALF);
        let rows = image.chunks_exact(row_length).skip(window.first);
        for (row, weight) in rows.zip(&window.weights) {
            for (sum, sample) in sums.iter_mut().zip(row) {
                *sum += i32::from(*sample) * weight;
            }
        }
        for (resized, sum) in resized.iter_mut().zip(&sums) {
            *resized = rounded(*sum);
        }
    }
    resized
}

fn rounded(sum: i32) -> u8 {
    u8::try_from((sum >> WEIGHT_BITS).clamp(0, 255)).unwrap_or(u8::MAX)
}

/// A window for each of `to` samples over `from` samples, as wide as the filter
/// and, where the image shrinks, wider by as much.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "truncation is Pillow's rounding, and below 0 a cast gives the 0 that is wanted"
)]
fn windows(from: u32, to: u32, interpolation: Interpolation) -> Vec<Window> {
    let scale = f64::from(from) / f64::from(to);
    let widening = scale.max(1.0);
    let support = widening * radius(interpolation);
    (0..to)
        .map(|place| {
            let centre = (f64::from(place) + 0.5) * scale;
            let first = (centre - support + 0.5) as u32;
            let end = ((centre + support + 0.5) as u32).min(from);
            let weights: Vec<f64> = (first..end)
                .map(|x| (f64::from(x) - centre + 0.5) * (1.0 / widening))
                .map(|distance| weight(distance.abs(), interpolation))
                .collect();
            let sum: f64 = weights.iter().sum();
            Window {
                first: first as usize,
                weights: weights
                    .into_iter()
                    .map(|weight| (weight / sum * f64::from(1 << WEIGHT_BITS)).round() as i32)
                    .collect(),
            }
        })
        .collect()
}

/// How far from its centre a filter reaches.
fn radius(interpolation: Interpolation) -> f64 {
    match interpolation {
        Interpolation::Bilinear => 1.0,
        Interpolation::Bicubic => 2.0,
    }
}

/// The filter at a distance from its centre.
fn weight(x: f64, interpolation: Interpolation) -> f64 {
    const A: f64 = -0.5;
    match interpolation {
        Interpolation::Bilinear => (1.0 - x).max(0.0),
        Interpolation::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Interpolation::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        Interpolation::Bicubic => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_windows_weights_add_up_to_one_and_stay_inside() {
        for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
            for (from, to) in [(1, 7), (7, 1), (3, 3), (300, 32), (32, 300), (1000, 3)] {
                for window in windows(from, to, interpolation) {
                    assert!(window.first + window.weights.len() <= from as usize);
                    let sum: i32 = window.weights.iter().sum();
                    // Each weight is rounded by half a unit at most.
                    let rounding = window.weights.len().div_ceil(2);
                    let off = sum.abs_diff(1 << WEIGHT_BITS) as usize;
                    assert!(off <= rounding, "{from} to {to}: off by {off}");
                }
            }
        }
    }
}
