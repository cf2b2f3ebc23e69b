//! Where rows go: nothing is overwritten that should not be, and nothing unwritten is taken for done.

use super::{PHOTOS, senet};

#[test]
fn a_finished_file_leaves_no_partial_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.csv");
    senet()
        .args(["classify", PHOTOS[0].0, "--format", "csv", "--output"])
        .arg(&output)
        .assert()
        .success();
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["rows.csv"]);
}

#[test]
fn the_extension_of_the_output_chooses_the_format() {
    let folder = tempfile::tempdir().unwrap();
    for (name, flags, first) in [
        ("rows.csv", &[][..], "input,class_1"),
        ("rows.CSV", &[], "input,class_1"),
        ("rows.json", &[], "[\n {\"input\""),
        ("rows.ndjson", &[], "{\"input\""),
        ("rows.jsonl", &[], "{\"input\""),
        ("rows.txt", &[], "tests/images"),
        ("rows", &[], "tests/images"),
        ("table.csv", &["--format", "table"], "tests/images"),
    ] {
        let output = folder.path().join(name);
        senet()
            .args(["classify", PHOTOS[0].0, "--output"])
            .arg(&output)
            .args(flags)
            .assert()
            .success()
            .stdout("");
        let text = std::fs::read_to_string(&output).unwrap();
        assert!(text.starts_with(first), "{name}: {text}");
    }
    let standard = senet()
        .args(["classify", PHOTOS[0].0, "--output", "-"])
        .assert()
        .success();
    assert!(standard.get_output().stdout.starts_with(b"tests/images"));
}

/// Runs a command whose output nobody reads, and returns its exit status.
fn unread(arguments: &[&str]) -> Option<i32> {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("senet"))
        .args(arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "",
        "{arguments:?}"
    );
    output.status.code()
}

#[test]
fn a_closed_pipe_changes_no_answer() {
    assert_eq!(unread(&["trace", "--network", "seresnet110"]), Some(0));
    let case = |network: &str, file: &str| format!("tests/fixtures/{network}/{file}.safetensors");
    let (weights, reference) = (case("se_block", "weights"), case("se_block", "reference"));
    let parity = ["parity", "--weights", &weights, "--reference", &reference];
    assert_eq!(unread(&parity), Some(0));
    // Nothing is equal to the last bit of float64.
    assert_eq!(
        unread(&[&parity[..], &["--rtol", "1e-20", "--atol", "0"]].concat()),
        Some(1)
    );
    // Rows that could not be written are not done, but no input failed.
    assert_eq!(unread(&["classify", PHOTOS[0].0]), Some(141));
}

#[test]
fn an_input_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("cat.jpg");
    std::fs::copy(PHOTOS[0].0, &photo).unwrap();
    let before = std::fs::read(&photo).unwrap();
    senet()
        .arg("classify")
        .arg(&photo)
        .arg("--output")
        .arg(&photo)
        .assert()
        .code(2);
    assert_eq!(std::fs::read(&photo).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn an_output_that_is_a_device_stays_one() {
    senet()
        .args(["classify", PHOTOS[0].0, "--output", "/dev/null"])
        .assert()
        .success();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    senet()
        .args(["classify", PHOTOS[0].0, "--output", "/dev/full"])
        .assert()
        .code(2);
}

/// Runs a command by a shell, `"$@"` in its `script`.
#[cfg(unix)]
fn by_shell(script: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(assert_cmd::cargo::cargo_bin!("senet"))
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr)
}

#[cfg(unix)]
#[test]
fn what_cannot_be_written_is_never_taken_for_done() {
    let commands: [&[&str]; 5] = [
        &["classify", PHOTOS[0].0],
        &["models"],
        &["trace"],
        &["--help"],
        &["--version"],
    ];
    let says = |script: &str, arguments: &[&str], expected: &str| {
        let (status, stderr) = by_shell(script, arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {stderr}");
        let expected = format!("error: cannot write `standard output`: {expected}");
        assert!(stderr.starts_with(&expected), "{arguments:?}: {stderr}");
    };
    for arguments in commands {
        says(r#""$0" "$@" >&-"#, arguments, "it is closed\n");
        says(
            r#""$0" "$@" >/dev/full"#,
            arguments,
            "No space left on device",
        );
        // What somebody chose to throw away, opened for writing or as Rust's runtime would.
        for script in [r#""$0" "$@" >/dev/null"#, r#""$0" "$@" 1<>/dev/null"#] {
            assert_eq!(by_shell(script, arguments), (Some(0), String::new()));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.csv");
    let arguments = [
        "classify",
        PHOTOS[0].0,
        "--output",
        output.to_str().unwrap(),
    ];
    assert_eq!(
        by_shell(r#""$0" "$@" >&-"#, &arguments),
        (Some(0), String::new())
    );
}

#[cfg(unix)]
#[test]
fn a_standard_error_that_takes_nothing_changes_no_answer() {
    for script in [r#""$0" "$@" 2>&-"#, r#""$0" "$@" 2>/dev/full"#] {
        let status = |arguments: &[&str]| by_shell(script, arguments).0;
        assert_eq!(status(&["classify", PHOTOS[0].0, "no-such.jpg"]), Some(1));
        assert_eq!(status(&["classify", PHOTOS[0].0, "--timings"]), Some(0));
        assert_eq!(status(&["classify", "--no-such-flag"]), Some(2));
        assert_eq!(
            status(&["classify", "--weights", "no-such", PHOTOS[0].0]),
            Some(2)
        );
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_that_is_not_built_in_is_said_before_the_work_starts() {
    let folder = tempfile::tempdir().unwrap();
    senet()
        .args(["classify", PHOTOS[0].0, "--output"])
        .arg(folder.path().join("rows.parquet"))
        .assert()
        .code(2)
        .stderr(
            "error: this program was built without `parquet`\nhint: build it with \
             `cargo build --release --features parquet`\n",
        );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
