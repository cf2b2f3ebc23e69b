use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::file::{NonFinite, TensorFile};
use super::keys::{Mismatch, Origin, Source, Sources, resolve};
use super::recognition::{Recognition, recognise, with_classes_of};
use crate::error::{Error, Result};
use crate::image::Preprocessing;
use crate::network::{Network, catalog};

/// A network's weights, and what their file says of them.
#[derive(Debug, Clone)]
pub struct Weights {
    file: Arc<TensorFile>,
    /// The network that the file says it is for.
    pub network: Option<String>,
    /// The classes' names.
    pub labels: Option<Vec<String>>,
    /// What the network expects images to go through.
    pub preprocessing: Option<Preprocessing>,
}

impl Weights {
    /// The weights that ship inside the program: `seresnet20`, trained on CIFAR-10.
    ///
    /// # Errors
    ///
    /// None, unless the program was built with a broken file.
    pub fn embedded() -> Result<Self> {
        let bytes = include_bytes!("../../weights/seresnet20.safetensors");
        Self::new(TensorFile::embedded("embedded weights", bytes)?)
    }

    /// The weights in the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not safetensors, or has metadata of another form.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(TensorFile::open(path)?)
    }

    fn new(file: TensorFile) -> Result<Self> {
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
            file: Arc::new(file),
        })
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &TensorFile {
        &self.file
    }

    /// The network that the file is for: the one its metadata names, else the one its tensors'
    /// names and shapes fit, with as many classes as the file's classifier tells apart.
    ///
    /// # Errors
    ///
    /// A name that the catalogue lacks; without a name, tensors that fit no network, or several
    /// that compute differently: none of them is guessed.
    pub fn network(&self) -> Result<Network> {
        if let Some(name) = &self.network {
            return Ok(self.with_classes(catalog::find(name)?));
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
        recognise(&self.shapes())
    }

    /// `network` with as many classes as the file's classifier tells apart.
    #[must_use]
    pub fn with_classes(&self, network: &Network) -> Network {
        with_classes_of(network, &self.shapes())
    }

    /// How the tensors differ from those that `network` reads; nothing where they do not.
    #[must_use]
    pub fn mismatch(&self, network: &Network) -> Option<Mismatch> {
        resolve(&network.layers(), &self.shapes()).err()
    }

    /// The code base whose names the tensors have, in words.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        Origin::of(self.shapes().keys().map(String::as_str)).words()
    }

    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let tensors = self.file.tensors().into_iter();
        tensors
            .map(|(name, info)| (name, info.shape.clone()))
            .collect()
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
        let mut found = Vec::new();
        for source in self.sources(network)?.into_values() {
            let flaws = self.file.nonfinite(&source.name)?;
            if !flaws.is_none() {
                found.push((source.name, flaws));
            }
        }
        Ok(found)
    }

    fn sources(&self, network: &Network) -> Result<Sources> {
        let convention = network.convention.name;
        if let Some(found) = self.file.metadata("convention")
            && found != convention
        {
            return Err(self.file.problem(format!(
                "was made under the convention `{found}`; `{}` follows `{convention}`",
                network.name
            )));
        }
        resolve(&network.layers(), &self.shapes()).map_err(|mismatch| {
            let hint = match &self.network {
                Some(name) if name != network.name => {
                    format!("\nhint: the file says it is for `{name}`")
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

/// A foreign file as candle sees it.
struct Backend {
    file: Arc<TensorFile>,
    sources: Sources,
}

impl Backend {
    fn source(&self, name: &str) -> candle_core::Result<&Source> {
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
        let Source {
            name,
            arrangement,
            shape,
        } = self.source(name)?;
        self.file
            .tensor(name)
            .map_err(candle_core::Error::wrap)?
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
