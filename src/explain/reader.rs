//! The gates alone of images, without a heat map.

use std::collections::HashSet;

use super::gates::{self, GateLayer};
use super::{Gates, Kept};
use crate::checkpoint::Weights;
use crate::classifier::{Classes, Classifier, Input, Notice, Options};
use crate::error::Result;
use crate::model::Runtime;

/// A loaded network that hands out the gates of its SE blocks.
///
/// ```
/// use senet::checkpoint::{Builtin, Weights};
/// use senet::classifier::Options;
/// use senet::explain::GateReader;
///
/// let weights = Weights::builtin(Builtin::SeResNet20)?;
/// let reader = GateReader::new(&weights, Options::default(), &mut |_| {})?;
/// let seen = reader.read("tests/images/photos/cat.jpg")?;
/// assert_eq!((seen.gates.len(), seen.gates[0].values.len()), (9, 16));
/// # Ok::<(), senet::Error>(())
/// ```
pub struct GateReader {
    /// By candle, which hands out every value.
    classifier: Classifier,
    gates: Vec<GateLayer>,
}

/// The gates of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct GatesSeen {
    /// Of every SE block, in the order of computation.
    pub gates: Vec<Gates>,
    /// What is wrong with the image's file, where damage was accepted.
    pub damage: Option<String>,
}

impl GateReader {
    /// Loads `weights`; what `options` say of the engine is passed over. `observe` is handed what
    /// should be known.
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::new_observed`], but for weights without a classifier.
    pub fn new(
        weights: &Weights,
        options: Options,
        observe: &mut dyn FnMut(Notice),
    ) -> Result<Self> {
        let by_candle = Options {
            runtime: Runtime::Candle {
                device: options.runtime.device().clone(),
                dtype: options.runtime.weights_dtype(),
            },
            // Of a network without a classifier the gates are worth a look all the same.
            features: options.network_of(weights)?.is_headless(),
            ..options
        };
        let classifier = Classifier::new_observed(weights, by_candle, observe)?;
        Ok(Self {
            gates: gates::find(classifier.model().layers()),
            classifier,
        })
    }

    /// The network with its classes.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The names of the network's SE blocks, in the order of computation.
    #[must_use]
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = &str> {
        self.gates.iter().map(|gate| gate.block.as_str())
    }

    /// The gates of an image.
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::classify`].
    pub fn read(&self, input: impl Into<Input>) -> Result<GatesSeen> {
        let loaded = self.classifier.load_photo(input.into())?;
        let (_, kept) = self.run(&loaded.values, None)?;
        Ok(GatesSeen {
            gates: self.of(&kept)?,
            damage: loaded.damage,
        })
    }

    /// The classes of what the network sees, and the values of gates and of one layer besides.
    pub(super) fn run(&self, values: &[f32], besides: Option<&str>) -> Result<(Classes, Kept)> {
        let gates = self.gates.iter().map(|gate| gate.layer.as_str());
        let wanted: HashSet<&str> = gates.chain(besides).collect();
        let mut kept = Kept::new();
        let classes = self.classifier.observe(values, &mut |layer, value| {
            if wanted.contains(layer.name.as_str()) {
                kept.insert(layer.name.clone(), value.clone());
            }
        })?;
        Ok((classes, kept))
    }

    /// The gates among the values that were kept.
    pub(super) fn of(&self, kept: &Kept) -> Result<Vec<Gates>> {
        self.gates.iter().map(|gate| gate.read(kept)).collect()
    }
}
