//! What a safetensors file that this program writes begins with; [`super::header`] reads it.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::folder::MOST_BYTES;
use super::header::MOST_TENSORS;
use crate::error::{Error, Result};
use crate::text::shown;

/// What is no tensor in a header.
const METADATA: &str = "__metadata__";

/// Where numbers begin is a multiple of it.
const ALIGNMENT: usize = 8;

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorLine {
    /// Its name.
    pub name: String,
    /// Its elements.
    pub element: TensorElement,
    /// Its sizes.
    pub shape: Vec<usize>,
}

/// What a tensor's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorElement {
    /// Single precision.
    F32,
    /// Whole numbers with a sign.
    I64,
}

impl TensorElement {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::I64 => "I64",
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::I64 => 8,
        }
    }
}

/// The most that whoever is to read a file takes of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderBounds {
    /// Bytes of text.
    pub bytes: u64,
    /// Tensors.
    pub tensors: usize,
}

impl HeaderBounds {
    /// Those of this program, for what it reads itself.
    pub const OWN: Self = Self {
        bytes: MOST_BYTES,
        tensors: MOST_TENSORS,
    };

    /// Those of other readers: `MAX_HEADER_SIZE` of the crate `safetensors`.
    pub const OTHERS: Self = Self {
        bytes: 100_000_000,
        tensors: usize::MAX,
    };
}

/// The header of tensors that follow each other, within bounds.
#[derive(Debug, Clone)]
pub struct WrittenHeader {
    json: Vec<u8>,
}

impl WrittenHeader {
    /// That of these tensors, in this order.
    ///
    /// # Errors
    ///
    /// Those of [`check_names`]; more tensors or text than the bounds allow.
    pub fn new<K: AsRef<str>>(
        metadata: &[(K, String)],
        tensors: &[TensorLine],
        bounds: HeaderBounds,
    ) -> Result<Self> {
        check_names(tensors.iter().map(|tensor| tensor.name.as_str()))?;
        if tensors.len() > bounds.tensors {
            return Err(Error::Usage(format!(
                "{} tensors are more than one file has, at most {}",
                tensors.len(),
                bounds.tensors
            )));
        }
        let json = json(metadata, tensors).into_bytes();
        let length = json.len().next_multiple_of(ALIGNMENT);
        if length as u64 > bounds.bytes {
            return Err(Error::Usage(format!(
                "the names in one file of tensors take {length} bytes of text, and there are at \
                 most {}",
                bounds.bytes
            )));
        }
        Ok(Self { json })
    }

    /// Bytes that it takes, so many that the numbers behind it are aligned.
    #[must_use]
    pub fn length(&self) -> usize {
        self.json.len().next_multiple_of(ALIGNMENT)
    }

    /// The beginning of the file, up to the first number.
    #[must_use]
    pub fn start(self) -> Vec<u8> {
        let length = self.length();
        self.filled_up(length)
    }

    /// [`WrittenHeader::start`] with a header of `room` bytes; nothing where it takes more.
    #[must_use]
    pub fn start_in(self, room: usize) -> Option<Vec<u8>> {
        (self.json.len() <= room).then(|| self.filled_up(room))
    }

    fn filled_up(mut self, length: usize) -> Vec<u8> {
        self.json.resize(length, b' ');
        [(length as u64).to_le_bytes().as_slice(), &self.json].concat()
    }
}

fn json<K: AsRef<str>>(metadata: &[(K, String)], tensors: &[TensorLine]) -> String {
    let metadata: Map<String, Value> = metadata
        .iter()
        .map(|(key, value)| (key.as_ref().to_owned(), json!(value)))
        .collect();
    let mut header = Map::new();
    header.insert(METADATA.to_owned(), Value::Object(metadata));
    let mut start = 0_u64;
    for TensorLine {
        name,
        element,
        shape,
    } in tensors
    {
        let elements = shape.iter().map(|&size| size as u64);
        let bytes = elements.fold(element.bytes(), u64::saturating_mul);
        let end = start.saturating_add(bytes);
        let tensor = json!({"dtype": element.name(), "shape": shape, "data_offsets": [start, end]});
        header.insert(name.clone(), tensor);
        start = end;
    }
    Value::Object(header).to_string()
}

/// Sees that tensors of these names can be in one file.
///
/// # Errors
///
/// A name that two have, or that no tensor can have.
pub fn check_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::from([METADATA]);
    match names.into_iter().find(|&name| !seen.insert(name)) {
        None => Ok(()),
        Some(METADATA) => Err(Error::Usage(format!(
            "`{METADATA}` is what a file of tensors calls its metadata, expected another name for a \
             tensor"
        ))),
        Some(name) => Err(Error::Usage(format!(
            "a file of tensors has one `{}`, expected another name for one of those called so",
            shown(name)
        ))),
    }
}

/// Bytes that a text takes at most in a list which is, as JSON, a text of the metadata.
#[must_use]
pub fn bytes_in_list(text: &str) -> u64 {
    // Two quotes are those of the list, and a comma comes behind.
    json!(json!(text).to_string()).to_string().len() as u64 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, element: TensorElement, shape: &[usize]) -> TensorLine {
        TensorLine {
            name: name.to_owned(),
            element,
            shape: shape.to_vec(),
        }
    }

    #[test]
    fn tensors_follow_each_other_and_are_read_back() {
        let tensors = [
            line("layer1.0.se", TensorElement::F32, &[2, 3]),
            line("class", TensorElement::I64, &[2]),
        ];
        let metadata = [("network", "a \"b\"".to_owned())];
        let header = WrittenHeader::new(&metadata, &tensors, HeaderBounds::OWN).unwrap();
        let mut file = header.start();
        assert_eq!(file.len() % 8, 0);
        for number in 0..6_u8 {
            file.extend(f32::from(number).to_le_bytes());
        }
        file.extend([7_i64, -1].iter().flat_map(|number| number.to_le_bytes()));
        let read = safetensors::SafeTensors::deserialize(&file).unwrap();
        assert_eq!(read.tensor("layer1.0.se").unwrap().shape(), [2, 3]);
        let class = read.tensor("class").unwrap();
        assert_eq!(class.data()[8..], (-1_i64).to_le_bytes());
        let (_, header) = safetensors::SafeTensors::read_metadata(&file).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["network"], "a \"b\"");
    }

    #[test]
    fn a_name_that_two_tensors_have_or_none_can_have_is_refused() {
        assert!(check_names(["a", "b"]).is_ok());
        let refused = check_names(["a", "b", "a"]).unwrap_err().to_string();
        assert!(refused.contains("`a`"), "{refused}");
        let refused = check_names([METADATA]).unwrap_err().to_string();
        assert!(refused.contains("calls its metadata"), "{refused}");
    }

    #[test]
    fn more_than_readers_take_is_refused() {
        let bounds = HeaderBounds {
            bytes: 200,
            tensors: 2,
        };
        let problem = |names: &[&str]| {
            let tensors: Vec<TensorLine> = names
                .iter()
                .map(|name| line(name, TensorElement::F32, &[1]))
                .collect();
            let header = WrittenHeader::new::<&str>(&[], &tensors, bounds);
            header.err().map(|error| error.to_string())
        };
        assert_eq!(problem(&["a", "b"]), None);
        let refused = problem(&["a", "b", "c"]).unwrap();
        assert!(refused.starts_with("3 tensors are more"), "{refused}");
        let refused = problem(&[&"a".repeat(200)]).unwrap();
        assert!(refused.contains("at most 200"), "{refused}");
    }

    #[test]
    fn a_list_takes_no_more_bytes_than_its_texts_say() {
        let texts = ["a", "", "\"b\"\\\n\u{1}é"];
        let list = json!(json!(texts).to_string()).to_string();
        let sum: u64 = texts.iter().map(|text| bytes_in_list(text)).sum();
        // Brackets and the quotes around them, but no comma behind the last.
        assert_eq!(list.len() as u64, sum + 2 + 2 - 1);
    }
}
