//! BMP files of every kind, written here byte by byte.

use senet::image::Alpha;

use super::{assert_rows, decoded, dropping, error_of, plain};

const BLACK: [u8; 3] = [0, 0, 0];
const RED: [u8; 3] = [200, 10, 20];
const GREEN: [u8; 3] = [30, 210, 40];
const BLUE: [u8; 3] = [50, 60, 220];

const PACKED: u32 = 0;
const RLE8: u32 = 1;
const RLE4: u32 = 2;
const MASKS: u32 = 3;

/// A file with a header of `size` bytes, at least 16, and the samples directly behind what
/// `between` has: masks and palette.
struct Bmp<'a> {
    size: u32,
    width: u32,
    height: i32,
    bits: u16,
    compression: u32,
    colours: u32,
    between: &'a [u8],
    samples: &'a [u8],
}

impl Default for Bmp<'_> {
    fn default() -> Self {
        Self {
            size: 40,
            width: 2,
            height: 2,
            bits: 8,
            compression: PACKED,
            colours: 0,
            between: &[],
            samples: &[],
        }
    }
}

impl Bmp<'_> {
    fn bytes(&self) -> Vec<u8> {
        let start = 14 + self.size + u32::try_from(self.between.len()).unwrap();
        let mut header = Vec::new();
        header.extend(self.size.to_le_bytes());
        header.extend(self.width.to_le_bytes());
        header.extend(self.height.to_le_bytes());
        header.extend(1_u16.to_le_bytes());
        header.extend(self.bits.to_le_bytes());
        header.extend(self.compression.to_le_bytes());
        header.extend([0; 12]);
        header.extend(self.colours.to_le_bytes());
        header.resize(self.size as usize, 0);
        let mut file = b"BM\0\0\0\0\0\0\0\0".to_vec();
        file.extend(start.to_le_bytes());
        file.extend(header);
        file.extend(self.between);
        file.extend(self.samples);
        file
    }
}

/// Blue, green, red and a byte that means nothing.
fn palette(colours: &[[u8; 3]]) -> Vec<u8> {
    let entries = colours.iter();
    entries
        .flat_map(|&[red, green, blue]| [blue, green, red, 99])
        .collect()
}

fn masks(masks: &[u32]) -> Vec<u8> {
    masks.iter().flat_map(|mask| mask.to_le_bytes()).collect()
}

#[test]
fn five_and_six_bits_are_scaled_to_255_and_cut_off() {
    // One row with every value of each channel.
    let row = |shift: u32, values: u16| -> Vec<u8> {
        (0..values)
            .flat_map(|value| (value << shift).to_le_bytes())
            .collect()
    };
    let scaled = |value: usize, most: usize| u8::try_from(value * 255 / most).unwrap();
    for (given, shifts, most) in [
        (vec![], [10, 5, 0], [31, 31, 31]),
        (masks(&[0x7C00, 0x3E0, 0x1F]), [10, 5, 0], [31, 31, 31]),
        (masks(&[0xF800, 0x7E0, 0x1F]), [11, 5, 0], [31, 63, 31]),
        // Not among those that Pillow reads.
        (masks(&[0xF00, 0xF0, 0xF]), [8, 4, 0], [15, 15, 15]),
    ] {
        for channel in 0..3 {
            let values = u16::try_from(most[channel] + 1).unwrap();
            let file = Bmp {
                width: values.into(),
                height: 1,
                bits: 16,
                compression: if given.is_empty() { PACKED } else { MASKS },
                between: &given,
                samples: &row(shifts[channel], values),
                ..Bmp::default()
            };
            for (x, _, pixel) in decoded(&file.bytes(), &plain()).enumerate_pixels() {
                let mut expected = BLACK;
                expected[channel] = scaled(x as usize, most[channel]);
                assert_eq!(pixel.0, expected, "{given:?}, channel {channel}, value {x}");
            }
        }
    }
}

#[test]
fn what_a_delta_skips_and_a_line_leaves_is_the_palettes_first_colour() {
    let file = Bmp {
        width: 3,
        height: 3,
        compression: RLE8,
        colours: 3,
        between: &palette(&[BLUE, RED, GREEN]),
        // The lowest row: one red, the rest left. Then two columns and a row on: one green.
        samples: &[1, 1, 0, 0, 0, 2, 2, 1, 1, 2, 0, 1],
        ..Bmp::default()
    };
    let expected = [[BLUE, BLUE, GREEN], [BLUE; 3], [RED, BLUE, BLUE]];
    assert_rows(&decoded(&file.bytes(), &plain()), &expected);
}

#[test]
fn run_lengths_of_4_bits_alternate_and_copies_are_padded() {
    let file = Bmp {
        width: 5,
        height: 2,
        bits: 4,
        compression: RLE4,
        colours: 3,
        between: &palette(&[BLUE, RED, GREEN]),
        // Five of red and green in turn; a copy of five in three bytes and one of padding.
        samples: &[5, 0x12, 0, 0, 0, 5, 0x01, 0x20, 0x10, 0, 0, 1],
        ..Bmp::default()
    };
    let expected = [[BLUE, RED, GREEN, BLUE, RED], [RED, GREEN, RED, GREEN, RED]];
    assert_rows(&decoded(&file.bytes(), &plain()), &expected);
}

#[test]
fn a_negative_height_puts_the_first_row_on_top() {
    let colours = palette(&[BLUE, RED, GREEN]);
    for (compression, samples) in [
        (PACKED, &[1, 1, 0, 0, 2, 0, 0, 0][..]),
        (RLE8, &[2, 1, 0, 0, 1, 2, 1, 0, 0, 1][..]),
    ] {
        let file = Bmp {
            height: -2,
            compression,
            colours: 3,
            between: &colours,
            samples,
            ..Bmp::default()
        };
        assert_rows(
            &decoded(&file.bytes(), &plain()),
            &[[RED, RED], [GREEN, BLUE]],
        );
    }
}

#[test]
fn one_bit_looks_up_its_two_colours() {
    // 1, 0, 1 in the lower row, 0, 0, 1 in the upper one.
    let samples = [0b1010_0000, 0, 0, 0, 0b0010_0000, 0, 0, 0];
    for [zero, one] in [
        [RED, GREEN],
        [BLACK, [255; 3]],
        [[255; 3], BLACK],
        [BLACK, RED],
    ] {
        let file = Bmp {
            width: 3,
            bits: 1,
            between: &palette(&[zero, one]),
            samples: &samples,
            ..Bmp::default()
        };
        let expected = [[zero, zero, one], [one, zero, one]];
        assert_rows(&decoded(&file.bytes(), &plain()), &expected);
    }
}

#[test]
fn an_index_without_an_entry_is_black_or_its_gray() {
    let of = |colours: &[[u8; 3]]| {
        let file = Bmp {
            height: 1,
            colours: u32::try_from(colours.len()).unwrap(),
            between: &palette(colours),
            samples: &[0, 7, 0, 0],
            ..Bmp::default()
        };
        decoded(&file.bytes(), &plain())
    };
    assert_rows(&of(&[RED, GREEN]), &[[RED, BLACK]]);
    assert_rows(&of(&[[0; 3], [1; 3], [2; 3]]), &[[BLACK, [7; 3]]]);
}

#[test]
fn headers_of_os2_are_read() {
    let mut old = b"BM\0\0\0\0\0\0\0\0\x20\0\0\0".to_vec();
    old.extend([12, 0, 0, 0, 2, 0, 1, 0, 1, 0, 1, 0]);
    // Two entries of three bytes each.
    old.extend([20, 10, 200, 40, 210, 30]);
    old.extend([0b0100_0000, 0, 0, 0]);
    assert_rows(&decoded(&old, &plain()), &[[RED, GREEN]]);

    for size in [16, 64] {
        let file = Bmp {
            size,
            bits: 1,
            height: 1,
            between: &palette(&[RED, GREEN]),
            samples: &[0b0100_0000, 0, 0, 0],
            ..Bmp::default()
        };
        assert_rows(&decoded(&file.bytes(), &plain()), &[[RED, GREEN]]);
    }
}

#[test]
fn opacity_is_what_a_mask_of_32_bits_says() {
    let samples = [20, 10, 200, 255, 20, 10, 200, 0];
    let [blue, green, red] = [0xFF_u32, 0xFF00, 0xFF_0000];
    let file = |size, between, compression| {
        Bmp {
            size,
            height: 1,
            bits: 32,
            compression,
            between,
            samples: &samples,
            ..Bmp::default()
        }
        .bytes()
    };
    let (three, none) = (masks(&[red, green, blue]), masks(&[0; 3]));
    let red_there = [200, 10, 20];
    // Four bytes without masks, or with three, have no opacity.
    for file in [file(40, &[], PACKED), file(40, &three, MASKS)] {
        assert_rows(&decoded(&file, &plain()), &[[red_there; 2]]);
    }
    let mut with_opacity = file(56, &[], MASKS);
    with_opacity[54..70].copy_from_slice(&masks(&[red, green, blue, 0xFF00_0000]));
    let all_of_no_bits = file(40, &none, MASKS);
    for file in [with_opacity, all_of_no_bits] {
        assert_eq!(plain().alpha, Alpha::White);
        assert_rows(&decoded(&file, &plain()), &[[red_there, [255; 3]]]);
        assert_rows(&decoded(&file, &dropping()), &[[red_there; 2]]);
    }
}

#[test]
fn an_offset_that_forgets_the_palette_is_mended() {
    let mut file = Bmp {
        height: 1,
        colours: 2,
        between: &palette(&[RED, GREEN]),
        samples: &[1, 0, 0, 0],
        ..Bmp::default()
    }
    .bytes();
    for offset in [54, 0] {
        file[10] = offset;
        assert_rows(&decoded(&file, &plain()), &[[GREEN, RED]]);
    }
}

#[test]
fn the_last_rows_padding_may_be_missing_but_no_pixel() {
    let whole = Bmp {
        width: 1,
        bits: 24,
        samples: &[20, 10, 200, 0, 40, 210, 30, 0],
        ..Bmp::default()
    }
    .bytes();
    let without_padding = &whole[..whole.len() - 1];
    assert_rows(&decoded(without_padding, &plain()), &[[GREEN], [RED]]);
    assert_eq!(
        error_of(&without_padding[..without_padding.len() - 1]),
        "truncated or damaged BMP: the data stops before its last row"
    );
    let runs = Bmp {
        compression: RLE8,
        between: &palette(&[RED; 256]),
        samples: &[2, 0, 0, 0, 1, 0, 0, 1],
        ..Bmp::default()
    };
    assert_eq!(
        error_of(&runs.bytes()),
        "truncated or damaged BMP: the data stops before its last row"
    );
}

#[test]
fn what_is_not_read_is_named() {
    let of = |bits, compression, size| {
        let file = Bmp {
            bits,
            compression,
            size,
            samples: &[0; 64],
            ..Bmp::default()
        };
        error_of(&file.bytes())
    };
    for (file, expected) in [
        (of(24, 4, 40), "it holds a JPEG, or 24-bit run lengths"),
        (of(24, 5, 40), "it holds a PNG"),
        (of(24, 9, 40), "compression 9"),
        (of(2, PACKED, 40), "2 bits a pixel"),
        (
            of(24, PACKED, 44),
            "a header of 44 bytes is of no known version",
        ),
        (of(16, MASKS, 56), "a mask of no bits, or of bits apart"),
    ] {
        assert_eq!(file, format!("unsupported BMP: {expected}"));
    }
}
