//! Dumps of any origin: their names, two of them compared, and what is wrong with one.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::{Value, json};

const CASE: &str = "tests/fixtures/se_bottleneck";

/// A value of a dump.
type Named<'a> = (&'a str, &'a [usize], Vec<f64>);

/// Writes a dump whose tensors lie in the file in this order.
fn write(folder: &Path, file: &str, metadata: &Value, values: &[Named]) -> PathBuf {
    let mut header = json!({ "__metadata__": metadata });
    let mut bytes: Vec<u8> = Vec::new();
    for (name, shape, numbers) in values {
        let start = bytes.len();
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        header[*name] =
            json!({ "dtype": "F64", "shape": shape, "data_offsets": [start, bytes.len()] });
    }
    let mut text = header.to_string();
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let length = (text.len() as u64).to_le_bytes();
    let path = folder.join(file);
    fs::write(&path, [&length[..], text.as_bytes(), &bytes[..]].concat()).unwrap();
    path
}

/// So many different numbers.
fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|i| (i as f64 * 0.7).sin()).collect()
}

/// `[N, C, H, W]` numbers as `[N, H, W, C]`.
fn to_nhwc(numbers: &[f64], [n, c, h, w]: [usize; 4]) -> Vec<f64> {
    let mut moved = Vec::new();
    for image in 0..n {
        for pixel in 0..h * w {
            moved.extend((0..c).map(|channel| numbers[(image * c + channel) * h * w + pixel]));
        }
    }
    moved
}

fn senet(arguments: &[&str]) -> Output {
    let mut senet = Command::cargo_bin("senet").unwrap();
    senet.args(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What `senet parity` says of two dumps, and its exit status.
fn compared(ours: &Path, reference: &Path, flags: &[&str]) -> (Value, i32) {
    let words = [
        "parity",
        "--ours",
        path(ours),
        "--reference",
        path(reference),
    ];
    let output = senet(&[&words[..], &["--format", "json"], flags].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    });
    (report, output.status.code().unwrap())
}

/// The message with which two dumps are refused.
fn refused(ours: &Path, reference: &Path, flags: &[&str]) -> String {
    let words = [
        "parity",
        "--ours",
        path(ours),
        "--reference",
        path(reference),
    ];
    let output = senet(&[&words[..], flags].concat());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn names(report: &Value) -> Vec<&str> {
    let layers = report["layers"].as_array().unwrap().iter();
    layers
        .map(|layer| layer["name"].as_str().unwrap())
        .collect()
}

#[test]
fn two_dumps_are_compared_in_the_order_in_which_they_lie_in_the_file_or_which_metadata_says() {
    let folder = tempfile::tempdir().unwrap();
    let dump = |file: &str, names: [&str; 3], metadata: Value, changed: &str| {
        let values = names.map(|name| {
            let mut numbers = numbers(6);
            numbers[4] += f64::from(u8::from(name == changed)) * 0.25;
            (name, &[2, 3][..], numbers)
        });
        write(folder.path(), file, &metadata, &values)
    };
    let ours = dump("ours", ["a", "b", "c"], json!({}), "a");
    for (metadata, order) in [
        (json!({}), ["c", "a", "b"]),
        (json!({ "order": "[\"b\", \"c\"]" }), ["b", "c", "a"]),
    ] {
        let reference = dump("reference", ["c", "a", "b"], metadata, "");
        let (report, code) = compared(&ours, &reference, &[]);
        assert_eq!((names(&report), code), (order.to_vec(), 1));
        assert_eq!(report["first_divergence"], "a");
        let place = order.iter().position(|name| *name == "a").unwrap();
        assert_eq!(report["layers"][place]["worst"], json!([1, 1]));
    }
    let reference = dump("reference", ["c", "a", "b"], json!({}), "a");
    assert_eq!(compared(&ours, &reference, &[]).1, 0);
    let absent = dump("absent", ["c", "a", "b"], json!({ "order": "[\"d\"]" }), "");
    let message = refused(&ours, &absent, &[]);
    assert!(
        message.contains("metadata `order` with `d`, which it does not hold"),
        "{message}"
    );
}

#[test]
fn layouts_come_from_metadata_or_from_the_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let (nchw, nhwc) = ([2, 3, 4, 5], [2, 4, 5, 3]);
    let numbers = numbers(120);
    let moved = to_nhwc(&numbers, nchw);
    let gate: Vec<f64> = numbers[..6].to_vec();
    for (said_ours, said_reference) in [
        (json!({ "layout": "nchw" }), json!({ "layout": "nhwc" })),
        (json!({}), json!({ "layout": "nhwc" })),
        (json!({ "layout": "nchw" }), json!({})),
        (json!({}), json!({})),
    ] {
        let ours = [
            ("x", &nchw[..], numbers.clone()),
            ("gate", &[2, 3, 1, 1], gate.clone()),
        ];
        let ours = write(folder.path(), "ours", &said_ours, &ours);
        let reference = [
            ("x", &nhwc[..], moved.clone()),
            ("gate", &[2, 3], gate.clone()),
        ];
        let reference = write(folder.path(), "reference", &said_reference, &reference);
        let (report, code) = compared(&ours, &reference, &[]);
        assert_eq!(code, 0, "{report}");
        let layouts = [&report["ours"]["layout"], &report["reference"]["layout"]];
        assert_eq!(layouts, ["nchw", "nhwc"]);
        let said = report["ours"]["layout_is_said"].as_bool().unwrap();
        assert_eq!(said, said_ours["layout"].is_string());
    }
    // What the metadata says wrongly, and axes that no layout has.
    let ours = [("x", &nchw[..], numbers.clone())];
    let ours = write(folder.path(), "ours", &json!({ "layout": "nhwc" }), &ours);
    let reference = [("x", &nhwc[..], moved)];
    let reference = write(
        folder.path(),
        "reference",
        &json!({ "layout": "nhwc" }),
        &reference,
    );
    let message = refused(&ours, &reference, &[]);
    assert!(
        message.contains("ours` is `nchw`: its metadata `layout` says otherwise"),
        "{message}"
    );
    let transposed = [("x", &[2, 3, 5, 4][..], numbers.clone())];
    let transposed = write(folder.path(), "transposed", &json!({}), &transposed);
    let plain = [("x", &nchw[..], numbers)];
    let plain = write(folder.path(), "plain", &json!({ "layout": "nchw" }), &plain);
    let message = refused(&transposed, &plain, &[]);
    assert!(message.contains("`x` of shape [2, 3, 5, 4]"), "{message}");
    assert!(
        message.contains("taken in the order [0, 1, 3, 2]"),
        "{message}"
    );
}

#[test]
fn names_that_differ_are_matched_by_aliases_or_by_a_networks_layers() {
    let folder = tempfile::tempdir().unwrap();
    let value = |name| (name, &[1, 4][..], numbers(4));
    let ours = [value("stem conv"), value("second"), value("mine")];
    let ours = write(folder.path(), "ours", &json!({}), &ours);
    let theirs = [value("conv1"), value("second"), value("theirs")];
    let reference = write(folder.path(), "reference", &json!({}), &theirs);
    let alias = folder.path().join("alias");
    let aliased = |text: &str| {
        fs::write(&alias, text).unwrap();
        ["--alias", path(&alias)]
    };
    let (report, code) = compared(
        &ours,
        &reference,
        &aliased("# ours, reference\n\nstem conv\tconv1\n"),
    );
    assert_eq!((names(&report), code), (vec!["conv1", "second"], 0));
    assert_eq!(report["aliases"], json!({ "conv1": "stem conv" }));
    assert_eq!(report["only_ours"], json!(["mine"]));
    assert_eq!(report["only_reference"], json!(["theirs"]));
    for (text, expected) in [
        ("mine nothing", "alias` names `nothing`, which"),
        ("nothing theirs", "alias` names `nothing`, which"),
        ("mine", "has 1 names in line 1, expected 2"),
        (
            "a b\nmine theirs second",
            "has 3 names in line 2, expected 2",
        ),
        (
            "mine theirs\nsecond theirs",
            "names `theirs` again in line 2",
        ),
    ] {
        let message = refused(&ours, &reference, &aliased(text));
        assert!(message.contains(expected), "{text}: {message}");
    }

    // Each in the names of its code base, in an order of its own.
    let timm = [value("layer1.0.se.fc1"), value("conv1")];
    let timm = write(folder.path(), "timm", &json!({}), &timm);
    let cadene = [
        value("layer1.0.se_module.fc1"),
        value("layer0.conv1"),
        value("odd"),
    ];
    let cadene = write(folder.path(), "cadene", &json!({}), &cadene);
    let (report, code) = compared(&timm, &cadene, &["--network", "legacy_seresnet50"]);
    assert_eq!(code, 0);
    assert_eq!(names(&report), ["layer0.conv1", "layer1.0.se_module.fc1"]);
    assert_eq!(report["only_reference"], json!(["odd"]));
    let message = refused(&timm, &cadene, &[]);
    assert!(message.contains("has no value in common with"), "{message}");
    assert!(message.contains("hint: `--alias`"), "{message}");
}

#[test]
fn dumps_are_not_equal_for_having_the_same_input() {
    let folder = tempfile::tempdir().unwrap();
    let dump = |file: &str, names: &[&'static str]| {
        let value = |&name| (name, &[1, 4][..], numbers(4));
        let values: Vec<Named> = names.iter().map(value).collect();
        write(folder.path(), file, &json!({}), &values)
    };
    let ours = dump("ours", &["input", "a", "b.c", "output"]);
    let reference = dump("reference", &["input", "d", "e"]);
    let message = refused(&ours, &reference, &[]);
    assert!(
        message.contains("has no value but `input` in common with"),
        "{message}"
    );
    let answer = |reference: &Path| {
        let words = [
            "parity",
            "--ours",
            path(&ours),
            "--reference",
            path(reference),
        ];
        let output = senet(&words);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let shown = String::from_utf8(output.stdout).unwrap();
        shown.lines().next_back().unwrap().to_owned()
    };
    let tolerance = "(atol 1e-7, rtol 1e-5)";
    let little = dump("little", &["input", "x", "y", "output"]);
    let expected = format!("equal in 1 value; 4 in one of the two alone {tolerance}");
    assert_eq!(answer(&little), expected);
    let half = dump("half", &["a", "output"]);
    assert_eq!(answer(&half), format!("equal {tolerance}"));
    // One prefix and other separators change no name.
    let spelt = dump("spelt", &["input", "module.a", "module.b/c", "output"]);
    let (report, code) = compared(&ours, &spelt, &[]);
    let all = vec!["input", "module.a", "module.b/c", "output"];
    assert_eq!((names(&report), code), (all, 0));
    assert_eq!(report["aliases"]["module.b/c"], "b.c");
}

#[test]
fn an_odd_dump_is_compared_or_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = write(folder, "good", &json!({}), &[("x", &[1, 3], numbers(3))]);
    let infinite = [("x", &[1, 3][..], vec![f64::NAN, f64::INFINITY, 1.])];
    let infinite = write(folder, "infinite", &json!({}), &infinite);
    let (report, code) = compared(&infinite, &good, &[]);
    assert_eq!((code, &report["layers"][0]["max_abs"]), (1, &Value::Null));
    let empty = write(folder, "empty", &json!({}), &[]);
    assert!(refused(&empty, &good, &[]).contains("no value in common"));
    assert!(refused(&good, &empty, &[]).contains("the other nothing"));
    let none = write(folder, "none", &json!({}), &[("x", &[1, 0], Vec::new())]);
    assert!(refused(&none, &good, &[]).contains("of shape [1, 0]"));
    let rank = write(folder, "rank", &json!({}), &[("x", &[3], numbers(3))]);
    assert!(refused(&rank, &good, &[]).contains("of shape [3]"));
    let layout = write(folder, "layout", &json!({ "layout": "NCHW" }), &[]);
    assert!(refused(&layout, &good, &[]).contains("expected `nhwc` or `nchw`"));
    let order = write(folder, "order", &json!({ "order": "{}" }), &[]);
    assert!(refused(&order, &good, &[]).contains("metadata `order` that cannot be read"));
    let weights = write(
        folder,
        "weights",
        &json!({}),
        &[("fc.weight", &[1], vec![0.])],
    );
    assert!(refused(&weights, &good, &[]).contains("holds weights"));
    assert!(refused(&good, &good, &[]).contains("given as `--ours` and as `--reference`"));
    let same = folder
        .join("../")
        .join(folder.file_name().unwrap())
        .join("good");
    assert!(refused(&good, &same, &[]).contains("given as `--ours` and as `--reference`"));

    let huge = "x".repeat(50_000) + "\n\u{1b}[31m<script>";
    let a = write(folder, "a", &json!({}), &[(&huge, &[1, 3], numbers(3))]);
    let b = write(folder, "b", &json!({}), &[(&huge, &[1, 3], vec![0.; 3])]);
    for format in ["table", "html"] {
        let words = [
            "parity",
            "--ours",
            path(&a),
            "--reference",
            path(&b),
            "--format",
            format,
        ];
        let output = senet(&words);
        assert_eq!(output.status.code(), Some(1));
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.len() < 10_000, "{format}: {}", shown.len());
        assert!(
            !shown.contains('\u{1b}') && !shown.contains("<script"),
            "{shown}"
        );
    }
}

#[test]
fn values_without_a_layer_are_an_error_ignored_or_named_by_an_alias() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let fixture = candle_core::safetensors::load(
        format!("{CASE}/reference.safetensors"),
        &candle_core::Device::Cpu,
    );
    let mut values = fixture.unwrap();
    let conv2 = values.remove("conv2").unwrap();
    values.insert("model/second".to_owned(), conv2);
    let zeros = candle_core::Tensor::zeros(3, candle_core::DType::F64, &candle_core::Device::Cpu);
    values.insert("loss".to_owned(), zeros.unwrap());
    let dump = folder.join("dump.safetensors");
    let metadata = [("layout".to_owned(), "nhwc".to_owned())].into();
    safetensors::serialize_to_file(values, Some(metadata), &dump).unwrap();
    let weights = format!("{CASE}/weights.safetensors");
    let parity = |flags: &[&str]| {
        let words = ["parity", "--weights", &weights, "--reference", path(&dump)];
        let words = [
            &words[..],
            &["--engine", "candle", "--format", "json"],
            flags,
        ]
        .concat();
        let output = senet(&words);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let message = String::from_utf8(output.stderr).unwrap();
        (report, message, output.status.code().unwrap())
    };
    let (_, message, code) = parity(&[]);
    assert_eq!(code, 2);
    let expected = "names 2 values that network `se_bottleneck` lacks: `loss`, `model/second`\nhint: `--extra ignore`";
    assert!(message.contains(expected), "{message}");

    let (report, _, code) = parity(&["--extra", "ignore"]);
    assert_eq!(
        (code, &report["extra"]),
        (0, &json!(["loss", "model/second"]))
    );
    assert_eq!(report["coverage"]["layers"], 15);

    let alias = folder.join("alias");
    fs::write(&alias, "conv2 model/second\n").unwrap();
    let (report, _, code) = parity(&["--alias", path(&alias), "--extra", "ignore"]);
    assert_eq!((code, &report["extra"]), (0, &json!(["loss"])));
    assert_eq!(report["coverage"]["layers"], 16);
    // An alias of another layer is compared with that layer.
    fs::write(&alias, "conv1 model/second\n").unwrap();
    let (report, _, code) = parity(&["--alias", path(&alias), "--extra", "ignore"]);
    assert_eq!(
        (code, &report["first_divergence"]),
        (1, &json!("model/second"))
    );
    fs::write(&alias, "conv9 model/second\n").unwrap();
    let (_, message, code) = parity(&["--alias", path(&alias)]);
    assert_eq!(code, 2);
    assert!(
        message.contains("names `conv9`, which network `se_bottleneck` lacks"),
        "{message}"
    );

    let odd = [
        ("input", &[1, 32, 2, 3][..], numbers(192)),
        ("odd", &[1][..], vec![0.]),
    ];
    let odd = write(folder, "odd", &json!({ "layout": "nchw" }), &odd);
    let words = [
        "parity",
        "--weights",
        &weights,
        "--reference",
        path(&odd),
        "--extra",
        "ignore",
    ];
    let output = senet(&words);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("odd` holds nothing to compare"),
        "{message}"
    );
    let output = senet(&[&words[..], &["--names"]].concat());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.ends_with("0 of 1 name mean a layer of se_bottleneck\n"),
        "{shown}"
    );

    let (report, _, code) = parity(&["--names"]);
    assert_eq!(
        (code, &report["extra"]),
        (1, &json!(["loss", "model/second"]))
    );
    let first = json!({ "name": "conv1", "layer": "conv1", "how": "layer", "code_base": null });
    assert_eq!(report["values"][0], first);
}
