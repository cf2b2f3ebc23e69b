//! Every input has its row, in order, whatever its name, the batch and the threads.

use std::path::Path;

use super::{PHOTOS, senet};

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
fn an_empty_list_on_standard_input_is_an_error() {
    senet()
        .args(["classify", "-"])
        .write_stdin("")
        .assert()
        .code(2)
        .stderr("error: no input: standard input named no image\n");
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
    let expected = format!(
        " %  tiger cat  images/cat.jpg\nimages/photos\n{refused}images/photos.2024\n{refused}"
    );
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
        assert!(output.stdout.ends_with(b" %  tiger cat  cat.jpg\n"));
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
