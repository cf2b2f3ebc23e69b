//! Weights that are wrong in one way each, made from the embedded ones.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use candle_core::{DType, Device, Tensor};

const SHIPPED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/weights/seresnet20.safetensors"
);
const CAT: &str = "tests/images/photos/cat.jpg";

fn senet(arguments: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
    command.args(arguments).output().unwrap()
}

fn shipped() -> (HashMap<String, Tensor>, HashMap<String, String>) {
    let bytes = std::fs::read(SHIPPED).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = candle_core::safetensors::load(SHIPPED, &Device::Cpu).unwrap();
    (tensors, header.metadata().clone().unwrap())
}

/// Writes the shipped weights, changed, and returns what classify says of them.
fn classify_with(
    change: impl FnOnce(&mut HashMap<String, Tensor>, &mut HashMap<String, String>),
) -> (Option<i32>, String, PathBuf) {
    let (output, path) = classify_changed(change, &[]);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
        path,
    )
}

/// The same with flags, and with the rows that classify writes.
fn classify_changed(
    change: impl FnOnce(&mut HashMap<String, Tensor>, &mut HashMap<String, String>),
    flags: &[&str],
) -> (Output, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let (mut tensors, mut metadata) = shipped();
    change(&mut tensors, &mut metadata);
    safetensors::serialize_to_file(tensors, Some(metadata), &path).unwrap();
    let weights = ["classify", "--weights", path.to_str().unwrap(), CAT];
    (senet(&[&weights, flags].concat()), path)
}

/// The same tensors under other names.
fn renamed(
    tensors: &HashMap<String, Tensor>,
    name: impl Fn(&str) -> String,
) -> HashMap<String, Tensor> {
    let tensors = tensors.iter();
    tensors
        .map(|(old, tensor)| (name(old), tensor.clone()))
        .collect()
}

fn said(path: &Path, text: &str) -> String {
    text.replace("FILE", path.to_str().unwrap())
}

#[test]
fn weights_from_a_file_answer_like_the_embedded_ones() {
    let from_file = senet(&["classify", "--format", "ndjson", "--weights", SHIPPED, CAT]);
    assert_eq!(from_file.status.code(), Some(0));
    let embedded = senet(&["classify", "--format", "ndjson", CAT]);
    assert_eq!(from_file.stdout, embedded.stdout);
    assert!(!embedded.stdout.is_empty());
}

#[test]
fn counts_of_batches_in_pytorch_files_are_passed_over() {
    let (status, stderr, _) = classify_with(|tensors, _| {
        let count = Tensor::zeros(1, DType::I64, &Device::Cpu).unwrap();
        tensors.insert("bn1.num_batches_tracked".to_owned(), count);
    });
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_missing_tensor_is_named_with_its_shape() {
    let (status, stderr, path) = classify_with(|tensors, _| {
        tensors.remove("layer2.0.conv1.kernel").unwrap();
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` does not fit network `seresnet20`:\n  \
                    1 missing: `layer2.0.conv1.kernel` of shape [3, 3, 16, 32]\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let (status, stderr, path) = classify_with(|tensors, _| {
        let wrong = Tensor::zeros((10, 64), DType::F32, &Device::Cpu).unwrap();
        tensors.insert("fc.kernel".to_owned(), wrong);
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` does not fit network `seresnet20`:\n  \
                    1 misshapen: `fc.kernel`: expected shape [64, 10], found [10, 64]\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn a_tensor_of_integers_is_refused() {
    let (status, stderr, path) = classify_with(|tensors, _| {
        let wrong = Tensor::zeros(10, DType::U32, &Device::Cpu).unwrap();
        tensors.insert("fc.bias".to_owned(), wrong);
    });
    assert_eq!(status, Some(2));
    let expected =
        "error: `FILE` has tensor `fc.bias` of type U32; expected F32, F64, F16 or BF16\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn weights_of_another_network_are_refused_with_what_is_missing() {
    let (status, stderr, _) = classify_with(|_, metadata| {
        metadata.insert("network".to_owned(), "seresnet32".to_owned());
    });
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains("does not fit network `seresnet32`"),
        "{stderr}"
    );
    assert!(
        stderr.contains("missing: `layer1.3.conv1.kernel`"),
        "{stderr}"
    );
}

#[test]
fn weights_of_another_convention_are_refused() {
    let (status, stderr, path) = classify_with(|_, metadata| {
        metadata.insert("convention".to_owned(), "timm".to_owned());
    });
    assert_eq!(status, Some(2));
    let expected =
        "error: `FILE` was made under the convention `timm`; `seresnet20` follows `keras`\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn weights_that_name_no_network_are_recognised_by_their_tensors() {
    let (status, stderr, _) = classify_with(|_, metadata| {
        metadata.remove("network").unwrap();
    });
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
}

#[test]
fn weights_that_fit_no_network_are_compared_with_the_closest() {
    let (status, stderr, path) = classify_with(|tensors, metadata| {
        metadata.remove("network").unwrap();
        tensors.remove("bn1.gamma").unwrap();
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` does not say which network it is for, and fits none; the \
                    closest is `seresnet20`:\n  1 missing: `bn1.gamma` of shape [16]\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn weights_of_other_names_than_any_networks_are_not_compared_with_one() {
    let (status, stderr, path) = classify_with(|tensors, metadata| {
        metadata.remove("network").unwrap();
        *tensors = renamed(tensors, |name| {
            let (layer, parameter) = name.rsplit_once('.').unwrap();
            format!(
                "{}.blocks.{}\u{202e}.{parameter}",
                layer.len(),
                layer.replace('.', "-")
            )
        });
    });
    assert_eq!(status, Some(2));
    let expected = said(
        &path,
        "error: `FILE` does not say which network it is for, and no network of the catalogue has \
         tensors of such names: `12.blocks.layer1-0-bn1\\u{202e}.beta`, ",
    );
    assert!(stderr.starts_with(&expected), "{stderr}");
    assert!(
        stderr.contains("more\nhint: `senet models` lists"),
        "{stderr}"
    );

    let (status, stderr, path) = classify_with(|tensors, metadata| {
        metadata.remove("network").unwrap();
        tensors.clear();
        let count = Tensor::zeros((), DType::I64, &Device::Cpu).unwrap();
        tensors.insert("bn1.num_batches_tracked".to_owned(), count);
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` holds no tensors that a network reads\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn a_prefix_of_every_tensor_is_said_and_not_read() {
    let embedded = senet(&["classify", CAT]);
    for (prefix, ending, expected) in [
        ("module.", "", "the prefix `module.`"),
        ("module._orig_mod.", "", "the prefix `module._orig_mod.`"),
        ("", ":0", "the ending `:0`"),
        ("net/", ":0", "the prefix `net/` and the ending `:0`"),
    ] {
        for is_named in [true, false] {
            let (output, path) = classify_changed(
                |tensors, metadata| {
                    *tensors = renamed(tensors, |name| format!("{prefix}{name}{ending}"));
                    if !is_named {
                        metadata.remove("network").unwrap();
                    }
                },
                &[],
            );
            assert_eq!(output.stdout, embedded.stdout, "{prefix}");
            let stderr = String::from_utf8(output.stderr).unwrap();
            let expected = format!("note: `FILE` is read without {expected}\n");
            assert_eq!(stderr, said(&path, &expected));
        }
    }
    let (status, stderr, _) = classify_with(|tensors, _| {
        *tensors = renamed(tensors, |name| {
            let prefix = if name.starts_with("fc") {
                ""
            } else {
                "module."
            };
            format!("{prefix}{name}")
        });
    });
    assert_eq!(status, Some(2));
    assert!(
        stderr.starts_with("error: ") && stderr.contains("missing"),
        "{stderr}"
    );
}

#[test]
fn of_weights_and_their_average_the_plain_ones_are_read_unless_the_others_are_asked_for() {
    let both = |tensors: &mut HashMap<String, Tensor>, _: &mut HashMap<String, String>| {
        let mut averaged = renamed(tensors, |name| format!("state_dict_ema.{name}"));
        let bias = averaged.get_mut("state_dict_ema.fc.bias").unwrap();
        *bias = Tensor::new(&[0_f32, 0., 0., 0., 0., 0., 0., 0., 0., 99.], &Device::Cpu).unwrap();
        *tensors = renamed(tensors, |name| format!("state_dict.{name}"));
        tensors.extend(averaged);
    };
    let first_label = |output: &Output| {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        stdout.lines().nth(1).unwrap_or_default().trim().to_owned()
    };
    let two = "note: `FILE` holds its weights twice, plain with the prefix `state_dict.` and as \
               a running average with the prefix `state_dict_ema.`: ";
    for (flags, label, read) in [
        (
            &[][..],
            "cat",
            "the plain ones are read; `--ema` reads the averaged ones\n",
        ),
        (&["--ema"], "truck", "the averaged ones are read\n"),
    ] {
        let (output, path) = classify_changed(both, flags);
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(stderr, said(&path, &format!("{two}{read}")));
        assert!(first_label(&output).ends_with(label), "{output:?}");
    }
    let (output, path) = classify_changed(|_, _| {}, &["--ema"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "error: `FILE` holds its weights once, without a running average beside them\n\
                    hint: leave `--ema` out\n";
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        said(&path, expected)
    );
}

#[test]
fn one_output_is_two_classes_by_its_sigmoid() {
    let one = |tensors: &mut HashMap<String, Tensor>, metadata: &mut HashMap<String, String>| {
        // Of the cat's logit.
        for (name, dim) in [("fc.kernel", 1), ("fc.bias", 0)] {
            let cat = tensors[name].narrow(dim, 3, 1).unwrap().contiguous();
            tensors.insert(name.to_owned(), cat.unwrap());
        }
        metadata.insert("labels".to_owned(), r#"["none", "cat"]"#.to_owned());
    };
    let rows =
        |output: &Output| -> serde_json::Value { serde_json::from_slice(&output.stdout).unwrap() };
    let ten = rows(&senet(&["classify", "--format", "ndjson", CAT]));
    let logit = ten["top"][0]["logit"].as_f64().unwrap();
    let (output, path) = classify_changed(one, &["--format", "ndjson"]);
    let two = rows(&output);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = said(&path, "note: `FILE` has one output: its sigmoid is ");
    assert!(stderr.starts_with(&expected), "{stderr}");
    let sigmoid = 1. / (1. + (-logit).exp());
    for (place, label, probability) in [(0, "cat", sigmoid), (1, "none", 1. - sigmoid)] {
        let class = &two["top"][place];
        assert_eq!(class["label"], label);
        assert_eq!(class["class"], 1 - place);
        // Single precision, of a number below 1.
        let found = class["probability"].as_f64().unwrap();
        assert!((found - probability).abs() < 1e-6, "{found} {probability}");
    }
    assert_eq!(two["top"].as_array().unwrap().len(), 2);
}

#[test]
fn a_classifier_without_classes_is_refused() {
    let (status, stderr, _) = classify_with(|tensors, metadata| {
        metadata.remove("labels").unwrap();
        for (name, shape) in [("fc.kernel", &[64, 0][..]), ("fc.bias", &[0])] {
            let nothing = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            tensors.insert(name.to_owned(), nothing);
        }
    });
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains("expected shape [10], found [0]"),
        "{stderr}"
    );
}

#[test]
fn metadata_that_names_a_network_at_length_is_refused_at_once() {
    let (status, stderr, path) = classify_with(|_, metadata| {
        metadata.insert("network".to_owned(), "seresnet".repeat(200_000));
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` has metadata `network` of 1600000 bytes; expected a name of at \
                    most 200\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn weights_and_dumps_are_told_from_each_other() {
    const CASE: &str = "tests/fixtures/se_block";
    let [weights, dump] = ["weights", "reference"].map(|name| format!("{CASE}/{name}.safetensors"));
    for (weights, reference, expected) in [
        (
            &weights,
            &weights,
            "holds weights, and is no dump of activations\nhint: `scripts/dump",
        ),
        (
            &dump,
            &dump,
            "is a dump of activations, not weights\nhint: `senet parity",
        ),
    ] {
        let output = senet(&["parity", "--weights", weights, "--reference", reference]);
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = format!("error: `{weights}` {expected}");
        assert!(stderr.starts_with(&expected), "{stderr}");
    }
}

#[test]
fn weights_that_several_networks_fit_are_ambiguous() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let network = senet::network::catalog::find("resnet50").unwrap();
    let mut tensors = HashMap::new();
    for layer in network.layers().as_slice() {
        for parameter in layer.operation.parameters() {
            let zeros = Tensor::zeros(parameter.shape, DType::F16, &Device::Cpu).unwrap();
            tensors.insert(format!("{}.{}", layer.name, parameter.name), zeros);
        }
    }
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let output = senet(&["classify", "--weights", path.to_str().unwrap(), CAT]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "error: `FILE` is ambiguous: it has the tensors of `keras_resnet50`, \
                    `resnet50`, which compute differently\n\
                    hint: name one with `--network`\n";
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn metadata_of_another_form_is_named() {
    let (status, stderr, path) = classify_with(|_, metadata| {
        metadata.insert("labels".to_owned(), "cat".to_owned());
    });
    assert_eq!(status, Some(2));
    let expected = said(
        &path,
        "error: `FILE` has metadata `labels` that cannot be read: ",
    );
    assert!(stderr.starts_with(&expected), "{stderr}");
}

#[test]
fn nan_weights_are_warned_of_and_never_answered_with() {
    let (status, stderr, path) = classify_with(|tensors, _| {
        let mut bias = tensors["fc.bias"].to_vec1::<f32>().unwrap();
        bias[7] = f32::NAN;
        tensors.insert(
            "fc.bias".to_owned(),
            Tensor::new(bias, &Device::Cpu).unwrap(),
        );
    });
    assert_eq!(status, Some(1));
    let expected = "warning: `FILE`: 1 values of tensor `fc.bias` are NaN or infinite\n\
                    warning: 1 of 1 inputs failed\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn nan_in_the_first_layer_reaches_the_answer() {
    let (status, stderr, _) = classify_with(|tensors, _| {
        let variance = (&tensors["bn1.moving_variance"] * -1.).unwrap();
        tensors.insert("bn1.moving_variance".to_owned(), variance);
    });
    assert_eq!(status, Some(1), "{stderr}");
    assert!(
        stderr.ends_with("warning: 1 of 1 inputs failed\n"),
        "{stderr}"
    );
}

#[test]
fn a_pickle_is_told_from_a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    std::fs::write(
        &path,
        b"PK\x03\x04\x14\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl",
    )
    .unwrap();
    let output = senet(&["classify", "--weights", path.to_str().unwrap(), CAT]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("pickled Python objects"), "{stderr}");
}

#[test]
fn files_of_other_kinds_are_named_with_a_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    for (bytes, is, hint) in [
        (&b"\x89HDF\r\n\x1a\n\0\0\0\0"[..], "HDF5", ".keras"),
        (b"\x08\x08\x12\x07pytorch", "an ONNX network", "save_file"),
        (b"GGUF\x03\0\0\0", "GGUF", "save_file"),
        (b"<html>", "a page of the web", "download"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        for flag in ["--weights", "--reference"] {
            let arguments = match flag {
                "--weights" => vec!["classify", flag, path.to_str().unwrap(), CAT],
                _ => vec!["parity", "--weights", SHIPPED, flag, path.to_str().unwrap()],
            };
            let output = senet(&arguments);
            assert_eq!(output.status.code(), Some(2));
            let stderr = String::from_utf8(output.stderr).unwrap();
            let expected = said(
                &path,
                &format!("error: `FILE` is no safetensors file, but {is}"),
            );
            assert!(stderr.starts_with(&expected), "{stderr}");
            let (_, said) = stderr.split_once("\nhint: ").unwrap();
            assert!(said.contains(hint), "{stderr}");
        }
    }
    let output = senet(&["classify", "--weights", CAT, CAT]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "error: `{CAT}` is no safetensors file, but a JPEG image, and no weights\nhint: images \
         are named without a flag, as in `senet classify cat.jpg`\n"
    );
    assert_eq!(stderr, expected);
}

#[test]
fn a_repository_without_its_prefix_gets_a_hint() {
    let output = senet(&["classify", "--weights", "timm/resnet18.a1_in1k", CAT]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.ends_with("is written `hf:timm/resnet18.a1_in1k`\n"),
        "{stderr}"
    );
}

#[test]
fn images_can_be_prepared_by_flags_where_the_file_does_not_say_how() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let (tensors, mut metadata) = shipped();
    metadata.remove("preprocessing").unwrap();
    safetensors::serialize_to_file(tensors, Some(metadata), &path).unwrap();
    let file = path.to_str().unwrap();

    let without = senet(&["classify", "--weights", file, CAT]);
    assert_eq!(without.status.code(), Some(2));
    let stderr = String::from_utf8(without.stderr).unwrap();
    assert!(
        stderr
            .contains("hint: `--preset` says it, or `--mean` and `--std` do; `--mean` is missing"),
        "{stderr}"
    );

    // The size is the network's own.
    let mut arguments = vec!["classify", "--format", "ndjson", "--weights", file, CAT];
    arguments.extend([
        "--mean",
        "0.4914,0.4822,0.4465",
        "--std",
        "0.2470,0.2435,0.2616",
    ]);
    let with = senet(&arguments);
    let embedded = senet(&["classify", "--format", "ndjson", CAT]);
    assert_eq!(with.stdout, embedded.stdout);

    let squashed = senet(&[
        "classify",
        "--format",
        "ndjson",
        "--crop-mode",
        "squash",
        CAT,
    ]);
    assert_ne!(squashed.stdout, embedded.stdout);
}

/// What `timm` does differently, said by flags, on a photograph with nothing else to prepare.
#[test]
fn a_preset_replaces_what_the_file_says_but_the_size() {
    let classified = |flags: &[&str]| {
        let arguments = [&["classify", "--format", "ndjson", CAT], flags].concat();
        let output = senet(&arguments);
        assert_eq!(output.status.code(), Some(0), "{flags:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let preset = classified(&["--preset", "timm", "--crop-pct", "0.9"]);
    let flags =
        "--crop-pct 0.9 --interpolation bicubic --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225";
    let flags: Vec<&str> = flags.split(' ').collect();
    assert_eq!(preset, classified(&flags));
    assert_ne!(preset, classified(&[]));
    let caffe = "--crop-mode squash --interpolation nearest --divisor 1 --mean 123.68,116.779,103.939 --std 1,1,1 --channel-order bgr";
    let flags: Vec<&str> = caffe.split(' ').collect();
    assert_eq!(classified(&["--preset", "caffe"]), classified(&flags));
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
        senet(&flags)
    };
    // The engine has the value of the rectifier that its convolution ends with; candle has both.
    for (engine, first) in [("cpu", "relu2"), ("candle", "conv2")] {
        let table = parity(file, &["--engine", engine]);
        assert_eq!(table.status.code(), Some(1));
        let stdout = String::from_utf8(table.stdout).unwrap();
        let expected = format!("different, first at `{first}` (atol 1e-7, rtol 1e-5)");
        assert!(stdout.contains(&expected), "{stdout}");

        let json = parity(file, &["--engine", engine, "--format", "json"]);
        assert_eq!(json.status.code(), Some(1));
        let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(report["passed"], false);
        assert_eq!(report["engine"], engine);
        assert_eq!(report["first_divergence"], first);
        for (layer, passed) in [("relu1", true), (first, false)] {
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

#[test]
fn a_truncated_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let bytes = std::fs::read(SHIPPED).unwrap();
    for length in [0, 4, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let output = senet(&["classify", "--weights", path.to_str().unwrap(), CAT]);
        assert_eq!(output.status.code(), Some(2), "{length} bytes");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.starts_with(&said(&path, "error: `FILE` is ")),
            "{stderr}"
        );
    }
}
