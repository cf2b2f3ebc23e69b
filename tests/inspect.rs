//! `senet inspect`: what is in a file, which network it is for, and what is wrong with it.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;
use std::process::Output;

use candle_core::{DType, Device, Tensor};
use senet::network::catalog;

type Tensors = HashMap<String, Tensor>;

/// The tensors of a network of timm, as its files have them: zeros in half precision.
fn timm(network: &str) -> Tensors {
    let mut tensors = Tensors::new();
    for layer in catalog::find(network).unwrap().layers().as_slice() {
        for parameter in layer.operation.parameters() {
            let mut shape = parameter.shape;
            if layer.name.contains(".se.") && shape.len() == 2 {
                shape.extend([1, 1]);
            }
            let zeros = Tensor::zeros(shape, DType::F16, &Device::Cpu).unwrap();
            tensors.insert(format!("{}.{}", layer.name, parameter.name), zeros);
        }
        if layer.operation.kind() == "batch norm" {
            let count = Tensor::zeros((), DType::I64, &Device::Cpu).unwrap();
            tensors.insert(format!("{}.num_batches_tracked", layer.name), count);
        }
    }
    tensors
}

fn inspect(tensors: Tensors, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
    command.arg("inspect").arg(path).args(arguments);
    command.output().unwrap()
}

/// The exit status, and of the table the differences and the last line.
fn verdict(tensors: Tensors, arguments: &[&str]) -> (i32, String) {
    let output = inspect(tensors, arguments);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (_, said) = stdout.split_once("\n\n").unwrap();
    let said: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("  ") || line.starts_with("network "))
        .map(str::trim_end)
        .collect();
    (output.status.code().unwrap(), said.join("\n") + "\n")
}

#[test]
fn a_timm_file_without_its_config_is_recognised() {
    let (status, said) = verdict(timm("seresnet18"), &[]);
    let expected = "network  seresnet18, by the names and shapes of the tensors\n";
    assert_eq!((status, said.as_str()), (0, expected));
}

#[test]
fn a_missing_a_misshapen_and_a_foreign_tensor_are_named() {
    let mut tensors = timm("seresnet18");
    tensors.remove("layer1.0.bn1.weight").unwrap();
    let wrong = Tensor::zeros((8, 64), DType::F16, &Device::Cpu).unwrap();
    tensors.insert("layer2.0.se.fc1.weight".to_owned(), wrong);
    let foreign = timm("resnet18").remove("fc.weight").unwrap();
    tensors.insert("head.fc.weight".to_owned(), foreign);
    let (status, said) = verdict(tensors, &[]);
    let expected = "  missing: `layer1.0.bn1.weight` of shape [64]
  misshapen: `layer2.0.se.fc1.weight`: expected shape [8, 128], found [8, 64]
  unexpected: `head.fc.weight`
network  none of the catalogue; closest to seresnet18
";
    assert_eq!((status, said.as_str()), (1, expected));
}

/// The same tensors with a prefix.
fn prefixed(tensors: &Tensors, prefix: &str) -> Tensors {
    let tensors = tensors.iter();
    tensors
        .map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone()))
        .collect()
}

#[test]
fn a_prefix_of_every_tensor_is_shown_and_not_read() {
    let tensors = prefixed(&timm("resnet18"), "module.");
    let output = inspect(tensors.clone(), &["--format", "json"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.ends_with("is read without the prefix `module.`\n"),
        "{stderr}"
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["prefix"], "module.");
    assert_eq!(report["networks"], serde_json::json!(["resnet18"]));
    let note = report["notes"][0].as_str().unwrap();
    assert!(
        note.ends_with("is read without the prefix `module.`"),
        "{note}"
    );
    assert_eq!(report["tensors"][0]["name"], "module.bn1.bias");

    let table = String::from_utf8(inspect(tensors, &[]).stdout).unwrap();
    let line = table.lines().find(|line| line.starts_with("note "));
    assert!(
        line.unwrap().ends_with("without the prefix `module.`"),
        "{table}"
    );
}

#[test]
fn the_average_beside_weights_is_looked_at_where_it_is_asked_for() {
    let mut tensors = prefixed(&timm("resnet18"), "model.");
    tensors.extend(prefixed(&timm("resnet18"), "model_ema."));
    for (flags, prefix) in [(&[][..], "model."), (&["--ema"], "model_ema.")] {
        let flags = [&["--format", "json"], flags].concat();
        let output = inspect(tensors.clone(), &flags);
        assert_eq!(output.status.code(), Some(0));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["prefix"], prefix);
        assert_eq!(report["networks"], serde_json::json!(["resnet18"]));
    }
    let output = inspect(timm("resnet18"), &["--ema"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn tensors_of_other_names_are_near_no_network() {
    let zeros = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
    let foreign = Tensors::from([("blocks.0.attn.qkv.bias".to_owned(), zeros)]);
    let expected = "network  none of the catalogue has tensors of such names\n";
    for tensors in [Tensors::new(), foreign] {
        assert_eq!(verdict(tensors, &[]), (1, expected.to_owned()));
    }
}

#[test]
fn a_problem_of_several_lines_is_shown_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let metadata = HashMap::from([("network".to_owned(), "seresnet5O".to_owned())]);
    safetensors::serialize_to_file(timm("resnet18"), Some(metadata), &path).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
    let output = command.arg("inspect").arg(&path).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let expected = "problem    unknown network `seresnet5O`\n           \
                    hint: did you mean `seresnet50`?\n";
    assert!(stdout.contains(expected), "{stdout}");
}

#[test]
fn a_dump_is_said_to_be_one() {
    let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
    let dump = "tests/fixtures/se_block/reference.safetensors";
    let output = command.arg("inspect").arg(dump).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut lines = stdout.lines();
    let said = "is a dump of activations, not weights";
    let problem = lines.find(|line| line.starts_with("problem") && line.ends_with(said));
    assert!(problem.is_some(), "{stdout}");
    let hint = lines.next().unwrap().trim_start();
    assert!(hint.starts_with("hint: `senet parity"), "{stdout}");
}

#[test]
fn a_file_can_be_compared_with_a_network_of_choice() {
    let (status, said) = verdict(timm("resnet18"), &["--network", "seresnet18"]);
    assert_eq!(status, 1);
    let (missing, verdict) = said.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(
        verdict,
        "network  resnet18 by its tensors, not seresnet18, which is stated"
    );
    // Two dense layers with weight and bias in each of eight blocks: 32, of which 20 are shown.
    assert!(missing.lines().all(|line| line.starts_with("  missing: ")));
    assert_eq!(missing.lines().count(), 21);
    assert!(missing.ends_with("  missing: 12 more, which `--format json` lists"));
}

#[test]
fn values_that_are_no_numbers_are_counted() {
    let mut tensors = timm("seresnet18");
    let values = [f32::NAN, f32::NAN, f32::NEG_INFINITY, 0.];
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let bias: Vec<f32> = values.iter().copied().cycle().take(1000).collect();
        let bias = Tensor::new(bias, &Device::Cpu).unwrap();
        tensors.insert("fc.bias".to_owned(), bias.to_dtype(dtype).unwrap());
        let output = inspect(tensors.clone(), &["--format", "json"]);
        assert_eq!(output.status.code(), Some(1));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = report["tensors"].as_array().unwrap();
        let bias = found.iter().find(|tensor| tensor["name"] == "fc.bias");
        assert_eq!(
            (&bias.unwrap()["nan"], &bias.unwrap()["infinite"]),
            (&500.into(), &250.into())
        );
        assert_eq!(report["networks"], serde_json::json!(["seresnet18"]));
    }
    let table = inspect(tensors, &[]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("500 NaN, 250 infinite\n"), "{table}");
    assert!(
        table.contains("values   NaN or infinite in 1 tensor\n"),
        "{table}"
    );
}

#[test]
fn networks_that_share_every_name_and_shape_are_ambiguous() {
    // The SE-ResNeXts that pools alone tell apart have 94 million numbers; their names alone are
    // tried in the unit tests. Without a trace of PyTorch a plain ResNet-50 is ambiguous too.
    let mut tensors = timm("resnet50");
    tensors.retain(|name, _| !name.ends_with("num_batches_tracked"));
    let (status, said) = verdict(tensors, &[]);
    let expected = "network  ambiguous: keras_resnet50, resnet50, which compute differently; \
                    `--network` chooses\n";
    assert_eq!((status, said.as_str()), (1, expected));
}

#[test]
fn a_file_of_a_network_that_does_not_exist_is_still_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (metadata, problem) in [
        (("network", "nosuch"), "unknown network `nosuch`"),
        (("preprocessing", "{"), "metadata `preprocessing`"),
    ] {
        let (key, value) = metadata;
        let metadata = HashMap::from([(key.to_owned(), value.to_owned())]);
        safetensors::serialize_to_file(timm("resnet18"), Some(metadata), &path).unwrap();
        let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
        let output = command.arg("inspect").arg(&path).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stdout}");
        let line = stdout.lines().find(|line| line.starts_with("problem"));
        assert!(line.unwrap().contains(problem), "{stdout}");
        let verdict = stdout.lines().last().unwrap();
        assert!(verdict.contains(" resnet18"), "{verdict}");
    }
}

#[test]
fn a_network_of_another_convention_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let metadata = [("network", "resnet18"), ("convention", "keras")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let metadata = Some(HashMap::from(metadata));
    safetensors::serialize_to_file(timm("resnet18"), metadata, &path).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
    let output = command.arg("inspect").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("made under the convention `keras`"),
        "{stdout}"
    );
}
