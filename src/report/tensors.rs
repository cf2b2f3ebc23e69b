//! What a safetensors file begins with.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::text::shown;

/// The most bytes of a header that readers take: `MAX_HEADER_SIZE` of the crate `safetensors`.
const MOST: usize = 100_000_000;

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

/// The JSON of a header of tensors that follow each other in this order.
pub(super) fn header(metadata: &[(&str, String)], tensors: &[TensorLine]) -> String {
    let metadata = metadata.iter();
    let metadata: Map<String, Value> = metadata
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
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

/// What is no tensor in a header.
const METADATA: &str = "__metadata__";

/// Sees that tensors of these names can be in one file.
///
/// # Errors
///
/// A name that two have, or that no tensor can have.
pub fn check_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::from([METADATA]);
    match names.into_iter().find(|&name| !seen.insert(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Usage(format!(
            "a file of tensors has one `{}`, expected another name for one of the SE blocks",
            shown(name)
        ))),
    }
}

/// The beginning of a safetensors file, up to the first number.
///
/// # Errors
///
/// More text than readers take.
pub fn safetensors_start(metadata: &[(&str, String)], tensors: &[TensorLine]) -> Result<Vec<u8>> {
    let mut header = header(metadata, tensors).into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() > MOST {
        return Err(Error::Usage(format!(
            "the names of the inputs take {} bytes, and a safetensors file has at most {MOST} of text",
            header.len()
        )));
    }
    let length = (header.len() as u64).to_le_bytes();
    Ok([length.as_slice(), &header].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_follow_each_other_and_are_read_back() {
        let line = |name: &str, element, shape: &[usize]| TensorLine {
            name: name.to_owned(),
            element,
            shape: shape.to_vec(),
        };
        let tensors = [
            line("layer1.0.se", TensorElement::F32, &[2, 3]),
            line("class", TensorElement::I64, &[2]),
        ];
        let mut file = safetensors_start(&[("network", "a \"b\"".to_owned())], &tensors).unwrap();
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
    fn a_name_that_two_tensors_have_is_refused() {
        assert!(check_names(["a", "b"]).is_ok());
        let refused = check_names(["a", "b", "a"]).unwrap_err().to_string();
        assert!(refused.contains("`a`"), "{refused}");
        assert!(check_names(["__metadata__"]).is_err());
    }
}
