//! What a TIFF's tags say of its image: size, samples, and where its strips or tiles lie.

use std::borrow::Cow;

use super::colours::{Colours, Opacity};
use super::compression::Compression;
use super::directory::{ByteOrder, Directory, Values, part};
use super::{NAME, damaged, unsupported};
use crate::error::Result;

const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC_INTERPRETATION: u16 = 262;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const ORIENTATION: u16 = 274;
const SAMPLES_PER_PIXEL: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTE_COUNTS: u16 = 279;
const PLANAR_CONFIGURATION: u16 = 284;
const GROUP3_OPTIONS: u16 = 292;
const PREDICTOR: u16 = 317;
const COLOUR_MAP: u16 = 320;
const TILE_WIDTH: u16 = 322;
const TILE_LENGTH: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
const XMP: u16 = 700;

/// Everything about an image but its pixels.
pub(super) struct Layout<'a> {
    file: &'a [u8],
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) samples: Samples,
    pub(super) colours: Colours,
    pub(super) compression: Compression,
    /// Whether samples are stored as differences to their left neighbours.
    pub(super) differences: bool,
    /// Whether a byte's lowest bit comes first.
    pub(super) reversed: bool,
    pub(super) chunks: Chunks<'a>,
    /// How the image is to be turned, as EXIF counts.
    pub(super) orientation: u8,
}

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
    /// Samples of a pixel that stand side by side.
    pub(super) fn together(self) -> usize {
        if self.planar { 1 } else { self.count }
    }

    /// Bytes of a row of `width` pixels, or of one plane of it.
    fn row_bytes(self, width: u32) -> u64 {
        let bits = u64::from(width) * self.together() as u64 * u64::from(self.bits);
        bits.div_ceil(8)
    }
}

/// The strips or tiles of an image: strips are tiles as wide as the image.
pub(super) struct Chunks<'a> {
    tiled: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) across: u32,
    pub(super) down: u32,
    offsets: Values<'a>,
    byte_counts: Option<Values<'a>>,
}

impl Chunks<'_> {
    fn in_a_plane(&self) -> u64 {
        u64::from(self.down) * u64::from(self.across)
    }

    /// Where a strip or tile stands in the lists of offsets and byte counts.
    fn index(&self, chunk: Chunk) -> Option<usize> {
        let planes = self.in_a_plane().checked_mul(chunk.plane as u64)?;
        let rows = u64::from(chunk.down) * u64::from(self.across);
        let index = planes.checked_add(rows)?.checked_add(chunk.across.into())?;
        usize::try_from(index).ok()
    }
}

/// Which strip or tile, and which plane of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) plane: usize,
    pub(super) down: u32,
    pub(super) across: u32,
}

impl<'a> Layout<'a> {
    /// # Errors
    ///
    /// The tags contradict each other or the file, or say of the image what is not read.
    pub(super) fn read(file: &'a [u8]) -> Result<Self> {
        let directory = Directory::read(file)?;
        let width = required(&directory, IMAGE_WIDTH, "width")?;
        let height = required(&directory, IMAGE_LENGTH, "height")?;
        let group3_options = directory.first(GROUP3_OPTIONS)?.unwrap_or(0);
        let compression = directory.first(COMPRESSION)?.unwrap_or(1);
        let compression = Compression::of(compression, group3_options)
            .map_err(|name| unsupported(NAME, &name))?;
        let samples = samples(&directory)?;
        let layout = Self {
            file,
            width,
            height,
            samples,
            colours: colours(&directory, samples)?,
            compression,
            differences: differences(&directory, compression, samples.bits)?,
            reversed: match directory.first(FILL_ORDER)?.unwrap_or(1) {
                1 => false,
                2 => true,
                other => return Err(damaged(NAME, &format!("its fill order is {other}"))),
            },
            chunks: chunks(&directory, width, height, compression)?,
            orientation: orientation(&directory)?,
        };
        layout.check()?;
        Ok(layout)
    }

    /// The planes that are of use; all samples stand in one where they are not planar.
    pub(super) fn planes(&self) -> impl Iterator<Item = usize> + '_ {
        let used = |plane: &usize| self.colours.uses(*plane);
        (0..self.planes_stored()).filter(move |plane| !self.samples.planar || used(plane))
    }

    fn planes_stored(&self) -> usize {
        if self.samples.planar {
            self.samples.count
        } else {
            1
        }
    }

    /// Rows of the image in a row of strips or tiles.
    pub(super) fn rows(&self, down: u32) -> u32 {
        let above = u64::from(down) * u64::from(self.chunks.height);
        let below = u64::from(self.height).saturating_sub(above);
        // The lesser of two sizes of 32 bits.
        u32::try_from(below.min(self.chunks.height.into())).unwrap_or(u32::MAX)
    }

    /// Bytes of a row of a strip or tile, or of one plane of it.
    pub(super) fn row_bytes(&self) -> u64 {
        self.samples.row_bytes(self.chunks.width)
    }

    /// Bytes of a strip or tile, or of one plane of it, once it is decompressed. Tiles are
    /// compressed whole, with rows beyond the image.
    pub(super) fn chunk_bytes(&self, down: u32) -> u64 {
        let rows = if self.chunks.tiled && self.compression != Compression::None {
            self.chunks.height
        } else {
            self.rows(down)
        };
        self.row_bytes().saturating_mul(rows.into())
    }

    /// The bytes of a strip or tile, or of one plane of it, as they are compressed.
    pub(super) fn compressed(&self, chunk: Chunk) -> Result<Cow<'a, [u8]>> {
        let bytes = self.stored(chunk)?;
        Ok(if self.reversed {
            bytes.iter().map(|byte| byte.reverse_bits()).collect()
        } else {
            Cow::Borrowed(bytes)
        })
    }

    /// The most bytes that a copy with reversed bits takes.
    pub(super) fn reversed_bytes(&self) -> u64 {
        if self.reversed {
            self.file.len() as u64
        } else {
            0
        }
    }

    fn stored(&self, chunk: Chunk) -> Result<&'a [u8]> {
        let Chunks {
            offsets,
            byte_counts,
            ..
        } = self.chunks;
        let index = self.chunks.index(chunk);
        let found = index.and_then(|index| {
            let offset = offsets.get(index)?;
            let rest = (self.file.len() as u64).checked_sub(offset)?;
            let length = match byte_counts {
                // As Pillow, which asks no more than where the bytes begin.
                _ if self.compression == Compression::None => self.chunk_bytes(chunk.down),
                Some(byte_counts) => match byte_counts.get(index)? {
                    0 if offsets.len() == 1 => rest,
                    count => count,
                },
                None => {
                    let next = offsets.get(index + 1);
                    let length = next.and_then(|next| next.checked_sub(offset));
                    length.unwrap_or(rest).min(rest)
                }
            };
            part(self.file, offset, length)
        });
        found.ok_or_else(|| damaged(NAME, "a strip or tile runs beyond the file's end"))
    }

    /// Looks at where all strips and tiles lie, and at what decompressing them will take: no
    /// more than the file has bytes and the image needs, since each could be the whole file.
    fn check(&self) -> Result<()> {
        let planes = self.planes_stored() as u64;
        let needed = self.chunks.in_a_plane().saturating_mul(planes);
        let found = self.chunks.offsets.len() as u64;
        // Pillow takes the last ones where there are too many, and libtiff the first.
        if found < needed || (found > needed && self.compression == Compression::None) {
            let problem = format!("it has {found} strips or tiles where its size needs {needed}");
            return Err(damaged(NAME, &problem));
        }
        let mut bound = self.file.len() as u64;
        for plane in self.planes() {
            for down in 0..self.chunks.down {
                for across in 0..self.chunks.across {
                    let chunk = Chunk {
                        plane,
                        down,
                        across,
                    };
                    let stored = self.stored(chunk)?.len() as u64;
                    bound = bound.saturating_add(self.chunk_bytes(down));
                    bound = bound.checked_sub(stored).ok_or_else(|| {
                        unsupported(
                            NAME,
                            "its strips or tiles share more data than the file has",
                        )
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn required(directory: &Directory, tag: u16, name: &str) -> Result<u32> {
    let value = directory.first(tag)?;
    let value = value.ok_or_else(|| damaged(NAME, &format!("its {name} is not given")))?;
    match u32::try_from(value) {
        Ok(value) if value > 0 => Ok(value),
        _ => Err(damaged(NAME, &format!("its {name} is {value}"))),
    }
}

fn samples(directory: &Directory) -> Result<Samples> {
    let count = directory.first(SAMPLES_PER_PIXEL)?.unwrap_or(1);
    let count = u16::try_from(count).unwrap_or(0);
    if count == 0 {
        return Err(damaged(NAME, "its number of samples is out of range"));
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
        Ok(bits @ 1..=16) => Ok(Samples {
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

fn colours(directory: &Directory, samples: Samples) -> Result<Colours> {
    let Samples {
        bits,
        count,
        planar,
        ..
    } = samples;
    let interpretation = directory.first(PHOTOMETRIC_INTERPRETATION)?.unwrap_or(0);
    let name = match interpretation {
        0..=3 | 5 => None,
        4 => Some("a transparency mask"),
        6 => Some("YCbCr colours"),
        8..=10 => Some("CIE L*a*b* colours"),
        32803 => Some("the samples of a colour filter array"),
        32844 | 32845 => Some("CIE LogLuv colours"),
        34892 => Some("linear raw samples"),
        _ => Some("colours of an unknown kind"),
    };
    if let Some(name) = name {
        return Err(unsupported(NAME, name));
    }
    let colour_samples = match interpretation {
        2 => 3,
        5 => 4,
        _ => 1,
    };
    let Some(extra) = count.checked_sub(colour_samples) else {
        let problem = format!("{count} samples where its colours need {colour_samples}");
        return Err(damaged(NAME, &problem));
    };
    let kinds = directory.find(EXTRA_SAMPLES)?;
    let opacity = match (extra, kinds) {
        (0, _) => None,
        // Pillow takes a fourth sample beside RGB for opacity; libtiff's planes it does not.
        (1, None) if interpretation == 2 && !planar => Some((0, Opacity::Separate)),
        (_, None) => return Err(unsupported(NAME, "more samples than its colours need")),
        (_, Some(kinds)) => {
            let mut opacities = kinds.iter().take(extra).enumerate();
            opacities.find_map(|(place, kind)| match kind {
                1 => Some((place, Opacity::Multiplied)),
                // 999 is what Corel Draw writes.
                2 | 999 => Some((place, Opacity::Separate)),
                _ => None,
            })
        }
    };
    let opacity = opacity.map(|(place, kind)| (colour_samples + place, kind));
    Ok(match interpretation {
        0 => Colours::gray(true, opacity),
        1 => Colours::gray(false, opacity),
        2 => Colours::rgb(opacity),
        5 => Colours::cmyk(opacity),
        _ => Colours::palette(palette(directory, bits)?, opacity),
    })
}

/// The colours under each number of a palette.
fn palette(directory: &Directory, bits: u32) -> Result<Vec<[u8; 3]>> {
    if bits > 8 {
        return Err(unsupported(NAME, &format!("a palette of {bits} bits")));
    }
    let Some(map) = directory.find(COLOUR_MAP)? else {
        return Err(damaged(NAME, "it has no palette"));
    };
    // All reds come first, and blues last.
    let count = map.len() / 3;
    if count < 1 << bits {
        return Err(damaged(NAME, "its palette is too small"));
    }
    if map.iter().all(|sample| sample < 256) && map.iter().any(|sample| sample > 0) {
        return Err(unsupported(NAME, "a palette of 8-bit colours"));
    }
    let upper = |index: usize| {
        let sample = map.get(index).unwrap_or(0) / 256;
        u8::try_from(sample).unwrap_or(u8::MAX)
    };
    let colour = |index: usize| [0, 1, 2].map(|channel| upper(channel * count + index));
    Ok((0..1 << bits).map(colour).collect())
}

fn differences(directory: &Directory, compression: Compression, bits: u32) -> Result<bool> {
    // Without a compression that knows of predictors, libtiff passes the tag over.
    if !compression.has_predictor() {
        return Ok(false);
    }
    match directory.first(PREDICTOR)?.unwrap_or(1) {
        1 => Ok(false),
        2 if bits == 8 || bits == 16 => Ok(true),
        2 => {
            let kind = format!("differences of samples of {bits} bits");
            Err(unsupported(NAME, &kind))
        }
        3 => Err(unsupported(NAME, "floating-point differences")),
        other => Err(damaged(NAME, &format!("its predictor is {other}"))),
    }
}

fn chunks<'a>(
    directory: &Directory<'a>,
    width: u32,
    height: u32,
    compression: Compression,
) -> Result<Chunks<'a>> {
    let tiled = directory.find(TILE_WIDTH)?.is_some();
    let strips = directory.find(STRIP_OFFSETS)?;
    if tiled && strips.is_some() && compression == Compression::None {
        // libtiff has them for tiles, and Pillow, which asks it about compressed ones alone, for
        // strips.
        return Err(unsupported(NAME, "tiles under the tags of strips"));
    }
    let offsets = match strips {
        Some(offsets) => Some(offsets),
        None => directory.find(TILE_OFFSETS)?,
    };
    let offsets =
        offsets.ok_or_else(|| damaged(NAME, "it does not say where its strips or tiles are"))?;
    let (chunk_width, chunk_height) = if tiled {
        (
            required(directory, TILE_WIDTH, "tiles' width")?,
            required(directory, TILE_LENGTH, "tiles' height")?,
        )
    } else {
        let rows = directory.first(ROWS_PER_STRIP)?.unwrap_or(height.into());
        let rows = u32::try_from(rows.min(height.into())).unwrap_or(height);
        if rows == 0 {
            return Err(damaged(NAME, "its strips have no rows"));
        }
        (width, rows)
    };
    let byte_counts = match directory.find(STRIP_BYTE_COUNTS)? {
        Some(byte_counts) => Some(byte_counts),
        None => directory.find(TILE_BYTE_COUNTS)?,
    };
    Ok(Chunks {
        tiled,
        width: chunk_width,
        height: chunk_height,
        across: width.div_ceil(chunk_width),
        down: height.div_ceil(chunk_height),
        offsets,
        byte_counts,
    })
}

/// How the image is to be turned, as EXIF counts. Pillow looks for it in the XMP metadata, too.
fn orientation(directory: &Directory) -> Result<u8> {
    let digit = match directory.first(ORIENTATION)? {
        Some(number) => u8::try_from(number).ok(),
        None => directory
            .find(XMP)?
            .and_then(|values| orientation_in_xmp(values.bytes())),
    };
    Ok(digit.filter(|digit| (1..=8).contains(digit)).unwrap_or(1))
}

/// The digit of the first `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
fn orientation_in_xmp(xmp: &[u8]) -> Option<u8> {
    const KEY: &[u8] = b"tiff:Orientation";
    let places = xmp.windows(KEY.len()).enumerate();
    places
        .filter(|(_, window)| *window == KEY)
        .find_map(|(place, _)| match xmp.get(place + KEY.len()..)? {
            [b'=', b'"', digit @ b'0'..=b'9', ..] | [b'>', digit @ b'0'..=b'9', ..] => {
                Some(digit - b'0')
            }
            _ => None,
        })
}
