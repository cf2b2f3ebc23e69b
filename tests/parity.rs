//! Parity passes on what TensorFlow computed, and fails, naming the layer, on anything else.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use senet::checkpoint::Weights;
use senet::cpu::{Engine, Options};
use senet::model::Model;
use senet::network::convention::PaddingRule;
use senet::network::{Convention, Layer, Layers, Layout, Network, Operation, Shape, catalog};
use senet::nn::{ConvNorm, SeNet, SqueezeExcitation};
use senet::parity::{Compared, Reference, Tolerance, compare};

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
        .var_builder(&network.layers(), DType::F32, &Device::Cpu)
        .unwrap();
    parameters(network, &vb)
}

fn net(network: &Network, tensors: &Tensors) -> SeNet {
    let vb = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    SeNet::new(network.layers(), vb).unwrap()
}

fn engine(network: &Network, tensors: &Tensors) -> Engine {
    let vb = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    Engine::new(network.layers(), vb, Options::default()).unwrap()
}

fn compared(network: &Network, tensors: &Tensors, reference: &Reference) -> Compared {
    let net = net(network, tensors);
    compare(&net, reference, Tolerance::default()).unwrap()
}

/// The first layer that differs, on candle.
fn first_divergence(network: &Network, tensors: &Tensors, reference: &Reference) -> Option<String> {
    first_of(&net(network, tensors), reference)
}

fn first_of(model: &dyn Model, reference: &Reference) -> Option<String> {
    let compared = compare(model, reference, Tolerance::default()).unwrap();
    let first = compared.values.into_iter().find(|value| !value.passed);
    first.map(|value| value.name)
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

/// Changes every n-th tensor by 1 % and expects parity on the engine to fail between the layer
/// that reads it and the end of that layer's block: the engine has no values but those at the ends
/// of its steps.
fn tensors_matter_on_the_engine(
    network: &Network,
    tensors: &Tensors,
    reference: &Reference,
    every: usize,
) {
    let intact = engine(network, tensors);
    assert_eq!(first_of(&intact, reference), None);
    let layers = network.layers();
    let position = |name: &str| match name {
        "output" => layers.as_slice().len() - 1,
        name => layers.position(name).unwrap(),
    };
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    for name in names.into_iter().step_by(every) {
        let mut changed = tensors.clone();
        changed.insert(name.clone(), (&tensors[name] * 1.01).unwrap());
        let found = first_of(&engine(network, &changed), reference);
        let (layer, _) = name.rsplit_once('.').unwrap();
        let first = position(layer);
        let ends = layers.blocks().iter().map(|block| position(block));
        let end = ends.filter(|&end| end >= first).min();
        let expected = first..=end.unwrap_or(position("output"));
        assert!(
            found
                .as_deref()
                .is_some_and(|found| expected.contains(&position(found))),
            "{}: 1 % more of {name}: {found:?}",
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
        tensors_matter_on_the_engine(network, &tensors, &reference, 1);
    }
}

#[test]
fn the_complete_fixtures_cover_every_layer() {
    for case in ["se_block", "se_bottleneck"] {
        let network = catalog::find(case).unwrap();
        let reference = Reference::open(&fixture(case, "reference.safetensors")).unwrap();
        let Compared {
            coverage, folded, ..
        } = compared(network, &fixture_parameters(network, case), &reference);
        assert_eq!(coverage.layers, coverage.of_layers, "{case}");
        assert!(folded.is_empty(), "{case}: {folded:?}");
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
    for model in [
        &net(network, &tensors) as &dyn Model,
        &engine(network, &tensors),
    ] {
        let Compared {
            values,
            coverage,
            folded,
            ..
        } = compare(model, &reference, Tolerance::default()).unwrap();
        assert!(values.iter().all(|value| value.passed), "{values:#?}");
        assert_eq!((coverage.blocks, coverage.of_blocks), (9, 9));
        assert!(folded.is_empty(), "{folded:?}");
    }
}

#[test]
fn half_precision_stays_within_its_own_tolerance() {
    let network = catalog::find("seresnet20").unwrap();
    let reference = Reference::open(&fixture("seresnet20", "reference.safetensors")).unwrap();
    let tensors = fixture_parameters(network, "seresnet20");
    // bf16 is left to the devices: candle's CPU has no matrix product of it.
    let vb = VarBuilder::from_tensors(tensors, DType::F16, &Device::Cpu);
    let net = SeNet::new(network.layers(), vb).unwrap();
    let tolerance = Tolerance::of(DType::F16);
    let values = compare(&net, &reference, tolerance).unwrap().values;
    assert!(values.iter().all(|value| value.passed), "{values:#?}");
    // It was half precision that was compared.
    assert!(values.iter().any(|value| value.max_rel > 1e-4));
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
    own_dump_of(network, tensors, 1, size, folder)
}

fn own_dump_of(
    network: &Network,
    tensors: &Tensors,
    images: usize,
    size: [usize; 2],
    folder: &Path,
) -> Reference {
    let shape = Shape {
        spatial: Some(size),
        ..network.input.shape(images)
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
        tensors_matter_on_the_engine(network, &tensors, &reference, 3);
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

/// Of a network whose gates are known early, one whose gates are not, and Inception.
#[test]
fn tensors_of_every_family_matter_on_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size, every) in [
        ("keras_seresnet50", 32, 41),
        ("legacy_seresnet18", 64, 17),
        ("se_bn_inception", 64, 61),
    ] {
        let network = catalog::find(name).unwrap();
        let tensors = drawn_parameters(network);
        let reference = own_dump(network, &tensors, [size, size], folder.path());
        tensors_matter_on_the_engine(network, &tensors, &reference, every);
    }
}

#[test]
fn more_images_than_go_through_the_engine_at_once_are_compared_together() {
    let folder = tempfile::tempdir().unwrap();
    let network = catalog::find("se_bottleneck").unwrap();
    let tensors = drawn_parameters(network);
    let reference = own_dump_of(network, &tensors, 11, [5, 7], folder.path());
    let compared = compare(&engine(network, &tensors), &reference, Tolerance::default());
    let Compared { values, folded, .. } = compared.unwrap();
    assert!(values.iter().all(|value| value.passed), "{values:#?}");
    assert!(values.iter().all(|value| value.shape[0] == 11));
    // The convolutions' own values are inside those of their rectifiers.
    assert!(folded.contains(&"conv1".to_owned()), "{folded:?}");
    let names: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
    assert!(names.contains(&"relu1"), "{names:?}");
    assert!(!names.contains(&"conv1"), "{names:?}");
}

#[test]
fn a_dump_of_nothing_that_the_engine_keeps_is_refused_and_compared_by_candle() {
    let folder = tempfile::tempdir().unwrap();
    let full = Reference::open(&fixture("se_block", "reference.safetensors")).unwrap();
    let values = [
        ("input", full.input().unwrap()),
        ("fc2", full.tensor("fc2").unwrap()),
    ];
    let path = folder.path().join("fc2.safetensors");
    let metadata = HashMap::from([("layout".to_owned(), "nchw".to_owned())]);
    safetensors::serialize_to_file(values, Some(metadata), &path).unwrap();
    let parity = |engine: &[&str]| {
        let mut senet = Command::cargo_bin("senet").unwrap();
        senet.args(["parity", "--reference"]).arg(&path);
        senet
            .arg("--weights")
            .arg(fixture("se_block", "weights.safetensors"));
        senet.args(engine).assert()
    };
    let refused = parity(&[]).code(2);
    let message = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(message.contains("nothing was compared"), "{message}");
    assert!(message.contains("hint: `--engine candle`"), "{message}");
    parity(&["--engine", "candle"]).success();
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

#[test]
fn parity_names_the_first_layer_that_differs_and_ends_with_1() {
    const CASE: &str = "tests/fixtures/se_bottleneck";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let good = format!("{CASE}/weights.safetensors");
    let mut tensors = candle_core::safetensors::load(&good, &Device::Cpu).unwrap();
    let changed = (&tensors["conv2.kernel"] * 1.01).unwrap();
    tensors.insert("conv2.kernel".to_owned(), changed);
    let metadata = HashMap::from([("network".to_owned(), "se_bottleneck".to_owned())]);
    safetensors::serialize_to_file(tensors, Some(metadata), &path).unwrap();

    let reference = format!("{CASE}/reference.safetensors");
    let file = path.to_str().unwrap();
    let parity = |file: &str, flags: &[&str]| {
        let flags = [
            &["parity", "--weights", file, "--reference", &reference],
            flags,
        ]
        .concat();
        Command::cargo_bin("senet")
            .unwrap()
            .args(flags)
            .output()
            .unwrap()
    };
    // The engine has the value of the rectifier that its convolution ends with, and has candle look
    // inside.
    let inside = ", as candle finds inside the step that ends with `relu2`";
    for (engine, kept, found) in [("cpu", "relu2", inside), ("candle", "conv2", "")] {
        let table = parity(file, &["--engine", engine]);
        assert_eq!(table.status.code(), Some(1));
        let stdout = String::from_utf8(table.stdout).unwrap();
        let expected = format!("different, first at `conv2`{found} (atol 1e-7, rtol 1e-5)");
        assert!(stdout.contains(&expected), "{stdout}");

        let json = parity(file, &["--engine", engine, "--format", "json"]);
        assert_eq!(json.status.code(), Some(1));
        let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(report["passed"], false);
        assert_eq!(report["engine"], engine);
        assert_eq!(report["first_divergence"], "conv2");
        let inside = &report["inside"];
        assert_eq!(inside.is_null(), engine == "candle", "{inside}");
        if engine == "cpu" {
            assert_eq!(
                (&inside["step"], &inside["engine"]),
                (&"relu2".into(), &"candle".into())
            );
            let layers = inside["layers"].as_array().unwrap().iter();
            let layers: Vec<_> = layers
                .map(|layer| (&layer["name"], &layer["passed"]))
                .collect();
            for (found, expected) in layers.iter().zip(["conv2", "bn2", "relu2"]) {
                assert_eq!(*found, (&expected.into(), &false.into()), "{layers:?}");
            }
        }
        for (layer, passed) in [("relu1", true), (kept, false)] {
            let layers = report["layers"].as_array().unwrap();
            let found = layers.iter().find(|found| found["name"] == layer).unwrap();
            assert_eq!(found["passed"], passed, "{layer}");
            for number in ["max_abs", "max_rel", "cosine"] {
                assert!(found[number].is_f64(), "{number}");
            }
        }
        let not_compared = report["folded"].as_array().unwrap();
        assert_eq!(
            not_compared.is_empty(),
            engine == "candle",
            "{not_compared:?}"
        );
        let coverage = &report["coverage"];
        let all = coverage["layers"] == coverage["of_layers"];
        assert_eq!(all, engine == "candle", "{coverage}");
    }

    let equal = parity(&good, &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&equal.stdout).unwrap();
    assert_eq!(
        (equal.status.code(), &report["passed"]),
        (Some(0), &true.into())
    );
    assert!(report["first_divergence"].is_null());
}

/// A stride on the 1x1 convolution of a block, as in Caffe, for that on the 3x3: what lies between has
/// another shape.
#[test]
fn shapes_that_differ_are_refused_with_what_explains_them() {
    let folder = tempfile::tempdir().unwrap();
    let network = catalog::find("keras_seresnet50").unwrap();
    let tensors = drawn_parameters(network);
    let weights = folder.path().join("weights.safetensors");
    let metadata = HashMap::from([("network".to_owned(), network.name.to_string())]);
    let of_keras = |(name, tensor): (&String, &Tensor)| (name.clone(), tensor.clone());
    let tensors_of_file: Tensors = tensors.iter().map(of_keras).collect();
    safetensors::serialize_to_file(tensors_of_file, Some(metadata), &weights).unwrap();
    let layers = network.layers();
    let list: Vec<Layer> = layers.as_slice().to_vec();
    let moved = list.into_iter().map(|mut layer| {
        if let Operation::Conv(conv) = &mut layer.operation {
            match layer.name.as_str() {
                "layer2.0.conv1" => conv.window.stride = [2, 2],
                "layer2.0.conv2" => conv.window.stride = [1, 1],
                _ => {}
            }
        }
        layer
    });
    let moved = Layers::new(network.name.clone(), network.input, moved.collect()).unwrap();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let theirs = SeNet::new(moved, vb).unwrap();
    let pixels: Vec<f32> = (0..3 * 32 * 32).map(|i| (i as f32 * 0.37).sin()).collect();
    let input = Tensor::from_vec(pixels, (1, 3, 32, 32), &Device::Cpu).unwrap();
    let mut values = vec![("input".to_owned(), input.clone())];
    theirs
        .forward_with(&input, &mut |layer, value| {
            values.push((layer.name.clone(), value.clone()));
            Ok(())
        })
        .unwrap();
    let path = folder.path().join("dump.safetensors");
    let metadata = HashMap::from([("layout".to_owned(), "nchw".to_owned())]);
    safetensors::serialize_to_file(values, Some(metadata), &path).unwrap();
    let mut senet = Command::cargo_bin("senet").unwrap();
    senet
        .args(["parity", "--engine", "candle", "--reference"])
        .arg(&path);
    let refused = senet.arg("--weights").arg(&weights).assert().code(2);
    let message = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(
        message.contains("`layer2.0.conv1`: this network computes [1, 128, 8, 8]"),
        "{message}"
    );
    let hint = "hint: at `layer2.0.conv1` stride 2 in place of 1 explains the difference";
    assert!(message.contains(hint), "{message}");
}
