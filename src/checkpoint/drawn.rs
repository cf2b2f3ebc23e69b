use std::collections::HashMap;

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use rayon::prelude::*;

use super::backend::lacks;
use crate::network::{Layers, Operation, Value};

/// A `VarBuilder` that draws weights for `layers` as they are asked for, the same each time, and
/// keeps none.
///
/// Every layer matters under them and numbers stay near 1, neither vanishing nor overflowing in
/// the deepest network: kernels keep the scale, batch norms too, most biases are positive so
/// that few rectifiers are dead, and a residual branch is a quarter as large as what it is added to.
#[must_use]
pub fn drawn_weights(layers: &Layers, dtype: DType, device: &Device) -> VarBuilder<'static> {
    let list = layers.as_slice();
    let is_added = |index: usize| {
        let output = Value::of_layer(index);
        let mut readers = list.iter().filter(|layer| layer.inputs.contains(&output));
        readers.any(|layer| matches!(layer.operation, Operation::Add | Operation::Scale))
    };
    let mut tensors = HashMap::new();
    for (index, layer) in list.iter().enumerate() {
        for parameter in layer.operation.parameters() {
            let fan_in: usize = parameter.shape.iter().skip(1).product();
            let is_kernel = parameter.shape.len() > 1;
            let spread = if is_kernel {
                (2. / fan_in as f32).sqrt()
            } else {
                0.2
            };
            let (mean, spread) = match parameter.name {
                "running_var" => (1., spread),
                "bias" => (0.3, spread),
                "weight" if !is_kernel && is_added(index) => (0.25, 0.1),
                "weight" if !is_kernel => (0.8, spread),
                // The factors of standardized weights, as those of batch norms.
                "gain" => (0.8, 0.2),
                // A residual branch's.
                _ if parameter.shape.is_empty() => (0.25, 0.1),
                // As if a batch norm of a branch were folded into them.
                _ if is_kernel && is_added(index) => (0., spread * 0.25),
                _ => (0., spread),
            };
            let drawn = Drawn {
                mean,
                spread,
                start: tensors.len() as f64 * 0.137,
            };
            tensors.insert(format!("{}.{}", layer.name, parameter.name), drawn);
        }
    }
    VarBuilder::from_backend(Box::new(DrawnTensors { tensors }), dtype, device.clone())
}

/// How the numbers of a tensor are spread.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    mean: f32,
    /// Standard deviation.
    spread: f32,
    start: f64,
}

impl Drawn {
    /// A low-discrepancy sequence: spread evenly, and the same on every machine.
    fn number(&self, place: usize) -> f32 {
        /// The golden ratio's share of 1.
        const STEP: f64 = 0.618_033_988_749_895;
        /// Of a uniform distribution as wide as 1, over its standard deviation.
        const WIDTH: f32 = 3.4;
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
        let uniform = ((place as f64 * STEP + self.start).fract() - 0.5) as f32;
        self.mean + self.spread * WIDTH * uniform
    }
}

struct DrawnTensors {
    tensors: HashMap<String, Drawn>,
}

impl SimpleBackend for DrawnTensors {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let Some(drawn) = self.tensors.get(name) else {
            return self.get_unchecked(name, dtype, device);
        };
        let count = shape.elem_count();
        let places = (0..count).into_par_iter();
        let numbers: Vec<f32> = places.map(|place| drawn.number(place)).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)
    }

    /// Nothing: what is not known by name has no shape.
    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        Err(lacks(name))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::catalog;

    #[test]
    fn drawn_weights_are_the_same_each_time_and_those_of_no_other_tensor() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        let vb = drawn_weights(&layers, DType::F32, &Device::Cpu);
        let read = |name: &str| -> Vec<f32> {
            let tensor = vb.get((16, 16, 3, 3), name).unwrap();
            tensor.flatten_all().unwrap().to_vec1().unwrap()
        };
        let kernel = read("layer1.0.conv1.weight");
        assert_eq!(kernel, read("layer1.0.conv1.weight"));
        assert_ne!(kernel, read("layer1.0.conv2.weight"));
        let variance = kernel.iter().map(|x| x * x).sum::<f32>() / kernel.len() as f32;
        let expected = 2. / (16. * 9.);
        assert!((variance / expected - 1.).abs() < 0.1, "{variance}");
        assert!(vb.get(16, "layer9.bias").is_err());
    }
}
