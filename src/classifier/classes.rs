use std::sync::Arc;

use serde::Serialize;

use super::labels;
use crate::error::{Error, Result};
use crate::image::Thumbnail;
use crate::network::{Layers, Operation};

/// How likely each class is for an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    outputs: Outputs,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
    labels: Option<Arc<[String]>>,
    damage: Option<String>,
    thumbnail: Option<Thumbnail>,
    features: Option<Vec<f32>>,
}

/// A class and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// The number of the class.
    pub class: usize,
    /// The name of the class, or its number where no names are known.
    pub label: String,
    /// Softmax of the logits; the output itself where the network ends with a softmax or a sigmoid.
    pub probability: f32,
    /// The network's output for the class.
    pub logit: f32,
}

/// What a network's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outputs {
    /// What a softmax makes probabilities of.
    Logits,
    /// Probabilities that sum up to 1: the network ends with a softmax.
    Probabilities,
    /// Probabilities of classes that do not exclude each other: the network ends with a sigmoid.
    Independent,
}

impl Outputs {
    /// Those of a network, by the last layer that computes something.
    pub(super) fn of(layers: &Layers) -> Self {
        let mut last = layers.as_slice().last();
        loop {
            return match last.map(|layer| layer.operation) {
                Some(Operation::Flatten { .. } | Operation::Unflatten) => {
                    let before = last.and_then(|layer| layer.inputs.first());
                    last = before.and_then(|&value| layers.maker(value));
                    continue;
                }
                Some(Operation::Softmax) => Self::Probabilities,
                Some(Operation::Activation(last)) if last.is_gate() => Self::Independent,
                _ => Self::Logits,
            };
        }
    }

    /// The probabilities of classes, of two where there is one output alone: that is of class 1.
    fn probabilities(self, outputs: &[f32]) -> Vec<f32> {
        match (self, outputs) {
            (Self::Logits, _) => softmax(outputs),
            (Self::Independent, &[second]) => vec![1. - second, second],
            (Self::Probabilities | Self::Independent, _) => outputs.to_vec(),
        }
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    // The softmax of 0 and a number is its sigmoid; of one number alone it is 1.
    let logits = match *logits {
        [logit] => &[0., logit],
        _ => logits,
    };
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.iter().map(|each| each / sum).collect()
}

impl Classes {
    /// Takes a network's output for one image. One output alone is that of class 1 of two.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] of NaN or infinities.
    pub(super) fn new(
        outputs: Outputs,
        output: &[f32],
        labels: Option<Arc<[String]>>,
        damage: Option<String>,
    ) -> Result<Self> {
        if !output.iter().all(|logit| logit.is_finite()) {
            return Err(Error::NotFinite);
        }
        let probabilities = outputs.probabilities(output);
        Ok(Self {
            outputs: match (outputs, output) {
                // With the other class they are a distribution.
                (Outputs::Independent, &[_]) => Outputs::Probabilities,
                _ => outputs,
            },
            logits: match (outputs, output) {
                (Outputs::Logits, &[logit]) => vec![0., logit],
                (Outputs::Independent, &[_]) => probabilities.clone(),
                _ => output.to_vec(),
            },
            probabilities,
            labels,
            damage,
            thumbnail: None,
            features: None,
        })
    }

    /// Keeps the vector that the classifier read, too.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] of NaN or infinities.
    pub(super) fn with_features(self, features: Option<&[f32]>) -> Result<Self> {
        let numbers = features.unwrap_or_default();
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(Error::NotFinite);
        }
        Ok(Self {
            features: features.map(<[f32]>::to_vec),
            ..self
        })
    }

    /// The likeliest classes, the likeliest first: so many, or all where there are fewer.
    #[must_use]
    pub fn top(&self, count: usize) -> Vec<Class> {
        let mut classes: Vec<usize> = (0..self.logits.len()).collect();
        classes.sort_by(|&a, &b| self.logits[b].total_cmp(&self.logits[a]));
        classes.truncate(count);
        let of_class = |class: usize| self.of_class(class);
        classes.into_iter().filter_map(of_class).collect()
    }

    /// What there is of the class of this number; nothing where there is none.
    #[must_use]
    pub fn of_class(&self, class: usize) -> Option<Class> {
        Some(Class {
            class,
            label: labels::of_class(self.labels.as_deref(), class),
            probability: *self.probabilities.get(class)?,
            logit: *self.logits.get(class)?,
        })
    }

    /// The number of the likeliest class, as [`Classes::top`] has it first.
    #[must_use]
    pub fn likeliest(&self) -> usize {
        let mut likeliest = 0;
        for (class, logit) in self.logits.iter().enumerate() {
            if logit.total_cmp(&self.logits[likeliest]).is_gt() {
                likeliest = class;
            }
        }
        likeliest
    }

    /// At which place [`Classes::top`] has a class, the first being 1; nothing where there is no
    /// such class.
    #[must_use]
    pub fn rank(&self, class: usize) -> Option<usize> {
        let own = self.logits.get(class)?;
        let is_before =
            |&(other, logit): &(usize, &f32)| logit.total_cmp(own).then(class.cmp(&other)).is_gt();
        Some(1 + self.logits.iter().enumerate().filter(is_before).count())
    }

    /// The negative logarithm of the probability of a class, in nats: by the logits in float64,
    /// where no probability is too small for it, else by a probability of at least 2^-23, as
    /// scikit-learn's `log_loss` has it. Nothing where there is no such class, or where classes do
    /// not exclude each other.
    #[must_use]
    pub fn cross_entropy(&self, class: usize) -> Option<f64> {
        if self.outputs == Outputs::Logits {
            let own = f64::from(*self.logits.get(class)?);
            let logits = self.logits.iter().copied().map(f64::from);
            let largest = logits.clone().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.map(|logit| (logit - largest).exp()).sum();
            return Some(largest + sum.ln() - own);
        }
        let probability = *self.probabilities.get(class)?;
        let excludes = self.outputs == Outputs::Probabilities;
        excludes.then(|| -f64::from(probability.max(f32::EPSILON)).ln())
    }

    /// The probability of each class, by its number.
    #[must_use]
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The vector that the classifier read, where [`Options::features`](super::Options::features)
    /// asked for it: for search and clustering.
    #[must_use]
    pub fn features(&self) -> Option<&[f32]> {
        self.features.as_deref()
    }

    /// What is wrong with the image's file, where damage was accepted.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// A small picture of the image, where [`Classifier::with_thumbnails`] asks for it.
    ///
    /// [`Classifier::with_thumbnails`]: super::Classifier::with_thumbnails
    #[must_use]
    pub fn thumbnail(&self) -> Option<&Thumbnail> {
        self.thumbnail.as_ref()
    }

    /// The same with a small picture of the image.
    pub(super) fn with_thumbnail(self, thumbnail: Option<Thumbnail>) -> Self {
        Self { thumbnail, ..self }
    }
}

#[cfg(test)]
impl Classes {
    /// The classes of a network that ends with these logits.
    pub(crate) fn of_logits(logits: &[f32]) -> Self {
        Self {
            outputs: Outputs::Logits,
            logits: logits.to_vec(),
            probabilities: softmax(logits),
            labels: None,
            damage: None,
            thumbnail: None,
            features: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::Graph;

    /// What a network of a dense layer and these has for outputs, of an image of 3 channels.
    fn outputs(layers: &str) -> Outputs {
        let graph = format!(
            r#"{{"version": 1, "input": {{"name": "image", "shape": [3, 1, 1], "layout": "chw"}}, "layers": [
            {{"name": "pool", "op": "global_average_pool", "inputs": ["image"]}}, {layers}],
            "outputs": ["end"]}}"#
        );
        Outputs::of(&Graph::parse(&graph).unwrap().layers(None).unwrap())
    }

    #[test]
    fn what_a_network_ends_with_is_not_applied_again() {
        let flat = r#"{"name": "end", "op": "flatten", "inputs": ["a"]}"#;
        for (function, expected) in [
            ("softmax", Outputs::Probabilities),
            ("sigmoid", Outputs::Independent),
            ("hard_sigmoid", Outputs::Independent),
            ("relu", Outputs::Logits),
        ] {
            let layer = format!(r#"{{"name": "a", "op": "{function}", "inputs": ["pool"]}}"#);
            assert_eq!(outputs(&format!("{layer}, {flat}")), expected, "{function}");
            let last = layer.replace("\"a\"", "\"end\"");
            assert_eq!(outputs(&last), expected, "{function}");
        }
    }

    #[test]
    fn probabilities_stay_and_logits_become_some() {
        let classes = |outputs: Outputs, values: &[f32]| {
            let classes = Classes::new(outputs, values, None, None).unwrap();
            classes.probabilities().to_vec()
        };
        assert_eq!(classes(Outputs::Probabilities, &[0.25, 0.75]), [0.25, 0.75]);
        assert_eq!(classes(Outputs::Independent, &[0.5, 0.75]), [0.5, 0.75]);
        assert_eq!(classes(Outputs::Independent, &[0.75]), [0.25, 0.75]);
        assert_eq!(classes(Outputs::Logits, &[0., 0.]), [0.5, 0.5]);
        assert_eq!(classes(Outputs::Logits, &[0.]), [0.5, 0.5]);
    }

    #[test]
    fn the_likeliest_class_and_ranks_are_those_of_the_first_classes() {
        let classes = Classes::of_logits(&[1., 3., -0., 3., 0.]);
        let order: Vec<usize> = classes.top(5).iter().map(|class| class.class).collect();
        assert_eq!(order, [1, 3, 0, 4, 2]);
        assert_eq!(classes.likeliest(), 1);
        for (place, &class) in order.iter().enumerate() {
            assert_eq!(classes.rank(class), Some(place + 1));
        }
        assert_eq!(classes.rank(5), None);
    }

    #[test]
    fn no_probability_is_too_small_for_its_logarithm() {
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}");
        };
        near(Classes::of_logits(&[0., 200.]).cross_entropy(0), 200.);
        near(Classes::of_logits(&[0., 0.]).cross_entropy(0), 2_f64.ln());
        let of = |outputs, values: &[f32]| Classes::new(outputs, values, None, None).unwrap();
        near(of(Outputs::Probabilities, &[1., 0.]).cross_entropy(0), 0.);
        near(
            of(Outputs::Probabilities, &[1., 0.]).cross_entropy(1),
            23. * 2_f64.ln(),
        );
        near(
            of(Outputs::Independent, &[0.25]).cross_entropy(1),
            4_f64.ln(),
        );
        assert_eq!(
            of(Outputs::Independent, &[0.25, 0.5]).cross_entropy(0),
            None
        );
    }
}
