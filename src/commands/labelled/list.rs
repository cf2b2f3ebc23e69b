//! Lists of paths and labels: CSV, and NDJSON.

mod csv_rows;
mod json_rows;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{Data, Labelled, Told, is_split};
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::text::{counted, path_text, shown, shown_list, shown_path};

/// What the path of an image may be called; the first that there is counts.
const PATH: [&str; 8] = [
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "image",
    "image_path",
    "input",
];

/// What the class of an image may be called; the first that there is counts. In the rows of
/// `senet eval` that is its label: its number may be the label of another class.
const LABEL: [&str; 8] = [
    "label",
    "class",
    "class_name",
    "truth_label",
    "truth",
    "target",
    "category",
    "synset",
];

/// What the part of the data may be called.
const SPLIT: [&str; 1] = ["split"];

/// The most bytes of a list: some ten million images.
const MOST_BYTES: u64 = 1 << 30;

/// The most bytes of a line of NDJSON.
const MOST_OF_LINE: u64 = 1 << 20;

/// A line of a list.
struct Entry {
    /// Which it is, from 1 on.
    line: u64,
    path: String,
    label: String,
    split: Option<String>,
}

/// The images of the list at `path`, or those whose column `split` says that they are of `split`.
/// Their paths are seen from the list's folder.
///
/// # Errors
///
/// A file that cannot be read, is no such list, or has a line without a path or label; a list
/// without images of the split.
pub(super) fn open(path: &Path, split: Option<&str>) -> Result<Data> {
    let failed = || Error::file("read", path);
    let file = files::open(path, Pipes::Inherited).map_err(failed())?;
    let mut reader = BufReader::new(file.take(MOST_BYTES));
    let start = reader.fill_buf().map_err(failed())?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    let mut list = List::new(path, split);
    match first {
        Some(b'{') => json_rows::read(&mut reader, &mut list)?,
        Some(b'[') => {
            return Err(list.problem(
                "is a JSON array; expected CSV or NDJSON, an object a line\nhint: `jq --compact-output '.[]'` \
                 makes lines of it",
            ));
        }
        Some(_) if crate::image::format_name(start).is_some() => {
            return Err(list.problem(
                "is an image; expected a folder, or a CSV or NDJSON file of paths and labels",
            ));
        }
        _ => csv_rows::read(&mut reader, &mut list)?,
    }
    if reader.get_ref().limit() == 0 {
        return Err(list.problem(&format!(
            "has more than the {MOST_BYTES} bytes that it may have"
        )));
    }
    list.finish()
}

/// A list on its way from lines to images.
struct List<'a> {
    file: &'a Path,
    split: Option<&'a str>,
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    rows: Vec<(Box<str>, usize)>,
    /// Rows of each split, whichever was asked for.
    splits: HashMap<String, usize>,
}

impl<'a> List<'a> {
    fn new(file: &'a Path, split: Option<&'a str>) -> Self {
        Self {
            file,
            split,
            names: Vec::new(),
            numbers: HashMap::new(),
            rows: Vec::new(),
            splits: HashMap::new(),
        }
    }

    fn problem(&self, problem: &str) -> Error {
        Error::Checkpoint {
            file: self.file.display().to_string(),
            problem: problem.to_owned(),
        }
    }

    /// A problem with one line.
    fn problem_in(&self, line: u64, problem: &str) -> Error {
        self.problem(&format!("line {line}: {problem}"))
    }

    /// Takes a line.
    fn add(&mut self, entry: Entry) -> Result<()> {
        let Entry {
            line,
            path,
            label,
            split,
        } = entry;
        if path.is_empty() || label.is_empty() {
            let missing = if path.is_empty() { "path" } else { "label" };
            return Err(self.problem_in(line, &format!("there is no {missing}")));
        }
        if self.split.is_some() && split.is_none() {
            return Err(self.problem_in(line, "there is no `split`, by which `--split` chooses"));
        }
        if let Some(split) = split {
            let is_wanted = self.split.is_none_or(|asked| is_split(&split, asked));
            *self.splits.entry(split).or_default() += 1;
            if !is_wanted {
                return Ok(());
            }
        }
        let number = if let Some(&number) = self.numbers.get(&label) {
            number
        } else {
            self.names.push(label.clone());
            self.numbers.insert(label, self.names.len() - 1);
            self.names.len() - 1
        };
        self.rows.push((path.into(), number));
        Ok(())
    }

    fn finish(self) -> Result<Data> {
        /// Splits that are listed.
        const LISTED: usize = 8;
        let mut splits: Vec<&String> = self.splits.keys().collect();
        splits.sort();
        if self.rows.is_empty() {
            return Err(match self.split {
                Some(split) if !splits.is_empty() => self.problem(&format!(
                    "has no image of the split `{}`\nhint: its splits are {}",
                    shown(split),
                    shown_list(&splits, LISTED)
                )),
                _ => self.problem("names no image"),
            });
        }
        let mut told = Told::default();
        if self.split.is_none() && splits.len() > 1 {
            told.found.push(format!(
                "`{}` has images of {}, which are all counted: {}\nhint: `--split` chooses one",
                shown_path(self.file),
                counted(splits.len(), "split"),
                shown_list(&splits, LISTED)
            ));
        }
        let folder = self.file.parent().unwrap_or(Path::new("")).to_path_buf();
        let count = self.rows.len() as u64;
        let images = self.rows.into_iter().map(move |(path, name)| {
            let path: PathBuf = folder.join(&*path);
            Labelled {
                input: path.clone().into(),
                path,
                name,
            }
        });
        Ok(Data {
            name: path_text(self.file),
            names: self.names,
            count: Some(count),
            images: Box::new(images),
            told,
        })
    }
}

/// Which of `columns` is called by one of `names`, whatever the case.
fn column(columns: &[String], names: &[&str]) -> Option<usize> {
    let of_name = |name: &&str| {
        let is_called = |column: &String| column.trim().eq_ignore_ascii_case(name);
        columns.iter().position(is_called)
    };
    names.iter().find_map(of_name)
}

/// What is expected of a list whose columns are others.
fn without_columns(columns: &[String]) -> String {
    /// Columns that are listed.
    const LISTED: usize = 8;
    format!(
        "{}; found {}\nhint: a path may be called {}; a label {}",
        "has no column for the path or none for the label of an image",
        shown_list(columns, LISTED),
        shown_list(&PATH, PATH.len()),
        shown_list(&LABEL, LABEL.len())
    )
}
