//! An image made small, for a page that shows many.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage, imageops};

use crate::error::{Error, Result};

/// A small picture of an image, as a JPEG file of some kilobytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Columns and rows.
    pub size: [u32; 2],
    /// The file.
    pub jpeg: Vec<u8>,
}

impl Thumbnail {
    /// The most rows and columns.
    pub const SIDE: u32 = 192;

    /// Of 100: what is seen of more at this size is little.
    const QUALITY: u8 = 80;

    /// The whole of `image` in at most [`Thumbnail::SIDE`] rows and columns; never more than it has.
    ///
    /// # Errors
    ///
    /// [`Error::Image`] of an image without pixels.
    ///
    /// ```
    /// use senet::image::Thumbnail;
    /// use senet::classifier::RgbImage;
    ///
    /// let photo = RgbImage::new(4000, 3000);
    /// assert_eq!(Thumbnail::of(&photo)?.size, [192, 144]);
    /// # Ok::<(), senet::Error>(())
    /// ```
    pub fn of(image: &RgbImage) -> Result<Self> {
        Self::within(image, Self::SIDE)
    }

    /// The whole of `image` in at most so many rows and columns; never more than it has.
    ///
    /// # Errors
    ///
    /// [`Error::Image`] of an image without pixels.
    pub fn within(image: &RgbImage, most: u32) -> Result<Self> {
        let (width, height) = image.dimensions();
        let longest = width.max(height);
        if width.min(height) == 0 {
            return Err(Error::Image("no pixel to show".to_owned()));
        }
        let small = if longest > most {
            let scaled = |side: u32| {
                let scaled = u64::from(side) * u64::from(most) / u64::from(longest);
                // No longer than `most`.
                u32::try_from(scaled).unwrap_or(most).max(1)
            };
            &imageops::thumbnail(image, scaled(width), scaled(height))
        } else {
            image
        };
        let (width, height) = small.dimensions();
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, Self::QUALITY)
            .write_image(small, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| Error::Image(format!("cannot make it small: {error}")))?;
        Ok(Self {
            size: [width, height],
            jpeg,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let value = x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503).rotate_left(13);
            image::Rgb([value, value >> 8, value >> 16].map(|value| value.to_le_bytes()[0]))
        })
    }

    #[test]
    fn a_thumbnail_is_small_whatever_the_image() {
        for (size, expected) in [
            ((1000, 500), [192, 96]),
            ((192, 20), [192, 20]),
            ((32, 32), [32, 32]),
            // A side that would have no pixel has one.
            ((5000, 1), [192, 1]),
            ((1, 1), [1, 1]),
        ] {
            let thumbnail = Thumbnail::of(&noise(size.0, size.1)).unwrap();
            assert_eq!(thumbnail.size, expected);
            // Noise is what JPEG is worst at: a byte a sample would be three times as many.
            assert!(thumbnail.jpeg.len() < 40_000, "{}", thumbnail.jpeg.len());
            let read = image::load_from_memory(&thumbnail.jpeg).unwrap();
            assert_eq!([read.width(), read.height()], expected);
        }
        assert!(Thumbnail::of(&RgbImage::new(0, 3)).is_err());
    }
}
