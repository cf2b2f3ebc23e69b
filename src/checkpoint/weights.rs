use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use rayon::prelude::*;

use super::file::{NonFinite, TensorFile};
use super::folder::{self, Files};
use super::keys::{self, Found, Mismatch, Sources, resolve};
use super::origin::Origin;
use super::recognition::{Recognition, recognise, with_classes_of};
use super::source::{Download, Repository, Source};
use super::timm_config::{Background, TimmConfig};
use crate::error::{Error, Result};
use crate::image::Preprocessing;
use crate::network::trace::Trace;
use crate::network::{Layers, Network, Operation, catalog};

/// A network's weights, and what is said of them: by the metadata of their file, or by timm's
/// `config.json` beside it, which wins.
#[derive(Debug, Clone)]
pub struct Weights {
    file: Arc<TensorFile>,
    found: Found,
    /// The files that they were read from; none where they are part of the program.
    paths: Vec<PathBuf>,
    /// The network that they are for.
    pub network: Option<String>,
    /// How many classes they tell apart, where that may differ from the network's usual number.
    pub classes: Option<usize>,
    /// The classes' names.
    pub labels: Option<Vec<String>>,
    /// What the network expects images to go through.
    pub preprocessing: Option<Preprocessing>,
    /// The same at the size and crop that whoever trained them recommends for tests.
    pub test_preprocessing: Option<Preprocessing>,
    /// Whether the network takes images of that size alone.
    pub fixed_size: bool,
    /// What should be known of how they were found, a sentence each.
    pub notes: Vec<String>,
    background: Option<Background>,
}

impl Weights {
    /// The weights that ship inside the program: `seresnet20`, trained on CIFAR-10.
    ///
    /// # Errors
    ///
    /// None, unless the program was built with a broken file.
    pub fn embedded() -> Result<Self> {
        let bytes = include_bytes!("../../weights/seresnet20.safetensors");
        Self::from_file(TensorFile::embedded("embedded weights", bytes)?)
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
            Source::Embedded => Self::embedded(),
            Source::Path(path) => match path.to_str().map(str::parse::<Repository>) {
                Some(Ok(repository)) if !path.exists() => Err(Error::Usage(format!(
                    "cannot open `{}`: there is no such file or folder\nhint: a repository of \
                     the hub is written `{repository}`",
                    path.display()
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
        weights.notes = fetched.notes;
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
        let preprocessing: Option<Preprocessing> = file.json_metadata("preprocessing")?;
        if let Some(preprocessing) = &preprocessing {
            preprocessing
                .validate()
                .map_err(|error| file.problem(format!("has metadata `preprocessing`: {error}")))?;
        }
        Ok(Self {
            network: file.metadata("network").map(str::to_owned),
            labels: file.json_metadata("labels")?,
            preprocessing,
            ..Self::nothing_known(file)
        })
    }

    fn nothing_known(file: TensorFile) -> Self {
        Self {
            paths: Vec::new(),
            network: None,
            classes: None,
            labels: None,
            preprocessing: None,
            test_preprocessing: None,
            fixed_size: false,
            notes: Vec::new(),
            background: None,
            found: Found::new(shapes(&file, None)),
            file: Arc::new(file),
        }
    }

    /// Takes over what `config`, read from `path`, says.
    fn describe(&mut self, config: TimmConfig, path: &Path) -> Result<()> {
        if let Some(network) = &self.network
            && *network != config.architecture
        {
            return Err(Error::Checkpoint {
                file: path.display().to_string(),
                problem: format!(
                    "is of `{}`, but the metadata of the weights beside it says `{network}`",
                    config.architecture
                ),
            });
        }
        self.network = Some(config.architecture);
        self.classes = config.classes;
        self.labels = config.labels.or(self.labels.take());
        self.preprocessing = Some(config.preprocessing);
        self.test_preprocessing = config.test_preprocessing;
        self.fixed_size = config.fixed_size;
        if let Some(background) = config.background {
            self.found = Found::new(shapes(&self.file, Some(&background)));
            self.background = Some(background);
        }
        Ok(())
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
        if let Some(name) = &self.network {
            let network = catalog::find(name).map_err(|error| match error {
                Error::UnknownNetwork { name, hint } => self
                    .file
                    .problem(format!("is for the unknown network `{name}`\nhint: {hint}")),
                error => error,
            })?;
            return Ok(self.with_classes(network));
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
        }
    }

    /// What the names and shapes of the tensors alone say.
    #[must_use]
    pub fn recognise(&self) -> Recognition {
        recognise(&self.found)
    }

    /// `network` with as many classes as the weights are said to tell apart, else as many as the
    /// file's classifier does.
    #[must_use]
    pub fn with_classes(&self, network: &Network) -> Network {
        match self.classes {
            Some(classes) => network.clone().with_classes(classes),
            None => with_classes_of(network, &self.found),
        }
    }

    /// Refuses a network of another convention than the file's metadata states.
    ///
    /// # Errors
    ///
    /// Where it is another.
    pub fn check_convention(&self, network: &Network) -> Result<()> {
        let convention = network.convention.name;
        match self.file.metadata("convention") {
            Some(found) if found != convention => Err(self.file.problem(format!(
                "was made under the convention `{found}`; `{}` follows `{convention}`",
                network.name
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses an input of a size at which the file's own code base computes something else than
    /// `network` with these `layers` and this `trace`: timm's VGG slides its dense layers over
    /// maps of more than 7x7 pixels.
    ///
    /// # Errors
    ///
    /// A trace of such an input.
    pub fn check_input(&self, network: &Network, layers: &Layers, trace: &Trace) -> Result<()> {
        if self.found.origin != Origin::TimmVgg {
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
                    found[0], found[1], size[0], size[1], network.name
                )));
            }
        }
        Ok(())
    }

    /// How the tensors differ from those that `network` reads; nothing where they do not.
    #[must_use]
    pub fn mismatch(&self, network: &Network) -> Option<Mismatch> {
        resolve(&network.layers(), &self.found).err()
    }

    /// The code base whose names the tensors have, in words.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        self.found.origin.words()
    }

    /// A `VarBuilder` under whose paths `network` finds its tensors, renamed and transposed.
    ///
    /// # Errors
    ///
    /// Weights of another network: tensors missing, unexpected or of another shape; or
    /// made under another convention.
    pub fn var_builder(
        &self,
        network: &Network,
        dtype: DType,
        device: &Device,
    ) -> Result<VarBuilder<'static>> {
        let sources = self.sources(network)?;
        let backend = Backend {
            file: Arc::clone(&self.file),
            sources,
            background: self.background.clone(),
        };
        Ok(VarBuilder::from_backend(
            Box::new(backend),
            dtype,
            device.clone(),
        ))
    }

    /// Tensors that `network` reads and that hold NaN or infinities, and how many.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::var_builder`].
    pub fn nonfinite(&self, network: &Network) -> Result<Vec<(String, NonFinite)>> {
        let sources: Vec<_> = self.sources(network)?.into_values().collect();
        let flaws = sources.into_par_iter().map(|source| {
            let flaws = self.file.nonfinite(&source.name)?;
            Ok((source.name, flaws))
        });
        let mut found = flaws.collect::<Result<Vec<_>>>()?;
        found.retain(|(_, flaws)| !flaws.is_none());
        Ok(found)
    }

    fn sources(&self, network: &Network) -> Result<Sources> {
        self.check_convention(network)?;
        resolve(&network.layers(), &self.found).map_err(|mismatch| {
            let hint = match (&self.network, self.classes) {
                (Some(name), _) if name != network.name => {
                    format!("\nhint: the file says it is for `{name}`")
                }
                (_, Some(classes)) if !mismatch.misshapen.is_empty() => {
                    format!("\nhint: its config.json says `num_classes` {classes}")
                }
                _ => String::new(),
            };
            self.file.problem(format!(
                "does not fit network `{}`:{mismatch}{hint}",
                network.name
            ))
        })
    }
}

/// The tensors of a file with their shapes, those without the classes in front of the first.
fn shapes(file: &TensorFile, background: Option<&Background>) -> BTreeMap<String, Vec<usize>> {
    let tensors = file.tensors().into_iter();
    let mut shapes = tensors
        .map(|(name, info)| (name, info.shape.clone()))
        .collect();
    if let Some(background) = background {
        background.hide(&mut shapes);
    }
    shapes
}

impl Background {
    /// Whether `tensor` computes these classes too.
    fn is_in(&self, tensor: &str) -> bool {
        let layer = tensor.rsplit_once('.').map_or(tensor, |(layer, _)| layer);
        self.layers.iter().any(|name| name == layer)
    }

    /// Makes the shapes `found` what they are without these classes.
    fn hide(&self, found: &mut BTreeMap<String, Vec<usize>>) {
        for (name, shape) in found {
            if self.is_in(name)
                && let Some(classes) = shape.first_mut()
            {
                *classes = classes.saturating_sub(self.classes);
            }
        }
    }
}

/// A foreign file as candle sees it.
struct Backend {
    file: Arc<TensorFile>,
    sources: Sources,
    background: Option<Background>,
}

impl Backend {
    fn source(&self, name: &str) -> candle_core::Result<&keys::Source> {
        self.sources.get(name).ok_or_else(|| {
            candle_core::Error::CannotFindTensor {
                path: name.to_owned(),
            }
            .bt()
        })
    }
}

impl SimpleBackend for Backend {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if *tensor.shape() != shape {
            let file = self.file.name().to_owned();
            let problem = format!(
                "has tensor `{name}` of shape {:?}; expected {:?}",
                tensor.dims(),
                shape.dims()
            );
            return Err(candle_core::Error::wrap(Error::Checkpoint {
                file,
                problem,
            }));
        }
        Ok(tensor)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let keys::Source {
            name,
            arrangement,
            shape,
        } = self.source(name)?;
        let tensor = self.file.tensor(name);
        let mut tensor = tensor.map_err(candle_core::Error::wrap)?;
        if let Some(background) = &self.background
            && background.is_in(name)
        {
            let classes = tensor.dim(0)? - background.classes;
            tensor = tensor.narrow(0, background.classes, classes)?;
        }
        // Each tensor is read once, and copied where its axes are in another order or its type is
        // another, as nothing is done to what is in place.
        tensor
            .reshape(arrangement.view.as_slice())?
            .permute(arrangement.permutation)?
            .contiguous()?
            .reshape(shape.as_slice())?
            .to_dtype(dtype)?
            .to_device(device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.sources.contains_key(name)
    }
}
