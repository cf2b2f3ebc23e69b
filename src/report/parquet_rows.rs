//! Rows as a Parquet file, with the columns of CSV.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::Classification;
use super::classification::csv_header;
use crate::classifier::Class;

/// Rows that are written a group at a time.
pub(super) struct ParquetRows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    top_k: usize,
    waiting: Vec<Classification>,
    /// About as many bytes wait.
    bytes: usize,
}

/// The most rows of a group of a Parquet file: engines read groups on several threads, and skip those whose
/// statistics say that nothing in them is asked for.
pub const GROUP_ROWS: usize = 1 << 16;

/// The most bytes that wait, as where rows have very many classes.
const GROUP_BYTES: usize = 1 << 25;

impl<W: Write + Send> ParquetRows<W> {
    pub(super) fn new(out: W, top_k: usize) -> io::Result<Self> {
        let columns = csv_header(top_k).into_iter().map(|name| {
            let column = match name.split('_').next() {
                Some("input") => "REQUIRED BINARY input (STRING)".to_owned(),
                Some("class") => format!("OPTIONAL INT32 {name}"),
                Some("probability" | "logit") => format!("OPTIONAL FLOAT {name}"),
                _ => format!("OPTIONAL BINARY {name} (STRING)"),
            };
            format!("{column}; ")
        });
        let schema = format!("message rows {{ {}}}", columns.collect::<String>());
        let schema = parse_message_type(&schema).map_err(failed)?;
        // What pandas, Spark and DuckDB compress with where nothing else is said, and all read.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("senet ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            file: file.map_err(failed)?,
            top_k,
            waiting: Vec::new(),
            bytes: 0,
        })
    }

    pub(super) fn write(&mut self, row: &Classification) -> io::Result<()> {
        let of_labels = row.top.iter().map(|class| class.label.len());
        self.bytes += size_of::<Classification>() + row.input.len() + of_labels.sum::<usize>();
        self.bytes += size_of::<Class>() * row.top.len();
        self.waiting.push(row.clone());
        if self.waiting.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    pub(super) fn get_mut(&mut self) -> &mut W {
        self.file.inner_mut()
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.waiting.is_empty() {
            self.write_group()?;
        }
        self.file.into_inner().map_err(failed)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let mut group = self.file.next_row_group().map_err(failed)?;
        let mut number = 0;
        while let Some(mut column) = group.next_column().map_err(failed)? {
            write_column(column.untyped(), &rows, number, self.top_k).map_err(failed)?;
            column.close().map_err(failed)?;
            number += 1;
        }
        group.close().map_err(failed)?;
        Ok(())
    }
}

/// Writes a column by its number.
fn write_column(
    column: &mut ColumnWriter<'_>,
    rows: &[Classification],
    number: usize,
    top_k: usize,
) -> Result<(), ParquetError> {
    /// Values where there are some, and for each row whether there is one.
    fn optional<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
        let mut there = Vec::new();
        let values = values.inspect(|value| there.push(i16::from(value.is_some())));
        (values.flatten().collect(), there)
    }
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    let Some(number) = number.checked_sub(1) else {
        let names: Vec<ByteArray> = rows.iter().map(|row| text(&row.input)).collect();
        if let ColumnWriter::ByteArrayColumnWriter(column) = column {
            column.write_batch(&names, None, None)?;
        }
        return Ok(());
    };
    let (rank, field) = (number / 4, number % 4);
    let classes = rows.iter().map(|row| row.top.get(rank));
    match column {
        ColumnWriter::ByteArrayColumnWriter(column) => {
            let (values, there) = if rank < top_k {
                optional(classes.map(|class| Some(text(&class?.label))))
            } else {
                optional(rows.iter().map(|row| Some(text(row.error.as_ref()?))))
            };
            column.write_batch(&values, Some(&there), None)?;
        }
        ColumnWriter::Int32ColumnWriter(column) => {
            // As many classes as there are in no network.
            let class = |class: &Class| i32::try_from(class.class).unwrap_or(i32::MAX);
            let (values, there) = optional(classes.map(|found| found.map(class)));
            column.write_batch(&values, Some(&there), None)?;
        }
        ColumnWriter::FloatColumnWriter(column) => {
            let value = |class: &Class| [class.probability, class.logit][usize::from(field == 3)];
            let (values, there) = optional(classes.map(|found| found.map(value)));
            column.write_batch(&values, Some(&there), None)?;
        }
        // The schema has no others.
        _ => {}
    }
    Ok(())
}

/// Errors of the output as they are, so that a closed pipe or a full disk is known.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
