//! JPEG by a decoder in Rust, for builds without libjpeg.
//!
//! Its pixels differ from libjpeg's by a little where colour is subsampled. What it is known to
//! get wrong is refused, as the header tells; so is what it does not read.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::{DynamicImage, ImageDecoder, ImageError, RgbImage};

use super::NAME;
use super::markers::{self, EOI, Segment, next_marker, next_segment, unusual_compression};
use crate::error::Result;
use crate::image::decode::problem::{damaged, too_large, unsupported};
use crate::image::decode::{Damage, Header};

/// A side below which it gets the edges of subsampled colour wrong.
const SMALL_SIDE: u16 = 64;

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let frame = Frame::of(bytes)?;
    let [width, height] = [frame.width, frame.height].map(u32::from);
    let rgb = Header::rgb(width, height);
    // Coefficients of 16 bits, with those that fill up blocks, and what is decoded of them.
    let padded = Header::rgb(
        width.next_multiple_of(MOST_PADDING),
        height.next_multiple_of(MOST_PADDING),
    );
    Ok(Header {
        width,
        height,
        memory: 2 * rgb + 4 * padded,
    })
}

/// Sides are padded to a multiple of so many pixels at most: two blocks.
const MOST_PADDING: u32 = 16;

pub(super) fn decode(bytes: &[u8], _: Damage) -> Result<(RgbImage, Option<String>)> {
    let frame = Frame::of(bytes)?;
    if let Some(kind) = frame.misread() {
        return Err(unsupported(NAME, &format!("{kind}, without libjpeg")));
    }
    if !reaches_end_of_image(bytes) {
        return Err(damaged(NAME, "the data stops before its end marker"));
    }
    let decoder = JpegDecoder::new(Cursor::new(bytes));
    let image = decoder.and_then(|decoder: JpegDecoder<_>| {
        debug_assert_eq!(
            decoder.dimensions(),
            (frame.width.into(), frame.height.into())
        );
        DynamicImage::from_decoder(decoder)
    });
    // The decoder's own sentences are for those who write decoders.
    let image = image.map_err(|error| match error {
        ImageError::Limits(_) => too_large("decoding it takes more memory than its header says"),
        ImageError::Unsupported(_) => unsupported(NAME, "its decoder does not know it"),
        _ => damaged(NAME, "its data cannot be decoded"),
    })?;
    Ok((image.into_rgb8(), None))
}

/// What the segments before the data say.
#[derive(Debug)]
struct Frame<'a> {
    marker: u8,
    width: u16,
    height: u16,
    /// The components: an id, two sampling factors, and the number of a table.
    components: &'a [[u8; 3]],
    /// Whether the first scan has all components.
    one_scan: bool,
    jfif: bool,
    adobe_transform: Option<u8>,
}

impl<'a> Frame<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self> {
        let segments: Vec<_> = markers::segments(bytes).collect();
        let header = segments
            .iter()
            .find(|segment| matches!(segment.marker, 0xC0..=0xC2 | 0xC9 | 0xCA));
        let Some(Segment { marker, content }) = header else {
            let unusual = segments
                .iter()
                .find_map(|segment| unusual_compression(segment.marker));
            return Err(match unusual {
                Some(compression) => unsupported(NAME, compression),
                None => damaged(NAME, "the data stops before its header"),
            });
        };
        let Some((&[precision, h1, h0, w1, w0, count], rest)) = content.split_first_chunk() else {
            return Err(damaged(NAME, "its header is too short"));
        };
        let components = rest.as_chunks().0;
        if precision != 8 {
            return Err(unsupported(
                NAME,
                &format!("{precision} bits a sample, expected 8"),
            ));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(unsupported(
                NAME,
                &format!("{count} components, expected 1, 3 or 4"),
            ));
        }
        if components.len() != usize::from(count) {
            return Err(damaged(NAME, "its header is too short"));
        }
        let scan = segments.iter().find(|segment| segment.marker == 0xDA);
        Ok(Self {
            marker: *marker,
            width: u16::from_be_bytes([w1, w0]),
            height: u16::from_be_bytes([h1, h0]),
            components,
            one_scan: scan.is_some_and(|scan| scan.content.first() == Some(&count)),
            jfif: segments
                .iter()
                .any(|segment| segment.marker == 0xE0 && segment.content.starts_with(b"JFIF\0")),
            adobe_transform: segments
                .iter()
                .filter(|segment| segment.marker == 0xEE && segment.content.starts_with(b"Adobe"))
                .find_map(|segment| segment.content.get(11).copied()),
        })
    }

    /// What of it the decoder gets wrong, or does not read.
    fn misread(&self) -> Option<&'static str> {
        let sequential = matches!(self.marker, 0xC0 | 0xC1);
        let mut factors = self.components.iter().map(|&[_, factors, _]| factors);
        let luma = factors.next();
        let subsampled = luma != Some(0x11);
        let ids = self.components.iter().map(|&[id, ..]| id);
        if !sequential && self.marker != 0xC2 {
            return Some("arithmetic coding");
        }
        if !matches!(luma, Some(0x11 | 0x12 | 0x21 | 0x22))
            || factors.any(|factors| factors != 0x11)
        {
            return Some("unusual sampling factors");
        }
        if subsampled && sequential && !self.one_scan {
            return Some("subsampled colour in a scan of its own");
        }
        if subsampled && self.width.min(self.height) < SMALL_SIDE {
            return Some("subsampled colour in a small image");
        }
        let certain = match (self.components.len(), self.jfif, self.adobe_transform) {
            (3, true, None | Some(1)) | (3, false, Some(1)) => !ids.eq(*b"RGB"),
            (3, false, None) => ids.eq([1, 2, 3]),
            (3, ..) => false,
            (4, _, transform) => matches!(transform, Some(0 | 2)),
            _ => true,
        };
        (!certain).then_some("markers that leave its colours uncertain")
    }
}

/// Whether a JPEG's data goes on to its end-of-image marker.
///
/// The decoder fills the missing part of a truncated file with gray and reports
/// success, so this walks the file itself. Segments are passed over by their
/// lengths, so the marker that ends a thumbnail in them does not count.
/// What follows the end marker (padding, a second picture) is left alone.
fn reaches_end_of_image(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((marker, after)) = next_marker(rest) {
        if marker == EOI {
            return true;
        }
        rest = if markers::stands_alone(marker) {
            after
        } else {
            match next_segment(rest) {
                Some((_, after)) => after,
                None => return false,
            }
        };
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

    /// The most that a sample may be off: 7 was the worst of 1,500 pieces of subsampled
    /// photographs.
    #[cfg(feature = "libjpeg")]
    const ROUNDING: u8 = 7;

    #[cfg(feature = "libjpeg")]
    #[test]
    fn what_it_does_not_refuse_is_close_to_libjpeg() {
        let (mut read, mut refused, mut wrong) = (0, 0, Vec::new());
        let photos = ["cat", "coffee", "rocket"].map(|name| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/photos");
            let path = format!("{folder}/{name}.jpg");
            (name.to_owned(), std::fs::read(path).unwrap())
        });
        let files = crate::image::decode::jpeg::tests::files();
        for (name, file) in files.into_iter().chain(photos) {
            let Ok((found, _)) = decode(&file, Damage::Refuse) else {
                refused += 1;
                continue;
            };
            read += 1;
            let (expected, _) = super::super::libjpeg::decode(&file, Damage::Refuse).unwrap();
            let Header { width, height, .. } = header(&file).unwrap();
            assert_eq!((width, height), expected.dimensions(), "{name}");
            assert_eq!(found.dimensions(), expected.dimensions(), "{name}");
            let differences = found.iter().zip(expected.iter());
            let largest = differences.map(|(found, expected)| found.abs_diff(*expected));
            let largest = largest.max().unwrap_or(0);
            if largest > ROUNDING {
                wrong.push(format!("{name}: {largest}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
        println!("{read} read, {refused} refused");
        assert!(
            read >= 20 && refused >= 100,
            "{read} read, {refused} refused"
        );
    }
}
