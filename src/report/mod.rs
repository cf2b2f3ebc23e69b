//! What the commands answer: plain structs, rendered last.

mod bench;
mod classification;
mod contact_sheet;
mod evaluation;
mod explain;
mod html;
mod inline_picture;
mod inspect;
mod isolation;
mod models;
mod parity;
#[cfg(feature = "parquet")]
mod parquet_rows;
mod plan;
mod table;
mod timings;
mod trace;
mod vectors;
mod written_rows;

use std::io::{self, Write};
use std::path::Path;

pub use bench::{Bench, Kind, Spread, Step};
use clap::ValueEnum;
pub use classification::{Classification, RowWriter};
pub use contact_sheet::THUMBNAILS;
pub use evaluation::{
    Change, Changes, ClassName, Compared, Comparison, Evaluated, Evaluation, EvaluationRow,
    Failure, Mistake, Mistakes, ScoredClass, Subject, Thumbnails,
};
pub use explain::{
    ExplainFormat, Explained, ExplainedGates, ExplainedMap, GatedClass, GatesByClass, PICTURED,
    Pictures,
};
pub use inline_picture::{InlinePicture, Protocol};
pub use inspect::{Differences, InspectedTensor, Inspection};
pub use models::{LeftOut, Model, Models};
pub use parity::{DumpNames, DumpParity, Parity};
#[cfg(feature = "parquet")]
pub use parquet_rows::GROUP_ROWS;
pub use plan::PlanReport;
pub use timings::Timings;
pub use trace::{Column, DRAWN, TraceReport, TraceRow, Values, WindowRow};
pub use vectors::VectorFormat;
pub use written_rows::{WrittenRow, WrittenRows};

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// The form of rows, one an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// For people.
    Table,
    /// A header, then a line an input.
    Csv,
    /// One array.
    Json,
    /// One object a line.
    Ndjson,
    /// The columns of CSV, each with a type of its own, compressed; where this program was built
    /// with the feature `parquet`, for a file.
    Parquet,
    /// A page that stands alone: a card an image, the first 500 with small pictures.
    Html,
}

impl RowFormat {
    /// What a file's extension stands for, in upper or lower case.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }

    /// Its name, as `--format` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Html => "html",
        }
    }

    /// Whether the rows of a document without its end can be read back, and others written behind
    /// them.
    #[must_use]
    pub fn is_gone_on_with(self) -> bool {
        matches!(self, Self::Csv | Self::Json | Self::Ndjson)
    }

    /// What makes a whole document of the rows so far; of Parquet its writer alone can do that.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Json => "\n]\n",
            Self::Html => contact_sheet::END,
            Self::Table | Self::Csv | Self::Ndjson | Self::Parquet => "",
        }
    }
}

/// The form of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// For people.
    Table,
    /// For a page such as an issue's.
    Markdown,
    /// A header, then a line a layer.
    Csv,
    /// For programs.
    Json,
    /// A page that stands alone: groups that unfold, and what each costs as bars.
    Html,
}

/// The form of a report that is also a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// A page that stands alone, with the numbers drawn.
    Html,
}

/// The form of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EvaluationFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// One object a line for each image, with its class.
    Ndjson,
    /// A page that stands alone: confusion, calibration, classes and the surest mistakes.
    Html,
}

/// The form of the list of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// For a page such as the README.
    Markdown,
    /// For programs.
    Json,
    /// One network's layers.
    Graph,
}

/// Something a command answers: text for people, JSON for programs, the same facts in both.
pub trait Report: serde::Serialize {
    /// Writes it for people.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Writes it as `format` asks.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => self.write_table(out)?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, self)?;
                writeln!(out)?;
            }
        }
        out.flush()
    }
}
