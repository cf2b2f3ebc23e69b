//! The catalogue against Keras's own counts and shapes, and against real tensors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use senet::network::trace::trace;
use senet::network::{Layout, Network, Shape, catalog};
use senet::nn::SeNet;

fn sized(network: &Network, spatial: [usize; 2]) -> Shape {
    Shape {
        spatial: Some(spatial),
        ..network.input.shape(1)
    }
}

/// Networks with more parameters than that are others of their family, only larger: their tensors
/// would take gigabytes. `scripts/pytorch/check_names.py` compares the names, shapes and counts of
/// all.
const MOST_PARAMETERS: u64 = 150_000_000;

fn fits_in_memory(network: &Network) -> bool {
    let counted = trace(&network.layers(), network.input.shape(1)).unwrap();
    counted.parameters <= MOST_PARAMETERS
}

#[test]
fn shapes_without_weights_equal_those_of_real_tensors() {
    for network in catalog::networks().filter(|network| fits_in_memory(network)) {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let net = SeNet::new(network.layers(), vb).unwrap();
        // An odd size, where rounding differs most, small to be quick, but not too small for it.
        let takes = |spatial: &[usize; 2]| trace(net.layers(), sized(network, *spatial)).is_ok();
        let odd = [[33, 47], [75, 99]].into_iter().find(takes);
        for spatial in odd.into_iter().chain([[1, 1]]) {
            let shape = sized(network, spatial);
            let input = Tensor::zeros(shape.dims(Layout::Nchw), DType::F32, &Device::Cpu).unwrap();
            let mut seen = Vec::new();
            let ran = net.forward_with(&input, &mut |layer, value| {
                seen.push((layer.name.clone(), value.dims().to_vec()));
                Ok(())
            });
            let Ok(expected) = trace(net.layers(), shape) else {
                // Too small, or one at which the branches of an `aa` network differ.
                assert!(ran.is_err(), "{} takes {spatial:?}", network.name);
                continue;
            };
            ran.unwrap();
            let expected: Vec<_> = net
                .layers()
                .as_slice()
                .iter()
                .zip(&expected.layers)
                .map(|(layer, cost)| (layer.name.clone(), cost.output.dims(Layout::Nchw)))
                .collect();
            assert_eq!(seen, expected, "{}", network.name);
        }
    }
}

/// A block's width, stride and channels cannot be told from shapes alone: the cost can.
#[test]
fn macs_of_seresnet50_are_those_counted_by_hand_for_its_stem() {
    let network = catalog::find("keras_seresnet50").unwrap();
    let layers = network.layers();
    let trace = trace(&layers, network.input.shape(1)).unwrap();
    assert_eq!(trace.layers[0].macs, 112 * 112 * 64 * 7 * 7 * 3);
    // The SENet paper, table 2, prints 3.87 GFLOPs for the stride on the first 1x1; with the
    // stride on the 3x3 the usual figure is 4.1.
    assert!(
        (4.05e9..4.15e9).contains(&(trace.macs as f64)),
        "{}",
        trace.macs
    );
}

#[test]
fn the_se_block_squeezes_each_channel_to_one_number() {
    let network = Network::se_block(10, 4).unwrap();
    let trace = trace(&network.layers(), sized(&network, [32, 32])).unwrap();
    assert_eq!(trace.layers[0].output.dims(Layout::Nhwc), [1, 1, 1, 10]);
    assert_eq!(trace.parameters, 10 * 4 + 4 + 4 * 10 + 10);
}

/// What `scripts/keras/network_facts.py` wrote: for each layer, which of `shapes` it has; each of those
/// is given for each of the inputs.
#[derive(serde::Deserialize)]
struct Facts {
    parameters: u64,
    buffers: u64,
    inputs: Vec<[usize; 4]>,
    shapes: Vec<Vec<Vec<usize>>>,
    layers: BTreeMap<String, usize>,
}

#[test]
fn counts_and_shapes_are_those_keras_reports() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/network_facts.json"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let facts: BTreeMap<String, Facts> = serde_json::from_str(&text).unwrap();
    let in_keras = |network: &&Network| network.convention.name == "keras";
    assert!(
        catalog::networks()
            .filter(in_keras)
            .all(|network| facts.contains_key(network.name.as_ref()))
    );
    for (name, facts) in &facts {
        let network = catalog::find(name).unwrap();
        let layers = network.layers();
        assert_eq!(
            facts.inputs.len(),
            2,
            "{}: an even and an odd size",
            network.name
        );
        let mut ours: Vec<_> = layers
            .as_slice()
            .iter()
            .map(|layer| layer.name.as_str())
            .collect();
        // Keras's global pool flattens at once, and VGG's pixels in another order.
        ours.retain(|&name| name != "flatten");
        ours.sort_unstable();
        assert!(
            facts.layers.keys().map(String::as_str).eq(ours),
            "{}",
            network.name
        );
        for (index, &[_, height, width, _]) in facts.inputs.iter().enumerate() {
            let trace = trace(&layers, sized(network, [height, width])).unwrap();
            assert_eq!(trace.parameters, facts.parameters, "{}", network.name);
            assert_eq!(trace.buffers, facts.buffers, "{}", network.name);
            for (layer, cost) in layers.as_slice().iter().zip(&trace.layers) {
                let Some(&shape) = facts.layers.get(&layer.name) else {
                    continue;
                };
                let theirs = &facts.shapes[shape][index];
                let ours = cost.output.dims(Layout::Nhwc);
                assert_eq!(
                    ours, *theirs,
                    "{} {height}x{width} {}",
                    network.name, layer.name
                );
            }
        }
    }
}

/// Parameters and billions of multiplies as published: by timm for its own networks at the size
/// each is made for; from `resnet18` on in the metadata of torchvision's weights, by its own names
/// where the catalogue understands them so; from `bn_inception` on in the `SENet` paper, where
/// parameters are those that pretrainedmodels 0.7.4 and timm 1.0.31 count
/// (`sum(p.numel() for p in model.parameters())`).
///
/// torchvision's 27,161,264 parameters of `inception_v3` have 3,326,696 of a second classifier
/// among them, which helps training alone. For Inception-ResNet-v2 the paper prints 11.75 at
/// 299x299 and publishes no network: timm's, ported from TensorFlow-slim, has 13.18.
const PUBLISHED: &[(&str, u64, f64)] = &[
    ("legacy_senet154", 115_088_984, 20.77),
    ("legacy_seresnet18", 11_778_592, 1.82),
    ("legacy_seresnet34", 21_958_868, 3.67),
    ("legacy_seresnet50", 28_088_024, 3.88),
    ("legacy_seresnet101", 49_326_872, 7.61),
    ("legacy_seresnet152", 66_821_848, 11.33),
    ("legacy_seresnext26_32x4d", 16_790_280, 2.49),
    ("legacy_seresnext50_32x4d", 27_559_896, 4.26),
    ("legacy_seresnext101_32x4d", 48_955_416, 8.02),
    ("senet154", 115_088_984, 20.77),
    ("seresnet18", 11_779_624, 1.82),
    ("seresnet34", 21_960_416, 3.67),
    ("seresnet50", 28_088_024, 4.11),
    ("seresnet50t", 28_104_720, 4.32),
    ("seresnet101", 49_326_872, 7.84),
    ("seresnet152", 66_821_848, 11.57),
    ("seresnet152d", 66_841_080, 15.42),
    ("seresnet200d", 71_855_096, 20.01),
    ("seresnet269d", 113_672_760, 26.59),
    ("seresnetaa50d", 28_107_256, 5.4),
    ("seresnext26d_32x4d", 16_809_512, 2.73),
    ("seresnext26t_32x4d", 16_806_976, 2.7),
    ("seresnext50_32x4d", 27_559_896, 4.26),
    ("seresnext101_32x4d", 48_955_416, 8.02),
    ("seresnext101_32x8d", 93_569_048, 16.48),
    ("seresnext101_64x4d", 88_232_984, 15.53),
    ("seresnext101d_32x8d", 93_588_280, 16.72),
    ("seresnextaa101d_32x8d", 93_588_280, 28.51),
    ("seresnextaa201d_32x8d", 149_394_904, 101.11),
    ("resnet18", 11_689_512, 1.814),
    ("resnet34", 21_797_672, 3.664),
    ("resnet50", 25_557_032, 4.089),
    ("resnet101", 44_549_160, 7.801),
    ("resnet152", 60_192_808, 11.514),
    ("resnext50_32x4d", 25_028_904, 4.23),
    ("resnext101_32x8d", 88_791_336, 16.414),
    ("resnext101_64x4d", 83_455_272, 15.46),
    ("inception_v3", 27_161_264 - 3_326_696, 5.713),
    ("regnet_y_400mf", 4_344_144, 0.402),
    ("regnet_y_800mf", 6_432_512, 0.834),
    ("regnet_y_1_6gf", 11_202_430, 1.612),
    ("regnet_y_3_2gf", 19_436_338, 3.176),
    ("regnet_y_8gf", 39_381_472, 8.473),
    ("regnet_y_16gf", 83_590_140, 15.912),
    ("regnet_y_32gf", 145_046_770, 32.28),
    ("regnet_y_128gf", 644_812_894, 374.57),
    ("regnet_x_400mf", 5_495_976, 0.414),
    ("regnet_x_800mf", 7_259_656, 0.8),
    ("regnet_x_1_6gf", 9_190_136, 1.603),
    ("regnet_x_3_2gf", 15_296_552, 3.177),
    ("regnet_x_8gf", 39_572_648, 7.995),
    ("regnet_x_16gf", 54_278_536, 15.941),
    ("regnet_x_32gf", 107_811_560, 31.736),
    ("vgg16_bn", 138_365_992, 15.47),
    ("tv_efficientnet_b0", 5_288_548, 0.386),
    ("tv_efficientnet_b1", 7_794_184, 0.687),
    ("tv_efficientnet_b2", 9_109_994, 1.088),
    ("tv_efficientnet_b3", 12_233_232, 1.827),
    ("tv_efficientnet_b4", 19_341_616, 4.394),
    ("tv_efficientnet_b5", 30_389_784, 10.266),
    ("tv_efficientnet_b6", 43_040_704, 19.068),
    ("tv_efficientnet_b7", 66_347_960, 37.746),
    ("tv_efficientnet_v2_s", 21_458_488, 8.366),
    ("tv_efficientnet_v2_m", 54_139_356, 24.582),
    ("tv_efficientnet_v2_l", 118_515_272, 56.08),
    ("mobilenet_v2", 3_504_872, 0.301),
    ("mobilenet_v3_large", 5_483_032, 0.217),
    ("mobilenet_v3_small", 2_542_856, 0.057),
    ("mnasnet0_5", 2_218_512, 0.104),
    ("mnasnet0_75", 3_170_208, 0.215),
    ("mnasnet1_0", 4_383_312, 0.314),
    ("mnasnet1_3", 6_282_256, 0.526),
    ("MobileNetV3Small", 2_542_856, 0.057),
    ("MobileNetV3Large", 5_483_032, 0.217),
    ("keras_efficientnet_b0", 5_288_548, 0.386),
    ("keras_efficientnet_b1", 7_794_184, 0.687),
    ("keras_efficientnet_b3", 12_233_232, 1.827),
    ("keras_efficientnet_b4", 19_341_616, 4.394),
    ("keras_efficientnet_b5", 30_389_784, 10.266),
    ("keras_efficientnet_b6", 43_040_704, 19.068),
    ("keras_efficientnet_b7", 66_347_960, 37.746),
    ("keras_efficientnetv2_s", 21_458_488, 8.366),
    ("keras_efficientnetv2_m", 54_139_356, 24.582),
    ("keras_efficientnetv2_l", 118_515_272, 56.08),
    ("bn_inception", 11_295_240, 2.03),
    ("inception_resnet_v2", 55_843_464, 13.18),
];

#[test]
fn parameters_and_multiplies_are_those_published() {
    for &(name, parameters, billions) in PUBLISHED {
        let network = catalog::find(name).unwrap();
        let trace = trace(&network.layers(), network.input.shape(1)).unwrap();
        assert_eq!(trace.parameters, parameters, "{name}");
        // timm counts batch norms and pools too, up to 0.74 % more; torchvision rounds.
        let ratio = trace.macs as f64 / 1e9 / billions;
        assert!((ratio - 1.).abs() < 0.01, "{name}: {ratio}");
    }
}

/// An SE block of reduction 16: two dense layers with biases.
fn se_parameters(channels: usize) -> usize {
    2 * channels * (channels / 16) + channels / 16 + channels
}

#[test]
fn inception_and_vgg_with_gates_have_those_parameters_more() {
    const BN_INCEPTION: [usize; 10] = [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024];
    const INCEPTION_V3: [usize; 11] = [256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048];
    const VGG: [usize; 13] = [
        64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512,
    ];
    let repeated = [(11, 320), (21, 1088), (12, 2080)];
    let inception_resnet: Vec<usize> = repeated
        .into_iter()
        .flat_map(|(count, channels)| vec![channels; count])
        .collect();
    // The second column: what the plain twin has for every channel of its batch norms and this
    // one lacks, a bias of the convolution before or a gamma.
    for (name, lacks, channels) in [
        ("bn_inception", true, &BN_INCEPTION[..]),
        ("inception_v3", true, &INCEPTION_V3),
        ("inception_resnet_v2", true, &inception_resnet),
        ("vgg16_bn", false, &VGG),
    ] {
        let of = |name: &str| {
            let network = catalog::find(name).unwrap();
            trace(&network.layers(), network.input.shape(1)).unwrap()
        };
        let (plain, with_gates) = (of(name), of(&format!("se_{name}")));
        let gates: usize = channels.iter().copied().map(se_parameters).sum();
        let lacking = if lacks { plain.buffers / 2 } else { 0 };
        assert_eq!(
            with_gates.parameters + lacking,
            plain.parameters + gates as u64,
            "{name}"
        );
        // The SENet paper prints 0.01 billion more for each, of which gates are a part.
        assert!(
            (0..15_000_000).contains(&(with_gates.macs - plain.macs)),
            "{name}"
        );
    }
}
