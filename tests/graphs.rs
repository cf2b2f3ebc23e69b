//! Networks as graphs: the same bits as the catalogue's, whatever a graph says no panic, and all
//! commands on a file that describes its own network.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use candle_core::{DType, Device, Tensor};
use senet::checkpoint::drawn_weights;
use senet::cpu::{Engine, Options};
use senet::model::Model;
use senet::network::graph::OPERATIONS;
use senet::network::trace::trace;
use senet::network::{Graph, Layers, Shape, catalog};
use senet::nn::{SeNet, most_elements};
use serde_json::Value as Json;

/// A smooth image of so many channels, height and width.
fn image(dims: [usize; 3]) -> Tensor {
    let count: usize = dims.iter().product();
    let numbers = (0..count).map(|place| (place as f32 * 0.37).sin());
    let [channels, height, width] = dims;
    Tensor::from_vec(
        numbers.collect(),
        (1, channels, height, width),
        &Device::Cpu,
    )
    .unwrap()
}

fn bits(values: &Tensor) -> Vec<u32> {
    let numbers: Vec<f32> = values.flatten_all().unwrap().to_vec1().unwrap();
    numbers.into_iter().map(f32::to_bits).collect()
}

/// What both engines compute with drawn weights of an image of this size.
fn computed(layers: &Layers, size: [usize; 2]) -> [Tensor; 2] {
    let vb = || drawn_weights(layers, DType::F32, &Device::Cpu);
    let xs = image([layers.input().channels, size[0], size[1]]);
    let shape = Shape::of_maps(xs.dims4().unwrap());
    let engine = Engine::for_input(layers.clone(), shape, vb(), Options::default()).unwrap();
    let candle = SeNet::new(layers.clone(), vb()).unwrap();
    [engine.run(&xs).unwrap(), Model::run(&candle, &xs).unwrap()]
}

fn comes_back_bit_for_bit(name: &str, size: [usize; 2]) {
    let layers = catalog::find(name).unwrap().layers();
    let graph = Graph::parse(&Graph::of(&layers).to_json()).unwrap();
    let read = graph.layers(None).unwrap();
    let [ours, theirs] = [&layers, &read].map(|layers| computed(layers, size));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(bits(ours), bits(theirs), "{name}");
    }
}

/// One with gates, one with constants and learnt numbers, one with slices and one with blurs.
#[test]
fn networks_compute_the_same_bits_as_their_graphs() {
    for (name, size) in [
        ("seresnet20", [32, 32]),
        ("dm_nfnet_f0", [64, 64]),
        ("shufflenet", [64, 64]),
        ("efficientnet_blur_b0", [64, 64]),
    ] {
        comes_back_bit_for_bit(name, size);
    }
}

/// Minutes: every network at the least size that it takes.
#[test]
#[ignore = "takes minutes; `cargo test --release --test graphs -- --ignored` runs it"]
fn every_network_computes_the_same_bits_as_its_graph() {
    for network in catalog::networks() {
        let layers = network.layers();
        let sizes = [32, 64, 96, 128, 160, 224].map(|side| [side, side]);
        let own = [network.input.height, network.input.width];
        let takes = |size: &&[usize; 2]| {
            let shape = Shape {
                spatial: Some(**size),
                ..network.input.shape(1)
            };
            trace(&layers, shape).is_ok()
        };
        let size = sizes.iter().find(takes).copied().unwrap_or(own);
        comes_back_bit_for_bit(&network.name, size);
        println!("{} at {}x{}", network.name, size[0], size[1]);
    }
}

/// A fixed sequence that looks random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// All places in a document, as pointers.
fn places(json: &Json, pointer: &str, into: &mut Vec<String>) {
    into.push(pointer.to_owned());
    match json {
        Json::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                places(item, &format!("{pointer}/{index}"), into);
            }
        }
        Json::Object(fields) => {
            for (key, value) in fields {
                places(value, &format!("{pointer}/{key}"), into);
            }
        }
        _ => {}
    }
}

/// Changes something of a document: a number, a name, an operation; takes away, doubles or swaps.
fn mutate(document: &mut Json, random: &mut Random) {
    const NUMBERS: [f64; 12] = [
        0.,
        1.,
        2.,
        3.,
        5.,
        16.,
        255.,
        65_536.,
        4_294_967_296.,
        1.8e19,
        -1.,
        0.5,
    ];
    const OPERATIONS: [&str; 12] = [
        "conv",
        "linear",
        "batch_norm",
        "softmax",
        "max_pool",
        "add",
        "scale",
        "concat",
        "crop",
        "upsample",
        "flatten",
        "group_norm",
    ];
    let mut all = Vec::new();
    places(document, "", &mut all);
    // Mostly of the layers, and mostly what leaves a layer one.
    let attributes = all.iter().filter(|place| {
        let is_attribute = !place.ends_with("/name") && !place.contains("/inputs");
        place.starts_with("/layers/") && is_attribute && place.matches('/').count() > 2
    });
    let attributes: Vec<String> = attributes.cloned().collect();
    if random.below(4) > 0 && !attributes.is_empty() {
        all = attributes;
    }
    let [place, other] = [0; 2].map(|_| all[random.below(all.len())].clone());
    let copied = document.pointer(&other).unwrap().clone();
    let target = document.pointer_mut(&place).unwrap();
    match (random.below(8), &mut *target) {
        (0..=6, Json::Number(_)) => {
            let number = NUMBERS[random.below(NUMBERS.len())];
            *target = if number.fract() == 0. && number >= 0. {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole numbers below 2^64"
                )]
                Json::from(number as u64)
            } else {
                Json::from(number)
            };
        }
        (0..=2, Json::String(text)) => {
            *text = match random.below(3) {
                0 => OPERATIONS[random.below(OPERATIONS.len())].to_owned(),
                1 => "x".repeat(random.below(300)),
                _ => text.chars().rev().collect(),
            };
        }
        (0..=3, Json::Array(list)) if !list.is_empty() => {
            let at = random.below(list.len());
            match random.below(3) {
                0 => {
                    list.remove(at);
                }
                1 => list.push(list[at].clone()),
                _ => {
                    let with = random.below(list.len());
                    list.swap(at, with);
                }
            }
        }
        (0..=3, Json::Object(fields)) if !fields.is_empty() => {
            let key = fields
                .keys()
                .nth(random.below(fields.len()))
                .unwrap()
                .clone();
            fields.remove(&key);
        }
        (4, _) => *target = Json::Null,
        _ => *target = copied,
    }
}

/// Whether a run takes little memory and few products.
fn is_small(layers: &Layers, shape: Shape) -> bool {
    const MOST_MACS: u64 = 20_000_000;
    const MOST_ELEMENTS: u64 = 10_000_000;
    let Ok(trace) = trace(layers, shape) else {
        return false;
    };
    let elements = most_elements(layers, &trace).unwrap_or(u64::MAX);
    trace.macs < MOST_MACS && elements < MOST_ELEMENTS && trace.parameters < MOST_ELEMENTS
}

/// Two graphs of a few layers, and one of the catalogue's.
fn seeds() -> Vec<Json> {
    let own = [
        include_str!("fixtures/graphs/tiny.json"),
        include_str!("fixtures/graphs/every_operation.json"),
    ];
    let layers = catalog::find("se_bottleneck").unwrap().layers();
    let of_catalogue = Graph::of(&layers).to_json();
    own.into_iter()
        .chain([of_catalogue.as_str()])
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

/// Whatever is changed, it is refused in one line or runs, and then both engines agree.
#[test]
fn mutated_graphs_are_refused_or_run() {
    /// Of single precision, in a network that nothing conditions well.
    const TOLERANCE: f32 = 1e-2;
    let mut random = Random(19);
    let seeds = seeds();
    let (mut refused, mut ran) = (0, 0);
    for number in 0..2000 {
        let mut document = seeds[number % seeds.len()].clone();
        for _ in 0..=random.below(2) {
            mutate(&mut document, &mut random);
        }
        let graph = match Graph::parse(&document.to_string()) {
            Ok(graph) => graph,
            Err(error) => {
                let message = error.to_string();
                assert!(!message.is_empty() && message.len() < 2000, "{message}");
                assert!(!message.contains('\n'), "{message}");
                refused += 1;
                continue;
            }
        };
        let Ok(layers) = graph.layers(None) else {
            refused += 1;
            continue;
        };
        let input = layers.input();
        if !is_small(&layers, input.shape(1)) {
            continue;
        }
        ran += 1;
        let [engine, candle] = computed(&layers, [input.height, input.width]);
        assert_eq!(engine.dims(), candle.dims());
        let [engine, candle] = [engine, candle].map(|values| {
            let numbers: Vec<f32> = values.flatten_all().unwrap().to_vec1().unwrap();
            numbers
        });
        let largest = candle
            .iter()
            .fold(0_f32, |most, value| most.max(value.abs()));
        for (ours, theirs) in engine.iter().zip(&candle) {
            let alike = (ours - theirs).abs() <= TOLERANCE * largest;
            assert!(
                alike || !theirs.is_finite() || !ours.is_finite(),
                "graph {number}: {ours} and {theirs} of {document}"
            );
        }
    }
    assert!(refused > 500 && ran > 200, "{refused} refused, {ran} ran");
}

/// The operations that a text names between backquotes at the beginning of a row of a table.
fn operations_in_table(text: &str) -> Vec<String> {
    let (_, table) = text.split_once("| `op` |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    first_cells
        .flat_map(|cell| cell.split(','))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}

#[test]
fn the_page_on_graphs_has_the_example_and_all_operations() {
    let page = include_str!("../docs/graphs.md");
    let example = include_str!("fixtures/graphs/tiny.json");
    assert!(
        page.contains(&format!("```json\n{example}```")),
        "example of docs/graphs.md"
    );
    let mut documented = operations_in_table(page);
    documented.sort();
    let mut all = OPERATIONS.to_vec();
    all.sort_unstable();
    assert_eq!(documented, all);
}

/// For each operation its attributes by name, and whether it has to be there.
fn schema() -> Vec<(String, Vec<(String, bool)>)> {
    let schema: Json = serde_json::from_str(include_str!("../docs/graph.schema.json")).unwrap();
    let layers = schema["$defs"]["layer"]["oneOf"].as_array().unwrap();
    let names = |layer: &Json| -> Vec<String> {
        let op = &layer["properties"]["op"];
        let names = op["enum"].as_array().cloned();
        let names = names.unwrap_or_else(|| vec![op["const"].clone()]);
        names
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let attributes = |layer: &Json| -> Vec<(String, bool)> {
        let required = layer["required"].as_array().unwrap();
        let keys = layer["properties"].as_object().unwrap().keys();
        let own = keys.filter(|key| !["op", "name", "inputs", "tensors"].contains(&key.as_str()));
        own.map(|key| (key.clone(), required.contains(&Json::from(key.as_str()))))
            .collect()
    };
    let of_layer = |layer: &Json| {
        let attributes = attributes(layer);
        let with_attributes = |name| (name, attributes.clone());
        names(layer)
            .into_iter()
            .map(with_attributes)
            .collect::<Vec<_>>()
    };
    layers.iter().flat_map(of_layer).collect()
}

/// What the schema says of a layer's keys is what is read: no key more and none less.
#[test]
fn the_schema_has_the_attributes_of_all_operations() {
    let of_schema = schema();
    let mut names: Vec<&str> = of_schema.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let mut all = OPERATIONS.to_vec();
    all.sort_unstable();
    assert_eq!(names, all);
    for (op, attributes) in of_schema {
        let refusal = |keys: &[&str]| {
            let mut layer = serde_json::json!({"name": "a", "op": op, "inputs": ["image"]});
            for key in keys {
                // Of no attribute's type, so that one which is known is refused by that.
                layer[*key] = "no type".into();
            }
            let document = serde_json::json!({
                "version": 1,
                "input": {"name": "image", "shape": [3, 8, 8], "layout": "chw"},
                "layers": [layer],
                "outputs": ["a"],
            });
            Graph::parse(&document.to_string())
                .err()
                .map(|error| error.to_string())
        };
        for (key, is_required) in &attributes {
            let found = refusal(&[key]).unwrap();
            assert!(!found.contains("unknown field"), "{op}, {key}: {found}");
            let found = refusal(&[]).unwrap_or_default();
            let missing = attributes.iter().filter(|(_, required)| *required);
            let is_missing = missing
                .clone()
                .any(|(key, _)| found.contains(&format!("missing field `{key}`")));
            assert_eq!(
                is_missing,
                missing.count() > 0,
                "{op}, {key}, {is_required}: {found}"
            );
        }
        let found = refusal(&["other"]).unwrap();
        assert!(found.contains("unknown field `other`"), "{op}: {found}");
    }
}
