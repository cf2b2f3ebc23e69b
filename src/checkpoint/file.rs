use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::header;
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::network::Layout;
use crate::text::{shown, shown_path};

/// A safetensors file whose header has been checked against its length.
#[derive(Debug)]
pub struct TensorFile {
    name: String,
    bytes: Bytes,
    header: Metadata,
    /// Where the tensors' bytes begin.
    data: usize,
}

/// Where tensors are read from. Not from a map of the whole file: what is read from one counts as
/// this process's memory, and whoever shortens the file meanwhile ends the process.
#[derive(Debug)]
enum Bytes {
    Embedded(&'static [u8]),
    File(Mutex<File>),
}

/// Bytes that are looked at together where a tensor need not be whole.
const PIECE: usize = 1 << 18;

impl TensorFile {
    /// Opens the file at `path` and checks its header.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not whole safetensors, or has more tensors or a longer
    /// header than any file of weights needs.
    pub fn open(path: &Path) -> Result<Self> {
        let file = files::open(path, Pipes::Refused).map_err(Error::file("open", path))?;
        let length = file.metadata().map_err(Error::file("read", path))?.len();
        Self::new(
            path.display().to_string(),
            length,
            Bytes::File(Mutex::new(file)),
        )
    }

    /// Tensors that are part of the program.
    ///
    /// # Errors
    ///
    /// Bytes that are not whole safetensors.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(name.to_owned(), bytes.len() as u64, Bytes::Embedded(bytes))
    }

    fn new(name: String, length: u64, mut bytes: Bytes) -> Result<Self> {
        let read = match &mut bytes {
            Bytes::Embedded(bytes) => header::read(&mut &**bytes, length),
            Bytes::File(file) => {
                let file = file.get_mut().unwrap_or_else(PoisonError::into_inner);
                header::read(file, length)
            }
        };
        match read {
            Ok((data, header)) => Ok(Self {
                name,
                bytes,
                header,
                data,
            }),
            Err(problem) => Err(Error::Checkpoint {
                file: name,
                problem,
            }),
        }
    }

    /// Its path, or what to call the weights inside this program.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What to call it in a message.
    #[must_use]
    pub fn shown_name(&self) -> String {
        shown_path(Path::new(&self.name))
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
                let error = shown(&error.to_string());
                self.problem(format!("has metadata `{key}` that cannot be read: {error}"))
            })
    }

    /// The order of dimensions that the metadata of a dump of activations says.
    pub(crate) fn layout(&self) -> Option<Layout> {
        match self.metadata("layout")? {
            "nchw" => Some(Layout::Nchw),
            "nhwc" => Some(Layout::Nhwc),
            _ => None,
        }
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
    /// A name the file lacks, a type candle has no arithmetic for, or a file that can no longer
    /// be read.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        self.read_tensor(name, |_, _| {})
    }

    /// [`TensorFile::tensor`], and how many of its numbers are none: it is read once for both.
    ///
    /// # Errors
    ///
    /// What [`TensorFile::tensor`] refuses.
    pub(super) fn counted_tensor(&self, name: &str) -> Result<(Tensor, NonFinite)> {
        let mut found = NonFinite::default();
        let tensor = self.read_tensor(name, |dtype, bytes| {
            found = NonFinite::counter(dtype).map_or(found, |count| count(bytes));
        })?;
        Ok((tensor, found))
    }

    /// Reads a tensor and has `look` see its bytes.
    fn read_tensor(&self, name: &str, mut look: impl FnMut(Dtype, &[u8])) -> Result<Tensor> {
        let info = self.info(name)?;
        let shape = info.shape.as_slice();
        let mut raw = |dtype| {
            let bytes = self.numbers::<u8>(info)?;
            look(info.dtype, &bytes);
            Ok(Tensor::from_raw_buffer(&bytes, dtype, shape, &Device::Cpu)?)
        };
        match info.dtype {
            Dtype::F32 => {
                let numbers = self.numbers::<f32>(info)?;
                look(info.dtype, bytemuck::cast_slice(&numbers));
                Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?)
            }
            Dtype::F64 => {
                let numbers = self.numbers::<f64>(info)?;
                look(info.dtype, bytemuck::cast_slice(&numbers));
                Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?)
            }
            Dtype::F16 => raw(DType::F16),
            Dtype::BF16 => raw(DType::BF16),
            other => Err(self.problem(format!(
                "has tensor `{}` of type {other}; expected F32, F64, F16 or BF16",
                shown(name)
            ))),
        }
    }

    /// How many numbers of a tensor are none. Integers always are.
    ///
    /// # Errors
    ///
    /// A name the file lacks, or a file that can no longer be read.
    pub fn nonfinite(&self, name: &str) -> Result<NonFinite> {
        let info = self.info(name)?;
        let Some(count) = NonFinite::counter(info.dtype) else {
            return Ok(NonFinite::default());
        };
        let (start, end) = info.data_offsets;
        let mut piece = vec![0; PIECE.min(end - start)];
        let mut found = NonFinite::default();
        for start in (start..end).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min(end - start)];
            self.read(start, piece)?;
            let NonFinite { nan, infinite } = count(piece);
            found.nan += nan;
            found.infinite += infinite;
        }
        Ok(found)
    }

    /// The SHA-256 of the whole file, in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// A file that can no longer be read.
    #[cfg(feature = "cli")]
    pub(crate) fn sha256(&self) -> Result<String> {
        use crate::text::hexadecimal;
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        match &self.bytes {
            Bytes::Embedded(bytes) => hash.update(bytes),
            Bytes::File(file) => {
                let failed = |error| self.problem(format!("can no longer be read: {error}"));
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.rewind().map_err(failed)?;
                let mut piece = vec![0; PIECE];
                loop {
                    match file.read(&mut piece).map_err(failed)? {
                        0 => break,
                        count => hash.update(&piece[..count]),
                    }
                }
            }
        }
        Ok(hexadecimal(&hash.finalize()))
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.header
            .info(name)
            .ok_or_else(|| self.problem(format!("lacks tensor `{}`", shown(name))))
    }

    /// An error about this file.
    pub(crate) fn problem(&self, problem: String) -> Error {
        Error::Checkpoint {
            file: self.name.clone(),
            problem,
        }
    }

    /// All of a tensor, as numbers of its own type or as bytes.
    fn numbers<T: bytemuck::Pod>(&self, info: &TensorInfo) -> Result<Vec<T>> {
        let (start, end) = info.data_offsets;
        let count = (end - start) / size_of::<T>();
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(count).map_err(|_| {
            self.problem(format!(
                "has a tensor of {} bytes, and there is no memory for it",
                end - start
            ))
        })?;
        numbers.resize(count, T::zeroed());
        self.read(start, bytemuck::cast_slice_mut(&mut numbers))?;
        Ok(numbers)
    }

    /// Reads what begins so many bytes behind the header.
    fn read(&self, start: usize, into: &mut [u8]) -> Result<()> {
        match &self.bytes {
            Bytes::Embedded(bytes) => {
                // In range: the header's places have been checked against the length.
                let start = self.data + start;
                into.copy_from_slice(&bytes[start..start + into.len()]);
                Ok(())
            }
            Bytes::File(file) => {
                // Whoever held the lock left nothing behind but a place, which is set anew.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.data as u64 + start as u64))
                    .and_then(|_| file.read_exact(into))
                    .map_err(|error| self.problem(format!("can no longer be read: {error}")))
            }
        }
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
    /// What counts them among numbers of this type; `None` where all of a type are numbers.
    fn counter(dtype: Dtype) -> Option<fn(&[u8]) -> Self> {
        // Where each number stands to infinity, without its sign: beyond are the NaN.
        Some(match dtype {
            Dtype::F64 => |bytes| {
                Self::of(bytes, |bytes| {
                    (u64::from_le_bytes(bytes) << 1).cmp(&(f64::INFINITY.to_bits() << 1))
                })
            },
            Dtype::F32 => |bytes| {
                Self::of(bytes, |bytes| {
                    (u32::from_le_bytes(bytes) << 1).cmp(&(f32::INFINITY.to_bits() << 1))
                })
            },
            Dtype::F16 => |bytes| {
                Self::of(bytes, |bytes| {
                    (u16::from_le_bytes(bytes) << 1).cmp(&(half::f16::INFINITY.to_bits() << 1))
                })
            },
            Dtype::BF16 => |bytes| {
                Self::of(bytes, |bytes| {
                    (u16::from_le_bytes(bytes) << 1).cmp(&(half::bf16::INFINITY.to_bits() << 1))
                })
            },
            _ => return None,
        })
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_shortened_while_it_is_open_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let numbers = Tensor::arange(0f32, 1e5, &Device::Cpu).unwrap();
        safetensors::serialize_to_file([("x", numbers.clone())], None, &path).unwrap();
        let file = TensorFile::open(&path).unwrap();
        let read: Vec<f32> = file.tensor("x").unwrap().to_vec1().unwrap();
        assert_eq!(read, numbers.to_vec1::<f32>().unwrap());
        assert!(file.nonfinite("x").unwrap().is_none());

        let shorter = File::options().write(true).open(&path).unwrap();
        shorter.set_len(200_000).unwrap();
        for problem in [
            file.tensor("x").unwrap_err(),
            file.nonfinite("x").unwrap_err(),
        ] {
            let problem = problem.to_string();
            assert!(
                problem.contains("w.safetensors` can no longer be read"),
                "{problem}"
            );
        }
    }

    #[test]
    fn numbers_that_are_none_are_found_in_every_piece_and_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let mut numbers = vec![1_f32; 200_000];
        for (place, number) in [
            (0, f32::NAN),
            (65_535, f32::INFINITY),
            (65_536, -f32::NAN),
            (199_999, f32::NEG_INFINITY),
            (7, f32::MAX),
            (8, -0.),
        ] {
            numbers[place] = number;
        }
        let numbers = Tensor::new(numbers, &Device::Cpu).unwrap();
        for dtype in [DType::F64, DType::F32, DType::BF16, DType::F16] {
            let numbers = numbers.to_dtype(dtype).unwrap();
            safetensors::serialize_to_file([("x", numbers)], None, &path).unwrap();
            let found = TensorFile::open(&path).unwrap().nonfinite("x").unwrap();
            // The largest number of single precision is infinite in half precision.
            let infinite = match dtype {
                DType::F16 | DType::BF16 => 3,
                _ => 2,
            };
            assert_eq!(found, NonFinite { nan: 2, infinite }, "{dtype:?}");
            let (_, read) = TensorFile::open(&path)
                .unwrap()
                .counted_tensor("x")
                .unwrap();
            assert_eq!(read, found, "{dtype:?}");
        }
    }
}
