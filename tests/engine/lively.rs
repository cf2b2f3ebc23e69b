//! Weights and images for any network of the catalogue, and how far an output is off.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use senet::checkpoint::drawn_weights;
use senet::network::{Layout, Network, Shape};

pub(crate) fn image(network: &Network, batch: usize, spatial: [usize; 2]) -> Tensor {
    let shape = Shape {
        spatial: Some(spatial),
        ..network.input.shape(batch)
    };
    let count = shape.elements().unwrap();
    let pixels: Vec<f32> = (0..count)
        .map(|i| (i as f32 * 0.37).sin() + (i as f32 * 0.011).cos())
        .collect();
    Tensor::from_vec(pixels, shape.dims(Layout::Nchw), &Device::Cpu).unwrap()
}

/// Weights under which every layer matters.
pub(crate) fn lively(network: &Network, dtype: DType) -> VarBuilder<'static> {
    drawn_weights(&network.layers(), dtype, &Device::Cpu)
}

/// The same, drawn once for all who read them.
pub(crate) fn kept(network: &Network) -> HashMap<String, Tensor> {
    let vb = lively(network, DType::F32);
    let layers = network.layers();
    let tensors = layers.as_slice().iter().flat_map(|layer| {
        let parameters = layer.operation.parameters().into_iter();
        parameters.map(|parameter| {
            let name = format!("{}.{}", layer.name, parameter.name);
            (name.clone(), vb.get(parameter.shape, &name).unwrap())
        })
    });
    tensors.collect()
}

pub(crate) fn numbers(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_dtype(DType::F64).unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn bits(tensor: &Tensor) -> Vec<u32> {
    let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    numbers.into_iter().map(f32::to_bits).collect()
}

/// The largest difference, as a part of the largest magnitude.
pub(crate) fn error(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (numbers(found), numbers(expected));
    let largest = expected.iter().fold(0_f64, |most, x| most.max(x.abs()));
    assert!(largest > 1e-2, "nothing comes out: {largest}");
    let worst = found.iter().zip(&expected).map(|(a, b)| {
        if a.is_finite() {
            (a - b).abs()
        } else {
            f64::INFINITY
        }
    });
    worst.fold(0., f64::max) / largest
}
