//! Files of one table of numbers, a row an input, that are written as rows come.

use std::path::Path;

use crate::checkpoint::{HeaderBounds, TensorElement, TensorLine, WrittenHeader};
use crate::classifier::FeatureVector;
use crate::error::{Error, Result};
use crate::text::shown;

/// The form of a file of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorFormat {
    /// `NumPy`'s: one array.
    Npy,
    /// One tensor, `features`.
    Safetensors,
    /// One object a line: the row of `classify`, and in it the vector.
    Ndjson,
}

impl VectorFormat {
    /// What a file's extension stands for, in upper or lower case.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "npy" => Some(Self::Npy),
            "safetensors" => Some(Self::Safetensors),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }

    /// What a file of so many vectors of little-endian f32 begins with: of one length, whatever
    /// `rows`; nothing of lines of JSON.
    ///
    /// # Errors
    ///
    /// Names of a network and a layer that take more than there is room for.
    pub fn header(self, vector: &FeatureVector, rows: usize) -> Result<Vec<u8>> {
        match self {
            Self::Npy => Ok(npy(vector.length, rows)),
            Self::Safetensors => safetensors(vector, rows),
            Self::Ndjson => Ok(Vec::new()),
        }
    }
}

/// Bytes before the numbers of safetensors, however many rows there will be: more than the longest
/// names of a network and a layer take.
const SAFETENSORS_BYTES: usize = 4096;

/// Bytes before the numbers of npy.
const NPY_BYTES: usize = 128;

/// Version 1.0 of `NumPy`'s format: a magic number, the length of a Python dictionary, and that, filled
/// up with spaces and ended by a line feed so that the numbers are aligned.
fn npy(columns: usize, rows: usize) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    // Two counts of 64 bits leave room to spare.
    let room = NPY_BYTES - MAGIC.len() - 2;
    let length = u16::try_from(room).unwrap_or(u16::MAX);
    let fields =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let fields = format!("{fields:width$}\n", width = room - 1);
    [MAGIC, &length.to_le_bytes(), fields.as_bytes()].concat()
}

/// The length of a JSON object, and that, filled up with spaces.
fn safetensors(vector: &FeatureVector, rows: usize) -> Result<Vec<u8>> {
    let FeatureVector {
        length,
        network,
        layer,
    } = vector;
    let metadata = [
        ("framework", "senet".to_owned()),
        ("network", shown(network)),
        ("layer", shown(layer)),
    ];
    let features = TensorLine {
        name: "features".to_owned(),
        element: TensorElement::F32,
        shape: vec![rows, *length],
    };
    let header = WrittenHeader::new(&metadata, &[features], HeaderBounds::OWN)?;
    let room = SAFETENSORS_BYTES - size_of::<u64>();
    header.start_in(room).ok_or_else(|| {
        Error::Usage(format!(
            "the names of the network and its layer take more than {room} bytes"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector() -> FeatureVector {
        FeatureVector {
            length: 3,
            network: "a \"b\"".repeat(1000),
            layer: "flatten\n".repeat(1000),
        }
    }

    #[test]
    fn a_header_has_one_length_whatever_the_count_of_rows() {
        for format in [VectorFormat::Npy, VectorFormat::Safetensors] {
            let lengths =
                [0, 7, 1_000_000_000].map(|rows| format.header(&vector(), rows).unwrap().len());
            assert!(lengths[0] % 64 == 0, "{lengths:?}");
            assert_eq!(lengths, [lengths[0]; 3]);
        }
    }

    // np.lib.format.header_data_from_array_1_0, and what np.save writes of np.zeros((2, 3), "f4").
    #[test]
    fn an_npy_header_is_numpys_own() {
        let header = VectorFormat::Npy.header(&vector(), 2).unwrap();
        let expected = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let text = String::from_utf8(header[10..].to_vec()).unwrap();
        assert_eq!(text, format!("{expected:117}\n"));
    }

    #[test]
    fn a_safetensors_file_of_rows_is_read_back() {
        let mut file = VectorFormat::Safetensors.header(&vector(), 2).unwrap();
        for number in 0..6_u8 {
            file.extend(f32::from(number).to_le_bytes());
        }
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        let features = tensors.tensor("features").unwrap();
        assert_eq!(features.shape(), [2, 3]);
        assert_eq!(features.data()[20..], 5_f32.to_le_bytes());
    }
}
