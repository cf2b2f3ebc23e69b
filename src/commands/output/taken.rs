//! Files beside an output, which one run alone writes.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::commands::complain;
use crate::error::{Error, Result};
use crate::text::shown_path;

/// A file that goes with this, unless it is to be kept.
pub(in crate::commands) struct Taken {
    file: BufWriter<File>,
    path: PathBuf,
    is_kept: bool,
}

impl Taken {
    /// Takes the file at `path` for the output that `flag` names, empty; `overwrite` says whether what
    /// an earlier run left is to be written over, where the command has a flag for that.
    ///
    /// # Errors
    ///
    /// Those of [`take`]; one that holds something that is not to be written over.
    pub(super) fn empty(path: PathBuf, flag: &str, overwrite: Option<bool>) -> Result<Self> {
        let file = take(&path, flag)?;
        let held = file.metadata().map_err(Error::file("read", &path))?.len();
        if held > 0 && overwrite != Some(true) {
            let anew = match overwrite {
                Some(_) => "`--overwrite` begins anew without them",
                None => "without that file this run begins anew",
            };
            return Err(Error::Usage(format!(
                "`{}` holds {held} bytes of a run that did not end\nhint: {anew}; to keep them, give \
                 that file another name",
                shown_path(&path)
            )));
        }
        file.set_len(0).map_err(Error::file("write", &path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
            is_kept: false,
        })
    }

    pub(in crate::commands) fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle on it: both write at one place.
    pub(in crate::commands) fn handle(&self) -> Result<File> {
        let handle = self.file.get_ref().try_clone();
        handle.map_err(Error::file("write", &self.path))
    }

    /// Lets it be when this goes.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Writes to it, or reads it.
    ///
    /// # Errors
    ///
    /// A write or read that fails.
    pub(in crate::commands) fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        write(&mut self.file).with_context(|| format!("cannot write `{}`", shown_path(&self.path)))
    }

    /// Makes it the file at `path`.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails.
    pub(super) fn become_file(&mut self, path: &Path) -> anyhow::Result<()> {
        self.write(Write::flush)?;
        std::fs::rename(&self.path, path)
            .with_context(|| format!("cannot write `{}`", shown_path(path)))?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.is_kept {
            // Where it cannot be removed, its name says what it is.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens the file at `path` as nobody else's, created where there is none, for the output that `flag`
/// names.
///
/// # Errors
///
/// One that cannot be written, that is no file or has another name too, or that another run writes.
pub(super) fn take(path: &Path, flag: &str) -> Result<File> {
    loop {
        if let Ok(metadata) = path.symlink_metadata() {
            refuse_others(path, flag, &metadata)?;
        }
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        // Whatever takes its place meanwhile is neither followed nor waited for.
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        }
        let file = options.open(path).map_err(Error::file("write", path))?;
        let metadata = file.metadata().map_err(Error::file("write", path))?;
        refuse_others(path, flag, &metadata)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Usage(format!(
                    "another run is writing `{}`\nhint: wait until it ends, or choose another \
                     `{flag}`",
                    shown_path(path)
                )));
            }
            Err(TryLockError::Error(error)) => {
                let path = shown_path(path);
                let message = format!(
                    "cannot lock `{path}`: {error}; another run with this `{flag}` would mix what it \
                     writes with this"
                );
                complain("warning", &message);
            }
        }
        // The run that had it may have ended meanwhile: then it is that run's result by now.
        if is_at(&metadata, path) {
            return Ok(file);
        }
    }
}

/// Refuses what is not a file of its own: to write it would change something else.
fn refuse_others(path: &Path, flag: &str, metadata: &Metadata) -> Result<()> {
    let kind = metadata.file_type();
    let problem = if kind.is_symlink() {
        "is a symbolic link"
    } else if kind.is_dir() {
        "is a folder"
    } else if !kind.is_file() {
        "is no regular file"
    } else if has_other_names(metadata) {
        "has another name too, a hard link"
    } else {
        return Ok(());
    };
    Err(Error::Usage(format!(
        "`{}`, which is written first, {problem}\nhint: remove it, or choose another `{flag}`",
        shown_path(path)
    )))
}

#[cfg(unix)]
fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn is_at(metadata: &Metadata, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_same = |there: Metadata| (there.dev(), there.ino()) == (metadata.dev(), metadata.ino());
    path.symlink_metadata().is_ok_and(is_same)
}

#[cfg(not(unix))]
fn is_at(_: &Metadata, path: &Path) -> bool {
    path.exists()
}
