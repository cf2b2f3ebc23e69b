//! Numbers as pictures: a heat map over a photograph, gates as strips, written as PNG.

mod colours;
mod heat;
mod strips;

pub use image::RgbImage;
use image::{Rgb, imageops};

pub use self::colours::colour;
pub use self::heat::heat;
pub use self::strips::{row, strips};
use crate::error::{Error, Result};

/// Rows between pictures that are put together.
const GAP: u32 = 8;

const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Pictures one below the other, on white.
#[must_use]
pub fn stacked(pictures: &[RgbImage]) -> RgbImage {
    let width = pictures.iter().map(RgbImage::width).max().unwrap_or(1);
    let heights = pictures.iter().map(RgbImage::height);
    let gaps = u32::try_from(pictures.len().saturating_sub(1)).unwrap_or(0) * GAP;
    let mut all = RgbImage::from_pixel(width, heights.sum::<u32>() + gaps, WHITE);
    let mut top = 0;
    for picture in pictures {
        imageops::replace(&mut all, picture, 0, i64::from(top));
        top += picture.height() + GAP;
    }
    all
}

/// A picture as a PNG file.
///
/// # Errors
///
/// [`Error::Image`] of a picture without pixels.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(picture.as_raw())?;
        writer.finish()
    });
    written.map_err(|error| Error::Image(format!("cannot write it as PNG: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_png_holds_the_picture_to_the_last_bit() {
        let picture = RgbImage::from_fn(7, 3, |x, y| {
            Rgb([x, y, x * y].map(|value| value.to_le_bytes()[0]))
        });
        let bytes = png(&picture).unwrap();
        assert_eq!(
            image::load_from_memory(&bytes).unwrap().into_rgb8(),
            picture
        );
    }

    #[test]
    fn pictures_are_put_below_each_other_without_losing_a_pixel() {
        let [first, second] = [(4, 2), (6, 3)].map(|(width, height)| RgbImage::new(width, height));
        let all = stacked(&[first, second]);
        assert_eq!(all.dimensions(), (6, 2 + GAP + 3));
        let black = all.pixels().filter(|pixel| pixel.0 == [0; 3]).count();
        assert_eq!(black, 4 * 2 + 6 * 3);
    }
}
