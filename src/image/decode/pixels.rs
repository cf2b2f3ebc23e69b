//! Samples of any kind become 8-bit RGB, as the preprocessing says.

use image::metadata::Orientation as Turn;
use image::{DynamicImage, Rgb, RgbImage};

use super::problem::unsupported_samples;
use crate::error::Result;
use crate::image::{Alpha, Preprocessing, SixteenBit};

/// 8-bit RGB of an image whose format is called `name`. `gray_key` tells a 16-bit gray PNG of
/// which one value is transparent, which Pillow saturates, from gray with a channel for opacity.
///
/// # Errors
///
/// Samples in floating point: no value of theirs is known to be white.
pub(super) fn to_rgb(
    image: DynamicImage,
    name: &str,
    gray_key: bool,
    preprocessing: &Preprocessing,
) -> Result<RgbImage> {
    let Preprocessing {
        alpha, sixteen_bit, ..
    } = *preprocessing;
    let (width, height) = (image.width(), image.height());
    let pixels = |pixel: &dyn Fn(u32, u32) -> [u8; 3]| {
        RgbImage::from_fn(width, height, |x, y| Rgb(pixel(x, y)))
    };
    let narrow = |gray: bool, sample| {
        if gray {
            narrow_gray(sample, sixteen_bit)
        } else {
            narrow_colour(sample, sixteen_bit)
        }
    };
    // None is converted on the way, which would take memory of its own.
    match image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => Ok(image.into_rgb8()),
        DynamicImage::ImageLumaA8(image) => Ok(pixels(&|x, y| {
            let [gray, opacity] = image.get_pixel(x, y).0;
            opaque([gray, gray, gray, opacity], alpha)
        })),
        DynamicImage::ImageRgba8(image) => {
            Ok(pixels(&|x, y| opaque(image.get_pixel(x, y).0, alpha)))
        }
        DynamicImage::ImageLuma16(image) => Ok(pixels(&|x, y| {
            [narrow(true, image.get_pixel(x, y).0[0]); 3]
        })),
        DynamicImage::ImageRgb16(image) => Ok(pixels(&|x, y| {
            image.get_pixel(x, y).0.map(|sample| narrow(false, sample))
        })),
        DynamicImage::ImageLumaA16(image) => Ok(pixels(&|x, y| {
            let [gray, opacity] = image
                .get_pixel(x, y)
                .0
                .map(|sample| narrow(gray_key, sample));
            opaque([gray, gray, gray, opacity], alpha)
        })),
        DynamicImage::ImageRgba16(image) => Ok(pixels(&|x, y| {
            let rgba = image.get_pixel(x, y).0;
            opaque(rgba.map(|sample| narrow(gray_key, sample)), alpha)
        })),
        _ => Err(unsupported_samples(name)),
    }
}

fn narrow_gray(sample: u16, rule: SixteenBit) -> u8 {
    match rule {
        SixteenBit::Scale => scaled(sample),
        SixteenBit::Saturate => saturated(sample.into()),
    }
}

fn narrow_colour(sample: u16, rule: SixteenBit) -> u8 {
    match rule {
        SixteenBit::Scale => scaled(sample),
        SixteenBit::Saturate => sample.to_be_bytes()[0],
    }
}

/// A 16-bit sample divided by 257, rounded.
fn scaled(sample: u16) -> u8 {
    saturated((u32::from(sample) + 128) / 257)
}

/// A pixel's red, green, blue and opacity, without the last.
pub(super) fn opaque([red, green, blue, opacity]: [u8; 4], alpha: Alpha) -> [u8; 3] {
    let opacity = u32::from(opacity);
    [red, green, blue].map(|sample| match alpha {
        Alpha::Drop => sample,
        Alpha::White => {
            saturated((u32::from(sample) * opacity + 255 * (255 - opacity) + 127) / 255)
        }
    })
}

/// What cyan, magenta, yellow and black leave of white, as in Pillow.
pub(super) fn of_cmyk([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let light = 255 - black;
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(ink) * u32::from(light) + 128;
        // Divided by 255 and rounded.
        let taken = ((product >> 8) + product) >> 8;
        light.saturating_sub(u8::try_from(taken).unwrap_or(u8::MAX))
    })
}

/// The pixels, turned as a camera noted.
pub(super) fn turned(pixels: RgbImage, turn: Option<Turn>) -> RgbImage {
    match turn {
        None | Some(Turn::NoTransforms) => pixels,
        Some(turn) => {
            let mut image = DynamicImage::ImageRgb8(pixels);
            image.apply_orientation(turn);
            image.into_rgb8()
        }
    }
}

fn saturated(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}
