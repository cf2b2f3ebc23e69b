//! JPEG, by libjpeg's decoder or, without the feature `libjpeg`, by one in Rust.

#[cfg(feature = "libjpeg")]
mod libjpeg;
mod markers;
#[cfg(any(test, not(feature = "libjpeg")))]
mod rust;

use image::RgbImage;
use image::metadata::Orientation as Turn;

#[cfg(feature = "libjpeg")]
use self::libjpeg as decoder;
#[cfg(not(feature = "libjpeg"))]
use self::rust as decoder;
use super::{Damage, Decoded, Header, Request};
use crate::error::Result;
use crate::image::Orientation;
use crate::image::raster::Raster;

const NAME: &str = "JPEG";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let header = decoder::header(bytes)?;
    let copy = if swaps_sides(turn(bytes)) {
        Header::rgb(header.width, header.height)
    } else {
        0
    };
    Ok(Header {
        memory: header.memory.saturating_add(copy),
        ..header
    })
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let (pixels, damage) = colours(bytes, request.damage)?;
    let pixels = Raster::Rgb(pixels);
    let pixels = match request.preprocessing.orientation {
        Orientation::Apply => pixels.turned(turn(bytes)),
        Orientation::Ignore => pixels,
    };
    Ok(Decoded { pixels, damage })
}

/// The pixels as they are stored, and the damage that was let pass.
pub(super) fn colours(bytes: &[u8], damage: Damage) -> Result<(RgbImage, Option<String>)> {
    decoder::decode(bytes, damage)
}

/// The turn that undoes how the camera was held, as far as it said so.
fn turn(bytes: &[u8]) -> Turn {
    markers::exif(bytes)
        .and_then(Turn::from_exif_chunk)
        .unwrap_or(Turn::NoTransforms)
}

/// Whether a turned image is made beside the one it is made of.
fn swaps_sides(turn: Turn) -> bool {
    matches!(
        turn,
        Turn::Rotate90 | Turn::Rotate270 | Turn::Rotate90FlipH | Turn::Rotate270FlipH
    )
}

#[cfg(all(test, feature = "libjpeg"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    /// The files of `scripts/checks/jpeg_files.py`, by name.
    pub(super) fn files() -> Vec<(String, Vec<u8>)> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/jpeg_files.safetensors"
        );
        let bytes = std::fs::read(path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut files: Vec<_> = tensors
            .iter()
            .filter(|(name, _)| !name.ends_with(" sha256"))
            .map(|(name, file)| (name.to_owned(), file.data().to_vec()))
            .collect();
        files.sort();
        files
    }
}
