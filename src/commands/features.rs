//! The file of `classify --features`: a vector an input, in their order.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::output::{PARTIAL, refuse_read, with_ending};
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
    file: BufWriter<File>,
    path: PathBuf,
    partial: PathBuf,
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
    /// Begins the file that the flags ask for, if they ask for one.
    ///
    /// # Errors
    ///
    /// Those of [`Features::create`], or a file that is to be read.
    pub(super) fn of(
        arguments: &ClassifyArgs,
        weights: &Weights,
        classifier: &Classifier,
    ) -> Result<Option<Self>> {
        let (Some(path), Some(vector)) = (&arguments.features, classifier.features()) else {
            return Ok(None);
        };
        let read = weights.paths().iter().chain(&arguments.classifier.labels);
        refuse_read("--features", path, read)?;
        if arguments.output.as_ref() == Some(path) {
            return Err(Error::Usage(format!(
                "`--features` and `--output` both write `{}`",
                shown_path(path)
            )));
        }
        Self::create(path, vector.clone(), arguments.overwrite).map(Some)
    }

    /// Begins the file at `path`.
    ///
    /// # Errors
    ///
    /// A name whose extension says no format; a file that cannot be written; or, unless asked to
    /// `overwrite` it, what a run that did not end has left.
    fn create(path: &Path, vector: FeatureVector, overwrite: bool) -> Result<Self> {
        let format = format_of(path)?;
        if path.exists() && !path.is_file() {
            return Err(Error::Usage(format!(
                "`--features {}` is no regular file; the count of vectors, which is known in the \
                 end, is written at its beginning",
                shown_path(path)
            )));
        }
        let partial = with_ending(path, PARTIAL);
        let mut options = File::options();
        options.write(true);
        let opened = if overwrite {
            options.create(true).truncate(true).open(&partial)
        } else {
            options.create_new(true).open(&partial)
        };
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Usage(format!(
                "`{}` holds the vectors of a run that did not end\nhint: `--overwrite` begins anew \
                 without them; to keep them, give that file another name",
                shown_path(&partial)
            )),
            _ => Error::file("write", &partial)(error),
        })?;
        let mut features = Self {
            file: BufWriter::new(file),
            path: path.to_path_buf(),
            partial,
            format,
            vector,
            rows: 0,
        };
        let header = format.header(&features.vector, 0);
        let written = features.file.write_all(&header);
        written.map_err(Error::file("write", &features.partial))?;
        Ok(features)
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
        let written = match self.format {
            VectorFormat::Ndjson => self.add_line(row, vector),
            _ => self.add_numbers(vector),
        };
        self.rows += 1;
        written.with_context(|| format!("cannot write `{}`", shown_path(&self.partial)))
    }

    fn add_line(&mut self, row: &Classification, vector: Option<&[f32]>) -> io::Result<()> {
        let features = vector;
        serde_json::to_writer(&mut self.file, &Line { row, features })?;
        self.file.write_all(b"\n")
    }

    fn add_numbers(&mut self, vector: Option<&[f32]>) -> io::Result<()> {
        match vector {
            Some(numbers) => {
                for number in numbers {
                    self.file.write_all(&number.to_le_bytes())?;
                }
            }
            None => {
                for _ in 0..self.vector.length {
                    self.file.write_all(&f32::NAN.to_le_bytes())?;
                }
            }
        }
        Ok(())
    }

    /// Has the file say how many rows it holds.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(super) fn commit(&mut self) -> anyhow::Result<()> {
        let header = self.format.header(&self.vector, self.rows);
        let mut write = || -> io::Result<()> {
            self.file.flush()?;
            if header.is_empty() {
                return Ok(());
            }
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
            self.file.seek(SeekFrom::End(0)).map(drop)
        };
        write().with_context(|| format!("cannot write `{}`", shown_path(&self.partial)))
    }

    /// Makes the partial file the one asked for.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails; the partial file is left.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.commit()?;
        if self.rows == 0 {
            return Ok(());
        }
        std::fs::rename(&self.partial, &self.path).with_context(|| {
            let (path, partial) = (shown_path(&self.path), shown_path(&self.partial));
            format!("cannot write `{path}`, and all vectors are in `{partial}`")
        })
    }
}

impl Drop for Features {
    /// A run that had no vector to write leaves no file.
    fn drop(&mut self) {
        if self.rows == 0 {
            // Where it cannot be removed, it is found to be empty.
            let _ = std::fs::remove_file(&self.partial);
        }
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
