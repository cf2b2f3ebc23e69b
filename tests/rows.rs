//! Where rows go, and that none is lost or exchanged.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::io::Write;
use std::path::Path;

use assert_cmd::Command;

const PHOTOS: [(&str, &str); 3] = [
    ("tests/images/photos/cat.jpg", "cat"),
    ("tests/images/photos/coffee.jpg", "automobile"),
    ("tests/images/photos/rocket.jpg", "ship"),
];

fn senet() -> Command {
    Command::cargo_bin("senet").unwrap()
}

fn rows(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_input_has_its_own_row_in_order_at_any_batch_size() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.ndjson");
    let mut list = String::new();
    let mut expected = Vec::new();
    for index in 0..37 {
        let (path, label) = if index % 5 == 3 {
            ("no-such.jpg", None)
        } else {
            let (path, label) = PHOTOS[index % 3];
            (path, Some(label))
        };
        list += &format!("{path}\n");
        expected.push((path, label));
    }
    for batch_size in ["1", "2", "7", "16", "64"] {
        let arguments = [
            "classify",
            "-",
            "--format",
            "ndjson",
            "--batch-size",
            batch_size,
            "--output",
        ];
        senet()
            .args(arguments)
            .arg(&output)
            .write_stdin(list.as_str())
            .assert()
            .code(1);
        let rows = rows(&output);
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row["input"].as_str().unwrap(),
                    row["top"][0]["label"].as_str(),
                )
            })
            .collect();
        assert_eq!(found, expected, "batches of {batch_size}");
    }
}

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
fn an_empty_list_on_standard_input_is_an_error() {
    senet()
        .args(["classify", "-"])
        .write_stdin("")
        .assert()
        .code(2)
        .stderr("error: no input: standard input named no image\n");
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

/// A copy of the program in `folder`, to be run by a user who may not do everything.
#[cfg(unix)]
fn by_nobody(folder: &Path) -> std::process::Command {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("senet");
    // By another process: a program that this one writes cannot be started while a test beside
    // this one has forked with the file open.
    let copied = std::process::Command::new("cp")
        .arg(assert_cmd::cargo::cargo_bin!("senet"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let mut command = std::process::Command::new(&program);
    command.arg("classify").current_dir(folder);
    if program.metadata().unwrap().uid() == 0 {
        // Nothing stops root.
        command.uid(65534);
    }
    command
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_has_its_row() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mut command = by_nobody(folder.path());
    let images = folder.path().join("images");
    for name in ["photos", "photos.2024"] {
        let closed = images.join(name);
        std::fs::create_dir_all(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    std::fs::copy(PHOTOS[0].0, images.join("cat.jpg")).unwrap();
    let output = command.args(["images", "--top-k", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let rows = String::from_utf8(output.stdout).unwrap();
    let refused = "  error: cannot open it: Permission denied (os error 13)\n";
    let expected =
        format!(" %  cat  images/cat.jpg\nimages/photos\n{refused}images/photos.2024\n{refused}");
    assert!(rows.ends_with(&expected), "{rows}");
}

#[cfg(target_os = "linux")]
#[test]
fn fewer_threads_than_cores_are_enough() {
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(PHOTOS[0].0, folder.path().join("cat.jpg")).unwrap();
    for processes in 1..8 {
        let mut command = by_nobody(folder.path());
        command.args(["cat.jpg", "--top-k", "1", "--threads", "4"]);
        // SAFETY: the call may be made between fork and exec.
        #[allow(unsafe_code, reason = "the standard library sets no limits")]
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit {
                    rlim_cur: processes,
                    rlim_max: processes,
                };
                match libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{processes}: {stderr}");
        assert!(output.stdout.ends_with(b" %  cat  cat.jpg\n"));
        let warned = stderr.starts_with("warning: the system grants ");
        // With one process allowed there is no thread but the first.
        assert!(warned || processes > 1, "{stderr}");
    }
}

#[test]
fn a_variable_that_asks_for_billions_of_threads_is_passed_over() {
    let mut command = senet();
    command.args(["classify", PHOTOS[0].0, "--top-k", "1"]);
    command.env("RAYON_NUM_THREADS", "99999999999");
    command.assert().success().stderr("");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_read_and_told_apart() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let mut list = Vec::new();
    for name in [&b"\xff.jpg"[..], b"\xfe.jpg", b"\\xff.jpg"] {
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::copy(PHOTOS[0].0, &path).unwrap();
        list.extend_from_slice(path.as_os_str().as_bytes());
        list.push(b'\n');
    }
    let output = senet()
        .args(["classify", "-", "--format", "ndjson"])
        .write_stdin(list)
        .assert()
        .success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let names: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(names[0]["input"].as_str().unwrap().ends_with("/\\xff.jpg"));
    assert!(names[1]["input"].as_str().unwrap().ends_with("/\\xfe.jpg"));
    assert!(
        names[2]["input"]
            .as_str()
            .unwrap()
            .ends_with("/\\\\xff.jpg")
    );
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

#[test]
fn json_of_models_and_of_a_traced_image_is_complete() {
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = senet().args(arguments).assert().success();
        serde_json::from_slice(&output.get_output().stdout).unwrap()
    };
    let models = json(&["models", "--format", "json"]);
    let networks = senet::network::catalog::networks().count();
    assert_eq!(models["models"].as_array().unwrap().len(), networks);
    assert_eq!(models["models"][2]["name"], "seresnet20");
    assert_eq!(models["models"][2]["embedded"], true);
    let trace = json(&["trace", "--image", PHOTOS[0].0, "--format", "json"]);
    assert_eq!(trace["input_shape"], serde_json::json!([1, 3, 32, 32]));
    assert_eq!(trace["layers"].as_array().unwrap().len(), 127);
    for layer in trace["layers"].as_array().unwrap() {
        assert!(layer["time_ms"].as_f64().unwrap() >= 0., "{layer}");
        assert_eq!(layer["values"]["nan"], 0, "{layer}");
        assert!(
            layer["values"]["min"].as_f64() <= layer["values"]["max"].as_f64(),
            "{layer}"
        );
    }
}

#[test]
fn labels_come_from_a_file_with_one_for_each_class() {
    let mut labels = tempfile::NamedTempFile::new().unwrap();
    for class in 0..10 {
        writeln!(labels, "class number {class}").unwrap();
    }
    let output = senet()
        .args(["classify", "--top-k", "1", PHOTOS[0].0, "--labels"])
        .arg(labels.path())
        .assert()
        .success();
    let stdout = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(stdout.contains("class number 3"), "{stdout}");
}

#[test]
fn one_thread_gives_the_answer_of_all() {
    let run = |threads: &[&str]| {
        let output = senet()
            .args(["classify", "--format", "ndjson", PHOTOS[0].0])
            .args(threads)
            .assert()
            .success();
        let row: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        row["top"][0]["probability"].as_f64().unwrap()
    };
    // Another number of threads may sum in another order: single precision, a few roundings.
    assert!((run(&[]) - run(&["--threads", "1"])).abs() < 1e-5);
}
