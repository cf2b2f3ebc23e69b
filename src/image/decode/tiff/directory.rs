//! A TIFF file's first directory: which tags it has, and where their values lie.

use super::{NAME, damaged};
use crate::error::Result;

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// The number that at most eight `bytes` are.
    pub(super) fn number(self, bytes: &[u8]) -> u64 {
        let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, append),
            Self::Big => bytes.iter().fold(0, append),
        }
    }
}

/// The numbers that a tag holds, read where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    bytes: &'a [u8],
    /// Bytes of a number.
    width: usize,
    order: ByteOrder,
}

impl<'a> Values<'a> {
    /// The values as they are stored.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn len(self) -> usize {
        self.bytes.len() / self.width
    }

    pub(super) fn get(self, index: usize) -> Option<u64> {
        let start = index.checked_mul(self.width)?;
        let bytes = self.bytes.get(start..)?.get(..self.width)?;
        Some(self.order.number(bytes))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u64> + 'a {
        self.bytes
            .chunks_exact(self.width)
            .map(move |bytes| self.order.number(bytes))
    }
}

/// The first directory of a file; those that follow hold other pages or smaller copies.
pub(super) struct Directory<'a> {
    file: &'a [u8],
    pub(super) order: ByteOrder,
    big: bool,
    entries: &'a [u8],
}

impl<'a> Directory<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Self> {
        let order = match file.get(..2) {
            Some(b"MM") => ByteOrder::Big,
            _ => ByteOrder::Little,
        };
        let number = |start: u64, width: u64| -> Result<u64> {
            let bytes = part(file, start, width);
            let bytes = bytes.ok_or_else(|| damaged(NAME, "its directory is not in the file"))?;
            Ok(order.number(bytes))
        };
        // BigTIFF has wider numbers, whose size stands between its version and the offset.
        let big = number(2, 2)? == 43;
        let (start, count, width) = if big {
            let start = number(8, 8)?;
            (start.saturating_add(8), number(start, 8)?, 20)
        } else {
            let start = number(4, 4)?;
            (start + 2, number(start, 2)?, 12)
        };
        let entries = count.checked_mul(width);
        let entries = entries.and_then(|length| part(file, start, length));
        let entries =
            entries.ok_or_else(|| damaged(NAME, "its directory runs beyond the file's end"))?;
        Ok(Self {
            file,
            order,
            big,
            entries,
        })
    }

    /// The numbers under `tag`, or nothing where the directory has none. Of two entries for one
    /// tag the first counts, as with libtiff and Pillow.
    ///
    /// # Errors
    ///
    /// The values lie beyond the file's end, or are no whole numbers.
    pub(super) fn find(&self, tag: u16) -> Result<Option<Values<'a>>> {
        let (entry_width, offset_width) = if self.big { (20, 8) } else { (12, 4) };
        let mut entries = self.entries.chunks_exact(entry_width);
        let Some(entry) = entries.find(|entry| self.order.number(&entry[..2]) == u64::from(tag))
        else {
            return Ok(None);
        };
        let width = match self.order.number(&entry[2..4]) {
            // BYTE and UNDEFINED; SHORT; LONG and IFD; LONG8 and IFD8.
            1 | 7 => 1,
            3 => 2,
            4 | 13 => 4,
            16 | 18 => 8,
            _ => {
                let problem = format!("tag {tag} does not hold whole numbers");
                return Err(damaged(NAME, &problem));
            }
        };
        let (count, inline) = entry[4..].split_at(offset_width);
        let length = self.order.number(count).checked_mul(width as u64);
        let bytes = length.and_then(|length| {
            if length <= offset_width as u64 {
                part(inline, 0, length)
            } else {
                part(self.file, self.order.number(inline), length)
            }
        });
        match bytes {
            Some([]) => Ok(None),
            Some(bytes) => Ok(Some(Values {
                bytes,
                width,
                order: self.order,
            })),
            None => {
                let problem = format!("the values of tag {tag} run beyond the file's end");
                Err(damaged(NAME, &problem))
            }
        }
    }

    /// The first number under `tag`.
    pub(super) fn first(&self, tag: u16) -> Result<Option<u64>> {
        Ok(self.find(tag)?.and_then(|values| values.get(0)))
    }
}

/// `length` bytes of the `file` from `start` on, where it has as many.
pub(super) fn part(file: &[u8], start: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(start).ok()?;
    let length = usize::try_from(length).ok()?;
    file.get(start..)?.get(..length)
}
