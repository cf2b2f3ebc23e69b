//! One image never ends a run, whatever it claims and however little memory there is.

use std::path::{Path, PathBuf};

use assert_cmd::Command;

use super::CAT;

/// A PNG that is whole and says that it has so many gray pixels, which take a thousandth as much.
fn bomb(folder: &Path, name: &str, width: u32, height: u32) -> PathBuf {
    let path = folder.join(name);
    image::GrayImage::new(width, height).save(&path).unwrap();
    path
}

/// The errors of all rows, of which there must be one an input.
fn errors(rows: &[u8], inputs: usize) -> Vec<Option<String>> {
    let rows: Vec<serde_json::Value> = serde_json::from_slice(rows).unwrap();
    assert_eq!(rows.len(), inputs);
    let error = |row: &serde_json::Value| row["error"].as_str().map(str::to_owned);
    rows.iter().map(error).collect()
}

#[test]
fn an_image_beyond_the_memory_is_a_row_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let bomb = bomb(folder.path(), "bomb.png", 4000, 4000);
    let output = Command::cargo_bin("senet")
        .unwrap()
        .args(["classify", "--format", "json", "--memory", "16MiB", CAT])
        .arg(&bomb)
        .arg(CAT)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let [before, error, after] = errors(&output.stdout, 3).try_into().unwrap();
    assert_eq!((before, after), (None, None));
    let error = error.unwrap();
    assert!(
        error.ends_with(
            "all images together may take 16.0 MiB; `senet classify --memory` changes that"
        ),
        "{error}"
    );
}

#[test]
fn large_images_take_turns_within_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    // Each needs more than half.
    let bombs = [0, 1, 2, 3, 4, 5]
        .map(|index| bomb(folder.path(), &format!("{index}.png"), 2000, 2000 + index));
    let output = Command::cargo_bin("senet")
        .unwrap()
        .args([
            "classify",
            "--format",
            "json",
            "--memory",
            "32MiB",
            "--threads",
            "4",
        ])
        .args(&bombs)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(errors(&output.stdout, bombs.len()), vec![None; bombs.len()]);
}

#[cfg(unix)]
#[test]
fn a_pipe_that_the_shell_opened_is_an_image() {
    let classify = |bytes: Vec<u8>| {
        let mut senet = Command::cargo_bin("senet").unwrap();
        senet.args([
            "classify",
            "--format",
            "json",
            "--memory",
            "4MiB",
            "/dev/stdin",
        ]);
        senet.write_stdin(bytes).output().unwrap().stdout
    };
    assert_eq!(errors(&classify(std::fs::read(CAT).unwrap()), 1), [None]);
    let error = errors(&classify(vec![0; 1 << 20]), 1).remove(0).unwrap();
    assert!(error.contains("the pipe has 1.0 MiB or more"), "{error}");
}

/// Runs the program in so many KiB of address space.
#[cfg(target_os = "linux")]
fn limited(kibibytes: usize, arguments: &[&str]) -> std::process::Output {
    let program = assert_cmd::cargo::cargo_bin("senet");
    Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {kibibytes}; exec \"$@\""))
        .arg("sh")
        .arg(program)
        .args(arguments)
        .output()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn where_the_system_gives_little_memory_large_images_are_rows_with_errors() {
    let folder = tempfile::tempdir().unwrap();
    let bomb = bomb(folder.path(), "bomb.png", 12_000, 12_000);
    let bomb = bomb.to_str().unwrap();
    for kibibytes in [420_000, 700_000, 1_500_000] {
        let arguments = [
            "classify",
            "--threads",
            "2",
            "--format",
            "json",
            bomb,
            CAT,
            bomb,
            bomb,
        ];
        let output = limited(kibibytes, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{kibibytes}: {said}"
        );
        let errors = errors(&output.stdout, 4);
        assert_eq!(errors[1], None, "{kibibytes}: {said}");
    }
}
