//! Rows that an earlier run has written, gone through beside the inputs that they are of.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::Written;
use super::partial::Partial;
use super::place::FilePlace;
use crate::commands::complain;
use crate::error::{Error, Result};
use crate::report::{RowFormat, WrittenRows};
use crate::text::{counted, shown, shown_path};

/// The rows of `FILE.partial` or, where nothing is left to do, of `FILE`.
pub(super) struct Earlier {
    rows: WrittenRows<BufReader<File>>,
    path: PathBuf,
    is_whole: bool,
}

/// What an earlier run has left of an output.
pub(super) enum Found {
    /// No row.
    Nothing,
    /// Something, and no end.
    Some(Partial, Earlier),
    /// All of it.
    Whole(Earlier),
}

/// Looks for what an earlier run has left; changes nothing.
///
/// # Errors
///
/// Files that cannot be read, or a format whose rows are not read back.
pub(super) fn find(place: &FilePlace, written: Written) -> Result<Found> {
    let format = written.format;
    if !format.is_gone_on_with() {
        let reason = match format {
            RowFormat::Parquet => "a Parquet file can be read once its last bytes are written",
            RowFormat::Html => "a page is for people",
            _ => "a table is for people",
        };
        return Err(Error::Usage(format!(
            "`--resume` goes on with rows of csv, json or ndjson; {reason}"
        )));
    }
    let earlier = |content, path: &Path, is_whole| Earlier {
        rows: WrittenRows::new(content, format, written.top_k),
        path: path.to_path_buf(),
        is_whole,
    };
    let FilePlace { path, partial, .. } = place;
    if is_there(partial)? {
        let mut reopened = Partial::reopen(partial.clone(), format)?;
        if reopened.is_empty().map_err(Error::file("read", partial))? {
            return Ok(Found::Nothing);
        }
        let content = reopened.content().map_err(Error::file("read", partial))?;
        return Ok(Found::Some(reopened, earlier(content, partial, false)));
    }
    if is_there(path)? {
        let file = File::open(path).map_err(Error::file("read", path))?;
        let content = BufReader::with_capacity(1 << 16, file);
        return Ok(Found::Whole(earlier(content, path, true)));
    }
    let message = format!(
        "there is no `{}` to go on with; this run begins with the first input",
        shown_path(partial)
    );
    complain("note", &message);
    Ok(Found::Nothing)
}

fn is_there(path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// What is known of earlier rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::commands) struct Tally {
    /// How many there are.
    pub(in crate::commands) rows: usize,
    /// How many say why there is no answer.
    pub(in crate::commands) failed: usize,
    /// How many of their cells of CSV a spreadsheet may take for formulas.
    pub(in crate::commands) formulas: usize,
    /// Bytes up to the end of the last.
    pub(super) bytes: u64,
}

impl Earlier {
    /// Takes from the names of the inputs those that have a row, which are to be the first in
    /// this order; where the rows are whole, all.
    ///
    /// # Errors
    ///
    /// Rows that cannot be read, the first that is of another input, or one too many or too few.
    pub(super) fn go_through(mut self, names: &mut dyn Iterator<Item = String>) -> Result<Tally> {
        let mut tally = Tally::default();
        let path = shown_path(&self.path);
        let hint = if self.is_whole {
            "without `--resume` it is replaced"
        } else {
            "`--resume` needs the inputs which that run was given; `--overwrite` begins anew \
             without its rows"
        };
        loop {
            let row = self.rows.next_row();
            let Some(row) = row.map_err(Error::file("read", &self.path))? else {
                break;
            };
            let problem = match names.next() {
                Some(name) if self.rows.is_of(&row, &name) => None,
                Some(name) => Some(format!("input {} is `{}`", tally.rows + 1, shown(&name))),
                None => Some(format!("there is no input {}", tally.rows + 1)),
            };
            if let Some(problem) = problem {
                return Err(Error::Usage(format!(
                    "row {} of `{path}` is of `{}`, and {problem}\nhint: {hint}",
                    tally.rows + 1,
                    shown(row.input())
                )));
            }
            tally.rows += 1;
            tally.failed += usize::from(row.failed);
            tally.formulas += row.formulas;
        }
        if self.is_whole
            && let Some(name) = names.next()
        {
            return Err(Error::Usage(format!(
                "`{path}` is whole with {}, and input {} is `{}`\nhint: {hint}",
                counted(tally.rows, "row"),
                tally.rows + 1,
                shown(&name)
            )));
        }
        tally.bytes = self.rows.whole_bytes();
        Ok(tally)
    }
}
