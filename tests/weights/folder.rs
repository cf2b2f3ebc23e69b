//! Weights in a folder with timm's `config.json`.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::{BUILTIN, CAT, SHIPPED, senet};

/// What a folder's config.json says where a test changes nothing: what the metadata of the
/// builtin weights says, but for what timm does with alpha, 16 bits and orientation.
fn config() -> Value {
    json!({
        "architecture": "seresnet20", "num_classes": 10, "num_features": 64,
        "global_pool": "avg",
        "label_names": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
            "ship", "truck"],
        "pretrained_cfg": {
            "custom_load": false, "input_size": [3, 32, 32], "fixed_input_size": false,
            "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center",
            "mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616],
            "num_classes": 10, "pool_size": [8, 8], "first_conv": "conv1", "classifier": "fc"
        }
    })
}

/// The shipped tensors without the metadata, as no published file has any of ours.
fn write_weights(path: &Path, change: impl FnOnce(&mut Tensors)) {
    let mut tensors = candle_core::safetensors::load(SHIPPED, &candle_core::Device::Cpu).unwrap();
    change(&mut tensors);
    safetensors::serialize_to_file(tensors, None, path).unwrap();
}

type Tensors = std::collections::HashMap<String, candle_core::Tensor>;

/// A folder as `save_for_hf` writes one, with `config` changed.
fn folder(change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_weights(&folder.path().join("model.safetensors"), |_| {});
    let mut config = config();
    change(&mut config);
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

fn classify(weights: &Path, flags: &[&str]) -> Output {
    let mut arguments = vec!["classify", "--format", "ndjson", "--weights"];
    arguments.push(weights.to_str().unwrap());
    arguments.extend(flags);
    arguments.push(CAT);
    senet(&arguments)
}

fn rows(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(weights: &Path, flags: &[&str]) -> String {
    let output = classify(weights, flags);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    stderr
}

/// 15 GB for one image, of which nothing is allocated.
#[test]
fn an_input_too_large_to_compute_is_refused_before_it_is_allocated() {
    let folder = folder(|config| {
        config["pretrained_cfg"]["input_size"] = json!([3, 8000, 8000]);
        config["pretrained_cfg"]["fixed_input_size"] = json!(true);
    });
    for engine in ["cpu", "candle"] {
        let problem = refusal(folder.path(), &["--engine", engine]);
        let takes = "`seresnet20` takes ";
        assert!(problem.contains(takes), "{problem}");
        assert!(problem.contains("may take 4.0 GiB\nhint: "), "{problem}");
    }
}

#[test]
fn a_folder_answers_like_the_file_whose_metadata_says_the_same() {
    let folder = folder(|_| {});
    let builtin = senet(&["classify", "--format", "ndjson", "--weights", BUILTIN, CAT]);
    assert_eq!(classify(folder.path(), &[]).stdout, builtin.stdout);
    let file = folder.path().join("model.safetensors");
    assert_eq!(classify(&file, &[]).stdout, builtin.stdout);
}

#[test]
fn a_file_of_another_name_is_read_without_the_config_beside_it() {
    let folder = folder(|_| {});
    let file = folder.path().join("mine.safetensors");
    fs::rename(folder.path().join("model.safetensors"), &file).unwrap();
    assert!(refusal(&file, &[]).contains("does not say how images are prepared"));
    let hint = format!("hint: name the file itself: `{}`", file.display());
    assert!(refusal(folder.path(), &[]).contains(&hint));
}

#[test]
fn what_the_config_says_of_pixels_changes_the_answer_as_the_flags_do() {
    for (entry, value, flags) in [
        ("crop_pct", json!(0.5), ["--crop-pct", "0.5"]),
        ("crop_mode", json!("squash"), ["--crop-mode", "squash"]),
        (
            "interpolation",
            json!("bicubic"),
            ["--interpolation", "bicubic"],
        ),
        ("input_size", json!([3, 40, 48]), ["--size", "40x48"]),
        ("mean", json!([0.1, 0.2, 0.3]), ["--mean", "0.1,0.2,0.3"]),
        ("std", json!([0.5]), ["--std", "0.5,0.5,0.5"]),
    ] {
        let plain = folder(|_| {});
        let by_flag = rows(&classify(plain.path(), &flags));
        let changed = folder(|config| config["pretrained_cfg"][entry] = value);
        assert_eq!(rows(&classify(changed.path(), &[])), by_flag, "{entry}");
        assert_ne!(rows(&classify(plain.path(), &[])), by_flag, "{entry}");
    }
}

#[test]
fn the_size_for_tests_is_chosen_by_a_flag() {
    let folder = folder(|config| {
        config["pretrained_cfg"]["test_input_size"] = json!([3, 48, 48]);
        config["pretrained_cfg"]["test_crop_pct"] = json!(0.9);
    });
    let by_flags = rows(&classify(
        folder.path(),
        &["--size", "48x48", "--crop-pct", "0.9"],
    ));
    assert_eq!(rows(&classify(folder.path(), &["--test-size"])), by_flags);
    assert_ne!(rows(&classify(folder.path(), &[])), by_flags);

    let path = folder.path().to_str().unwrap();
    for (flags, side) in [(&[][..], 32), (&["--test-size"], 48)] {
        let mut arguments = vec!["trace", "--format", "json", "--weights", path];
        arguments.extend(flags);
        let trace: Value = serde_json::from_slice(&senet(&arguments).stdout).unwrap();
        assert_eq!(trace["input_shape"], json!([1, 3, side, side]));
    }
}

#[test]
fn a_test_size_that_is_not_there_is_warned_of() {
    let folder = folder(|_| {});
    let output = classify(folder.path(), &["--test-size"]);
    assert_eq!(output.stdout, classify(folder.path(), &[]).stdout);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "recommend no size for tests; `--test-size` changes nothing\n";
    assert!(
        stderr.starts_with("warning: ") && stderr.ends_with(expected),
        "{stderr}"
    );
}

#[test]
fn a_fixed_size_cannot_be_changed() {
    let folder = folder(|config| config["pretrained_cfg"]["fixed_input_size"] = json!(true));
    rows(&classify(folder.path(), &[]));
    let stderr = refusal(folder.path(), &["--size", "48x48"]);
    assert!(
        stderr.contains("fixes the size at 32x32; 48x48 was asked for"),
        "{stderr}"
    );
}

#[test]
fn the_config_wins_over_what_the_tensors_alone_would_say() {
    let folder = folder(|config| config["architecture"] = json!("resnet20"));
    let stderr = refusal(folder.path(), &[]);
    assert!(
        stderr.contains("does not fit network `resnet20`"),
        "{stderr}"
    );
    // Asked for by name, the network is the one asked for.
    rows(&classify(folder.path(), &["--network", "seresnet20"]));
}

#[test]
fn metadata_and_config_that_disagree_are_refused() {
    let folder = folder(|config| config["architecture"] = json!("seresnet32"));
    fs::copy(SHIPPED, folder.path().join("model.safetensors")).unwrap();
    let stderr = refusal(folder.path(), &[]);
    let expected =
        "is of `seresnet32`, but the metadata of the weights beside it says `seresnet20`";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn an_unknown_architecture_gets_the_nearest_as_a_hint() {
    let folder = folder(|config| config["architecture"] = json!("seresnet21"));
    let expected = format!(
        "error: `{}` is for the unknown network `seresnet21`\nhint: did you mean `seresnet20`?\n",
        folder.path().join("model.safetensors").display()
    );
    assert_eq!(refusal(folder.path(), &[]), expected);
}

#[test]
fn an_architecture_of_another_spelling_is_understood_and_said() {
    let plain = folder(|_| {});
    let folder = folder(|config| config["architecture"] = json!("SE-ResNet-20"));
    let output = classify(folder.path(), &[]);
    assert_eq!(rows(&output), rows(&classify(plain.path(), &[])));
    let expected = format!(
        "note: `{}`: `SE-ResNet-20` is read as `seresnet20`\n",
        folder.path().join("model.safetensors").display()
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn a_name_that_timm_gave_up_is_compared_as_todays() {
    let folder = folder(|config| config["architecture"] = json!("gluon_seresnext50_32x4d"));
    let stderr = refusal(folder.path(), &[]);
    for expected in [
        "`gluon_seresnext50_32x4d` is what timm called `seresnext50_32x4d.gluon_in1k` formerly",
        "does not fit network `seresnext50_32x4d`",
    ] {
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn a_name_at_length_in_the_config_is_refused() {
    let folder = folder(|config| config["architecture"] = json!("x".repeat(1_000_000)));
    let stderr = refusal(folder.path(), &[]);
    let expected = "has `architecture` of 1000000 bytes; expected a name of at most 200\n";
    assert!(stderr.ends_with(expected), "{}", stderr.len());
}

#[test]
fn a_count_of_classes_that_the_classifier_has_not_is_refused() {
    let folder = folder(|config| {
        config["num_classes"] = json!(3);
        config.as_object_mut().unwrap().remove("label_names");
    });
    let stderr = refusal(folder.path(), &[]);
    assert!(
        stderr.contains("`fc.bias`: expected shape [3], found [10]"),
        "{stderr}"
    );
    assert!(
        stderr.ends_with("hint: its config.json says `num_classes` 3\n"),
        "{stderr}"
    );
}

#[test]
fn labels_come_from_the_config_or_are_numbers() {
    let top = |folder: &tempfile::TempDir| {
        rows(&classify(folder.path(), &["--top-k", "1"]))["top"][0]["label"].clone()
    };
    let described = folder(|config| {
        config["label_names"] = json!({"3": "n02121620"});
        config["label_descriptions"] = json!({"n02121620": "a cat indeed"});
    });
    assert_eq!(top(&described), json!("a cat indeed"));
    let nameless = folder(|config| drop(config.as_object_mut().unwrap().remove("label_names")));
    assert_eq!(top(&nameless), json!("3"));
    let few = folder(|config| config["label_names"] = json!(["cat"]));
    assert!(refusal(few.path(), &[]).contains("has 1 `label_names`, and `num_classes` 10"));
}

#[test]
fn a_config_that_is_no_file_or_huge_is_not_read() {
    let piped = folder(|_| ());
    let config = piped.path().join("config.json");
    std::fs::remove_file(&config).unwrap();
    std::fs::create_dir(&config).unwrap();
    assert!(refusal(piped.path(), &[]).contains("it is a folder, not a file"));
    std::fs::remove_dir(&config).unwrap();
    let huge = std::fs::File::create(&config).unwrap();
    huge.set_len(3_000_000_000).unwrap();
    assert!(
        refusal(piped.path(), &[]).contains("it has more than the 25000000 bytes that it may have")
    );
}

/// The classifier's tensors with so many classes: rows of its kernel repeat, `Keras` having the
/// classes last.
fn with_classes(tensors: &mut Tensors, classes: u32, background: u32) {
    let device = candle_core::Device::Cpu;
    let order: Vec<u32> = (0..background)
        .map(|_| 0)
        .chain((0..classes).map(|class| class % 10))
        .collect();
    let order = candle_core::Tensor::new(order, &device).unwrap();
    for (name, dim) in [("fc.kernel", 1), ("fc.bias", 0)] {
        let changed = tensors[name].index_select(&order, dim).unwrap();
        tensors.insert(name.to_owned(), changed);
    }
}

#[test]
fn a_thousand_classes_without_labels_are_those_of_imagenet() {
    let folder = folder(|config| {
        config["num_classes"] = json!(1000);
        config.as_object_mut().unwrap().remove("label_names");
    });
    let file = folder.path().join("model.safetensors");
    write_weights(&file, |tensors| with_classes(tensors, 1000, 0));
    let top = &rows(&classify(folder.path(), &["--top-k", "1"]))["top"][0];
    // The shipped weights say 3, cat, and class 1000 repeats class 0.
    assert_eq!(top["class"], json!(3));
    assert_eq!(top["label"], json!("tiger shark, Galeocerdo cuvieri"));
}

#[test]
fn classes_of_the_background_are_no_answers() {
    let folder = folder(|config| config["pretrained_cfg"]["label_offset"] = json!(1));
    let file = folder.path().join("model.safetensors");
    // As PyTorch lays it out: classes first, where timm cuts.
    let to_pytorch = |tensors: &mut Tensors| {
        with_classes(tensors, 10, 1);
        for (keras, ours) in [
            ("kernel", "weight"),
            ("gamma", "weight"),
            ("beta", "bias"),
            ("moving_mean", "running_mean"),
            ("moving_variance", "running_var"),
        ] {
            let ending = format!(".{keras}");
            let names: Vec<String> = tensors
                .keys()
                .filter(|name| name.ends_with(&ending))
                .cloned()
                .collect();
            for name in names {
                let tensor = tensors.remove(&name).unwrap();
                let tensor = match tensor.rank() {
                    4 => tensor.permute((3, 2, 0, 1)).unwrap(),
                    2 => tensor.t().unwrap(),
                    _ => tensor,
                };
                let name = name.replace(&ending, &format!(".{ours}"));
                tensors.insert(name, tensor.contiguous().unwrap());
            }
        }
    };
    write_weights(&file, to_pytorch);
    let builtin = senet(&["classify", "--format", "ndjson", "--weights", BUILTIN, CAT]);
    assert_eq!(classify(folder.path(), &[]).stdout, builtin.stdout);
}

#[test]
fn folders_without_safetensors_say_what_is_there_instead() {
    let folder = tempfile::tempdir().unwrap();
    let said = || refusal(folder.path(), &[]);
    assert!(said().ends_with("has no `model.safetensors`\n"));
    fs::write(folder.path().join("net.weights.h5"), "").unwrap();
    assert!(said().contains("has no `model.safetensors`, but `net.weights.h5`: HDF5"));
    fs::write(folder.path().join("net.keras"), "").unwrap();
    assert!(
        said().contains("but `net.keras`: a model of Keras\nhint: `python -m scripts.keras.export")
    );
    fs::write(folder.path().join("saved_model.pb"), "").unwrap();
    assert!(said().contains("but `saved_model.pb`: a SavedModel of TensorFlow\nhint: "));
    fs::remove_file(folder.path().join("saved_model.pb")).unwrap();
    fs::remove_file(folder.path().join("net.keras")).unwrap();
    fs::remove_file(folder.path().join("net.weights.h5")).unwrap();
    fs::write(folder.path().join("weights.pth"), "").unwrap();
    assert!(said().contains("has no `model.safetensors`, but `weights.pth`: pickled Python"));
    fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
    assert!(said().contains("but `pytorch_model.bin`: pickled Python objects"));
    fs::write(folder.path().join("model.safetensors.index.json"), "{}").unwrap();
    assert!(said().contains("split over several files"));
}

#[test]
fn a_config_of_another_kind_is_refused_by_name() {
    let folder = folder(|config| drop(config.as_object_mut().unwrap().remove("architecture")));
    let stderr = refusal(folder.path(), &[]);
    let name = folder.path().join("config.json").display().to_string();
    assert!(
        stderr.starts_with(&format!("error: `{name}` has no `architecture`")),
        "{stderr}"
    );
    fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(refusal(folder.path(), &[]).contains("is not a JSON object"));
}

#[test]
fn the_config_is_never_written_over() {
    let folder = folder(|_| {});
    let config = folder.path().join("config.json");
    let before = fs::read(&config).unwrap();
    let stderr = refusal(folder.path(), &["--output", config.to_str().unwrap()]);
    assert!(stderr.contains("config.json"), "{stderr}");
    assert_eq!(fs::read(&config).unwrap(), before);
}

#[test]
fn every_float_type_is_read() {
    use candle_core::DType;
    for (dtype, tolerance) in [
        (DType::F64, 0.),
        // Each weight is rounded to 11 or 8 bits; the logit of 5.7 was off by 0.004 and 0.03.
        (DType::F16, 0.02),
        (DType::BF16, 0.2),
    ] {
        let folder = folder(|_| {});
        write_weights(&folder.path().join("model.safetensors"), |tensors| {
            for tensor in tensors.values_mut() {
                *tensor = tensor.to_dtype(dtype).unwrap();
            }
        });
        let found = rows(&classify(folder.path(), &[]));
        let builtin = rows(&senet(&[
            "classify",
            "--format",
            "ndjson",
            "--weights",
            BUILTIN,
            CAT,
        ]));
        let logit = |rows: &Value| rows["top"][0]["logit"].as_f64().unwrap();
        assert_eq!(found["top"][0]["class"], builtin["top"][0]["class"]);
        let difference = (logit(&found) - logit(&builtin)).abs();
        assert!(difference <= tolerance, "{dtype:?}: {difference}");
        assert!(
            dtype == DType::F64 || difference > 0.,
            "{dtype:?} was not read as such"
        );
    }
}
