//! A file's bytes become 8-bit RGB pixels, or an error that says what is wrong with them.
//!
//! A file of its own for each format; each first reads what the header says, so that what
//! decoding will take is known before anything is allocated.

mod bmp;
mod generic;
mod gif;
mod jpeg;
mod pixels;
mod png;
mod problem;
mod tiff;
mod webp;

use std::fs::{self, File};
use std::io::Read;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use clap::ValueEnum;
use image::{ImageFormat, RgbImage};

use self::problem::{damaged, too_large};
use super::Preprocessing;
use crate::error::{Error, Result};

/// The most that a file, or the pixels it decodes to, may take.
const MAX_BYTES: u64 = 1 << 30;

/// How an image is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What becomes of transparency, 16-bit samples and orientation.
    pub preprocessing: &'a Preprocessing,
    /// What becomes of damage that leaves something to show.
    pub damage: Damage,
}

impl<'a> Request<'a> {
    /// Pixels of whole files alone.
    #[must_use]
    pub fn new(preprocessing: &'a Preprocessing) -> Self {
        Self {
            preprocessing,
            damage: Damage::Refuse,
        }
    }
}

/// What becomes of an image whose data is damaged where a decoder can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Damage {
    /// An error: what is decoded might be another picture.
    Refuse,
    /// What is left of it, with a warning; timm does so without one.
    Accept,
}

/// An image's pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// 8-bit RGB.
    pub pixels: RgbImage,
    /// What is wrong with the file, where [`Damage::Accept`] let it pass.
    pub damage: Option<String>,
}

impl Decoded {
    fn whole(pixels: RgbImage) -> Self {
        Self {
            pixels,
            damage: None,
        }
    }
}

/// What a file says of its image before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Columns, as stored.
    pub width: u32,
    /// Rows, as stored.
    pub height: u32,
    /// The most bytes that decoding takes at a time besides the file's own: the decoder's
    /// and the RGB pixels.
    pub memory: u64,
}

impl Header {
    /// Bytes of an image as RGB.
    fn rgb(width: u32, height: u32) -> u64 {
        3 * u64::from(width) * u64::from(height)
    }
}

/// Decodes the image at `path`: JPEG, PNG, WebP, BMP, TIFF or a GIF's first frame,
/// as its first bytes say, whatever its name.
///
/// # Errors
///
/// [`Error::File`] when the file cannot be read, [`Error::Image`] when it is no
/// image, truncated, damaged, of a kind without a definite 8-bit equivalent
/// (floating-point samples), or larger than 1 GiB, as a file or decoded.
pub fn decode(path: &Path, preprocessing: &Preprocessing) -> Result<RgbImage> {
    Ok(decode_bytes(&read(path)?, &Request::new(preprocessing))?.pixels)
}

/// Decodes what [`read`] has read.
///
/// # Errors
///
/// Those of [`decode`] that are not of the file.
pub fn decode_bytes(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let format = Format::of(bytes)?;
    let header = guarded(format.name, || (format.header)(bytes))?;
    if header.memory > MAX_BYTES {
        return Err(too_large("its pixels would take more than 1 GiB"));
    }
    guarded(format.name, || (format.decode)(bytes, request))
}

/// What the header says of an image in a file that [`read`] has read.
///
/// # Errors
///
/// Those of [`decode`] that are known before anything is decoded.
pub fn header(bytes: &[u8]) -> Result<Header> {
    let format = Format::of(bytes)?;
    guarded(format.name, || (format.header)(bytes))
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

/// A format that is read.
#[derive(Clone, Copy)]
struct Format {
    name: &'static str,
    header: fn(&[u8]) -> Result<Header>,
    decode: fn(&[u8], &Request) -> Result<Decoded>,
}

impl Format {
    /// The format by content alone: each that is read begins with a signature, so a
    /// file without one is of no use whatever its name says.
    fn of(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::Image("not an image: the file is empty".to_owned()));
        }
        let format = image::guess_format(bytes).map_err(|_| {
            Error::Image(
                "not an image: its first bytes are not those of a JPEG, PNG, WebP, BMP, GIF or TIFF"
                    .to_owned(),
            )
        })?;
        let of = |name, header, decode| Self {
            name,
            header,
            decode,
        };
        Ok(match format {
            ImageFormat::Jpeg => of("JPEG", jpeg::header, jpeg::decode),
            ImageFormat::Png => of("PNG", png::header, png::decode),
            ImageFormat::WebP => of("WebP", webp::header, webp::decode),
            ImageFormat::Bmp => of("BMP", bmp::header, bmp::decode),
            ImageFormat::Gif => of("GIF", gif::header, gif::decode),
            ImageFormat::Tiff => of("TIFF", tiff::header, tiff::decode),
            other => {
                let name = other.extensions_str().first().copied().unwrap_or("such");
                return Err(Error::Image(format!(
                    "{name} images are not supported; expected JPEG, PNG, WebP, BMP, GIF or TIFF"
                )));
            }
        })
    }
}

/// Runs a decoder so that its panic, should a hostile file find one, costs this image alone.
fn guarded<T>(name: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(damaged(name, "its decoder panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoders_panic_is_an_error() {
        let error = guarded::<()>("PNG", || panic!("as a decoder might")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "truncated or damaged PNG: its decoder panicked"
        );
    }
}
