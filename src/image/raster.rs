//! Pixels of the channels that a network takes, and Pillow's conversions between them.

use std::borrow::Cow;

use image::metadata::Orientation as Turn;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

use super::ChannelOrder;

/// An image in 8 bits a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Raster {
    /// Gray alone.
    Gray(GrayImage),
    /// Red, green and blue.
    Rgb(RgbImage),
    /// Red, green, blue and opacity, which the colours have not been multiplied with.
    Rgba(RgbaImage),
}

impl Raster {
    /// Columns and rows.
    #[must_use]
    pub fn dimensions(&self) -> (u32, u32) {
        match self {
            Self::Gray(image) => image.dimensions(),
            Self::Rgb(image) => image.dimensions(),
            Self::Rgba(image) => image.dimensions(),
        }
    }

    /// How many samples a pixel has.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::Gray(_) => 1,
            Self::Rgb(_) => 3,
            Self::Rgba(_) => 4,
        }
    }

    /// The samples: row, column, channel.
    #[must_use]
    pub fn samples(&self) -> &[u8] {
        match self {
            Self::Gray(image) => image,
            Self::Rgb(image) => image,
            Self::Rgba(image) => image,
        }
    }

    /// The image as a network of this input takes it, as Pillow's `convert` to `L`, `RGB` or `RGBA`
    /// has it: opacity is left out, or is 255 where there is none, and gray is the luma of the
    /// colours after ITU-R BT.601, rounded.
    #[must_use]
    pub fn converted(self, order: ChannelOrder) -> Self {
        match (order, self) {
            (ChannelOrder::Gray, Self::Rgb(image)) => {
                Self::Gray(map(&image, |Rgb(rgb)| luma(*rgb)))
            }
            (ChannelOrder::Gray, Self::Rgba(image)) => {
                Self::Gray(map(&image, |Rgba([red, green, blue, _])| {
                    luma([*red, *green, *blue])
                }))
            }
            (ChannelOrder::Rgba, Self::Gray(image)) => {
                Self::Rgba(map(&image, |&Luma([gray])| Rgba([gray, gray, gray, 255])))
            }
            (ChannelOrder::Rgba, Self::Rgb(image)) => {
                Self::Rgba(map(&image, |&Rgb([red, green, blue])| {
                    Rgba([red, green, blue, 255])
                }))
            }
            (ChannelOrder::Rgb | ChannelOrder::Bgr, image) => Self::Rgb(image.into_rgb()),
            (ChannelOrder::Gray, image @ Self::Gray(_))
            | (ChannelOrder::Rgba, image @ Self::Rgba(_)) => image,
        }
    }

    /// [`Raster::into_rgb`] that copies only what is not red, green and blue.
    pub(super) fn rgb(&self) -> Cow<'_, RgbImage> {
        match self {
            Self::Rgb(image) => Cow::Borrowed(image),
            other => Cow::Owned(other.clone().into_rgb()),
        }
    }

    /// The same in red, green and blue, whatever its opacity.
    #[must_use]
    pub fn into_rgb(self) -> RgbImage {
        match self {
            Self::Gray(image) => map(&image, |&Luma([gray])| Rgb([gray; 3])),
            Self::Rgb(image) => image,
            Self::Rgba(image) => map(&image, |&Rgba([red, green, blue, _])| {
                Rgb([red, green, blue])
            }),
        }
    }

    /// The same, turned.
    pub(super) fn turned(self, turn: Turn) -> Self {
        if turn == Turn::NoTransforms {
            return self;
        }
        let mut image = match self {
            Self::Gray(image) => DynamicImage::ImageLuma8(image),
            Self::Rgb(image) => DynamicImage::ImageRgb8(image),
            Self::Rgba(image) => DynamicImage::ImageRgba8(image),
        };
        image.apply_orientation(turn);
        image.into()
    }
}

impl From<RgbImage> for Raster {
    fn from(image: RgbImage) -> Self {
        Self::Rgb(image)
    }
}

impl From<DynamicImage> for Raster {
    /// In 8 bits a channel, by the `image` crate's own conversion.
    fn from(image: DynamicImage) -> Self {
        match image {
            DynamicImage::ImageLuma8(image) => Self::Gray(image),
            image if image.color().has_alpha() => Self::Rgba(image.into_rgba8()),
            image => Self::Rgb(image.into_rgb8()),
        }
    }
}

/// An image of other pixels.
fn map<P, Q>(
    image: &image::ImageBuffer<P, Vec<u8>>,
    pixel: impl Fn(&P) -> Q,
) -> image::ImageBuffer<Q, Vec<u8>>
where
    P: image::Pixel<Subpixel = u8>,
    Q: image::Pixel<Subpixel = u8>,
{
    image::ImageBuffer::from_fn(image.width(), image.height(), |x, y| {
        pixel(image.get_pixel(x, y))
    })
}

/// A colour multiplied with its opacity, a share of 255, and rounded: as in Pillow.
pub(super) fn multiplied(sample: u8, opacity: u8) -> u8 {
    let product = u32::from(sample) * u32::from(opacity) + 128;
    // Divided by 255.
    u8::try_from(((product >> 8) + product) >> 8).unwrap_or(u8::MAX)
}

/// A colour that has been multiplied with its opacity, before it was.
pub(super) fn divided(sample: u8, opacity: u8) -> u8 {
    let divided = (255 * u32::from(sample)).checked_div(opacity.into());
    // A colour that is not seen stays as it is.
    divided.map_or(sample, |divided| u8::try_from(divided).unwrap_or(u8::MAX))
}

/// Pillow's luma: shares of 65,536, and a half that rounds.
fn luma([red, green, blue]: [u8; 3]) -> Luma<u8> {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    Luma([u8::try_from((sum + 0x8000) >> 16).unwrap_or(u8::MAX)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `Image.new("RGB", (1, 1), rgb).convert("L").getpixel((0, 0))` in Pillow 13.
    #[test]
    fn luma_is_pillows() {
        for (rgb, expected) in [
            ([0, 0, 0], 0),
            ([255, 255, 255], 255),
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([1, 2, 3], 2),
            ([220, 30, 30], 87),
        ] {
            assert_eq!(luma(rgb), Luma([expected]), "{rgb:?}");
        }
        let levels = || (0..=255).step_by(15);
        let all = levels().flat_map(|red| levels().map(move |green| (red, green)));
        let all = all.flat_map(|(red, green)| levels().map(move |blue| [red, green, blue]));
        let sum: u32 = all.map(|rgb| u32::from(luma(rgb).0[0])).sum();
        // Any of the three shares changed by one makes some pixels another gray.
        assert_eq!(sum, 743_580);
        for gray in 0..=255 {
            assert_eq!(luma([gray; 3]), Luma([gray]));
        }
    }

    #[test]
    fn an_image_has_the_channels_that_are_asked_for() {
        let clear = Raster::Rgba(RgbaImage::from_pixel(2, 1, Rgba([255, 0, 0, 9])));
        let of = |image: &Raster, order| image.clone().converted(order);
        assert_eq!(of(&clear, ChannelOrder::Rgba), clear);
        let red = of(&clear, ChannelOrder::Bgr);
        assert_eq!(red.samples(), [255, 0, 0, 255, 0, 0]);
        let gray = of(&clear, ChannelOrder::Gray);
        assert_eq!((gray.channels(), gray.samples()), (1, &[76, 76][..]));
        assert_eq!(of(&red, ChannelOrder::Gray), gray);
        assert_eq!(of(&gray, ChannelOrder::Gray), gray);
        let opaque = of(&red, ChannelOrder::Rgba);
        assert_eq!(opaque.samples(), [255, 0, 0, 255, 255, 0, 0, 255]);
        let opaque = of(&gray, ChannelOrder::Rgba);
        assert_eq!(opaque.samples()[..4], [76, 76, 76, 255]);
        assert_eq!(of(&gray, ChannelOrder::Rgb).samples(), [76; 6]);
    }
}
