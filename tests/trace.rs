//! Values that `senet trace` saves, of one image or a batch: a dump that `senet parity` reads.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use candle_core::Tensor;
use senet::checkpoint::TensorFile;
use serde_json::Value;

const CAT: &str = "tests/images/photos/cat.jpg";
const COFFEE: &str = "tests/images/photos/coffee.jpg";
const TRACE: [&str; 4] = ["trace", "--weights", "builtin:seresnet20", "--save-to"];

fn senet(arguments: &[&str]) -> Output {
    let mut senet = Command::cargo_bin("senet").unwrap();
    senet.args(arguments).output().unwrap()
}

/// What a run that went well prints as JSON.
fn report(arguments: &[&str]) -> Value {
    let output = senet(&[arguments, &["--format", "json"]].concat());
    let problem = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {problem}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The file that values of the small network are saved in.
fn saved(folder: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let path = folder.join(name);
    report(&[&TRACE[..], &[text(&path)], flags].concat());
    path
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The layer's row of a trace.
fn row<'a>(trace: &'a Value, layer: &str) -> &'a Value {
    let rows = trace["layers"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == layer).unwrap()
}

#[test]
fn saved_values_are_a_dump_of_which_parity_compares_all() {
    let folder = tempfile::tempdir().unwrap();
    let dump = saved(
        folder.path(),
        "a.safetensors",
        &["--image", CAT, "--image", COFFEE],
    );
    let parity = ["parity", "-w", "builtin:seresnet20", "-r", text(&dump)];
    let by_candle = report(&[&parity[..], &["--engine", "candle"]].concat());
    assert_eq!(by_candle["passed"], true);
    assert_eq!(by_candle["coverage"]["layers"], 127);
    assert_eq!(by_candle["coverage"]["of_layers"], 127);
    let layers = by_candle["layers"].as_array().unwrap();
    assert!(
        layers.iter().all(|layer| layer["max_abs"] == 0.),
        "{by_candle}"
    );
    assert_eq!(layers[0]["shape"], serde_json::json!([2, 16, 32, 32]));
    let version = concat!("senet ", env!("CARGO_PKG_VERSION"));
    assert_eq!(by_candle["framework"], version);
    // The other engine sums up in another order.
    let by_kernels = report(&parity);
    assert_eq!(by_kernels["passed"], true);
    assert_eq!(by_kernels["coverage"]["blocks"], 9);
}

#[test]
fn two_runs_are_compared_in_either_layout_and_from_either_engine() {
    let folder = tempfile::tempdir().unwrap();
    let image = ["--image", CAT];
    let nchw = saved(folder.path(), "nchw.safetensors", &image);
    let flags = [&image[..], &["--layout", "nhwc"]].concat();
    let nhwc = saved(folder.path(), "nhwc.safetensors", &flags);
    let flags = [&flags[..], &["--engine", "cpu"]].concat();
    let by_kernels = saved(folder.path(), "cpu.safetensors", &flags);
    let compared = |ours: &Path| report(&["parity", "--ours", text(ours), "-r", text(&nchw)]);
    let same = compared(&nhwc);
    assert_eq!(same["passed"], true);
    // All layers, and the input.
    let values = same["layers"].as_array().unwrap();
    assert_eq!(values.len(), 128);
    assert!(values.iter().all(|value| value["max_abs"] == 0.), "{same}");
    let other_engine = compared(&by_kernels);
    assert_eq!(other_engine["passed"], true);
    assert!(
        !other_engine["only_reference"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_value_of_several_images_is_that_of_each_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, images: &[&str]| {
        let flags: Vec<&str> = images
            .iter()
            .flat_map(|image| ["--image", *image])
            .collect();
        let names = [
            "--save",
            "layer1",
            "--save",
            "layer3.*.se.sigmoid",
            "--save",
            "output",
        ];
        let path = saved(folder.path(), name, &[&flags[..], &names].concat());
        TensorFile::open(&path).unwrap()
    };
    let both = of("both.safetensors", &[COFFEE, CAT]);
    let names: Vec<String> = both.tensors().into_keys().collect();
    let gates = |block: usize| format!("layer3.{block}.se.sigmoid");
    let expected = [
        "input".to_owned(),
        "layer1".to_owned(),
        gates(0),
        gates(1),
        gates(2),
        "output".to_owned(),
    ];
    assert_eq!(names, expected);
    let images = format!("[\"{COFFEE}\",\"{CAT}\"]");
    for (key, said) in [
        ("images", images.as_str()),
        ("network", "seresnet20"),
        ("weights", "builtin:seresnet20"),
        ("engine", "candle"),
        ("dtype", "f32"),
        ("layout", "nchw"),
    ] {
        assert_eq!(both.metadata(key), Some(said), "{key}");
    }
    for (index, image) in [COFFEE, CAT].into_iter().enumerate() {
        let one = of("one.safetensors", &[image]);
        for name in &names {
            let of_both = both.tensor(name).unwrap().narrow(0, index, 1).unwrap();
            let of_one = one.tensor(name).unwrap();
            assert_eq!(of_both.dims(), of_one.dims(), "{image} {name}");
            let pairs = numbers(&of_both).into_iter().zip(numbers(&of_one));
            let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0., f32::max);
            // A product of matrices may sum up in another order for another batch.
            assert!(apart < 1e-5, "{image} {name}: {apart}");
        }
    }
}

#[test]
fn statistics_are_of_all_images_together() {
    let trace = |images: &[&str]| {
        let images = images.iter().flat_map(|image| ["--image", *image]);
        let weights = ["trace", "--weights", "builtin:seresnet20"].into_iter();
        report(&weights.chain(images).collect::<Vec<_>>())
    };
    let both = trace(&[CAT, COFFEE]);
    assert_eq!(both["images"], serde_json::json!([CAT, COFFEE]));
    assert_eq!(both["input_shape"], serde_json::json!([2, 3, 32, 32]));
    let each = [trace(&[CAT]), trace(&[COFFEE])];
    let of =
        |trace: &Value, statistic: &str| row(trace, "fc")["values"][statistic].as_f64().unwrap();
    let [cat, coffee] = each.each_ref().map(|trace| of(trace, "mean"));
    assert!((cat - coffee).abs() > 1e-5, "{cat} {coffee}");
    assert!((of(&both, "mean") - f64::midpoint(cat, coffee)).abs() < 1e-6);
    let [cat, coffee] = each.each_ref().map(|trace| of(trace, "max"));
    assert!((of(&both, "max") - cat.max(coffee)).abs() < 1e-5);
}

#[test]
fn values_on_drawn_weights_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drawn.safetensors");
    let arguments = [
        "trace",
        "se_bottleneck",
        "-b",
        "2",
        "--save",
        "se",
        "--save-to",
        text(&path),
    ];
    let output = senet(&arguments);
    assert_eq!(output.status.code(), Some(0));
    let drawn = TensorFile::open(&path).unwrap();
    assert_eq!(drawn.metadata("weights"), Some("drawn at random"));
    assert_eq!(drawn.metadata("images"), None);
    assert_eq!(drawn.tensor("se").unwrap().dims(), [2, 32, 32, 32]);
}

#[test]
fn what_another_run_left_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let partial = folder.path().join("a.safetensors.partial");
    fs::write(&partial, "rows").unwrap();
    let output = senet(&[&TRACE[..], &[text(&path)]].concat());
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("holds 4 bytes of a run that did not end"),
        "{said}"
    );
    assert_eq!(fs::read(&partial).unwrap(), b"rows");
    assert!(!path.exists());
}

#[test]
fn a_run_that_fails_leaves_what_was_there_and_no_part_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    fs::write(&path, "earlier").unwrap();
    for (flags, status) in [
        (&["--engine", "cpu", "--save", "bn1"][..], 2),
        (&["--image", "no/such.jpg"], 2),
        (&["--save", "bn1"], 0),
    ] {
        let before = fs::read(&path).unwrap();
        let output = senet(&[&TRACE[..], &[text(&path)], flags].concat());
        assert_eq!(output.status.code(), Some(status), "{flags:?}");
        assert_eq!(fs::read(&path).unwrap() == before, status != 0, "{flags:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{flags:?}");
    }
}
