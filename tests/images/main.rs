//! From an image's file to the values a network sees.
//!
//! The images and the formulas they were drawn by are those of `scripts/checks/make_test_images.py`.

#![allow(clippy::unwrap_used, reason = "its functions all belong to tests")]

mod bmp;
mod damage;
mod decode;
mod gif;
mod jpeg;
mod mutated;
mod png;
mod preprocessing;
mod resize;
mod tiff;
mod webp;

use std::path::{Path, PathBuf};

use image::RgbImage;
use senet::image::{
    Alpha, ChannelOrder, CropMode, Interpolation, Orientation, Preprocessing, Raster, Request,
    SixteenBit, decode_bytes,
};

const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 200, 40];
const BLUE: [u8; 3] = [30, 40, 210];
const WHITE: [u8; 3] = [255, 255, 255];
/// Top left, top right, bottom left, bottom right.
const QUADRANTS: [[u8; 3]; 4] = [RED, GREEN, BLUE, WHITE];

/// A folder beside this file.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/images")
        .join(name)
}

fn odd(name: &str) -> PathBuf {
    folder("odd").join(name)
}

/// Leaves values at `sample / 255`.
fn plain() -> Preprocessing {
    Preprocessing {
        size: [32, 32],
        crop_pct: 1.0,
        crop_mode: CropMode::Center,
        interpolation: Interpolation::Bilinear,
        divisor: 255.0,
        mean: [0.0; 3].into(),
        std: [1.0; 3].into(),
        channel_order: ChannelOrder::Rgb,
        alpha: Alpha::White,
        sixteen_bit: SixteenBit::Scale,
        orientation: Orientation::Apply,
    }
}

fn channel(value: u32) -> u8 {
    u8::try_from(value).unwrap()
}

fn pattern(x: u32, y: u32) -> [u8; 3] {
    [30 * x, 40 * y, 255 - 20 * x - 15 * y].map(channel)
}

/// As [`plain`], but transparent pixels keep their colour.
fn dropping() -> Preprocessing {
    Preprocessing {
        alpha: Alpha::Drop,
        ..plain()
    }
}

/// The pixels of a whole file.
fn decoded(bytes: &[u8], preprocessing: &Preprocessing) -> RgbImage {
    let decoded = decode_bytes(bytes, &Request::new(preprocessing)).unwrap();
    assert_eq!(decoded.damage, None);
    decoded.pixels.into_rgb()
}

/// The pixels of the file at `path` in red, green and blue.
fn decode(path: &Path, preprocessing: &Preprocessing) -> senet::Result<RgbImage> {
    senet::image::decode(path, preprocessing).map(Raster::into_rgb)
}

/// Why a file cannot be decoded.
fn error_of(bytes: &[u8]) -> String {
    let error = decode_bytes(bytes, &Request::new(&plain())).unwrap_err();
    error.to_string()
}

/// Checks every pixel.
fn assert_rows<const WIDTH: usize>(found: &RgbImage, expected: &[[[u8; 3]; WIDTH]]) {
    let rows: Vec<Vec<[u8; 3]>> = found
        .rows()
        .map(|row| row.map(|pixel| pixel.0).collect())
        .collect();
    assert_eq!(rows, expected);
}
