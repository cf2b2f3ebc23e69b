//! Whether a classifier is right as often as its probabilities say.

use serde::Serialize;

/// Ranges of probability that images are counted in, all as wide.
pub const BINS: usize = 15;

/// Whether a classifier is right as often as its probabilities say: Guo and others, *On Calibration
/// of Modern Neural Networks* (2017, arXiv:1706.04599).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// The expected calibration error: by how much accuracy and mean probability differ, a mean
    /// over all images; nothing of no images.
    pub expected_error: Option<f64>,
    /// The ranges of probability, the lowest first.
    pub bins: Vec<Bin>,
}

/// The images whose likeliest class has a probability above `from` and up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// The probability above which images are counted here.
    pub from: f64,
    /// The probability up to which they are.
    pub to: f64,
    /// How many there are.
    pub images: u64,
    /// The mean probability of their likeliest classes.
    pub probability: Option<f64>,
    /// The share of them whose likeliest class is the true one.
    pub accuracy: Option<f64>,
}

/// Counts for a [`Calibration`].
#[derive(Debug, Clone, Default)]
pub(super) struct Reliability([Counts; BINS]);

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    images: u64,
    right: u64,
    probabilities: f64,
}

impl Reliability {
    pub(super) fn add(&mut self, probability: f32, is_right: bool) {
        let probability = f64::from(probability);
        let bin = Self::bin(probability);
        if let Some(counts) = self.0.get_mut(bin) {
            counts.images += 1;
            counts.right += u64::from(is_right);
            counts.probabilities += probability;
        }
    }

    /// A range has its upper end, and not its lower one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a probability is from 0 to 1"
    )]
    fn bin(probability: f64) -> usize {
        let place = (probability * BINS as f64).ceil().clamp(1., BINS as f64);
        place as usize - 1
    }

    pub(super) fn calibration(&self) -> Calibration {
        let images: u64 = self.0.iter().map(|counts| counts.images).sum();
        let differences = self.0.iter().map(|counts| {
            // The mean probability less the accuracy, weighted with the number of images.
            (counts.probabilities - counts.right as f64).abs()
        });
        let error = differences.sum::<f64>() / images as f64;
        let bins = self.0.iter().enumerate().map(|(bin, counts)| {
            let mean = |sum: f64| (counts.images > 0).then(|| sum / counts.images as f64);
            Bin {
                from: bin as f64 / BINS as f64,
                to: (bin + 1) as f64 / BINS as f64,
                images: counts.images,
                probability: mean(counts.probabilities),
                accuracy: mean(counts.right as f64),
            }
        });
        Calibration {
            expected_error: (images > 0).then_some(error),
            bins: bins.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_upper_end() {
        for (probability, bin) in [
            (0., 0),
            (0.05, 0),
            (1. / 15., 0),
            (0.07, 1),
            (1., 14),
            (1.5, 14),
        ] {
            assert_eq!(Reliability::bin(probability), bin, "{probability}");
        }
    }

    #[test]
    fn who_is_right_as_often_as_it_says_has_no_error() {
        let mut reliability = Reliability::default();
        for is_right in [true, true, true, false] {
            reliability.add(0.75, is_right);
        }
        assert_eq!(reliability.calibration().expected_error, Some(0.));
        reliability.add(0.5, false);
        // One image in five is off by 0.5.
        assert_eq!(reliability.calibration().expected_error, Some(0.1));
        assert_eq!(Reliability::default().calibration().expected_error, None);
    }
}
