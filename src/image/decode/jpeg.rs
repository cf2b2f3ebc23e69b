//! JPEG.

use image::ImageFormat;

use super::problem::damaged;
use super::{Decoded, Header, Request, generic};
use crate::error::Result;

const NAME: &str = "JPEG";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    generic::header(bytes, ImageFormat::Jpeg, NAME)
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    if !reaches_end_of_image(bytes) {
        return Err(damaged(NAME, "the data stops before its end marker"));
    }
    generic::decode(bytes, ImageFormat::Jpeg, NAME, request)
}

/// Whether a JPEG's data goes on to its end-of-image marker.
///
/// The decoder fills the missing part of a truncated file with gray and reports
/// success, so this walks the file itself. Segments are passed over by their
/// lengths, so the marker that ends a thumbnail in them does not count; within
/// compressed data the byte FF is always followed by 00, a restart marker or FF.
/// What follows the end marker (padding, a second picture) is left alone.
fn reaches_end_of_image(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest
        .windows(2)
        .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))
    {
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            0xD9 => return true,
            // Start of image, restarts and TEM stand alone; all others carry their length.
            0x01 | 0xD0..=0xD8 => {}
            _ => {
                let Some((&length, _)) = rest.split_first_chunk::<2>() else {
                    return false;
                };
                let Some(after) = rest.get(usize::from(u16::from_be_bytes(length))..) else {
                    return false;
                };
                rest = after;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_markers_own_place_ends_a_jpeg() {
        let start = [0xFF, 0xD8];
        let segment_with_end_marker = [0xFF, 0xE1, 0x00, 0x04, 0xFF, 0xD9];
        let scan = [0xFF, 0xDA, 0x00, 0x03, 0x01];
        let data = [0x12, 0xFF, 0x00, 0xD9, 0xFF, 0xD0, 0xFF, 0xFF];
        let mut jpeg = [&start[..], &segment_with_end_marker, &scan, &data].concat();
        assert!(!reaches_end_of_image(&jpeg));
        jpeg.push(0xD9);
        assert!(reaches_end_of_image(&jpeg));
        jpeg.extend([0; 16]);
        assert!(reaches_end_of_image(&jpeg));
    }

    #[test]
    fn no_prefix_of_a_jpeg_panics_or_reaches_its_end() {
        let jpeg = [
            0xFF, 0xD8, 0xFF, 0xE1, 0x00, 0x04, 0xFF, 0xD9, 0xFF, 0xDA, 0x00, 0x02, 0x7F, 0xFF,
            0xD9,
        ];
        for length in 0..jpeg.len() {
            assert!(!reaches_end_of_image(&jpeg[..length]), "{length} bytes");
        }
    }
}
