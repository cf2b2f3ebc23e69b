use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where rows go: standard output, or a file that appears when it is whole.
pub(super) enum Output {
    Standard(BufWriter<io::Stdout>),
    Device(BufWriter<File>, PathBuf),
    File {
        partial: BufWriter<File>,
        partial_path: PathBuf,
        path: PathBuf,
    },
}

impl Output {
    /// Opens standard output, or `FILE.partial` beside the file asked for; a device or pipe is
    /// written as it is.
    ///
    /// # Errors
    ///
    /// A file that cannot be written, or one that is among those `read`; nothing has been
    /// computed yet.
    pub(super) fn open<'a>(
        path: Option<&Path>,
        mut read: impl Iterator<Item = &'a Path>,
    ) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Standard(BufWriter::new(io::stdout())));
        };
        if path.is_dir() {
            let directory = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Error::file("write", path)(directory));
        }
        if path.exists() && !path.is_file() {
            let device = File::options().write(true).open(path);
            let device = device.map_err(Error::file("write", path))?;
            return Ok(Self::Device(BufWriter::new(device), path.to_path_buf()));
        }
        // Through a link, so that the file it names is replaced, and not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let mut partial_path = path.as_os_str().to_owned();
        partial_path.push(".partial");
        let partial_path = PathBuf::from(partial_path);
        let written = [&path, &partial_path];
        let same = |read: &Path| {
            let is_read = |written: &&PathBuf| {
                written.file_name() == read.file_name()
                    && written.canonicalize().ok() == read.canonicalize().ok()
                    && written.exists()
            };
            written.iter().any(is_read)
        };
        if let Some(read) = read.find(|read| same(read)) {
            return Err(Error::Usage(format!(
                "`--output {}` would overwrite `{}`, which is to be read",
                path.display(),
                read.display()
            )));
        }
        let partial = File::create(&partial_path).map_err(Error::file("write", &partial_path))?;
        Ok(Self::File {
            partial: BufWriter::new(partial),
            partial_path,
            path,
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
            Self::Device(_, path) | Self::File { path, .. } => path.clone(),
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
            Self::Device(out, _) | Self::File { partial: out, .. } => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::Device(out, _) | Self::File { partial: out, .. } => out.flush(),
        }
    }
}
