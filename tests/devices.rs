//! Devices other than the CPU compute what the CPU computes, in every type of number they have.
//! Built where a feature asks for the device; fails where the device then does not answer.

#![cfg(any(feature = "cuda", feature = "metal"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder, VarMap};
use senet::checkpoint::Weights;
use senet::network::catalog;
use senet::nn::SeNet;
use senet::parity::{Reference, Tolerance, compare};

fn device() -> Device {
    if cfg!(feature = "cuda") {
        Device::new_cuda(0).unwrap()
    } else {
        Device::new_metal(0).unwrap()
    }
}

#[test]
fn seresnet20_computes_what_tensorflow_computes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/seresnet20");
    let weights = Weights::open(format!("{folder}/weights.safetensors").as_ref()).unwrap();
    let reference = format!("{folder}/reference.safetensors");
    let reference = Reference::open(reference.as_ref()).unwrap();
    let network = catalog::find("seresnet20").unwrap();
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let vb = weights
            .var_builder(&network.layers(), dtype, &device())
            .unwrap();
        let net = SeNet::new(network.layers(), vb).unwrap();
        let compared = compare(network, &net, &reference, Tolerance::of(dtype)).unwrap();
        let first = compared.values.iter().find(|value| !value.passed);
        assert!(first.is_none(), "{dtype:?}: {first:?}");
    }
}

/// Every kind of layer: grouped convolutions, averaged shortcuts, rounded up pools, and so on.
#[test]
fn the_families_compute_what_the_cpu_computes() {
    for name in [
        "seresnext26t_32x4d",
        "seresnetaa50d",
        "legacy_seresnet18",
        "senet154",
    ] {
        let network = catalog::find(name).unwrap();
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
        let on_cpu = SeNet::new(network.layers(), vb).unwrap();
        let tensors: std::collections::HashMap<_, _> = weights
            .data()
            .lock()
            .unwrap()
            .iter()
            .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
            .collect();
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &device());
        let on_device = SeNet::new(network.layers(), vb).unwrap();
        let images = Tensor::randn(0f32, 1., (2, 3, 64, 96), &Device::Cpu).unwrap();
        let expected = on_cpu.forward(&images).unwrap();
        let found = on_device
            .forward(&images.to_device(&device()).unwrap())
            .unwrap();
        let found = found.to_device(&Device::Cpu).unwrap();
        let largest = |tensor: &Tensor| {
            let largest = tensor.abs().unwrap().max_all().unwrap();
            largest.to_scalar::<f32>().unwrap()
        };
        let error = largest(&(found - &expected).unwrap()) / largest(&expected);
        // Parity's tolerance for single precision, for each of the two.
        assert!(error < 2e-5, "{name}: {error}");
    }
}
