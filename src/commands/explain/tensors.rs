//! Gates as tensors: of images, and as means by class.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::super::complain;
use super::super::output::{WholeFile, with_ending};
use super::file::Kind;
use crate::error::{Error, Result};
use crate::explain::{Explainer, Explanation};
use crate::report::{
    Explained, GatesByClass, TensorElement, TensorLine, check_names, safetensors_start,
};
use crate::text::shown_path;

/// The tensors besides gates.
const MAP: &str = "heat_map";
const CLASS: &str = "heat_map_class";
const IMAGES: &str = "images";

/// The file of means by class, which is begun before they are computed: what cannot be written is said
/// first.
///
/// # Errors
///
/// What cannot be written; blocks whose names one file cannot hold.
pub(super) fn whole_file<'a>(
    kind: Kind,
    path: &Path,
    blocks: impl Iterator<Item = &'a str>,
) -> Result<(Kind, WholeFile)> {
    if kind == Kind::Tensors {
        check_names(blocks.chain([IMAGES]))?;
    }
    Ok((kind, WholeFile::create(path)?))
}

/// Writes means as tensors `[classes, channels]`, called as their blocks, and how many `images` each
/// class has.
pub(super) fn write_means(gates: &GatesByClass, file: &mut WholeFile) -> anyhow::Result<()> {
    let classes = gates.classes.len();
    let mut tensors: Vec<TensorLine> = gates
        .blocks
        .iter()
        .map(|block| {
            line(
                &block.block,
                TensorElement::F32,
                &[classes, block.all.len()],
            )
        })
        .collect();
    // Numbers of eight bytes begin at one of eight.
    tensors.insert(0, line(IMAGES, TensorElement::I64, &[classes]));
    let names: Vec<_> = gates
        .classes
        .iter()
        .map(|class| json!({"class": class.class, "label": class.label}))
        .collect();
    let metadata = [
        ("framework", "senet".to_owned()),
        ("network", gates.network.clone()),
        ("weights", gates.weights.clone()),
        ("data", gates.data.clone()),
        ("classes", json!(names).to_string()),
    ];
    let start = safetensors_start(&metadata, &tensors)?;
    file.write(|out| {
        out.write_all(&start)?;
        for class in &gates.classes {
            let images = i64::try_from(class.images).unwrap_or(i64::MAX);
            out.write_all(&images.to_le_bytes())?;
        }
        let classes = gates.blocks.iter().flat_map(|block| &block.classes);
        for class in classes {
            write_numbers(out, &class.values)?;
        }
        Ok(())
    })
}

fn line(name: &str, element: TensorElement, shape: &[usize]) -> TensorLine {
    TensorLine {
        name: name.to_owned(),
        element,
        shape: shape.to_vec(),
    }
}

fn write_numbers(out: &mut dyn Write, numbers: &[f32]) -> io::Result<()> {
    numbers
        .iter()
        .try_for_each(|number| out.write_all(&number.to_le_bytes()))
}

/// The file of images' gates. Its tensors are written one behind the other, each of all images, so that
/// until the last the numbers wait in a file beside it, `FILE.rows`, image by image.
pub(super) struct ImageTensors {
    file: WholeFile,
    rows: Rows,
    network: String,
    weights: String,
    /// The tensors and their sizes but for the first, which is that of images; unknown until there is
    /// an image.
    tensors: Vec<(String, Vec<usize>)>,
    /// The images: each name, the number of the class of its map, and whether it is among the rows.
    images: Vec<(String, Option<usize>, bool)>,
}

/// Numbers that wait, in a file that goes with this.
struct Rows {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Rows {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(Error::file("write", &path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
        })
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        write(&mut self.file).with_context(|| format!("cannot write `{}`", shown_path(&self.path)))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // Where it cannot be removed, its name says what it is.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl ImageTensors {
    /// Begins the file at `path`.
    ///
    /// # Errors
    ///
    /// What cannot be written; blocks whose names one file cannot hold.
    pub(super) fn create(path: &Path, explainer: &Explainer, weights: &str) -> Result<Self> {
        check_names(explainer.reader().blocks().chain([MAP, CLASS]))?;
        let file = WholeFile::create(path)?;
        Ok(Self {
            file,
            rows: Rows::create(with_ending(path, ".rows"))?,
            network: explainer.classifier().network().name.to_string(),
            weights: weights.to_owned(),
            tensors: Vec::new(),
            images: Vec::new(),
        })
    }

    /// Adds an image, or its name where there is nothing to say of it.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(super) fn add(
        &mut self,
        row: &Explained,
        explanation: Option<&Explanation>,
    ) -> anyhow::Result<()> {
        let class = row.class.as_ref().map(|class| class.class);
        self.images
            .push((row.input.clone(), class, explanation.is_some()));
        let Some(explanation) = explanation else {
            return Ok(());
        };
        let gates = explanation.gates.iter();
        let gates = gates.map(|gates| (gates.block.as_str(), &gates.values));
        let map = explanation.evidence.iter().map(|evidence| &evidence.map);
        let numbers = gates.clone().map(|(_, values)| values);
        let mut numbers = numbers.chain(map.clone().map(|map| &map.values));
        self.rows
            .write(|rows| numbers.try_for_each(|numbers| write_numbers(rows, numbers)))?;
        if self.tensors.is_empty() {
            let gates = gates.map(|(block, values)| (block.to_owned(), vec![values.len()]));
            let map = map.map(|map| (MAP.to_owned(), map.size.to_vec()));
            self.tensors = gates.chain(map).collect();
        }
        Ok(())
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// A read or write that fails; more names than fit.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        if self.tensors.is_empty() {
            complain("warning", "no file is written, as there are no numbers");
            return Ok(());
        }
        let images = self.images.len();
        let mut tensors = vec![line(CLASS, TensorElement::I64, &[images])];
        for (name, sizes) in &self.tensors {
            let shape = [&[images], sizes.as_slice()].concat();
            tensors.push(line(name, TensorElement::F32, &shape));
        }
        let inputs: Vec<&str> = self.images.iter().map(|(name, ..)| name.as_str()).collect();
        let metadata = [
            ("framework", "senet".to_owned()),
            ("network", self.network.clone()),
            ("weights", self.weights.clone()),
            ("inputs", json!(inputs).to_string()),
        ];
        let start = safetensors_start(&metadata, &tensors)?;
        self.rows.write(BufWriter::flush)?;
        let (rows, images) = (self.rows.file.get_mut(), &self.images);
        let lengths: Vec<usize> = self
            .tensors
            .iter()
            .map(|(_, sizes)| 4 * sizes.iter().product::<usize>())
            .collect();
        self.file.write(|out| {
            out.write_all(&start)?;
            for (_, class, _) in images {
                let class = class.and_then(|class| i64::try_from(class).ok());
                out.write_all(&class.unwrap_or(-1).to_le_bytes())?;
            }
            let row: usize = lengths.iter().sum();
            let mut before = 0;
            for &length in &lengths {
                copy(rows, out, images, [row, before, length])?;
                before += length;
            }
            Ok(())
        })?;
        self.file.finish()
    }
}

/// Copies a tensor out of all rows, each of so many bytes, where it begins behind others; NaN where an
/// image has no row.
fn copy(
    rows: &mut File,
    out: &mut dyn Write,
    images: &[(String, Option<usize>, bool)],
    [row, before, length]: [usize; 3],
) -> io::Result<()> {
    let mut numbers = vec![0; length];
    let nothing = f32::NAN.to_le_bytes().repeat(length / 4);
    let mut at = before as u64;
    for (.., is_there) in images {
        if *is_there {
            rows.seek(SeekFrom::Start(at))?;
            rows.read_exact(&mut numbers)?;
            out.write_all(&numbers)?;
            at += row as u64;
        } else {
            out.write_all(&nothing)?;
        }
    }
    Ok(())
}
