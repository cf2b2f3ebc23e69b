use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};

/// How likely each class is for an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    logits: Vec<f32>,
    probabilities: Vec<f32>,
    labels: Option<Arc<[String]>>,
    damage: Option<String>,
}

/// A class and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// The number of the class.
    pub class: usize,
    /// The name of the class, or its number where no names are known.
    pub label: String,
    /// Softmax of the logits.
    pub probability: f32,
    /// The network's output for the class.
    pub logit: f32,
}

impl Classes {
    /// Takes a network's output for one image. One output alone is the logit of class 1 of two.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] of NaN or infinities.
    pub(super) fn new(
        output: &[f32],
        labels: Option<Arc<[String]>>,
        damage: Option<String>,
    ) -> Result<Self> {
        if !output.iter().all(|logit| logit.is_finite()) {
            return Err(Error::NotFinite);
        }
        // The softmax of 0 and a number is its sigmoid; of one number alone it is 1.
        let logits = match *output {
            [logit] => vec![0., logit],
            _ => output.to_vec(),
        };
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let sum: f32 = exponentials.iter().sum();
        Ok(Self {
            probabilities: exponentials.iter().map(|each| each / sum).collect(),
            logits,
            labels,
            damage,
        })
    }

    /// The likeliest classes, the likeliest first: so many, or all where there are fewer.
    #[must_use]
    pub fn top(&self, count: usize) -> Vec<Class> {
        let mut classes: Vec<usize> = (0..self.logits.len()).collect();
        classes.sort_by(|&a, &b| self.logits[b].total_cmp(&self.logits[a]));
        classes.truncate(count);
        let class = |class: usize| Class {
            class,
            label: match &self.labels {
                Some(labels) => labels[class].clone(),
                None => class.to_string(),
            },
            probability: self.probabilities[class],
            logit: self.logits[class],
        };
        classes.into_iter().map(class).collect()
    }

    /// The probability of each class, by its number.
    #[must_use]
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// What is wrong with the image's file, where damage was accepted.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }
}
