//! Where the rows of a run go, and what is left of them when it is cut short.

mod interruption;
mod partial;

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use indicatif::ProgressBar;

use self::partial::Partial;
use crate::error::{Error, Result};
use crate::report::RowFormat;
use crate::text::shown_path;

/// Where rows go: standard output, or a file that appears when it is whole.
///
/// What is written waits here until [`Output::commit`] passes it on, so that no row is torn.
pub(super) struct Output {
    target: Target,
    waiting: Vec<u8>,
}

enum Target {
    Standard(io::Stdout),
    Device(File, PathBuf),
    File {
        partial: Arc<Mutex<Partial>>,
        path: PathBuf,
        written: Written,
    },
}

/// What a run writes or replaces, which it must not read.
#[derive(Clone)]
struct Written([PathBuf; 2]);

impl Output {
    /// Opens standard output, also where `path` is `-`, or `FILE.partial` beside the file asked
    /// for; a device or pipe is written as it is.
    ///
    /// # Errors
    ///
    /// A file that cannot be written, one that is among those `read`, or, unless asked to
    /// `overwrite` them, rows that an earlier run left; nothing has been computed yet.
    pub(super) fn open<'a>(
        path: Option<&Path>,
        format: RowFormat,
        overwrite: bool,
        read: impl Iterator<Item = &'a Path>,
    ) -> Result<Self> {
        let target = match path {
            Some(path) if path.as_os_str() != "-" => Target::open(path, format, overwrite, read)?,
            _ => Target::Standard(io::stdout()),
        };
        Ok(Self {
            target,
            waiting: Vec::new(),
        })
    }

    /// From now on whoever interrupts the run is told where its rows are.
    pub(super) fn heed_signals(&self, bar: &ProgressBar) {
        if let Target::File { partial, .. } = &self.target {
            interruption::heed(partial.clone(), bar.clone());
        }
    }

    /// Refuses to read a path that this would overwrite.
    pub(super) fn refusal(&self) -> impl Fn(&Path) -> Result<()> + Send + 'static {
        let written = match &self.target {
            Target::File { written, .. } => Some(written.clone()),
            Target::Standard(_) | Target::Device(..) => None,
        };
        move |read| {
            written
                .as_ref()
                .map_or(Ok(()), |written| written.refuse(read))
        }
    }

    /// Passes on what was written: so many rows, each whole.
    ///
    /// # Errors
    ///
    /// A write that fails, saying which rows were written before.
    pub(super) fn commit(&mut self, rows: usize) -> anyhow::Result<()> {
        let bytes = std::mem::take(&mut self.waiting);
        match &mut self.target {
            Target::Standard(out) => {
                let written = out.write_all(&bytes).and_then(|()| out.flush());
                written.context("cannot write `standard output`")
            }
            Target::Device(out, path) => {
                let written = out.write_all(&bytes).map_err(Error::file("write", path));
                Ok(written?)
            }
            Target::File { partial, .. } => {
                let mut partial = locked(partial);
                let added = partial.add(&bytes, rows);
                added.with_context(|| {
                    let (path, rows) = (shown_path(partial.path()), partial.rows());
                    format!("cannot write `{path}`, which holds {rows} whole rows")
                })
            }
        }
    }

    /// Passes on the end of the output of a run that has not come to its end, and says where its
    /// rows are; a partial file is left.
    ///
    /// # Errors
    ///
    /// A last write that fails.
    pub(super) fn cut_short(mut self) -> anyhow::Result<String> {
        self.commit(0)?;
        Ok(match &self.target {
            Target::File { partial, .. } => {
                let mut partial = locked(partial);
                partial.end_early();
                format!("`{}`", shown_path(partial.path()))
            }
            Target::Device(_, path) => format!("`{}`", shown_path(path)),
            Target::Standard(_) => "`standard output`".to_owned(),
        })
    }

    /// Passes on the end of the output, and makes the partial file the one asked for.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails; the partial file is left.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.commit(0)?;
        if let Target::File { partial, path, .. } = &self.target {
            let mut partial = locked(partial);
            partial.become_file(path).with_context(|| {
                let (path, partial) = (shown_path(path), shown_path(partial.path()));
                format!("cannot write `{path}`, and all rows are in `{partial}`")
            })?;
        }
        Ok(())
    }
}

impl Drop for Output {
    /// A run that failed leaves a whole document of what rows it has.
    fn drop(&mut self) {
        if let Target::File { partial, .. } = &self.target {
            locked(partial).end_early();
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.write(bytes)
    }

    /// Does nothing: where a row ends is said by [`Output::commit`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target {
    fn open<'a>(
        path: &Path,
        format: RowFormat,
        overwrite: bool,
        read: impl Iterator<Item = &'a Path>,
    ) -> Result<Self> {
        if path.is_dir() {
            let directory = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Error::file("write", path)(directory));
        }
        // As `/dev/stdout` is where a shell redirected that to a file: what is in the file already,
        // and what others write there, stays.
        if is_standard_output(path) {
            return Ok(Self::Standard(io::stdout()));
        }
        if path.exists() && !path.is_file() {
            let device = File::options().write(true).open(path);
            let device = device.map_err(Error::file("write", path))?;
            return Ok(Self::Device(device, path.to_path_buf()));
        }
        // Through a link, so that the file it names is replaced, and not the link.
        let path = match path.canonicalize() {
            Err(error) if path.is_symlink() => return Err(Error::file("write", path)(error)),
            Err(_) => path.to_path_buf(),
            Ok(path) => path,
        };
        let mut partial_path = path.as_os_str().to_owned();
        partial_path.push(".partial");
        let partial_path = PathBuf::from(partial_path);
        let written = Written([path.clone(), partial_path.clone()]);
        written.refuse_standard_input()?;
        for path in read {
            written.refuse(path)?;
        }
        let partial = Partial::open(partial_path, format.ending(), overwrite)?;
        Ok(Self::File {
            partial: Arc::new(Mutex::new(partial)),
            path,
            written,
        })
    }
}

/// Nothing is left half-changed while this is held.
fn locked(partial: &Mutex<Partial>) -> MutexGuard<'_, Partial> {
    partial.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Written {
    /// Refuses to read the file at `read`, where that is one of these by whatever path.
    fn refuse(&self, read: &Path) -> Result<()> {
        let is_read = |written: &PathBuf| {
            written.file_name() == read.file_name()
                && written.canonicalize().ok() == read.canonicalize().ok()
                && written.exists()
        };
        if self.0.iter().any(is_read) {
            return Err(self.refusal(&format!("`{}`", shown_path(read))));
        }
        Ok(())
    }

    fn refuse_standard_input(&self) -> Result<()> {
        let Some(stdin) = standard_input() else {
            return Ok(());
        };
        let mut written = self.0.iter().filter_map(|path| path.metadata().ok());
        if written.any(|written| is_same(&written, &stdin)) {
            return Err(self.refusal("standard input"));
        }
        Ok(())
    }

    fn refusal(&self, read: &str) -> Error {
        Error::Usage(format!(
            "`--output {}` would overwrite {read}, which is to be read",
            shown_path(&self.0[0])
        ))
    }
}

/// What standard input is.
#[cfg(unix)]
fn standard_input() -> Option<Metadata> {
    use std::os::fd::AsFd;
    let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
    File::from(stdin).metadata().ok()
}

/// Whether a path is another name of what standard output is redirected to.
#[cfg(unix)]
fn is_standard_output(path: &Path) -> bool {
    use std::os::fd::AsFd;
    let stdout = io::stdout().as_fd().try_clone_to_owned().ok();
    let stdout = stdout.and_then(|stdout| File::from(stdout).metadata().ok());
    let named = path.metadata().ok();
    named
        .zip(stdout)
        .is_some_and(|(named, stdout)| stdout.is_file() && is_same(&named, &stdout))
}

#[cfg(not(unix))]
fn is_standard_output(_: &Path) -> bool {
    false
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn standard_input() -> Option<Metadata> {
    None
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    false
}
