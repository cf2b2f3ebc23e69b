//! `--resume`: rows that are there are verified and kept, and the file is that of one run.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::CAT;

/// The images of a run, one of which cannot be read.
const INPUTS: [&str; 5] = [
    CAT,
    "tests/images/odd/gray.png",
    "README.md",
    "tests/images/photos/coffee.jpg",
    "tests/images/photos/rocket.jpg",
];

const WEIGHTS: [&str; 2] = ["--weights", "builtin:seresnet20"];

fn senet() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("senet"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn beside(output: &Path, ending: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn partial(output: &Path) -> PathBuf {
    beside(output, ".partial")
}

fn record(output: &Path) -> PathBuf {
    beside(output, ".partial.json")
}

fn classify(output: &Path, inputs: &[&str], flags: &[&str]) -> Output {
    let mut command = senet();
    command.arg("classify").args(inputs).args(WEIGHTS);
    command.arg("--output").arg(output).args(flags);
    command.output().unwrap()
}

fn resume(output: &Path, inputs: &[&str], flags: &[&str]) -> Output {
    classify(output, inputs, &[&["--resume"], flags].concat())
}

/// What goes on with rows of another run says, having changed nothing.
fn refusal(output: &Path, inputs: &[&str], flags: &[&str]) -> String {
    let files = [output.to_path_buf(), partial(output), record(output)];
    let content = || files.clone().map(|file| fs::read(file).ok());
    let before = content();
    let ended = resume(output, inputs, flags);
    assert_eq!(ended.status.code(), Some(2), "{}", stderr(&ended));
    assert_eq!(content(), before);
    stderr(&ended)
}

/// Leaves the rows of the first inputs, all but the last two, by a run that was killed.
fn leave_rows(output: &Path) {
    leave_rows_of(output, &INPUTS[..3]);
}

/// The same of any inputs.
fn leave_rows_of(output: &Path, inputs: &[&str]) {
    let mut command = senet();
    command.args(["classify", "-", "--quiet"]).args(WEIGHTS);
    command.arg("--output").arg(output);
    let mut run = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut list = run.stdin.take().unwrap();
    for input in inputs {
        writeln!(list, "{input}").unwrap();
    }
    list.flush().unwrap();
    // Its list stays open, so that it goes on waiting.
    while !fs::read_to_string(partial(output))
        .is_ok_and(|rows| rows.contains(inputs.last().unwrap()))
    {
        assert_eq!(run.try_wait().unwrap(), None, "it ended");
        std::thread::sleep(Duration::from_millis(2));
    }
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_run_that_was_killed_and_resumed_makes_the_file_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["csv", "json", "ndjson"] {
        let whole = folder.path().join(format!("whole.{format}"));
        assert_eq!(classify(&whole, &INPUTS, &[]).status.code(), Some(1));
        let expected = fs::read(&whole).unwrap();

        let output = folder.path().join(format!("rows.{format}"));
        leave_rows(&output);
        let (left, made) = (fs::read(partial(&output)).unwrap(), record(&output));
        let made_by = fs::read(&made).unwrap();
        // The last row torn anywhere, and a whole one before it.
        for cut in [0, 1, 40, 200, 270] {
            fs::write(partial(&output), &left[..left.len() - cut]).unwrap();
            fs::write(&made, &made_by).unwrap();
            let ended = resume(&output, &INPUTS, &[]);
            // An input failed, before this run began.
            assert_eq!(ended.status.code(), Some(1), "{}", stderr(&ended));
            assert_eq!(stderr(&ended), "warning: 1 of 5 inputs failed\n");
            assert!(fs::read(&output).unwrap() == expected, "{format} {cut}");
            assert!(!partial(&output).exists() && !made.exists());
            fs::remove_file(&output).unwrap();
        }
    }
}

#[test]
fn a_row_that_is_there_is_not_computed_again_though_it_has_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.csv");
    let late = folder.path().join("late.jpg");
    let inputs = [CAT, late.to_str().unwrap()];
    leave_rows_of(&output, &inputs);
    let left = fs::read(partial(&output)).unwrap();
    fs::copy(CAT, &late).unwrap();
    let ended = resume(&output, &inputs, &[]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(stderr(&ended), "warning: 1 of 2 inputs failed\n");
    assert_eq!(fs::read(&output).unwrap(), left);
}

#[test]
fn rows_that_other_settings_made_are_never_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.csv");
    leave_rows(&output);
    let labels = folder.path().join("labels.txt");
    fs::write(&labels, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n").unwrap();
    let labels = labels.to_str().unwrap();
    for (flags, setting) in [
        (
            &["--weights", "builtin:efficientnet_lite0"][..],
            "`weights_sha256` \"",
        ),
        (&["--top-k", "3"], "`top_k` 5, and this run has 3\n"),
        (
            &["--size", "64"],
            "`preprocessing.size` [32,32], and this run has [64,64]\n",
        ),
        (&["--labels", labels], "`labels_sha256` "),
        (&["--damaged", "accept"], "`damaged` \"refuse\", and"),
        (&["--engine", "candle"], "`engine` \"cpu\", and"),
        (&["--winograd", "2x2"], "`winograd` \"4x4\", and"),
        (&["--format", "ndjson"], "`format` \"csv\", and"),
    ] {
        // The last of two `--weights` would be an error of the command line.
        let mut command = senet();
        command
            .arg("classify")
            .args(INPUTS)
            .arg("--output")
            .arg(&output);
        command.arg("--resume").args(flags);
        if flags[0] != "--weights" {
            command.args(WEIGHTS);
        }
        let before = fs::read(partial(&output)).unwrap();
        let ended = command.output().unwrap();
        let said = stderr(&ended);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!(" says {setting}")), "{said}");
        assert!(
            said.contains("\nhint: `--resume` needs what that run was given"),
            "{said}"
        );
        assert_eq!(fs::read(partial(&output)).unwrap(), before);
    }
    // What changes no row may be another.
    let flags = ["--batch-size", "1", "--threads", "1", "--memory", "1GiB"];
    assert_eq!(resume(&output, &INPUTS, &flags).status.code(), Some(1));
}

#[test]
fn rows_of_other_inputs_are_never_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.ndjson");
    leave_rows(&output);
    let name = partial(&output).display().to_string();

    let swapped = [INPUTS[0], INPUTS[2], INPUTS[1], INPUTS[3]];
    let said = refusal(&output, &swapped, &[]);
    let expected = format!(
        "error: row 2 of `{name}` is of `{}`, and input 2 is `{}`\n",
        INPUTS[1], INPUTS[2]
    );
    assert!(said.starts_with(&expected), "{said}");

    let said = refusal(&output, &INPUTS[..1], &[]);
    let expected = format!(
        "error: row 2 of `{name}` is of `{}`, and there is no input 2\n",
        INPUTS[1]
    );
    assert!(said.starts_with(&expected), "{said}");

    // What is no row, in the middle.
    let rows = fs::read_to_string(partial(&output)).unwrap();
    fs::write(partial(&output), rows.replacen('}', "]", 1)).unwrap();
    let said = refusal(&output, &INPUTS, &[]);
    let expected = format!("error: cannot read `{name}`: line 1 is no row: ");
    assert!(said.starts_with(&expected), "{said}");
    fs::write(partial(&output), rows).unwrap();

    fs::remove_file(record(&output)).unwrap();
    let said = refusal(&output, &INPUTS, &[]);
    let expected = format!("error: there is no `{}` to say", record(&output).display());
    assert!(said.starts_with(&expected), "{said}");

    fs::write(record(&output), "{\"mine\": 1}").unwrap();
    let said = refusal(&output, &INPUTS, &[]);
    assert!(said.contains("` should say what made the rows"), "{said}");
    // Nor is it written over by whoever begins anew.
    let said = stderr(&classify(&output, &INPUTS, &["--overwrite"]));
    assert!(said.contains("` should say what made the rows"), "{said}");
    assert_eq!(fs::read(record(&output)).unwrap(), b"{\"mine\": 1}");
}

#[test]
fn a_whole_file_is_left_as_it_is_where_it_has_a_row_for_each_input() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["csv", "json", "ndjson"] {
        let output = folder.path().join(format!("rows.{format}"));
        let begun = resume(&output, &INPUTS[..2], &[]);
        assert_eq!(begun.status.code(), Some(0), "{}", stderr(&begun));
        let expected = format!(
            "note: there is no `{}` to go on with; this run begins with the first input\n",
            partial(&output).display()
        );
        assert_eq!(stderr(&begun), expected);
        let rows = fs::read(&output).unwrap();

        let again = resume(&output, &INPUTS[..2], &[]);
        assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
        let expected = format!(
            "note: `{}` is whole: it has a row for each of these inputs, 2 rows\n",
            output.display()
        );
        assert!(stderr(&again).starts_with(&expected), "{}", stderr(&again));
        assert_eq!(fs::read(&output).unwrap(), rows);
        assert!(!partial(&output).exists() && !record(&output).exists());

        let said = refusal(&output, &INPUTS[..3], &[]);
        let expected = format!(
            "error: `{}` is whole with 2 rows, and input 3 is `README.md`\n",
            output.display()
        );
        assert!(said.starts_with(&expected), "{said}");
        let said = refusal(&output, &INPUTS[..2], &["--top-k", "2"]);
        assert!(said.starts_with("error: cannot read `"), "{said}");
        // The answer of rows that are there is theirs.
        assert_eq!(classify(&output, &INPUTS, &[]).status.code(), Some(1));
        assert_eq!(resume(&output, &INPUTS, &[]).status.code(), Some(1));
    }
}

#[test]
fn what_has_no_rows_to_go_on_with_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = refusal(&folder.path().join("rows.txt"), &INPUTS, &[]);
    assert!(said.contains("a table is for people"), "{said}");
    let said = refusal(Path::new("/dev/null"), &INPUTS, &["--format", "csv"]);
    assert!(said.contains("goes on with a file"), "{said}");
}
