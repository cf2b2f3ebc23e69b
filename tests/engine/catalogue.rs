//! Every network of the catalogue.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};
use senet::cpu::{Algorithm, Engine, Options, WinogradTile};
use senet::model::Model;
use senet::network::trace::trace;
use senet::network::{Network, Shape, catalog};
use senet::nn::SeNet;

use crate::lively::{error, image, kept, lively};
use crate::{ERROR, TIMES_CANDLE};

/// With the larger tiles left out the engine rounds no worse than candle in single precision, but
/// for luck: a factor of two, or a handful of roundings of 6e-8 where candle is luckier still. The
/// error of either varies by up to ten from one image to another, so it is the largest of both
/// sizes that counts.
const TIMES_CANDLE_OF_2X2: f64 = 2.;
const ERROR_OF_2X2: f64 = 3e-7;

/// The first two of these that a network takes: an odd one, which anti-aliased networks do not, and
/// ones that divide by 32.
const SIZES: [[usize; 2]; 6] = [[33, 47], [64, 64], [75, 99], [97, 131], [64, 96], [96, 64]];

/// The networks, a test for each group of them; the first that fits is a network's.
const GROUPS: [&str; 9] = [
    "32x32",
    "seresnext",
    "seresnet",
    "resnext",
    "resnet",
    "legacy_",
    "efficientnet",
    "mobilenet",
    "",
];

fn is_in(group: &str, network: &Network) -> bool {
    let is_small = network.input.height == 32;
    let name = ["tf_", "tv_"]
        .iter()
        .find_map(|prefix| network.name.strip_prefix(prefix));
    match group {
        "32x32" => is_small,
        prefix => !is_small && name.unwrap_or(&network.name).starts_with(prefix),
    }
}

/// Networks with more parameters than that are others of their family, only larger: in double
/// precision and packed twice they would take minutes and gigabytes.
const MOST_PARAMETERS: u64 = 60_000_000;

/// Larger ones that are wired as no smaller one is.
const WIRED_ALONE: [&str; 3] = ["senet154", "se_vgg16_bn", "repvgg_d2se"];

fn compare(group: &'static str) {
    let group_of = |network: &Network| GROUPS.into_iter().find(|group| is_in(group, network));
    let of_group = |network: &&Network| group_of(network) == Some(group);
    for network in catalog::networks().filter(of_group) {
        let layers = network.layers();
        let counted = trace(&layers, network.input.shape(1)).unwrap();
        let alone = WIRED_ALONE.contains(&&*network.name);
        if counted.parameters > MOST_PARAMETERS && !alone {
            continue;
        }
        let sizes = SIZES.into_iter().filter(|&spatial| {
            let shape = Shape {
                spatial: Some(spatial),
                ..network.input.shape(1)
            };
            trace(&layers, shape).is_ok()
        });
        let sizes: Vec<[usize; 2]> = sizes.take(2).collect();
        assert_eq!(sizes.len(), 2, "{} takes two sizes", network.name);
        let tensors = kept(network);
        let weights = |dtype| VarBuilder::from_tensors(tensors.clone(), dtype, &Device::Cpu);
        let cases = sizes.iter().zip([3, 1]);
        let images: Vec<Tensor> = cases
            .map(|(&size, batch)| image(network, batch, size))
            .collect();
        // One after the other, since the largest networks have weights of gigabytes.
        let of_candle = |dtype| -> Vec<Tensor> {
            let net = SeNet::new(network.layers(), weights(dtype)).unwrap();
            let all = images.iter();
            all.map(|xs| net.forward(&xs.to_dtype(dtype).unwrap()).unwrap())
                .collect()
        };
        let of_engine = |winograd| -> Vec<Tensor> {
            let options = Options {
                winograd,
                ..Options::default()
            };
            // Not for the network's own size, which would be planned and packed for nothing.
            let first = Shape {
                spatial: Some(sizes[0]),
                ..network.input.shape(3)
            };
            let engine =
                Engine::for_input(network.layers(), first, weights(DType::F32), options).unwrap();
            images.iter().map(|xs| engine.run(xs).unwrap()).collect()
        };
        let [double, single] = [DType::F64, DType::F32].map(of_candle);
        let engines = [WinogradTile::F4x4, WinogradTile::F2x2].map(of_engine);
        let mut largest = [0_f64; 2];
        for (index, (&spatial, batch)) in sizes.iter().zip([3, 1]).enumerate() {
            let expected = &double[index];
            let of_candle = error(&single[index], expected);
            let of_engines = engines
                .each_ref()
                .map(|found| error(&found[index], expected));
            let [fast, small] = of_engines;
            let line = format!(
                "{:28} {spatial:3?} batch {batch}: candle {of_candle:.1e}, engine {fast:.1e}, \
                 2x2 tiles {small:.1e}",
                network.name
            );
            println!("{line}");
            for found in of_engines {
                assert!(found < ERROR.max(TIMES_CANDLE * of_candle), "{line}");
            }
            largest = [largest[0].max(of_candle), largest[1].max(small)];
        }
        let [of_candle, small] = largest;
        assert!(
            small < ERROR_OF_2X2.max(TIMES_CANDLE_OF_2X2 * of_candle),
            "{}: 2x2 tiles {small:.1e}, candle {of_candle:.1e}",
            network.name
        );
    }
}

/// What each group's test is to see: the engine computes what candle computes in double precision.
mod computes_what_candle_computes_in_double_precision {
    use super::compare;

    #[test]
    fn blocks_and_networks_for_32x32() {
        compare("32x32");
    }

    #[test]
    fn se_resnets() {
        compare("seresnet");
    }

    #[test]
    fn se_resnexts() {
        compare("seresnext");
    }

    #[test]
    fn resnets() {
        compare("resnet");
    }

    #[test]
    fn resnexts() {
        compare("resnext");
    }

    #[test]
    fn networks_ported_from_caffe() {
        compare("legacy_");
    }

    #[test]
    fn efficientnets() {
        compare("efficientnet");
    }

    #[test]
    fn mobilenets() {
        compare("mobilenet");
    }

    #[test]
    fn inceptions_vggs_and_all_others() {
        compare("");
    }
}

#[test]
fn no_tile_is_larger_than_allowed() {
    let network = catalog::find("vgg16_bn").unwrap();
    for winograd in [WinogradTile::F2x2, WinogradTile::F4x4] {
        let options = Options {
            winograd,
            ..Options::default()
        };
        let engine = Engine::new(network.layers(), lively(network, DType::F32), options).unwrap();
        let plan = engine.plan(network.input.shape(1)).unwrap();
        let uses = |tile| {
            let algorithm = Algorithm::Winograd(tile);
            plan.steps.iter().any(|step| step.algorithm == algorithm)
        };
        assert!(uses(WinogradTile::F2x2) || winograd == WinogradTile::F4x4);
        assert_eq!(uses(WinogradTile::F4x4), winograd == WinogradTile::F4x4);
    }
}
