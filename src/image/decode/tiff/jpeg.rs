//! JPEG in a strip or tile: an image of its own, whose tables the file may hold once for all.
//!
//! It is put together to a whole stream that says of its colours what the TIFF does, since the
//! marks that a JPEG has of that do not count in a TIFF.

use super::super::{Damage, jpeg};
use super::compression::TOO_SHORT;
use super::{NAME, damaged, unsupported};
use crate::error::Result;

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// Bytes that a stream begins with.
pub(super) const STREAM_START: usize = 18;

/// What a strip's or tile's image is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) width: u32,
    /// Rows that are needed.
    pub(super) rows: u32,
    /// Rows of the largest strip or tile. The last strip may have as many, though fewer are
    /// needed, and some writers fill up a block.
    pub(super) height: u32,
    pub(super) samples: usize,
    /// Whether the samples are brightness and colour apart; decoding makes RGB of them.
    pub(super) ycbcr: bool,
}

/// Samples side by side, and the damage that was let pass.
pub(super) type Samples = (Vec<u8>, Option<String>);

impl Part {
    /// The most bytes that decoding it takes: coefficients of 16 bits, which may be those of
    /// pixels that fill up blocks, rows of blocks, RGB and a copy of it.
    pub(super) fn memory(self) -> u64 {
        let padded = (u64::from(self.width) + 64) * (u64::from(self.height) + 64);
        padded.saturating_mul(16).saturating_add(1 << 20)
    }

    /// # Errors
    ///
    /// The errors of JPEG, or the image has another size or other samples.
    pub(super) fn decode(self, tables: &[u8], data: &[u8], damage: Damage) -> Result<Samples> {
        let (stream, frame) = self.stream(tables, data)?;
        if frame.bits != 8 {
            let kind = format!("JPEG of {} bits", frame.bits);
            return Err(unsupported(NAME, &kind));
        }
        if usize::from(frame.samples) != self.samples {
            let problem = format!(
                "a JPEG in it has {} samples a pixel where it has {}",
                frame.samples, self.samples
            );
            return Err(damaged(NAME, &problem));
        }
        let rows = self.rows..=self.height.next_multiple_of(16);
        if u32::from(frame.width) != self.width || !rows.contains(&frame.height.into()) {
            return Err(damaged(
                NAME,
                "a JPEG in it has another size than its strip or tile",
            ));
        }
        if jpeg::header(&stream)?.memory > self.memory() {
            return Err(unsupported(
                NAME,
                "JPEG that takes more memory than its size accounts for",
            ));
        }
        let (pixels, damage) = jpeg::colours(&stream, damage)?;
        let samples = match self.samples {
            1 => pixels.pixels().map(|pixel| pixel.0[0]).collect(),
            _ => pixels.into_raw(),
        };
        Ok((samples, damage))
    }

    /// The whole stream, and what its frame says.
    fn stream(self, tables: &[u8], data: &[u8]) -> Result<(Vec<u8>, Frame)> {
        let mut stream = Vec::with_capacity(STREAM_START + tables.len() + data.len());
        stream.extend([0xFF, START_OF_IMAGE]);
        // What Adobe's programs write: colours are as they are, or YCbCr.
        stream.extend(b"\xFF\xEE\x00\x0EAdobe\x00\x64\x00\x00\x00\x00");
        stream.push(self.ycbcr.into());
        debug_assert_eq!(stream.len(), STREAM_START);
        let mut frame = None;
        copy_segments(tables, &mut stream, &mut frame)?;
        let scans = copy_segments(data, &mut stream, &mut frame)?;
        stream.extend(scans);
        let frame = frame.ok_or_else(|| damaged(NAME, "a JPEG in it has no frame"))?;
        Ok((stream, frame))
    }
}

/// What a JPEG's frame says.
#[derive(Debug, Clone, Copy)]
struct Frame {
    bits: u8,
    height: u16,
    width: u16,
    samples: u8,
}

/// Appends the segments before the first scan but for those of applications, and gives what is
/// left: the scans, or nothing.
fn copy_segments<'a>(
    mut data: &'a [u8],
    stream: &mut Vec<u8>,
    frame: &mut Option<Frame>,
) -> Result<&'a [u8]> {
    loop {
        match data {
            [] | [0xFF, END_OF_IMAGE, ..] => return Ok(&[]),
            [0xFF, START_OF_SCAN, ..] => return Ok(data),
            // Any number of these may stand before a marker.
            [0xFF, 0xFF, ..] => data = &data[1..],
            [0xFF, START_OF_IMAGE, ..] => data = &data[2..],
            [0xFF, marker, high, low, ..] => {
                let length = 2 + usize::from(u16::from_be_bytes([*high, *low]));
                let segment = data.get(..length).ok_or_else(|| damaged(NAME, TOO_SHORT))?;
                data = &data[length..];
                // Those of tables of codes, of arithmetic coding and of none are among the same
                // numbers.
                let is_frame =
                    matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
                if is_frame && let [_, _, _, _, bits, h1, h0, w1, w0, samples, ..] = *segment {
                    *frame = Some(Frame {
                        bits,
                        height: u16::from_be_bytes([h1, h0]),
                        width: u16::from_be_bytes([w1, w0]),
                        samples,
                    });
                }
                if !matches!(marker, 0xE0..=0xEF) {
                    stream.extend(segment);
                }
            }
            [0xFF] | [0xFF, _] | [0xFF, _, _] => return Err(damaged(NAME, TOO_SHORT)),
            _ => return Err(damaged(NAME, "a JPEG in it has data between its segments")),
        }
    }
}
