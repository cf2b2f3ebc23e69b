//! RGB pixels become a network's input: resized, cropped, normalised, channels first.

use image::RgbImage;

use super::resample::resample;
use super::{CropMode, Preprocessing};
use crate::error::{Error, Result};

/// The most pixels that a resize may produce, on its way or in the end: 192 MiB.
const MAX_PIXELS: u64 = 1 << 26;

/// Height and width of an image or of a crop of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    height: u32,
    width: u32,
}

/// Resizes, crops and normalises `image` to `3 * H * W` values: channel, row, column.
///
/// The resize is Pillow's, bit for bit; sizes and the crop's place are rounded
/// as torchvision and timm do.
///
/// # Errors
///
/// [`Error::Image`] when `preprocessing` is not valid, or when the image is so
/// long and thin that resizing its shorter side would make it too large.
pub fn transform(image: RgbImage, preprocessing: &Preprocessing) -> Result<Vec<f32>> {
    preprocessing.validate()?;
    let [height, width] = preprocessing.size;
    let crop = Size {
        height: side(height)?,
        width: side(width)?,
    };
    let image = resize(image, crop, preprocessing)?;
    let top = centre(image.height(), crop.height);
    let left = centre(image.width(), crop.width);

    let mut values = Vec::with_capacity(3 * height * width);
    for channel in 0..3 {
        let (mean, std) = (preprocessing.mean[channel], preprocessing.std[channel]);
        for y in top..top + crop.height {
            for x in left..left + crop.width {
                let sample = f32::from(image.get_pixel(x, y).0[channel]);
                values.push((sample / 255.0 - mean) / std);
            }
        }
    }
    Ok(values)
}

fn side(pixels: usize) -> Result<u32> {
    u32::try_from(pixels).map_err(|_| Error::Image(format!("a side of {pixels} pixels")))
}

fn resize(image: RgbImage, crop: Size, preprocessing: &Preprocessing) -> Result<RgbImage> {
    let found = Size {
        height: image.height(),
        width: image.width(),
    };
    let wanted = resized_size(found, crop, preprocessing)?;
    Ok(resample(
        image,
        wanted.width,
        wanted.height,
        preprocessing.interpolation,
    ))
}

/// The size to resize to, at least that of the crop on both sides.
fn resized_size(found: Size, crop: Size, preprocessing: &Preprocessing) -> Result<Size> {
    let [height, width] = [found.height, found.width].map(u64::from);
    if height == 0 || width == 0 {
        return Err(Error::Image("an image without pixels".to_owned()));
    }
    let [box_height, box_width] =
        [crop.height, crop.width].map(|side| before_crop(side, preprocessing.crop_pct));
    let scaled = |side: u64, numerator: u64, denominator: u64| {
        side.checked_mul(numerator)
            .map_or(u64::MAX, |product| product / denominator)
    };
    let (new_height, new_width) = match preprocessing.crop_mode {
        CropMode::Squash => (box_height, box_width),
        // Whichever side has to shrink less fits exactly; torchvision truncates the other.
        CropMode::Center
            if height.saturating_mul(box_width) <= width.saturating_mul(box_height) =>
        {
            (box_height, scaled(width, box_height, height))
        }
        CropMode::Center => (scaled(height, box_width, width), box_width),
    };
    // Resampling starts along the rows, which leaves the height as found.
    let pixels = new_width.checked_mul(new_height.max(height));
    match (u32::try_from(new_height), u32::try_from(new_width)) {
        (Ok(height), Ok(width)) if pixels.is_some_and(|pixels| pixels <= MAX_PIXELS) => {
            Ok(Size { height, width })
        }
        _ => Err(Error::Image(format!(
            "cannot resize {height}x{width} pixels (height x width) to {new_height}x{new_width}: \
             more than {MAX_PIXELS} pixels"
        ))),
    }
}

/// `floor(side / crop_pct)`, saturating.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "both are positive, and a cast from floating point saturates"
)]
fn before_crop(side: u32, crop_pct: f64) -> u64 {
    (f64::from(side) / crop_pct).floor() as u64
}

/// Where a crop of `kept` out of `whole` pixels starts: half the rest, a half
/// rounded to the even number as Python's `round` does.
fn centre(whole: u32, kept: u32) -> u32 {
    let rest = whole.saturating_sub(kept);
    let half = rest / 2;
    half + (rest % 2) * (half % 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crop_starts_where_python_rounds_to() {
        // [round(rest / 2) for rest in range(9)]
        let starts: Vec<u32> = (0..9).map(|rest| centre(100 + rest, 100)).collect();
        assert_eq!(starts, [0, 0, 1, 2, 2, 2, 3, 4, 4]);
    }
}
