use std::path::{Path, PathBuf};

use crate::checkpoint::{MOST_BYTES, Weights, imagenet_labels};
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::text::{counted, shown_path};

/// The names of classes, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// A file with one a line.
    File(PathBuf),
    /// The names themselves.
    Names(Vec<String>),
}

/// A network of so many classes, whose weights do not name them, is one of `ImageNet`-1k.
const IMAGENET_CLASSES: usize = 1000;

/// The name of a class, or its number where no names are known.
pub(super) fn of_class(labels: Option<&[String]>, class: usize) -> String {
    let label = labels.and_then(|labels| labels.get(class).cloned());
    label.unwrap_or_else(|| class.to_string())
}

/// The names of the classes of `network`: those `given`, else those of its weights, else, of so
/// many, those of `ImageNet`.
///
/// # Errors
///
/// A file that cannot be read or has an empty line; names of more or fewer classes.
pub(super) fn of_classes(
    given: Option<&Labels>,
    weights: &Weights,
    network: &str,
    classes: usize,
) -> Result<Option<Vec<String>>> {
    let (origin, labels) = match given {
        Some(Labels::File(path)) => (shown_path(path), Some(read(path)?)),
        Some(Labels::Names(names)) => ("labels".to_owned(), Some(names.clone())),
        None => (
            weights.file().name().to_owned(),
            // Without classes they are those of a classifier that was there before.
            weights.labels.clone().filter(|_| classes > 0),
        ),
    };
    let Some(labels) = labels else {
        return Ok((classes == IMAGENET_CLASSES).then(imagenet_labels));
    };
    if labels.len() != classes {
        return Err(Error::Checkpoint {
            file: origin,
            problem: format!(
                "has {}; `{network}` has {classes} classes",
                counted(labels.len(), "label")
            ),
        });
    }
    if let (Some(Labels::File(_)), Some(class)) = (given, labels.iter().position(String::is_empty))
    {
        return Err(Error::Checkpoint {
            file: origin,
            problem: format!("has no label in line {}", class + 1),
        });
    }
    Ok(Some(labels))
}

/// The lines of a file, each a label; those of two classes may be the same, as of `ImageNet`'s are.
fn read(path: &Path) -> Result<Vec<String>> {
    let text =
        files::read_text(path, Pipes::Inherited, MOST_BYTES).map_err(Error::file("read", path))?;
    let text = text.trim_start_matches('\u{feff}').trim_end();
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}
