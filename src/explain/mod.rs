//! What a network saw in an image: the gates of its SE blocks, and where in the image the evidence for a
//! class is.

mod activation_map;
mod class_gates;
mod gates;
mod occlusion;
mod reader;

use std::collections::HashMap;

use candle_core::Tensor;

use self::activation_map::ActivationMap;
pub use self::class_gates::{ClassGates, ClassMean, MeanGates};
pub use self::gates::Gates;
pub use self::reader::{GateReader, GatesSeen};
use crate::checkpoint::Weights;
use crate::classifier::{Class, Classes, Classifier, Input, Notice, Options, RgbImage};
use crate::error::{Error, Result};
use crate::image::Seen;

/// Values of layers, by their names.
type Kept = HashMap<String, Tensor>;

/// A loaded network that says what it saw.
///
/// ```
/// use senet::checkpoint::{Builtin, Weights};
/// use senet::classifier::Options;
/// use senet::explain::{Explainer, Method};
///
/// let weights = Weights::builtin(Builtin::SeResNet20)?;
/// let explainer = Explainer::new(&weights, Options::default(), false, &mut |_| {})?;
/// let explanation = explainer.explain("tests/images/photos/cat.jpg", None)?;
/// assert_eq!(explanation.gates.len(), 9);
/// let evidence = explanation.evidence.expect("there are classes");
/// assert_eq!((evidence.class.label.as_str(), evidence.map.method), ("cat", Method::ClassActivation));
/// # Ok::<(), senet::Error>(())
/// ```
pub struct Explainer {
    reader: GateReader,
    /// What computes images of which a part is covered, where that is needed.
    covering: Option<Classifier>,
    activation_map: Option<ActivationMap>,
}

/// What a network saw in an image.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The image, as it was decoded.
    pub photo: RgbImage,
    /// Where in it the network looked.
    pub seen: Seen,
    /// What is wrong with its file, where damage was accepted.
    pub damage: Option<String>,
    /// The gates of every SE block, in the order of computation.
    pub gates: Vec<Gates>,
    /// How likely each class is; none of a network without classes.
    pub classes: Classes,
    /// What speaks for a class; nothing of a network without classes.
    pub evidence: Option<Evidence>,
}

/// What speaks for a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The class.
    pub class: Class,
    /// Where in the network's input.
    pub map: HeatMap,
}

/// How much each part of the network's input speaks for a class.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// How that was found.
    pub method: Method,
    /// Rows and columns, which share the network's input evenly.
    pub size: [usize; 2],
    /// A number for each, row by row: the larger, the more it speaks for the class.
    pub values: Vec<f32>,
    /// What the network adds to the mean of the values for the class's logit, where that is exact.
    pub bias: Option<f32>,
}

/// How a [`HeatMap`] was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The class activation map (Zhou et al., arXiv:1512.04150): the maps before the global average
    /// pool, weighed by the classifier's weights of the class. Exact: the mean of its values and the
    /// classifier's bias are the class's logit.
    ClassActivation,
    /// By how much the network's output for the class falls where a part of the input is covered by
    /// what it sees as zeros (Zeiler and Fergus, arXiv:1311.2901).
    Occlusion,
}

impl Method {
    /// Its name for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClassActivation => "class activation",
            Self::Occlusion => "occlusion",
        }
    }
}

impl Explainer {
    /// Loads `weights`. What `options` say of the runtime is for what is computed again and again, as
    /// images with a covered part; with `occlusion` that is done for networks with a class activation
    /// map, too. `observe` is handed what should be known.
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::new_observed`], but for weights without a classifier.
    pub fn new(
        weights: &Weights,
        options: Options,
        occlusion: bool,
        observe: &mut dyn FnMut(Notice),
    ) -> Result<Self> {
        let reader = GateReader::new(weights, options.clone(), observe)?;
        let classifier = reader.classifier();
        let activation_map = if occlusion || classifier.classes() == 0 {
            None
        } else {
            ActivationMap::load(classifier.model().layers(), weights)?
        };
        let covering = if activation_map.is_none() && classifier.classes() > 0 {
            Some(Classifier::new(weights, options)?)
        } else {
            None
        };
        Ok(Self {
            reader,
            covering,
            activation_map,
        })
    }

    /// The network with its classes.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        self.reader.classifier()
    }

    /// What reads its gates.
    #[must_use]
    pub fn reader(&self) -> &GateReader {
        &self.reader
    }

    /// What the network saw in an image that speaks for `class`, or for the likeliest one.
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::classify`], or a class that the network has not.
    pub fn explain(&self, input: impl Into<Input>, class: Option<usize>) -> Result<Explanation> {
        let loaded = self.classifier().load_photo(input.into())?;
        let besides = self.activation_map.as_ref().map(|map| map.layer.as_str());
        let (classes, kept) = self.reader.run(&loaded.values, besides)?;
        let gates = self.reader.of(&kept)?;
        let evidence = self.evidence(&classes, class, &kept, &loaded.values)?;
        Ok(Explanation {
            photo: loaded.image,
            seen: loaded.seen,
            damage: loaded.damage,
            gates,
            classes,
            evidence,
        })
    }

    fn evidence(
        &self,
        classes: &Classes,
        class: Option<usize>,
        kept: &Kept,
        values: &[f32],
    ) -> Result<Option<Evidence>> {
        let found = match class {
            Some(class) => classes.of_class(class),
            None => classes.top(1).pop(),
        };
        let Some(class) = found else {
            return match class {
                Some(class) if self.classifier().classes() > 0 => Err(Error::Usage(format!(
                    "there is no class {class}; the network's are 0 to {}",
                    self.classifier().classes() - 1
                ))),
                _ => Ok(None),
            };
        };
        let map = match (&self.activation_map, &self.covering) {
            (Some(map), _) => map.of_class(class.class, kept)?,
            (None, Some(covering)) => occlusion::map(covering, values, class.class)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Evidence { class, map }))
    }
}
