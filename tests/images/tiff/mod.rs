//! TIFF files of every kind that is read become the pixels they were made from, and others are
//! refused by name. The files are made here, tag by tag.

mod colours;
mod compression;
mod jpeg;
mod layout;

use std::io::Write;
use std::ops::Range;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use senet::image::{Alpha, Orientation, Preprocessing, Request, SixteenBit, decode_bytes, header};
use weezl::BitOrder;

use super::{channel, pattern, plain};

const WIDTH: u32 = 8;
const HEIGHT: u32 = 6;

const WHITE_IS_ZERO: u32 = 0;
const BLACK_IS_ZERO: u32 = 1;
const RGB: u32 = 2;
const PALETTE: u32 = 3;
const CMYK: u32 = 5;

const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const ORIENTATION: u16 = 274;
const SAMPLES: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const PLANAR: u16 = 284;
const GROUP3_OPTIONS: u16 = 292;
const PREDICTOR: u16 = 317;
const COLOUR_MAP: u16 = 320;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
const JPEG_TABLES: u16 = 347;
const XMP: u16 = 700;

const UNSPECIFIED: u32 = 0;
const MULTIPLIED: u32 = 1;
const SEPARATE: u32 = 2;

/// A file in the making.
#[derive(Clone)]
struct Tiff {
    big_endian: bool,
    /// With offsets of 64 bits.
    big: bool,
    tags: Vec<(u16, Vec<u32>)>,
    chunks: Vec<Vec<u8>>,
}

impl Tiff {
    /// One strip of `samples` samples a pixel, of `bits` bits each.
    fn new(photometric: u32, samples: u32, bits: u32, strip: Vec<u8>) -> Self {
        let whole = Self {
            big_endian: false,
            big: false,
            tags: Vec::new(),
            chunks: vec![strip],
        };
        whole
            .tag(256, &[WIDTH])
            .tag(257, &[HEIGHT])
            .tag(BITS, &vec![bits; samples as usize])
            .tag(PHOTOMETRIC, &[photometric])
            .tag(SAMPLES, &[samples])
    }

    /// The pattern that every test image has.
    fn rgb() -> Self {
        let pixels = places().flat_map(|(x, y)| pattern(x, y)).collect();
        Self::new(RGB, 3, 8, pixels)
    }

    fn tag(mut self, tag: u16, values: &[u32]) -> Self {
        self.tags.retain(|(other, _)| *other != tag);
        self.tags.push((tag, values.to_vec()));
        self
    }

    fn chunks(mut self, chunks: Vec<Vec<u8>>) -> Self {
        self.chunks = chunks;
        self
    }

    /// Compresses each strip or tile.
    fn compressed(self, number: u32, compress: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let chunks = self.chunks.iter().map(|chunk| compress(chunk)).collect();
        self.chunks(chunks).tag(COMPRESSION, &[number])
    }

    fn number(&self, number: u64, width: usize) -> Vec<u8> {
        if self.big_endian {
            number.to_be_bytes()[8 - width..].to_vec()
        } else {
            number.to_le_bytes()[..width].to_vec()
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let width = if self.big { 8 } else { 4 };
        let mut file = if self.big_endian { b"MM" } else { b"II" }.to_vec();
        if self.big {
            file.extend([43, 8, 0].map(|half| self.number(half, 2)).concat());
        } else {
            file.extend(self.number(42, 2));
        }
        // Where the directory will be.
        let place = file.len();
        file.extend(self.number(0, width));
        let mut tags = self.tags.clone();
        let mut offsets = Vec::new();
        for chunk in &self.chunks {
            offsets.push(u32::try_from(file.len()).unwrap());
            file.extend(chunk);
        }
        let lengths = self
            .chunks
            .iter()
            .map(|chunk| u32::try_from(chunk.len()).unwrap());
        let tiled = tags.iter().any(|(tag, _)| *tag == TILE_WIDTH);
        for (tag, values) in [
            (if tiled { 324 } else { 273 }, offsets),
            (if tiled { 325 } else { 279 }, lengths.collect()),
        ] {
            if tags.iter().all(|(other, _)| *other != tag) {
                tags.push((tag, values));
            }
        }
        tags.sort();
        let mut entries = Vec::new();
        for (tag, values) in &tags {
            // These two are bytes; all others are written as LONG.
            let (kind, size) = if *tag == XMP || *tag == JPEG_TABLES {
                (1, 1)
            } else {
                (4, 4)
            };
            let mut stored: Vec<u8> = values
                .iter()
                .flat_map(|value| self.number((*value).into(), size))
                .collect();
            entries.extend(self.number((*tag).into(), 2));
            entries.extend(self.number(kind, 2));
            entries.extend(self.number(values.len() as u64, width));
            if stored.len() > width {
                entries.extend(self.number(file.len() as u64, width));
                file.extend(stored);
            } else {
                stored.resize(width, 0);
                entries.extend(stored);
            }
        }
        let directory = self.number(file.len() as u64, width);
        file[place..place + width].copy_from_slice(&directory);
        let count = tags.len() as u64;
        file.extend(self.number(count, if self.big { 8 } else { 2 }));
        file.extend(entries);
        file.extend(self.number(0, width));
        file
    }
}

fn places() -> impl Iterator<Item = (u32, u32)> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)))
}

/// Samples of fewer than 8 bits, or of 12, side by side, each row from a new byte on.
fn packed(bits: u32, sample: impl Fn(u32, u32) -> u32) -> Vec<u8> {
    let row = |y: u32| {
        let samples = (0..WIDTH).map(|x| sample(x, y));
        let row = samples.flat_map(|sample| (0..bits).rev().map(move |bit| sample >> bit & 1));
        bits_of(
            &row.map(|bit| if bit == 1 { '1' } else { '0' })
                .collect::<String>(),
        )
    };
    (0..HEIGHT).flat_map(row).collect()
}

/// The bytes of a text of zeros and ones, the highest bit first; blanks are for people.
fn bits_of(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |bits: &[u8]| {
        let bits = bits.iter().enumerate();
        bits.fold(0, |byte, (place, bit)| byte | (bit - b'0') << (7 - place))
    };
    bits.chunks(8).map(byte).collect()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lzw(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8);
    encoder.encode(bytes).unwrap()
}

/// Every other byte as a run of one, and those between as they are.
fn packed_bits(bytes: &[u8]) -> Vec<u8> {
    // 128 says nothing.
    let mut made = vec![128];
    for pair in bytes.chunks(2) {
        made.extend([0, pair[0]]);
        made.extend(pair.get(1).map(|byte| vec![0, *byte]).unwrap_or_default());
    }
    made
}

/// One frame of one block, as it is.
fn zstandard(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    // The size in a byte, which is that of the window, too; then the last block's size.
    let mut made = vec![0x28, 0xB5, 0x2F, 0xFD, 0x20, length];
    let block = 1 | u32::from(length) << 3;
    made.extend(&block.to_le_bytes()[..3]);
    made.extend(bytes);
    made
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.reverse_bits()).collect()
}

fn timm() -> Preprocessing {
    Preprocessing {
        alpha: Alpha::Drop,
        sixteen_bit: SixteenBit::Saturate,
        orientation: Orientation::Ignore,
        ..plain()
    }
}

fn decode_as(tiff: &Tiff, preprocessing: &Preprocessing) -> RgbImage {
    let decoded = decode_bytes(&tiff.bytes(), &Request::new(preprocessing)).unwrap();
    assert_eq!(decoded.damage, None);
    decoded.pixels.into_rgb()
}

fn error(tiff: &Tiff) -> String {
    let error = decode_bytes(&tiff.bytes(), &Request::new(&plain())).unwrap_err();
    error.to_string()
}

#[track_caller]
fn assert_as(tiff: &Tiff, preprocessing: &Preprocessing, expected: impl Fn(u32, u32) -> [u8; 3]) {
    let found = decode_as(tiff, preprocessing);
    assert_eq!(found.dimensions(), (WIDTH, HEIGHT));
    for (x, y) in places() {
        let pixel = found.get_pixel(x, y).0;
        assert_eq!(pixel, expected(x, y), "column {x}, row {y}");
    }
}

/// Whatever the preprocessing says.
#[track_caller]
fn assert_pixels(tiff: &Tiff, expected: impl Fn(u32, u32) -> [u8; 3]) {
    for preprocessing in [plain(), timm()] {
        assert_as(tiff, &preprocessing, &expected);
    }
}

/// The pattern as a JPEG file of the best quality, in YCbCr.
fn jpeg() -> Vec<u8> {
    let pattern = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| image::Rgb(pattern(x, y)));
    jpeg_of(&pattern)
}

fn jpeg_of(pixels: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, 100);
    pixels.write_with_encoder(encoder).unwrap();
    file
}
