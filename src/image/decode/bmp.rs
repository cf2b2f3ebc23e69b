//! BMP, by a reader of our own that gives what Pillow does.
//!
//! That of the `image` crate rounds 5 and 6 bits in another way, leaves what run lengths skip
//! without a colour, and refuses headers of OS/2. The format is small: a header, a palette or
//! masks, and rows of samples that are packed or in run lengths.

use super::pixels::Canvas;
use super::problem::{damaged, unsupported};
use super::{Decoded, Header, Request};
use crate::error::Result;
use crate::image::Preprocessing;

const NAME: &str = "BMP";
/// Bytes before the header that says of what kind it is by its length.
const FILE_HEADER: usize = 14;

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    let Bitmap {
        width,
        height,
        coding,
        ..
    } = Bitmap::of(bytes)?;
    let indices = match coding {
        Coding::Packed => 0,
        Coding::Runs { .. } => u64::from(width).saturating_mul(height.into()),
    };
    Ok(Header {
        width,
        height,
        memory: Header::rgb(width, height).saturating_add(indices),
    })
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    let bitmap = Bitmap::of(bytes)?;
    let canvas = match bitmap.coding {
        Coding::Packed => bitmap.packed(request.preprocessing)?,
        Coding::Runs { nibbles } => bitmap.runs(nibbles, request.preprocessing)?,
    };
    Ok(Decoded::whole(canvas))
}

/// What the header says, and the file that it says it of.
struct Bitmap<'a> {
    bytes: &'a [u8],
    width: u32,
    height: u32,
    top_down: bool,
    bits: u16,
    coding: Coding,
    colours: Colours<'a>,
    /// The offset of the first sample in the file.
    start: usize,
}

#[derive(Clone, Copy)]
enum Coding {
    /// Rows of samples, each padded to four bytes.
    Packed,
    /// Run lengths, of 4-bit samples or of 8-bit ones.
    Runs { nibbles: bool },
}

/// What a sample means.
enum Colours<'a> {
    Palette(Palette<'a>),
    Masks(Masks),
}

impl<'a> Bitmap<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self> {
        let cut_short = || damaged(NAME, "its header is cut short");
        let long = |at: usize| le_u32(bytes, at).ok_or_else(cut_short);
        let short = |at: usize| le_u16(bytes, at).ok_or_else(cut_short);
        let header_size = long(FILE_HEADER)?;
        // Those of Windows 2 and OS/2 1; OS/2 2, short and whole; Windows 3, 4 and 5, with
        // two steps between that were never named.
        if !matches!(header_size, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124) {
            let kind = format!("a header of {header_size} bytes is of no known version");
            return Err(unsupported(NAME, &kind));
        }
        let after_header = FILE_HEADER + header_size as usize;
        if bytes.len() < after_header {
            return Err(cut_short());
        }
        // A field beyond the header's end is 0.
        let field = |at: usize| {
            if at + 4 <= header_size as usize {
                long(FILE_HEADER + at)
            } else {
                Ok(0)
            }
        };
        let old = header_size == 12;
        let (width, height, bits) = if old {
            (short(18)?.into(), short(20)?.into(), short(24)?)
        } else {
            (long(18)?, long(22)?, short(28)?)
        };
        // A negative height says that the first row is the upper one.
        let top_down = !old && height >> 24 == 0xFF;
        let height = if top_down {
            height.wrapping_neg()
        } else {
            height
        };
        if width == 0 || height == 0 {
            return Err(damaged(NAME, "it has no pixels"));
        }
        let compression = field(16)?;
        let coding = match compression {
            0 | 3 => Coding::Packed,
            1 => Coding::Runs { nibbles: false },
            2 => Coding::Runs { nibbles: true },
            4 => return Err(unsupported(NAME, "it holds a JPEG, or 24-bit run lengths")),
            5 => return Err(unsupported(NAME, "it holds a PNG")),
            other => return Err(unsupported(NAME, &format!("compression {other}"))),
        };
        let mut start = long(10)? as usize;
        let colours = match (bits, compression) {
            (1 | 4 | 8, 3) => {
                return Err(unsupported(NAME, "fax compression, or masks of a palette"));
            }
            (1 | 4 | 8, _) => {
                let entry = if old { 3 } else { 4 };
                let count = match field(32)? {
                    0 => 1 << bits,
                    count @ 1..=65536 => count as usize,
                    count => {
                        return Err(damaged(NAME, &format!("a palette of {count} colours")));
                    }
                };
                let size = entry * count;
                // Some programs forget the palette here.
                if start == after_header {
                    start += size;
                }
                let end = bytes.len().min(after_header + size);
                let palette = Palette::new(&bytes[after_header..end], entry, count);
                if start == 0 {
                    start = end;
                }
                Colours::Palette(palette)
            }
            (16 | 24 | 32, 0) => Colours::Masks(Masks::usual(bits)),
            (16 | 24 | 32, 3) => {
                // Behind a header of 40 bytes, or in a longer one at the same place.
                let mask = |number: usize| long(FILE_HEADER + 40 + 4 * number);
                let rgb = [mask(0)?, mask(1)?, mask(2)?];
                let opacity = match header_size {
                    56.. => mask(3)?,
                    _ => 0,
                };
                Colours::Masks(Masks::of(bits, rgb, opacity)?)
            }
            (16 | 24 | 32, _) => {
                return Err(damaged(NAME, "run lengths without a palette"));
            }
            (bits, _) => return Err(unsupported(NAME, &format!("{bits} bits a pixel"))),
        };
        if start == 0 {
            start = after_header;
        }
        Ok(Self {
            bytes,
            width,
            height,
            top_down,
            bits,
            coding,
            colours,
            start,
        })
    }

    /// The rows of samples as they are stored.
    fn packed(&self, preprocessing: &Preprocessing) -> Result<Canvas> {
        let row_bits = u64::from(self.width) * u64::from(self.bits);
        let (used, stride) = (row_bits.div_ceil(8), row_bits.div_ceil(32) * 4);
        let data = self.bytes.get(self.start..).unwrap_or_default();
        // The last row may come without its padding.
        let needed = stride
            .saturating_mul(u64::from(self.height) - 1)
            .saturating_add(used);
        let (Ok(stride), true) = (usize::try_from(stride), needed <= data.len() as u64) else {
            return Err(damaged(NAME, "the data stops before its last row"));
        };
        let mut canvas = Canvas::new((self.width, self.height), preprocessing);
        for (y, samples) in self.rows().zip(data.chunks(stride)) {
            match &self.colours {
                Colours::Palette(palette) => {
                    let per_byte = 8 / usize::from(self.bits);
                    for (x, place) in (0..self.width).zip(0..) {
                        let shift = 8 - usize::from(self.bits) * (place % per_byte + 1);
                        let sample = samples[place / per_byte] >> shift;
                        let index = sample & (0xFF >> (8 - self.bits));
                        canvas.put(x, y, palette.colour(index));
                    }
                }
                Colours::Masks(masks) => {
                    let size = usize::from(self.bits / 8);
                    for (x, sample) in (0..self.width).zip(samples.chunks_exact(size)) {
                        let mut whole = [0; 4];
                        whole[..size].copy_from_slice(sample);
                        canvas.put(x, y, masks.colour(u32::from_le_bytes(whole)));
                    }
                }
            }
        }
        Ok(canvas)
    }

    /// The pixels of run-length encoded data.
    fn runs(&self, nibbles: bool, preprocessing: &Preprocessing) -> Result<Canvas> {
        let Colours::Palette(palette) = &self.colours else {
            return Err(damaged(NAME, "run lengths without a palette"));
        };
        let (width, height) = (self.width as usize, self.height as usize);
        let indices = unrolled(self.bytes, self.start, nibbles, width, width * height);
        if indices.len() < width * height {
            return Err(damaged(NAME, "the data stops before its last row"));
        }
        let mut canvas = Canvas::new((self.width, self.height), preprocessing);
        for (y, indices) in self.rows().zip(indices.chunks(width)) {
            for (x, &index) in (0..).zip(indices) {
                canvas.put(x, y, palette.colour(index));
            }
        }
        Ok(canvas)
    }

    /// Which row each stored one is.
    fn rows(&self) -> impl Iterator<Item = u32> {
        let (last, top_down) = (self.height - 1, self.top_down);
        (0..=last).map(move |row| if top_down { row } else { last - row })
    }
}

/// The indices that run lengths from `at` on stand for: no more than `count`, fewer where the
/// file ends. What is skipped is index 0.
///
/// As Pillow has it: pixels are counted through all rows, a run ends with its row, and a
/// line's end within no row does nothing.
fn unrolled(bytes: &[u8], mut at: usize, nibbles: bool, width: usize, count: usize) -> Vec<u8> {
    let mut indices: Vec<u8> = Vec::with_capacity(count);
    // Columns of this row that are written, or more where a copy went beyond its end.
    let mut x = 0;
    while indices.len() < count {
        let Some(&[length, value]) = bytes.get(at..at + 2).and_then(|pair| pair.first_chunk())
        else {
            break;
        };
        at += 2;
        let left = count - indices.len();
        match (length, value) {
            (0, 0) => {
                let row_end = indices.len().next_multiple_of(width);
                indices.resize(row_end, 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                let Some(&[right, up]) = bytes.get(at..at + 2).and_then(|pair| pair.first_chunk())
                else {
                    break;
                };
                at += 2;
                let skipped = usize::from(right) + usize::from(up) * width;
                indices.resize(indices.len() + skipped.min(left), 0);
                x = indices.len() % width;
            }
            (0, copied) => {
                let copied = usize::from(copied);
                let size = if nibbles { copied.div_ceil(2) } else { copied };
                let rest = bytes.get(at..).unwrap_or_default();
                let copy = &rest[..size.min(rest.len())];
                if nibbles {
                    let halves = copy.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
                    indices.extend(halves.take(copied.min(left)));
                } else {
                    indices.extend(copy.iter().take(left));
                }
                at += size;
                x += copied;
                // A copy is padded to two bytes.
                at += at % 2;
            }
            (length, value) => {
                let run = usize::from(length).min(width.saturating_sub(x)).min(left);
                let pair = if nibbles {
                    [value >> 4, value & 0xF]
                } else {
                    [value; 2]
                };
                indices.extend(pair.iter().cycle().take(run));
                x += run;
            }
        }
    }
    indices
}

/// Blue, green and red of each index, and perhaps a byte that means nothing.
struct Palette<'a> {
    entries: &'a [u8],
    entry: usize,
    /// What an index beyond the last entry is.
    beyond: Beyond,
}

/// Pillow takes a palette that is the grays in their order for none; then an index has a colour
/// without an entry.
#[derive(Clone, Copy)]
enum Beyond {
    Black,
    White,
    Gray,
}

impl<'a> Palette<'a> {
    fn new(entries: &'a [u8], entry: usize, count: usize) -> Self {
        let gray = |index: usize, value: usize| {
            entries
                .get(entry * index..entry * index + 3)
                .is_some_and(|bgr| bgr.iter().all(|&sample| usize::from(sample) == value))
        };
        let beyond = match count {
            1 if gray(0, 0) => Beyond::White,
            2 if gray(0, 0) && gray(1, 255) => Beyond::White,
            3.. if (0..count).all(|index| gray(index, index)) => Beyond::Gray,
            _ => Beyond::Black,
        };
        Self {
            entries,
            entry,
            beyond,
        }
    }

    /// Opaque.
    fn colour(&self, index: u8) -> [u8; 4] {
        let at = self.entry * usize::from(index);
        match (self.entries.get(at..at + 3), self.beyond) {
            (Some(&[blue, green, red]), _) => [red, green, blue, 255],
            (_, Beyond::Black) => [0, 0, 0, 255],
            (_, Beyond::White) => [255; 4],
            (_, Beyond::Gray) => [index, index, index, 255],
        }
    }
}

/// Which bits of a sample are red, green, blue and opacity.
struct Masks {
    rgb: [Mask; 3],
    opacity: Option<Mask>,
}

struct Mask {
    bits: u32,
    shift: u32,
    /// The largest value that the masked bits can have.
    most: u64,
}

impl Masks {
    /// The masks of a header without any. A fourth byte means nothing.
    fn usual(bits: u16) -> Self {
        let rgb = match bits {
            16 => [0x7C00, 0x3E0, 0x1F],
            _ => [0xFF_0000, 0xFF00, 0xFF],
        };
        Self {
            rgb: rgb.map(Mask::new),
            opacity: None,
        }
    }

    fn of(bits: u16, rgb: [u32; 3], opacity: u32) -> Result<Self> {
        let (rgb, opacity) = match (bits, rgb, opacity) {
            (32, [0, 0, 0], 0) => ([0xFF_0000, 0xFF00, 0xFF], 0xFF00_0000),
            given => (given.1, given.2),
        };
        if rgb.iter().any(|&mask| !is_one_run(mask)) || (opacity != 0 && !is_one_run(opacity)) {
            return Err(unsupported(NAME, "a mask of no bits, or of bits apart"));
        }
        Ok(Self {
            rgb: rgb.map(Mask::new),
            // Pillow reads opacity of 32 bits alone.
            opacity: (bits == 32 && opacity != 0).then(|| Mask::new(opacity)),
        })
    }

    fn colour(&self, sample: u32) -> [u8; 4] {
        let [red, green, blue] = [0, 1, 2].map(|channel| self.rgb[channel].value(sample));
        let opacity = self.opacity.as_ref().map_or(255, |mask| mask.value(sample));
        [red, green, blue, opacity]
    }
}

impl Mask {
    fn new(bits: u32) -> Self {
        let shift = bits.trailing_zeros();
        Self {
            bits,
            shift,
            most: u64::from(bits.checked_shr(shift).unwrap_or(0)).max(1),
        }
    }

    /// The sample's masked bits as a share of 255, cut off rather than rounded, as Pillow has it.
    fn value(&self, sample: u32) -> u8 {
        let value = (sample & self.bits).checked_shr(self.shift).unwrap_or(0);
        u8::try_from(u64::from(value) * 255 / self.most).unwrap_or(u8::MAX)
    }
}

fn is_one_run(mask: u32) -> bool {
    mask != 0
        && (mask >> mask.trailing_zeros())
            .checked_add(1)
            .is_none_or(u32::is_power_of_two)
}

fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    bytes.try_into().ok().map(u16::from_le_bytes)
}

fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}
