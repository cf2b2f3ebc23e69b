//! A format that the `image` crate decodes as Pillow does.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::pixels::to_rgb;
use super::problem::of_image_crate;
use super::{Decoded, Header, Request};
use crate::error::Result;
use crate::image::Orientation;

pub(super) fn header(bytes: &[u8], format: ImageFormat, name: &str) -> Result<Header> {
    let decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder();
    let decoder = decoder.map_err(|error| of_image_crate(name, &error))?;
    let (width, height) = decoder.dimensions();
    Ok(Header {
        width,
        height,
        // The decoder's own pixels, as much again for what it has in hand, and RGB made of them.
        memory: decoder
            .total_bytes()
            .saturating_mul(2)
            .saturating_add(Header::rgb(width, height)),
    })
}

pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    name: &str,
    request: &Request,
) -> Result<Decoded> {
    let image =
        decode_pixels(bytes, format, request).map_err(|error| of_image_crate(name, &error))?;
    let pixels = to_rgb(image, name, false, request.preprocessing)?;
    Ok(Decoded::whole(pixels))
}

fn decode_pixels(
    bytes: &[u8],
    format: ImageFormat,
    request: &Request,
) -> Result<DynamicImage, ImageError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(request.memory);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    // Not every decoder counts the pixels themselves.
    limits.reserve(decoder.total_bytes())?;
    let turn = match request.preprocessing.orientation {
        Orientation::Apply => Some(decoder.orientation()?),
        Orientation::Ignore => None,
    };
    let mut image = DynamicImage::from_decoder(decoder)?;
    if let Some(turn) = turn {
        image.apply_orientation(turn);
    }
    Ok(image)
}
