//! PNG, as far as its pixels are vouched for.
//!
//! Each chunk has a checksum, and so has the data in the chunks of the pixels as a whole. As in
//! Pillow every chunk before the pixels needs a right one, while for the pixels their own is
//! what counts: a file is read although a checksum of its chunks of pixels is wrong, or the chunk
//! that ends it is missing.

use std::io::{Cursor, ErrorKind};

use image::metadata::Orientation as Turn;
use image::{DynamicImage, ImageBuffer};
use png::{BitDepth, ColorType, DecodeOptions, DecodingError, Limits, Reader, Transformations};

use super::pixels::in_eight_bits;
use super::problem::{damaged, too_large};
use super::{Damage, Decoded, Header, Request};
use crate::error::{Error, Result};
use crate::image::Orientation;
use crate::image::raster::Raster;

const NAME: &str = "PNG";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let reader = open(bytes, Checks::All).map_err(|error| problem(&error))?;
    let (width, height) = reader.info().size();
    let rgb = Header::rgb(width, height);
    let samples = reader.output_buffer_size().unwrap_or(usize::MAX) as u64;
    let row = reader.output_line_size(width).unwrap_or(usize::MAX) as u64;
    let decoded = match reader.output_color_type() {
        (ColorType::Rgb, BitDepth::Eight) => samples,
        (_, BitDepth::Sixteen) => samples.saturating_mul(2).saturating_add(rgb),
        _ => samples.saturating_add(rgb),
    };
    Ok(Header {
        width,
        height,
        // What is turned is there twice. A file without an end is copied to get one.
        memory: decoded
            .max(rgb.saturating_mul(2))
            .saturating_add(row.saturating_mul(4))
            .saturating_add(bytes.len() as u64 + DECODER),
    })
}

/// The decoder's own buffers, besides rows.
const DECODER: u64 = 512 << 10;

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let whole = |image: Image| Ok(Decoded::whole(image.into_pixels(request)?));
    let error = match read(bytes, Checks::All) {
        Ok((image, None)) => return whole(image),
        Ok((_, Some(error))) => problem(&error),
        Err(error) => return Err(problem(&error)),
    };
    let mut ended = bytes.to_vec();
    ended.extend(END);
    if let Ok((image, None)) = read(&ended, Checks::Pixels) {
        return whole(image);
    }
    match (request.damage, read(&ended, Checks::None)) {
        // Where nothing was decoded there is nothing to accept.
        (Damage::Accept, Ok((image, _))) if image.samples.iter().any(|&sample| sample != 0) => {
            Ok(Decoded {
                pixels: image.into_pixels(request)?,
                damage: Some(error.to_string()),
            })
        }
        _ => Err(error),
    }
}

/// The chunk that ends a file.
const END: [u8; 12] = *b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// Which checksums have to be right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checks {
    /// The checksum of each chunk up to the last of the pixels, and that of the pixels.
    All,
    /// The checksum of the pixels alone.
    Pixels,
    None,
}

struct Image {
    size: (u32, u32),
    kind: (ColorType, BitDepth),
    /// The samples as the file has them, or widened to 8 bits; 16 bits with the high byte first.
    samples: Vec<u8>,
    /// Gray of 16 bits that has no channel for opacity, whether or not a value is transparent.
    gray_key: bool,
    turn: Option<Turn>,
}

/// What comes before the pixels.
fn open(bytes: &[u8], checks: Checks) -> Result<Reader<Cursor<&[u8]>>, DecodingError> {
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(checks != Checks::All);
    options.set_ignore_adler32(checks == Checks::None);
    // As Pillow has it: transparency, for one, comes in such a chunk.
    options.set_skip_ancillary_crc_failures(false);
    // Neither is used, and a small one may unpack to a large one.
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    // What it takes is known from the header.
    decoder.set_limits(Limits { bytes: usize::MAX });
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info()
}

/// The first image, and what went wrong after its first row was asked for.
fn read(bytes: &[u8], checks: Checks) -> Result<(Image, Option<DecodingError>), DecodingError> {
    let mut reader = open(bytes, checks)?;
    let size = reader.output_buffer_size();
    let mut samples = vec![0; size.ok_or(DecodingError::LimitsExceeded)?];
    let info = reader.info();
    let image = Image {
        size: info.size(),
        kind: reader.output_color_type(),
        samples: Vec::new(),
        gray_key: (info.color_type, info.bit_depth) == (ColorType::Grayscale, BitDepth::Sixteen),
        turn: info
            .exif_metadata
            .as_deref()
            .and_then(Turn::from_exif_chunk),
    };
    let error = reader.next_frame(&mut samples).err();
    Ok((Image { samples, ..image }, error))
}

impl Image {
    fn into_pixels(self, request: &Request) -> Result<Raster> {
        let (width, height) = self.size;
        let samples = self.samples;
        // Takes them, so that they are gone when the image is turned.
        let wide = |samples: Vec<u8>| -> Vec<u16> {
            let pairs = samples.chunks_exact(2);
            pairs
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect()
        };
        let image = match self.kind {
            (ColorType::Grayscale, BitDepth::Sixteen) => {
                ImageBuffer::from_raw(width, height, wide(samples)).map(DynamicImage::ImageLuma16)
            }
            (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => {
                ImageBuffer::from_raw(width, height, wide(samples)).map(DynamicImage::ImageLumaA16)
            }
            (ColorType::Rgb, BitDepth::Sixteen) => {
                ImageBuffer::from_raw(width, height, wide(samples)).map(DynamicImage::ImageRgb16)
            }
            (ColorType::Rgba, BitDepth::Sixteen) => {
                ImageBuffer::from_raw(width, height, wide(samples)).map(DynamicImage::ImageRgba16)
            }
            (ColorType::Grayscale, _) => {
                ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
            }
            (ColorType::GrayscaleAlpha, _) => {
                ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLumaA8)
            }
            (ColorType::Rgba, _) => {
                ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgba8)
            }
            // Palettes are looked up.
            (ColorType::Rgb | ColorType::Indexed, _) => {
                ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
            }
        };
        let image = image.ok_or_else(|| damaged(NAME, "it has too few samples"))?;
        let pixels = in_eight_bits(image, NAME, self.gray_key, request.preprocessing)?;
        Ok(match (request.preprocessing.orientation, self.turn) {
            (Orientation::Apply, Some(turn)) => pixels.turned(turn),
            _ => pixels,
        })
    }
}

/// What the decoder says, in words for people.
fn problem(error: &DecodingError) -> Error {
    match error {
        DecodingError::LimitsExceeded => too_large("its pixels are more than can be counted"),
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            damaged(NAME, "the data stops early")
        }
        // The kinds of these are private: they are told by how their sentences begin.
        DecodingError::Format(error) => {
            let sentence = error.to_string();
            let known = PROBLEMS
                .iter()
                .find(|(start, _)| sentence.starts_with(start));
            damaged(
                NAME,
                known.map_or("its chunks make no PNG", |&(_, words)| words),
            )
        }
        DecodingError::IoError(_) | DecodingError::Parameter(_) => {
            damaged(NAME, "its data cannot be decoded")
        }
    }
}

/// How the decoder's sentences begin, and what they mean.
const PROBLEMS: &[(&str, &str)] = &[
    ("CRC error", "a checksum is wrong"),
    (
        "Corrupt deflate stream. WrongChecksum",
        "a checksum is wrong",
    ),
    ("Corrupt deflate", "its compressed data is corrupt"),
    (
        "IDAT or fDAT chunk does not have",
        "the data stops before its last pixel",
    ),
    ("IDAT or fdAT chunk is missing", "it has no pixels"),
    ("Invalid image dimensions", "it has no pixels"),
    ("Missing palette", "it has no palette"),
    ("Not enough palette entries", "its palette is cut short"),
    (
        "Invalid color/depth",
        "its colours and bits make no kind of PNG",
    ),
    (
        "Invalid bit depth",
        "its colours and bits make no kind of PNG",
    ),
    (
        "Invalid color type",
        "its colours and bits make no kind of PNG",
    ),
    ("Unknown compression", "it is compressed in an unknown way"),
    ("Unknown filter", "its rows are filtered in an unknown way"),
    (
        "Unknown interlace",
        "its rows are interlaced in an unknown way",
    ),
    (
        "Unrecognized critical chunk",
        "it has a chunk of an unknown kind that it cannot be read without",
    ),
];
