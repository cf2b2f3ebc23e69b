//! From images to labels and probabilities.
//!
//! ```
#![doc = include_str!("../../examples/classify.rs")]
//! ```

mod batches;
mod classes;
mod input;
mod labels;
mod loader;
mod observed;
mod preprocessing;
mod stream;
mod times;

use std::sync::Arc;

use self::classes::Outputs;
use self::loader::{Loaded, Loader};
use self::stream::Queue;
use self::times::Stopwatch;
use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::image::{Budget, Choices, DEFAULT_MEMORY, Damage, Preprocessing, Thumbnail};
use crate::model::{Model, Runtime, memory};
use crate::network::classifier::{find, with_features};
use crate::network::trace::trace;
use crate::network::{Layer, Layers, Network, Shape};
use crate::text::{shown, shown_bytes};

pub use batches::{Batches, Row};
pub use classes::{Class, Classes};
pub use image::{DynamicImage, RgbImage};
pub use input::Input;
pub use labels::Labels;
pub(crate) use preprocessing::preprocessing;
#[cfg(feature = "cli")]
pub(crate) use preprocessing::recommended;
pub use stream::Stop;
pub use times::Times;

/// A loaded network with everything between an image and its labels.
pub struct Classifier {
    network: Network,
    model: Box<dyn Model>,
    loader: Arc<Loader>,
    labels: Option<Arc<[String]>>,
    classes: usize,
    /// The vector behind the classes, where it was asked for.
    features: Option<FeatureVector>,
    outputs: Outputs,
    batch_size: usize,
    thumbnails: usize,
}

/// How to classify. What is left as it is by default is as the weights say, else as the network's
/// publishers have it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The network that the weights are for, where they do not say; it gets as many classes as
    /// they tell apart.
    pub network: Option<Network>,
    /// What computes it.
    pub runtime: Runtime,
    /// How images are prepared.
    pub pixels: Choices,
    /// Whether images are prepared at the size that the weights recommend for tests.
    pub test_size: bool,
    /// The classes' names.
    pub labels: Option<Labels>,
    /// The most images that go through the network at once; fewer do where memory is short.
    pub batch_size: usize,
    /// Bytes of memory that all images in hand may take together.
    pub memory: u64,
    /// What becomes of an image whose file is damaged.
    pub damage: Damage,
    /// Whether to hand out the vector that the classifier reads, too: [`Classes::features`].
    pub features: bool,
}

impl Options {
    /// The network that is asked for, else the one that the weights are of, with the weights' classes.
    pub(crate) fn network_of(&self, weights: &Weights) -> Result<Network> {
        match &self.network {
            Some(network) => Ok(weights.with_classes(network)),
            None => weights.network(),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            network: None,
            runtime: Runtime::default(),
            pixels: Choices::default(),
            test_size: false,
            labels: None,
            batch_size: 16,
            memory: DEFAULT_MEMORY,
            damage: Damage::Refuse,
            features: false,
        }
    }
}

/// What should be known besides the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// How something was understood.
    Note(String),
    /// What may make the answers worth less.
    Warning(String),
}

/// The vector that a classifier reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureVector {
    /// How many numbers it has.
    pub length: usize,
    /// The network that makes it.
    pub network: String,
    /// The layer whose output it is.
    pub layer: String,
}

/// What a network answers with, one behind the other.
struct Answers {
    classes: usize,
    features: Option<FeatureVector>,
}

/// The layers that compute the classes of `network` and, where asked for, the vector that its
/// classifier reads.
///
/// # Errors
///
/// A network without a classifier where its classes are asked for, or one that ends with something
/// else where the vector is.
fn answers(network: &Network, layers: Layers, features: bool) -> Result<(Layers, Answers)> {
    let outputs = layers.outputs();
    let name = shown(&network.name);
    let vector = |length: usize, layer: Option<&Layer>| FeatureVector {
        length,
        network: network.name.to_string(),
        layer: layer.map(|layer| layer.name.clone()).unwrap_or_default(),
    };
    if network.is_headless() {
        if !features {
            return Err(Error::Usage(format!(
                "these weights of `{name}` have no classifier (`num_classes` 0), so there are no \
                 classes to tell\nhint: `--features FILE` writes the vector of {outputs} numbers \
                 that they make of each image"
            )));
        }
        let features = Some(vector(outputs, layers.as_slice().last()));
        let classes = 0;
        return Ok((layers, Answers { classes, features }));
    }
    if !features {
        let (classes, features) = (outputs, None);
        return Ok((layers, Answers { classes, features }));
    }
    let (found, both) = find(&layers).zip(with_features(&layers)).ok_or_else(|| {
        Error::Usage(format!(
            "`{name}` does not end with a dense layer over one vector an image, which would be its \
             features"
        ))
    })?;
    let layer = layers.maker(found.features);
    let features = Some(vector(both.outputs() - outputs, layer));
    let classes = outputs;
    Ok((both, Answers { classes, features }))
}

impl Classifier {
    /// Loads `weights`, ready to classify.
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::new_observed`].
    pub fn new(weights: &Weights, options: Options) -> Result<Self> {
        Self::new_observed(weights, options, &mut |_| {})
    }

    /// [`Classifier::new`] that hands `observe` what should be known of the weights and options.
    ///
    /// ```
    /// use senet::checkpoint::{Builtin, Weights};
    /// use senet::classifier::{Classifier, Options};
    ///
    /// let weights = Weights::builtin(Builtin::default())?;
    /// let mut notices = Vec::new();
    /// let observe = &mut |notice| notices.push(notice);
    /// let classifier = Classifier::new_observed(&weights, Options::default(), observe)?;
    /// assert_eq!(classifier.classes(), 1000);
    /// assert_eq!(notices, []);
    /// # Ok::<(), senet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Weights of no network or of another one; a network that takes no images, or that has no
    /// classifier where no features are asked for; options that do
    /// not go together or are missing in all places; labels of more or fewer classes; an input
    /// that takes more memory than there is.
    pub fn new_observed(
        weights: &Weights,
        options: Options,
        observe: &mut dyn FnMut(Notice),
    ) -> Result<Self> {
        let network = options.network_of(weights)?;
        let layers = network.layers();
        let outputs = Outputs::of(&layers);
        let (layers, answers) = answers(&network, layers, options.features)?;
        let preprocessing = preprocessing(
            &network,
            weights,
            options.pixels,
            options.test_size,
            observe,
        )?;
        let shape = Shape {
            spatial: Some(preprocessing.size),
            ..network.input.shape(1)
        };
        let one = trace(&layers, shape)?;
        weights.check_input(&layers, &one)?;
        let batch_size = memory::images_that_fit(
            &layers,
            &one,
            &options.runtime,
            options.batch_size,
            memory::MOST,
        )?;
        if let Some([rows, columns]) = one.output().spatial {
            return Err(Error::Usage(format!(
                "`{}` makes a map of {rows}x{columns} pixels of an image, and no vector of classes",
                shown(&network.name)
            )));
        }
        let classes = match answers.classes {
            1 if outputs == Outputs::Logits => {
                observe(Notice::Note(format!(
                    "`{}` has one output: its sigmoid is taken as the probability of class 1 of \
                     two, which it is not where the network was trained for another number",
                    weights.file().shown_name()
                )));
                2
            }
            1 if outputs == Outputs::Independent => 2,
            classes => classes,
        };
        let labels = labels::of_classes(options.labels.as_ref(), weights, &network.name, classes)?;
        let model = options.runtime.load(&layers, weights, shape)?;
        for warning in weights.nonfinite_warnings() {
            observe(Notice::Warning(warning));
        }
        let budget = Budget::within_reach(options.memory);
        if budget.total() < options.memory {
            observe(Notice::Warning(format!(
                "the system does not give {} of memory; all images together may take {}",
                shown_bytes(options.memory),
                shown_bytes(budget.total())
            )));
        }
        Ok(Self {
            network,
            model,
            loader: Arc::new(Loader {
                preprocessing,
                damage: options.damage,
                budget,
            }),
            labels: labels.map(Arc::from),
            classes,
            features: answers.features,
            outputs,
            batch_size: batch_size.max(1),
            thumbnails: 0,
        })
    }

    /// The network, with as many classes as the weights tell apart.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The same, but the first so many images that it is given together come with small pictures:
    /// [`Classes::thumbnail`].
    #[must_use]
    pub fn with_thumbnails(self, thumbnails: usize) -> Self {
        Self { thumbnails, ..self }
    }

    /// How many classes it tells apart; none where the weights have no classifier.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How images are prepared for the network.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.loader.preprocessing
    }

    /// The classes' names, by their numbers, where they are known.
    #[must_use]
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// The name of a class, or its number where no names are known.
    #[must_use]
    pub fn label(&self, class: usize) -> String {
        labels::of_class(self.labels(), class)
    }

    /// What [`Classes::features`] are, where they were asked for.
    #[must_use]
    pub fn features(&self) -> Option<&FeatureVector> {
        self.features.as_ref()
    }

    /// How many images go through the network at once.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Classifies one image: a path, its bytes, or its pixels.
    ///
    /// # Errors
    ///
    /// An image that cannot be read, decoded or resized, or for which the network computes NaN.
    pub fn classify(&self, input: impl Into<Input>) -> Result<Classes> {
        let loaded = self
            .loader
            .load(input.into(), self.thumbnails > 0, &Stopwatch::default());
        self.run(vec![loaded])?.swap_remove(0)
    }

    /// A small picture of an image as [`Classifier::classify`] decodes it.
    ///
    /// # Errors
    ///
    /// An image that cannot be read or decoded.
    pub fn thumbnail(&self, input: impl Into<Input>) -> Result<Thumbnail> {
        let stopwatch = Stopwatch::default();
        self.loader.pixels(input.into(), &stopwatch)?.thumbnail()
    }

    /// Classifies many images: a row for each, in their order, whether or not it is an image.
    ///
    /// ```
    /// use senet::checkpoint::{Builtin, Weights};
    /// use senet::classifier::{Classifier, Options};
    ///
    /// let weights = Weights::builtin(Builtin::default())?;
    /// let classifier = Classifier::new(&weights, Options::default())?;
    /// for row in classifier.classify_all(["tests/images/photos/cat.jpg", "README.md"]) {
    ///     let row = row?;
    ///     match row.classes {
    ///         Ok(classes) => assert_eq!(classes.top(1)[0].label, "tiger cat"),
    ///         Err(error) => assert!(error.to_string().starts_with("not an image"), "{error}"),
    ///     }
    /// }
    /// # Ok::<(), senet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::batches`], in place of a row.
    pub fn classify_all<I>(&self, inputs: I) -> impl Iterator<Item = Result<Row>>
    where
        I: IntoIterator<Item: Into<Input> + 'static, IntoIter: Send + 'static>,
    {
        self.batches(inputs).flat_map(|batch| -> Vec<Result<Row>> {
            match batch {
                Ok(rows) => rows.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        })
    }

    /// [`Classifier::classify_all`] that hands on the rows of a batch together, as they are ready.
    ///
    /// The next batch is read, decoded and resized by rayon's threads while the network computes
    /// one, and all its images share [`Options::memory`].
    ///
    /// # Errors
    ///
    /// A batch that the network cannot compute, as where a GPU has no memory left.
    pub fn batches<I>(&self, inputs: I) -> Batches<'_>
    where
        I: IntoIterator<Item: Into<Input> + 'static, IntoIter: Send + 'static>,
    {
        Batches::new(self, Queue::as_asked(inputs.into_iter().map(Into::into)))
    }

    /// [`Classifier::batches`] of inputs that may have to be waited for, as a program's at the other
    /// end of a pipe: a batch is full, or is what was there when the next input was not.
    ///
    /// Inputs are asked for on a thread of their own, which may outlive what this returns: it ends
    /// once it has the next input and nobody wants it any more.
    ///
    /// ```
    /// use senet::checkpoint::{Builtin, Weights};
    /// use senet::classifier::{Classifier, Options};
    ///
    /// let weights = Weights::builtin(Builtin::default())?;
    /// let classifier = Classifier::new(&weights, Options::default())?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let mut batches = classifier.stream(receiver);
    /// for photo in ["cat", "coffee"] {
    ///     let _ = sender.send(format!("tests/images/photos/{photo}.jpg"));
    ///     // The answer is there while more inputs may come.
    ///     let rows = batches.next().transpose()?.unwrap_or_default();
    ///     assert_eq!(rows.len(), 1);
    /// }
    /// # Ok::<(), senet::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Classifier::batches`].
    pub fn stream<I>(&self, inputs: I) -> Batches<'_>
    where
        I: IntoIterator<Item: Into<Input> + 'static, IntoIter: Send + 'static>,
    {
        let inputs = inputs.into_iter().map(Into::into);
        Batches::new(self, Queue::as_they_come(inputs, self.batch_size))
    }

    /// The classes of each image, or why there is none.
    fn run(&self, images: Vec<Result<Loaded>>) -> Result<Vec<Result<Classes>>> {
        let values = images.iter().flatten().map(|image| image.values.as_slice());
        let values: Vec<&[f32]> = values.collect();
        let outputs = if values.is_empty() {
            Vec::new()
        } else {
            let outputs = self.model.run_images(&values, self.input_dims())?;
            outputs.to_vec2::<f32>()?
        };
        if outputs.len() != values.len() {
            return Err(Error::Geometry(format!(
                "the network computes {} vectors of {} images",
                outputs.len(),
                values.len()
            )));
        }
        let mut outputs = outputs.iter();
        let classes = images.into_iter().filter_map(|image| match image {
            Ok(Loaded {
                damage, thumbnail, ..
            }) => {
                let output = outputs.next()?;
                let classes = self.answer(output, damage);
                Some(classes.map(|classes| classes.with_thumbnail(thumbnail)))
            }
            Err(error) => Some(Err(error)),
        });
        Ok(classes.collect())
    }

    /// Channels, height and width of what the network sees of an image.
    fn input_dims(&self) -> [usize; 3] {
        let Preprocessing {
            size: [height, width],
            channel_order,
            ..
        } = self.loader.preprocessing;
        [channel_order.channels(), height, width]
    }

    /// What the network's output for one image says.
    fn answer(&self, output: &[f32], damage: Option<String>) -> Result<Classes> {
        let features = self.features.as_ref().map_or(0, |vector| vector.length);
        let (output, features) = output.split_at(output.len().saturating_sub(features));
        let classes = Classes::new(self.outputs, output, self.labels.clone(), damage)?;
        classes.with_features(self.features.as_ref().map(|_| features))
    }
}
