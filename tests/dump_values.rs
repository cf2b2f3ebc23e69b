//! What is wrong with values of a dump that no engine compares, or that say nothing.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::path::Path;

use assert_cmd::Command;
use candle_core::{Device, Tensor};
use serde_json::Value;

const CASE: &str = "tests/fixtures/se_bottleneck";

/// A value that the CPU engine folds into the convolution before it.
const FOLDED: &str = "bn1";

/// What `senet parity` says of the fixture with `changed` in place of a value, as JSON, what it
/// says on standard error, and its exit status.
fn parity(
    value: &str,
    changed: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
    flags: &[&str],
) -> (Value, String, i32) {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(CASE).join("reference.safetensors");
    let mut values = candle_core::safetensors::load(fixture, &Device::Cpu).unwrap();
    let new = changed(&values[value]).unwrap();
    assert!(values.insert(value.to_owned(), new).is_some());
    let dump = folder.path().join("dump.safetensors");
    let metadata = [("layout".to_owned(), "nhwc".to_owned())].into();
    safetensors::serialize_to_file(values, Some(metadata), &dump).unwrap();
    let weights = format!("{CASE}/weights.safetensors");
    let dump = dump.to_str().unwrap();
    let words = ["parity", "--weights", &weights, "--reference", dump];
    let mut senet = Command::cargo_bin("senet").unwrap();
    let output = senet.args(words).args(["--format", "json"]).args(flags);
    let output = output.output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let message = String::from_utf8(output.stderr).unwrap();
    (report, message, output.status.code().unwrap())
}

fn same(value: &Tensor) -> candle_core::Result<Tensor> {
    value.affine(1., 0.)
}

#[test]
fn nan_and_infinity_differ_in_values_that_are_folded_too() {
    let (report, message, code) = parity(FOLDED, same, &[]);
    assert_eq!((code, message.as_str()), (0, ""));
    let folded = report["folded"].as_array().unwrap();
    assert!(folded.iter().any(|name| name == FOLDED), "{folded:?}");
    for odd in [f64::NAN, f64::INFINITY] {
        let with_odd = |value: &Tensor| value.zeros_like()?.affine(0., odd);
        let (report, _, code) = parity(FOLDED, with_odd, &[]);
        assert_eq!((code, &report["passed"]), (1, &Value::Bool(false)));
        assert_eq!(report["first_divergence"], FOLDED, "{odd}");
    }
}

#[test]
fn a_shape_that_is_another_is_refused_in_values_that_are_folded_too() {
    let half = |value: &Tensor| value.narrow(0, 0, 1);
    let (_, message, code) = parity(FOLDED, half, &[]);
    assert_eq!(code, 2);
    let expected = format!("`{FOLDED}`: this network computes [");
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn what_differs_in_isolation_is_not_equal() {
    let other = |value: &Tensor| value.affine(1., 0.5);
    let (report, _, code) = parity(FOLDED, other, &["--isolate"]);
    assert_eq!((code, &report["passed"]), (1, &Value::Bool(false)));
    assert_eq!(report["first_divergence"], FOLDED);
    let compared = report["layers"].as_array().unwrap();
    assert!(compared.iter().all(|value| value["passed"] == true));
    let (_, _, code) = parity(FOLDED, same, &["--isolate"]);
    assert_eq!(code, 0);
}

#[test]
fn a_value_that_is_zero_everywhere_is_said_to_check_nothing() {
    let (report, message, code) = parity(FOLDED, Tensor::zeros_like, &[]);
    assert_eq!((code, &report["passed"]), (0, &Value::Bool(true)));
    assert_eq!(
        message,
        format!(
            "warning: `{FOLDED}` is 0 everywhere in the reference: what is before it is not \
             checked\n"
        )
    );
}
