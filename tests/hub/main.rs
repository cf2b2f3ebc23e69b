//! Weights from a local server that stands in for the Hugging Face hub.
//!
//! `cargo test --release --test hub -- --nocapture` shows what the program says in each case.

#![cfg(all(feature = "cli", feature = "hub"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "what `--nocapture` shows")]

mod cache;
mod downloads;
mod hostile;
mod refusals;
mod server;
mod small_files;
mod token;
mod user;
