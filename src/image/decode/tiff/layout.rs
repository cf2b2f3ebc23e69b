//! What a TIFF's tags say of its image: size, samples, and where its strips or tiles lie.

use std::borrow::Cow;

use super::colours::{Colours, PHOTOMETRIC_INTERPRETATION};
use super::compression::Compression;
use super::directory::{Directory, Values, part};
use super::jpeg::{Part, STREAM_START};
use super::orientation;
use super::samples::Samples;
use super::{NAME, damaged, unsupported};
use crate::error::Result;

const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const COMPRESSION: u16 = 259;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTE_COUNTS: u16 = 279;
const GROUP3_OPTIONS: u16 = 292;
const PREDICTOR: u16 = 317;
const TILE_WIDTH: u16 = 322;
const TILE_LENGTH: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const JPEG_TABLES: u16 = 347;

/// Everything about an image but its pixels.
pub(super) struct Layout<'a> {
    file: &'a [u8],
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) samples: Samples,
    pub(super) colours: Colours,
    pub(super) compression: Compression,
    /// What the images in all strips or tiles have in common.
    pub(super) jpeg_tables: &'a [u8],
    /// Whether JPEG makes RGB of brightness and colour.
    pub(super) ycbcr: bool,
    /// Whether samples are stored as differences to their left neighbours.
    pub(super) differences: bool,
    /// Whether a byte's lowest bit comes first.
    pub(super) reversed: bool,
    pub(super) chunks: Chunks<'a>,
    /// How the image is to be turned, as EXIF counts.
    pub(super) orientation: u8,
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
        let samples = Samples::read(&directory)?;
        let layout = Self {
            file,
            width,
            height,
            samples,
            colours: Colours::read(&directory, samples, compression)?,
            compression,
            jpeg_tables: match directory.find(JPEG_TABLES)? {
                Some(tables) if compression == Compression::Jpeg => tables.bytes(),
                _ => &[],
            },
            ycbcr: directory.first(PHOTOMETRIC_INTERPRETATION)? == Some(6),
            differences: differences(&directory, compression, samples.bits)?,
            reversed: match directory.first(FILL_ORDER)?.unwrap_or(1) {
                1 => false,
                2 => true,
                other => return Err(damaged(NAME, &format!("its fill order is {other}"))),
            },
            chunks: chunks(&directory, width, height, compression)?,
            orientation: orientation::read(&directory)?,
        };
        layout.check()?;
        Ok(layout)
    }

    /// What the JPEG in a strip or tile of this row of them is to be.
    pub(super) fn jpeg(&self, down: u32) -> Part {
        let height = self.chunks.height;
        Part {
            width: self.chunks.width,
            rows: if self.chunks.tiled {
                height
            } else {
                self.rows(down)
            },
            height,
            samples: self.samples.together(),
            ycbcr: self.ycbcr,
        }
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
        // JPEG has an order of its own.
        Ok(if self.reversed && self.compression != Compression::Jpeg {
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

    /// The most bytes that an image takes which is put together from a strip or tile and the
    /// common tables.
    pub(super) fn jpeg_stream_bytes(&self) -> u64 {
        (self.file.len() + self.jpeg_tables.len() + STREAM_START) as u64
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
                    let stored = self.stored(chunk)?.len() + self.jpeg_tables.len();
                    bound = bound.saturating_add(self.chunk_bytes(down));
                    bound = bound.checked_sub(stored as u64).ok_or_else(|| {
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
