//! Which files on disk make up the weights that a path names.

use std::path::{Path, PathBuf};

use super::kind::Kind;
use crate::error::{Error, Result};
use crate::text::shown_path;

/// What every published repository and folder calls its weights.
pub(super) const WEIGHTS: &str = "model.safetensors";
/// What describes them.
pub(super) const CONFIG: &str = "config.json";
/// Written in place of [`WEIGHTS`] where they are split over several files.
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// What was published before safetensors: pickled Python, which runs code when it is read.
pub(super) const PICKLED: &str = "pytorch_model.bin";
/// TensorFlow's network in a folder, beside its weights.
const SAVED_MODEL: &str = "saved_model.pb";

/// The most that a file which describes weights may have, before memory is spent on it: what the
/// hub itself reads of a header. The longest of timm's `config.json` has 1 kB, the names
/// of a million classes have 25 characters each.
pub(crate) const MOST_BYTES: u64 = 25_000_000;

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
                file: shown_path(path),
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
    /// Files that are looked at: a folder without weights may hold a million photographs.
    const LOOKED_AT: usize = 10_000;
    if folder.join(INDEX).exists() {
        return sharded();
    }
    if folder.join(PICKLED).exists() {
        return pickled();
    }
    if folder.join(SAVED_MODEL).exists() {
        return but(SAVED_MODEL, Kind::SavedModel);
    }
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(folder) {
        Ok(entries) => entries
            .take(LOOKED_AT)
            .flatten()
            .map(|entry| entry.path())
            .collect(),
        Err(_) => Vec::new(),
    };
    paths.sort_unstable();
    let is_safetensors = |path: &&PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "safetensors")
    };
    let mut files = paths.iter().filter(is_safetensors);
    if let Some(file) = files.next() {
        let more = match files.count() {
            0 => String::new(),
            more => format!(", one of {}", more + 1),
        };
        return format!("\nhint: name the file itself: `{}`{more}", shown_path(file));
    }
    let mut others = paths
        .iter()
        .filter_map(|path| Some((path, Kind::of_name(path)?)));
    match others.next() {
        Some((path, kind)) => {
            let name = path.file_name().unwrap_or_default();
            but(&shown_path(Path::new(name)), kind)
        }
        None => String::new(),
    }
}

/// Said of a folder or repository whose weights are split.
pub(super) fn sharded() -> String {
    but(INDEX, Kind::Index)
}

/// Said of a folder or repository that holds pickled weights alone.
pub(super) fn pickled() -> String {
    but(PICKLED, Kind::Pickle)
}

/// Said of a folder or repository that has a file of this name in place of weights.
fn but(name: &str, kind: Kind) -> String {
    format!(", but `{name}`: {}", kind.explained())
}
