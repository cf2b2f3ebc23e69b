//! The layer `Normalization` of Keras, as far as a file has its tensors: what the network's pixels,
//! from 0 to 1, are normalised by.

use candle_core::DType;

use super::file::TensorFile;
use super::keys::Found;
use crate::error::{Error, Result};
use crate::preprocessing::IMAGENET_STD;
use crate::text::shown;

/// What is subtracted from red, green and blue, and what they are divided by after that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normalization {
    pub(super) mean: [f64; 3],
    pub(super) std: [f64; 3],
}

impl Normalization {
    /// The one among the tensors `found` in `file`; nothing where it holds none.
    ///
    /// # Errors
    ///
    /// A mean without a variance or the other way round, other than three finite numbers, variances
    /// that are not above 0; a file that can no longer be read, or whose tensors have no type of
    /// numbers.
    pub(super) fn of(file: &TensorFile, found: &Found) -> Result<Option<Self>> {
        let (mean, variance) = match (found.normalization("mean"), found.normalization("variance"))
        {
            (None, None) => return Ok(None),
            (Some(mean), Some(variance)) => (mean, variance),
            (Some((lonely, _)), None) => return Err(alone(file, lonely, "variance")),
            (None, Some((lonely, _))) => return Err(alone(file, lonely, "mean")),
        };
        let mean = numbers(file, mean, f64::is_finite, "finite")?;
        let is_variance = |number: f64| number.is_finite() && number > 0.;
        let variance = numbers(file, variance, is_variance, "finite and above 0")?;
        // The published weights of EfficientNet have the deviations for variances, and a layer that
        // divides by their roots once more (tensorflow/tensorflow#49930). In single precision they
        // are at most 1.5e-8 off; variances of images that all three come as near are none.
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

/// The error of a variable whose counterpart is missing.
fn alone(file: &TensorFile, found: &str, missing: &str) -> Error {
    file.problem(format!(
        "has `{}` without the `{missing}` of the same layer: pixels are normalised by both",
        shown(found)
    ))
}

/// The three numbers of a variable, given by its name in the file and its shape there.
fn numbers(
    file: &TensorFile,
    (name, shape): &(String, Vec<usize>),
    is_valid: impl Fn(f64) -> bool,
    valid: &str,
) -> Result<[f64; 3]> {
    let [3] = shape[..] else {
        return Err(file.problem(format!(
            "has `{}` of shape {}, expected [3]: a number each for red, green and blue",
            shown(name),
            shown(&format!("{shape:?}"))
        )));
    };
    let tensor = file.tensor(name)?.to_dtype(DType::F64)?;
    let numbers = tensor.to_vec1::<f64>()?;
    match numbers[..] {
        [red, green, blue] if numbers.iter().all(|number| is_valid(*number)) => {
            Ok([red, green, blue])
        }
        _ => Err(file.problem(format!(
            "has `{}` of {numbers:?}; expected numbers that are {valid}",
            shown(name)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candle_core::{Device, Tensor};

    use super::*;
    use crate::checkpoint::keys::names_and_shapes;
    use crate::checkpoint::spelling::KERAS_EFFICIENTNET;
    use crate::checkpoint::wrapping::{Copies, Wrapping};
    use crate::network::catalog;
    use crate::preprocessing::single;

    const MEAN: [f32; 3] = [0.5, 0.25, 0.125];
    const VARIANCE: [f32; 3] = [0.25, 0.0625, 4.];

    /// What a file of these tensors says.
    fn of(tensors: &[(&str, &[f32])]) -> Result<Option<Normalization>> {
        let (file, shapes) = file(tensors);
        Normalization::of(&file, &Found::new(&shapes, &Wrapping::default()))
    }

    fn file(tensors: &[(&str, &[f32])]) -> (TensorFile, BTreeMap<String, Vec<usize>>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let tensors: BTreeMap<String, Tensor> = tensors
            .iter()
            .map(|(name, numbers)| ((*name).to_owned(), Tensor::new(*numbers, &Device::Cpu)))
            .map(|(name, tensor)| (name, tensor.unwrap()))
            .collect();
        let shapes = tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.dims().to_vec()))
            .collect();
        safetensors::serialize_to_file(tensors, None, &path).unwrap();
        (TensorFile::open(&path).unwrap(), shapes)
    }

    /// What is read of `MEAN` and variances that mean these deviations.
    fn divided_by(std: [f64; 3]) -> Normalization {
        let mean = MEAN.map(f64::from);
        Normalization { mean, std }
    }

    fn refusal(tensors: &[(&str, &[f32])]) -> String {
        match of(tensors).unwrap_err() {
            Error::Checkpoint { problem, .. } => problem,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn pixels_are_divided_by_the_roots_of_the_variances() {
        let expected = Some(divided_by([0.5, 0.25, 2.]));
        for layer in [
            "normalization",
            "normalization_7",
            "normalization/normalization",
        ] {
            // Whatever else a file holds is of no account.
            let found = of(&[
                (&format!("{layer}/mean"), &MEAN),
                (&format!("{layer}/variance"), &VARIANCE),
                (&format!("{layer}/count"), &[0.]),
                ("block1a_bn.mean", &[1.]),
                ("normalizations.mean", &[1.]),
            ]);
            assert_eq!(found.unwrap(), expected, "{layer}");
        }
    }

    #[test]
    fn the_layer_is_found_whatever_is_around_all_names() {
        let (file, mut shapes) = file(&[
            ("model/normalization/mean:0", &MEAN),
            ("model/normalization/variance:0", &VARIANCE),
        ]);
        let network = catalog::find("keras_efficientnet_b0").unwrap();
        let tensors = names_and_shapes(KERAS_EFFICIENTNET, network).into_iter();
        shapes.extend(tensors.map(|(name, shape)| (format!("model/{name}:0"), shape)));
        let found = Found::new(&shapes, &Copies::of(&shapes).plain);
        let normalization = Normalization::of(&file, &found).unwrap();
        assert_eq!(normalization, Some(divided_by([0.5, 0.25, 2.])));
    }

    #[test]
    fn the_published_variances_are_deviations() {
        let published = IMAGENET_STD.map(single);
        let [red, green, blue] = published;
        let found = of(&[
            ("normalization.mean", &MEAN),
            ("normalization.variance", &published),
        ]);
        assert_eq!(found.unwrap(), Some(divided_by(IMAGENET_STD)));
        // Only all three are.
        let variance = [red, green, blue + 2e-6];
        let found = of(&[
            ("normalization.mean", &MEAN),
            ("normalization.variance", &variance),
        ]);
        let std = variance.map(|variance| f64::from(variance).sqrt());
        assert_eq!(found.unwrap(), Some(divided_by(std)));
    }

    #[test]
    fn a_file_without_the_layer_normalises_nothing_by_itself() {
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&[("normalization.count", &[0.])]).unwrap(), None);
    }

    #[test]
    fn a_layer_of_part_of_its_variables_is_refused() {
        assert_eq!(
            refusal(&[("normalization_1/mean", &MEAN)]),
            "has `normalization_1/mean` without the `variance` of the same layer: pixels are \
             normalised by both"
        );
        assert_eq!(
            refusal(&[("normalization.variance", &VARIANCE)]),
            "has `normalization.variance` without the `mean` of the same layer: pixels are \
             normalised by both"
        );
    }

    #[test]
    fn variables_that_are_no_three_numbers_are_refused() {
        let refusal = |mean: &[f32], variance: &[f32]| {
            refusal(&[
                ("normalization.mean", mean),
                ("normalization.variance", variance),
            ])
        };
        assert_eq!(
            refusal(&[0.5], &VARIANCE),
            "has `normalization.mean` of shape [1], expected [3]: a number each for red, green \
             and blue"
        );
        assert_eq!(
            refusal(&MEAN, &[0.25; 4]),
            "has `normalization.variance` of shape [4], expected [3]: a number each for red, \
             green and blue"
        );
        assert_eq!(
            refusal(&[0.5, f32::NAN, 0.5], &VARIANCE),
            "has `normalization.mean` of [0.5, NaN, 0.5]; expected numbers that are finite"
        );
        for none in [0., -1., f32::INFINITY, f32::NAN] {
            let problem = refusal(&MEAN, &[0.25, none, 0.25]);
            let expected = format!(
                "has `normalization.variance` of [0.25, {:?}, 0.25]; expected numbers that are \
                 finite and above 0",
                f64::from(none)
            );
            assert_eq!(problem, expected);
        }
    }
}
