//! A file of another spelling as candle reads it: renamed, transposed, without the classes that
//! count as no answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;

use super::file::{NonFinite, TensorFile};
use super::keys::{self, Sources};
use super::timm_config::Background;
use super::wrapping::{Shapes, Wrapping};
use crate::error::Error;

/// A foreign file as candle sees it.
pub(super) struct ForeignFile {
    pub(super) file: Arc<TensorFile>,
    pub(super) sources: Sources,
    pub(super) wrapping: Wrapping,
    pub(super) background: Option<Background>,
    pub(super) flaws: Arc<Flaws>,
}

/// The tensors that were read and hold NaN or infinities, by canonical name: what the file calls
/// them, and how many.
pub(super) type Flaws = Mutex<BTreeMap<String, (String, NonFinite)>>;

/// What a `VarBuilder` says of a tensor that it has not.
pub(super) fn lacks(name: &str) -> candle_core::Error {
    let path = name.to_owned();
    candle_core::Error::CannotFindTensor { path }.bt()
}

impl ForeignFile {
    fn source(&self, name: &str) -> candle_core::Result<&keys::TensorSource> {
        self.sources.get(name).ok_or_else(|| lacks(name))
    }
}

impl SimpleBackend for ForeignFile {
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
        canonical: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let keys::TensorSource {
            name,
            arrangement,
            shape,
        } = self.source(canonical)?;
        let counted = self.file.counted_tensor(name);
        let (mut tensor, flaws) = counted.map_err(candle_core::Error::wrap)?;
        if !flaws.is_none() {
            let mut all = self.flaws.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(canonical.to_owned(), (name.clone(), flaws));
        }
        if let Some(background) = &self.background
            && background.is_in(name, &self.wrapping)
        {
            let classes = tensor.dim(0)?.saturating_sub(background.classes);
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

impl Background {
    /// Whether `tensor` computes these classes too.
    fn is_in(&self, tensor: &str, wrapping: &Wrapping) -> bool {
        let tensor = wrapping.strip(tensor).unwrap_or(tensor);
        let layer = tensor.rsplit_once('.').map_or(tensor, |(layer, _)| layer);
        self.layers.iter().any(|name| name == layer)
    }

    /// Makes the shapes `found` what they are without these classes.
    pub(super) fn hide(&self, found: &mut Shapes, wrapping: &Wrapping) {
        for (name, shape) in found {
            if self.is_in(name, wrapping)
                && let Some(classes) = shape.first_mut()
            {
                *classes = classes.saturating_sub(self.classes);
            }
        }
    }
}
