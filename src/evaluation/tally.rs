//! What a classifier says of images whose class is known, counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::calibration::Reliability;
use super::{Calibration, Share};
use crate::classifier::Classes;

/// What a classifier says of an image whose class is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The number of the image's class.
    pub truth: usize,
    /// The number of the class that is likeliest by the classifier.
    pub predicted: usize,
    /// The probability of that class.
    pub probability: f32,
    /// The probability of the image's class.
    pub truth_probability: f32,
    /// How many classes are as likely as the image's or likelier, itself included: 1 where it is
    /// the likeliest. Of classes that are equally likely the first is taken as the likelier.
    pub rank: usize,
    /// The negative logarithm of the image's class's probability, by the logits; nothing where
    /// classes do not exclude each other.
    pub cross_entropy: Option<f64>,
}

impl Answer {
    /// What `classes` are for an image of the class `truth`; nothing where there is no such class.
    #[must_use]
    pub fn of(classes: &Classes, truth: usize) -> Option<Self> {
        let probabilities = classes.probabilities();
        let predicted = classes.likeliest();
        Some(Self {
            truth,
            predicted,
            probability: *probabilities.get(predicted)?,
            truth_probability: *probabilities.get(truth)?,
            rank: classes.rank(truth)?,
            cross_entropy: classes.cross_entropy(truth),
        })
    }

    /// Whether the likeliest class is the image's.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.predicted == self.truth
    }
}

/// Answers, counted. It grows with pairs of classes that are taken for one another, not with images.
///
/// ```
/// use senet::evaluation::{Answer, Tally};
///
/// let mut tally = Tally::new(5);
/// tally.add(&Answer {
///     truth: 3,
///     predicted: 5,
///     probability: 0.6,
///     truth_probability: 0.3,
///     rank: 2,
///     cross_entropy: Some(1.2),
/// });
/// assert_eq!((tally.top_1().count, tally.top_k().count, tally.images()), (0, 1, 1));
/// ```
#[derive(Debug, Clone)]
pub struct Tally {
    among: usize,
    images: u64,
    right: u64,
    right_among: u64,
    cross_entropy: Option<f64>,
    confusion: BTreeMap<(usize, usize), u64>,
    reliability: Reliability,
}

/// How well one class is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassScore {
    /// The number of the class.
    pub class: usize,
    /// How many images are of the class.
    pub images: u64,
    /// How many images the classifier says are of it.
    pub predicted: u64,
    /// How many of the class the classifier says are of it.
    pub right: u64,
    /// The share of those said to be of the class that are; nothing where none is said to be.
    pub precision: Option<f64>,
    /// The share of the class's images that are said to be of it; nothing where there is none.
    pub recall: Option<f64>,
}

/// How often images of a class are taken for those of another, or of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// The number of the images' class.
    pub truth: usize,
    /// The number of the class that they are taken for.
    pub predicted: usize,
    /// How many there are.
    pub images: u64,
}

impl Tally {
    /// Of no images; `among` is how many of the likeliest classes are looked at besides the first.
    #[must_use]
    pub fn new(among: usize) -> Self {
        Self {
            among,
            images: 0,
            right: 0,
            right_among: 0,
            cross_entropy: Some(0.),
            confusion: BTreeMap::new(),
            reliability: Reliability::default(),
        }
    }

    /// Counts an image.
    pub fn add(&mut self, answer: &Answer) {
        self.images += 1;
        self.right += u64::from(answer.is_right());
        self.right_among += u64::from(answer.rank <= self.among);
        self.cross_entropy = self
            .cross_entropy
            .zip(answer.cross_entropy)
            .map(|(sum, one)| sum + one);
        *self
            .confusion
            .entry((answer.truth, answer.predicted))
            .or_default() += 1;
        self.reliability.add(answer.probability, answer.is_right());
    }

    /// How many images were counted.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.images
    }

    /// The images whose likeliest class is their own.
    #[must_use]
    pub fn top_1(&self) -> Share {
        Share::new(self.right, self.images)
    }

    /// The images whose class is among so many of the likeliest as [`Tally::new`] was told.
    #[must_use]
    pub fn top_k(&self) -> Share {
        Share::new(self.right_among, self.images)
    }

    /// The mean cross-entropy, in nats; nothing of no images, or where classes do not exclude each
    /// other.
    #[must_use]
    pub fn cross_entropy(&self) -> Option<f64> {
        let sum = self.cross_entropy.filter(|_| self.images > 0)?;
        Some(sum / self.images as f64)
    }

    /// How well each class is recognised that an image is of or is said to be of, in their order.
    #[must_use]
    pub fn classes(&self) -> Vec<ClassScore> {
        let mut counts: BTreeMap<usize, [u64; 3]> = BTreeMap::new();
        for (&(truth, predicted), &images) in &self.confusion {
            counts.entry(truth).or_default()[0] += images;
            counts.entry(predicted).or_default()[1] += images;
            if truth == predicted {
                counts.entry(truth).or_default()[2] += images;
            }
        }
        let score = |(class, [images, predicted, right]): (usize, [u64; 3])| {
            let share = |of: u64| (of > 0).then(|| right as f64 / of as f64);
            ClassScore {
                class,
                images,
                predicted,
                right,
                precision: share(predicted),
                recall: share(images),
            }
        };
        counts.into_iter().map(score).collect()
    }

    /// The confusion matrix but for its zeros, row by row: images of a class taken for each.
    #[must_use]
    pub fn confusion(&self) -> Vec<Confusion> {
        let cell = |(&(truth, predicted), &images): (&(usize, usize), &u64)| Confusion {
            truth,
            predicted,
            images,
        };
        self.confusion.iter().map(cell).collect()
    }

    /// Whether the classifier is right as often as its probabilities say.
    #[must_use]
    pub fn calibration(&self) -> Calibration {
        self.reliability.calibration()
    }
}

impl Extend<Answer> for Tally {
    fn extend<I: IntoIterator<Item = Answer>>(&mut self, answers: I) {
        answers.into_iter().for_each(|answer| self.add(&answer));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    /// Of seven images, four classes and their outputs; two of them have equal ones.
    const LOGITS: [[f32; 4]; 7] = [
        [2., 1., 0., -1.],
        [0., 3., 1., 0.5],
        [1., 0., 2., 2.],
        [0.25, 0.5, -1., 0.],
        [1., 1., 1., 1.],
        [-2., 0., 1., 4.],
        [0., 0., 3., 1.],
    ];
    const TRUTH: [usize; 7] = [0, 1, 3, 0, 2, 3, 1];

    fn tally() -> Tally {
        let mut tally = Tally::new(2);
        for (logits, truth) in LOGITS.iter().zip(TRUTH) {
            let classes = Classes::of_logits(logits);
            tally.add(&Answer::of(&classes, truth).unwrap());
        }
        tally
    }

    /// The expected numbers were written by scikit-learn 1.9.1 and `NumPy`:
    ///
    /// ```python
    /// p = np.exp(logits); p /= p.sum(1, keepdims=True); predicted = np.argmax(logits, 1)
    /// confusion_matrix(truth, predicted)
    /// # [[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1]]
    /// precision_recall_fscore_support(truth, predicted)
    /// # [0.5, 0.5, 0, 1], [0.5, 0.5, 0, 0.5], …, [2, 2, 1, 2]
    /// log_loss(truth, p)
    /// # 1.066976509319581
    /// confidence, right = p.max(1), predicted == truth
    /// edges = np.linspace(0, 1, 16)
    /// bins = [(confidence > low) & (confidence <= high) for low, high in pairwise(edges)]
    /// sum(abs(confidence[bin].mean() - right[bin].mean()) * bin.sum() for bin in bins if bin.any()) / 7
    /// # 0.3536438688834428
    /// ```
    #[test]
    fn figures_are_those_of_scikit_learn() {
        let tally = tally();
        assert_eq!((tally.top_1().count, tally.images()), (3, 7));
        // The third image's class is as likely as the one before it, which is taken first; the
        // fifth's is the third of four that are equal.
        assert_eq!(tally.top_k().count, 5);
        // Probabilities are float32.
        let near = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-6;
        assert!(near(tally.cross_entropy(), 1.066_976_509_319_581));
        let calibration = tally.calibration();
        assert!(near(calibration.expected_error, 0.353_643_868_883_442_8));
        let filled = calibration.bins.iter().filter(|bin| bin.images > 0);
        let filled: Vec<u64> = filled.map(|bin| bin.images).collect();
        assert_eq!(filled, [1, 2, 1, 1, 1, 1]);

        let cell = |cell: &Confusion| (cell.truth, cell.predicted, cell.images);
        let cells: Vec<_> = tally.confusion().iter().map(cell).collect();
        let expected = [
            (0, 0, 1),
            (0, 1, 1),
            (1, 1, 1),
            (1, 2, 1),
            (2, 0, 1),
            (3, 2, 1),
            (3, 3, 1),
        ];
        assert_eq!(cells, expected);
        let scores = |score: &ClassScore| (score.images, score.precision, score.recall);
        let scores: Vec<_> = tally.classes().iter().map(scores).collect();
        let expected = [
            (2, Some(0.5), Some(0.5)),
            (2, Some(0.5), Some(0.5)),
            (1, Some(0.), Some(0.)),
            (2, Some(1.), Some(0.5)),
        ];
        assert_eq!(scores, expected);
    }

    #[test]
    fn of_no_images_there_are_no_means() {
        let tally = Tally::new(5);
        assert_eq!((tally.cross_entropy(), tally.top_1().share), (None, None));
        assert!(tally.classes().is_empty());
    }

    #[test]
    fn a_class_that_is_never_said_has_no_precision() {
        let mut tally = Tally::new(1);
        let classes = Classes::of_logits(&[1., 0.]);
        tally.add(&Answer::of(&classes, 1).unwrap());
        let [first, second] = tally.classes()[..] else {
            panic!("two classes");
        };
        assert_eq!((first.precision, first.recall), (Some(0.), None));
        assert_eq!((second.precision, second.recall), (None, Some(0.)));
        assert_eq!(Answer::of(&classes, 2), None);
    }
}
