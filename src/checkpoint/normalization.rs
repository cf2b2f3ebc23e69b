//! The layer `Normalization` of Keras, as far as a file has its tensors: what the network's pixels,
//! from 0 to 1, are normalised by.

use candle_core::DType;

use super::file::TensorFile;
use super::spelling::{canonical_separators, prepares_pixels};
use crate::error::Result;
use crate::preprocessing::IMAGENET_STD;

/// What is subtracted from red, green and blue, and what they are divided by after that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normalization {
    pub(super) mean: [f64; 3],
    pub(super) std: [f64; 3],
}

impl Normalization {
    /// The one that `file` holds; nothing where it holds none of three channels.
    ///
    /// # Errors
    ///
    /// A file that can no longer be read, or whose tensors have no type of numbers.
    pub(super) fn of(file: &TensorFile) -> Result<Option<Self>> {
        let (Some(mean), Some(variance)) = (numbers(file, "mean")?, numbers(file, "variance")?)
        else {
            return Ok(None);
        };
        // The published weights of EfficientNet have the deviations for variances, and a layer that
        // divides by their roots once more.
        let is_published = variance
            .iter()
            .zip(IMAGENET_STD)
            .all(|(found, std)| (found - std).abs() < 1e-6);
        let std = if is_published {
            IMAGENET_STD
        } else {
            variance.map(f64::sqrt)
        };
        Ok(Some(Self { mean, std }))
    }
}

/// The three numbers of the layer's variable of this name.
fn numbers(file: &TensorFile, variable: &str) -> Result<Option<[f64; 3]>> {
    let is_it = |name: &String| {
        let name = canonical_separators(name);
        prepares_pixels(&name) && name.rsplit('.').next() == Some(variable)
    };
    let Some(name) = file.tensors().into_keys().find(is_it) else {
        return Ok(None);
    };
    let tensor = file.tensor(&name)?.to_dtype(DType::F64)?.flatten_all()?;
    Ok(tensor.to_vec1::<f64>()?.try_into().ok())
}
