//! What threads and batches may change, which is nothing.

use std::thread;
use std::time::Duration;

use candle_core::DType;
use senet::cpu::{Engine, Options, Precision};
use senet::model::Model;
use senet::network::{Network, catalog};

use crate::lively::{bits, image, lively};

fn engine(network: &Network, threads: usize) -> Engine {
    computing(network, threads, Precision::F32)
}

fn computing(network: &Network, threads: usize, precision: Precision) -> Engine {
    let options = Options {
        threads: Some(threads),
        precision,
        ..Options::default()
    };
    Engine::new(network.layers(), lively(network, DType::F32), options).unwrap()
}

#[test]
fn neither_the_batch_nor_the_threads_change_a_bit() {
    for (name, size) in [
        ("seresnet20", [99, 75]),
        ("legacy_seresnext26_32x4d", [99, 75]),
        ("se_inception_v3", [99, 75]),
        ("seresnet18", [99, 75]),
        // Expansions by rows, and gates that multiply weights.
        ("mobilenetv3_large_100", [160, 136]),
        // Down to maps of one pixel.
        ("resnext50_32x4d", [8, 8]),
        ("seresnet18", [8, 8]),
    ] {
        let network = catalog::find(name).unwrap();
        let xs = image(network, 5, size);
        let precisions = [
            (Precision::F32, &[1, 2, 3, 7][..]),
            (Precision::Bf16, &[1, 3]),
        ];
        for (precision, counts) in precisions {
            let engine = |threads| computing(network, threads, precision);
            let expected = bits(&engine(1).run(&xs).unwrap());
            for &threads in counts {
                let engine = engine(threads);
                for batch in [1, 2, 5] {
                    let mut found = Vec::new();
                    for first in (0..5).step_by(batch) {
                        let images = xs.narrow(0, first, batch.min(5 - first)).unwrap();
                        found.extend(bits(&engine.run(&images).unwrap()));
                    }
                    let name = format!("{name} in {}", precision.name());
                    assert_eq!(found, expected, "{name}, {threads} threads, batch {batch}");
                }
            }
        }
    }
}

/// Two engines of two threads that call them, and one engine of several, which wait for each other.
#[test]
fn engines_beside_each_other_do_not_meet() {
    let names = ["seresnet20", "resnet32"];
    let networks = names.map(|name| catalog::find(name).unwrap());
    let images = networks.map(|network| image(network, 2, [32, 32]));
    let expected: [Vec<u32>; 2] = std::array::from_fn(|index| {
        let engine = engine(networks[index], 1);
        bits(&engine.run(&images[index]).unwrap())
    });
    let engines: [Engine; 2] = std::array::from_fn(|index| engine(networks[index], 2 + index));
    thread::scope(|scope| {
        // Each engine is called by two.
        for index in [0, 1, 0, 1] {
            let (engine, images, expected) = (&engines[index], &images[index], &expected[index]);
            scope.spawn(move || {
                for _ in 0..30 {
                    assert_eq!(bits(&engine.run(images).unwrap()), *expected);
                }
            });
        }
    });
}

/// Right after a run, when its threads spin, and later, when they sleep; also without a run.
#[test]
fn an_engine_is_dropped_at_any_time() {
    let network = catalog::find("se_bottleneck").unwrap();
    let xs = image(network, 1, [9, 7]);
    let expected = bits(&engine(network, 1).run(&xs).unwrap());
    for round in 0..200 {
        let engine = engine(network, 1 + round % 5);
        if round % 3 > 0 {
            assert_eq!(bits(&engine.run(&xs).unwrap()), expected);
        }
        if round % 3 > 1 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
