//! `FILE.partial`: the rows of a run that has not ended.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::taken::take;
use crate::error::{Error, Result};
use crate::report::RowFormat;
use crate::text::{counted, shown_path};

/// What this run alone writes. At every moment but that of a write it holds whole rows.
pub(in crate::commands) struct Partial {
    file: File,
    path: PathBuf,
    /// Bytes of whole rows.
    length: u64,
    rows: usize,
    /// Rows of Parquet, none of which can be read before the end is written.
    unreadable: usize,
    /// What makes the rows that are there a whole document.
    format: RowFormat,
    ended: bool,
}

impl Partial {
    /// Takes the file at `path` for this run.
    ///
    /// # Errors
    ///
    /// One that cannot be written, that is no file or has another name too, that another run
    /// writes, or, unless asked to `overwrite` it, one that holds something.
    pub(super) fn open(path: PathBuf, format: RowFormat, overwrite: bool) -> Result<Self> {
        let mut file = take(&path, "--output")?;
        if !overwrite && let Some(held) = held(&mut file).map_err(Error::file("read", &path))? {
            let resume = if format.is_gone_on_with() {
                "`--resume` goes on behind them; "
            } else {
                ""
            };
            return Err(Error::Usage(format!(
                "`{}` holds {held} of a run that did not end\nhint: {resume}`--overwrite` begins \
                 anew without them; to keep them, give that file another name",
                shown_path(&path)
            )));
        }
        let emptied = file.set_len(0).and_then(|()| file.rewind());
        emptied.map_err(Error::file("write", &path))?;
        Ok(Self {
            file,
            path,
            length: 0,
            rows: 0,
            unreadable: 0,
            format,
            ended: false,
        })
    }

    /// Takes the file at `path` as an earlier run left it; nothing is changed before
    /// [`Partial::go_on`].
    ///
    /// # Errors
    ///
    /// As [`Partial::open`], but for one that holds something.
    pub(super) fn reopen(path: PathBuf, format: RowFormat) -> Result<Self> {
        Ok(Self {
            file: take(&path, "--output")?,
            path,
            length: 0,
            rows: 0,
            unreadable: 0,
            format,
            ended: true,
        })
    }

    /// Its content from the first byte.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn content(&self) -> io::Result<io::BufReader<File>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(io::BufReader::with_capacity(1 << 16, file))
    }

    /// Whether it holds no more than what a run writes before its first row.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn is_empty(&mut self) -> io::Result<bool> {
        self.file.rewind()?;
        Ok(held(&mut self.file)?.is_none())
    }

    /// Keeps so many rows, which end after `length` bytes, and cuts off what is behind them.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn go_on(&mut self, rows: usize, length: u64) -> io::Result<()> {
        (self.rows, self.length) = (rows, length);
        self.cut()?;
        self.ended = false;
        Ok(())
    }

    pub(in crate::commands) fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows it holds.
    pub(in crate::commands) fn rows(&self) -> usize {
        self.rows
    }

    /// The hint that goes below what ended the run, where there is something to go on with.
    pub(super) fn how_to_go_on(&self) -> &'static str {
        match self.rows {
            0 => "",
            _ if !self.format.is_gone_on_with() => "",
            _ => "\nhint: the same command with `--resume` goes on behind them",
        }
    }

    /// Adds so many whole rows, or with none the end of the document.
    ///
    /// # Errors
    ///
    /// Those of the file; it holds the rows before these then.
    pub(super) fn add(&mut self, bytes: &[u8], rows: usize) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            self.end_early();
            return Err(error);
        }
        if self.format == RowFormat::Parquet {
            self.unreadable += rows;
            return Ok(());
        }
        // An end is written anew by whatever comes before the file is renamed.
        if rows > 0 {
            self.length += bytes.len() as u64;
        }
        self.rows += rows;
        Ok(())
    }

    /// Says that the end of a document which only its writer can end has been added.
    pub(super) fn keep_end(&mut self) {
        if self.unreadable > 0 {
            self.rows = self.unreadable;
            self.ended = true;
        }
    }

    /// Makes it the file at `path`.
    ///
    /// # Errors
    ///
    /// Those of the system; it stays where it is then.
    pub(super) fn become_file(&mut self, path: &Path) -> io::Result<()> {
        self.ended = true;
        std::fs::rename(&self.path, path)
    }

    /// Makes a whole document of the rows that are there, and nothing of none; false where that
    /// was done before.
    pub(in crate::commands) fn end_early(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.ended = true;
        // Where a disk is full or broken, what it takes is all that can be had.
        let _ = self.cut().and_then(|()| {
            let ending = if self.rows > 0 {
                self.format.ending()
            } else {
                ""
            };
            self.file
                .write_all(ending.as_bytes())
                .or_else(|_| self.cut())
        });
        true
    }

    /// Cuts off what is behind the last whole row.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}

/// What would be lost with the content of a file, in words; none where that is no more than what
/// a run writes before its first row.
fn held(file: &mut File) -> io::Result<Option<String>> {
    let bytes = file.metadata()?.len();
    let mut start = Vec::new();
    file.take(8).read_to_end(&mut start)?;
    file.rewind()?;
    let (count, unit) = match &start[..] {
        b"" | b"[" | b"[\n]\n" => return Ok(None),
        b"input,cl" => match count(file, b"\n")? {
            0 | 1 => return Ok(None),
            lines => (lines - 1, "row"),
        },
        [b'P', b'A', b'R', b'1', ..] => (0, "row"),
        [b'[', ..] => (count(file, b"\n {")?, "row"),
        [b'{', ..] => (count(file, b"\n")?, "row"),
        _ => (count(file, b"\n")?, "line"),
    };
    Ok(Some(match count {
        0 => format!("{bytes} bytes"),
        count => counted(count, unit),
    }))
}

/// How often `pattern`, which is to begin with what it holds only once, occurs in what is left of
/// `file`.
fn count(file: &mut File, pattern: &[u8]) -> io::Result<usize> {
    let mut found = 0;
    let mut matched = 0;
    for byte in io::BufReader::with_capacity(1 << 16, file).bytes() {
        let byte = byte?;
        if byte != pattern[matched] {
            matched = 0;
        }
        if byte == pattern[matched] {
            matched += 1;
        }
        if matched == pattern.len() {
            found += 1;
            matched = 0;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_of(content: &str) -> Option<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.rewind().unwrap();
        held(&mut file).unwrap()
    }

    #[test]
    fn rows_of_every_format_are_counted() {
        for (content, expected) in [
            ("[\n {\"input\":\"a\"},\n {\"input\":\"b\"}", Some("2 rows")),
            ("[\n {\"input\":\"a\"}\n]\n", Some("1 row")),
            ("{\"input\":\"a\"}\n{\"input\":\"b\"}\n", Some("2 rows")),
            ("input,class_1,error\na,3,\nb,3,\nc,", Some("2 rows")),
            (" 83.0 %  cat  a\n 83.0 %  cat  b\n", Some("2 lines")),
            ("no line", Some("7 bytes")),
            // Of somebody else, or torn.
            ("[1, 2]", Some("6 bytes")),
            ("{\"inp", Some("5 bytes")),
            ("", None),
            ("[", None),
            ("[\n]\n", None),
            ("input,class_1,error\n", None),
        ] {
            assert_eq!(held_of(content).as_deref(), expected, "{content:?}");
        }
    }

    #[test]
    fn a_row_that_does_not_fit_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.json.partial");
        let mut partial = Partial::open(path.clone(), RowFormat::Json, false).unwrap();
        partial.add(b"[\n {\"input\":\"a\"}", 1).unwrap();
        // Half of a row, as a full disk leaves it.
        partial.file.write_all(b",\n {\"inp").unwrap();
        assert!(partial.end_early());
        assert!(!partial.end_early());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "[\n {\"input\":\"a\"}\n]\n");
    }

    #[test]
    fn a_document_is_closed_once_by_a_run_that_is_interrupted_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.json.partial");
        let mut partial = Partial::open(path.clone(), RowFormat::Json, false).unwrap();
        partial.add(b"[\n {\"input\":\"a\"}", 1).unwrap();
        partial.add(b"\n]\n", 0).unwrap();
        assert!(partial.end_early());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "[\n {\"input\":\"a\"}\n]\n");
    }

    #[test]
    fn a_run_without_a_row_leaves_nothing_that_keeps_another_from_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.json.partial");
        let mut partial = Partial::open(path.clone(), RowFormat::Json, false).unwrap();
        assert!(partial.end_early());
        drop(partial);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        assert!(Partial::open(path, RowFormat::Json, false).is_ok());
    }

    #[test]
    fn a_second_run_is_refused_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv.partial");
        let first = Partial::open(path.clone(), RowFormat::Csv, false).unwrap();
        let second = Partial::open(path.clone(), RowFormat::Csv, true);
        let error = second.err().unwrap().to_string();
        assert!(error.starts_with("another run is writing `"), "{error}");
        drop(first);
        assert!(Partial::open(path, RowFormat::Csv, false).is_ok());
    }
}
