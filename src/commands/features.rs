//! The file of `classify --features`: a vector an input, in their order.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::output::{FilePlace, Place, WholeFile};
use crate::checkpoint::Weights;
use crate::classifier::{Classifier, FeatureVector};
use crate::cli::ClassifyArgs;
use crate::error::{Error, Result};
use crate::report::{Classification, VectorFormat};
use crate::text::shown_path;

/// A file of vectors that appears when it is whole; until then it is `FILE.partial`.
///
/// An input without an answer has a row of NaN, or in lines of JSON `null`, so that rows are those of
/// the inputs. What is there of a run that did not end is a whole file of the rows that it says.
pub(super) struct Features {
    file: WholeFile,
    format: VectorFormat,
    vector: FeatureVector,
    rows: usize,
}

/// A row of `classify` and its vector.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    row: &'a Classification,
    features: Option<&'a [f32]>,
}

impl Features {
    /// Begins the file that the flags ask for, if they ask for one, beside the rows at `place`.
    ///
    /// # Errors
    ///
    /// A name whose extension says no format; a file that cannot be written, that is to be read or that
    /// the rows are written to; or, unless asked to overwrite it, what a run that did not end has left.
    pub(super) fn of(
        arguments: &ClassifyArgs,
        place: &Place,
        weights: &Weights,
        classifier: &Classifier,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(path), Some(vector)) = (&arguments.features, classifier.features()) else {
            return Ok(None);
        };
        let format = format_of(path)?;
        let read = weights.paths().iter().map(PathBuf::as_path);
        let read = read.chain(arguments.classifier.labels.as_deref());
        let features = FilePlace::find("--features", path, read)?;
        if let Place::File(rows) = place
            && features.shares_with(rows)
        {
            return Err(Error::Usage(format!(
                "`--features` and `--output` both write `{}`",
                shown_path(path)
            ))
            .into());
        }
        let mut file = WholeFile::create(&features, Some(arguments.overwrite))?;
        let header = format.header(vector, 0)?;
        file.write(|out| out.write_all(&header))?;
        Ok(Some(Self {
            file,
            format,
            vector: vector.clone(),
            rows: 0,
        }))
    }

    /// Adds the vector of a row; nothing where there is no answer.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(super) fn add(
        &mut self,
        row: &Classification,
        vector: Option<&[f32]>,
    ) -> anyhow::Result<()> {
        let (format, length) = (self.format, self.vector.length);
        self.rows += 1;
        self.file.write(|out| match format {
            VectorFormat::Ndjson => add_line(out, row, vector),
            _ => add_numbers(out, vector, length),
        })
    }

    /// Has the file say how many rows it holds; from now on it is kept.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(super) fn commit(&mut self) -> anyhow::Result<()> {
        let header = self.format.header(&self.vector, self.rows)?;
        if self.rows > 0 {
            self.file.keep_partial();
        }
        self.file.write(|out| {
            out.flush()?;
            if header.is_empty() {
                return Ok(());
            }
            out.seek(SeekFrom::Start(0))?;
            out.write_all(&header)?;
            out.seek(SeekFrom::End(0)).map(drop)
        })
    }

    /// Makes the partial file the one asked for; of a run that had no vector to write there is none.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails; the partial file is left.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.commit()?;
        if self.rows == 0 {
            return Ok(());
        }
        let partial = shown_path(self.file.partial().path());
        let finished = self.file.finish();
        finished.with_context(|| format!("all vectors are in `{partial}`"))
    }
}

fn add_line(
    out: &mut impl Write,
    row: &Classification,
    features: Option<&[f32]>,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { row, features })?;
    out.write_all(b"\n")
}

fn add_numbers(out: &mut impl Write, vector: Option<&[f32]>, length: usize) -> io::Result<()> {
    match vector {
        Some(numbers) => numbers
            .iter()
            .try_for_each(|number| out.write_all(&number.to_le_bytes())),
        None => (0..length).try_for_each(|_| out.write_all(&f32::NAN.to_le_bytes())),
    }
}

fn format_of(path: &Path) -> Result<VectorFormat> {
    VectorFormat::of(path).ok_or_else(|| {
        Error::Usage(format!(
            "`--features {}` ends with none of .npy, .safetensors and .ndjson, which say how the \
             vectors are written",
            shown_path(path)
        ))
    })
}
