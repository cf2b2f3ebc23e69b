//! CSV with a header.

use std::io::Read;

use csv::{ReaderBuilder, StringRecord};

use super::{Entry, LABEL, List, PATH, SPLIT, column, without_columns};
use crate::error::Result;

/// Hands the rows to `list`. With the extension `tsv` tabs separate them.
pub(super) fn read(file: &mut impl Read, list: &mut List<'_>) -> Result<()> {
    let extension = list.file.extension();
    let has_tabs = extension.is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let mut reader = ReaderBuilder::new()
        .delimiter(if has_tabs { b'\t' } else { b',' })
        .from_reader(file);
    let header = reader.headers().map_err(|error| failed(list, &error))?;
    let header: Vec<String> = header.iter().map(str::to_owned).collect();
    let (Some(path), Some(label)) = (column(&header, &PATH), column(&header, &LABEL)) else {
        return Err(match header.as_slice() {
            [] => list.problem("is empty; expected CSV or NDJSON of paths and labels"),
            header => list.problem(&without_columns(header)),
        });
    };
    let split = column(&header, &SPLIT);
    if list.split.is_some() && split.is_none() {
        return Err(list.problem("has no column `split`, by which `--split` chooses"));
    }
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| failed(list, &error))?
    {
        let cell = |column: usize| record.get(column).unwrap_or_default().to_owned();
        list.add(Entry {
            line: record.position().map_or(0, csv::Position::line),
            path: cell(path),
            label: cell(label).trim().to_owned(),
            split: split.map(cell),
        })?;
    }
    Ok(())
}

fn failed(list: &List<'_>, error: &csv::Error) -> crate::Error {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => list.problem_in(
            line,
            &format!("has {len} cells; the header has {expected_len}"),
        ),
        csv::ErrorKind::Utf8 { .. } => list.problem_in(line, "is not text in UTF-8"),
        _ => list.problem(&format!("cannot be read: {error}")),
    }
}
