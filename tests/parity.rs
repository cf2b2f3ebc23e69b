//! Parity passes on what TensorFlow computed, and fails, naming the layer, on anything else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use senet::checkpoint::{Reference, Weights};
use senet::network::convention::PaddingRule;
use senet::network::{Convention, Layout, Network, Operation, Shape, catalog};
use senet::nn::{ConvNorm, SeNet, SqueezeExcitation};
use senet::parity::{Comparison, Coverage, Tolerance, compare};

type Tensors = HashMap<String, Tensor>;

fn fixture(case: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(case)
        .join(file)
}

/// Every parameter of a network, under its canonical name.
fn parameters(network: &Network, vb: &VarBuilder) -> Tensors {
    let layers = network.layers();
    let mut tensors = Tensors::new();
    for layer in layers.as_slice() {
        for parameter in layer.operation.parameters() {
            let name = format!("{}.{}", layer.name, parameter.name);
            tensors.insert(name.clone(), vb.get(parameter.shape, &name).unwrap());
        }
    }
    tensors
}

fn fixture_parameters(network: &Network, case: &str) -> Tensors {
    let weights = Weights::open(&fixture(case, "weights.safetensors")).unwrap();
    let vb = weights
        .var_builder(network, DType::F32, &Device::Cpu)
        .unwrap();
    parameters(network, &vb)
}

fn net(network: &Network, tensors: &Tensors) -> SeNet {
    let vb = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    SeNet::new(network, vb).unwrap()
}

fn compared(
    network: &Network,
    tensors: &Tensors,
    reference: &Reference,
) -> (Vec<Comparison>, Coverage) {
    let net = net(network, tensors);
    compare(network, &net, reference, Tolerance::default()).unwrap()
}

fn first_divergence(network: &Network, tensors: &Tensors, reference: &Reference) -> Option<String> {
    let (comparisons, _) = compared(network, tensors, reference);
    comparisons
        .into_iter()
        .find(|comparison| !comparison.passed)
        .map(|comparison| comparison.name)
}

/// Changes each tensor by 1 % and expects parity to fail at the layer that reads it.
fn every_tensor_matters(network: &Network, tensors: &Tensors, reference: &Reference) {
    assert_eq!(first_divergence(network, tensors, reference), None);
    for name in tensors.keys() {
        let mut changed = tensors.clone();
        changed.insert(name.clone(), (&tensors[name] * 1.01).unwrap());
        let (layer, _) = name.rsplit_once('.').unwrap();
        let found = first_divergence(network, &changed, reference);
        assert_eq!(
            found.as_deref(),
            Some(layer),
            "{}: 1 % more of {name}",
            network.name
        );
    }
}

fn with_epsilon(network: &Network, epsilon: f64) -> Network {
    let convention = Convention {
        epsilon,
        ..network.convention
    };
    Network {
        convention,
        ..network.clone()
    }
}

fn with_symmetric_padding(network: &Network) -> Network {
    let convention = Convention {
        padding: PaddingRule::Symmetric,
        ..network.convention
    };
    Network {
        convention,
        ..network.clone()
    }
}

#[test]
fn every_tensor_of_the_tensorflow_fixtures_matters() {
    for case in ["se_block", "se_bottleneck"] {
        let network = catalog::find(case).unwrap();
        let reference = Reference::open(&fixture(case, "reference.safetensors")).unwrap();
        let tensors = fixture_parameters(network, case);
        every_tensor_matters(network, &tensors, &reference);
    }
}

#[test]
fn the_complete_fixtures_cover_every_layer() {
    for case in ["se_block", "se_bottleneck"] {
        let network = catalog::find(case).unwrap();
        let reference = Reference::open(&fixture(case, "reference.safetensors")).unwrap();
        let (_, coverage) = compared(network, &fixture_parameters(network, case), &reference);
        assert_eq!(coverage.layers, coverage.of_layers, "{case}");
    }
}

#[test]
fn the_public_layers_compute_what_tensorflow_computes() {
    let load = |case| {
        let network = catalog::find(case).unwrap();
        let reference = Reference::open(&fixture(case, "reference.safetensors")).unwrap();
        (fixture_parameters(network, case), reference)
    };
    let close = |ours: &Tensor, reference: &Reference, name: &str| {
        let theirs = reference.tensor(name).unwrap();
        let error = (ours.to_dtype(DType::F64).unwrap() - &theirs)
            .unwrap()
            .abs()
            .unwrap();
        let largest = |tensor: &Tensor| {
            tensor
                .flatten_all()
                .unwrap()
                .max(0)
                .unwrap()
                .to_scalar::<f64>()
                .unwrap()
        };
        let relative = largest(&error) / largest(&theirs.abs().unwrap());
        assert!(
            relative < Tolerance::default().relative,
            "{name}: {relative}"
        );
    };

    let (tensors, reference) = load("se_block");
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let se = SqueezeExcitation::new(32, 16, vb).unwrap();
    close(
        &se.forward(&reference.input().unwrap()).unwrap(),
        &reference,
        "output",
    );

    let (tensors, reference) = load("se_bottleneck");
    let network = catalog::find("se_bottleneck").unwrap();
    let layers = network.layers();
    let (conv1, bn1) = (
        layers.position("conv1").unwrap(),
        layers.position("bn1").unwrap(),
    );
    let (Operation::Conv(conv), Operation::BatchNorm { epsilon, .. }) = (
        layers.as_slice()[conv1].operation,
        layers.as_slice()[bn1].operation,
    ) else {
        panic!("conv1 and bn1 are a convolution and a batch norm");
    };
    let renamed = tensors
        .iter()
        .map(|(name, tensor)| {
            (
                name.replace("conv1.", "conv.").replace("bn1.", "bn."),
                tensor.clone(),
            )
        })
        .collect();
    let vb = VarBuilder::from_tensors(renamed, DType::F32, &Device::Cpu);
    let layer = ConvNorm::new(&conv, epsilon, vb).unwrap();
    close(
        &layer.forward(&reference.input().unwrap()).unwrap(),
        &reference,
        "bn1",
    );
}

#[test]
fn seresnet20_computes_what_tensorflow_computes_and_every_block_is_compared() {
    let network = catalog::find("seresnet20").unwrap();
    let reference = Reference::open(&fixture("seresnet20", "reference.safetensors")).unwrap();
    let tensors = fixture_parameters(network, "seresnet20");
    let (comparisons, coverage) = compared(network, &tensors, &reference);
    assert!(
        comparisons.iter().all(|comparison| comparison.passed),
        "{comparisons:#?}"
    );
    assert_eq!((coverage.blocks, coverage.of_blocks), (9, 9));
}

#[test]
fn half_precision_stays_within_its_own_tolerance() {
    let network = catalog::find("seresnet20").unwrap();
    let reference = Reference::open(&fixture("seresnet20", "reference.safetensors")).unwrap();
    let tensors = fixture_parameters(network, "seresnet20");
    // bf16 is left to the devices: candle's CPU has no matrix product of it.
    let vb = VarBuilder::from_tensors(tensors, DType::F16, &Device::Cpu);
    let net = SeNet::new(network, vb).unwrap();
    let tolerance = Tolerance::of(DType::F16);
    let (comparisons, _) = compare(network, &net, &reference, tolerance).unwrap();
    assert!(
        comparisons.iter().all(|value| value.passed),
        "{comparisons:#?}"
    );
    // It was half precision that was compared.
    assert!(comparisons.iter().any(|value| value.max_rel > 1e-4));
}

#[test]
fn a_wrong_epsilon_or_padding_differs_from_tensorflow_at_once() {
    let network = catalog::find("seresnet20").unwrap();
    let reference = Reference::open(&fixture("seresnet20", "reference.safetensors")).unwrap();
    let tensors = fixture_parameters(network, "seresnet20");
    // The dump holds blocks alone: the first block that the change reaches.
    let epsilon = first_divergence(&with_epsilon(network, 1e-5), &tensors, &reference);
    assert_eq!(epsilon.as_deref(), Some("layer1.0"));
    let padding = first_divergence(&with_symmetric_padding(network), &tensors, &reference);
    assert_eq!(padding.as_deref(), Some("layer2.0"));
}

/// What `network` itself computes from a fixed input, as a dump of every layer: parity's power
/// to tell is the same whoever made the dump, and this way a test can walk any network.
fn own_dump(network: &Network, tensors: &Tensors, size: [usize; 2], folder: &Path) -> Reference {
    let shape = Shape {
        spatial: Some(size),
        ..network.input.shape(1)
    };
    let count = shape.elements().unwrap();
    let pixels: Vec<f32> = (0..count)
        .map(|i| (i as f32 * 0.37).sin() + (i as f32 * 0.011).cos())
        .collect();
    let input = Tensor::from_vec(pixels, shape.dims(Layout::Nchw), &Device::Cpu).unwrap();
    let mut values = vec![("input".to_owned(), input.clone())];
    net(network, tensors)
        .forward_with(&input, &mut |layer, value| {
            values.push((layer.name.clone(), value.clone()));
            Ok(())
        })
        .unwrap();
    let path = folder.join(format!("{}.safetensors", network.name));
    let metadata = HashMap::from([("layout".to_owned(), "nchw".to_owned())]);
    safetensors::serialize_to_file(values, Some(metadata), &path).unwrap();
    Reference::open(&path).unwrap()
}

/// Drawn weights under which every layer matters: with batch norms that keep the scale, and
/// positive biases so that few rectifiers are dead.
fn drawn_parameters(network: &Network) -> Tensors {
    let mut tensors = Tensors::new();
    for layer in network.layers().as_slice() {
        for parameter in layer.operation.parameters() {
            let name = format!("{}.{}", layer.name, parameter.name);
            let fan_in: usize = parameter.shape.iter().skip(1).product();
            let spread = if parameter.shape.len() > 1 {
                (2. / fan_in as f32).sqrt()
            } else {
                0.2
            };
            let mean = match parameter.name {
                "running_var" => 1.,
                "bias" => 0.3,
                "weight" if parameter.shape.len() == 1 => 0.6,
                _ => 0.,
            };
            let count: usize = parameter.shape.iter().product();
            // A low-discrepancy sequence: spread evenly, and the same on every machine.
            let seed = tensors.len() as f32 * 0.137;
            let uniform = (0..count).map(|i| (i as f32 * 0.618_034 + seed).fract() - 0.5);
            let drawn: Vec<f32> = uniform.map(|u| mean + spread * 3.4 * u).collect();
            let drawn = if parameter.name == "running_var" {
                drawn.iter().map(|v| v.abs() + 0.5).collect()
            } else {
                drawn
            };
            tensors.insert(
                name,
                Tensor::from_vec(drawn, parameter.shape, &Device::Cpu).unwrap(),
            );
        }
    }
    tensors
}

#[test]
fn every_tensor_of_a_cifar_network_matters() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["seresnet20", "resnet20"] {
        let network = catalog::find(name).unwrap();
        let tensors = drawn_parameters(network);
        let reference = own_dump(network, &tensors, [16, 16], folder.path());
        every_tensor_matters(network, &tensors, &reference);
    }
}

#[test]
fn every_tensor_of_keras_seresnet50_matters() {
    let folder = tempfile::tempdir().unwrap();
    let network = catalog::find("keras_seresnet50").unwrap();
    let tensors = drawn_parameters(network);
    let reference = own_dump(network, &tensors, [32, 32], folder.path());
    every_tensor_matters(network, &tensors, &reference);
}

#[test]
fn a_wrong_convention_is_named_at_the_first_layer_it_touches() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("seresnet20", "layer2.0.conv1"),
        ("keras_seresnet50", "conv1"),
    ];
    for (name, first_strided) in cases {
        let network = catalog::find(name).unwrap();
        let tensors = drawn_parameters(network);
        let reference = own_dump(network, &tensors, [32, 32], folder.path());
        let epsilon = first_divergence(&with_epsilon(network, 1e-5), &tensors, &reference);
        assert_eq!(epsilon.as_deref(), Some("bn1"), "{name}");
        let padding = first_divergence(&with_symmetric_padding(network), &tensors, &reference);
        assert_eq!(padding.as_deref(), Some(first_strided), "{name}");
    }
}
