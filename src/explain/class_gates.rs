//! Mean gates by class: the role of excitation (Hu et al., arXiv:1709.01507, section 6.4).

use std::collections::BTreeMap;

use super::Gates;

/// Sums of the gates of images, by their classes: they take a number for each channel and class,
/// however many images there are.
///
/// ```
/// use senet::explain::{ClassGates, Gates};
///
/// let gates = |values: &[f32]| [Gates { block: "se".to_owned(), values: values.to_vec() }];
/// let mut sums = ClassGates::default();
/// sums.add(0, &gates(&[0.25, 0.5]));
/// sums.add(0, &gates(&[0.75, 0.5]));
/// sums.add(7, &gates(&[1.0, 0.5]));
/// let means = sums.means();
/// assert_eq!(means[0].classes[0].values, [0.5, 0.5]);
/// assert_eq!(means[0].all, [0.75, 0.5]);
/// assert_eq!(means[0].spread, 0.125);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassGates {
    /// The blocks, in the order of computation.
    blocks: Vec<String>,
    classes: BTreeMap<usize, Sums>,
}

/// What the images of a class add up to.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sums {
    images: u64,
    /// A number for each channel of each block.
    blocks: Vec<Vec<f64>>,
}

/// The mean gates of an SE block.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanGates {
    /// The block.
    pub block: String,
    /// Those of each class that has images, by its number.
    pub classes: Vec<ClassMean>,
    /// The means of the classes' means: each class counts the same.
    pub all: Vec<f32>,
    /// How far the classes are apart: the standard deviation of a channel's means between the
    /// classes, as the mean over the channels.
    pub spread: f32,
}

/// The mean gates of an SE block over the images of a class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMean {
    /// The class.
    pub class: usize,
    /// How many images it has.
    pub images: u64,
    /// A mean for each channel.
    pub values: Vec<f32>,
}

impl ClassGates {
    /// Adds the gates of an image of `class`: of all blocks, in the order of computation.
    pub fn add(&mut self, class: usize, gates: &[Gates]) {
        if self.blocks.is_empty() {
            self.blocks = gates.iter().map(|gates| gates.block.clone()).collect();
        }
        let sums = self.classes.entry(class).or_default();
        sums.images += 1;
        sums.blocks.resize(self.blocks.len(), Vec::new());
        for (sums, gates) in sums.blocks.iter_mut().zip(gates) {
            sums.resize(gates.values.len(), 0.);
            for (sum, &gate) in sums.iter_mut().zip(&gates.values) {
                *sum += f64::from(gate);
            }
        }
    }

    /// How many images were added.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.classes.values().map(|sums| sums.images).sum()
    }

    /// The mean gates of every block.
    #[must_use]
    pub fn means(&self) -> Vec<MeanGates> {
        let blocks = self.blocks.iter().enumerate();
        blocks
            .map(|(place, block)| self.of_block(place, block))
            .collect()
    }

    fn of_block(&self, place: usize, block: &str) -> MeanGates {
        let means: Vec<Vec<f64>> = self
            .classes
            .values()
            .map(|sums| {
                let images = sums.images as f64;
                let sums = sums.blocks.get(place).map_or(&[][..], Vec::as_slice);
                sums.iter().map(|sum| sum / images).collect()
            })
            .collect();
        let channels = means.first().map_or(0, Vec::len);
        let of_channel = |channel: usize| {
            let means = means.iter().filter_map(move |means| means.get(channel));
            let count = means.clone().count().max(1) as f64;
            let mean = means.clone().sum::<f64>() / count;
            let squares: f64 = means.map(|each| (each - mean).powi(2)).sum();
            (mean, (squares / count).sqrt())
        };
        let all: Vec<(f64, f64)> = (0..channels).map(of_channel).collect();
        let spread = all.iter().map(|(_, deviation)| deviation).sum::<f64>();
        let classes = self.classes.iter().zip(&means);
        let classes = classes.map(|((&class, sums), means)| ClassMean {
            class,
            images: sums.images,
            values: means.iter().copied().map(single).collect(),
        });
        MeanGates {
            block: block.to_owned(),
            classes: classes.collect(),
            all: all.iter().map(|&(mean, _)| single(mean)).collect(),
            spread: single(spread / channels.max(1) as f64),
        }
    }
}

impl MeanGates {
    /// How far a class is from the mean over all classes: the root of the mean square over the
    /// channels.
    #[must_use]
    pub fn distance(&self, class: &ClassMean) -> f64 {
        let pairs = class.values.iter().zip(&self.all);
        let squares: f64 = pairs
            .map(|(&value, &mean)| (f64::from(value) - f64::from(mean)).powi(2))
            .sum();
        (squares / self.all.len().max(1) as f64).sqrt()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "means of f32")]
fn single(mean: f64) -> f32 {
    mean as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates(values: &[f32]) -> [Gates; 2] {
        [values, &[0.5]].map(|values| Gates {
            block: format!("of {}", values.len()),
            values: values.to_vec(),
        })
    }

    #[test]
    fn every_class_counts_the_same_however_many_images_it_has() {
        let mut sums = ClassGates::default();
        for _ in 0..99 {
            sums.add(3, &gates(&[0.25, 1.]));
        }
        sums.add(5, &gates(&[0.75, 1.]));
        assert_eq!(sums.images(), 100);
        let [first, second] = &sums.means()[..] else {
            panic!("two blocks");
        };
        assert_eq!(
            (first.block.as_str(), &first.all[..]),
            ("of 2", &[0.5, 1.][..])
        );
        let classes: Vec<_> = first
            .classes
            .iter()
            .map(|of| (of.class, of.images))
            .collect();
        assert_eq!(classes, [(3, 99), (5, 1)]);
        // A channel is 0.25 from its mean in both classes, the other is the same in both.
        assert_eq!((first.spread, second.spread), (0.125, 0.));
        let distance = first.distance(&first.classes[0]);
        assert!((distance - 0.25 / 2_f64.sqrt()).abs() < 1e-12, "{distance}");
    }

    /// In single precision the sum would stop growing at 2^24.
    #[test]
    fn a_mean_of_many_images_is_exact() {
        let mut sums = ClassGates::default();
        sums.add(0, &gates(&[1.]));
        let class = sums.classes.entry(0).or_default();
        class.blocks[0][0] = f64::from(1 << 24);
        class.images = 1 << 24;
        sums.add(0, &gates(&[1.]));
        assert_eq!(sums.means()[0].all, [1.]);
    }
}
