//! Weights that are not as they should be, most made from the shipped ones: what `classify` says of
//! them, and that it never answers with what they do not mean.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod channels;
mod features;
mod folder;
mod hostile;
mod kinds;
mod metadata;
mod recognition;
mod tensors;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use candle_core::{Device, Tensor};

const SHIPPED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/weights/seresnet20.safetensors"
);
/// The same inside the program.
const BUILTIN: &str = "builtin:seresnet20";
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

fn said(path: &Path, text: &str) -> String {
    text.replace("FILE", path.to_str().unwrap())
}
