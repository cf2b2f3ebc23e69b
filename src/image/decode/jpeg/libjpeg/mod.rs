//! JPEG by libjpeg-turbo's decoder, set up as Pillow does it: the same pixels, bit for bit.

mod decompressor;
mod fault;

use image::RgbImage;

use self::decompressor::{Component, Decompressor, Frame, Limits, Output};
use self::fault::Fault;
use crate::error::{Error, Result};
use crate::image::decode::pixels::of_cmyk;
use crate::image::decode::problem::too_large;
use crate::image::decode::{Damage, Header};

/// Scans beyond which a file is no picture but an attempt to keep a program busy. Encoders write
/// some ten; libvips draws the same line.
const MOST_SCANS: u64 = 100;
/// The most scans of an image so large that [`MOST_SCANS`] of them would take a minute.
const MOST_SCANS_OF_LARGE: u64 = 20;
/// Blocks to go over in a few seconds.
const MOST_BLOCKS: u64 = 1 << 26;

/// Tables, states and row pointers, whatever the image's size.
const FIXED_MEMORY: u64 = 128 << 10;

const BLOCK_SIDE: u64 = 8;
/// A block as coefficients of 16 bits.
const BLOCK_BYTES: u64 = 2 * BLOCK_SIDE * BLOCK_SIDE;

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let frame = Decompressor::open(bytes, Damage::Refuse)
        .map_err(Fault::error)?
        .frame();
    let rgb = Header::rgb(frame.width, frame.height);
    // As it comes out.
    let row = 4 * u64::from(frame.width);
    Ok(Header {
        width: frame.width,
        height: frame.height,
        memory: memory(&frame).saturating_add(row).saturating_add(rgb),
    })
}

/// The pixels, and the damage that was let pass.
pub(super) fn decode(bytes: &[u8], damage: Damage) -> Result<(RgbImage, Option<String>)> {
    let decompressor = Decompressor::open(bytes, damage).map_err(Fault::error)?;
    let frame = decompressor.frame();
    let output = output(&frame)?;
    let limits = Limits {
        memory: memory(&frame),
        scans: most_scans(&frame),
    };
    let mut pixels = Vec::new();
    usize::try_from(Header::rgb(frame.width, frame.height))
        .ok()
        .and_then(|length| pixels.try_reserve_exact(length).ok())
        .ok_or_else(no_memory)?;
    let passed = decompressor
        .rows(output, limits, |row| match output {
            Output::Rgb => pixels.extend_from_slice(row),
            // Stored as Adobe does it: inverted.
            Output::Cmyk => pixels.extend(
                row.as_chunks()
                    .0
                    .iter()
                    .flat_map(|inks| of_cmyk(inks.map(|sample| 255 - sample))),
            ),
        })
        .map_err(Fault::error)?;
    let pixels = RgbImage::from_raw(frame.width, frame.height, pixels).ok_or_else(no_memory)?;
    Ok((pixels, passed.map(Fault::words)))
}

fn no_memory() -> Error {
    too_large("memory does not suffice")
}

fn output(frame: &Frame) -> Result<Output> {
    match frame.components.len() {
        1 | 3 => Ok(Output::Rgb),
        4 => Ok(Output::Cmyk),
        other => Err(Fault::components(other)),
    }
}

/// The most scans that may go over an image of this size.
fn most_scans(frame: &Frame) -> u64 {
    let blocks = |component: &Component| u64::from(component.columns) * u64::from(component.rows);
    let blocks: u64 = frame.components.iter().map(blocks).sum();
    (MOST_BLOCKS / blocks.max(1)).clamp(MOST_SCANS_OF_LARGE, MOST_SCANS)
}

/// The most that the library allocates.
fn memory(frame: &Frame) -> u64 {
    let largest = |factor: fn(&Component) -> u32| {
        let factors = frame.components.iter().map(factor);
        u64::from(factors.max().unwrap_or(1))
    };
    let (horizontal, vertical) = (largest(|c| c.horizontal), largest(|c| c.vertical));
    let padded = u64::from(frame.width).next_multiple_of(BLOCK_SIDE * horizontal);
    let of_component = |component: &Component| {
        let across = u64::from(component.columns).next_multiple_of(component.horizontal.into());
        let down = u64::from(component.rows).next_multiple_of(component.vertical.into());
        // A row of blocks with those above and below that upsampling looks at, then upsampled.
        let strips = across * BLOCK_SIDE * (BLOCK_SIDE + 2) * u64::from(component.vertical)
            + padded * vertical;
        let coefficients = if frame.many_scans {
            across * down * BLOCK_BYTES
        } else {
            0
        };
        strips + coefficients
    };
    FIXED_MEMORY + frame.components.iter().map(of_component).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::decode::jpeg::tests::files;

    /// One of so many files is decoded: under valgrind all of them take minutes.
    const ONE_OF: usize = 12;

    #[test]
    fn memcheck_whole_and_damaged_jpegs() {
        let mut whole = 0;
        for (name, file) in files().into_iter().step_by(ONE_OF) {
            let pixels =
                decode(&file, Damage::Refuse).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!pixels.0.is_empty());
            whole += 1;
            // Within its tables, its header, its data.
            for length in [
                file.len() / 4,
                file.len() / 2,
                3 * file.len() / 4,
                file.len() - 3,
            ] {
                for damage in [Damage::Refuse, Damage::Accept] {
                    let _ = decode(&file[..length], damage);
                }
            }
            for place in (file.len() / 2..file.len()).step_by(7) {
                let mut damaged = file.clone();
                damaged[place] ^= 0x55;
                for damage in [Damage::Refuse, Damage::Accept] {
                    let _ = decode(&damaged, damage);
                }
            }
        }
        assert!(whole >= 20);
    }

    /// The library refuses to allocate more than it is allowed, so that each of these would fail.
    #[test]
    fn the_header_tells_all_the_memory_that_many_scans_take() {
        let (mut refused, mut whole_at_once) = (0, 0);
        for (name, file) in files() {
            let opened = Decompressor::open(&file, Damage::Refuse).unwrap();
            let frame = opened.frame();
            if !frame.many_scans {
                continue;
            }
            let limits = |memory| Limits {
                memory,
                scans: most_scans(&frame),
            };
            let rows = opened.rows(output(&frame).unwrap(), limits(memory(&frame)), |_| {});
            assert!(rows.is_ok(), "{name}");
            let opened = Decompressor::open(&file, Damage::Refuse).unwrap();
            let rows = opened.rows(output(&frame).unwrap(), limits(1 << 10), |_| {});
            match rows {
                Ok(_) => whole_at_once += 1,
                Err(_) => refused += 1,
            }
        }
        // The library takes the rows that it needs at once, come what may: all of small images.
        println!("{refused} refused, {whole_at_once} within what is needed at once");
        assert!(refused >= 50);
    }
}
