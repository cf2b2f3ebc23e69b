//! Tells the program which commit it is built from, and for which machine.

use std::process::Command;
use std::{env, fs};

/// What the program is made of. Whatever changes here has it compiled anew anyway, so that to say the
/// commit costs nobody a build: a commit alone changes nothing that is said.
const SOURCES: [&str; 5] = ["build.rs", "Cargo.lock", "Cargo.toml", "src", "weights"];

fn main() {
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-env-changed=SENET_COMMIT");
    let commit = said().or_else(packaged).or_else(checked_out);
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=SENET_COMMIT={commit}");
    let target = env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo:rustc-env=SENET_TARGET={target}");
}

/// What whoever builds it says, in a folder where git knows nothing.
fn said() -> Option<String> {
    env::var("SENET_COMMIT").ok().filter(|text| is_hash(text))
}

/// That of a crate from a registry: `cargo package` writes it down.
fn packaged() -> Option<String> {
    let written = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = written.split_once("\"sha1\"")?;
    let hash = rest.split('"').nth(1)?;
    is_hash(hash).then(|| hash.to_owned())
}

/// That of this folder where it is a repository itself, not a part of another one; and whether what
/// is compiled is something else.
fn checked_out() -> Option<String> {
    let folder = fs::canonicalize(git(&["rev-parse", "--show-toplevel"])?).ok()?;
    if folder != fs::canonicalize(env::var_os("CARGO_MANIFEST_DIR")?).ok()? {
        return None;
    }
    let hash = git(&["rev-parse", "HEAD"]).filter(|hash| is_hash(hash))?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let changes = git(&status)?;
    let since = if changes.is_empty() {
        ""
    } else {
        " and changes"
    };
    Some(format!("{hash}{since}"))
}

fn is_hash(text: &str) -> bool {
    text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What git answers, where it is installed and has an answer.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| answer.trim().to_owned())
}
