//! Every network of the catalogue.

use candle_core::DType;
use candle_nn::Module;
use senet::cpu::{Engine, Options};
use senet::network::trace::trace;
use senet::network::{Network, Shape, catalog};
use senet::nn::SeNet;

use crate::lively::{error, image, lively};
use crate::{ERROR, TIMES_CANDLE};

/// With the larger tiles left out the engine rounds no worse than candle in single precision, but
/// for luck: a factor of two, or a handful of roundings of 6e-8 where candle is luckier still. The
/// error of either varies by up to ten from one image to another, so it is the largest of both
/// sizes that counts.
const TIMES_CANDLE_EXACTLY: f64 = 2.;
const ERROR_EXACTLY: f64 = 3e-7;

/// The first two of these that a network takes: an odd one, which anti-aliased networks do not, and
/// ones that divide by 32.
const SIZES: [[usize; 2]; 6] = [[33, 47], [64, 64], [75, 99], [97, 131], [64, 96], [96, 64]];

fn compare(networks: impl Iterator<Item = &'static Network>) {
    for network in networks {
        let layers = network.layers();
        let sizes = SIZES.into_iter().filter(|&spatial| {
            let shape = Shape {
                spatial: Some(spatial),
                ..network.input.shape(1)
            };
            trace(&layers, shape).is_ok()
        });
        let sizes: Vec<[usize; 2]> = sizes.take(2).collect();
        assert_eq!(sizes.len(), 2, "{} takes two sizes", network.name);
        let single = SeNet::new(network, lively(network, DType::F32)).unwrap();
        let double = SeNet::new(network, lively(network, DType::F64)).unwrap();
        let engine = |exact| {
            let options = Options {
                exact,
                ..Options::default()
            };
            Engine::new(network, lively(network, DType::F32), options).unwrap()
        };
        let engines = [engine(false), engine(true)];
        let mut largest = [0_f64; 2];
        for (spatial, batch) in sizes.into_iter().zip([3, 1]) {
            let xs = image(network, batch, spatial);
            let expected = double.forward(&xs.to_dtype(DType::F64).unwrap()).unwrap();
            let of_candle = error(&single.forward(&xs).unwrap(), &expected);
            let of_engines = engines.each_ref().map(|engine| {
                let found = engine.run(&xs).unwrap();
                error(&found, &expected)
            });
            let [fast, exact] = of_engines;
            let line = format!(
                "{:28} {spatial:3?} batch {batch}: candle {of_candle:.1e}, engine {fast:.1e}, \
                 exact {exact:.1e}",
                network.name
            );
            println!("{line}");
            for found in of_engines {
                assert!(found < ERROR.max(TIMES_CANDLE * of_candle), "{line}");
            }
            largest = [largest[0].max(of_candle), largest[1].max(exact)];
        }
        let [of_candle, exact] = largest;
        assert!(
            exact < ERROR_EXACTLY.max(TIMES_CANDLE_EXACTLY * of_candle),
            "{}: exact {exact:.1e}, candle {of_candle:.1e}",
            network.name
        );
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
fn exact_leaves_out_the_largest_tiles() {
    let network = catalog::find("vgg16_bn").unwrap();
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
    }
}
