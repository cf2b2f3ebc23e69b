//! Runs that are cut short, begun again or share an output: no row is lost, torn or mixed.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::CAT;

fn senet() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("senet"))
}

/// `senet classify` of one photograph, with rows to `output`.
fn classify(output: &Path, flags: &[&str]) -> Output {
    let mut command = senet();
    command.args(["classify", CAT, "--output"]).arg(output);
    command.args(flags).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn refusal(output: &Path, flags: &[&str]) -> String {
    let output = classify(output, flags);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    stderr(&output)
}

/// A folder with as many names of one photograph as keep a run busy for some seconds.
fn many_images(folder: &Path) -> PathBuf {
    let images = folder.join("images");
    fs::create_dir(&images).unwrap();
    let first = images.join("0.jpg");
    fs::copy(CAT, &first).unwrap();
    for index in 1..5000 {
        fs::hard_link(&first, images.join(format!("{index}.jpg"))).unwrap();
    }
    images
}

/// Has a command heed the signals that these tests may have been started to ignore, but for a
/// disposition of `SIGINT`.
fn heeding(command: &mut Command, interrupt: libc::sighandler_t) {
    // SAFETY: the call may be made between fork and exec.
    #[allow(unsafe_code, reason = "the standard library sets no dispositions")]
    unsafe {
        command.pre_exec(move || {
            for (signal, disposition) in [
                (libc::SIGINT, interrupt),
                (libc::SIGTERM, libc::SIG_DFL),
                (libc::SIGHUP, libc::SIG_DFL),
            ] {
                if libc::signal(signal, disposition) == libc::SIG_ERR {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

/// A run over many images, whose first rows are written.
fn begun(output: &Path, images: &Path) -> Child {
    begun_with(libc::SIG_DFL, output, images)
}

/// The same with a disposition of `SIGINT`.
fn begun_with(interrupt: libc::sighandler_t, output: &Path, images: &Path) -> Child {
    let mut command = senet();
    heeding(&mut command, interrupt);
    command.arg("classify").arg(images).arg("--output");
    let mut child = command.arg(output).stderr(Stdio::piped()).spawn().unwrap();
    let partial = partial(output);
    while fs::metadata(&partial).map_or(0, |metadata| metadata.len()) == 0 {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before it was interrupted"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn partial(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn send(signal: i32, child: &Child) {
    // SAFETY: only sends a signal, to a child that has not been waited for.
    #[allow(unsafe_code, reason = "the standard library kills by SIGKILL alone")]
    let sent = unsafe { libc::kill(child.id().try_into().unwrap(), signal) };
    assert_eq!(sent, 0);
}

/// The rows of JSON or NDJSON, each of which must be whole.
fn rows_in(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    if text.starts_with('[') {
        return serde_json::from_str(&text).unwrap();
    }
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.collect()
}

#[test]
fn an_interrupted_run_says_where_its_whole_rows_are() {
    let folder = tempfile::tempdir().unwrap();
    let images = many_images(folder.path());
    for (name, signal) in [
        ("rows.ndjson", libc::SIGINT),
        ("rows.json", libc::SIGTERM),
        ("closed.json", libc::SIGHUP),
    ] {
        let output = folder.path().join(name);
        fs::write(&output, "before\n").unwrap();
        let child = begun(&output, &images);
        send(signal, &child);
        let ended = child.wait_with_output().unwrap();
        // As a program ends that does not handle the signal: 130, 143 and 129 in a shell.
        assert_eq!(ended.status.signal(), Some(signal));
        let rows = rows_in(&partial(&output));
        assert!(!rows.is_empty());
        assert_eq!(
            stderr(&ended),
            format!(
                "error: interrupted after {} rows, in `{}`\nhint: the same command with \
                 `--resume` goes on behind them\n",
                rows.len(),
                partial(&output).display()
            )
        );
        assert_eq!(fs::read_to_string(&output).unwrap(), "before\n");
    }
}

/// A run over a list that stays open, with so many rows for standard output.
fn waiting(rows: usize, flags: &[&str]) -> (Child, impl Write, impl Read) {
    let mut command = senet();
    heeding(&mut command, libc::SIG_DFL);
    command.args(["classify", "-"]).args(flags);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut list = child.stdin.take().unwrap();
    list.write_all(format!("{CAT}\n").repeat(rows).as_bytes())
        .unwrap();
    let rows = child.stdout.take().unwrap();
    (child, list, rows)
}

#[test]
fn a_run_that_waits_for_its_list_ends_at_once_with_whole_rows() {
    let (child, list, mut rows) = waiting(1, &["--format", "json"]);
    let mut text = vec![0];
    rows.read_exact(&mut text).unwrap();
    send(libc::SIGTERM, &child);
    rows.read_to_end(&mut text).unwrap();
    let ended = child.wait_with_output().unwrap();
    drop(list);
    assert_eq!(ended.status.signal(), Some(libc::SIGTERM));
    assert_eq!(
        stderr(&ended),
        "error: interrupted after 1 row, in `standard output`\n"
    );
    let rows: Vec<Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_second_signal_ends_a_run_that_the_first_cannot() {
    // Of some 90 kB each, more than a pipe holds: the run waits for whoever reads it.
    let flags = ["--format", "ndjson", "--top-k", "1000"];
    let (mut child, _list, mut rows) = waiting(16, &flags);
    rows.read_exact(&mut [0]).unwrap();
    let mut sent = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        send(libc::SIGINT, &child);
        sent += 1;
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ended.signal(), Some(libc::SIGINT));
    assert!(sent > 1);
}

#[test]
fn a_signal_that_a_run_was_started_to_ignore_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.ndjson");
    let images = many_images(folder.path());
    // As `nohup` and the `&` of a shell's script have it.
    let child = begun_with(libc::SIG_IGN, &output, &images);
    send(libc::SIGINT, &child);
    send(libc::SIGTERM, &child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), Some(libc::SIGTERM));
}

#[test]
fn a_killed_run_leaves_its_rows_to_whoever_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.ndjson");
    let mut child = begun(&output, &many_images(folder.path()));
    child.kill().unwrap();
    child.wait().unwrap();
    let left = fs::read(partial(&output)).unwrap();
    let rows = rows_in(&partial(&output)).len();

    let refusal = refusal(&output, &[]);
    let expected = format!(
        "error: `{}` holds {rows} rows of a run that did not end\nhint: `--resume` goes on behind them; ",
        partial(&output).display()
    );
    assert!(refusal.starts_with(&expected), "{refusal}");
    assert_eq!(fs::read(partial(&output)).unwrap(), left);

    let again = classify(&output, &["--overwrite"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(rows_in(&output).len(), 1);
    assert!(!partial(&output).exists());
}

#[test]
fn two_runs_never_share_an_output() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.ndjson");
    let images = many_images(folder.path());
    let mut first = begun(&output, &images);
    for flags in [&[][..], &["--overwrite"]] {
        let refusal = refusal(&output, flags);
        let expected = format!(
            "error: another run is writing `{}`",
            partial(&output).display()
        );
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
    first.kill().unwrap();
    first.wait().unwrap();
    // A lock ends with the run that holds it, however that ends.
    assert!(classify(&output, &["--overwrite"]).status.success());
}

#[test]
fn a_partial_file_that_is_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.csv");
    let precious = folder.path().join("precious");
    fs::write(&precious, "").unwrap();

    symlink(&precious, partial(&output)).unwrap();
    assert!(refusal(&output, &["--overwrite"]).contains("is a symbolic link"));
    fs::remove_file(partial(&output)).unwrap();

    fs::hard_link(&precious, partial(&output)).unwrap();
    assert!(refusal(&output, &["--overwrite"]).contains("has another name too"));
    fs::remove_file(partial(&output)).unwrap();

    let made = Command::new("mkfifo").arg(partial(&output)).status();
    assert!(made.unwrap().success());
    assert!(refusal(&output, &["--overwrite"]).contains("is no regular file"));
    fs::remove_file(partial(&output)).unwrap();

    fs::create_dir(partial(&output)).unwrap();
    assert!(refusal(&output, &["--overwrite"]).contains("is a folder"));
}

#[test]
fn a_list_that_is_read_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let text = format!("{CAT}\n");
    fs::write(&list, &text).unwrap();
    let output = senet()
        .args(["classify", "-", "--output"])
        .arg(&list)
        .stdin(fs::File::open(&list).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("would overwrite standard input"));
    assert_eq!(fs::read_to_string(&list).unwrap(), text);
}

#[test]
fn standard_output_under_another_name_keeps_what_is_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = fs::File::create(&path).unwrap();
    log.write_all(b"header\n").unwrap();
    let mut command = senet();
    command.args(["classify", CAT, "--top-k", "1", "--output", "/dev/stdout"]);
    let status = command.stdout(log).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("header\n") && text.ends_with("cat.jpg\n"),
        "{text}"
    );
}

#[test]
fn a_full_disk_leaves_whole_rows() {
    let folder = tempfile::tempdir().unwrap();
    let images = many_images(folder.path());
    for name in ["rows.ndjson", "rows.json"] {
        let output = folder.path().join(name);
        let mut command = senet();
        command
            .arg("classify")
            .arg(&images)
            .arg("--output")
            .arg(&output);
        // In place of a disk that is full: no file may grow beyond this.
        // SAFETY: both calls may be made between fork and exec.
        #[allow(unsafe_code, reason = "the standard library sets no limits")]
        unsafe {
            command.pre_exec(|| {
                let limit = libc::rlimit {
                    rlim_cur: 10_000,
                    rlim_max: 10_000,
                };
                // Else the signal ends the process, where a full disk is an error.
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{}", stderr(&ended));
        let rows = rows_in(&partial(&output));
        assert!(!rows.is_empty());
        let expected = format!(
            "error: cannot write `{}`, which holds {} whole rows: File too large",
            partial(&output).display(),
            rows.len()
        );
        assert!(stderr(&ended).starts_with(&expected), "{}", stderr(&ended));
    }
}
