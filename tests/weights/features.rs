//! The vector that a classifier reads, and weights without a classifier.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::{SHIPPED, senet};

const PHOTOS: &str = "tests/images/photos";

/// seresnet20 as timm saves it after `reset_classifier(0)`: without the tensors of its classifier.
fn headless() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = candle_core::safetensors::load(SHIPPED, &candle_core::Device::Cpu).unwrap();
    tensors.retain(|name, _| !name.starts_with("fc."));
    let path = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let config = json!({
        "architecture": "seresnet20", "num_classes": 0, "num_features": 64,
        "label_names": ["of", "another", "head"],
        "pretrained_cfg": {
            "custom_load": false, "input_size": [3, 32, 32], "interpolation": "bilinear",
            "crop_pct": 1.0, "mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616],
            "num_classes": 0
        }
    });
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

fn stderr(arguments: &[&str], status: i32) -> String {
    let output = senet(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    stderr
}

/// The rows of a file of vectors in NDJSON: its input, and its vector where it has one.
fn lines(path: &Path) -> Vec<(String, Option<Vec<f32>>)> {
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let features = serde_json::from_value(row["features"].clone()).unwrap();
        (row["input"].as_str().unwrap().to_owned(), features)
    });
    rows.collect()
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    let numbers = bytes.chunks_exact(4);
    numbers
        .map(|number| f32::from_le_bytes(number.try_into().unwrap()))
        .collect()
}

#[test]
fn a_row_of_every_form_is_that_of_its_input_and_a_failed_one_has_no_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let [npy, safetensors, ndjson] =
        ["v.npy", "v.safetensors", "v.ndjson"].map(|name| folder.path().join(name));
    for path in [&npy, &safetensors, &ndjson] {
        let path = path.to_str().unwrap();
        let said = stderr(
            &[
                "classify",
                "-w",
                SHIPPED,
                "-b",
                "2",
                "README.md",
                PHOTOS,
                "--features",
                path,
            ],
            1,
        );
        assert!(said.contains("1 of 4 inputs failed"), "{said}");
    }
    let lines = lines(&ndjson);
    assert_eq!(lines.len(), 4);
    assert_eq!((lines[0].0.as_str(), &lines[0].1), ("README.md", &None));
    let vectors: Vec<&Vec<f32>> = lines
        .iter()
        .filter_map(|(_, vector)| vector.as_ref())
        .collect();
    assert!(vectors.len() == 3 && vectors.iter().all(|vector| vector.len() == 64));

    let bytes = fs::read(&npy).unwrap();
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("'shape': (4, 64)"));
    let of_npy = numbers(&bytes[128..]);
    assert!(of_npy.len() == 4 * 64 && of_npy[..64].iter().all(|number| number.is_nan()));
    let expected: Vec<f32> = vectors.into_iter().flatten().copied().collect();
    assert_eq!(of_npy[64..], expected);

    let bytes = fs::read(&safetensors).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let features = tensors.tensor("features").unwrap();
    assert_eq!(features.shape(), [4, 64]);
    assert_eq!(numbers(features.data())[64..], expected);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        3,
        "a partial file is left"
    );
}

#[test]
fn asking_for_features_changes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.npy");
    for engine in ["cpu", "candle"] {
        let plain = [
            "classify", "-w", SHIPPED, "-f", "json", "--engine", engine, PHOTOS,
        ];
        let asked = [&plain[..], &["--features", path.to_str().unwrap()]].concat();
        assert_eq!(senet(&plain).stdout, senet(&asked).stdout, "{engine}");
    }
}

/// The vector times the classifier's weights is what the whole network answers with.
#[test]
fn the_vector_is_what_the_classifier_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.ndjson");
    senet(&[
        "classify",
        "-w",
        SHIPPED,
        PHOTOS,
        "--features",
        path.to_str().unwrap(),
    ]);
    let tensors = candle_core::safetensors::load(SHIPPED, &candle_core::Device::Cpu).unwrap();
    // Keras's: a column a class.
    let weight: Vec<Vec<f32>> = tensors["fc.kernel"].t().unwrap().to_vec2().unwrap();
    let bias: Vec<f32> = tensors["fc.bias"].to_vec1().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let vector: Vec<f32> = serde_json::from_value(row["features"].clone()).unwrap();
        for class in row["top"].as_array().unwrap() {
            let number = usize::try_from(class["class"].as_u64().unwrap()).unwrap();
            let products = weight[number].iter().zip(&vector);
            let sum: f32 = products.map(|(weight, value)| weight * value).sum();
            let difference = f64::from(sum + bias[number]) - class["logit"].as_f64().unwrap();
            // 64 products of numbers of some units, each rounded to 24 bits.
            assert!(difference.abs() < 1e-4, "{difference}");
        }
    }
}

#[test]
fn weights_without_a_classifier_have_vectors_and_no_classes() {
    let folder = headless();
    let weights = folder.path().to_str().unwrap();
    let refused = stderr(&["classify", "-w", weights, PHOTOS], 2);
    assert!(
        refused.contains("have no classifier (`num_classes` 0)"),
        "{refused}"
    );
    assert!(
        refused.contains("hint: `--features FILE` writes the vector of 64"),
        "{refused}"
    );

    let [ours, whole] = ["ours.ndjson", "whole.ndjson"].map(|name| folder.path().join(name));
    let [of_ours, of_whole] = [&ours, &whole].map(|path| path.to_str().unwrap());
    let rows = senet(&[
        "classify",
        "-w",
        weights,
        "-f",
        "csv",
        PHOTOS,
        "--features",
        of_ours,
    ]);
    assert!(rows.status.success());
    let rows = String::from_utf8(rows.stdout).unwrap();
    assert_eq!(rows.lines().next(), Some("input,error"));
    // Of the same preprocessing.
    let pixels = [
        "--preset",
        "timm",
        "--size",
        "32",
        "--crop-pct",
        "1",
        "--mean",
        "0.5",
        "--std",
        "0.25",
    ];
    for (weights, path) in [(weights, of_ours), (SHIPPED, of_whole)] {
        let arguments = [
            &["classify", "-w", weights, PHOTOS, "--features", path][..],
            &pixels,
        ]
        .concat();
        assert!(senet(&arguments).status.success());
    }
    assert_eq!(lines(&ours), lines(&whole));
    for command in [
        &["trace", weights][..],
        &["inspect", weights],
        &["bench", weights, "--runs", "1"],
    ] {
        assert_eq!(stderr(command, 0), "", "{command:?}");
    }
}

/// Without a description the names and shapes of all tensors but the classifier's tell the network.
#[test]
fn a_file_of_all_tensors_but_the_classifiers_is_recognised() {
    let folder = headless();
    fs::remove_file(folder.path().join("config.json")).unwrap();
    let path = folder.path().join("model.safetensors");
    let refused = stderr(&["classify", "-w", path.to_str().unwrap(), PHOTOS], 2);
    assert!(
        refused.contains("`seresnet20` have no classifier"),
        "{refused}"
    );
}

#[test]
fn a_file_of_vectors_says_its_form_and_overwrites_nothing_that_is_read() {
    let folder = headless();
    let weights = folder.path().join("model.safetensors");
    let path = weights.to_str().unwrap();
    let refused = stderr(&["classify", "-w", path, PHOTOS, "--features", path], 2);
    assert!(refused.contains("would overwrite"), "{refused}");
    let refused = stderr(&["classify", "-w", path, PHOTOS, "--features", "v.txt"], 2);
    assert!(
        refused.contains(".npy, .safetensors and .ndjson"),
        "{refused}"
    );
    let partial = folder.path().join("v.npy.partial");
    fs::write(&partial, "rows").unwrap();
    let path = folder.path().join("v.npy");
    let flags = [
        "classify",
        "-w",
        weights.to_str().unwrap(),
        PHOTOS,
        "--features",
        path.to_str().unwrap(),
    ];
    let refused = stderr(&flags, 2);
    assert!(
        refused.contains("hint: `--overwrite` begins anew"),
        "{refused}"
    );
    assert_eq!(fs::read(&partial).unwrap(), b"rows");
    assert!(
        senet(&[&flags[..], &["--overwrite"]].concat())
            .status
            .success()
    );
    assert!(path.exists() && !partial.exists());
}
