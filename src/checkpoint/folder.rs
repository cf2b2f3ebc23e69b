//! Which files on disk make up the weights that a path names.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What every published repository and folder calls its weights.
pub(super) const WEIGHTS: &str = "model.safetensors";
/// What describes them.
pub(super) const CONFIG: &str = "config.json";
/// Written in place of [`WEIGHTS`] where they are split over several files.
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// What was published before safetensors: pickled Python, which runs code when it is read.
pub(super) const PICKLED: &str = "pytorch_model.bin";

/// The most that a file which describes weights may have, before memory is spent on it: what the
/// hub itself reads of a header. The longest of timm's `config.json` has 1 kB.
pub(super) const MOST_BYTES: u64 = 25_000_000;

/// A weights file and what lies beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) weights: PathBuf,
    pub(super) config: Option<PathBuf>,
}

/// The files that `path` names: a folder's, or a file with the `config.json` beside it if it is
/// called `model.safetensors`. Any other name may be one of many files in a folder, to which
/// the `config.json` need not belong.
///
/// # Errors
///
/// A folder without `model.safetensors`, with what is there instead.
pub(super) fn find(path: &Path) -> Result<Files> {
    let weights = if path.is_dir() {
        let weights = path.join(WEIGHTS);
        if !weights.exists() {
            return Err(Error::Checkpoint {
                file: path.display().to_string(),
                problem: format!("has no `{WEIGHTS}`{}", instead(path)),
            });
        }
        weights
    } else {
        path.to_path_buf()
    };
    let is_published = weights.file_name().is_some_and(|name| name == WEIGHTS);
    let config = weights.with_file_name(CONFIG);
    let config = (is_published && config.exists()).then_some(config);
    Ok(Files { weights, config })
}

/// What a folder has in place of weights, and what to do about it.
fn instead(folder: &Path) -> String {
    if folder.join(INDEX).exists() {
        return sharded();
    }
    if folder.join(PICKLED).exists() {
        return pickled(PICKLED);
    }
    let mut names: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    };
    names.sort_unstable();
    let with_extension = |extensions: &[&str]| {
        names.iter().find(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| extensions.contains(&extension))
        })
    };
    if let Some(file) = with_extension(&["safetensors"]) {
        format!("\nhint: name the file itself: `{}`", file.display())
    } else if let Some(file) = with_extension(&["bin", "pth", "pt"]) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        pickled(&name)
    } else {
        String::new()
    }
}

/// Said of a folder or repository whose weights are split.
pub(super) fn sharded() -> String {
    format!(
        ", but `{INDEX}`: its weights are split over several files, which this program does not \
         read\nhint: in Python, load it with timm and save it with `timm.models.save_for_hf(model, \
         folder, safe_serialization=True)`"
    )
}

/// Said of a folder or repository that holds pickled weights alone.
pub(super) fn pickled(name: &str) -> String {
    format!(
        ", but `{name}`: pickled Python objects, which this program does not read, as reading \
         them can run any code\nhint: in Python, load it with timm and save it with \
         `timm.models.save_for_hf(model, folder, safe_serialization=True)`"
    )
}
