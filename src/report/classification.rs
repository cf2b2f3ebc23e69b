use std::io::{self, Write};

use serde::Serialize;

use super::RowFormat;
use super::contact_sheet::{self, Cards};
#[cfg(feature = "parquet")]
use super::parquet_rows::ParquetRows;
use crate::classifier::Class;
use crate::image::Thumbnail;
use crate::text::{escaped, shown};

/// The answer for one input of `senet classify`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// The input, as it was named.
    pub input: String,
    /// The likeliest classes, the likeliest first; empty where there is an error.
    pub top: Vec<Class>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// A small picture of the image, for a page.
    #[serde(skip)]
    pub thumbnail: Option<Thumbnail>,
}

/// Writes rows one by one, so that none is held back; but Parquet's, which are written many
/// together.
pub struct RowWriter<W: Write + Send> {
    out: Out<W>,
    format: RowFormat,
    top_k: usize,
    rows: usize,
    formulas: usize,
    cards: Cards,
}

enum Out<W: Write + Send> {
    Text(W),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetRows<W>>),
}

impl<W: Write + Send> RowWriter<W> {
    /// Starts the output.
    ///
    /// # Errors
    ///
    /// The errors of `out`; [`io::ErrorKind::Unsupported`] of Parquet where this was built without.
    pub fn new(mut out: W, format: RowFormat, top_k: usize) -> io::Result<Self> {
        match format {
            RowFormat::Csv => write_csv(&mut out, &csv_header(top_k))?,
            RowFormat::Json => write!(out, "[")?,
            RowFormat::Html => contact_sheet::start(&mut out)?,
            RowFormat::Table | RowFormat::Ndjson => {}
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => {
                return Ok(Self {
                    out: Out::Parquet(Box::new(ParquetRows::new(out, top_k)?)),
                    format,
                    top_k,
                    rows: 0,
                    formulas: 0,
                    cards: Cards::default(),
                });
            }
            #[cfg(not(feature = "parquet"))]
            RowFormat::Parquet => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(Self::behind(out, format, top_k, 0))
    }

    /// Goes on with an output that has so many rows already, and at least one; of Parquet there is
    /// none such.
    pub fn behind(out: W, format: RowFormat, top_k: usize, rows: usize) -> Self {
        Self {
            out: Out::Text(out),
            format,
            top_k,
            rows,
            formulas: 0,
            cards: Cards::default(),
        }
    }

    /// Writes one row.
    ///
    /// # Errors
    ///
    /// The errors of the output.
    pub fn write(&mut self, row: &Classification) -> io::Result<()> {
        #[cfg_attr(
            not(feature = "parquet"),
            expect(
                clippy::infallible_destructuring_match,
                reason = "with the feature there are two"
            )
        )]
        let out = match &mut self.out {
            Out::Text(out) => out,
            #[cfg(feature = "parquet")]
            Out::Parquet(rows) => return rows.write(row),
        };
        match self.format {
            RowFormat::Table => write_table(out, row, self.top_k)?,
            RowFormat::Csv => {
                let texts = row.top.iter().map(|class| &class.label).chain([&row.input]);
                let formulas = texts.filter(|text| is_formula(text));
                self.formulas += formulas.count();
                write_csv(out, &csv(row, self.top_k))?;
            }
            RowFormat::Json => {
                let separator = if self.rows > 0 { ",\n " } else { "\n " };
                write!(out, "{separator}")?;
                serde_json::to_writer(out, row)?;
            }
            RowFormat::Ndjson => {
                serde_json::to_writer(&mut *out, row)?;
                writeln!(out)?;
            }
            RowFormat::Html => self.cards.write(out, row)?,
            RowFormat::Parquet => return Err(io::ErrorKind::Unsupported.into()),
        }
        self.rows += 1;
        Ok(())
    }

    /// How many cells of CSV a spreadsheet may take for formulas.
    ///
    /// They are written as they are all the same, as most programs do: a mark before them would
    /// change the names for every other reader.
    pub fn formulas(&self) -> usize {
        self.formulas
    }

    /// How many rows are not on a page, which was full.
    pub fn left_out(&self) -> usize {
        self.cards.left_out()
    }

    /// What the rows are written to; none is half written.
    pub fn get_mut(&mut self) -> &mut W {
        match &mut self.out {
            Out::Text(out) => out,
            #[cfg(feature = "parquet")]
            Out::Parquet(rows) => rows.get_mut(),
        }
    }

    /// Ends the output.
    ///
    /// # Errors
    ///
    /// The errors of the output.
    pub fn finish(self) -> io::Result<W> {
        match self.out {
            Out::Text(mut out) => {
                self.cards.write_left_out(&mut out)?;
                out.write_all(self.format.ending().as_bytes())?;
                out.flush()?;
                Ok(out)
            }
            #[cfg(feature = "parquet")]
            Out::Parquet(rows) => rows.finish(),
        }
    }
}

/// One line an image where one class is asked for, else a line a class below the image.
fn write_table(out: &mut impl Write, row: &Classification, top_k: usize) -> io::Result<()> {
    let input = escaped(&row.input);
    if let Some(error) = &row.error {
        return writeln!(out, "{input}\n  error: {}", escaped(error));
    }
    let class = |class: &Class| {
        let percent = f64::from(class.probability) * 100.;
        format!("{percent:5.1} %  {}", shown(&class.label))
    };
    if let (1, [only]) = (top_k, row.top.as_slice()) {
        return writeln!(out, "{}  {input}", class(only));
    }
    writeln!(out, "{input}")?;
    for entry in &row.top {
        writeln!(out, "  {}", class(entry))?;
    }
    Ok(())
}

fn csv(row: &Classification, top_k: usize) -> Vec<String> {
    let mut cells = vec![one_line(&row.input)];
    for class in &row.top {
        cells.extend([
            class.class.to_string(),
            one_line(&class.label),
            class.probability.to_string(),
            class.logit.to_string(),
        ]);
    }
    cells.resize(1 + 4 * top_k, String::new());
    cells.push(row.error.as_deref().map(one_line).unwrap_or_default());
    cells
}

/// The columns of CSV.
pub(super) fn csv_header(top_k: usize) -> Vec<String> {
    let mut header = vec!["input".to_owned()];
    for rank in 1..=top_k {
        let columns = ["class", "label", "probability", "logit"];
        header.extend(columns.map(|column| format!("{column}_{rank}")));
    }
    header.push("error".to_owned());
    header
}

/// Whether a spreadsheet may take a cell for one.
pub(super) fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@'])
}

/// A text without control characters, escaped as in the table, so that a row is a line.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_debug());
        } else {
            line.push(c);
        }
    }
    line
}

fn write_csv(out: &mut impl Write, cells: &[String]) -> io::Result<()> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(cells)?;
    out.write_all(&line.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(input: &str, label: &str) -> Classification {
        Classification {
            input: input.to_owned(),
            top: vec![Class {
                class: 1,
                label: label.to_owned(),
                probability: 0.5,
                logit: -1.5,
            }],
            error: None,
            thumbnail: None,
        }
    }

    fn csv(rows: &[Classification]) -> (String, usize) {
        let mut writer = RowWriter::new(Vec::new(), RowFormat::Csv, 1).unwrap();
        for row in rows {
            writer.write(row).unwrap();
        }
        let formulas = writer.formulas();
        let bytes = writer.finish().unwrap();
        (String::from_utf8(bytes).unwrap(), formulas)
    }

    #[test]
    fn a_row_of_csv_is_a_line_without_control_characters() {
        let (text, _) = csv(&[row("a\nb\u{1b}\u{9b},é\u{200d}", "\"c\"\r")]);
        let (_, line) = text.split_once('\n').unwrap();
        let expected = "\"a\\nb\\u{1b}\\u{9b},é\u{200d}\",1,\"\"\"c\"\"\\r\",0.5,-1.5,\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn names_and_labels_that_are_formulas_are_counted_and_kept_but_numbers_are_none() {
        let (text, formulas) = csv(&[
            row("=1+1", "@a"),
            row("+a", "b"),
            row("-a", "b=c"),
            row("a", "-"),
            row("./=a", "b"),
        ]);
        assert_eq!(formulas, 5);
        assert!(text.contains("\n=1+1,1,@a,0.5,-1.5,\n"), "{text}");
    }
}
