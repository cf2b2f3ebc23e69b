//! A file's bytes become 8-bit pixels of the channels that a network takes, or an error that says what is wrong with them.
//!
//! A file of its own for each format; each first reads what the header says, so that what
//! decoding will take is known before anything is allocated.

mod bmp;
mod gif;
mod jpeg;
mod pixels;
mod png;
mod problem;
mod tiff;
mod webp;

use image::ImageFormat;

use self::problem::damaged;
pub(super) use self::problem::too_large;
use super::ChannelOrder;
use super::Preprocessing;
use super::budget::DEFAULT_MEMORY;
use super::guard::guarded;
use super::raster::Raster;
use crate::error::{Error, Result};
use crate::text::shown_bytes;

/// What is asked of a decoder besides an image.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What becomes of transparency, 16-bit samples and orientation.
    pub preprocessing: &'a Preprocessing,
    /// What becomes of damage that leaves something to show.
    pub damage: Damage,
    /// The most bytes that decoding may take besides the file's own.
    pub memory: u64,
}

impl<'a> Request<'a> {
    /// Pixels of whole files alone.
    #[must_use]
    pub fn new(preprocessing: &'a Preprocessing) -> Self {
        Self {
            preprocessing,
            damage: Damage::Refuse,
            memory: DEFAULT_MEMORY,
        }
    }
}

/// What becomes of an image whose data is damaged where a decoder can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// An error: what is decoded might be another picture.
    Refuse,
    /// What is left of it, with a warning; timm does so without one.
    Accept,
}

/// An image once it is decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The pixels, of the channels that were asked for.
    pub pixels: Raster,
    /// What is wrong with the file though it was read: what [`Damage::Accept`] let pass, or what
    /// whole files often have, such as a JPEG's bytes of no known meaning.
    pub damage: Option<String>,
}

impl Decoded {
    fn whole(pixels: impl Into<Raster>) -> Self {
        Self {
            pixels: pixels.into(),
            damage: None,
        }
    }
}

/// What a file says of its image before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The number of columns, as stored.
    pub width: u32,
    /// The number of rows, as stored.
    pub height: u32,
    /// The most bytes that decoding takes at a time besides the file's own: the decoder's
    /// and the RGB pixels. Other pixels take more: [`Header::memory_for`].
    pub memory: u64,
}

impl Header {
    /// [`Header::memory`] where pixels of other channels than red, green and blue are asked for.
    #[must_use]
    pub fn memory_for(&self, order: ChannelOrder) -> u64 {
        let area = Self::samples(self.width, self.height, 1);
        let more = match order {
            ChannelOrder::Rgb | ChannelOrder::Bgr => 0,
            // Beside the colours that it is made of.
            ChannelOrder::Gray => area,
            // So where there is no opacity; where there is, each pixel is larger by a sample, and
            // is there twice where the image is turned.
            ChannelOrder::Rgba => area.saturating_mul(4),
        };
        self.memory.saturating_add(more)
    }

    /// Bytes of an image as RGB.
    pub(super) fn rgb(width: u32, height: u32) -> u64 {
        Self::samples(width, height, 3)
    }

    /// Bytes of an image of so many channels.
    pub(super) fn samples(width: u32, height: u32, channels: u64) -> u64 {
        u64::from(width)
            .saturating_mul(height.into())
            .saturating_mul(channels)
    }
}

/// Decodes an image file's bytes: JPEG, PNG, WebP, BMP, TIFF or a GIF's first frame, as the first
/// of them say.
///
/// # Errors
///
/// [`Error::Image`] when they are no image, truncated, damaged, of a kind without a definite
/// 8-bit equivalent (floating-point samples), or when decoding would take more memory than asked.
pub fn decode_bytes(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let format = Format::of(bytes)?;
    let header = format.header(bytes)?;
    let needed = header.memory_for(request.preprocessing.channel_order);
    if needed > request.memory {
        return Err(too_large(&format!(
            "decoding its {}x{} pixels (height x width) takes {} of memory; expected at most {}",
            header.height,
            header.width,
            shown_bytes(needed),
            shown_bytes(request.memory)
        )));
    }
    format.decode(bytes, request)
}

/// [`decode_bytes`] of what is known from its [`header`] to take no more memory than asked.
///
/// # Errors
///
/// The errors of [`decode_bytes`].
pub(super) fn decode_within(bytes: &[u8], request: &Request) -> Result<Decoded> {
    Format::of(bytes)?.decode(bytes, request)
}

/// What an image file's header says.
///
/// # Errors
///
/// The errors of [`decode_bytes`] that are known before anything is decoded.
pub fn header(bytes: &[u8]) -> Result<Header> {
    Format::of(bytes)?.header(bytes)
}

/// What an image file is called that begins so; none where it is not one that is read.
#[must_use]
pub fn format_name(start: &[u8]) -> Option<&'static str> {
    Format::of(start).ok().map(|format| format.name)
}

/// What photographs of cameras and phones are called that are not read, by their first bytes.
fn unread_format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
            b"avif" | b"avis" => Some("AVIF"),
            b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1" => Some("HEIC"),
            _ => None,
        },
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some("JPEG XL"),
        [0xFF, 0x4F, 0xFF, 0x51, ..] | [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => {
            Some("JPEG 2000")
        }
        _ => None,
    }
}

/// A format that is read.
#[derive(Clone, Copy)]
struct Format {
    name: &'static str,
    header: fn(&[u8]) -> Result<Header>,
    /// In red, green and blue, and with opacity where that is asked for and there is any.
    decode: fn(&[u8], &Request) -> Result<Decoded>,
}

impl Format {
    /// The format by content alone: each that is read begins with a signature, so a
    /// file without one is of no use whatever its name says.
    fn of(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::Image("not an image: the file is empty".to_owned()));
        }
        let of = |name, header, decode| Self {
            name,
            header,
            decode,
        };
        if tiff::is(bytes) {
            return Ok(of("TIFF", tiff::header, tiff::decode));
        }
        let not_read = |name: &str| {
            Error::Image(format!(
                "{name} images are not supported; expected JPEG, PNG, WebP, BMP, GIF or TIFF"
            ))
        };
        if let Some(name) = unread_format(bytes) {
            return Err(not_read(name));
        }
        let format = image::guess_format(bytes).map_err(|_| {
            Error::Image(
                "not an image: its first bytes are not those of a JPEG, PNG, WebP, BMP, GIF or TIFF"
                    .to_owned(),
            )
        })?;
        Ok(match format {
            ImageFormat::Jpeg => of("JPEG", jpeg::header, jpeg::decode),
            ImageFormat::Png => of("PNG", png::header, png::decode),
            ImageFormat::WebP => of("WebP", webp::header, webp::decode),
            ImageFormat::Bmp => of("BMP", bmp::header, bmp::decode),
            ImageFormat::Gif => of("GIF", gif::header, gif::decode),
            other => {
                let name = other.extensions_str().first().copied().unwrap_or("such");
                return Err(not_read(name));
            }
        })
    }

    fn header(&self, bytes: &[u8]) -> Result<Header> {
        guarded(|| self.panicked(), || (self.header)(bytes))
    }

    fn decode(&self, bytes: &[u8], request: &Request) -> Result<Decoded> {
        let order = request.preprocessing.channel_order;
        let decode = || {
            let Decoded { pixels, damage } = (self.decode)(bytes, request)?;
            let pixels = pixels.converted(order);
            Ok(Decoded { pixels, damage })
        };
        guarded(|| self.panicked(), decode)
    }

    fn panicked(&self) -> Error {
        damaged(self.name, "its decoder panicked")
    }
}
