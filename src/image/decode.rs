//! A file's bytes become 8-bit RGB pixels, or an error that says what is wrong with them.

use std::fs::{self, File};
use std::io::{Cursor, ErrorKind, Read};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use image::error::UnsupportedErrorKind;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
};

use super::{Alpha, Orientation, Preprocessing, SixteenBit};
use crate::error::{Error, Result};

/// The most that a file, or the pixels it decodes to, may take.
const MAX_BYTES: u64 = 1 << 30;

/// Decodes the image at `path`: JPEG, PNG, WebP, BMP, TIFF or a GIF's first frame,
/// as its first bytes say, whatever its name.
///
/// Damage inside a JPEG's data that leaves its structure whole goes unnoticed,
/// as it does with libjpeg: parts of such an image come out gray or garbled.
///
/// # Errors
///
/// [`Error::File`] when the file cannot be read, [`Error::Image`] when it is no
/// image, truncated, damaged, of a kind without a definite 8-bit equivalent
/// (floating-point samples), or larger than 1 GiB, as a file or decoded.
pub fn decode(path: &Path, preprocessing: &Preprocessing) -> Result<RgbImage> {
    decode_bytes(&read(path)?, preprocessing)
}

/// Decodes what [`read`] has read.
///
/// # Errors
///
/// Those of [`decode`] that are not of the file.
pub fn decode_bytes(bytes: &[u8], preprocessing: &Preprocessing) -> Result<RgbImage> {
    let format = format_of(bytes)?;
    let name = name_of(format);
    if format == ImageFormat::Jpeg && !reaches_end_of_image(bytes) {
        return Err(damaged(name, "the data stops before its end marker"));
    }
    let image = guarded(name, || {
        decode_pixels(bytes, format, preprocessing.orientation)
    })?;
    to_rgb(image, name, has_gray_key(bytes, format), preprocessing)
}

/// The bytes of the image file at `path`.
///
/// # Errors
///
/// [`Error::File`] when it cannot be read, [`Error::Image`] when it is no regular file or larger
/// than 1 GiB.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    // Looked at before it is opened, since opening a pipe may wait for ever.
    let metadata = fs::metadata(path).map_err(Error::file("open", path))?;
    if metadata.is_dir() {
        return Err(Error::Image("a folder, not an image".to_owned()));
    }
    if !metadata.is_file() {
        return Err(Error::Image("not an image: not a regular file".to_owned()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(too_large("the file has more than 1 GiB"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(Error::file("open", path))?
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(Error::file("read", path))?;
    Ok(bytes)
}

/// The format by content alone: each that is read begins with a signature, so a
/// file without one is of no use whatever its name says.
fn format_of(bytes: &[u8]) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::Image("not an image: the file is empty".to_owned()));
    }
    let format = image::guess_format(bytes).map_err(|_| {
        Error::Image(
            "not an image: its first bytes are not those of a JPEG, PNG, WebP, BMP, GIF or TIFF"
                .to_owned(),
        )
    })?;
    if format.reading_enabled() {
        Ok(format)
    } else {
        Err(Error::Image(format!(
            "{} images are not supported; expected JPEG, PNG, WebP, BMP, GIF or TIFF",
            name_of(format)
        )))
    }
}

fn name_of(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        other => other.extensions_str().first().copied().unwrap_or("such"),
    }
}

/// Whether a JPEG's data goes on to its end-of-image marker.
///
/// The decoder fills the missing part of a truncated file with gray and reports
/// success, so this walks the file itself. Segments are passed over by their
/// lengths, so the marker that ends a thumbnail in them does not count; within
/// compressed data the byte FF is always followed by 00, a restart marker or FF.
/// What follows the end marker (padding, a second picture) is left alone.
fn reaches_end_of_image(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest
        .windows(2)
        .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))
    {
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            0xD9 => return true,
            // Start of image, restarts and TEM stand alone; all others carry their length.
            0x01 | 0xD0..=0xD8 => {}
            _ => {
                let Some((&length, _)) = rest.split_first_chunk::<2>() else {
                    return false;
                };
                let Some(after) = rest.get(usize::from(u16::from_be_bytes(length))..) else {
                    return false;
                };
                rest = after;
            }
        }
    }
    false
}

fn decode_pixels(
    bytes: &[u8],
    format: ImageFormat,
    orientation: Orientation,
) -> Result<DynamicImage, ImageError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    // Not every decoder counts the pixels themselves.
    limits.reserve(decoder.total_bytes())?;
    let turn = match orientation {
        Orientation::Apply => Some(decoder.orientation()?),
        Orientation::Ignore => None,
    };
    let mut image = DynamicImage::from_decoder(decoder)?;
    if let Some(turn) = turn {
        image.apply_orientation(turn);
    }
    Ok(image)
}

/// Runs a decoder so that its panic, should a hostile file find one, costs this image alone.
///
/// The panic's own message still goes to standard error: silencing it would mean
/// replacing the hook of the whole process, which belongs to the program.
fn guarded(
    name: &str,
    decode: impl FnOnce() -> Result<DynamicImage, ImageError>,
) -> Result<DynamicImage> {
    match panic::catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(image)) => Ok(image),
        Ok(Err(ImageError::Limits(_))) => Err(too_large("its pixels would take more than 1 GiB")),
        Ok(Err(ImageError::Unsupported(error))) => Err(match error.kind() {
            UnsupportedErrorKind::Color(_) => unsupported_samples(name),
            _ => Error::Image(format!("unsupported {name}: {error}")),
        }),
        Ok(Err(ImageError::IoError(error))) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(damaged(name, "unexpected end of file"))
        }
        Ok(Err(error)) => Err(damaged(name, &root_cause(&error))),
        Err(_) => Err(damaged(name, "its decoder panicked")),
    }
}

/// What the decoder itself said, without the layers that repeat the format's name.
fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

fn damaged(name: &str, problem: &str) -> Error {
    Error::Image(format!("truncated or damaged {name}: {problem}"))
}

/// Floating point among others: no value of theirs is known to be white.
fn unsupported_samples(name: &str) -> Error {
    Error::Image(format!(
        "unsupported {name}: its samples are neither 8-bit nor 16-bit gray or RGB"
    ))
}

fn too_large(problem: &str) -> Error {
    Error::Image(format!("image too large: {problem}"))
}

/// Whether a PNG with transparency is 16-bit gray of which one value is transparent, rather
/// than gray with a channel for opacity. Pillow saturates the one, but not the other.
fn has_gray_key(bytes: &[u8], format: ImageFormat) -> bool {
    // Bit depth and colour type, in the header that comes first.
    format == ImageFormat::Png && bytes.get(24..26) == Some(&[16, 0])
}

fn to_rgb(
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
    match image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => Ok(image.into_rgb8()),
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => {
            let image = image.into_rgba8();
            Ok(pixels(&|x, y| opaque(image.get_pixel(x, y).0, alpha)))
        }
        DynamicImage::ImageLuma16(image) => Ok(pixels(&|x, y| {
            [narrow_gray(image.get_pixel(x, y).0[0], sixteen_bit); 3]
        })),
        DynamicImage::ImageRgb16(image) => Ok(pixels(&|x, y| {
            let sample = |sample| narrow_colour(sample, sixteen_bit);
            image.get_pixel(x, y).0.map(sample)
        })),
        DynamicImage::ImageLumaA16(_) | DynamicImage::ImageRgba16(_) => {
            let image = image.into_rgba16();
            let narrow = if gray_key { narrow_gray } else { narrow_colour };
            Ok(pixels(&|x, y| {
                let sample = |sample| narrow(sample, sixteen_bit);
                opaque(image.get_pixel(x, y).0.map(sample), alpha)
            }))
        }
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

fn opaque([red, green, blue, opacity]: [u8; 4], alpha: Alpha) -> [u8; 3] {
    let opacity = u32::from(opacity);
    [red, green, blue].map(|sample| match alpha {
        Alpha::Drop => sample,
        Alpha::White => {
            saturated((u32::from(sample) * opacity + 255 * (255 - opacity) + 127) / 255)
        }
    })
}

fn saturated(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoders_panic_is_an_error() {
        let error = guarded("PNG", || panic!("as a decoder might")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "truncated or damaged PNG: its decoder panicked"
        );
    }

    #[test]
    fn only_a_markers_own_place_ends_a_jpeg() {
        let start = [0xFF, 0xD8];
        let segment_with_end_marker = [0xFF, 0xE1, 0x00, 0x04, 0xFF, 0xD9];
        let scan = [0xFF, 0xDA, 0x00, 0x03, 0x01];
        let data = [0x12, 0xFF, 0x00, 0xD9, 0xFF, 0xD0, 0xFF, 0xFF];
        let mut jpeg = [&start[..], &segment_with_end_marker, &scan, &data].concat();
        assert!(!reaches_end_of_image(&jpeg));
        jpeg.push(0xD9);
        assert!(reaches_end_of_image(&jpeg));
        jpeg.extend([0; 16]);
        assert!(reaches_end_of_image(&jpeg));
    }

    #[test]
    fn no_prefix_of_a_jpeg_panics_or_reaches_its_end() {
        let jpeg = [
            0xFF, 0xD8, 0xFF, 0xE1, 0x00, 0x04, 0xFF, 0xD9, 0xFF, 0xDA, 0x00, 0x02, 0x7F, 0xFF,
            0xD9,
        ];
        for length in 0..jpeg.len() {
            assert!(!reaches_end_of_image(&jpeg[..length]), "{length} bytes");
        }
    }
}
