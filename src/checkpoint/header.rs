//! The header of a safetensors file: read, never mapped, and within bounds.
//!
//! ```text
//! 8 bytes    the header's length, least significant byte first
//! header     JSON: a tensor's name to its type, shape and place; `__metadata__` to texts
//! the rest   the tensors' bytes, without gaps
//! ```

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Read;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{self, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::folder::MOST_BYTES;
use super::kind::{FIRST_BYTES, Kind};
use crate::text::shown;

/// The most tensors of a file; the largest network of the catalogue reads some two thousand.
pub(super) const MOST_TENSORS: usize = 20_000;

/// The most dimensions of a tensor: `PyTorch`'s own bound.
pub(super) const MOST_DIMENSIONS: usize = 64;

/// Bytes of the length that a file begins with.
const LENGTH: u64 = size_of::<u64>() as u64;

/// Why a header is none, in words that follow a file's name; what comes from the file is shown
/// as [`shown`] has it.
pub(super) type Problem = String;

/// Reads the header of `file`, which has `length` bytes in all and of which nothing has been read;
/// returns it with where the tensors' bytes begin. The places of header and tensors have been
/// checked against `length`.
///
/// # Errors
///
/// What is not whole safetensors, or is beyond a bound.
pub(super) fn read(file: &mut impl Read, length: u64) -> Result<(usize, Metadata), Problem> {
    let broken =
        |problem: &str| format!("is not a whole safetensors file ({length} bytes): {problem}");
    let cannot = |error: std::io::Error| format!("can no longer be read: {error}");
    if length == 0 {
        return Err("is empty; expected a safetensors file".to_owned());
    }
    let mut first = Vec::new();
    file.take(FIRST_BYTES)
        .read_to_end(&mut first)
        .map_err(cannot)?;
    if let Some(kind) = Kind::of(&first) {
        return Err(format!("is no safetensors file, but {}", kind.explained()));
    }
    let Some((header, behind)) = first.split_first_chunk() else {
        return Err(broken("it ends within the length of its header"));
    };
    let header = u64::from_le_bytes(*header);
    if header > MOST_BYTES {
        return Err(format!(
            "is not a safetensors file: its header would have {header} bytes, and may have \
             {MOST_BYTES}"
        ));
    }
    let data = LENGTH + header;
    if data > length {
        return Err(broken(&format!("its header would have {header}")));
    }
    let mut text = Vec::new();
    behind
        .chain(file)
        .take(header)
        .read_to_end(&mut text)
        .map_err(cannot)?;
    if text.len() as u64 != header {
        return Err(broken("it was shortened while it was read"));
    }
    let Header {
        metadata,
        mut tensors,
    } = parse(&text)?;
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let metadata =
        Metadata::new(metadata, tensors).map_err(|error| broken(&shown(&error.to_string())))?;
    match data.checked_add(metadata.data_len() as u64) {
        Some(end) if end == length => Ok((size_of::<u64>() + text.len(), metadata)),
        Some(end) => Err(broken(&format!("its tensors end at byte {end}"))),
        None => Err(broken("its tensors end beyond any file")),
    }
}

/// The header from its JSON.
fn parse(text: &[u8]) -> Result<Header, Problem> {
    serde_json::from_slice(text).map_err(|error| {
        let said = error.to_string();
        let said = match said.rsplit_once(" at line ") {
            // It is JSON: where in it says less than what.
            Some((problem, _)) if error.is_data() => problem,
            _ => &said,
        };
        format!("has a header that is not read: {}", shown(said))
    })
}

/// A header as it is written. Unlike safetensors' own form of it, it is read entry by entry, so
/// that what is beyond a bound is refused before it takes memory, and it has each name once.
struct Header {
    metadata: Option<HashMap<String, String>>,
    tensors: Vec<(String, TensorInfo)>,
}

/// What a header says of a tensor.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    #[serde(deserialize_with = "dimensions")]
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object with an entry for each tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Header, A::Error> {
                let mut names = HashSet::new();
                let mut header = Header {
                    metadata: None,
                    tensors: Vec::new(),
                };
                while let Some(name) = entries.next_key::<String>()? {
                    if header.tensors.len() == MOST_TENSORS {
                        return Err(A::Error::custom(format_args!(
                            "it has more than {MOST_TENSORS} tensors, the most that are read"
                        )));
                    }
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!(
                            "it has `{}` twice",
                            shown(&name)
                        )));
                    }
                    if name == "__metadata__" {
                        header.metadata = entries.next_value()?;
                    } else {
                        let info = entries.next_value::<Entry>()?.info(&name)?;
                        header.tensors.push((name, info));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl Entry {
    fn info<E: de::Error>(self, name: &str) -> Result<TensorInfo, E> {
        let dtype = StrDeserializer::<de::value::Error>::new(&self.dtype);
        let dtype = Dtype::deserialize(dtype).map_err(|_| {
            E::custom(format_args!(
                "it has tensor `{}` of type `{}`, which safetensors does not know",
                shown(name),
                shown(&self.dtype)
            ))
        })?;
        Ok(TensorInfo {
            dtype,
            shape: self.shape,
            data_offsets: self.data_offsets,
        })
    }
}

fn dimensions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    struct Dimensions;
    impl<'de> Visitor<'de> for Dimensions {
        type Value = Vec<usize>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a list of sizes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Vec<usize>, A::Error> {
            let mut shape = Vec::new();
            while let Some(size) = sizes.next_element()? {
                if shape.len() == MOST_DIMENSIONS {
                    return Err(A::Error::custom(format_args!(
                        "it has a tensor of more than {MOST_DIMENSIONS} dimensions, the most that \
                         are read"
                    )));
                }
                shape.push(size);
            }
            Ok(shape)
        }
    }
    deserializer.deserialize_seq(Dimensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a file with this header and so many bytes of tensors.
    fn problem(header: &str, bytes: usize) -> String {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(vec![0; bytes]);
        match read(&mut file.as_slice(), file.len() as u64) {
            Ok(_) => String::new(),
            Err(problem) => problem,
        }
    }

    fn tensor(dtype: &str, shape: &str, places: &str) -> String {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":{places}}}"#)
    }

    #[test]
    fn a_header_says_what_safetensors_itself_reads_in_it() {
        let header = format!(
            r#"{{"__metadata__":{{"a":"b"}},"y":{},"x":{}}}  "#,
            tensor("F32", "[2,1]", "[2,10]"),
            tensor("U8", "[2]", "[0,2]"),
        );
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend([0; 10]);
        let (data, ours) = read(&mut file.as_slice(), file.len() as u64).unwrap();
        let (length, theirs) = safetensors::SafeTensors::read_metadata(&file).unwrap();
        assert_eq!(data, 8 + length);
        assert_eq!(ours.metadata(), theirs.metadata());
        let entries = |metadata: &Metadata| {
            let mut entries: Vec<_> = metadata
                .tensors()
                .into_iter()
                .map(|(name, info)| (name, info.dtype, info.shape.clone(), info.data_offsets))
                .collect();
            entries.sort();
            entries
        };
        assert_eq!(entries(&ours), entries(&theirs));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let one = |dtype: &str, shape: &str, places: &str| {
            format!(r#"{{"x":{}}}"#, tensor(dtype, shape, places))
        };
        for (header, said) in [
            (String::new(), "EOF while parsing"),
            (
                "[]".to_owned(),
                "expected an object with an entry for each tensor",
            ),
            ("{".to_owned(), "EOF while parsing"),
            (
                one("F3", "[2]", "[0,8]"),
                "it has tensor `x` of type `F3`, which safetensors does not know",
            ),
            (
                one("F32", "[2]", "[0,4]"),
                "invalid shape, data type, or offset",
            ),
            (one("F32", "[2]", "[1,9]"), "invalid offset for tensor `x`"),
            (one("F32", "[2]", "[8,0]"), "invalid offset for tensor `x`"),
            (one("F32", "[3]", "[0,12]"), "its tensors end at byte"),
            (one("F32", "[1]", "[0,4]"), "its tensors end at byte"),
            (one("F32", "[1e999]", "[0,8]"), "number out of range"),
            (one("F32", "[-1]", "[0,8]"), "invalid value: integer `-1`"),
            (one("F32", "[4294967296,4294967296]", "[0,8]"), "overflow"),
            (
                one(
                    "F32",
                    &format!("[{}1]", "1,".repeat(MOST_DIMENSIONS)),
                    "[0,4]",
                ),
                "it has a tensor of more than 64 dimensions",
            ),
            (
                format!(r#"{{"x":{0},"x":{0}}}"#, tensor("U8", "[8]", "[0,8]")),
                "it has `x` twice",
            ),
            (
                r#"{"__metadata__":{"a":1}}"#.to_owned(),
                "expected a string",
            ),
        ] {
            let found = problem(&header, 8);
            let begins = [
                "is not a whole safetensors file (",
                "has a header that is not read: ",
            ];
            assert!(
                begins.iter().any(|start| found.starts_with(start)) && found.contains(said),
                "{header}: {found}"
            );
        }
    }

    #[test]
    fn a_file_that_is_shortened_meanwhile_is_an_error() {
        let header = format!(r#"{{"x":{}}}"#, tensor("U8", "[8]", "[0,8]"));
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        let length = file.len() as u64 + 8;
        assert!(read(&mut file.as_slice(), length).is_ok());
        let problem = read(&mut &file[..20], length).unwrap_err();
        assert!(
            problem.ends_with("it was shortened while it was read"),
            "{problem}"
        );
    }

    #[test]
    fn tensors_beyond_the_bound_are_not_read() {
        let header = |count: usize| {
            let entries: Vec<String> = (0..count)
                .map(|index| format!(r#""{index}":{}"#, tensor("U8", "[0]", "[0,0]")))
                .collect();
            format!("{{{}}}", entries.join(","))
        };
        assert_eq!(problem(&header(MOST_TENSORS), 0), "");
        let found = problem(&header(MOST_TENSORS + 1), 0);
        assert!(found.contains("more than 20000 tensors"), "{found}");
    }

    #[test]
    fn a_text_of_the_file_does_not_decide_how_long_a_problem_is() {
        let long = "\u{202e}".repeat(100_000);
        for header in [
            format!(r#"{{"{long}":1}}"#),
            format!(r#"{{"{long}":{}}}"#, tensor(&long, "[8]", "[0,8]")),
            format!(r#"{{"{long}":{}}}"#, tensor("U8", "[8]", "[1,9]")),
            format!(r#"{{"x":"{long}"}}"#),
            format!(r#"{{"x":{{"dtype":"U8","shape":"{long}"}}}}"#),
            format!(r#"{{"__metadata__":"{long}"}}"#),
        ] {
            let found = problem(&header, 8);
            assert!(!found.is_empty() && found.len() < 4096, "{}", found.len());
            assert!(!found.contains('\u{202e}'), "{found}");
        }
    }
}
