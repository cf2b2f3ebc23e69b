//! WebP files of every kind, around lossless pictures that are coded here.

use image_webp::{ColorType, WebPEncoder};
use senet::image::{Orientation, Preprocessing, header};

use super::{assert_rows, decoded, dropping, error_of, plain};

const RED: [u8; 3] = [255, 10, 20];
const GREEN: [u8; 3] = [30, 254, 40];
const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];

const ANIMATED: u8 = 0x02;
const EXIF: u8 = 0x08;
const OPACITY: u8 = 0x10;

/// A lossless file of these pixels: red, green, blue, opacity.
fn lossless(width: u32, rgba: &[[u8; 4]]) -> Vec<u8> {
    let mut file = Vec::new();
    let height = u32::try_from(rgba.len()).unwrap() / width;
    WebPEncoder::new(&mut file)
        .encode(rgba.as_flattened(), width, height, ColorType::Rgba8)
        .unwrap();
    file
}

/// Red; green of opacity 0.
fn red_and_hidden_green() -> Vec<u8> {
    lossless(2, &[[255, 10, 20, 255], [30, 254, 40, 0]])
}

fn chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap().to_le_bytes();
    let padding = vec![0; data.len() % 2];
    [&name[..], &size, data, &padding].concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let data = [&b"WEBP"[..], &chunks.concat()].concat();
    chunk(*b"RIFF", &data)
}

fn features(flags: u8, width: u8, height: u8) -> Vec<u8> {
    chunk(
        *b"VP8X",
        &[flags, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0],
    )
}

/// The only chunk of a file from [`lossless`].
fn picture(file: &[u8]) -> Vec<u8> {
    file[12..].to_vec()
}

/// An animation on a canvas of 4x2 whose first frame is 2x1, at column 2, row 0.
fn animated(flags: u8, blend: u8) -> Vec<u8> {
    let frame = |file: &[u8], column: u8| {
        let place_and_size = [column / 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
        let rest = [100, 0, 0, blend];
        chunk(
            *b"ANMF",
            &[&place_and_size[..], &rest, &picture(file)].concat(),
        )
    };
    let second = lossless(2, &[[9; 4]; 2]);
    riff(&[
        features(flags | ANIMATED, 4, 2),
        // An opaque background, which libwebp does not use.
        chunk(*b"ANIM", &[1, 2, 3, 255, 0, 0]),
        frame(&red_and_hidden_green(), 2),
        frame(&second, 0),
    ])
}

#[test]
fn a_first_frame_keeps_its_colours_whether_it_is_blended_or_not() {
    for blend in [0, 2] {
        let file = animated(OPACITY, blend);
        let expected = [[BLACK, BLACK, RED, GREEN], [BLACK; 4]];
        assert_rows(&decoded(&file, &dropping()), &expected);
        let expected = [[WHITE, WHITE, RED, WHITE], [WHITE; 4]];
        assert_rows(&decoded(&file, &plain()), &expected);
    }
}

#[test]
fn opacity_that_is_not_announced_counts_nowhere() {
    let file = animated(0, 0);
    let expected = [[BLACK, BLACK, RED, GREEN], [BLACK; 4]];
    assert_rows(&decoded(&file, &plain()), &expected);

    let still = riff(&[features(0, 2, 1), picture(&red_and_hidden_green())]);
    assert_rows(&decoded(&still, &plain()), &[[RED, GREEN]]);
}

#[test]
fn a_still_picture_is_read_with_and_without_a_canvas() {
    let simple = red_and_hidden_green();
    let extended = riff(&[features(OPACITY, 2, 1), picture(&simple)]);
    // Announces what it does not have.
    let without_exif = riff(&[features(OPACITY | EXIF, 2, 1), picture(&simple)]);
    let with_unknown = riff(&[
        features(OPACITY, 2, 1),
        chunk(*b"NEW!", &[1, 2, 3]),
        picture(&simple),
    ]);
    let trailing = [&simple[..], b"trailing"].concat();
    for file in [simple, extended, without_exif, with_unknown, trailing] {
        assert_rows(&decoded(&file, &dropping()), &[[RED, GREEN]]);
        assert_rows(&decoded(&file, &plain()), &[[RED, WHITE]]);
    }
}

#[test]
fn orientation_is_that_of_the_exif_chunk() {
    // One entry: orientation 3, upside down.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
    let file = riff(&[
        features(OPACITY | EXIF, 2, 1),
        picture(&red_and_hidden_green()),
        chunk(*b"EXIF", exif),
    ]);
    assert_rows(&decoded(&file, &dropping()), &[[GREEN, RED]]);
    let ignore = Preprocessing {
        orientation: Orientation::Ignore,
        ..dropping()
    };
    assert_rows(&decoded(&file, &ignore), &[[RED, GREEN]]);
}

#[test]
fn a_file_that_stops_early_is_damaged_wherever_it_stops() {
    for file in [red_and_hidden_green(), animated(OPACITY, 0)] {
        for length in 12..file.len() {
            assert_eq!(
                error_of(&file[..length]),
                "truncated or damaged WebP: the data stops early",
                "{length} bytes"
            );
        }
    }
}

#[test]
fn a_frame_beyond_its_canvas_and_a_canvas_without_a_picture_are_damage() {
    let mut beyond = animated(OPACITY, 0);
    // The canvas's width, less one.
    beyond[24] = 2;
    assert_eq!(
        error_of(&beyond),
        "truncated or damaged WebP: its first frame goes beyond its canvas"
    );
    let empty = riff(&[features(OPACITY, 2, 1)]);
    assert_eq!(
        error_of(&empty),
        "truncated or damaged WebP: it has no picture"
    );
}

#[test]
fn the_memory_of_the_largest_picture_is_known_before_it_is_decoded() {
    // 16384x16384 pixels in 26 bytes.
    let bits = 0x3FFF_u32 | 0x3FFF << 14;
    let data = [&[0x2F][..], &bits.to_le_bytes()].concat();
    let file = riff(&[chunk(*b"VP8L", &data)]);
    let header = header(&file).unwrap();
    assert_eq!((header.width, header.height), (16384, 16384));
    // RGBA of the decoder, and RGB.
    assert!(header.memory >= 7 << 28, "{}", header.memory);
    let message = error_of(&file);
    let start = "image too large: decoding its 16384x16384 pixels";
    assert!(message.starts_with(start), "{message}");
}
