//! `--labels`: one line a class.

use std::io::Write;
use std::path::Path;

use assert_cmd::Command;

use super::CAT;

/// What the program writes with these labels, and what it says.
fn classify(labels: &Path) -> (i32, String, String) {
    let mut senet = Command::cargo_bin("senet").unwrap();
    let output = senet
        .args(["classify", "--weights", "builtin:seresnet20"])
        .args(["--top-k", "1", CAT, "--labels"])
        .arg(labels)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    (status, text(output.stdout), text(output.stderr))
}

fn with(labels: &[u8]) -> (i32, String, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(labels).unwrap();
    classify(file.path())
}

#[test]
fn labels_come_from_a_file_with_one_for_each_class() {
    let mut labels = tempfile::NamedTempFile::new().unwrap();
    for class in 0..10 {
        writeln!(labels, "class number {class}").unwrap();
    }
    let output = Command::cargo_bin("senet")
        .unwrap()
        .args(["classify", "--weights", "builtin:seresnet20"])
        .args(["--top-k", "1", CAT, "--labels"])
        .arg(labels.path())
        .assert()
        .success();
    let stdout = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(stdout.contains("class number 3"), "{stdout}");
}

#[test]
fn a_byte_order_mark_carriage_returns_and_lines_at_the_end_are_no_labels() {
    let labels = b"\xef\xbb\xbf0\r\n1\r\n2\r\n the third \r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n\r\n\n";
    assert_eq!(
        with(labels),
        (0, format!(" 83.0 %  the third  {CAT}\n"), String::new())
    );
}

#[test]
fn two_classes_may_have_one_name() {
    let (status, rows, _) = with(&b"crane\n".repeat(10));
    assert_eq!((status, rows), (0, format!(" 83.0 %  crane  {CAT}\n")));
}

#[test]
fn a_class_without_a_name_is_an_error() {
    let (status, rows, problem) = with(b"0\n1\n \n3\n4\n5\n6\n7\n8\n9\n");
    assert_eq!((status, rows.as_str()), (2, ""));
    assert!(problem.ends_with("has no label in line 3\n"), "{problem}");
}

#[test]
fn what_is_no_text_or_never_ends_is_an_error() {
    let (status, _, problem) = with(b"0\n1\n\xff\n3\n4\n5\n6\n7\n8\n9\n");
    assert_eq!(status, 2);
    assert!(problem.ends_with("it is not text in UTF-8\n"), "{problem}");
    if cfg!(unix) {
        let (status, _, problem) = classify(Path::new("/dev/zero"));
        assert_eq!(status, 2);
        assert!(problem.ends_with("it is not a regular file\n"), "{problem}");
    }
}
