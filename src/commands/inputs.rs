use std::io::BufRead;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::{Error, Result};
use crate::image::has_image_extension;

/// An image to classify, or why there is none under this name.
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) problem: Option<String>,
}

impl Input {
    /// The path as text. Bytes that are not UTF-8 are escaped, so two names never look alike.
    pub(super) fn name(&self) -> String {
        match self.path.to_str() {
            Some(name) => name.to_owned(),
            None => self
                .path
                .as_os_str()
                .as_encoded_bytes()
                .escape_ascii()
                .to_string(),
        }
    }

    fn image(path: PathBuf) -> Self {
        Self {
            path,
            problem: None,
        }
    }

    fn problem(path: &Path, problem: String) -> Self {
        Self {
            path: path.to_path_buf(),
            problem: Some(problem),
        }
    }
}

/// Every image that the arguments name: folders searched in the order of names, `-` replaced
/// by the paths on standard input.
///
/// # Errors
///
/// Standard input that cannot be read.
pub(super) fn expand(arguments: &[PathBuf], stdin: &mut dyn BufRead) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            for line in stdin.split(b'\n') {
                let line = line.map_err(Error::file("read", Path::new("standard input")))?;
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                if !line.is_empty() {
                    expand_path(&path_of(line), &mut inputs);
                }
            }
        } else {
            expand_path(argument, &mut inputs);
        }
    }
    Ok(inputs)
}

/// A line of a list as a path: its very bytes where paths are bytes.
fn path_of(line: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(line))
    }
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(line).into_owned())
    }
}

/// A file stands for itself, whatever its name; of a folder only files named like images count.
fn expand_path(path: &Path, inputs: &mut Vec<Input>) {
    if !path.is_dir() {
        inputs.push(Input::image(path.to_path_buf()));
        return;
    }
    let before = inputs.len();
    for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() && has_image_extension(entry.path()) => {
                inputs.push(Input::image(entry.into_path()));
            }
            Ok(_) => {}
            Err(error) => {
                let at = error.path().unwrap_or(path).to_path_buf();
                // What would not have been read as an image is nobody's loss.
                if at.extension().is_none() || has_image_extension(&at) {
                    let problem = match error.io_error() {
                        Some(io) => format!("cannot open it: {io}"),
                        None => "a link back to a folder that holds it".to_owned(),
                    };
                    inputs.push(Input::problem(&at, problem));
                }
            }
        }
    }
    if inputs.len() == before {
        inputs.push(Input::problem(
            path,
            "the folder holds no images".to_owned(),
        ));
    }
}
