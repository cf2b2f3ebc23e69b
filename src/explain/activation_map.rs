//! Class activation maps (Zhou et al., arXiv:1512.04150).

use candle_core::{DType, Device, Tensor};

use super::{HeatMap, Kept, Method};
use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::network::{Layer, Layers, Operation, Value, classifier};

/// A classifier over the means of maps: what it computes of the means can be computed of each pixel.
pub(super) struct ActivationMap {
    /// The layer whose maps are averaged.
    pub(super) layer: String,
    /// `[classes, channels]`.
    weight: Tensor,
    /// `[classes]`.
    bias: Option<Tensor>,
}

impl ActivationMap {
    /// That of a network that ends with a global average pool and one dense layer; nothing of another.
    ///
    /// # Errors
    ///
    /// Weights that cannot be read.
    pub(super) fn load(layers: &Layers, weights: &Weights) -> Result<Option<Self>> {
        let Some((maps, dense)) = find(layers) else {
            return Ok(None);
        };
        let (classes, channels, bias, is_conv) = match dense.operation {
            Operation::Linear {
                inputs,
                outputs,
                bias,
            } => (outputs, inputs, bias, false),
            Operation::Conv(conv) => (conv.out_channels, conv.in_channels, conv.bias, true),
            _ => return Ok(None),
        };
        let vb = weights.var_builder(layers, DType::F32, &Device::Cpu)?;
        let vb = vb.pp(&dense.name);
        let weight = if is_conv {
            vb.get((classes, channels, 1, 1), "weight")?
        } else {
            vb.get((classes, channels), "weight")?
        };
        Ok(Some(Self {
            layer: maps.name.clone(),
            weight: weight.reshape((classes, channels))?,
            bias: bias.then(|| vb.get(classes, "bias")).transpose()?,
        }))
    }

    /// Of one class.
    pub(super) fn of_class(&self, class: usize, kept: &Kept) -> Result<HeatMap> {
        let maps = kept.get(&self.layer);
        let maps = maps.ok_or_else(|| Error::Geometry(format!("no value of `{}`", self.layer)))?;
        let (_, channels, rows, columns) = maps.dims4()?;
        let weight: Vec<f32> = self.weight.get(class)?.to_vec1()?;
        let values: Vec<f32> = maps.flatten_all()?.to_vec1()?;
        let pixels = rows * columns;
        let mut sums = vec![0_f64; pixels];
        for (map, &weight) in values
            .chunks_exact(pixels.max(1))
            .zip(&weight)
            .take(channels)
        {
            for (sum, &value) in sums.iter_mut().zip(map) {
                *sum += f64::from(weight) * f64::from(value);
            }
        }
        let bias = match &self.bias {
            Some(bias) => bias.get(class)?.to_scalar::<f32>()?,
            None => 0.,
        };
        #[expect(clippy::cast_possible_truncation, reason = "sums of products of f32")]
        let values = sums.into_iter().map(|sum| sum as f32).collect();
        Ok(HeatMap {
            method: Method::ClassActivation,
            size: [rows, columns],
            values,
            bias: Some(bias),
        })
    }
}

/// The layer whose maps are averaged, and the dense layer that reads the means.
fn find(layers: &Layers) -> Option<(&Layer, &Layer)> {
    let found = classifier::find(layers)?;
    let &[dense] = found.dense.as_slice() else {
        return None;
    };
    let dense = layers.as_slice().get(dense)?;
    // No batch norm between.
    if dense.inputs.first() != Some(&found.features) {
        return None;
    }
    let mut pool = layers.maker(found.features)?;
    while matches!(
        pool.operation,
        Operation::Flatten {
            height: 1,
            width: 1
        } | Operation::Unflatten
    ) {
        pool = layers.maker(*pool.inputs.first()?)?;
    }
    let maps: Value = match pool.operation {
        Operation::GlobalAveragePool | Operation::AdaptiveAveragePool([1, 1]) => {
            *pool.inputs.first()?
        }
        _ => return None,
    };
    Some((layers.maker(maps)?, dense))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::catalog;

    #[test]
    fn the_map_is_exact_where_a_pool_and_a_dense_layer_end_the_network() {
        for (network, expected) in [
            ("seresnet20", Some(("layer3.2.relu", "fc"))),
            ("efficientnet_b0", Some(("bn2.act", "classifier"))),
            ("tf_efficientnet_lite0", Some(("bn2.act", "classifier"))),
            // Dense layers and functions between the means and the classes.
            ("mobilenetv3_large_100", None),
            ("vgg16_bn", None),
            // A batch norm between.
            ("repvit_m1", None),
        ] {
            let layers = catalog::find(network).unwrap().layers();
            let found = find(&layers);
            let found = found.map(|(maps, dense)| (maps.name.as_str(), dense.name.as_str()));
            assert_eq!(found, expected, "{network}");
        }
    }
}
