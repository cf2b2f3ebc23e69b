use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where rows go: standard output, or a file that appears when it is whole.
pub(super) enum Output {
    Standard(BufWriter<io::Stdout>),
    File {
        partial: BufWriter<File>,
        partial_path: PathBuf,
        path: PathBuf,
    },
}

impl Output {
    /// Opens standard output, or `FILE.partial` beside the file asked for.
    ///
    /// # Errors
    ///
    /// A file that cannot be written; nothing has been computed yet.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Standard(BufWriter::new(io::stdout())));
        };
        if path.is_dir() {
            let directory = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Error::file("write", path)(directory));
        }
        let mut partial_path = path.as_os_str().to_owned();
        partial_path.push(".partial");
        let partial_path = PathBuf::from(partial_path);
        let partial = File::create(&partial_path).map_err(Error::file("write", &partial_path))?;
        Ok(Self::File {
            partial: BufWriter::new(partial),
            partial_path,
            path: path.to_path_buf(),
        })
    }

    /// Makes the partial file the one asked for.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails; the partial file is left.
    pub(super) fn finish(mut self) -> Result<()> {
        let path = match &self {
            Self::Standard(_) => Path::new("standard output").to_path_buf(),
            Self::File { path, .. } => path.clone(),
        };
        self.flush().map_err(Error::file("write", &path))?;
        if let Self::File { partial_path, .. } = &self {
            std::fs::rename(partial_path, &path).map_err(Error::file("write", &path))?;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File { partial, .. } => partial.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File { partial, .. } => partial.flush(),
        }
    }
}
