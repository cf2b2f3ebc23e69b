//! Where an output's path leads, and what must not be read because it is written there.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::taken::Taken;
use crate::error::{Error, Result};
use crate::files::are_one;
use crate::text::shown_path;

/// What is behind the name of a file that is not whole yet.
const PARTIAL: &str = ".partial";

/// What an output's path stands for.
pub(in crate::commands) enum Place {
    /// Standard output, by whatever name.
    Standard,
    /// What is written as it is.
    Device(File, PathBuf),
    /// A file that appears when it is whole.
    File(FilePlace),
}

/// A file that is to be written, and the files that there are until it is whole.
#[derive(Clone)]
pub(in crate::commands) struct FilePlace {
    /// What names it, and how.
    pub(super) flag: &'static str,
    named: PathBuf,
    pub(super) path: PathBuf,
    /// Its rows so far.
    pub(super) partial: PathBuf,
    /// What made them.
    pub(super) record: PathBuf,
    /// What waits to be put in order.
    pub(super) rows: PathBuf,
}

impl Place {
    /// Standard output, also where `path` is `-`, a device or pipe, or a file.
    ///
    /// # Errors
    ///
    /// A folder, a device that cannot be opened, or a file that is among those `read`.
    pub(in crate::commands) fn find<'a>(
        path: Option<&Path>,
        read: impl Iterator<Item = &'a Path>,
    ) -> Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            return Ok(Self::Standard);
        };
        if path.is_dir() {
            let directory = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Error::file("write", path)(directory));
        }
        // As `/dev/stdout` is where a shell redirected that to a file: what is in the file already,
        // and what others write there, stays.
        if is_standard_output(path) {
            return Ok(Self::Standard);
        }
        if path.exists() && !path.is_file() {
            let device = File::options().write(true).open(path);
            let device = device.map_err(Error::file("write", path))?;
            return Ok(Self::Device(device, path.to_path_buf()));
        }
        FilePlace::resolve("--output", path, read).map(Self::File)
    }

    /// Refuses to read a path that would be overwritten.
    pub(in crate::commands) fn refusal(&self) -> impl Fn(&Path) -> Result<()> + Send + 'static {
        let place = match self {
            Self::File(place) => Some(place.refusal()),
            Self::Standard | Self::Device(..) => None,
        };
        move |read| place.as_ref().map_or(Ok(()), |refuse| refuse(read))
    }
}

impl FilePlace {
    /// The file at `path`, which `flag` names and which can be nothing else than a file.
    ///
    /// # Errors
    ///
    /// What is no regular file, or is among those `read`.
    pub(in crate::commands) fn find<'a>(
        flag: &'static str,
        path: &Path,
        read: impl Iterator<Item = &'a Path>,
    ) -> Result<Self> {
        if path.exists() && !path.is_file() {
            return Err(Error::Usage(format!(
                "`{flag} {}` is no regular file",
                shown_path(path)
            )));
        }
        Self::resolve(flag, path, read)
    }

    /// Through a link, so that the file it names is replaced, and not the link.
    fn resolve<'a>(
        flag: &'static str,
        path: &Path,
        read: impl Iterator<Item = &'a Path>,
    ) -> Result<Self> {
        let named = path.to_path_buf();
        let path = match path.canonicalize() {
            Err(error) if path.is_symlink() => return Err(Error::file("write", path)(error)),
            Err(_) => path.to_path_buf(),
            Ok(path) => path,
        };
        let partial = with_ending(&path, PARTIAL);
        let place = Self {
            flag,
            named,
            record: with_ending(&partial, ".json"),
            rows: with_ending(&path, ".rows"),
            path,
            partial,
        };
        place.refuse_standard_input()?;
        for path in read {
            place.refuse(path)?;
        }
        Ok(place)
    }

    /// Refuses to read a path that would be overwritten.
    pub(in crate::commands) fn refusal(&self) -> impl Fn(&Path) -> Result<()> + Send + use<> {
        let place = self.clone();
        move |read| place.refuse(read)
    }

    /// Takes the file of what waits to be put in order, which goes when it is no more needed.
    ///
    /// # Errors
    ///
    /// Those of [`Taken::empty`].
    pub(in crate::commands) fn take_rows(&self) -> Result<Taken> {
        Taken::empty(self.rows.clone(), self.flag, None)
    }

    /// Whether one of its files is one of the other's.
    pub(in crate::commands) fn shares_with(&self, other: &Self) -> bool {
        let theirs = other.written();
        self.written().iter().any(|ours| theirs.contains(ours))
    }

    fn written(&self) -> [&PathBuf; 4] {
        [&self.path, &self.partial, &self.record, &self.rows]
    }

    /// Refuses to read the file at `read`, where that is one of these by whatever path.
    fn refuse(&self, read: &Path) -> Result<()> {
        // Of most inputs the name tells, but not of a link.
        let is_link = read.is_symlink();
        let is_read = |written: &&PathBuf| {
            (is_link || written.file_name() == read.file_name()) && are_one(written, read)
        };
        if self.written().iter().any(is_read) {
            return Err(self.would_overwrite(&format!("`{}`", shown_path(read))));
        }
        Ok(())
    }

    fn refuse_standard_input(&self) -> Result<()> {
        let Some(stdin) = standard_input() else {
            return Ok(());
        };
        let mut written = self
            .written()
            .into_iter()
            .filter_map(|path| path.metadata().ok());
        if written.any(|written| is_same(&written, &stdin)) {
            return Err(self.would_overwrite("standard input"));
        }
        Ok(())
    }

    fn would_overwrite(&self, read: &str) -> Error {
        Error::Usage(format!(
            "`{} {}` would overwrite {read}, which is to be read",
            self.flag,
            shown_path(&self.named)
        ))
    }
}

/// `FILE` with more behind its name.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
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
