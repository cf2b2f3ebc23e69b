//! The CPU's engine against candle in double precision, for every network of the catalogue.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; figures are shown with --nocapture"
)]

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use senet::checkpoint::drawn_weights;
use senet::cpu::{Engine, Isa, Options};
use senet::network::trace::trace;
use senet::network::{Layout, Network, Shape, catalog};
use senet::nn::SeNet;

fn image(network: &Network, batch: usize, spatial: [usize; 2]) -> Tensor {
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
fn lively(network: &Network, dtype: DType) -> VarBuilder<'static> {
    drawn_weights(network, dtype, &Device::Cpu)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor.to_dtype(DType::F64).unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, as a part of the largest magnitude.
fn error(found: &Tensor, expected: &Tensor) -> f64 {
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

/// Single precision rounds to 6e-8, and a network of a hundred layers loses two digits: the
/// share of the largest output that the engine may be off, or else so many times what candle in
/// single precision is off.
const ERROR: f64 = 5e-6;
const TIMES_CANDLE: f64 = 5.;

fn compare(networks: impl Iterator<Item = &'static Network>) {
    for network in networks {
        let layers = network.layers();
        let single = SeNet::new(network, lively(network, DType::F32)).unwrap();
        let double = SeNet::new(network, lively(network, DType::F64)).unwrap();
        // One size is odd, at the other a plan of another batch is made.
        let sizes = [[33, 47], [64, 64], [75, 99], [97, 131]];
        let sizes = sizes.into_iter().filter(|&spatial| {
            let shape = Shape {
                spatial: Some(spatial),
                ..network.input.shape(1)
            };
            trace(&layers, shape).is_ok()
        });
        let engine = Engine::new(network, lively(network, DType::F32), Options::default());
        let engine = engine.unwrap();
        for (spatial, batch) in sizes.take(2).zip([3, 1]) {
            let xs = image(network, batch, spatial);
            let expected = double.forward(&xs.to_dtype(DType::F64).unwrap()).unwrap();
            let of_candle = error(&single.forward(&xs).unwrap(), &expected);
            let found = error(&engine.run(&xs).unwrap(), &expected);
            println!(
                "{:28} {spatial:3?} batch {batch}: engine {found:.1e}, candle {of_candle:.1e}",
                network.name
            );
            assert!(
                found < ERROR.max(TIMES_CANDLE * of_candle),
                "{} {spatial:?}: {found}",
                network.name
            );
        }
    }
}

/// Every second network; the halves run at once.
#[test]
fn half_of_the_networks_compute_what_candle_computes_in_double_precision() {
    compare(catalog::networks().step_by(2));
}

#[test]
fn the_other_half_does_too() {
    compare(catalog::networks().skip(1).step_by(2));
}

#[test]
fn every_instruction_set_and_weights_in_double_precision_agree() {
    for name in ["se_bottleneck", "seresnet20", "legacy_seresnext26_32x4d"] {
        let network = catalog::find(name).unwrap();
        let xs = image(network, 2, [33, 47]);
        let double = SeNet::new(network, lively(network, DType::F64)).unwrap();
        let expected = double.forward(&xs.to_dtype(DType::F64).unwrap()).unwrap();
        for isa in Isa::available() {
            for dtype in [DType::F32, DType::F64] {
                let options = Options {
                    isa: Some(isa),
                    ..Options::default()
                };
                let engine = Engine::new(network, lively(network, dtype), options).unwrap();
                let found = error(&engine.run(&xs).unwrap(), &expected);
                assert!(found < ERROR, "{name} {isa} {dtype:?}: {found}");
            }
        }
    }
}

#[test]
fn every_value_that_the_engine_keeps_is_candles() {
    for name in [
        "se_block",
        "seresnet20",
        "legacy_seresnet18",
        "seresnextaa101d_32x8d",
        "se_inception_resnet_v2",
        "se_bn_inception",
    ] {
        let network = catalog::find(name).unwrap();
        let xs = image(network, 2, [96, 128]);
        let mut values = HashMap::new();
        let double = SeNet::new(network, lively(network, DType::F64)).unwrap();
        double
            .forward_with(&xs.to_dtype(DType::F64).unwrap(), &mut |layer, value| {
                values.insert(layer.name.clone(), value.clone());
                Ok(())
            })
            .unwrap();
        let engine = Engine::new(network, lively(network, DType::F32), Options::default());
        let mut seen = Vec::new();
        engine
            .unwrap()
            .run_observed(&xs, &mut |layer, value| {
                let expected = values[&layer.name].reshape(value.dims())?;
                let found = error(value, &expected);
                assert!(found < 2. * ERROR, "{name} `{}`: {found}", layer.name);
                seen.push(layer.name.clone());
                Ok(())
            })
            .unwrap();
        let layers = network.layers();
        for block in layers.blocks() {
            let last = &layers.as_slice()[layers.position(block).unwrap()].name;
            assert!(seen.contains(last), "{name}: `{last}` is kept");
        }
    }
}

#[test]
fn an_input_that_does_not_fit_is_refused() {
    let network = catalog::find("seresnet20").unwrap();
    let engine = Engine::new(network, lively(network, DType::F32), Options::default()).unwrap();
    let wrong = Tensor::zeros((1, 4, 32, 32), DType::F32, &Device::Cpu).unwrap();
    let problem = engine.run(&wrong).unwrap_err().to_string();
    assert!(problem.contains("expects 3 channels, found 4"), "{problem}");
}

#[test]
fn neither_the_batch_nor_the_threads_change_a_bit() {
    for name in [
        "seresnet20",
        "legacy_seresnext26_32x4d",
        "se_inception_v3",
        "seresnet18",
    ] {
        let network = catalog::find(name).unwrap();
        let xs = image(network, 5, [99, 75]);
        let engine = |threads| {
            let options = Options {
                threads: Some(threads),
                ..Options::default()
            };
            Engine::new(network, lively(network, DType::F32), options).unwrap()
        };
        let bits = |tensor: &Tensor| -> Vec<u32> {
            let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            numbers.into_iter().map(f32::to_bits).collect()
        };
        let expected = bits(&engine(1).run(&xs).unwrap());
        for threads in [1, 2, 3, 7] {
            let engine = engine(threads);
            for batch in [1, 2, 5] {
                let mut found = Vec::new();
                for first in (0..5).step_by(batch) {
                    let images = xs.narrow(0, first, batch.min(5 - first)).unwrap();
                    found.extend(bits(&engine.run(&images).unwrap()));
                }
                assert_eq!(found, expected, "{name}, {threads} threads, batch {batch}");
            }
        }
    }
}

/// With the larger tiles left out the engine rounds no worse than candle in single precision,
/// but for luck: a factor of two.
#[test]
fn exact_leaves_out_the_largest_tiles() {
    let network = catalog::find("vgg16_bn").unwrap();
    let xs = image(network, 1, [64, 64]);
    let double = SeNet::new(network, lively(network, DType::F64)).unwrap();
    let expected = double.forward(&xs.to_dtype(DType::F64).unwrap()).unwrap();
    let single = SeNet::new(network, lively(network, DType::F32)).unwrap();
    let of_candle = error(&single.forward(&xs).unwrap(), &expected);
    for exact in [false, true] {
        let options = Options {
            exact,
            ..Options::default()
        };
        let engine = Engine::new(network, lively(network, DType::F32), options).unwrap();
        let plan = engine.plan(network.input.shape(1)).unwrap();
        let uses = |algorithm| plan.steps.iter().any(|step| step.algorithm == algorithm);
        assert!(uses("winograd 2x2") || !exact);
        assert_ne!(uses("winograd 4x4"), exact);
        let found = error(&engine.run(&xs).unwrap(), &expected);
        assert!(!exact || found < 2. * of_candle, "{found} {of_candle}");
    }
}
