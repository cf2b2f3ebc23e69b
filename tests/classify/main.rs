//! `senet classify`: its rows, where they go, and what ends a run or does not.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod archives;
#[cfg(unix)]
mod interrupted;
mod labels;
mod memory;
mod output;
#[cfg(all(unix, feature = "parquet"))]
mod parquet;
#[cfg(unix)]
mod resumed;
mod rows;
mod stream;

use assert_cmd::Command;

const PHOTOS: [(&str, &str); 3] = [
    ("tests/images/photos/cat.jpg", "tiger cat"),
    ("tests/images/photos/coffee.jpg", "espresso"),
    (
        "tests/images/photos/rocket.jpg",
        "drilling platform, offshore rig",
    ),
];
const CAT: &str = PHOTOS[0].0;

fn senet() -> Command {
    Command::cargo_bin("senet").unwrap()
}
