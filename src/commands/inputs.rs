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
            for line in stdin.lines() {
                let line = line.map_err(Error::file("read", Path::new("standard input")))?;
                if !line.is_empty() {
                    expand_path(Path::new(&line), &mut inputs);
                }
            }
        } else {
            expand_path(argument, &mut inputs);
        }
    }
    Ok(inputs)
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
                inputs.push(Input::problem(&at, error.to_string()));
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
