//! Images whose classes are known, wherever that is said.

mod folders;
mod list;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::inputs;
use crate::classifier::{Classifier, Input};
use crate::error::{Error, Result};
use crate::evaluation::{Matched, match_classes};
use crate::text::shown;

/// An image and what it shows.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub(super) input: Input,
    /// Its file.
    pub(super) path: PathBuf,
    /// Which of [`Data::names`] its class has.
    pub(super) name: usize,
}

/// Images whose classes are known.
pub(super) struct Data {
    /// The folder or list.
    pub(super) name: String,
    /// What the classes are called there.
    pub(super) names: Vec<String>,
    /// How many images there are, where that is known before they have been found.
    pub(super) count: Option<u64>,
    /// The images, each when it is asked for.
    pub(super) images: Box<dyn Iterator<Item = Labelled> + Send>,
    pub(super) told: Told,
}

/// What there is to say of the data when all of it has been looked at.
#[derive(Clone, Default)]
pub(super) struct Told {
    found: Vec<String>,
    walk: Option<Walk>,
}

/// A search through the folders of classes.
#[derive(Clone)]
struct Walk {
    /// What holds the folders.
    data: String,
    folders: usize,
    told: inputs::Told,
}

impl Told {
    /// What should be known of images that were passed over.
    ///
    /// # Errors
    ///
    /// What ended the images before their end; folders none of which holds an image.
    pub(super) fn warnings(&self) -> Result<Vec<String>> {
        let mut warnings = self.found.clone();
        if let Some(walk) = &self.walk {
            let passed_over = walk.told.end()?;
            if passed_over.empty_folders() == walk.folders {
                return Err(Error::Usage(format!(
                    "`{}` holds no images in its folders",
                    shown(&walk.data)
                )));
            }
            warnings.extend(passed_over.warnings());
        }
        Ok(warnings)
    }
}

impl Data {
    /// The data at `path`: a folder of folders, else a list.
    ///
    /// # Errors
    ///
    /// Data that names no class or has no such split; a list that cannot be read as one.
    pub(super) fn open(path: &Path, split: Option<&str>) -> Result<Self> {
        if path.is_dir() {
            folders::open(path, split)
        } else {
            list::open(path, split)
        }
    }

    /// The classes of `classifier`, which has the weights of that name, for the names of the data.
    ///
    /// # Errors
    ///
    /// Those of [`match_classes`].
    pub(super) fn matched(&self, classifier: &Classifier, weights: &str) -> Result<Matched> {
        let matched = match_classes(&self.names, classifier.classes(), classifier.labels());
        matched.map_err(|error| match error {
            Error::Usage(problem) => Error::Usage(format!(
                "`{}` and `{weights}`: {problem}",
                shown(&self.name)
            )),
            error => error,
        })
    }

    /// The images as a classifier takes them, and each once more for whoever gets its row.
    pub(super) fn tee(self) -> (impl Iterator<Item = Input> + Send + 'static, Waiting) {
        let waiting = Waiting::default();
        let handed_out = waiting.clone();
        let inputs = self.images.map(move |labelled| {
            let input = labelled.input.clone();
            handed_out.locked().push_back(labelled);
            input
        });
        (inputs, waiting)
    }
}

/// Images that were handed out and whose rows have not come back: no more than a classifier
/// prepares ahead.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<VecDeque<Labelled>>>);

impl Waiting {
    /// Those of the next so many rows, which come in the order of the images.
    pub(super) fn take(&self, rows: usize) -> Vec<Labelled> {
        let mut waiting = self.locked();
        let rows = rows.min(waiting.len());
        waiting.drain(..rows).collect()
    }

    /// Nothing is left half-changed while this is held.
    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<Labelled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a part of the data is the one that was asked for, by its name or another that timm takes
/// for it.
pub(super) fn is_split(name: &str, asked: &str) -> bool {
    const ALIKE: [&[&str]; 2] = [
        &["train", "training"],
        &["val", "valid", "validation", "eval", "evaluation"],
    ];
    let both = |alike: &&[&str]| alike.contains(&name) && alike.contains(&asked);
    name == asked || ALIKE.iter().any(both)
}
