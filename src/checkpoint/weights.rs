use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use candle_core::{DType, Device};
use candle_nn::VarBuilder;

use super::backend::{Flaws, ForeignFile};
use super::builtin::Builtin;
use super::file::{NonFinite, TensorFile};
use super::folder::{self, Files};
use super::graph;
use super::keys::{Found, Mismatch, Sources, resolve};
use super::labels;
use super::normalization::Normalization;
use super::recognition::{Recognition, foreign, recognise, with_classes_of, with_input_of};
use super::source::{Download, Repository, Source};
use super::timm_config::{Background, TimmConfig};
use super::wrapping::{Copies, Shapes, Wrapping};
use crate::error::{Error, Result};
use crate::image::Preprocessing;
use crate::network::trace::Trace;
use crate::network::{Graph, Input, Layers, Network, Operation, catalog};
use crate::text::{escaped, shown, shown_path};

/// A network's weights, and what is said of them: by the metadata of their file, or by timm's
/// `config.json` beside it, which wins.
#[derive(Debug, Clone)]
pub struct Weights {
    file: Arc<TensorFile>,
    copies: Copies,
    /// Which of the copies is read.
    is_averaged: bool,
    found: Found,
    /// The files that they were read from; none where they are part of the program.
    paths: Vec<PathBuf>,
    /// The network that they are for, where the catalogue has it.
    pub network: Option<String>,
    /// The network that they are for, where their file describes it.
    pub graph: Option<Graph>,
    /// How many classes they tell apart, where that may differ from the network's usual number; 0
    /// where they have no classifier.
    pub classes: Option<usize>,
    /// Channels, height and width of their network's input, where that is not red, green and blue.
    pub input: Option<[usize; 3]>,
    /// The classes' names.
    pub labels: Option<Vec<String>>,
    /// What the network expects images to go through.
    pub preprocessing: Option<Preprocessing>,
    /// The same at the size and crop that whoever trained them recommends for tests.
    pub test_preprocessing: Option<Preprocessing>,
    /// Whether the network takes images of that size alone.
    pub fixed_size: bool,
    /// What should be known of how they were found, a sentence each.
    pub warnings: Vec<String>,
    /// How the name of their network was understood, where it is not the catalogue's own.
    note: Option<String>,
    background: Option<Background>,
    flaws: Arc<Flaws>,
}

impl Weights {
    /// Weights that ship inside the program.
    ///
    /// # Errors
    ///
    /// Fails only where the program was built with a broken file.
    pub fn builtin(builtin: Builtin) -> Result<Self> {
        Self::from_file(TensorFile::embedded(&builtin.to_string(), builtin.bytes())?)
    }

    /// The weights at `path`: a safetensors file, or a folder that holds `model.safetensors`.
    /// A `config.json` in that folder is read with it, and also where the path names
    /// `model.safetensors` itself.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not safetensors, or has metadata of another form; a folder
    /// without weights; a `config.json` that is not timm's or that asks for something this
    /// program has not.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_files(folder::find(path)?)
    }

    /// The tensors at `path` alone, whatever describes them: for a look at a file whose metadata
    /// or `config.json` cannot be used.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not safetensors, or a folder without weights.
    pub fn undescribed(path: &Path) -> Result<Self> {
        let file = TensorFile::open(&folder::find(path)?.weights)?;
        Ok(Self::nothing_known(file))
    }

    /// The weights that `source` names. Those of the hub are downloaded into its cache, unless
    /// they are there; `observe` is told how far that is.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::open`]; a repository that does not exist or is not for whoever asks;
    /// files that are not in the cache where the hub cannot be reached; a download that breaks.
    pub fn load(source: &Source, observe: &mut dyn FnMut(Download)) -> Result<Self> {
        match source {
            Source::Builtin(builtin) => Self::builtin(*builtin),
            Source::Path(path) => match path.to_str().map(str::parse::<Repository>) {
                Some(Ok(repository)) if !path.exists() => Err(Error::Usage(format!(
                    "cannot open `{}`: there is no such file or folder\nhint: a repository of \
                     the hub is written `{repository}`",
                    shown_path(path)
                ))),
                _ => Self::open(path),
            },
            Source::Hub(repository) => Self::from_hub(repository, observe),
        }
    }

    #[cfg(feature = "hub")]
    fn from_hub(repository: &Repository, observe: &mut dyn FnMut(Download)) -> Result<Self> {
        let fetched = super::hub::fetch(repository, observe)?;
        let mut weights = Self::from_files(fetched.files)?;
        weights.warnings = fetched.notes;
        Ok(weights)
    }

    #[cfg(not(feature = "hub"))]
    fn from_hub(repository: &Repository, _: &mut dyn FnMut(Download)) -> Result<Self> {
        Err(Error::Usage(format!(
            "`{repository}` is of the hub, and this program was built without `hub`\nhint: build \
             it with `cargo build --release --features hub`"
        )))
    }

    fn from_files(files: Files) -> Result<Self> {
        let mut weights = Self::from_file(TensorFile::open(&files.weights)?)?;
        if let Some(config) = &files.config {
            weights.describe(TimmConfig::open(config)?, config)?;
        }
        weights.paths = [files.weights].into_iter().chain(files.config).collect();
        Ok(weights)
    }

    fn from_file(file: TensorFile) -> Result<Self> {
        if is_dump(&file) {
            return Err(file.problem(format!(
                "is a dump of activations, not weights\nhint: `senet parity --weights WEIGHTS \
                 --reference {}` compares with it",
                file.shown_name()
            )));
        }
        let preprocessing: Option<Preprocessing> = file.json_metadata("preprocessing")?;
        if let Some(preprocessing) = &preprocessing {
            preprocessing
                .validate()
                .map_err(|error| file.problem(format!("has metadata `preprocessing`: {error}")))?;
        }
        let labels: Option<Vec<String>> = file.json_metadata("labels")?;
        if let Some(labels) = &labels {
            labels::check(labels)
                .map_err(|problem| file.problem(format!("has metadata `labels` {problem}")))?;
        }
        let named = file.metadata("network").map(|name| {
            understood(name)
                .map_err(|error| file.problem(format!("has metadata `network` {error}")))
        });
        let (network, note) = named.transpose()?.unzip();
        Ok(Self {
            network,
            graph: graph::of_file(&file)?,
            note: note.flatten(),
            labels,
            preprocessing,
            ..Self::nothing_known(file)
        })
    }

    fn nothing_known(file: TensorFile) -> Self {
        let shapes = shapes(&file);
        let copies = Copies::of(&shapes);
        Self {
            paths: Vec::new(),
            network: None,
            graph: None,
            classes: None,
            input: None,
            labels: None,
            preprocessing: None,
            test_preprocessing: None,
            fixed_size: false,
            warnings: Vec::new(),
            note: None,
            background: None,
            flaws: Arc::default(),
            found: Found::new(&shapes, &copies.plain),
            copies,
            is_averaged: false,
            file: Arc::new(file),
        }
    }

    /// Takes over what `config`, read from `path`, says.
    fn describe(&mut self, config: TimmConfig, path: &Path) -> Result<()> {
        let problem = |problem| Error::Checkpoint {
            file: shown_path(path),
            problem,
        };
        let (architecture, note) = understood(&config.architecture)
            .map_err(|error| problem(format!("has `architecture` {error}")))?;
        if let Some(network) = &self.network
            && *network != architecture
        {
            return Err(problem(format!(
                "is of `{}`, but the metadata of the weights beside it says `{}`",
                shown(&architecture),
                shown(network)
            )));
        }
        self.network = Some(architecture);
        self.note = note;
        self.classes = config.classes;
        self.input = config.input;
        self.labels = config.labels.or(self.labels.take());
        self.preprocessing = config.preprocessing;
        self.test_preprocessing = config.test_preprocessing;
        self.fixed_size = config.fixed_size;
        if let Some(background) = config.background {
            self.background = Some(background);
            self.find();
        }
        Ok(())
    }

    /// Looks for the tensors anew.
    fn find(&mut self) {
        let mut shapes = shapes(&self.file);
        if let Some(background) = &self.background {
            background.hide(&mut shapes, self.wrapping());
        }
        self.found = Found::new(&shapes, self.wrapping());
    }

    /// What is around the names of the tensors that are read.
    fn wrapping(&self) -> &Wrapping {
        self.copies.read(self.is_averaged)
    }

    /// The running average of the weights that training kept beside them, in place of the plain
    /// ones: a second copy whose names begin with `ema`, `state_dict_ema`, `model_ema` and the
    /// like. Weights of which there is that copy alone stay as they are.
    ///
    /// # Errors
    ///
    /// A file without such a copy.
    pub fn averaged(mut self) -> Result<Self> {
        if self.copies.averaged.is_some() {
            self.is_averaged = true;
            self.find();
            Ok(self)
        } else if self.wrapping().is_average() {
            Ok(self)
        } else {
            Err(self.file.problem(
                "holds its weights once, without a running average beside them\nhint: leave \
                 `--ema` out"
                    .to_owned(),
            ))
        }
    }

    /// The prefix that the names of the tensors have in the file, and that is not read.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        let prefix = self.wrapping().prefix.as_str();
        (!prefix.is_empty() && self.graph.is_none()).then_some(prefix)
    }

    /// What should be known of how the file was understood, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let file = self.file.shown_name();
        let named = self.note.as_ref().map(|note| format!("`{file}`: {note}"));
        // A graph says all names itself.
        let is_graph = self.graph.is_some();
        let wrapped = self.copies.note(self.is_averaged).filter(|_| !is_graph);
        let wrapped = wrapped.map(|note| format!("`{file}` {note}"));
        named.into_iter().chain(wrapped).collect()
    }

    /// The files that they were read from, and that nothing may be written over.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &TensorFile {
        &self.file
    }

    /// The network that the file is for: the one its description names, else the one its tensors'
    /// names and shapes fit, with as many classes as the file's classifier tells apart.
    ///
    /// # Errors
    ///
    /// A name that the catalogue lacks; without a name, tensors that fit no network, or several
    /// that compute differently: none of them is guessed.
    pub fn network(&self) -> Result<Network> {
        if let Some(graph) = &self.graph {
            return self.network_of_graph(graph);
        }
        if let Some(name) = &self.network {
            let network = catalog::find(name).map_err(|error| match error {
                Error::UnknownNetwork { name, hint } => self.file.problem(format!(
                    "is for the unknown network `{}`\nhint: {hint}",
                    shown(&name)
                )),
                Error::LeftOutNetwork { name, reason } => self.file.problem(format!(
                    "is for `{name}`, one of timm's networks with SE blocks or the like that are \
                     not here: it {reason}"
                )),
                error => error,
            })?;
            let named = self.with_classes(network);
            // timm's description of folded weights names the network that was folded.
            let folded = catalog::folded(network).map(|folded| self.with_classes(folded));
            return Ok(match folded {
                Some(folded) if resolve(&folded.layers(), &self.found).is_ok() => folded,
                _ => named,
            });
        }
        match self.recognise() {
            Recognition::One(network) => Ok(network),
            Recognition::Ambiguous(networks) => {
                let names: Vec<_> = networks
                    .iter()
                    .map(|network| format!("`{}`", network.name))
                    .collect();
                Err(self.file.problem(format!(
                    "is ambiguous: it has the tensors of {}, which compute differently\n\
                     hint: name one with `--network`",
                    names.join(", ")
                )))
            }
            Recognition::Unknown { nearest, mismatch } => Err(self.file.problem(format!(
                "does not say which network it is for, and fits none; the closest is `{}`:{mismatch}",
                nearest.name
            ))),
            Recognition::Foreign => Err(self.file.problem(foreign(&self.found))),
        }
    }

    fn network_of_graph(&self, graph: &Graph) -> Result<Network> {
        let network = Network::of_graph(graph, None);
        network.map_err(|error| self.file.problem(format!("cannot be run: {error}")))
    }

    /// What the names and shapes of the tensors alone say.
    #[must_use]
    pub fn recognise(&self) -> Recognition {
        recognise(&self.found)
    }

    /// `network` with as many classes as the weights are said to tell apart, else as many as the
    /// file's classifier does; and of the input that they are said to take.
    #[must_use]
    pub fn with_classes(&self, network: &Network) -> Network {
        let network = match self.input {
            Some([channels, height, width]) if network.classes.is_some() => {
                network.clone().with_input(Input {
                    channels,
                    height,
                    width,
                })
            }
            _ => with_input_of(network, &self.found),
        };
        match self.classes {
            Some(classes) => network.with_classes(classes),
            None => with_classes_of(&network, &self.found),
        }
    }

    /// How whoever publishes `network` prepares images, but for the mean and deviation where the file
    /// has those of Keras's layer `Normalization`: they are the weights' own.
    ///
    /// # Errors
    ///
    /// A `Normalization` that is not of three channels or in part alone; a file that can no longer be
    /// read.
    pub fn evaluation(&self, network: &Network) -> Result<Option<Preprocessing>> {
        let Some(published) = &network.evaluation else {
            return Ok(None);
        };
        let normalization = Normalization::of(&self.file, &self.found)?;
        Ok(Some(match normalization {
            Some(Normalization { mean, std }) => Preprocessing {
                // What the layer is given.
                divisor: 255.,
                mean: mean.into(),
                std: std.into(),
                ..published.clone()
            },
            None => published.clone(),
        }))
    }

    /// Refuses layers of another convention than the file's metadata states.
    ///
    /// # Errors
    ///
    /// A file that states another convention.
    pub fn check_convention(&self, layers: &Layers) -> Result<()> {
        match (self.file.metadata("convention"), layers.convention()) {
            (Some(found), Some(convention)) if found != convention => {
                Err(self.file.problem(format!(
                    "was made under the convention `{}`; `{}` follows `{convention}`",
                    shown(found),
                    layers.name()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a network that follows another convention than the one that the weights are said to be
    /// of, whose tensors may be the same: timm's efficient networks, and those that it has from
    /// TensorFlow.
    fn check_network(&self, layers: &Layers) -> Result<()> {
        // It says itself how it pads.
        if layers.is_graph() {
            return Ok(());
        }
        let said = self.network.as_deref().map(catalog::find);
        match (said, catalog::find(layers.name())) {
            (Some(Ok(said)), Ok(asked)) if said.convention != asked.convention => {
                Err(self.file.problem(format!(
                    "is for `{}`; `{}` has the same tensors, but another padding or epsilon, and \
                     computes something else\nhint: leave `--network` out",
                    said.name, asked.name
                )))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an input of a size at which the file's own code base computes something else than
    /// these `layers` with this `trace`: timm's VGG slides its dense layers over
    /// maps of more than 7x7 pixels.
    ///
    /// # Errors
    ///
    /// A trace of such an input.
    pub fn check_input(&self, layers: &Layers, trace: &Trace) -> Result<()> {
        if layers.is_graph() || !self.found.spelling.slides_dense_layers {
            return Ok(());
        }
        for layer in layers.as_slice() {
            if let Operation::AdaptiveAveragePool(size) = layer.operation
                && let Some(&value) = layer.inputs.first()
                && let Some(found) = trace.shape(value).and_then(|shape| shape.spatial)
                && found != size
            {
                return Err(self.file.problem(format!(
                    "is timm's: of an input of this size its dense layers see {}x{} pixels, and \
                     only of {}x{} does timm compute what `{}` computes\nhint: `--size 224x224`",
                    found[0],
                    found[1],
                    size[0],
                    size[1],
                    layers.name()
                )));
            }
        }
        Ok(())
    }

    /// How the tensors differ from those that `layers` read; `None` where they do not.
    #[must_use]
    pub fn mismatch(&self, layers: &Layers) -> Option<Mismatch> {
        self.resolve(layers).err()
    }

    fn resolve(&self, layers: &Layers) -> Result<Sources, Mismatch> {
        if layers.is_graph() {
            graph::resolve(layers, &shapes(&self.file))
        } else {
            resolve(layers, &self.found)
        }
    }

    /// The code base whose names the tensors have, in words.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        if self.graph.is_some() {
            return "its graph";
        }
        self.found.spelling.words
    }

    /// A `VarBuilder` under whose paths `layers` find their tensors, renamed and transposed.
    ///
    /// # Errors
    ///
    /// Weights of another network: tensors missing, unexpected or of another shape; or
    /// made under another convention.
    pub fn var_builder(
        &self,
        layers: &Layers,
        dtype: DType,
        device: &Device,
    ) -> Result<VarBuilder<'static>> {
        let sources = self.sources(layers)?;
        let backend = ForeignFile {
            file: Arc::clone(&self.file),
            sources,
            wrapping: self.wrapping().clone(),
            background: self.background.clone(),
            flaws: Arc::clone(&self.flaws),
        };
        Ok(VarBuilder::from_backend(
            Box::new(backend),
            dtype,
            device.clone(),
        ))
    }

    /// The tensors that networks have read until now and that hold NaN or infinities, in the order
    /// of the networks' names for them, and how many.
    #[must_use]
    pub fn nonfinite(&self) -> Vec<(String, NonFinite)> {
        let flaws = self.flaws.lock().unwrap_or_else(PoisonError::into_inner);
        flaws.values().cloned().collect()
    }

    /// A sentence for each tensor of [`Weights::nonfinite`]: what is computed from it is no number
    /// either.
    #[must_use]
    pub fn nonfinite_warnings(&self) -> Vec<String> {
        let file = self.file.shown_name();
        let warning = |(tensor, flaws): (String, NonFinite)| {
            let count = flaws.nan + flaws.infinite;
            let tensor = shown(&tensor);
            format!("`{file}`: {count} values of tensor `{tensor}` are NaN or infinite")
        };
        self.nonfinite().into_iter().map(warning).collect()
    }

    fn sources(&self, layers: &Layers) -> Result<Sources> {
        self.check_convention(layers)?;
        let sources = self.resolve(layers).map_err(|mismatch| {
            let hint = match (&self.network, self.classes) {
                (Some(name), _) if name != layers.name() => {
                    format!("\nhint: the file says it is for `{}`", shown(name))
                }
                (_, Some(classes)) if !mismatch.misshapen.is_empty() || classes == 0 => {
                    format!("\nhint: its config.json says `num_classes` {classes}")
                }
                _ => String::new(),
            };
            self.file.problem(format!(
                "does not fit network `{}`:{mismatch}{hint}",
                layers.name()
            ))
        })?;
        self.check_network(layers)?;
        Ok(sources)
    }
}

/// Whether a file of tensors is a dump of activations: it says its layout, and has what went in or
/// came out.
fn is_dump(file: &TensorFile) -> bool {
    let has = |name: &str| file.tensors().contains_key(name);
    file.layout().is_some() && (has("input") || has("output"))
}

/// The tensors of a file with their shapes.
fn shapes(file: &TensorFile) -> Shapes {
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, info)| (name, info.shape.clone()))
        .collect()
}

/// The catalogue's name for what a file says its network is, and how it was understood; the
/// file's own where the catalogue has none.
fn understood(name: &str) -> Result<(String, Option<String>), String> {
    /// Longer than a name that anything else than a fault has written.
    const LONGEST: usize = 200;
    if name.len() > LONGEST {
        return Err(format!(
            "of {} bytes; expected a name of at most {LONGEST}",
            name.len()
        ));
    }
    Ok(match catalog::understand(name) {
        Ok(named) => (
            named.network.name.to_string(),
            named.note.as_deref().map(escaped),
        ),
        Err(_) => (name.to_owned(), None),
    })
}
