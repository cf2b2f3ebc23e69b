use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};

use super::folder::{MOST_BYTES, pickled};
use crate::error::{Error, Result};

/// A safetensors file whose header has been checked against its length.
#[derive(Debug)]
pub struct TensorFile {
    name: String,
    bytes: Bytes,
    header: Metadata,
    /// Where the tensors' bytes begin.
    data: usize,
}

#[derive(Debug)]
enum Bytes {
    Embedded(&'static [u8]),
    Mapped(memmap2::Mmap),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Embedded(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

impl TensorFile {
    /// Maps the file at `path` and checks its header.
    ///
    /// The file must not be truncated while it is mapped: the system then ends the process.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not whole safetensors.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        // Before it is opened: opening a pipe would wait for a writer.
        let metadata = std::fs::metadata(path).map_err(Error::file("open", path))?;
        if !metadata.is_file() {
            return Err(Error::Checkpoint {
                file: name,
                problem: "is not a file; expected a safetensors file".to_owned(),
            });
        }
        if metadata.len() == 0 {
            return Err(Error::Checkpoint {
                file: name,
                problem: "is empty; expected a safetensors file".to_owned(),
            });
        }
        let file = std::fs::File::open(path).map_err(Error::file("open", path))?;
        // SAFETY: the map is read-only and lives as long as the slice made from it. What
        // another process may do to the file is stated in the documentation above.
        #[expect(
            unsafe_code,
            reason = "a memory map is the one way not to copy a large file"
        )]
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::file("read", path))?;
        Self::new(name, Bytes::Mapped(map))
    }

    /// Tensors that are part of the program.
    ///
    /// # Errors
    ///
    /// Bytes that are not whole safetensors.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(name.to_owned(), Bytes::Embedded(bytes))
    }

    fn new(name: String, bytes: Bytes) -> Result<Self> {
        check_header_length(&name, bytes.as_slice())?;
        match SafeTensors::read_metadata(bytes.as_slice()) {
            Ok((header_size, header)) => Ok(Self {
                name,
                bytes,
                header,
                data: size_of::<u64>() + header_size,
            }),
            Err(error) => Err(Error::Checkpoint {
                problem: format!(
                    "is not a whole safetensors file ({} bytes): {error}",
                    bytes.as_slice().len()
                ),
                file: name,
            }),
        }
    }

    /// What to call it in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An entry of `__metadata__`.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header
            .metadata()
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }

    /// All of `__metadata__`.
    #[must_use]
    pub fn all_metadata(&self) -> HashMap<String, String> {
        self.header.metadata().clone().unwrap_or_default()
    }

    /// An entry of `__metadata__` that is JSON.
    ///
    /// # Errors
    ///
    /// An entry that is not of this form.
    pub fn json_metadata<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.metadata(key)
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| {
                self.problem(format!("has metadata `{key}` that cannot be read: {error}"))
            })
    }

    /// Names of all tensors, sorted, with their types and shapes.
    #[must_use]
    pub fn tensors(&self) -> BTreeMap<String, &TensorInfo> {
        self.header.tensors().into_iter().collect()
    }

    /// A tensor as the file has it, on the CPU.
    ///
    /// # Errors
    ///
    /// A name the file lacks, or a type candle has no arithmetic for.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let info = self.info(name)?;
        let dtype = match info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                return Err(self.problem(format!(
                    "has tensor `{name}` of type {other}; expected F32, F64, F16 or BF16"
                )));
            }
        };
        let bytes = self.tensor_bytes(info);
        Ok(Tensor::from_raw_buffer(
            bytes,
            dtype,
            &info.shape,
            &Device::Cpu,
        )?)
    }

    /// How many numbers of a tensor are none. Integers always are.
    ///
    /// # Errors
    ///
    /// A name the file lacks.
    pub fn nonfinite(&self, name: &str) -> Result<NonFinite> {
        let info = self.info(name)?;
        let bytes = self.tensor_bytes(info);
        // Where each number stands to infinity, without its sign: beyond are the NaN.
        Ok(match info.dtype {
            Dtype::F64 => NonFinite::of(bytes, |bytes| {
                (u64::from_le_bytes(bytes) << 1).cmp(&(f64::INFINITY.to_bits() << 1))
            }),
            Dtype::F32 => NonFinite::of(bytes, |bytes| {
                (u32::from_le_bytes(bytes) << 1).cmp(&(f32::INFINITY.to_bits() << 1))
            }),
            Dtype::F16 => NonFinite::of(bytes, |bytes| {
                (u16::from_le_bytes(bytes) << 1).cmp(&(half::f16::INFINITY.to_bits() << 1))
            }),
            Dtype::BF16 => NonFinite::of(bytes, |bytes| {
                (u16::from_le_bytes(bytes) << 1).cmp(&(half::bf16::INFINITY.to_bits() << 1))
            }),
            _ => NonFinite::default(),
        })
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.header
            .info(name)
            .ok_or_else(|| self.problem(format!("lacks tensor `{name}`")))
    }

    /// An error about this file.
    pub(super) fn problem(&self, problem: String) -> Error {
        Error::Checkpoint {
            file: self.name.clone(),
            problem,
        }
    }

    fn tensor_bytes(&self, info: &TensorInfo) -> &[u8] {
        let (start, end) = info.data_offsets;
        // In range: `read_metadata` has checked the offsets against the length.
        &self.bytes.as_slice()[self.data + start..self.data + end]
    }
}

/// How many numbers of a tensor are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NonFinite {
    /// How many are NaN.
    pub nan: usize,
    /// How many are infinite.
    pub infinite: usize,
}

impl NonFinite {
    /// Goes by the numbers' bits, many at a time: a file of weights is read to its end for this.
    fn of<const SIZE: usize>(bytes: &[u8], kind: impl Fn([u8; SIZE]) -> Ordering) -> Self {
        /// Numbers that are looked at together.
        const MANY: usize = 4096;
        let mut found = Self::default();
        for numbers in bytes.as_chunks::<SIZE>().0.chunks(MANY) {
            let finite = numbers.iter().fold(true, |finite, &number| {
                finite & (kind(number) == Ordering::Less)
            });
            if !finite {
                let count = |wanted: Ordering| {
                    let numbers = numbers.iter();
                    numbers.filter(|&&number| kind(number) == wanted).count()
                };
                found.nan += count(Ordering::Greater);
                found.infinite += count(Ordering::Equal);
            }
        }
        found
    }

    /// Whether all numbers are finite.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Refuses a header that no file of weights needs, before memory is spent on it: safetensors
/// itself allows 100 MB, and a shape of fifty million numbers takes gigabytes to parse; a header
/// of a thousand tensors has 100 kB.
fn check_header_length(name: &str, bytes: &[u8]) -> Result<()> {
    // How zip archives begin, and what pickles of Python begin with.
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02") {
        return Err(Error::Checkpoint {
            file: name.to_owned(),
            problem: format!("is no safetensors file{}", pickled("pickled weights")),
        });
    }
    match bytes
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length))
    {
        Some(length) if length > MOST_BYTES => Err(Error::Checkpoint {
            file: name.to_owned(),
            problem: format!(
                "is not a safetensors file: its header would have {length} bytes, and may have \
                 {MOST_BYTES}"
            ),
        }),
        _ => Ok(()),
    }
}
