//! Pixels become a network's input: resized, cropped, normalised, channels first.

use image::{ImageBuffer, Pixel, Rgba, RgbaImage};

use super::Interpolation;
use super::geometry::{Side, sides};
use super::raster::{Raster, divided, multiplied};
use super::resample::{resample, resample_memory};
use crate::error::{Error, Result};
use crate::preprocessing::Preprocessing;

/// Resizes, crops and normalises `image` to values: channel, row, column.
///
/// # Errors
///
/// See [`resize_and_crop`].
pub fn transform(image: &Raster, preprocessing: &Preprocessing) -> Result<Vec<f32>> {
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
    let channels = preprocessing.channel_order.channels() as u64;
    // Framed, as 8-bit pixels, and as numbers of 32 bits.
    let result = 5 * channels * u64::from(height.result) * u64::from(width.result);
    let multiplied = if channels == 4 {
        let area = u64::from(height.found).saturating_mul(width.found.into());
        area.saturating_mul(4)
    } else {
        0
    };
    let resized = resample_memory(&height, &width, preprocessing.interpolation, channels);
    Ok(resized.saturating_add(result).saturating_add(multiplied))
}

/// The pixels of `image` that a network sees: `H` rows of `W`.
///
/// The resize is Pillow's, bit for bit; sizes and the crop's place are rounded
/// as torchvision and timm do.
///
/// # Errors
///
/// [`Error::Image`] when `preprocessing` is not valid, or is for other channels than the image has;
/// when the image is so long and thin that it cannot be resized.
pub fn resize_and_crop(image: &Raster, preprocessing: &Preprocessing) -> Result<Raster> {
    preprocessing.validate()?;
    let channels = preprocessing.channel_order.channels();
    if image.channels() != channels {
        return Err(Error::Image(format!(
            "has {} channels; the preprocessing is for {channels}",
            image.channels()
        )));
    }
    let (columns, rows) = image.dimensions();
    let [height, width] = sides([rows, columns], preprocessing)?;
    let interpolation = preprocessing.interpolation;
    let border = border_colour(preprocessing);
    Ok(match image {
        Raster::Gray(image) => {
            let kept = resample::<_, 1>(image, &height, &width, interpolation)?;
            Raster::Gray(framed(kept, &height, &width, &border))
        }
        Raster::Rgb(image) => {
            let kept = resample::<_, 3>(image, &height, &width, interpolation)?;
            Raster::Rgb(framed(kept, &height, &width, &border))
        }
        Raster::Rgba(image) => {
            let kept = resample_with_opacity(image, &height, &width, interpolation)?;
            Raster::Rgba(framed(kept, &height, &width, &border))
        }
    })
}

/// [`resample`] as Pillow does it where pixels have an opacity: of colours that are multiplied with
/// it, so that what is not seen has no part in what is. It leaves them alone where it has nothing to
/// compute.
fn resample_with_opacity(
    image: &RgbaImage,
    height: &Side,
    width: &Side,
    interpolation: Interpolation,
) -> Result<RgbaImage> {
    let stays = |side: &Side| side.found == side.resized;
    if interpolation == Interpolation::Nearest || (stays(height) && stays(width)) {
        return resample::<_, 4>(image, height, width, interpolation);
    }
    let mut image = image.clone();
    for Rgba([colours @ .., opacity]) in image.pixels_mut() {
        *colours = colours.map(|sample| multiplied(sample, *opacity));
    }
    let mut kept = resample::<_, 4>(&image, height, width, interpolation)?;
    for Rgba([colours @ .., opacity]) in kept.pixels_mut() {
        *colours = colours.map(|sample| divided(sample, *opacity));
    }
    Ok(kept)
}

/// The kept part of an image in the middle of the result, with borders around it.
fn framed<P: Pixel<Subpixel = u8>>(
    kept: ImageBuffer<P, Vec<u8>>,
    height: &Side,
    width: &Side,
    border: &[u8],
) -> ImageBuffer<P, Vec<u8>> {
    let filled = |side: &Side| side.kept.len() == side.result as usize;
    if filled(height) && filled(width) {
        return kept;
    }
    let colour = *P::from_slice(border);
    let mut framed = ImageBuffer::from_pixel(width.result, height.result, colour);
    let (left, top) = (width.border.into(), height.border.into());
    image::imageops::replace(&mut framed, &kept, left, top);
    framed
}

/// The values of `pixels`: channel, row, column. The arithmetic is single precision, in the
/// order of operations of timm and of Keras: divided, the mean subtracted, divided by std.
#[must_use]
pub fn normalise(pixels: &Raster, preprocessing: &Preprocessing) -> Vec<f32> {
    let samples = pixels.samples();
    let mut values = Vec::with_capacity(samples.len());
    for channel in preprocessing.channels() {
        let of_sample: Vec<f32> = (0..=u8::MAX)
            .map(|sample| channel.normalise(f32::from(sample)))
            .collect();
        let samples = samples
            .iter()
            .skip(channel.source)
            .step_by(pixels.channels());
        values.extend(samples.map(|&sample| of_sample[usize::from(sample)]));
    }
    values
}

/// An image that the network would see as zeros, rounded as Python does: the borders' colour.
fn border_colour(preprocessing: &Preprocessing) -> Vec<u8> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from floating point saturates, as Pillow does"
    )]
    let rounded = |sample: f64| sample.round_ties_even() as u8;
    preprocessing.zero().map(rounded).collect()
}
