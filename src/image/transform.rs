//! RGB pixels become a network's input: resized, cropped, normalised, channels first.

use image::{Rgb, RgbImage};

use super::geometry::{Side, sides};
use super::resample::{resample, resample_memory};
use crate::error::Result;
use crate::preprocessing::Preprocessing;

/// Resizes, crops and normalises `image` to `3 * H * W` values: channel, row, column.
///
/// # Errors
///
/// See [`resize_and_crop`].
pub fn transform(image: &RgbImage, preprocessing: &Preprocessing) -> Result<Vec<f32>> {
    Ok(normalise(
        &resize_and_crop(image, preprocessing)?,
        preprocessing,
    ))
}

/// Bytes that [`transform`] of an image with `found` rows and columns takes at most besides the
/// image, the result included.
///
/// # Errors
///
/// The errors of [`resize_and_crop`] that are known from an image's size.
pub(super) fn transform_memory(found: [u32; 2], preprocessing: &Preprocessing) -> Result<u64> {
    preprocessing.validate()?;
    let [height, width] = sides(found, preprocessing)?;
    // Framed, as 8-bit pixels, and as numbers of 32 bits.
    let result = (3 + 12) * u64::from(height.result) * u64::from(width.result);
    Ok(resample_memory(&height, &width, preprocessing.interpolation).saturating_add(result))
}

/// The pixels of `image` that a network sees, red first: `H` rows of `W`.
///
/// The resize is Pillow's, bit for bit; sizes and the crop's place are rounded
/// as torchvision and timm do.
///
/// # Errors
///
/// [`Error::Image`](crate::Error::Image) when `preprocessing` is not valid, or
/// when the image is so long and thin that it cannot be resized.
pub fn resize_and_crop(image: &RgbImage, preprocessing: &Preprocessing) -> Result<RgbImage> {
    preprocessing.validate()?;
    let [height, width] = sides([image.height(), image.width()], preprocessing)?;
    let kept = resample(image, &height, &width, preprocessing.interpolation)?;
    let filled = |side: &Side| side.kept.len() == side.result as usize;
    if filled(&height) && filled(&width) {
        return Ok(kept);
    }
    let colour = Rgb(border_colour(preprocessing));
    let mut framed = RgbImage::from_pixel(width.result, height.result, colour);
    let (left, top) = (width.border.into(), height.border.into());
    image::imageops::replace(&mut framed, &kept, left, top);
    Ok(framed)
}

/// The values of `pixels`: channel, row, column. The arithmetic is single precision, in the
/// order of operations of timm and of Keras: divided, the mean subtracted, divided by std.
#[must_use]
pub fn normalise(pixels: &RgbImage, preprocessing: &Preprocessing) -> Vec<f32> {
    let mut values = Vec::with_capacity(pixels.len());
    for channel in preprocessing.channels() {
        let of_sample: Vec<f32> = (0..=u8::MAX)
            .map(|sample| channel.normalise(f32::from(sample)))
            .collect();
        let samples = pixels.pixels().map(|pixel| pixel.0[channel.source]);
        values.extend(samples.map(|sample| of_sample[usize::from(sample)]));
    }
    values
}

/// An image that the network would see as zeros, rounded as Python does: the borders' colour.
fn border_colour(preprocessing: &Preprocessing) -> [u8; 3] {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from floating point saturates, as Pillow does"
    )]
    preprocessing
        .mean
        .map(|mean| (preprocessing.divisor * mean).round_ties_even() as u8)
}
