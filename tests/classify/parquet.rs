//! `--format parquet`: rows that other programs read column by column.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use senet::classifier::Class;
use senet::report::{Classification, GROUP_ROWS, RowFormat, RowWriter};

use super::{CAT, PHOTOS};

fn senet() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("senet"))
}

fn row(index: usize) -> Classification {
    let failed = index % 7 == 3;
    let class = |rank: u8| Class {
        class: index % 10 + usize::from(rank),
        label: format!("{}, {rank}", index % 10),
        probability: 0.5 / f32::from(rank + 1),
        logit: -1.5,
    };
    Classification {
        input: format!("é\n{index}"),
        top: if failed {
            Vec::new()
        } else {
            (0..2).map(class).collect()
        },
        error: failed.then(|| "not an image".to_owned()),
        thumbnail: None,
    }
}

/// The columns of a row.
fn fields(row: Classification) -> Vec<Field> {
    let mut fields = vec![Field::Str(row.input)];
    for class in &row.top {
        fields.extend([
            Field::Int(class.class.try_into().unwrap()),
            Field::Str(class.label.clone()),
            Field::Float(class.probability),
            Field::Float(class.logit),
        ]);
    }
    fields.resize(9, Field::Null);
    fields.push(row.error.map_or(Field::Null, Field::Str));
    fields
}

fn written(rows: impl Iterator<Item = Classification>) -> SerializedFileReader<File> {
    let file = tempfile::tempfile().unwrap();
    let out = file.try_clone().unwrap();
    let mut writer = RowWriter::new(out, RowFormat::Parquet, 2).unwrap();
    for row in rows {
        writer.write(&row).unwrap();
    }
    writer.finish().unwrap();
    SerializedFileReader::new(file).unwrap()
}

/// The first column of a file's rows.
fn inputs(path: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let input = |row: parquet::record::Row| row.get_column_iter().next().unwrap().1.clone();
    rows.map(|row| match input(row.unwrap()) {
        Field::Str(input) => input,
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn rows_of_several_groups_are_read_back_as_they_were() {
    let count = GROUP_ROWS + 10;
    let reader = written((0..count).map(row));
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let schema = reader.metadata().file_metadata().schema_descr();
    let names: Vec<&str> = schema
        .columns()
        .iter()
        .map(|column| column.name())
        .collect();
    assert_eq!(
        names.join(","),
        "input,class_1,label_1,probability_1,logit_1,class_2,label_2,probability_2,logit_2,error"
    );
    let mut found = 0;
    for read in reader.get_row_iter(None).unwrap() {
        let read = read.unwrap();
        let columns = read.get_column_iter().map(|(_, field)| field.clone());
        assert_eq!(columns.collect::<Vec<Field>>(), fields(row(found)));
        found += 1;
    }
    assert_eq!(found, count);
}

#[test]
fn no_rows_are_a_file_too() {
    let reader = written(std::iter::empty());
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[test]
fn the_extension_parquet_makes_such_a_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.parquet");
    let mut command = senet();
    let names = PHOTOS.map(|(photo, _)| photo);
    command
        .arg("classify")
        .args(names)
        .args(["README.md", "--output"]);
    assert_eq!(command.arg(&output).status().unwrap().code(), Some(1));
    assert_eq!(inputs(&output), [&names[..], &["README.md"]].concat());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_run_that_is_ended_leaves_a_file_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.parquet");
    let mut command = senet();
    command.args(["classify", "-", "--damaged", "accept", "--output"]);
    command
        .arg(&output)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let mut list = run.stdin.take().unwrap();
    // Of this one a warning says when its batch is written.
    writeln!(list, "{CAT}\ntests/images/odd/truncated.png").unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().starts_with("warning: "));
    let process = libc::pid_t::try_from(run.id()).unwrap();
    // SAFETY: only sends a signal, to a child that has not been waited for.
    #[allow(unsafe_code, reason = "the standard library kills by SIGKILL alone")]
    let sent = unsafe { libc::kill(process, libc::SIGTERM) };
    assert_eq!(sent, 0);
    let partial = folder.path().join("rows.parquet.partial");
    let expected = format!(
        "error: interrupted after 2 rows, in `{}`",
        partial.display()
    );
    assert_eq!(said.next().unwrap().unwrap(), expected);
    assert_eq!(run.wait().unwrap().signal(), Some(libc::SIGTERM));
    assert_eq!(inputs(&partial), [CAT, "tests/images/odd/truncated.png"]);
    drop(list);

    let said = |flags: &[&str]| {
        let mut command = senet();
        command.args(["classify", CAT]).args(flags);
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(2));
        String::from_utf8(ended.stderr).unwrap()
    };
    let name = output.to_str().unwrap();
    let refusal = said(&["--output", name]);
    assert!(
        refusal.contains("\nhint: `--overwrite` begins"),
        "{refusal}"
    );
    let refusal = said(&["--output", name, "--resume"]);
    assert!(
        refusal.contains("once its last bytes are written"),
        "{refusal}"
    );
    let refusal = said(&["--format", "parquet"]);
    assert!(refusal.contains("writes a file"), "{refusal}");
}
