//! GIF: the first frame, on the canvas that Pillow makes for it.
//!
//! The blocks are walked here rather than by the `gif` crate, which refuses a frame without a
//! palette and gives no part of a file that it cannot read on: Pillow passes over what it does
//! not know. The pixels are unpacked by that crate's own `weezl`.

use weezl::decode::Configuration;
use weezl::{BitOrder, LzwStatus};

use super::pixels::Canvas;
use super::problem::{damaged, unsupported};
use super::{Decoded, Header, Request};
use crate::error::Result;

const NAME: &str = "GIF";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let frame = Frame::first(bytes)?;
    let (width, height) = frame.canvas;
    Ok(Header {
        width,
        height,
        // The frame's indices, and the codes' table.
        memory: Header::rgb(width, height)
            .saturating_add(frame.area())
            .saturating_add(1 << 16),
    })
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let frame = Frame::first(bytes)?;
    let indices = frame.indices()?;
    let colour = |index: u8| {
        let [red, green, blue] = frame.colour(index);
        let opacity = if frame.transparent == Some(index) {
            0
        } else {
            255
        };
        [red, green, blue, opacity]
    };
    // The screen's background colour counts from the second frame on.
    let background = colour(frame.transparent.unwrap_or(0));
    let mut canvas = Canvas::of(frame.canvas, background, request.preprocessing);
    let rows = indices.chunks_exact(frame.width.into());
    for (y, row) in frame.rows().zip(rows) {
        for (x, &index) in (u32::from(frame.left)..).zip(row) {
            canvas.put(x, u32::from(frame.top) + y, colour(index));
        }
    }
    Ok(Decoded::whole(canvas))
}

/// A file's first frame, as its blocks describe it.
struct Frame<'a> {
    /// Width and height of the screen, enlarged to where the frame goes beyond.
    canvas: (u32, u32),
    left: u16,
    top: u16,
    width: u16,
    height: u16,
    interlaced: bool,
    /// The index of no colour.
    transparent: Option<u8>,
    /// The frame's own, or else the screen's.
    palette: &'a [u8],
    /// Whether the palette is the grays in their order, or there is none.
    gray: bool,
    code_size: u8,
    /// The data's blocks, each behind its length, and what follows them.
    data: &'a [u8],
}

impl<'a> Frame<'a> {
    fn first(bytes: &'a [u8]) -> Result<Self> {
        Self::read(bytes)?.ok_or_else(|| damaged(NAME, "the data stops before its first image"))
    }

    /// The first frame, or none where the file ends before it.
    fn read(bytes: &'a [u8]) -> Result<Option<Self>> {
        let mut rest = bytes.get(6..).unwrap_or_default();
        let Some(&[w0, w1, h0, h1, flags, _background, _aspect]) = take(&mut rest) else {
            return Ok(None);
        };
        let screen = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
        let mut palette = take_palette(&mut rest, flags);
        let mut transparent = None;
        loop {
            let Some(&[introducer]) = take(&mut rest) else {
                return Ok(None);
            };
            match introducer {
                b'!' => {
                    let Some(&[label]) = take(&mut rest) else {
                        return Ok(None);
                    };
                    let mut first = true;
                    while let Some(block) = take_block(&mut rest) {
                        // Graphic control.
                        if let (0xF9, true, &[flags, _, _, index, ..]) = (label, first, block)
                            && flags & 1 != 0
                        {
                            transparent = Some(index);
                        }
                        first = false;
                    }
                }
                b',' => {
                    let Some(&[l0, l1, t0, t1, w0, w1, h0, h1, flags]) = take(&mut rest) else {
                        return Ok(None);
                    };
                    let [left, top, width, height] =
                        [[l0, l1], [t0, t1], [w0, w1], [h0, h1]].map(u16::from_le_bytes);
                    if let Some(own) = take_palette(&mut rest, flags) {
                        palette = Some(own);
                    }
                    let Some(&[code_size]) = take(&mut rest) else {
                        return Ok(None);
                    };
                    if width == 0 || height == 0 {
                        return Err(damaged(NAME, "its first image has no pixels"));
                    }
                    let reach = |screen: u16, start: u16, size: u16| {
                        u32::from(screen).max(u32::from(start) + u32::from(size))
                    };
                    return Ok(Some(Self {
                        canvas: (reach(screen.0, left, width), reach(screen.1, top, height)),
                        left,
                        top,
                        width,
                        height,
                        interlaced: flags & 0x40 != 0,
                        transparent,
                        palette: palette.unwrap_or_default(),
                        gray: palette.is_none_or(is_gray),
                        code_size,
                        data: rest,
                    }));
                }
                b';' => return Err(damaged(NAME, "it has no image")),
                // Pillow passes over what is no block.
                _ => {}
            }
        }
    }

    fn area(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The index of each pixel, in the file's order.
    fn indices(&self) -> Result<Vec<u8>> {
        if self.code_size > 11 {
            let kind = format!("codes of {} bits to begin with", self.code_size);
            return Err(unsupported(NAME, &kind));
        }
        let too_few = || damaged(NAME, "the data stops before its last pixel");
        let area = usize::try_from(self.area()).map_err(|_| too_few())?;
        let mut decoder = Configuration::new(BitOrder::Lsb, self.code_size)
            .with_yield_on_full_buffer(true)
            .build();
        let mut indices = vec![0; area];
        let mut filled = 0;
        let mut rest = self.data;
        while let Some(mut block) = take_block(&mut rest) {
            let mut stopped = false;
            loop {
                let result = decoder.decode_bytes(block, &mut indices[filled..]);
                filled += result.consumed_out;
                block = &block[result.consumed_in..];
                // What follows the last pixel does not matter.
                if filled == area {
                    return Ok(indices);
                }
                match result.status {
                    Ok(LzwStatus::Ok) => stopped = false,
                    // Also said where a code that clears the table was all that came.
                    Ok(LzwStatus::NoProgress) if !stopped => stopped = true,
                    Ok(LzwStatus::NoProgress) => break,
                    Ok(LzwStatus::Done) => return Err(too_few()),
                    Err(_) => return Err(damaged(NAME, "a code without a meaning")),
                }
            }
        }
        Err(too_few())
    }

    /// Which row of the frame each stored one is.
    fn rows(&self) -> impl Iterator<Item = u32> {
        let passes: &[(u32, usize)] = if self.interlaced {
            &[(0, 8), (4, 8), (2, 4), (1, 2)]
        } else {
            &[(0, 1)]
        };
        let height = u32::from(self.height);
        let pass = move |&(start, step)| (start..height).step_by(step);
        passes.iter().flat_map(pass)
    }

    fn colour(&self, index: u8) -> [u8; 3] {
        let at = 3 * usize::from(index);
        match self.palette.get(at..at + 3) {
            _ if self.gray => [index; 3],
            Some(&[red, green, blue]) => [red, green, blue],
            _ => [0; 3],
        }
    }
}

/// The first `N` bytes, which are then behind; None where there are fewer.
fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(taken)
}

/// The palette that the flags announce, perhaps cut short.
fn take_palette<'a>(rest: &mut &'a [u8], flags: u8) -> Option<&'a [u8]> {
    if flags & 0x80 == 0 {
        return None;
    }
    let size = 3 << ((flags & 7) + 1);
    let (palette, behind) = rest.split_at(size.min(rest.len()));
    *rest = behind;
    Some(palette)
}

/// The next block of data, perhaps cut short; None at the empty one that ends them, or where the
/// file does.
fn take_block<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let &[length] = take(rest)?;
    if length == 0 {
        return None;
    }
    let (block, behind) = rest.split_at(rest.len().min(length.into()));
    *rest = behind;
    Some(block)
}

/// Whether each of a palette's colours is the gray of its index, which Pillow takes for none.
fn is_gray(palette: &[u8]) -> bool {
    let mut colours = (0..=u8::MAX).zip(palette.chunks(3));
    colours.all(|(index, colour)| colour == [index; 3])
}
