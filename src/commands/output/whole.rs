//! A file that appears when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::place::{PARTIAL, with_ending};
use crate::error::{Error, Result};
use crate::text::shown_path;

/// A file that is `FILE.partial` until it is finished, and nothing where it never is.
pub(in crate::commands) struct WholeFile {
    file: BufWriter<File>,
    path: PathBuf,
    partial: PathBuf,
    is_finished: bool,
}

impl WholeFile {
    /// Begins the file at `path`; a partial one that another run left is written over.
    ///
    /// # Errors
    ///
    /// A path that is something else than a file, or cannot be written.
    pub(in crate::commands) fn create(path: &Path) -> Result<Self> {
        if path.exists() && !path.is_file() {
            return Err(Error::Usage(format!(
                "`--output {}` is no regular file",
                shown_path(path)
            )));
        }
        let partial = with_ending(path, PARTIAL);
        let file = File::create(&partial).map_err(Error::file("write", &partial))?;
        Ok(Self {
            file: BufWriter::new(file),
            path: path.to_path_buf(),
            partial,
            is_finished: false,
        })
    }

    /// Writes a part of it.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(in crate::commands) fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        write(&mut self.file)
            .with_context(|| format!("cannot write `{}`", shown_path(&self.partial)))
    }

    /// Makes it the file asked for.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails.
    pub(in crate::commands) fn finish(mut self) -> anyhow::Result<()> {
        self.write(|out| out.flush())?;
        std::fs::rename(&self.partial, &self.path)
            .with_context(|| format!("cannot write `{}`", shown_path(&self.path)))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // Where it cannot be removed, its name says what it is.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}
