//! An image, its class, and what a classifier says of it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::evaluation::Answer;

/// A class by number and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassName {
    /// Its number.
    pub class: usize,
    /// Its name, or its number where it has none.
    pub label: String,
}

/// The row of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationRow {
    /// The image, as it was named.
    pub input: String,
    /// Its file, from the root on, so that these rows are a list wherever they are kept; none where that
    /// is no text.
    pub path: Option<String>,
    /// The number of its class.
    pub truth: usize,
    /// The name of its class.
    pub truth_label: String,
    /// The number of the likeliest class.
    pub predicted: Option<usize>,
    /// The name of the likeliest class.
    pub predicted_label: Option<String>,
    /// The probability of the likeliest class.
    pub probability: Option<f32>,
    /// The probability of the image's class.
    pub truth_probability: Option<f32>,
    /// The place of the image's class among all, the likeliest being 1.
    pub rank: Option<usize>,
    /// Whether the likeliest class is the image's.
    pub correct: Option<bool>,
    /// What other weights say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// What other weights say of an image. Their classes may have other numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The number of the likeliest class.
    pub predicted: usize,
    /// The name of the likeliest class.
    pub predicted_label: String,
    /// The probability of the likeliest class.
    pub probability: f32,
    /// The place of the image's class among all, the likeliest being 1.
    pub rank: usize,
    /// Whether the likeliest class is the image's.
    pub correct: bool,
}

impl EvaluationRow {
    /// An image without an answer yet.
    #[must_use]
    pub fn new(input: String, path: &Path, truth: ClassName) -> Self {
        let path = std::path::absolute(path).ok();
        Self {
            input,
            path: path.and_then(|path| path.into_os_string().into_string().ok()),
            truth: truth.class,
            truth_label: truth.label,
            predicted: None,
            predicted_label: None,
            probability: None,
            truth_probability: None,
            rank: None,
            correct: None,
            compared: None,
            error: None,
        }
    }

    /// Fills in what the classifier says.
    pub fn answer(&mut self, answer: &Answer, predicted: ClassName) {
        self.predicted = Some(predicted.class);
        self.predicted_label = Some(predicted.label);
        self.probability = Some(answer.probability);
        self.truth_probability = Some(answer.truth_probability);
        self.rank = Some(answer.rank);
        self.correct = Some(answer.is_right());
    }

    /// Fills in what other weights say.
    pub fn compare(&mut self, answer: &Answer, predicted: ClassName) {
        self.compared = Some(Compared {
            predicted: predicted.class,
            predicted_label: predicted.label,
            probability: answer.probability,
            rank: answer.rank,
            correct: answer.is_right(),
        });
    }
}

/// A wrong answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mistake {
    /// The image, as it was named.
    pub input: String,
    /// Its file.
    #[serde(skip)]
    pub path: PathBuf,
    /// The number of its class.
    pub truth: usize,
    /// The name of its class.
    pub truth_label: String,
    /// The number of the class that it was taken for.
    pub predicted: usize,
    /// The name of the class that it was taken for.
    pub predicted_label: String,
    /// The probability of that.
    pub probability: f32,
    /// The probability of its own class.
    pub truth_probability: f32,
    /// The place of its own class among all.
    pub rank: usize,
}

/// The surest wrong answers, so many at most.
#[derive(Debug, Clone)]
pub struct Mistakes {
    most: usize,
    list: Vec<Mistake>,
}

impl Mistakes {
    /// None yet, and never more than `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            list: Vec::new(),
        }
    }

    /// Keeps a row's answer if it is wrong and sure enough; of equal ones the first.
    pub fn add(&mut self, row: &EvaluationRow, path: &Path) {
        let (Some(predicted), Some(predicted_label), Some(probability)) =
            (row.predicted, &row.predicted_label, row.probability)
        else {
            return;
        };
        if row.correct == Some(true) {
            return;
        }
        let place = self
            .list
            .partition_point(|mistake| mistake.probability >= probability);
        if place >= self.most {
            return;
        }
        let mistake = Mistake {
            input: row.input.clone(),
            path: path.to_path_buf(),
            truth: row.truth,
            truth_label: row.truth_label.clone(),
            predicted,
            predicted_label: predicted_label.clone(),
            probability,
            truth_probability: row.truth_probability.unwrap_or_default(),
            rank: row.rank.unwrap_or_default(),
        };
        self.list.insert(place, mistake);
        self.list.truncate(self.most);
    }

    /// The surest first.
    #[must_use]
    pub fn into_list(self) -> Vec<Mistake> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_mistakes_are_kept_and_of_equal_ones_the_first() {
        let mut mistakes = Mistakes::new(3);
        for (input, probability, predicted) in [
            ("a", 0.5, 1),
            ("right", 0.99, 0),
            ("b", 0.9, 1),
            ("c", 0.5, 1),
            ("d", 0.9, 1),
            ("e", 0.4, 1),
        ] {
            let class = |class: usize| ClassName {
                class,
                label: class.to_string(),
            };
            let mut row = EvaluationRow::new(input.to_owned(), Path::new(input), class(0));
            let answer = Answer {
                truth: 0,
                predicted,
                probability,
                truth_probability: 0.1,
                rank: 2,
                cross_entropy: None,
            };
            row.answer(&answer, class(predicted));
            mistakes.add(&row, Path::new(input));
        }
        let names: Vec<String> = mistakes
            .into_list()
            .into_iter()
            .map(|one| one.input)
            .collect();
        assert_eq!(names, ["b", "d", "a"]);
    }
}
