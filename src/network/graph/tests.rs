#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::{Value as Json, json};

use super::*;
use crate::network::trace::trace;
use crate::network::{Activation, catalog};

/// A graph of these layers on an image of 3 channels and 8x8 pixels, whose output is the last.
fn document(layers: &[Json]) -> Json {
    let last = layers.last().map_or(&Json::Null, |layer| &layer["name"]);
    json!({
        "version": 1,
        "name": "test",
        "input": {"name": "image", "shape": [3, 8, 8], "layout": "chw"},
        "layers": layers,
        "outputs": [last],
    })
}

fn parse(document: &Json) -> Result<Graph> {
    Graph::parse(&document.to_string())
}

fn refusal(document: &Json) -> String {
    parse(document).unwrap_err().to_string()
}

fn relu(name: &str, input: &str) -> Json {
    json!({"name": name, "op": "relu", "inputs": [input]})
}

#[test]
fn every_network_of_the_catalogue_comes_back_as_it_was() {
    for network in catalog::networks() {
        let layers = network.layers();
        let text = Graph::of(&layers).to_json();
        let graph = Graph::parse(&text).unwrap();
        let read = graph.layers(None).unwrap();
        assert_eq!(read.blocks(), layers.blocks(), "{}", network.name);
        assert_eq!(read.name(), layers.name());
        assert_eq!(read.input(), layers.input());
        assert_eq!(read.as_slice().len(), layers.as_slice().len());
        for (read, layer) in read.as_slice().iter().zip(layers.as_slice()) {
            // A learnt number goes by its role.
            let operation = match layer.operation {
                Operation::LearntFactor { .. } => Operation::LearntFactor { tensor: FACTOR },
                other => other,
            };
            let expected = Layer {
                operation,
                ..layer.clone()
            };
            assert_eq!(*read, expected, "{}", network.name);
            for parameter in layer.operation.parameters() {
                let name = format!("{}.{}", layer.name, parameter.name);
                assert!(
                    graph.tensors.all.contains(&name),
                    "{}: {name}",
                    network.name
                );
            }
        }
        assert_eq!(Graph::of(&read).to_json(), text, "{}", network.name);
    }
}

#[test]
fn what_goes_without_saying_is_not_written() {
    let layers = catalog::find("seresnet20").unwrap().layers();
    let text = Graph::of(&layers).to_json();
    let line = |name: &str| {
        let beginning = format!("  {{\"name\":\"{name}\"");
        text.lines()
            .find(|line| line.starts_with(&beginning))
            .unwrap()
    };
    assert_eq!(
        line("layer1.0.conv1"),
        r#"  {"name":"layer1.0.conv1","op":"conv","out_channels":16,"kernel":[3,3],"padding":"same","bias":false,"inputs":["relu"]},"#
    );
    assert_eq!(
        line("layer1.0.se.scale"),
        r#"  {"name":"layer1.0.se.scale","op":"scale","inputs":["layer1.0.bn2","layer1.0.se.sigmoid"]},"#
    );
}

#[test]
fn all_that_a_document_may_say_is_understood() {
    let norm = |op: &str, more: Json| {
        let mut layer = json!({"name": op, "op": op, "inputs": ["conv"], "epsilon": 1e-3});
        layer
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        layer
    };
    let graph = parse(&document(&[
        json!({"name": "conv", "op": "conv", "inputs": ["image"], "out_channels": 4, "kernel": [3, 3],
            "strides": [2, 1], "dilation": [1, 2], "groups": 1, "padding": [[1, 0], [2, 2]],
            "bias": true,
            "standardization": {"epsilon": 1e-5, "scale": 1.5, "gain": true}}),
        norm("batch_norm", json!({"weight": false})),
        norm("layer_norm", json!({"bias": false})),
        norm("group_norm", json!({"groups": 2})),
        json!({"name": "affine", "op": "affine", "inputs": ["conv"], "bias": false}),
        json!({"name": "leaky", "op": "leaky_relu", "inputs": ["conv"], "slope": 0.3}),
        json!({"name": "max", "op": "max_pool", "inputs": ["conv"], "kernel": [2, 2], "rounding": "ceil"}),
        json!({"name": "average", "op": "average_pool", "inputs": ["conv"], "kernel": [2, 2],
            "strides": [1, 1], "padding": "same", "padding_counts": false}),
        json!({"name": "softmax", "op": "softmax", "inputs": ["max"]}),
        json!({"name": "larger", "op": "upsample", "inputs": ["max"], "factors": [2, 1]}),
        json!({"name": "wider", "op": "zero_pad", "inputs": ["conv"], "padding": [[0, 1], [2, 3]]}),
        json!({"name": "cut", "op": "crop", "inputs": ["wider"], "cropping": [[0, 1], [2, 3]]}),
    ]))
    .unwrap();
    let operations = |name: &str| {
        let mut list = graph.list.iter();
        list.find(|layer| layer.name == name).unwrap().operation
    };
    let parameters = |name: &str| {
        let parameters = operations(name).parameters().into_iter();
        parameters.map(|each| each.name).collect::<Vec<_>>()
    };
    assert_eq!(parameters("conv"), ["weight", "bias", "gain"]);
    assert_eq!(
        parameters("batch_norm"),
        ["running_mean", "running_var", "bias"]
    );
    assert_eq!(parameters("layer_norm"), ["weight"]);
    assert_eq!(parameters("group_norm"), ["weight", "bias"]);
    assert_eq!(parameters("affine"), ["weight"]);
    let leaky = Activation::LeakyRelu { slope: 0.3 };
    assert_eq!(operations("leaky"), Operation::Activation(leaky));
    let spatial = |name: &str| {
        let index = graph
            .list
            .iter()
            .position(|layer| layer.name == name)
            .unwrap();
        graph.shapes[index + 1].spatial.unwrap()
    };
    // ceil((8 + 1 - 3 + 1) / 2) rows; 8 + 4 - 5 + 1 columns.
    assert_eq!(spatial("conv"), [4, 8]);
    assert_eq!(spatial("max"), [2, 4]);
    assert_eq!(spatial("average"), [4, 8]);
    assert_eq!(spatial("larger"), [4, 4]);
    assert_eq!(spatial("wider"), [5, 13]);
    assert_eq!(spatial("cut"), [4, 8]);
}

#[test]
fn an_image_may_be_written_either_way() {
    let mut written = document(&[relu("a", "image")]);
    written["input"] = json!({"name": "image", "shape": [8, 9, 3], "layout": "hwc"});
    let input = parse(&written).unwrap().input;
    assert_eq!((input.channels, input.height, input.width), (3, 8, 9));
}

#[test]
fn of_several_outputs_the_only_vector_is_meant() {
    let pool = json!({"name": "pool", "op": "global_average_pool", "inputs": ["a"]});
    let flat = json!({"name": "flat", "op": "flatten", "inputs": ["pool"]});
    let mut written = document(&[relu("a", "image"), relu("aside", "a"), pool, flat]);
    written["outputs"] = json!(["aside", "flat"]);
    let graph = parse(&written).unwrap();
    let names = |output| -> Vec<String> {
        let layers = graph.layers(output).unwrap();
        layers
            .as_slice()
            .iter()
            .map(|layer| layer.name.clone())
            .collect()
    };
    assert_eq!(names(None), ["a", "pool", "flat"]);
    assert_eq!(names(Some("aside")), ["a", "aside"]);
    let unknown = graph.layers(Some("a")).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "it has no output `a`; expected one of `aside`, `flat`"
    );
    written["outputs"] = json!(["aside", "a"]);
    let several = parse(&written)
        .unwrap()
        .layers(None)
        .unwrap_err()
        .to_string();
    assert!(
        several.starts_with("it has 2 outputs, and it is not plain"),
        "{several}"
    );
}

#[test]
fn a_tensor_that_two_layers_read_counts_once() {
    let conv = |name: &str, input: &str| {
        json!({"name": name, "op": "conv", "inputs": [input], "out_channels": 3, "kernel": [1, 1],
            "tensors": {"weight": "shared.weight", "bias": "shared.bias"}})
    };
    let graph = parse(&document(&[conv("a", "image"), conv("b", "a")])).unwrap();
    let layers = graph.layers(None).unwrap();
    let trace = trace(&layers, layers.input().shape(1)).unwrap();
    assert_eq!(trace.parameters, 3 * 3 + 3);
    assert_eq!(layers.tensor_name("b", "weight").unwrap(), "shared.weight");
    assert!(layers.knows_tensor("shared.bias") && !layers.knows_tensor("a.bias"));
}

#[test]
fn a_group_ends_at_a_dot_or_a_slash() {
    let layers = [
        relu("stage/block.1/a", "image"),
        relu("stage/block.1/b", "stage/block.1/a"),
    ];
    let mut written = document(&layers);
    written["blocks"] = json!(["stage/block.1"]);
    let layers = parse(&written).unwrap().layers(None).unwrap();
    for group in ["stage", "stage/block", "stage/block.1", "stage/block.1/b"] {
        assert_eq!(layers.position(group), Some(1), "{group}");
    }
    assert_eq!(layers.position("stage/bl"), None);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_makes_no_sense_is_refused_by_the_layers_name() {
    let conv = |more: Json| {
        let mut layer = json!({"name": "a", "op": "conv", "inputs": ["image"], "out_channels": 4,
            "kernel": [3, 3]});
        layer
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        document(&[layer])
    };
    let with = |key: &str, value: Json| {
        let mut written = document(&[relu("a", "image")]);
        written[key] = value;
        written
    };
    let long = "x".repeat(201);
    for (written, expected) in [
        (with("version", json!(2)), "it has version 2; expected 1"),
        (with("outputs", json!([])), "it has no output; expected"),
        (
            with("outputs", json!(["image"])),
            "it has the output `image`, which is no layer",
        ),
        (
            with("outputs", json!(["a", "a"])),
            "it has the output `a` twice",
        ),
        (
            with("blocks", json!(["b"])),
            "it has the block `b`, and no layer in a group of this name",
        ),
        (
            with("extra", json!(1)),
            "it is no graph: unknown field `extra`",
        ),
        (with("name", json!(long)), "its name is `xxx"),
        (
            with("name", json!("a\nb")),
            "its name is `a\\nb`; expected 1 to 200 bytes",
        ),
        (
            with(
                "input",
                json!({"name": "image", "shape": [3, 0, 8], "layout": "chw"}),
            ),
            "it has an input of [3, 0, 8]; expected at least 1 of each",
        ),
        (
            document(&[json!({"name": "a", "op": "attention", "inputs": ["image"]})]),
            "layer `a`: unknown operation `attention`",
        ),
        (
            document(&[json!({"name": "a", "op": "Conv2D", "inputs": ["image"]})]),
            "layer `a`: unknown operation `Conv2D`: is it `conv`?",
        ),
        (
            document(&[json!({"name": "a", "op": "Dense", "inputs": ["image"]})]),
            "layer `a`: unknown operation `Dense`: is it `linear`?",
        ),
        (
            document(&[
                json!({"name": "a", "op": "multiply", "inputs": ["image"], "factor": 1e39}),
            ]),
            "layer `a`: its constant is NaN or infinite",
        ),
        (
            document(&[json!({"name": "a", "inputs": ["image"]})]),
            "layer `a`: it has no `op`",
        ),
        (
            document(&[json!({"name": "a", "op": 7, "inputs": ["image"]})]),
            "layer `a`: its `op` is no text",
        ),
        (
            document(&[json!({"name": "a", "op": "relu", "inputs": ["image"], "slope": 1})]),
            "layer `a`: relu: unknown field `slope`",
        ),
        (
            document(&[json!({"name": "a", "op": "relu", "inputs": []})]),
            "layer `a`: it reads nothing",
        ),
        (
            document(&[json!({"name": "a", "op": "batch_norm", "inputs": ["image"]})]),
            "layer `a`: batch_norm: missing field `epsilon`",
        ),
        (
            document(&[relu("a", "b"), relu("b", "a")]),
            "layer `a`: it reads `b`, which comes later; expected layers in the order of computation",
        ),
        (document(&[relu("a", "a")]), "layer `a`: it reads itself"),
        (
            document(&[relu("a", "images")]),
            "layer `a`: it reads `images`, which no layer and no input is called",
        ),
        (
            document(&[relu("a", "image"), relu("a", "image")]),
            "layer `a`: another layer, or the input, has this name",
        ),
        (
            document(&[relu("image", "image")]),
            "layer `image`: another layer, or the input, has this name",
        ),
        (
            document(&[
                relu("a", "image"),
                json!({"name": "b", "op": "add", "inputs": ["a"]}),
            ]),
            "layer `b`: add takes 2 inputs, found 1",
        ),
        (
            conv(json!({"kernel": [9, 9]})),
            "layer `a`: an input of 8 pixels is too small",
        ),
        (
            conv(json!({"kernel": [0, 1]})),
            "layer `a`: a window needs a kernel",
        ),
        (
            conv(json!({"groups": 2})),
            "layer `a`: conv cannot split 3 and 4 channels into 2 groups",
        ),
        (
            conv(json!({"groups": -1})),
            "layer `a`: conv: invalid value: integer `-1`",
        ),
        (
            conv(json!({"padding": "full"})),
            "layer `a`: conv: expected `padding` of \"same\", \"valid\" or [[above, below]",
        ),
        (
            conv(json!({"out_channels": u64::MAX})),
            "layer `a`: its output of [1, 18446744073709551615, 6, 6] is too large",
        ),
        (
            conv(json!({"out_channels": 0})),
            "layer `a`: its output of [1, 0, 6, 6] is empty",
        ),
        (
            conv(json!({"tensors": {"kernel": "k"}})),
            "layer `a`: it names a tensor for `kernel`; expected `weight`, `bias`",
        ),
        (
            document(&[
                json!({"name": "a", "op": "average_pool", "inputs": ["image"],
                "kernel": [2, 2], "padding": "same"}),
            ]),
            "layer `a`: average_pool: it pads, and does not say with `padding_counts`",
        ),
        (
            document(&[json!({"name": "a", "op": "multiply", "inputs": ["image"], "factor": "2"})]),
            "layer `a`: multiply: invalid type: string \"2\", expected f64",
        ),
        (
            document(&[json!({"name": "a", "op": "crop", "inputs": ["image"],
                "cropping": [[4, 4], [0, 0]]})]),
            "layer `a`: crop leaves no pixel of 8x8",
        ),
    ] {
        let found = refusal(&written);
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn what_would_take_without_end_is_refused() {
    let with = |layer: Json| refusal(&document(&[layer]));
    let wide =
        with(json!({"name": "a", "op": "pad_channels", "inputs": ["image"], "channels": 1 << 22}));
    assert!(wide.starts_with("layer `a`: its output of [1, 4194307, 8, 8] has too many channels"));
    let filter =
        with(json!({"name": "a", "op": "blur_pool", "inputs": ["image"], "size": 64, "stride": 1}));
    assert!(
        filter.contains("at most 63 rows and columns, found 64"),
        "{filter}"
    );
    let many = vec!["image"; MOST_INPUTS + 1];
    let many = with(json!({"name": "a", "op": "concat", "inputs": many}));
    assert_eq!(
        many,
        "its layers read 200001 values; expected at most 200000"
    );
    let mut blocks = document(&[relu("a", "image")]);
    blocks["blocks"] = json!(["a", "a"]);
    assert_eq!(
        refusal(&blocks),
        "it has 2 blocks; expected no more than layers, which are 1"
    );
}

#[test]
fn a_tensor_has_one_shape() {
    let conv = |name: &str, channels: usize, input: &str| {
        json!({"name": name, "op": "conv", "inputs": [input], "out_channels": channels,
            "kernel": [1, 1], "tensors": {"bias": "shared"}})
    };
    let found = refusal(&document(&[conv("a", 4, "image"), conv("b", 5, "a")]));
    assert_eq!(
        found,
        "layer `b`: it reads the tensor `shared` as one of shape [5], and `a` does as one of [4]"
    );
}

#[test]
fn layers_that_no_output_needs_are_known() {
    let layers = [relu("a", "image"), relu("aside", "a"), relu("b", "a")];
    assert_eq!(parse(&document(&layers)).unwrap().unread(), ["aside"]);
    let marked = format!("\u{feff}{}", document(&layers[..1]));
    assert!(Graph::parse(&marked).unwrap().unread().is_empty());
}

#[test]
fn a_negative_epsilon_is_refused() {
    let found = refusal(&document(&[
        json!({"name": "a", "op": "batch_norm", "inputs": ["image"], "epsilon": -1e-3}),
    ]));
    assert_eq!(
        found,
        "layer `a`: its epsilon is -0.001; expected 0 or more"
    );
}

#[test]
fn no_key_is_there_twice() {
    for (layer, key) in [
        (
            r#"{"name": "a", "op": "relu", "op": "sigmoid", "inputs": ["image"]}"#,
            "op",
        ),
        (
            r#"{"name": "a", "name": "b", "op": "relu", "inputs": ["image"]}"#,
            "name",
        ),
        (
            r#"{"name": "a", "op": "linear", "inputs": ["image"], "tensors": {"bias": "b", "bias": "c"}}"#,
            "bias",
        ),
    ] {
        let text = format!(
            r#"{{"version": 1, "input": {{"name": "image", "shape": [3, 1, 1], "layout": "chw"}}, "layers": [{layer}],
            "outputs": ["a"]}}"#
        );
        let found = Graph::parse(&text).unwrap_err().to_string();
        assert!(
            found.contains(&format!("duplicate field `{key}`")),
            "{found}"
        );
    }
}

#[test]
fn a_document_without_end_is_not_read_to_its_end() {
    let layers: Vec<Json> = (0..=MOST_LAYERS)
        .map(|index| relu(&format!("{index}"), "image"))
        .collect();
    assert!(parse(&document(&layers[1..])).is_ok());
    let found = refusal(&document(&layers));
    assert!(
        found.starts_with("it is no graph: more than 20000 layers"),
        "{found}"
    );
    let large = " ".repeat(MOST_BYTES + 1);
    let found = Graph::parse(&large).unwrap_err().to_string();
    assert_eq!(found, "it has 16777217 bytes; expected at most 16777216");
}
