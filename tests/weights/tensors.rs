//! Tensors that are wrong in one way each, and values that are no numbers.

use std::collections::HashMap;
use std::process::Output;

use candle_core::{DType, Device, Tensor};

use super::{BUILTIN, CAT, SHIPPED, classify_changed, classify_with, said, senet};

#[test]
fn weights_from_a_file_answer_like_the_builtin_ones() {
    let from_file = senet(&["classify", "--format", "ndjson", "--weights", SHIPPED, CAT]);
    assert_eq!(from_file.status.code(), Some(0));
    let builtin = senet(&["classify", "--format", "ndjson", "--weights", BUILTIN, CAT]);
    assert_eq!(from_file.stdout, builtin.stdout);
    assert!(!builtin.stdout.is_empty());
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
    let ten = rows(&senet(&[
        "classify",
        "--format",
        "ndjson",
        "--weights",
        BUILTIN,
        CAT,
    ]));
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
