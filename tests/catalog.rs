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

#[test]
fn shapes_without_weights_equal_those_of_real_tensors() {
    for network in catalog::networks() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let net = SeNet::new(network, vb).unwrap();
        // Odd sizes, where rounding differs most, kept small to be quick.
        for spatial in [[33, 47], [75, 99], [1, 1]] {
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

/// What `scripts/network_facts.py` wrote: for each layer, its shape under each of the inputs.
#[derive(serde::Deserialize)]
struct Facts {
    parameters: u64,
    buffers: u64,
    inputs: Vec<[usize; 4]>,
    layers: BTreeMap<String, Vec<Vec<usize>>>,
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
            .all(|network| facts.contains_key(network.name))
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
        // Keras's global pool flattens at once.
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
                let Some(theirs) = facts.layers.get(&layer.name).map(|shapes| &shapes[index])
                else {
                    continue;
                };
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
