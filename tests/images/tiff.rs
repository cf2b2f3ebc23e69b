//! TIFF files of every kind that is read become the pixels they were made from, and others are
//! refused by name. The files are made here, tag by tag.

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
    decoded.pixels
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

#[test]
fn strips_of_every_height_are_put_together() {
    let rows: Vec<u8> = Tiff::rgb().chunks.concat();
    for height in 1..=HEIGHT + 1 {
        let strips = rows.chunks((3 * WIDTH * height) as usize);
        let tiff = Tiff::rgb()
            .chunks(strips.map(<[u8]>::to_vec).collect())
            .tag(ROWS_PER_STRIP, &[height]);
        assert_pixels(&tiff, pattern);
        assert_pixels(&tiff.compressed(8, deflated), pattern);
    }
}

/// The pattern in tiles of 5 columns and 4 rows, of which the outer ones go beyond the image;
/// those of `channels`.
fn tiles(channels: Range<usize>) -> Vec<Vec<u8>> {
    let corners = [(0, 0), (5, 0), (0, 4), (5, 4)];
    let tile = |(left, top): (u32, u32)| {
        let places = (top..top + 4).flat_map(|y| (left..left + 5).map(move |x| (x, y)));
        let samples = places.map(|(x, y)| {
            if x < WIDTH && y < HEIGHT {
                pattern(x, y)
            } else {
                [77; 3]
            }
        });
        samples
            .flat_map(|pixel| pixel[channels.clone()].to_vec())
            .collect()
    };
    corners.map(tile).to_vec()
}

#[test]
fn tiles_are_put_together() {
    let tiff = Tiff::rgb()
        .chunks(tiles(0..3))
        .tag(TILE_WIDTH, &[5])
        .tag(TILE_HEIGHT, &[4]);
    assert_pixels(&tiff, pattern);
    assert_pixels(&tiff.compressed(8, deflated), pattern);
}

#[test]
fn planes_are_put_together_from_strips_and_tiles() {
    let plane = |channel: usize| places().map(|(x, y)| pattern(x, y)[channel]).collect();
    let strips = Tiff::rgb()
        .chunks([0, 1, 2].map(plane).to_vec())
        .tag(PLANAR, &[2]);
    let tiled = Tiff::rgb()
        .chunks([0..1, 1..2, 2..3].map(tiles).concat())
        .tag(TILE_WIDTH, &[5])
        .tag(TILE_HEIGHT, &[4])
        .tag(PLANAR, &[2]);
    for tiff in [strips, tiled] {
        assert_pixels(&tiff, pattern);
        assert_pixels(&tiff.compressed(5, lzw), pattern);
    }
}

#[test]
fn every_compression_gives_the_same_pixels() {
    for (number, compress) in [
        (5, lzw as fn(&[u8]) -> Vec<u8>),
        (8, deflated),
        (32946, deflated),
        (32773, packed_bits),
        (50000, zstandard),
    ] {
        println!("compression {number}");
        assert_pixels(&Tiff::rgb().compressed(number, compress), pattern);
    }
}

#[test]
fn lzw_codes_from_before_tiff_6_are_read() {
    // The lowest bit first, and longer codes one later: as in GIF.
    let old = |bytes: &[u8]| {
        let mut encoder = weezl::encode::Encoder::new(BitOrder::Lsb, 8);
        encoder.encode(bytes).unwrap()
    };
    // Enough of them for codes of more than 9 bits.
    let gray = |x: u32, y: u32| channel((x * x * 7 + y * 13) % 251);
    let (width, height) = (60, 40);
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| gray(x, y)));
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 8, pixels.collect())
        .tag(256, &[width])
        .tag(257, &[height])
        .compressed(5, old);
    let found = decode_as(&tiff, &plain());
    for (x, y, pixel) in found.enumerate_pixels() {
        assert_eq!(pixel.0, [gray(x, y); 3], "column {x}, row {y}");
    }
}

#[test]
fn differences_to_the_left_neighbour_are_added_up() {
    let rows = Tiff::rgb().chunks.concat();
    let mut differences = rows.clone();
    for row in 0..HEIGHT as usize {
        for place in (3..24).rev().map(|place| 24 * row + place) {
            differences[place] = rows[place].wrapping_sub(rows[place - 3]);
        }
    }
    let tiff = Tiff::rgb().chunks(vec![differences]).tag(PREDICTOR, &[2]);
    assert_pixels(&tiff.clone().compressed(8, deflated), pattern);
    assert_pixels(&tiff.compressed(5, lzw), pattern);
}

#[test]
fn sixteen_bit_differences_are_added_up_in_both_byte_orders() {
    for big_endian in [false, true] {
        let mut tiff = Tiff::rgb();
        tiff.big_endian = big_endian;
        let wide = |x: u32, y: u32| pattern(x, y).map(|sample| 257 * u32::from(sample));
        let difference = |x: u32, y: u32| {
            let left = if x == 0 { [0; 3] } else { wide(x - 1, y) };
            [0, 1, 2].map(|channel: usize| (wide(x, y)[channel] + 65536 - left[channel]) % 65536)
        };
        let bytes = places()
            .flat_map(|(x, y)| difference(x, y))
            .flat_map(|sample| tiff.number(sample.into(), 2));
        let strip = bytes.collect();
        let tiff = tiff
            .chunks(vec![strip])
            .tag(BITS, &[16, 16, 16])
            .tag(PREDICTOR, &[2])
            .compressed(8, deflated);
        assert_pixels(&tiff, pattern);
    }
}

#[test]
fn a_predictor_without_a_compression_that_has_one_is_passed_over() {
    assert_pixels(&Tiff::rgb().tag(PREDICTOR, &[2]), pattern);
    let tiff = Tiff::rgb().tag(PREDICTOR, &[2]);
    assert_pixels(&tiff.compressed(32773, packed_bits), pattern);
}

#[test]
fn both_byte_orders_and_wide_offsets_are_read() {
    for big_endian in [false, true] {
        for big in [false, true] {
            let mut tiff = Tiff::rgb();
            (tiff.big_endian, tiff.big) = (big_endian, big);
            assert_pixels(&tiff, pattern);
        }
    }
}

#[test]
fn every_orientation_is_turned_whatever_the_preprocessing_says() {
    let (right, bottom) = (WIDTH - 1, HEIGHT - 1);
    for number in 1..=8 {
        // Where the pixel at a place of the turned image is stored.
        let stored = |x: u32, y: u32| match number {
            2 => (right - x, y),
            3 => (right - x, bottom - y),
            4 => (x, bottom - y),
            5 => (y, x),
            6 => (y, bottom - x),
            7 => (right - y, bottom - x),
            8 => (right - y, x),
            _ => (x, y),
        };
        let packet = format!("<rdf:Description tiff:Orientation=\"{number}\"/>");
        let element = format!("<tiff:Orientation>{number}</tiff:Orientation>");
        let xmp = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
        for tiff in [
            Tiff::rgb().tag(ORIENTATION, &[number]),
            // Where the tag is missing, Pillow looks into the XMP metadata.
            Tiff::rgb().tag(XMP, &xmp(&packet)),
            Tiff::rgb().tag(XMP, &xmp(&element)),
        ] {
            for preprocessing in [plain(), timm()] {
                let found = decode_as(&tiff, &preprocessing);
                let turned = if number > 4 {
                    (HEIGHT, WIDTH)
                } else {
                    (WIDTH, HEIGHT)
                };
                assert_eq!(found.dimensions(), turned, "orientation {number}");
                for (x, y, pixel) in found.enumerate_pixels() {
                    let (x, y) = stored(x, y);
                    assert_eq!(pixel.0, pattern(x, y), "orientation {number}");
                }
            }
        }
    }
}

#[test]
fn reversed_bits_are_put_right_before_they_are_decompressed() {
    let tiff = Tiff::rgb().tag(FILL_ORDER, &[2]);
    let reverse = |tiff: &Tiff| {
        let chunks = tiff.chunks.iter().map(|chunk| reversed(chunk)).collect();
        tiff.clone().chunks(chunks)
    };
    assert_pixels(&reverse(&tiff), pattern);
    assert_pixels(
        &reverse(&tiff.clone().compressed(32773, packed_bits)),
        pattern,
    );
    assert_pixels(&reverse(&tiff.compressed(5, lzw)), pattern);
}

#[test]
fn gray_of_few_bits_covers_black_to_white() {
    for bits in [1, 2, 4, 8] {
        let white = (1 << bits) - 1;
        let sample = |x: u32, y: u32| (x + 3 * y) % (white + 1);
        let share = |sample: u32| [channel(sample * 255 / white); 3];
        let strip = packed(bits, sample);
        assert_pixels(&Tiff::new(BLACK_IS_ZERO, 1, bits, strip.clone()), |x, y| {
            share(sample(x, y))
        });
        assert_pixels(&Tiff::new(WHITE_IS_ZERO, 1, bits, strip), |x, y| {
            share(white - sample(x, y))
        });
    }
}

#[test]
fn rows_of_bits_begin_at_a_byte() {
    let bit = |x: u32, y: u32| (x + y).is_multiple_of(2);
    let (width, height) = (11, 3);
    let row = |y: u32| {
        let bits: String = (0..width)
            .map(|x| if bit(x, y) { '1' } else { '0' })
            .collect();
        bits_of(&bits)
    };
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 1, (0..height).flat_map(row).collect())
        .tag(256, &[width])
        .tag(257, &[height]);
    let found = decode_as(&tiff, &plain());
    for (x, y, pixel) in found.enumerate_pixels() {
        assert_eq!(pixel.0, [if bit(x, y) { 255 } else { 0 }; 3]);
    }
}

#[test]
fn gray_of_many_bits_is_scaled_or_saturates_as_in_pillow() {
    for big_endian in [false, true] {
        for (bits, white) in [(12, 4095), (16, 65535)] {
            let sample = |x: u32, y: u32| (x + WIDTH * y).pow(2) * white / 47_u32.pow(2);
            let mut tiff = Tiff::new(BLACK_IS_ZERO, 1, bits, Vec::new());
            tiff.big_endian = big_endian;
            let strip = if bits == 16 {
                let samples = places().map(|(x, y)| sample(x, y));
                samples
                    .flat_map(|sample| tiff.number(sample.into(), 2))
                    .collect()
            } else {
                // Whatever the byte order, the highest bit first.
                packed(bits, sample)
            };
            let tiff = tiff.chunks(vec![strip]);
            // Rounded to the nearest.
            let scaled = |sample: u32| [channel((2 * 255 * sample + white) / (2 * white)); 3];
            let saturated = |sample: u32| [channel(sample.min(255)); 3];
            assert_as(&tiff, &plain(), |x, y| scaled(sample(x, y)));
            assert_as(&tiff, &timm(), |x, y| saturated(sample(x, y)));
            // Pillow does not turn these around; scaling them does.
            let tiff = tiff.tag(PHOTOMETRIC, &[WHITE_IS_ZERO]);
            assert_as(&tiff, &plain(), |x, y| scaled(white - sample(x, y)));
            assert_as(&tiff, &timm(), |x, y| saturated(sample(x, y)));
        }
    }
}

#[test]
fn palettes_of_every_size_are_looked_up() {
    for bits in [1, 2, 4, 8] {
        let number = |x: u32, y: u32| (x + WIDTH * y) % (1 << bits);
        // All reds come first; Pillow takes the upper byte of each.
        let colour = |number: u32| [number, 255 - number, number * 37 % 256];
        let map: Vec<u32> = (0..3)
            .flat_map(|channel| {
                (0..1 << bits).map(move |number| 256 * colour(number)[channel] + 99)
            })
            .collect();
        let tiff = Tiff::new(PALETTE, 1, bits, packed(bits, number)).tag(COLOUR_MAP, &map);
        assert_pixels(&tiff, |x, y| colour(number(x, y)).map(channel));
    }
}

#[test]
fn a_palette_with_opacity_is_composed_over_white() {
    let strip = places().flat_map(|(x, y)| [channel(x % 2), channel(40 * y)]);
    let map = [256 * 200, 0, 256 * 100, 256 * 50, 0, 256 * 255];
    let mut map: Vec<u32> = map.to_vec();
    for place in [2, 258, 514] {
        map.splice(place..place, [0; 254]);
    }
    let tiff = Tiff::new(PALETTE, 2, 8, strip.collect())
        .tag(COLOUR_MAP, &map)
        .tag(EXTRA_SAMPLES, &[SEPARATE]);
    let colour = |x: u32| {
        if x.is_multiple_of(2) {
            [200, 100, 0]
        } else {
            [0, 50, 255]
        }
    };
    assert_as(&tiff, &timm(), |x, _| colour(x).map(channel));
    assert_as(&tiff, &plain(), |x, y| {
        colour(x).map(|sample| over_white(sample, 40 * y))
    });
}

/// Composed over white and rounded.
fn over_white(sample: u32, opacity: u32) -> u8 {
    channel((2 * (sample * opacity + 255 * (255 - opacity)) + 255) / 510)
}

/// The pattern, each pixel with a further sample.
fn with_extra(samples: impl Fn(u32, u32) -> [u32; 4]) -> Tiff {
    let pixels = places().flat_map(|(x, y)| samples(x, y)).map(channel);
    Tiff::new(RGB, 4, 8, pixels.collect())
}

#[test]
fn opacity_is_dropped_or_composed_over_white_once() {
    let opacity = |x: u32| 36 * x;
    let separate = with_extra(|x, y| {
        let [red, green, blue] = pattern(x, y).map(u32::from);
        [red, green, blue, opacity(x)]
    });
    // Without the tag a fourth sample is opacity, too; 999 is Corel Draw's.
    for tiff in [
        separate.clone(),
        separate.clone().tag(EXTRA_SAMPLES, &[SEPARATE]),
        separate.tag(EXTRA_SAMPLES, &[999]),
    ] {
        assert_as(&tiff, &timm(), pattern);
        assert_as(&tiff, &plain(), |x, y| {
            pattern(x, y).map(|sample| over_white(sample.into(), opacity(x)))
        });
    }
}

#[test]
fn colours_that_were_multiplied_with_their_opacity_are_divided_by_it() {
    let opacity = |x: u32| 36 * x;
    let multiplied =
        |x: u32, y: u32| pattern(x, y).map(|sample| u32::from(sample) * opacity(x) / 255);
    let tiff = with_extra(|x, y| {
        let [red, green, blue] = multiplied(x, y);
        [red, green, blue, opacity(x)]
    })
    .tag(EXTRA_SAMPLES, &[MULTIPLIED]);
    assert_as(&tiff, &timm(), |x, y| {
        // What is not to be seen at all is black.
        let divided = |sample: u32| (255 * sample).checked_div(opacity(x)).unwrap_or(0);
        multiplied(x, y).map(|sample| channel(divided(sample)))
    });
    assert_as(&tiff, &plain(), |x, y| {
        multiplied(x, y).map(|sample| channel(sample + 255 - opacity(x)))
    });
}

#[test]
fn a_further_sample_of_no_stated_use_is_no_opacity() {
    let tiff = with_extra(|x, y| {
        let [red, green, blue] = pattern(x, y).map(u32::from);
        [red, green, blue, 0]
    });
    assert_pixels(&tiff.tag(EXTRA_SAMPLES, &[UNSPECIFIED]), pattern);
}

#[test]
fn gray_has_opacity_too() {
    let strip = places().flat_map(|(x, y)| [channel(5 * (x + WIDTH * y)), channel(36 * x)]);
    let tiff = Tiff::new(BLACK_IS_ZERO, 2, 8, strip.collect()).tag(EXTRA_SAMPLES, &[SEPARATE]);
    assert_as(&tiff, &timm(), |x, y| [channel(5 * (x + WIDTH * y)); 3]);
    assert_as(&tiff, &plain(), |x, y| {
        [over_white(5 * (x + WIDTH * y), 36 * x); 3]
    });
}

#[test]
fn inks_take_from_white_as_in_pillow() {
    let inks = |x: u32, y: u32| [30 * x, 40 * y, 255 - 20 * x, 25 * y + x];
    // What is left of the light that black leaves, by the nearest share of 255.
    let colour = |x: u32, y: u32| {
        let [cyan, magenta, yellow, black] = inks(x, y);
        let light = 255 - black;
        [cyan, magenta, yellow].map(|ink| channel(light - (2 * ink * light + 255) / 510))
    };
    let samples = || places().flat_map(|(x, y)| inks(x, y));
    let tiff = Tiff::new(CMYK, 4, 8, samples().map(channel).collect());
    assert_pixels(&tiff, colour);
    let wide = |tiff: &Tiff| {
        samples()
            .flat_map(|ink| tiff.number((257 * ink).into(), 2))
            .collect()
    };
    let tiff = Tiff::new(CMYK, 4, 16, wide(&tiff));
    assert_pixels(&tiff, colour);
}

#[test]
fn planes_of_sixteen_bits_are_put_together() {
    // Pillow itself takes the bytes of uncompressed ones for samples.
    let plane = |channel: usize| {
        let samples = places().map(|(x, y)| pattern(x, y)[channel]);
        samples.flat_map(|sample| [sample; 2]).collect()
    };
    let tiff = Tiff::rgb()
        .chunks([0, 1, 2].map(plane).to_vec())
        .tag(BITS, &[16, 16, 16])
        .tag(PLANAR, &[2]);
    assert_pixels(&tiff, pattern);
    assert_pixels(&tiff.compressed(8, deflated), pattern);
}

/// Three rows of eight columns: three white, two black and three white ones; the same; the black
/// ones at one column to the right.
fn assert_facsimile(compression: u32, options: u32, data: &[u8]) {
    let tiff = Tiff::new(WHITE_IS_ZERO, 1, 1, data.to_vec())
        .tag(257, &[3])
        .tag(COMPRESSION, &[compression])
        .tag(GROUP3_OPTIONS, &[options]);
    for tiff in [
        tiff.clone()
            .chunks(vec![reversed(data)])
            .tag(FILL_ORDER, &[2]),
        tiff,
    ] {
        let found = decode_as(&tiff, &plain());
        for (x, y, pixel) in found.enumerate_pixels() {
            let left = if y == 2 { 4 } else { 3 };
            let black = (left..left + 2).contains(&x);
            assert_eq!(
                pixel.0,
                [if black { 0 } else { 255 }; 3],
                "column {x}, row {y}"
            );
        }
    }
}

#[test]
fn facsimile_rows_of_every_coding_are_read() {
    // Runs of T.4: white 2, 3, 4 are 0111, 1000, 1011; black 2 is 11.
    let rows = ["1000 11 1000", "1000 11 1000", "1011 11 0111"];
    let end_of_line = "000000000001";
    let padded = |row: &str, to: usize| {
        let mut bits: String = row.split(' ').collect();
        while !bits.len().is_multiple_of(to) {
            bits.push('0');
        }
        bits
    };
    let alone = |to| bits_of(&rows.map(|row| padded(row, to)).concat());
    assert_facsimile(2, 0, &alone(8));
    assert_facsimile(32771, 0, &alone(16));

    let with_ends = rows.map(|row| [end_of_line, row].concat()).concat();
    assert_facsimile(3, 0, &bits_of(&with_ends));
    // Some writers leave the ends of lines away.
    assert_facsimile(3, 0, &bits_of(&rows.concat()));
    // Filled up so that an end of line ends with a byte.
    let filled = rows.map(|row| ["0000", end_of_line, &padded(row, 8)].concat());
    assert_facsimile(3, 4, &bits_of(&filled.concat()));

    // By the row above: nothing moves (1), or all moves to the right by one (011).
    let tagged = [
        end_of_line,
        "1",
        rows[0],
        end_of_line,
        "0 111",
        end_of_line,
        "0 011 011 1",
    ];
    assert_facsimile(3, 1, &bits_of(&tagged.concat()));
    // Runs (001), with nothing but white above.
    assert_facsimile(4, 0, &bits_of("001 1000 11 1  111  011 011 1"));
}

#[test]
fn damaged_facsimile_data_is_an_error() {
    for bits in [
        // Ends early; a run beyond the row; a code that is none.
        "001 1000 11 1",
        "001 1000 000101 1",
        "001 00000000",
    ] {
        let tiff = Tiff::new(WHITE_IS_ZERO, 1, 1, bits_of(bits)).tag(COMPRESSION, &[4]);
        let message = error(&tiff);
        assert!(
            message.starts_with("truncated or damaged TIFF: "),
            "{message}"
        );
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

/// The segments of a JPEG file before its scan, and the rest.
fn segments(file: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut found, mut rest) = (Vec::new(), &file[2..]);
    while rest[1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        found.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    (found, rest.to_vec())
}

const YCBCR: u32 = 6;
const JPEG_TABLES: u16 = 347;
const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

#[test]
fn jpeg_in_a_tiff_is_what_it_is_alone() {
    let alone = decode_bytes(&jpeg(), &Request::new(&plain()))
        .unwrap()
        .pixels;
    let tiff = Tiff::rgb()
        .tag(PHOTOMETRIC, &[YCBCR])
        .tag(COMPRESSION, &[7]);
    let whole = tiff.clone().chunks(vec![jpeg()]);
    assert_pixels(&whole, |x, y| alone.get_pixel(x, y).0);

    // Tables are for all strips, and each has its own frame and scan.
    let (segments, scan) = segments(&jpeg());
    let is_table = |segment: &&Vec<u8>| matches!(segment[1], 0xC4 | 0xDB);
    let (tables, own): (Vec<_>, Vec<_>) = segments.iter().partition(is_table);
    assert!(!tables.is_empty());
    let concat =
        |segments: Vec<&Vec<u8>>| segments.into_iter().flatten().copied().collect::<Vec<_>>();
    let tables = [&START_OF_IMAGE[..], &concat(tables), &END_OF_IMAGE].concat();
    let strip = [&START_OF_IMAGE[..], &concat(own), &scan].concat();
    let tables: Vec<u32> = tables.into_iter().map(u32::from).collect();
    let shared = tiff.chunks(vec![strip]).tag(JPEG_TABLES, &tables);
    assert_pixels(&shared, |x, y| alone.get_pixel(x, y).0);
    // Bits of JPEG are never reversed.
    assert_pixels(&shared.tag(FILL_ORDER, &[2]), |x, y| {
        alone.get_pixel(x, y).0
    });
}

#[test]
#[cfg_attr(not(feature = "libjpeg"), ignore = "refused without libjpeg")]
fn the_tiff_says_of_which_colours_a_jpeg_in_it_is() {
    // Of a flat gray image brightness is that gray, and colours are 128, whatever the JFIF
    // marker says of them.
    let gray = jpeg_of(&RgbImage::from_pixel(WIDTH, HEIGHT, image::Rgb([100; 3])));
    let tiff = Tiff::rgb().chunks(vec![gray]).tag(COMPRESSION, &[7]);
    assert_pixels(&tiff.clone().tag(PHOTOMETRIC, &[YCBCR]), |_, _| [100; 3]);
    assert_pixels(&tiff, |_, _| [100, 128, 128]);
}

#[test]
fn a_gray_jpeg_in_a_tiff_may_be_a_plane() {
    let plane = |value: u8| {
        let mut file = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut file, 100);
        let flat = image::GrayImage::from_pixel(WIDTH, HEIGHT, image::Luma([value]));
        flat.write_with_encoder(encoder).unwrap();
        file
    };
    let gray = Tiff::new(WHITE_IS_ZERO, 1, 8, plane(90)).tag(COMPRESSION, &[7]);
    assert_pixels(&gray, |_, _| [165; 3]);
    let planes = Tiff::rgb()
        .chunks([10, 20, 30].map(plane).to_vec())
        .tag(COMPRESSION, &[7])
        .tag(PLANAR, &[2]);
    assert_pixels(&planes, |_, _| [10, 20, 30]);
}

#[test]
fn a_jpeg_that_does_not_fit_its_strip_is_an_error() {
    let tiff = Tiff::rgb()
        .tag(PHOTOMETRIC, &[YCBCR])
        .tag(COMPRESSION, &[7]);
    let jpeg = jpeg();
    for (chunk, width, problem) in [
        (
            &jpeg[..],
            9,
            "a JPEG in it has another size than its strip or tile",
        ),
        (
            &jpeg[..40],
            WIDTH,
            "the data of a strip or tile ends before it is whole",
        ),
        (&jpeg[..2], WIDTH, "a JPEG in it has no frame"),
        (b"text", WIDTH, "a JPEG in it has data between its segments"),
    ] {
        let tiff = tiff.clone().chunks(vec![chunk.to_vec()]).tag(256, &[width]);
        assert_eq!(
            error(&tiff),
            format!("truncated or damaged TIFF: {problem}")
        );
    }
    let gray = tiff.chunks(vec![jpeg]).tag(PHOTOMETRIC, &[BLACK_IS_ZERO]);
    assert_eq!(
        error(&gray.tag(SAMPLES, &[1]).tag(BITS, &[8])),
        "truncated or damaged TIFF: a JPEG in it has 3 samples a pixel where it has 1"
    );
    let inks = Tiff::new(CMYK, 4, 8, Vec::new()).tag(COMPRESSION, &[7]);
    assert_eq!(
        error(&inks),
        "unsupported TIFF: JPEG compression of other than 8-bit gray, RGB or YCbCr"
    );
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    for (tag, value, name) in [
        (COMPRESSION, 6, "old-style JPEG compression"),
        (COMPRESSION, 34925, "LZMA compression"),
        (COMPRESSION, 50001, "WebP compression"),
        (COMPRESSION, 4711, "compression of an unknown kind, 4711"),
        (PHOTOMETRIC, 4, "a transparency mask"),
        (PHOTOMETRIC, 6, "YCbCr colours without JPEG compression"),
        (PHOTOMETRIC, 8, "CIE L*a*b* colours"),
        (PHOTOMETRIC, 32803, "the samples of a colour filter array"),
        (BITS, 32, "samples of 32 bits"),
        (SAMPLE_FORMAT, 2, "signed samples"),
        (SAMPLE_FORMAT, 3, "floating-point samples"),
        (SAMPLES, 5, "more samples than its colours need"),
        (SAMPLES, 7, "7 samples a pixel, expected at most 6"),
    ] {
        let tiff = Tiff::rgb().tag(BITS, &[8]).tag(tag, &[value]);
        assert_eq!(error(&tiff), format!("unsupported TIFF: {name}"));
    }
    let tiff = Tiff::rgb().tag(BITS, &[8, 8, 4]);
    assert_eq!(error(&tiff), "unsupported TIFF: samples of different sizes");
    let tiff = Tiff::rgb().tag(COMPRESSION, &[8]).tag(PREDICTOR, &[3]);
    assert_eq!(error(&tiff), "unsupported TIFF: floating-point differences");
}

#[test]
fn tags_that_contradict_the_file_are_damage() {
    for (tiff, problem) in [
        (Tiff::rgb().tag(256, &[0]), "its width is 0"),
        (
            Tiff::rgb().tag(257, &[HEIGHT + 200]),
            "a strip or tile runs beyond the file's end",
        ),
        (
            Tiff::rgb().tag(ROWS_PER_STRIP, &[2]),
            "it has 1 strips or tiles where its size needs 3",
        ),
        (
            Tiff::rgb().tag(ROWS_PER_STRIP, &[0]),
            "its strips have no rows",
        ),
        (
            Tiff::rgb().tag(SAMPLES, &[2]),
            "2 samples where its colours need 3",
        ),
        (
            Tiff::new(PALETTE, 1, 8, vec![0; 48]).tag(COLOUR_MAP, &[9; 30]),
            "its palette is too small",
        ),
        (
            Tiff::rgb().compressed(8, |bytes| deflated(&bytes[..99])),
            "the data of a strip or tile ends before it is whole",
        ),
        (
            Tiff::rgb().compressed(32773, |bytes| packed_bits(&bytes[..99])),
            "the data of a strip or tile ends before it is whole",
        ),
        (
            Tiff::rgb().compressed(8, |_| vec![0xFF; 99]),
            "its deflate data is damaged",
        ),
    ] {
        let expected = format!("truncated or damaged TIFF: {problem}");
        assert_eq!(error(&tiff), expected);
    }
}

#[test]
fn strips_that_share_their_data_are_refused_before_it_is_decompressed() {
    // 20,000 strips that all are one stretch of empty deflate blocks: 4 GB to read.
    let mut blob = vec![0x78, 0x01];
    blob.extend([0, 0, 0, 0xFF, 0xFF].repeat(40_000));
    let length = u32::try_from(blob.len()).unwrap();
    let rows: u32 = 20_000;
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 8, blob)
        .tag(256, &[1])
        .tag(257, &[rows])
        .tag(ROWS_PER_STRIP, &[1])
        .tag(COMPRESSION, &[8])
        .tag(273, &vec![8; rows as usize])
        .tag(279, &vec![length; rows as usize]);
    assert_eq!(
        error(&tiff),
        "unsupported TIFF: its strips or tiles share more data than the file has"
    );
}

#[test]
fn equal_strips_may_be_stored_once() {
    let row = [channel(9); WIDTH as usize];
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 8, deflated(&row));
    let length = u32::try_from(tiff.chunks[0].len()).unwrap();
    let tiff = tiff
        .tag(ROWS_PER_STRIP, &[1])
        .tag(COMPRESSION, &[8])
        .tag(273, &[8; HEIGHT as usize])
        .tag(279, &[length; HEIGHT as usize]);
    assert_pixels(&tiff, |_, _| [9; 3]);
}

#[test]
fn a_header_says_what_decoding_takes() {
    let memory = |tiff: &Tiff| header(&tiff.bytes()).unwrap().memory;
    let plain = Tiff::rgb().compressed(8, deflated);
    let image = u64::from(3 * WIDTH * HEIGHT);
    assert!(memory(&plain) > 2 * image);
    // Turning it makes a copy.
    let turned = plain.clone().tag(ORIENTATION, &[6]);
    assert_eq!(memory(&turned), memory(&plain) + image);
    // A tile counts whole, however little of it is in the image.
    let tiled = plain
        .tag(TILE_WIDTH, &[1 << 16])
        .tag(TILE_HEIGHT, &[1 << 16]);
    assert!(memory(&tiled) > 3 << 32);
    let message = error(&tiled);
    assert!(message.starts_with("image too large: "), "{message}");
    // A JPEG is copied, with whatever follows it.
    let followed = |by: usize| {
        let strip = [jpeg(), vec![0; by]].concat();
        Tiff::rgb().chunks(vec![strip]).tag(COMPRESSION, &[7])
    };
    assert_eq!(memory(&followed(1 << 20)), memory(&followed(0)) + (1 << 20));
}

#[test]
fn no_change_of_a_byte_makes_the_decoder_panic() {
    let palette = Tiff::new(PALETTE, 1, 4, packed(4, |x, y| (x + y) % 16));
    let tagged = bits_of("000000000001 1 1000 11 1000 000000000001 0 111 000000000001 0 011 011 1");
    let mut wide = Tiff::rgb();
    (wide.big, wide.big_endian) = (true, true);
    let files = [
        Tiff::rgb()
            .tag(ORIENTATION, &[6])
            .compressed(5, lzw)
            .tag(PREDICTOR, &[2]),
        Tiff::rgb()
            .tag(FILL_ORDER, &[2])
            .compressed(32773, packed_bits),
        wide.compressed(8, deflated),
        Tiff::rgb()
            .chunks([0..1, 1..2, 2..3].map(tiles).concat())
            .tag(TILE_WIDTH, &[5])
            .tag(TILE_HEIGHT, &[4])
            .tag(PLANAR, &[2]),
        palette.tag(COLOUR_MAP, &[700; 48]),
        Tiff::new(WHITE_IS_ZERO, 1, 1, tagged.clone())
            .tag(257, &[3])
            .tag(COMPRESSION, &[3])
            .tag(GROUP3_OPTIONS, &[1]),
        Tiff::new(WHITE_IS_ZERO, 1, 1, tagged)
            .tag(257, &[3])
            .tag(COMPRESSION, &[4]),
    ];
    for file in files {
        let whole = file.bytes();
        for place in 0..whole.len() {
            for value in [0, 1, 2, 4, 16, 127, 128, 255] {
                let mut bytes = whole.clone();
                bytes[place] = value;
                if let Err(error) = decode_bytes(&bytes, &Request::new(&plain())) {
                    let message = error.to_string();
                    assert!(
                        !message.contains("panicked"),
                        "byte {place}, {value}: {message}"
                    );
                }
            }
        }
    }
}
