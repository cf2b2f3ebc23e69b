//! A file that appears when it is whole.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;

use super::place::FilePlace;
use super::taken::Taken;
use crate::error::Result;

/// A file that is `FILE.partial` until it is finished, and nothing where it never is.
pub(in crate::commands) struct WholeFile {
    partial: Taken,
    path: PathBuf,
}

impl WholeFile {
    /// Begins the file at `place`; `overwrite` says whether what a run that did not end has left is to be
    /// written over, where the command has a flag for that.
    ///
    /// # Errors
    ///
    /// What cannot be written, what another run writes, or what is not to be written over.
    pub(in crate::commands) fn create(place: &FilePlace, overwrite: Option<bool>) -> Result<Self> {
        Ok(Self {
            partial: Taken::empty(place.partial.clone(), place.flag, overwrite)?,
            path: place.path.clone(),
        })
    }

    /// What it is until it is finished.
    pub(in crate::commands) fn partial(&self) -> &Taken {
        &self.partial
    }

    /// Another handle on it, for a writer of its own: both write at one place.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(in crate::commands) fn handle(&self) -> Result<File> {
        self.partial.handle()
    }

    /// Lets what there is be where it is never finished.
    pub(in crate::commands) fn keep_partial(&mut self) {
        self.partial.keep();
    }

    /// Writes a part of it.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(in crate::commands) fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        self.partial.write(write)
    }

    /// Makes it the file asked for.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails.
    pub(in crate::commands) fn finish(mut self) -> anyhow::Result<()> {
        self.partial.become_file(&self.path)
    }
}
