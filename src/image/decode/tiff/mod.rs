//! TIFF: directories of tags that say how strips or tiles of samples are an image.
//!
//! The crate `tiff` is not used: it drops tags that change what samples mean, and gives no
//! samples of a kind that it does not know.

mod colours;
mod compression;
mod directory;
mod fax;
mod jpeg;
mod layout;
mod orientation;
mod samples;

use std::borrow::Cow;

use image::metadata::Orientation;

use self::compression::{Compression, Decompressor};
use self::layout::{Chunk, Layout};
use self::samples::{add_differences, unpack};
use super::pixels::Canvas;
use super::problem::{damaged, too_large, unsupported};
use super::{Decoded, Header, Request};
use crate::error::Result;

const NAME: &str = "TIFF";

/// Whether a file begins as TIFF does, in its form for large files too.
pub(super) fn is(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..]
    )
}

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let layout = Layout::read(bytes)?;
    Ok(Header {
        width: layout.width,
        height: layout.height,
        memory: memory(&layout),
    })
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let layout = Layout::read(bytes)?;
    let Decoded { pixels, damage } = pixels(&layout, request)?;
    // Whatever the preprocessing says: Pillow turns a TIFF as it reads it.
    let pixels = match Orientation::from_exif(layout.orientation) {
        Some(turn) => pixels.turned(turn),
        None => pixels,
    };
    Ok(Decoded { pixels, damage })
}

/// The most that decoding takes at a time: the image, a copy of it that is turned, the planes of
/// a strip or tile, one that has its bits reversed, and one row of samples.
fn memory(layout: &Layout) -> u64 {
    let image = Header::rgb(layout.width, layout.height);
    let images = if layout.orientation == 1 { 1 } else { 2 };
    let planes = layout.planes().count() as u64;
    let row = 2 * u64::from(layout.chunks.width) * layout.samples.count as u64;
    image
        .saturating_mul(images)
        .saturating_add(planes.saturating_mul(layout.chunk_bytes(0)))
        .saturating_add(layout.reversed_bytes())
        .saturating_add(row)
        .saturating_add(match layout.compression {
            Compression::Jpeg => layout
                .jpeg(0)
                .memory()
                .saturating_add(layout.jpeg_stream_bytes()),
            other => Decompressor::memory(other, layout.chunks.width),
        })
}

fn pixels(layout: &Layout, request: &Request) -> Result<Decoded> {
    let mut damage = None;
    let mut canvas = Canvas::new((layout.width, layout.height), request.preprocessing);
    let mut decompressor = Decompressor::new(layout.compression, layout.chunks.width);
    let count = layout.samples.count;
    let mut row = vec![0; layout.chunks.width as usize * count];
    let row_bytes = usize::try_from(layout.row_bytes()).map_err(|_| rows_too_large())?;
    for down in 0..layout.chunks.down {
        for across in 0..layout.chunks.across {
            let planes = layout.planes().map(|plane| {
                let chunk = Chunk {
                    plane,
                    down,
                    across,
                };
                if layout.compression == Compression::Jpeg {
                    let data = layout.compressed(chunk)?;
                    let part = layout.jpeg(down);
                    let (samples, passed) =
                        part.decode(layout.jpeg_tables, &data, request.damage)?;
                    damage = damage.take().or(passed);
                    return Ok((plane, Cow::Owned(samples)));
                }
                let samples = decompress(layout, &mut decompressor, chunk)?;
                Ok((plane, samples))
            });
            let planes: Vec<_> = planes.collect::<Result<_>>()?;
            let left = across * layout.chunks.width;
            let top = down * layout.chunks.height;
            for y in 0..layout.rows(down) {
                for (plane, packed) in &planes {
                    let packed = &packed[row_bytes * y as usize..][..row_bytes];
                    let step = count / layout.samples.together();
                    unpack(packed, layout.samples, &mut row[*plane..], step);
                }
                let width = layout.chunks.width.min(layout.width - left);
                for (x, pixel) in (left..left + width).zip(row.chunks_exact(count)) {
                    let colour =
                        layout
                            .colours
                            .of(pixel, layout.samples.bits, request.preprocessing);
                    canvas.put(x, top + y, colour);
                }
            }
        }
    }
    Ok(Decoded {
        pixels: canvas.into(),
        damage,
    })
}

/// The packed samples of a strip or tile, or of one plane of it.
fn decompress<'a>(
    layout: &Layout<'a>,
    decompressor: &mut Decompressor,
    chunk: Chunk,
) -> Result<Cow<'a, [u8]>> {
    let compressed = layout.compressed(chunk)?;
    if layout.compression == Compression::None {
        return Ok(compressed);
    }
    let length = usize::try_from(layout.chunk_bytes(chunk.down)).map_err(|_| rows_too_large())?;
    let mut whole = vec![0; length];
    decompressor
        .fill(&compressed, &mut whole)
        .map_err(|problem| damaged(NAME, problem))?;
    if layout.differences {
        let row_bytes = usize::try_from(layout.row_bytes()).map_err(|_| rows_too_large())?;
        for row in whole.chunks_mut(row_bytes) {
            add_differences(row, layout.samples);
        }
    }
    Ok(Cow::Owned(whole))
}

fn rows_too_large() -> crate::error::Error {
    too_large("its rows have more bytes than this machine can address")
}
