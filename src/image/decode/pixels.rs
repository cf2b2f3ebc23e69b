//! Samples of any kind become 8-bit RGB, or RGBA, as the preprocessing says.

use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use super::problem::unsupported_samples;
use crate::error::Result;
use crate::image::raster::{Raster, multiplied};
use crate::image::{Alpha, ChannelOrder, Preprocessing, SixteenBit};

/// Pixels that a decoder finds one by one.
pub(super) enum Canvas {
    Opaque(RgbImage, Alpha),
    WithOpacity(RgbaImage),
}

impl Canvas {
    /// Of one colour, with what the preprocessing makes of its opacity.
    pub(super) fn of(
        (width, height): (u32, u32),
        rgba: [u8; 4],
        preprocessing: &Preprocessing,
    ) -> Self {
        if preprocessing.channel_order == ChannelOrder::Rgba {
            return Self::WithOpacity(RgbaImage::from_pixel(width, height, Rgba(rgba)));
        }
        let rgb = Rgb(opaque(rgba, preprocessing.alpha));
        Self::Opaque(
            RgbImage::from_pixel(width, height, rgb),
            preprocessing.alpha,
        )
    }

    /// Black.
    pub(super) fn new(size: (u32, u32), preprocessing: &Preprocessing) -> Self {
        Self::of(size, [0, 0, 0, 255], preprocessing)
    }

    pub(super) fn put(&mut self, x: u32, y: u32, rgba: [u8; 4]) {
        match self {
            Self::Opaque(image, alpha) => image.put_pixel(x, y, Rgb(opaque(rgba, *alpha))),
            Self::WithOpacity(image) => image.put_pixel(x, y, Rgba(rgba)),
        }
    }
}

impl From<Canvas> for Raster {
    fn from(canvas: Canvas) -> Self {
        match canvas {
            Canvas::Opaque(image, _) => Self::Rgb(image),
            Canvas::WithOpacity(image) => Self::Rgba(image),
        }
    }
}

/// The 8-bit pixels of an image whose format is called `name`. `gray_key` tells a 16-bit gray PNG of
/// which one value is transparent, which Pillow saturates, from gray with a channel for opacity.
///
/// # Errors
///
/// Samples in floating point: no value of theirs is known to be white.
pub(super) fn in_eight_bits(
    image: DynamicImage,
    name: &str,
    gray_key: bool,
    preprocessing: &Preprocessing,
) -> Result<Raster> {
    let rule = preprocessing.sixteen_bit;
    let (width, height) = (image.width(), image.height());
    let pixels = |pixel: &dyn Fn(u32, u32) -> [u8; 4]| {
        let mut canvas = Canvas::new((width, height), preprocessing);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            canvas.put(x, y, pixel(x, y));
        }
        Ok(canvas.into())
    };
    let narrow = |gray: bool, sample| {
        if gray {
            narrow_gray(sample, rule)
        } else {
            narrow_colour(sample, rule)
        }
    };
    // None is converted on the way, which would take memory of its own.
    match image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => {
            Ok(Raster::Rgb(image.into_rgb8()))
        }
        DynamicImage::ImageLumaA8(image) => pixels(&|x, y| {
            let [gray, opacity] = image.get_pixel(x, y).0;
            [gray, gray, gray, opacity]
        }),
        DynamicImage::ImageRgba8(image) => pixels(&|x, y| image.get_pixel(x, y).0),
        DynamicImage::ImageLuma16(image) => pixels(&|x, y| {
            let gray = narrow(true, image.get_pixel(x, y).0[0]);
            [gray, gray, gray, 255]
        }),
        DynamicImage::ImageRgb16(image) => pixels(&|x, y| {
            let rgb = image.get_pixel(x, y).0;
            let [red, green, blue] = rgb.map(|sample| narrow(false, sample));
            [red, green, blue, 255]
        }),
        DynamicImage::ImageLumaA16(image) => pixels(&|x, y| {
            let [gray, opacity] = image.get_pixel(x, y).0;
            let gray = narrow(gray_key, gray);
            [gray, gray, gray, narrow_colour(opacity, rule)]
        }),
        DynamicImage::ImageRgba16(image) => pixels(&|x, y| {
            let rgba = image.get_pixel(x, y).0;
            rgba.map(|sample| narrow(gray_key, sample))
        }),
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
    [cyan, magenta, yellow].map(|ink| light.saturating_sub(multiplied(ink, light)))
}

fn saturated(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}
