//! WebP, and the first frame of an animated one.
//!
//! The container is read here, and the picture in it given to `image-webp` as a still file of
//! its own: the crate's own composition of an animation rounds opaque colours down and loses
//! those of transparent pixels, where libwebp's takes a first frame as it is.

use std::io::Cursor;

use image::metadata::Orientation as Turn;
use image_webp::{DecodingError, WebPDecoder};

use super::pixels::Canvas;
use super::problem::{damaged, too_large, unsupported};
use super::{Decoded, Header, Request};
use crate::error::{Error, Result};
use crate::image::raster::Raster;
use crate::image::{Orientation, Preprocessing};

const NAME: &str = "WebP";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let Picture {
        canvas: (width, height),
        size: (columns, rows),
        coding,
        data,
        ..
    } = Picture::first(bytes)?;
    let area = u64::from(columns).saturating_mul(rows.into());
    // Luma and twice a quarter of chroma, in whole blocks of 16 pixels a side.
    let blocks = u64::from(columns.div_ceil(16)).saturating_mul(rows.div_ceil(16).into());
    let planes = blocks.saturating_mul(256 + 128);
    let decoder = match coding {
        // Beside RGB.
        Coding::Lossy { opacity: None } => planes.saturating_add(area.saturating_mul(3)),
        // Beside RGBA: opacity, unpacked as RGBA of its own.
        Coding::Lossy { opacity: Some(_) } => planes.saturating_add(area.saturating_mul(4 + 5 + 1)),
        // RGBA; blocks of 16 pixels have transforms and a choice of codes.
        Coding::Lossless => area.saturating_mul(4 + 1),
    };
    let coded = match coding {
        Coding::Lossy { opacity } => opacity.unwrap_or_default(),
        Coding::Lossless => data,
    };
    let rgb = Header::rgb(width, height);
    Ok(Header {
        width,
        height,
        // The picture as a file of its own, and its last part once more.
        memory: (2 * bytes.len() as u64 + codes(coded.len()))
            .saturating_add(decoder)
            .saturating_add(rgb)
            // What is turned is there twice.
            .max(rgb.saturating_mul(2)),
    })
}

/// The most that the tables of codes take which so many bytes of lossless data hold. A few bytes
/// may ask for a table, and there is no telling how many do before the data is unpacked: a file
/// made to do harm takes 358 bytes for each of its own, up to all groups of codes that there are.
fn codes(length: usize) -> u64 {
    const OF_A_BYTE: u64 = 360;
    /// The least bytes that tables take: those of a picture without groups.
    const FEWEST: u64 = 1 << 20;
    /// 65,536 groups of 5 codes, a table of 1,024 numbers each.
    const MOST: u64 = (1 << 16) * 5 * (4096 + 64);
    (length as u64)
        .saturating_mul(OF_A_BYTE)
        .clamp(FEWEST, MOST)
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let picture = Picture::first(bytes)?;
    let pixels = picture.pixels(request.preprocessing)?;
    let turn = match request.preprocessing.orientation {
        Orientation::Apply => picture.exif.and_then(Turn::from_exif_chunk),
        Orientation::Ignore => None,
    };
    Ok(Decoded::whole(match turn {
        Some(turn) => pixels.turned(turn),
        None => pixels,
    }))
}

/// A file's only picture, or its first, and the canvas it is on.
struct Picture<'a> {
    canvas: (u32, u32),
    /// Column and row of its upper left pixel.
    place: (u32, u32),
    size: (u32, u32),
    /// Whether opacity means anything: it is announced for all pictures of a file.
    has_opacity: bool,
    coding: Coding<'a>,
    data: &'a [u8],
    exif: Option<&'a [u8]>,
}

#[derive(Clone, Copy)]
enum Coding<'a> {
    Lossy { opacity: Option<&'a [u8]> },
    Lossless,
}

impl<'a> Picture<'a> {
    fn first(bytes: &'a [u8]) -> Result<Self> {
        let size = chunk_size(bytes).ok_or_else(cut_short)?;
        let end = size.checked_add(8).ok_or_else(cut_short)?;
        if size < 4 || bytes.len() < end {
            return Err(cut_short());
        }
        let mut chunks = Chunks(&bytes[12.min(end)..end]);
        match chunks.next().transpose()? {
            Some((b"VP8X", features)) => Self::extended(features, chunks),
            Some((kind, data)) => {
                let size = picture_size(*kind, data)?;
                Ok(Self {
                    canvas: size,
                    place: (0, 0),
                    size,
                    // In a lossless picture's own header.
                    has_opacity: kind == b"VP8L" && data[4] & 0x10 != 0,
                    coding: match kind {
                        b"VP8L" => Coding::Lossless,
                        _ => Coding::Lossy { opacity: None },
                    },
                    data,
                    exif: None,
                })
            }
            None => Err(no_picture()),
        }
    }

    fn extended(features: &'a [u8], chunks: Chunks<'a>) -> Result<Self> {
        let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = features else {
            return Err(cut_short());
        };
        let has_opacity = flags & 0x10 != 0;
        let animated = flags & 0x02 != 0;
        let canvas = (1 + u24([w0, w1, w2]), 1 + u24([h0, h1, h2]));
        let exif = chunks.clone().find_map(|chunk| match chunk {
            Ok((b"EXIF", exif)) => Some(exif),
            _ => None,
        });
        let (place, size, picture) = if animated {
            let mut frame = None;
            for chunk in chunks {
                if let (b"ANMF", data) = chunk? {
                    frame = Some(data);
                    break;
                }
            }
            let frame = frame.ok_or_else(no_picture)?;
            let Some((&[x0, x1, x2, y0, y1, y2, w0, w1, w2, h0, h1, h2, ..], data)) =
                frame.split_first_chunk::<16>()
            else {
                return Err(cut_short());
            };
            let place = (2 * u24([x0, x1, x2]), 2 * u24([y0, y1, y2]));
            let size = (1 + u24([w0, w1, w2]), 1 + u24([h0, h1, h2]));
            (place, size, Chunks(data))
        } else {
            ((0, 0), canvas, chunks)
        };
        if place.0 + size.0 > canvas.0 || place.1 + size.1 > canvas.1 {
            return Err(damaged(NAME, "its first frame goes beyond its canvas"));
        }
        let mut opacity = None;
        for chunk in picture {
            match chunk? {
                (b"ALPH", data) if opacity.is_none() => opacity = Some(data),
                (kind @ (b"VP8 " | b"VP8L"), data) => {
                    if picture_size(*kind, data)? != size {
                        return Err(other_size());
                    }
                    return Ok(Self {
                        canvas,
                        place,
                        size,
                        has_opacity,
                        coding: match kind {
                            b"VP8L" => Coding::Lossless,
                            // Opacity that is not announced is not read.
                            _ => Coding::Lossy {
                                opacity: opacity.filter(|_| has_opacity),
                            },
                        },
                        data,
                        exif,
                    });
                }
                _ => {}
            }
        }
        Err(no_picture())
    }

    /// The canvas with the picture on it.
    fn pixels(&self, preprocessing: &Preprocessing) -> Result<Raster> {
        let file = self.still();
        let mut decoder = WebPDecoder::new(Cursor::new(&file)).map_err(problem)?;
        if decoder.dimensions() != self.size {
            return Err(other_size());
        }
        let size = decoder.output_buffer_size().ok_or_else(out_of_reach)?;
        let mut samples = vec![0; size];
        decoder.read_image(&mut samples).map_err(problem)?;

        // Outside of a frame is transparent black.
        let outside = if self.has_opacity { 0 } else { 255 };
        let mut canvas = Canvas::of(self.canvas, [0, 0, 0, outside], preprocessing);
        let channels = if decoder.has_alpha() { 4 } else { 3 };
        let rows = samples.chunks_exact(channels * self.size.0 as usize);
        for (y, row) in (self.place.1..).zip(rows) {
            for (x, pixel) in (self.place.0..).zip(row.chunks_exact(channels)) {
                let opacity = match pixel.get(3) {
                    Some(&opacity) if self.has_opacity => opacity,
                    _ => 255,
                };
                canvas.put(x, y, [pixel[0], pixel[1], pixel[2], opacity]);
            }
        }
        Ok(canvas.into())
    }

    /// The picture alone, as a file.
    fn still(&self) -> Vec<u8> {
        let mut chunks = Vec::with_capacity(self.data.len() + 64);
        let kind = match self.coding {
            Coding::Lossless => *b"VP8L",
            Coding::Lossy { .. } => *b"VP8 ",
        };
        let opacity = match self.coding {
            Coding::Lossy { opacity } => opacity,
            Coding::Lossless => None,
        };
        // Without this, a lossless picture without opacity would be unpacked twice.
        if opacity.is_some() || matches!(self.coding, Coding::Lossless) {
            let [width, height] = [self.size.0, self.size.1].map(|side| (side - 1).to_le_bytes());
            let mut features = vec![0x10, 0, 0, 0];
            features.extend(&width[..3]);
            features.extend(&height[..3]);
            push_chunk(&mut chunks, *b"VP8X", &features);
        }
        if let Some(opacity) = opacity {
            push_chunk(&mut chunks, *b"ALPH", opacity);
        }
        push_chunk(&mut chunks, kind, self.data);
        let mut file = Vec::with_capacity(chunks.len() + 12);
        file.extend(b"RIFF");
        file.extend(four_bytes(chunks.len() + 4));
        file.extend(b"WEBP");
        file.append(&mut chunks);
        file
    }
}

/// The chunks of a file, by name and content.
#[derive(Clone)]
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.first_chunk()?;
        let size = chunk_size(self.0);
        let Some(data) = size.and_then(|size| self.0[8..].get(..size)) else {
            self.0 = &[];
            return Some(Err(cut_short()));
        };
        // Padded to two bytes.
        let next = 8 + data.len().next_multiple_of(2);
        self.0 = self.0.get(next..).unwrap_or_default();
        Some(Ok((name, data)))
    }
}

/// The size behind a chunk's name.
fn chunk_size(chunk: &[u8]) -> Option<usize> {
    let size = chunk.get(4..8)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(size)).ok()
}

fn push_chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    file.extend(name);
    file.extend(four_bytes(data.len()));
    file.extend(data);
    if !data.len().is_multiple_of(2) {
        file.push(0);
    }
}

/// A size that was read as four bytes, or less.
fn four_bytes(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

/// Width and height as a picture's own header has them.
fn picture_size(kind: [u8; 4], data: &[u8]) -> Result<(u32, u32)> {
    match (&kind, data) {
        (b"VP8 ", &[_, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..]) => {
            let [width, height] = [[w0, w1], [h0, h1]].map(u16::from_le_bytes);
            let size = (u32::from(width & 0x3FFF), u32::from(height & 0x3FFF));
            if size.0 == 0 || size.1 == 0 {
                return Err(damaged(NAME, "it has no pixels"));
            }
            Ok(size)
        }
        (b"VP8L", &[0x2F, b0, b1, b2, b3, ..]) => {
            let bits = u32::from_le_bytes([b0, b1, b2, b3]);
            Ok((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)))
        }
        (b"VP8 " | b"VP8L", _) => Err(damaged(NAME, "its picture has no header")),
        _ => Err(no_picture()),
    }
}

fn u24([low, middle, high]: [u8; 3]) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}

fn cut_short() -> Error {
    damaged(NAME, "the data stops early")
}

fn no_picture() -> Error {
    damaged(NAME, "it has no picture")
}

fn other_size() -> Error {
    damaged(NAME, "its picture is not of the size that it says")
}

fn out_of_reach() -> Error {
    too_large("its pixels are more than can be counted")
}

/// What the decoder says, in words for people.
fn problem(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(_) | DecodingError::NotEnoughInitData => cut_short(),
        DecodingError::ImageTooLarge | DecodingError::MemoryLimitExceeded => out_of_reach(),
        DecodingError::UnsupportedFeature(_) => {
            unsupported(NAME, "its picture begins with no key frame")
        }
        DecodingError::VersionNumberInvalid(_) => {
            unsupported(NAME, "a later version of lossless coding")
        }
        DecodingError::InvalidAlphaPreprocessing
        | DecodingError::InvalidCompressionMethod
        | DecodingError::AlphaChunkSizeMismatch => damaged(NAME, "its opacity is corrupt"),
        DecodingError::InconsistentImageSizes | DecodingError::FrameOutsideImage => {
            damaged(NAME, "its sizes contradict each other")
        }
        _ => damaged(NAME, "its picture's data is corrupt"),
    }
}
