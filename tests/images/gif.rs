//! GIF files of every kind, written here block by block.

use weezl::BitOrder;
use weezl::encode::Encoder;

use super::{assert_rows, decoded, dropping, error_of, plain};

const RED: [u8; 3] = [200, 10, 20];
const GREEN: [u8; 3] = [30, 210, 40];
const BLUE: [u8; 3] = [50, 60, 220];
const PINK: [u8; 3] = [240, 130, 180];
const PALETTE: [[u8; 3]; 4] = [RED, GREEN, BLUE, PINK];
const WHITE: [u8; 3] = [255; 3];

/// A screen of `size` whose background is colour 2, of [`PALETTE`].
fn screen(width: u16, height: u16) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend([0x81, 2, 0]);
    file.extend(PALETTE.as_flattened());
    file
}

/// Graphic control: this index is transparent.
fn transparent(index: u8) -> Vec<u8> {
    vec![0x21, 0xF9, 4, 1, 0, 0, index, 0]
}

struct Frame<'a> {
    place: [u16; 2],
    size: [u16; 2],
    /// Interlaced, and a palette's size where `palette` has one.
    flags: u8,
    palette: &'a [u8],
    indices: &'a [u8],
}

impl Default for Frame<'_> {
    fn default() -> Self {
        Self {
            place: [0, 0],
            size: [2, 1],
            flags: 0,
            palette: &[],
            indices: &[1, 3],
        }
    }
}

impl Frame<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut file = vec![b','];
        for number in self.place.iter().chain(&self.size) {
            file.extend(number.to_le_bytes());
        }
        file.push(self.flags);
        file.extend(self.palette);
        file.push(8);
        let codes = Encoder::new(BitOrder::Lsb, 8).encode(self.indices).unwrap();
        for block in codes.chunks(255) {
            file.push(u8::try_from(block.len()).unwrap());
            file.extend(block);
        }
        file.push(0);
        file
    }
}

#[test]
fn around_a_smaller_frame_is_colour_0_and_not_the_background() {
    let frame = Frame {
        place: [1, 1],
        ..Frame::default()
    };
    let file = [screen(4, 3), frame.bytes(), vec![b';']].concat();
    let expected = [[RED; 4], [RED, GREEN, PINK, RED], [RED; 4]];
    assert_rows(&decoded(&file, &plain()), &expected);
}

#[test]
fn around_a_smaller_frame_with_transparency_is_the_transparent_colour() {
    let frame = Frame {
        place: [1, 0],
        ..Frame::default()
    };
    let file = [screen(3, 2), transparent(3), frame.bytes(), vec![b';']].concat();
    let expected = [[PINK, GREEN, PINK], [PINK; 3]];
    assert_rows(&decoded(&file, &dropping()), &expected);
    let expected = [[WHITE, GREEN, WHITE], [WHITE; 3]];
    assert_rows(&decoded(&file, &plain()), &expected);
}

#[test]
fn a_frame_beyond_the_screen_enlarges_it() {
    for (width, height) in [(0, 0), (1, 1), (3, 1), (1, 2)] {
        let frame = Frame {
            place: [1, 1],
            ..Frame::default()
        };
        let file = [screen(width, height), frame.bytes(), vec![b';']].concat();
        let expected = [[RED; 3], [RED, GREEN, PINK]];
        assert_rows(&decoded(&file, &plain()), &expected);
    }
}

#[test]
fn what_is_unknown_is_passed_over_and_the_end_may_be_missing() {
    let unknown = [0x21, 0x42, 3, b'a', b',', b';', 1, 0, 0];
    // A byte that begins no block.
    let stray = [0x07, 0x00];
    let comment = [0x21, 0xFE, 2, b'h', b'i', 0];
    let frame = Frame::default().bytes();
    let start = [&screen(2, 1)[..], &unknown, &stray, &comment, &frame].concat();
    for end in [&b";"[..], b"", b"trailing"] {
        let file = [&start[..], end].concat();
        assert_rows(&decoded(&file, &plain()), &[[GREEN, PINK]]);
    }
    // Without the block that ends the data.
    assert_rows(
        &decoded(&start[..start.len() - 1], &plain()),
        &[[GREEN, PINK]],
    );
}

#[test]
fn a_frames_own_palette_counts_and_without_any_an_index_is_a_gray() {
    let own = Frame {
        flags: 0x80,
        palette: &[1, 2, 3, 4, 5, 6],
        ..Frame::default()
    };
    let file = [screen(2, 1), own.bytes()].concat();
    // Index 3 has no colour.
    assert_rows(&decoded(&file, &plain()), &[[[4, 5, 6], [0; 3]]]);

    let grays = Frame {
        flags: 0x80,
        palette: &[0, 0, 0, 1, 1, 1],
        ..Frame::default()
    };
    let file = [screen(2, 1), grays.bytes()].concat();
    assert_rows(&decoded(&file, &plain()), &[[[1; 3], [3; 3]]]);

    let none = [&b"GIF87a\x02\0\x01\0\0\0\0"[..], &Frame::default().bytes()].concat();
    assert_rows(&decoded(&none, &plain()), &[[[1; 3], [3; 3]]]);
}

#[test]
fn interlaced_rows_are_put_in_their_place() {
    // Rows 0, 8; 4; 2, 6; 1, 3, 5, 7 of nine, in the order in which they are stored.
    let indices = [0, 8, 4, 2, 6, 1, 3, 5, 7];
    let frame = Frame {
        size: [1, 9],
        flags: 0x40,
        indices: &indices,
        ..Frame::default()
    };
    let none = [&b"GIF87a\x01\0\x09\0\0\0\0"[..], &frame.bytes()].concat();
    let expected: Vec<[[u8; 3]; 1]> = (0..9).map(|row| [[row; 3]]).collect();
    assert_rows(&decoded(&none, &plain()), &expected);
}

#[test]
fn more_data_than_pixels_is_harmless_and_less_is_damage() {
    let with = |indices| {
        let frame = Frame {
            indices,
            ..Frame::default()
        };
        [screen(2, 1), frame.bytes(), vec![b';']].concat()
    };
    assert_rows(&decoded(&with(&[1, 3, 2, 2]), &plain()), &[[GREEN, PINK]]);
    assert_eq!(
        error_of(&with(&[1])),
        "truncated or damaged GIF: the data stops before its last pixel"
    );
    let no_image = [screen(2, 1), vec![b';']].concat();
    assert_eq!(
        error_of(&no_image),
        "truncated or damaged GIF: it has no image"
    );
    assert_eq!(
        error_of(&screen(2, 1)),
        "truncated or damaged GIF: the data stops before its first image"
    );
}

#[test]
fn codes_that_clear_the_table_over_and_over_are_passed_over() {
    // Codes of 9 bits: 256 clears, 257 ends.
    let codes = [
        256, 256, 256, 256, 256, 256, 256, 256, 256, 1, 256, 256, 3, 257,
    ];
    let mut data = vec![0; 16];
    for (place, code) in codes.iter().enumerate() {
        for bit in (0..9).filter(|bit| code >> bit & 1 == 1) {
            let place = 9 * place + bit;
            data[place / 8] |= 1 << (place % 8);
        }
    }
    let start = [screen(2, 1), b",\0\0\0\0\x02\0\x01\0\0\x08".to_vec()].concat();
    // In one block, and each byte in one of its own.
    let apart: Vec<u8> = data.iter().flat_map(|&byte| [1, byte]).collect();
    for blocks in [[&[16][..], &data].concat(), apart] {
        let file = [&start[..], &blocks, b"\0;"].concat();
        assert_rows(&decoded(&file, &plain()), &[[GREEN, PINK]]);
    }
}
