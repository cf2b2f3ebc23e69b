//! Inputs that come when they come: each is answered before the next is there, and what ends them
//! early takes no row away.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::{CAT, PHOTOS, senet};

/// A run whose list stays open.
fn begun(flags: &[&str]) -> (Child, ChildStdin, BufReader<ChildStdout>) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("senet"))
        .args(["classify", "-", "--format", "ndjson"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdin, stdout)
}

fn next_input(rows: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    rows.read_line(&mut line).unwrap();
    let row: Value = serde_json::from_str(&line).unwrap();
    row["input"].as_str().unwrap().to_owned()
}

#[test]
fn a_list_is_answered_line_by_line_while_it_is_open() {
    for flags in [&[][..], &["--threads", "1"], &["--null"]] {
        let (mut child, mut stdin, mut rows) = begun(flags);
        let end: &[u8] = if flags == ["--null"] { b"\0" } else { b"\n" };
        for (photo, _) in PHOTOS.iter().chain([&("no-such.jpg", "")]) {
            stdin.write_all(&[photo.as_bytes(), end].concat()).unwrap();
            // Waits for ever where the row waits for the next line.
            assert_eq!(next_input(&mut rows), *photo, "{flags:?}");
        }
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn many_lines_at_once_are_all_answered_in_order() {
    let (mut child, mut stdin, rows) = begun(&["--batch-size", "8"]);
    let names: Vec<String> = (0..100).map(|index| format!("none-{index}")).collect();
    let list = names.join("\n");
    let writer = std::thread::spawn(move || stdin.write_all(list.as_bytes()));
    let inputs = rows.lines().map(|line| -> Value {
        let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
        row["input"].clone()
    });
    assert_eq!(inputs.collect::<Vec<_>>(), names);
    writer.join().unwrap().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_run_whose_reader_has_gone_ends_though_its_list_does_not() {
    let (mut child, mut stdin, mut rows) = begun(&[]);
    writeln!(stdin, "{CAT}").unwrap();
    next_input(&mut rows);
    drop(rows);
    writeln!(stdin, "{CAT}").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    drop(stdin);
}

/// What a run says that its list ends early, and the rows that it leaves in the file.
fn cut_short(list: &[u8], output: &Path) -> (String, Vec<Value>) {
    let run = senet()
        .args(["classify", "-", "--output"])
        .arg(output)
        .write_stdin(list)
        .assert()
        .code(2);
    let partial = format!("{}.partial", output.display());
    let rows = serde_json::from_str(&fs::read_to_string(partial).unwrap()).unwrap();
    (
        String::from_utf8_lossy(&run.get_output().stderr).into_owned(),
        rows,
    )
}

#[test]
fn the_rows_before_a_list_breaks_are_whole_and_it_is_said_where() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.json");
    let list = format!("{CAT}\nno-such.jpg\na\0b\n{CAT}\n");
    let (said, rows) = cut_short(list.as_bytes(), &output);
    let expected = format!(
        "warning: 1 of 2 inputs failed\nerror: after 2 rows, in `{}.partial`: standard input holds \
         NUL bytes; expected",
        output.display()
    );
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(rows.len(), 2);
    assert!(!output.exists());

    let run = senet()
        .args(["classify", "-", "--format", "json"])
        .write_stdin(list)
        .assert()
        .code(2);
    let rows: Vec<Value> = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_list_that_names_the_output_ends_there_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    // A format that JSON's reader below takes, in a file named like an image.
    let photo = folder.path().join("photo.json");
    fs::copy(CAT, &photo).unwrap();
    let list = format!("{CAT}\n{}\n{CAT}\n", photo.display());
    let (said, rows) = cut_short(list.as_bytes(), &photo);
    let expected = format!(
        "error: after 1 row, in `{0}.partial`: `--output {0}` would overwrite `{0}`, which is to be \
         read\n",
        photo.display()
    );
    assert_eq!(said, expected);
    assert_eq!(rows.len(), 1);
    assert_eq!(fs::read(&photo).unwrap(), fs::read(CAT).unwrap());
}

#[test]
fn a_folder_that_holds_the_output_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("b.jpg");
    fs::copy(CAT, folder.path().join("a.jpg")).unwrap();
    fs::copy(CAT, &photo).unwrap();
    let run = senet()
        .arg("classify")
        .arg(folder.path())
        .arg("--output")
        .arg(&photo)
        .assert()
        .code(2);
    let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(said.contains("which is to be read"), "{said}");
    assert_eq!(fs::read(&photo).unwrap(), fs::read(CAT).unwrap());
}
