//! A classifier and what it takes the classes of the data for.

use super::super::labelled::{Data, Labelled};
use crate::checkpoint::Weights;
use crate::classifier::{Classifier, Row};
use crate::cli::{ClassifierArgs, PixelArgs};
use crate::error::Result;
use crate::evaluation::Matched;
use crate::model::Runtime;
use crate::report::{ClassName, Subject};

/// A classifier ready to look at the data.
pub(super) struct Pass {
    /// Where its weights come from.
    pub(super) weights: String,
    pub(super) classifier: Classifier,
    /// Its classes by the names of the data.
    pub(super) matched: Matched,
}

impl Pass {
    /// Loads a classifier, and finds its classes for the names of the data.
    ///
    /// # Errors
    ///
    /// Those of [`super::super::classifier::prepare`] and [`Data::matched`].
    pub(super) fn load(
        arguments: &ClassifierArgs,
        pixels: &PixelArgs,
        runtime: &Runtime,
        data: &Data,
    ) -> Result<Self> {
        let (weights, classifier) =
            super::super::classifier::prepare(arguments, pixels, runtime.clone(), false)?;
        let name = of_weights(&weights);
        let matched = data.matched(&classifier, &name)?;
        Ok(Self {
            weights: name,
            classifier,
            matched,
        })
    }

    /// What it says of images that another classifier has had.
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::batches`].
    pub(super) fn rows(&self, images: &[Labelled]) -> Result<Vec<Row>> {
        let inputs: Vec<_> = images.iter().map(|image| image.input.clone()).collect();
        self.classifier.classify_all(inputs).collect()
    }

    /// A class by its number.
    pub(super) fn class(&self, class: usize) -> ClassName {
        ClassName {
            class,
            label: self.classifier.label(class),
        }
    }

    pub(super) fn subject(&self) -> Subject {
        let classes = 0..self.classifier.classes();
        Subject {
            weights: self.weights.clone(),
            network: self.classifier.network().name.to_string(),
            matched_by: self.matched.way.name(),
            labels: classes.map(|class| self.class(class).label).collect(),
        }
    }
}

fn of_weights(weights: &Weights) -> String {
    weights.file().shown_name()
}
