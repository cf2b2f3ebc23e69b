//! A header in an archive: a block in POSIX's format (ustar, pax), GNU's, or Unix V7's.

use std::ops::Range;

/// Bytes of a block: headers are one, and contents are filled up to whole ones.
pub(super) const BLOCK: usize = 512;

const NAME: Range<usize> = 0..100;
const SIZE: Range<usize> = 124..136;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: Range<usize> = 257..263;
const PREFIX: Range<usize> = 345..500;
/// In a header of GNU's for a file with holes: whether more blocks of its map follow.
const IS_EXTENDED: usize = 482;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A file with holes, which has a map of them.
    Sparse,
    Link,
    /// A folder, a device or a pipe.
    Other,
    /// The next member's name.
    LongName,
    /// What pax says of the next member.
    Extended,
    /// What says something of members and is none.
    About,
}

pub(super) struct Header<'a>(pub(super) &'a [u8; BLOCK]);

impl Header<'_> {
    /// Whether it is no header but an end of the archive.
    pub(super) fn is_end(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0)
    }

    /// Whether its sum is right. Some programs of old have summed signed bytes.
    pub(super) fn is_valid(&self) -> bool {
        let bytes = || {
            let bytes = self.0.iter().enumerate();
            bytes.map(|(at, &byte)| if CHECKSUM.contains(&at) { b' ' } else { byte })
        };
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        let stated = number(&self.0[CHECKSUM]).and_then(|sum| i64::try_from(sum).ok());
        stated.is_some_and(|stated| stated == unsigned || stated == signed)
    }

    pub(super) fn kind(&self) -> Kind {
        match self.0[KIND] {
            // A folder of Unix V7.
            b'\0' if self.name().ends_with(b"/") => Kind::Other,
            b'\0' | b'0' | b'7' => Kind::File,
            b'S' => Kind::Sparse,
            b'1' | b'2' => Kind::Link,
            b'3'..=b'6' => Kind::Other,
            b'L' => Kind::LongName,
            b'x' => Kind::Extended,
            _ => Kind::About,
        }
    }

    /// Bytes that follow it; none where the field says nothing that there could be.
    pub(super) fn size(&self) -> Option<u64> {
        match self.kind() {
            Kind::Link | Kind::Other => Some(0),
            _ => number(&self.0[SIZE]),
        }
    }

    pub(super) fn name(&self) -> Vec<u8> {
        let name = until_null(&self.0[NAME]);
        let prefix = until_null(&self.0[PREFIX]);
        // GNU has something else there.
        if &self.0[MAGIC] == b"ustar\0" && !prefix.is_empty() {
            return [prefix, b"/", name].concat();
        }
        name.to_vec()
    }

    /// Whether blocks of a map of holes follow.
    pub(super) fn is_extended(&self) -> bool {
        self.kind() == Kind::Sparse && self.0[IS_EXTENDED] == 1
    }
}

/// What pax says of the next member.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) is_sparse: bool,
}

impl Extended {
    /// Reads records such as `16 path=cat.jpg\n`, which begin with their length; none where they
    /// are no such records.
    pub(super) fn read(mut records: &[u8]) -> Option<Self> {
        let mut read = Self::default();
        while !records.is_empty() {
            let digits = records.iter().position(|&byte| byte == b' ')?;
            let length: usize = std::str::from_utf8(&records[..digits]).ok()?.parse().ok()?;
            let record = records.get(digits + 1..length)?.strip_suffix(b"\n")?;
            records = &records[length..];
            let equals = record.iter().position(|&byte| byte == b'=')?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" if !read.is_sparse => read.name = Some(value.to_vec()),
                b"GNU.sparse.name" => read.name = Some(value.to_vec()),
                b"size" => read.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
                _ => {}
            }
            read.is_sparse |= key.starts_with(b"GNU.sparse.");
        }
        Some(read)
    }
}

/// A number as octal digits, or with the first bit set as the bits that follow.
fn number(field: &[u8]) -> Option<u64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let start = u64::from(first & 0x7f);
        return rest.iter().try_fold(start, |number, &byte| {
            Some(number.checked_mul(256)? | u64::from(byte))
        });
    }
    let digits = field.split(|byte| matches!(byte, b' ' | b'\0'));
    let digits = digits.into_iter().find(|digits| !digits.is_empty());
    digits
        .unwrap_or_default()
        .iter()
        .try_fold(0, |number: u64, &digit| {
            let digit = matches!(digit, b'0'..=b'7').then(|| u64::from(digit - b'0'))?;
            number.checked_mul(8)?.checked_add(digit)
        })
}

pub(super) fn until_null(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_bits() {
        for (field, expected) in [
            (&b"00000000644\0"[..], Some(0o644)),
            (b"    644 \0", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"77777777777 ", Some((1 << 33) - 1)),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(1 << 33)),
            (
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                Some(u64::MAX >> 1),
            ),
            // Beyond 2^64, negative, no number.
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"0000000064x\0", None),
            (b"777777777777777777777777", None),
        ] {
            assert_eq!(number(field), expected, "{field:?}");
        }
    }

    #[test]
    fn records_of_pax_have_the_length_they_say() {
        let read = Extended::read(b"17 path=a\nb.jpeg\n12 size=012\n").unwrap();
        let expected = Extended {
            name: Some(b"a\nb.jpeg".to_vec()),
            size: Some(12),
            is_sparse: false,
        };
        assert_eq!(read, expected);
        for torn in [
            &b"16 path=cat.jpg"[..],
            b"path=cat.jpg\n",
            b"99999999999999999999 path=a\n",
            b"0 path=a\n",
            b"2 path=a\n",
            b"8 path=a\n",
            b"8 noequ\n",
        ] {
            assert_eq!(Extended::read(torn), None, "{torn:?}");
        }
    }
}
