//! A dump of activations, written as the values are computed.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use serde_json::json;

use crate::checkpoint::{HeaderBounds, TensorElement, TensorLine, WrittenHeader};
use crate::error::{Error, Result};
use crate::network::Layout;

/// A dump that is being written: values go into the file as they come, in single precision.
///
/// `docs/dumps.md` has the format. Until [`DumpWriter::finish`] it is no safetensors file.
#[derive(Debug)]
pub struct DumpWriter {
    file: BufWriter<File>,
    path: PathBuf,
    layout: Layout,
    metadata: Vec<(String, String)>,
    /// Bytes that are left free for the header.
    room: usize,
    written: Vec<TensorLine>,
}

/// The most dimensions of a value: those of a batch of feature maps.
const MOST_DIMENSIONS: usize = 4;

impl DumpWriter {
    /// Begins a dump at `path`, in place of what is there, whose metadata says `layout` and `more`.
    /// It will have some of these values, or all.
    ///
    /// # Errors
    ///
    /// A file that cannot be written; names that one file cannot have; more values or text than this
    /// program reads of a dump.
    pub fn create<'a>(
        path: &Path,
        layout: Layout,
        more: &[(&str, String)],
        values: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        let file = File::create(path).map_err(Error::file("write", path))?;
        Self::new(file, path, layout, more, values)
    }

    /// [`DumpWriter::create`] in an empty file that is open already, at `path`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn new<'a>(
        file: File,
        path: &Path,
        layout: Layout,
        more: &[(&str, String)],
        values: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        let more = more.iter().map(|(key, text)| (*key, text.clone()));
        let metadata: Vec<(String, String)> = [("layout", layout.name().to_owned())]
            .into_iter()
            .chain(more)
            .map(|(key, text)| (key.to_owned(), text))
            .collect();
        // No line takes more than one of these sizes, and but for the first none is less far back.
        let longest: Vec<TensorLine> = values
            .map(|name| line(name, &[usize::MAX; MOST_DIMENSIONS]))
            .collect();
        let room = header(&metadata, &longest)?.length();
        let begin = || -> io::Result<BufWriter<File>> {
            let mut file = BufWriter::new(file);
            file.seek(SeekFrom::Start((size_of::<u64>() + room) as u64))?;
            Ok(file)
        };
        Ok(Self {
            file: begin().map_err(Error::file("write", path))?,
            path: path.to_path_buf(),
            layout,
            metadata,
            room,
            written: Vec::new(),
        })
    }

    /// Adds a value, `[N, C, H, W]` or `[N, C]`, in the order of computation.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub fn add(&mut self, name: &str, value: &Tensor) -> Result<()> {
        let value = match self.layout {
            Layout::Nhwc if value.rank() == MOST_DIMENSIONS => value.permute((0, 2, 3, 1))?,
            _ => value.clone(),
        };
        let numbers = value.to_dtype(DType::F32)?.flatten_all()?;
        for number in numbers.to_vec1::<f32>()? {
            let written = self.file.write_all(&number.to_le_bytes());
            written.map_err(Error::file("write", &self.path))?;
        }
        self.written.push(line(name, value.dims()));
        Ok(())
    }

    /// Makes it a whole file.
    ///
    /// # Errors
    ///
    /// A write that fails; values that were not announced and leave the header no room.
    pub fn finish(mut self) -> Result<()> {
        let start = header(&self.metadata, &self.written)?.start_in(self.room);
        let end = || -> io::Result<()> {
            let unannounced = || io::Error::other("it has values that were not announced");
            let start = start.ok_or_else(unannounced)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&start)?;
            self.file.flush()
        };
        end().map_err(Error::file("write", &self.path))
    }
}

fn line(name: &str, shape: &[usize]) -> TensorLine {
    TensorLine {
        name: name.to_owned(),
        element: TensorElement::F32,
        shape: shape.to_vec(),
    }
}

/// The header of a file of these values.
fn header(metadata: &[(String, String)], values: &[TensorLine]) -> Result<WrittenHeader> {
    let order: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
    let order = ("order".to_owned(), json!(order).to_string());
    let metadata = [metadata, &[order]].concat();
    WrittenHeader::new(&metadata, values, HeaderBounds::OWN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use candle_core::Device;

    use super::super::Reference;
    use super::*;
    use crate::network::{Activation, Input, Layer, Layers, Operation};

    /// A layer whose name needs escapes in JSON, and in the JSON within it more.
    const NAME: &str = "a \"b\"\\\n\u{1}";

    fn written(layout: Layout) -> (Reference, [Tensor; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.safetensors");
        let numbers = |shape: &[usize]| {
            let count = shape.iter().product::<usize>();
            let numbers: Vec<f32> = (0..count).map(|i| (i as f32).sin()).collect();
            Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
        };
        let values = [
            numbers(&[2, 3, 4, 5]),
            numbers(&[2, 3, 4, 5]),
            numbers(&[2, 7]),
        ];
        let more = [("framework", "test".to_owned())];
        let names = ["input", NAME, "never computed", "vector"].into_iter();
        let mut writer = DumpWriter::create(&path, layout, &more, names).unwrap();
        for (name, value) in ["input", NAME, "vector"].into_iter().zip(&values) {
            writer.add(name, value).unwrap();
        }
        writer.finish().unwrap();
        (Reference::open(&path).unwrap(), values)
    }

    #[test]
    fn a_dump_is_read_back_in_either_layout() {
        for layout in [Layout::Nchw, Layout::Nhwc] {
            let (dump, [input, maps, vector]) = written(layout);
            let same = |name: &str, value: &Tensor| {
                let found = dump.tensor(name).unwrap().to_dtype(DType::F32).unwrap();
                assert_eq!(found.dims(), value.dims(), "{layout:?} {name}");
                let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>();
                assert_eq!(flat(&found).unwrap(), flat(value).unwrap(), "{name}");
            };
            same("input", &input);
            same(NAME, &maps);
            same("vector", &vector);
            assert_eq!(dump.framework(), Some("test"));
        }
    }

    #[test]
    fn a_layer_of_any_name_is_found_in_its_dump() {
        let (dump, _) = written(Layout::Nchw);
        let input = Input {
            channels: 3,
            height: 4,
            width: 5,
        };
        let layer = |name: &str, input| Layer {
            name: name.to_owned(),
            operation: Operation::Activation(Activation::Relu),
            inputs: vec![input],
        };
        let list = vec![
            layer(NAME, crate::network::Value::INPUT),
            layer("vector", crate::network::Value::of_layer(0)),
        ];
        let layers = Layers::new("test", input, list).unwrap();
        let values = dump.values(&layers).unwrap();
        assert_eq!(values, [(NAME.to_owned(), 0), ("vector".to_owned(), 1)]);
    }

    #[test]
    fn what_could_not_be_read_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.safetensors");
        let problem = |names: &[String]| {
            let names = names.iter().map(String::as_str);
            let writer = DumpWriter::create(&path, Layout::Nchw, &[], names);
            writer.unwrap_err().to_string()
        };
        let refused = problem(&["input".to_owned(), "__metadata__".to_owned()]);
        assert!(refused.contains("calls its metadata"), "{refused}");
        let names: Vec<String> = (0..=20_000).map(|number| number.to_string()).collect();
        let refused = problem(&names);
        assert!(refused.starts_with("20001 tensors are more"), "{refused}");
        // Within the header and within the order: 26 million bytes.
        let names: Vec<String> = (0..13)
            .map(|n| format!("{n}{}", "a".repeat(1_000_000)))
            .collect();
        let refused = problem(&names);
        assert!(refused.contains("at most 25000000"), "{refused}");
    }

    #[test]
    fn values_that_were_not_announced_leave_no_torn_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.safetensors");
        let one = Tensor::zeros((1, 1), DType::F32, &Device::Cpu).unwrap();
        let mut writer = DumpWriter::create(&path, Layout::Nchw, &[], ["a"].into_iter()).unwrap();
        for name in ["a", "b", "c", "d"] {
            writer.add(name, &one).unwrap();
        }
        let problem = writer.finish().unwrap_err().to_string();
        assert!(problem.starts_with("cannot write `"), "{problem}");
        assert!(Reference::open(&path).is_err());
    }
}
