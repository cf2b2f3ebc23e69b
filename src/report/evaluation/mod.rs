//! How good a classifier is.

mod comparison;
mod page;
mod rows;
mod table;

use std::io::{self, Write};

use serde::Serialize;

pub use self::comparison::{Change, Changes, Comparison};
pub use self::page::Thumbnails;
pub use self::rows::{ClassName, Compared, EvaluationRow, Mistake, Mistakes};
use super::Report;
use crate::evaluation::{Calibration, ClassScore, Confusion, Share, Tally};

/// The answer of `senet eval`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The images' folder or list.
    pub data: String,
    /// How many names of classes it has.
    pub class_names: usize,
    /// What was evaluated.
    #[serde(flatten)]
    pub subject: Subject,
    /// How many images have an answer: every figure is of these.
    pub images: u64,
    /// Images that have none.
    pub failed: Vec<Failure>,
    /// Images whose class is the likeliest.
    pub top_1: Share,
    /// How many classes [`Evaluation::top_k`] looks at.
    pub k: usize,
    /// Images whose class is among the `k` likeliest.
    pub top_k: Share,
    /// Mean cross-entropy in nats; nothing where classes do not exclude each other.
    pub cross_entropy: Option<f64>,
    /// Every class that an image is of or is taken for.
    pub classes: Vec<ScoredClass>,
    /// The confusion matrix but for its zeros, row by row.
    pub confusion: Vec<Confusion>,
    /// Whether it is right as often as its probabilities say.
    pub calibration: Calibration,
    /// Wrong answers, the surest first.
    pub mistakes: Vec<Mistake>,
    /// Other weights on the same images.
    pub comparison: Option<Comparison>,
}

/// What an [`Evaluation`] is made from.
#[derive(Debug)]
pub struct Evaluated<'a> {
    /// The images' folder or list.
    pub data: String,
    /// How many names of classes it has.
    pub class_names: usize,
    /// What was evaluated.
    pub subject: Subject,
    /// What was counted.
    pub tally: &'a Tally,
    /// How many of the likeliest classes that looks at.
    pub k: usize,
    /// Images without an answer.
    pub failed: Vec<Failure>,
    /// Wrong answers.
    pub mistakes: Mistakes,
    /// Other weights on the same images.
    pub comparison: Option<Comparison>,
}

/// What is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Where the weights come from.
    pub weights: String,
    /// The network that they are for.
    pub network: String,
    /// How the data's classes were found among the network's: by `label`, `synset` or `number`.
    pub matched_by: &'static str,
    /// The network's classes by their numbers.
    #[serde(skip)]
    pub labels: Vec<String>,
}

/// An image without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The image, as it was named.
    pub input: String,
    /// Why there is none.
    pub error: String,
}

/// A class and how well it is recognised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredClass {
    /// Its name.
    pub label: String,
    /// How well it is recognised.
    #[serde(flatten)]
    pub score: ClassScore,
}

impl Subject {
    /// The name of a class.
    pub(super) fn label(&self, class: usize) -> &str {
        self.labels.get(class).map_or("", String::as_str)
    }
}

impl Evaluation {
    /// All figures of what was counted.
    #[must_use]
    pub fn new(evaluated: Evaluated<'_>) -> Self {
        let Evaluated {
            data,
            class_names,
            subject,
            tally,
            k,
            failed,
            mistakes,
            comparison,
        } = evaluated;
        let scored = |score: ClassScore| ScoredClass {
            label: subject.label(score.class).to_owned(),
            score,
        };
        Self {
            data,
            class_names,
            images: tally.images(),
            failed,
            top_1: tally.top_1(),
            k,
            top_k: tally.top_k(),
            cross_entropy: tally.cross_entropy(),
            classes: tally.classes().into_iter().map(scored).collect(),
            confusion: tally.confusion(),
            calibration: tally.calibration(),
            mistakes: mistakes.into_list(),
            comparison,
            subject,
        }
    }

    /// The accuracy in a line, for whoever has the rows.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = format!("top-1 {}", table::share(&self.top_1));
        if self.k > 1 {
            text += &format!("; top-{} {}", self.k, table::share(&self.top_k));
        }
        match self.failed.len() {
            0 => text,
            failed => format!("{text}; {failed} failed, which is not counted there"),
        }
    }
}

impl Report for Evaluation {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        table::write(self, out)
    }
}
