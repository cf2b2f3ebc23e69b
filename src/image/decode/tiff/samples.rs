//! Samples of 1 to 16 bits, as they are packed into the rows of a strip or tile.

use super::colours::PHOTOMETRIC_INTERPRETATION;
use super::directory::{ByteOrder, Directory};
use super::{NAME, damaged, unsupported};
use crate::error::Result;

const BITS_PER_SAMPLE: u16 = 258;
const SAMPLES_PER_PIXEL: u16 = 277;
const PLANAR_CONFIGURATION: u16 = 284;
const SAMPLE_FORMAT: u16 = 339;

/// The most samples of a pixel, as in Pillow. A file of a few bytes may claim 65,535, and work
/// grows with them.
const MOST_SAMPLES: u16 = 6;

/// How pixels are made of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Samples {
    /// Bits of each, from 1 to 16.
    pub(super) bits: u32,
    /// Samples of a pixel, those that are of no use among them.
    pub(super) count: usize,
    /// Whether the first samples of all pixels come before the second ones.
    pub(super) planar: bool,
    pub(super) order: ByteOrder,
}

impl Samples {
    pub(super) fn read(directory: &Directory) -> Result<Self> {
        let count = directory.first(SAMPLES_PER_PIXEL)?.unwrap_or(1);
        let count = u16::try_from(count).unwrap_or(0);
        if count == 0 {
            return Err(damaged(NAME, "its number of samples is out of range"));
        }
        if count > MOST_SAMPLES {
            let kind = format!("{count} samples a pixel, expected at most {MOST_SAMPLES}");
            return Err(unsupported(NAME, &kind));
        }
        let count = usize::from(count);
        let bits = match directory.find(BITS_PER_SAMPLE)? {
            None => 1,
            Some(values) => {
                let first = values.get(0).unwrap_or(1);
                // One number may stand for all.
                if values.len() > 1 && values.len() < count {
                    return Err(damaged(
                        NAME,
                        "it does not give the bits of all its samples",
                    ));
                }
                if values.iter().take(count).any(|bits| bits != first) {
                    return Err(unsupported(NAME, "samples of different sizes"));
                }
                first
            }
        };
        if let Some(formats) = directory.find(SAMPLE_FORMAT)? {
            let gray = directory.first(PHOTOMETRIC_INTERPRETATION)? == Some(1);
            for format in formats.iter().take(count) {
                let kind = match format {
                    1 => continue,
                    // Pillow takes these for unsigned ones.
                    2 if bits == 8 && gray => continue,
                    2 => "signed samples",
                    3 => "floating-point samples",
                    5 | 6 => "complex samples",
                    _ => "samples of an unknown format",
                };
                return Err(unsupported(NAME, kind));
            }
        }
        match u32::try_from(bits) {
            Ok(bits @ 1..=16) => Ok(Self {
                bits,
                count,
                planar: match directory.first(PLANAR_CONFIGURATION)?.unwrap_or(1) {
                    1 => false,
                    2 => count > 1,
                    other => {
                        let problem = format!("its planar configuration is {other}");
                        return Err(damaged(NAME, &problem));
                    }
                },
                order: directory.order,
            }),
            _ => Err(unsupported(NAME, &format!("samples of {bits} bits"))),
        }
    }

    /// Samples of a pixel that stand side by side.
    pub(super) fn together(self) -> usize {
        if self.planar { 1 } else { self.count }
    }

    /// Bytes of a row of `width` pixels, or of one plane of it.
    pub(super) fn row_bytes(self, width: u32) -> u64 {
        let bits = u64::from(width) * self.together() as u64 * u64::from(self.bits);
        bits.div_ceil(8)
    }
}

/// Takes the samples of a packed row apart: of one plane, every `step`-th of `row`.
///
/// Samples of 16 bits have the file's byte order; others stand side by side, the highest bit first.
pub(super) fn unpack(packed: &[u8], samples: Samples, row: &mut [u16], step: usize) {
    let row = row.iter_mut().step_by(step);
    match samples.bits {
        8 => {
            for (sample, byte) in row.zip(packed) {
                *sample = (*byte).into();
            }
        }
        16 => {
            for (sample, bytes) in row.zip(packed.chunks_exact(2)) {
                *sample = wide(bytes, samples.order);
            }
        }
        bits => {
            let mut bytes = packed.iter();
            let (mut held, mut count) = (0_u32, 0);
            for sample in row {
                while count < bits {
                    held = held << 8 | u32::from(bytes.next().copied().unwrap_or(0));
                    count += 8;
                }
                count -= bits;
                *sample = low(held >> count);
                held &= (1 << count) - 1;
            }
        }
    }
}

/// Makes samples of their differences to those of the pixel to the left, in a packed row.
pub(super) fn add_differences(row: &mut [u8], samples: Samples) {
    let step = samples.together();
    if samples.bits == 8 {
        for place in step..row.len() {
            row[place] = row[place].wrapping_add(row[place - step]);
        }
    } else {
        for place in (2 * step..row.len().saturating_sub(1)).step_by(2) {
            let at = |place: usize| wide(&row[place..place + 2], samples.order);
            let sum = at(place).wrapping_add(at(place - 2 * step));
            let bytes = match samples.order {
                ByteOrder::Little => sum.to_le_bytes(),
                ByteOrder::Big => sum.to_be_bytes(),
            };
            row[place..place + 2].copy_from_slice(&bytes);
        }
    }
}

fn wide(bytes: &[u8], order: ByteOrder) -> u16 {
    low(u32::try_from(order.number(bytes)).unwrap_or(0))
}

/// A sample's bits, of which none is lost.
fn low(bits: u32) -> u16 {
    u16::try_from(bits).unwrap_or(u16::MAX)
}
