use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::RowFormat;
use super::classification::{csv_header, is_formula, one_line};

/// A row that a run has written, as far as another has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRow {
    input: String,
    /// Whether it says why there is no answer.
    pub failed: bool,
    /// How many of its cells of CSV a spreadsheet may take for formulas.
    pub formulas: usize,
}

impl WrittenRow {
    /// The input, as it stands in the row.
    #[must_use]
    pub fn input(&self) -> &str {
        &self.input
    }
}

/// Reads back what a [`RowWriter`](super::RowWriter) has written, a row at a time, in memory that
/// does not grow with their number. A last row that is torn is none.
pub struct WrittenRows<R> {
    source: R,
    format: RowFormat,
    top_k: usize,
    line: Vec<u8>,
    /// Splits lines of CSV: made once, as that takes longer than a line.
    cells: csv::Reader<Unsplit>,
    header: Vec<String>,
    /// Lines that were read.
    lines: usize,
    /// Bytes of the lines that were read.
    read: u64,
    /// Bytes up to the end of the last whole row.
    whole: u64,
    is_ended: bool,
}

/// The most bytes of a row: far more than one of all classes of any network has.
const MAX_ROW: u64 = 1 << 26;

/// A line that is still to be split.
#[derive(Default)]
struct Unsplit {
    line: Vec<u8>,
    read: usize,
}

impl Unsplit {
    fn put(&mut self, line: &[u8]) {
        self.line.clear();
        self.line.extend_from_slice(line);
        self.read = 0;
    }
}

impl Read for Unsplit {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = (&self.line[self.read..]).read(into)?;
        self.read += count;
        Ok(count)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRow {
    input: String,
    top: Vec<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// What a line is.
enum Line {
    /// A row, of so many bytes.
    Row(WrittenRow, usize),
    /// What is before the first row.
    Start,
    /// What is behind the last.
    End,
}

impl<R: BufRead> WrittenRows<R> {
    /// Reads rows of so many classes each, from the first byte of their document.
    pub fn new(source: R, format: RowFormat, top_k: usize) -> Self {
        Self {
            source,
            format,
            top_k,
            line: Vec::new(),
            cells: csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(Unsplit::default()),
            header: csv_header(top_k),
            lines: 0,
            read: 0,
            whole: 0,
            is_ended: false,
        }
    }

    /// The next row; none behind the last whole one.
    ///
    /// # Errors
    ///
    /// Those of the source; [`io::ErrorKind::InvalidData`] of a line that is no row of this format
    /// and number of classes.
    pub fn next_row(&mut self) -> io::Result<Option<WrittenRow>> {
        loop {
            self.line.clear();
            let mut bounded = self.source.by_ref().take(MAX_ROW);
            let count = bounded.read_until(b'\n', &mut self.line)? as u64;
            if count == 0 {
                return Ok(None);
            }
            self.lines += 1;
            let is_torn = self.line.last() != Some(&b'\n');
            if is_torn && count == MAX_ROW {
                return Err(self.problem(&format!("has more than {MAX_ROW} bytes")));
            }
            let is_row_of_json = || self.format == RowFormat::Json && self.line.ends_with(b"}");
            if is_torn && !is_row_of_json() {
                return Ok(None);
            }
            match self.parse() {
                // Of JSON a last row may be torn where it seems to end.
                Err(_) if is_torn => return Ok(None),
                Err(problem) => return Err(self.problem(&problem)),
                Ok(_) if self.is_ended => return Err(self.problem("is behind the end of the rows")),
                Ok(Line::Start) => {}
                Ok(Line::End) => self.is_ended = true,
                Ok(Line::Row(row, bytes)) => {
                    self.whole = self.read + bytes as u64;
                    self.read += count;
                    return Ok(Some(row));
                }
            }
            self.read += count;
        }
    }

    /// Whether a row is that of an input of this name.
    pub fn is_of(&self, row: &WrittenRow, name: &str) -> bool {
        match self.format {
            RowFormat::Csv => row.input == one_line(name),
            _ => row.input == name,
        }
    }

    /// The bytes up to the end of the last whole row, where another may be written behind it.
    pub fn whole_bytes(&self) -> u64 {
        self.whole
    }

    fn problem(&self, problem: &str) -> io::Error {
        let problem = format!("line {} {problem}", self.lines);
        io::Error::new(io::ErrorKind::InvalidData, problem)
    }

    fn parse(&mut self) -> Result<Line, String> {
        match self.format {
            RowFormat::Csv => self.parse_csv(),
            RowFormat::Ndjson => self.parse_json(&self.line, self.line.len()),
            RowFormat::Json => match self.line.as_slice() {
                b"[\n" if self.lines == 1 => Ok(Line::Start),
                b"]\n" => Ok(Line::End),
                line => {
                    let row = line.strip_suffix(b"\n").unwrap_or(line);
                    let row = row.strip_suffix(b",").unwrap_or(row);
                    self.parse_json(row, row.len())
                }
            },
            RowFormat::Table | RowFormat::Parquet | RowFormat::Html => {
                Err("is not read back".to_owned())
            }
        }
    }

    fn parse_json(&self, row: &[u8], bytes: usize) -> Result<Line, String> {
        let row: JsonRow =
            serde_json::from_slice(row).map_err(|error| format!("is no row: {error}"))?;
        let failed = row.error.is_some();
        self.check_classes(row.top.len(), failed)?;
        let row = WrittenRow {
            input: row.input,
            failed,
            formulas: 0,
        };
        Ok(Line::Row(row, bytes))
    }

    fn parse_csv(&mut self) -> Result<Line, String> {
        let Self { line, cells, .. } = self;
        cells.get_mut().put(line);
        let mut record = csv::StringRecord::new();
        let is_record = cells.read_record(&mut record);
        if !is_record.map_err(|error| format!("is no row: {error}"))? {
            return Err("is empty".to_owned());
        }
        let header = &self.header;
        if self.lines == 1 {
            if record.iter().ne(header) {
                return Err(format!("is no header of rows of {} classes", self.top_k));
            }
            return Ok(Line::Start);
        }
        if record.len() != header.len() {
            return Err(format!(
                "has {} cells; expected {}",
                record.len(),
                header.len()
            ));
        }
        let failed = !record[header.len() - 1].is_empty();
        let classes = record.iter().skip(1).step_by(4).take(self.top_k);
        let classes = classes.filter(|class| !class.is_empty()).count();
        self.check_classes(classes, failed)?;
        let labels = record.iter().skip(2).step_by(4).take(classes);
        let formulas = labels.chain([&record[0]]).filter(|text| is_formula(text));
        let row = WrittenRow {
            input: record[0].to_owned(),
            failed,
            formulas: formulas.count(),
        };
        Ok(Line::Row(row, self.line.len()))
    }

    fn check_classes(&self, found: usize, failed: bool) -> Result<(), String> {
        let expected = if failed { 0 } else { self.top_k };
        if found == expected {
            return Ok(());
        }
        Err(format!("has {found} classes; expected {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::Class;
    use crate::report::{Classification, RowWriter};

    const FORMATS: [RowFormat; 3] = [RowFormat::Csv, RowFormat::Json, RowFormat::Ndjson];

    /// Names that CSV quotes or escapes, that look like the end of a row, and one without an answer.
    const NAMES: [&str; 6] = ["a.jpg", "b\n},\n", "=\"c\", d", "é\u{7}", "[", "failed"];

    fn classification(name: &str) -> Classification {
        let failed = name == "failed";
        let class = |class| Class {
            class,
            label: "-}".to_owned(),
            probability: 0.5,
            logit: -1.5,
        };
        Classification {
            input: name.to_owned(),
            top: if failed {
                Vec::new()
            } else {
                (0..2).map(class).collect()
            },
            error: failed.then(|| "cannot open it: \"x\"\n".to_owned()),
            thumbnail: None,
        }
    }

    fn document(format: RowFormat) -> Vec<u8> {
        let mut writer = RowWriter::new(Vec::new(), format, 2).unwrap();
        for name in NAMES {
            writer.write(&classification(name)).unwrap();
        }
        writer.finish().unwrap()
    }

    /// How many rows of [`NAMES`] these bytes hold, and up to which byte.
    fn read(bytes: &[u8], format: RowFormat) -> io::Result<(usize, usize)> {
        let mut rows = WrittenRows::new(bytes, format, 2);
        let mut count = 0;
        while let Some(row) = rows.next_row()? {
            assert!(rows.is_of(&row, NAMES[count]), "{row:?}");
            assert_eq!(row.failed, NAMES[count] == "failed");
            count += 1;
        }
        Ok((count, usize::try_from(rows.whole_bytes()).unwrap()))
    }

    /// What is there of a document is all it takes to make it whole, cut anywhere.
    #[test]
    fn a_document_that_is_cut_after_any_byte_is_gone_on_with_to_the_same_bytes() {
        for format in FORMATS {
            let document = document(format);
            for cut in 0..=document.len() {
                let (count, whole) = read(&document[..cut], format).unwrap();
                assert!(whole <= cut);
                let there = document[..whole].to_vec();
                let mut writer = match count {
                    0 => RowWriter::new(Vec::new(), format, 2).unwrap(),
                    rows => RowWriter::behind(there, format, 2, rows),
                };
                for name in &NAMES[count..] {
                    writer.write(&classification(name)).unwrap();
                }
                assert!(
                    writer.finish().unwrap() == document,
                    "{format:?} cut after {cut}"
                );
            }
            assert_eq!(read(&document, format).unwrap().0, NAMES.len());
        }
    }

    #[test]
    fn cells_that_are_formulas_are_counted_as_where_they_were_written() {
        let mut writer = RowWriter::new(Vec::new(), RowFormat::Csv, 2).unwrap();
        for name in NAMES {
            writer.write(&classification(name)).unwrap();
        }
        let expected = writer.formulas();
        let document = writer.finish().unwrap();
        let mut rows = WrittenRows::new(document.as_slice(), RowFormat::Csv, 2);
        let mut formulas = 0;
        while let Some(row) = rows.next_row().unwrap() {
            formulas += row.formulas;
        }
        assert_eq!((formulas, expected), (11, 11));
    }

    #[test]
    fn what_is_no_row_is_named_by_its_line() {
        let row = r#"{"input":"a.jpg","top":[],"error":"none"}"#;
        for (text, format, expected) in [
            ("[1, 2]\n", RowFormat::Json, "line 1 is no row: "),
            (
                "{}\n",
                RowFormat::Ndjson,
                "line 1 is no row: missing field `input`",
            ),
            (
                &format!("{row}\n\n"),
                RowFormat::Ndjson,
                "line 2 is no row: ",
            ),
            (
                &format!("[\n {row}\n]\n{row}\n"),
                RowFormat::Json,
                "line 4 is behind the end",
            ),
            (
                &format!("{}\n", row.replace("\"none\"", "null")),
                RowFormat::Ndjson,
                "line 1 has 0 classes; expected 2",
            ),
            (
                "input,class_1,label_1,probability_1,logit_1,error\n",
                RowFormat::Csv,
                "line 1 is no header of rows of 2 classes",
            ),
        ] {
            let mut rows = WrittenRows::new(text.as_bytes(), format, 2);
            let error = loop {
                match rows.next_row() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{text:?} is read"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
