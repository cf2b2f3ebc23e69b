//! Gates as tensors: of images, and as means by class.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use serde_json::json;

use super::super::complain;
use super::super::output::{FilePlace, Taken, WholeFile};
use super::file::Kind;
use crate::checkpoint::{
    HeaderBounds, TensorElement, TensorLine, WrittenHeader, bytes_in_list, check_names,
};
use crate::error::{Error, Result};
use crate::explain::{Explainer, Explanation};
use crate::report::{Explained, GatesByClass};

/// The tensors besides gates.
const MAP: &str = "heat_map";
const CLASS: &str = "heat_map_class";
const IMAGES: &str = "images";

/// Why there is no file.
const NOTHING: &str = "no file is written, as there are no numbers";

/// The file of means by class, which is begun before they are computed: what cannot be written is said
/// first.
///
/// # Errors
///
/// What cannot be written; blocks whose names one file cannot hold.
pub(super) fn whole_file<'a>(
    kind: Kind,
    place: &FilePlace,
    blocks: impl Iterator<Item = &'a str>,
) -> Result<(Kind, WholeFile)> {
    if kind == Kind::Tensors {
        check_names(blocks.chain([IMAGES]))?;
    }
    Ok((kind, WholeFile::create(place, None)?))
}

/// Writes means as tensors `[classes, channels]`, called as their blocks, and how many `images` each
/// class has; no file where no image has gates.
///
/// # Errors
///
/// A write that fails; more names than fit.
pub(super) fn write_means(gates: &GatesByClass, mut file: WholeFile) -> anyhow::Result<()> {
    if gates.classes.is_empty() {
        complain("warning", NOTHING);
        return Ok(());
    }
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
    let start = WrittenHeader::new(&metadata, &tensors, HeaderBounds::OTHERS)?.start();
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
    })?;
    file.finish()
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
    rows: Taken,
    network: String,
    weights: String,
    /// The tensors and their sizes but for the first, which is that of images; unknown until there is
    /// an image.
    tensors: Vec<(String, Vec<usize>)>,
    /// The images: each name, the number of the class of its map, and whether it is among the rows.
    images: Vec<(String, Option<usize>, bool)>,
    names: Names,
}

/// What the images' names take of the file's header.
#[derive(Default)]
struct Names {
    bytes: u64,
}

impl Names {
    /// The most; what else is in a header takes some hundred bytes a block.
    const MOST: u64 = HeaderBounds::OTHERS.bytes - (1 << 20);

    /// # Errors
    ///
    /// More than fit.
    fn add(&mut self, name: &str) -> Result<()> {
        self.bytes += bytes_in_list(name);
        if self.bytes <= Self::MOST {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "the names of the inputs take more than {} bytes, which is what a file of tensors has room \
             for\nhint: explain them in several runs, each with a file of its own",
            Self::MOST
        )))
    }
}

impl ImageTensors {
    /// Begins the file at `path`.
    ///
    /// # Errors
    ///
    /// What cannot be written; blocks whose names one file cannot hold.
    pub(super) fn create(place: &FilePlace, explainer: &Explainer, weights: &str) -> Result<Self> {
        check_names(explainer.reader().blocks().chain([MAP, CLASS]))?;
        Ok(Self {
            file: WholeFile::create(place, None)?,
            rows: place.take_rows()?,
            network: explainer.classifier().network().name.to_string(),
            weights: weights.to_owned(),
            tensors: Vec::new(),
            images: Vec::new(),
            names: Names::default(),
        })
    }

    /// Adds an image, or its name where there is nothing to say of it.
    ///
    /// # Errors
    ///
    /// A write that fails; more names than fit.
    pub(super) fn add(
        &mut self,
        row: &Explained,
        explanation: Option<&Explanation>,
    ) -> anyhow::Result<()> {
        self.names.add(&row.input)?;
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
            complain("warning", NOTHING);
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
        let start = WrittenHeader::new(&metadata, &tensors, HeaderBounds::OTHERS)?.start();
        self.rows.write(Write::flush)?;
        let (mut rows, images) = (self.rows.handle()?, &self.images);
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
                copy(&mut rows, out, images, [row, before, length])?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_are_refused_as_they_come() {
        let name = "a".repeat(10_000_000);
        let mut names = Names::default();
        for _ in 0..9 {
            assert!(names.add(&name).is_ok());
        }
        let refused = names.add(&name).unwrap_err().to_string();
        assert!(refused.contains("names of the inputs"), "{refused}");
    }
}
