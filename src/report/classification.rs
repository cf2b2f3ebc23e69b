use std::io::{self, Write};

use serde::Serialize;

use super::RowFormat;
use crate::text::escaped;

/// The answer for one input of `senet classify`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// The input, as it was named.
    pub input: String,
    /// The likeliest classes, the likeliest first; empty where there is an error.
    pub top: Vec<Class>,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// A class and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// Its number.
    pub class: usize,
    /// Its name, or its number where no names are known.
    pub label: String,
    /// Softmax of the logits.
    pub probability: f32,
    /// The network's output.
    pub logit: f32,
}

/// Writes rows one by one, so that none is held back.
pub struct RowWriter<W: Write> {
    out: W,
    format: RowFormat,
    top_k: usize,
    rows: usize,
}

impl<W: Write> RowWriter<W> {
    /// Starts the output.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn new(mut out: W, format: RowFormat, top_k: usize) -> io::Result<Self> {
        match format {
            RowFormat::Csv => {
                let mut header = vec!["input".to_owned()];
                for rank in 1..=top_k {
                    let columns = ["class", "label", "probability", "logit"];
                    header.extend(columns.map(|column| format!("{column}_{rank}")));
                }
                header.push("error".to_owned());
                write_csv(&mut out, &header)?;
            }
            RowFormat::Json => write!(out, "[")?,
            RowFormat::Table | RowFormat::Ndjson => {}
        }
        Ok(Self {
            out,
            format,
            top_k,
            rows: 0,
        })
    }

    /// Writes one row.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write(&mut self, row: &Classification) -> io::Result<()> {
        match self.format {
            RowFormat::Table => self.write_table(row)?,
            RowFormat::Csv => {
                let cells = self.csv(row);
                write_csv(&mut self.out, &cells)?;
            }
            RowFormat::Json => {
                let separator = if self.rows > 0 { ",\n " } else { "\n " };
                write!(self.out, "{separator}")?;
                serde_json::to_writer(&mut self.out, row)?;
            }
            RowFormat::Ndjson => {
                serde_json::to_writer(&mut self.out, row)?;
                writeln!(self.out)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// What the rows are written to; none is half written.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the output.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(self.format.ending().as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// One line an image where one class is asked for, else a line a class below the image.
    fn write_table(&mut self, row: &Classification) -> io::Result<()> {
        let input = escaped(&row.input);
        if let Some(error) = &row.error {
            return writeln!(self.out, "{input}\n  error: {}", escaped(error));
        }
        let class = |class: &Class| {
            let percent = f64::from(class.probability) * 100.;
            format!("{percent:5.1} %  {}", escaped(&class.label))
        };
        if let (1, [only]) = (self.top_k, row.top.as_slice()) {
            return writeln!(self.out, "{}  {input}", class(only));
        }
        writeln!(self.out, "{input}")?;
        for entry in &row.top {
            writeln!(self.out, "  {}", class(entry))?;
        }
        Ok(())
    }

    fn csv(&self, row: &Classification) -> Vec<String> {
        let mut cells = vec![row.input.clone()];
        for class in &row.top {
            cells.extend([
                class.class.to_string(),
                class.label.clone(),
                class.probability.to_string(),
                class.logit.to_string(),
            ]);
        }
        cells.resize(1 + 4 * self.top_k, String::new());
        cells.push(row.error.clone().unwrap_or_default());
        cells
    }
}

fn write_csv(out: &mut impl Write, cells: &[String]) -> io::Result<()> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(cells)?;
    out.write_all(&line.into_inner().map_err(csv::IntoInnerError::into_error)?)
}
