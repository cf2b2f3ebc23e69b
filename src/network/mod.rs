//! A network described as plain data, and what follows from the description alone.
//!
//! [`Network`] says what the network is; [`Network::layers`] turns that into
//! named layers ([`Layers`]), from which the trace, the candle modules and the
//! names of a file's tensors are all derived.

mod activation;
pub mod architecture;
mod builder;
pub mod catalog;
pub mod classifier;
pub mod convention;
pub mod geometry;
pub mod graph;
pub mod layers;
pub mod operation;
pub mod squeeze_excitation;
pub mod trace;

pub use activation::Activation;
pub use architecture::{Architecture, SqueezeWidth};
pub use convention::Convention;
pub use graph::Graph;
pub use layers::{Layer, Layers, Value};
pub use operation::{Layout, Operation, Parameter, Shape};

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::preprocessing::{ChannelOrder, Preprocessing};

/// A network, described once.
///
/// ```
/// use senet::network::catalog;
///
/// let network = catalog::find("seresnet20")?;
/// let trace = senet::network::trace::trace(&network.layers(), network.input.shape(1))?;
/// assert_eq!(trace.parameters, 277_082);
/// # Ok::<(), senet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The catalogue's name for it, or that of the file it comes from.
    pub name: Cow<'static, str>,
    /// What it is, in a line for people.
    pub summary: Cow<'static, str>,
    /// The code base whose arithmetic it follows.
    pub convention: Convention,
    /// The input that it is made for.
    pub input: Input,
    /// Outputs of its classifier, where it has one; 0 where that is left out.
    pub classes: Option<usize>,
    /// What it is made of.
    pub architecture: Architecture,
    /// How its publishers prepare images, where weights do not say.
    pub evaluation: Option<Preprocessing>,
    /// What its publishers say of it.
    pub published: Published,
}

/// What the publishers of a network's weights say of it; nothing of a network without any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// timm's tags of its weights: each is a repository on the hub, `timm/NAME.TAG`.
    pub tags: &'static [&'static str],
    /// The best accuracy among them.
    pub top1: Option<Top1>,
    /// What a code base that has the network calls it, where the catalogue does otherwise.
    pub elsewhere: Option<Elsewhere>,
}

/// A network's name in a code base. The catalogue may have another network under the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere {
    /// The code base: `torchvision`, `keras.applications`, `pretrained-models.pytorch`.
    pub code_base: &'static str,
    /// The name, in the code base's own capitals: `regnet_y_400mf`, `MobileNetV3Large`.
    pub name: &'static str,
}

/// A published accuracy on the validation images of ImageNet-1k.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Top1 {
    /// Percent of the images whose likeliest class is right.
    pub percent: f64,
    /// Height and width of the input.
    pub size: usize,
    /// Who published the accuracy.
    pub source: &'static str,
}

impl Published {
    /// The publishers of a network without published weights: they say nothing.
    pub const NOTHING: Self = Self {
        tags: &[],
        top1: None,
        elsewhere: None,
    };
}

/// The input a network is made for. Other heights and widths work too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Channels: 3 for images.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
}

impl Input {
    /// A batch of such inputs.
    #[must_use]
    pub fn shape(&self, batch: usize) -> Shape {
        Shape {
            batch,
            channels: self.channels,
            spatial: Some([self.height, self.width]),
        }
    }
}

impl Network {
    /// The wiring: every layer, named, in the order of computation.
    #[must_use]
    pub fn layers(&self) -> Layers {
        match &self.architecture {
            Architecture::Graph(layers) => Layers::clone(layers),
            _ if self.is_headless() => {
                let whole = builder::Builder::wire(&self.clone().with_classes(1));
                classifier::without(&whole).unwrap_or(whole)
            }
            _ => builder::Builder::wire(self),
        }
    }

    /// Whether it is without its classifier, as timm makes it by `num_classes=0`: its output is the
    /// vector that the classifier would read.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.classes == Some(0)
    }

    /// How many tensors its layers read: as [`Network::layers`] says, in a fraction of the time,
    /// since no layer gets a name.
    #[must_use]
    pub fn tensor_count(&self) -> usize {
        match &self.architecture {
            Architecture::Graph(layers) => {
                let layers = layers.as_slice().iter();
                layers.map(|layer| layer.operation.tensors()).sum()
            }
            _ if self.is_headless() => {
                let layers = self.layers();
                let layers = layers.as_slice().iter();
                layers.map(|layer| layer.operation.tensors()).sum()
            }
            _ => builder::Builder::count(self),
        }
    }

    /// The network that a graph describes, whose output is the one of this name; without a name,
    /// the only one or the only vector.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::layers`].
    pub fn of_graph(graph: &Graph, output: Option<&str>) -> Result<Self> {
        let layers = graph.layers(output)?;
        Ok(Self {
            name: layers.name().to_owned().into(),
            summary: "a graph of its own".into(),
            convention: convention::GRAPH,
            input: layers.input(),
            classes: None,
            architecture: Architecture::Graph(Arc::new(layers)),
            evaluation: None,
            published: Published::NOTHING,
        })
    }

    /// The same network with a classifier of so many `classes`, or with 0 without it; a network that
    /// has none is left as it is.
    #[must_use]
    pub fn with_classes(self, classes: usize) -> Self {
        Self {
            classes: self.classes.map(|_| classes),
            ..self
        }
    }

    /// The same network for other inputs. How its publishers prepare images is left out where the inputs
    /// are none.
    #[must_use]
    pub(crate) fn with_input(self, input: Input) -> Self {
        let order = ChannelOrder::of_channels(input.channels);
        Self {
            input,
            evaluation: self.evaluation.filter(|_| order.is_some()),
            ..self
        }
    }

    /// The SE block alone, for feature maps of `channels`.
    ///
    /// # Errors
    ///
    /// A width of zero.
    pub fn se_block(channels: usize, squeeze: usize) -> Result<Self> {
        if channels == 0 || squeeze == 0 {
            return Err(Error::Geometry(format!(
                "an SE block needs at least 1 channel and a squeeze width of at least 1, \
                 found {channels} and {squeeze}"
            )));
        }
        let mut network = catalog::SE_BLOCK.clone();
        network.input.channels = channels;
        network.architecture = Architecture::SqueezeExcitation {
            squeeze: SqueezeWidth::Fixed(squeeze),
        };
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::fs;
    use std::path::Path;

    #[test]
    fn tensors_are_as_many_as_layers_have_parameters() {
        for network in super::catalog::networks() {
            let layers = network.layers();
            let layers = layers.as_slice().iter();
            let listed: usize = layers.map(|layer| layer.operation.parameters().len()).sum();
            assert_eq!(network.tensor_count(), listed, "{}", network.name);
        }
    }

    /// The modules of this crate that the files in `folder` name, but for its own.
    fn named_in(folder: &Path, own: &str, named: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named_in(&path, own, named);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let modules = text.split(concat!("crate", "::")).skip(1);
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                named.extend(modules.filter_map(|rest| {
                    let module = rest.split(|c| !is_word(c)).next()?;
                    (module != own).then(|| module.to_owned())
                }));
            }
        }
    }

    #[test]
    fn a_description_depends_on_preprocessing_errors_and_text_alone() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for (own, allowed) in [
            ("network", &["error", "preprocessing", "text"][..]),
            ("preprocessing", &["error"]),
        ] {
            let mut named = Vec::new();
            named_in(&source.join(own), own, &mut named);
            assert!(!named.is_empty());
            for module in named {
                assert!(allowed.contains(&module.as_str()), "{own} names {module}");
            }
        }
    }
}
