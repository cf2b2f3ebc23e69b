//! The answer of `senet trace`.

mod columns;
mod page;
mod tree;

use std::io::{self, Write};

use serde::Serialize;

pub use self::columns::Column;
use super::table::{self, Align, thousands};
use super::{Report, TraceFormat};
use crate::network::Layout;
use crate::network::layers::SEPARATORS;
use crate::text::shown;

/// What weights are called that are of no file.
pub const DRAWN: &str = "drawn at random";

/// The answer of `senet trace`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceReport {
    /// The network traced.
    pub network: String,
    /// What ran it, `cpu` or `candle`, where it was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<&'static str>,
    /// The file that its weights are from, where it was run with those of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Whether it was run with weights that were drawn at random, the same each time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub drawn: bool,
    /// The files of the images that it was run on, a batch of which all values are; nothing of
    /// another input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// The layout of every shape here.
    pub layout: Layout,
    /// The shape of the network's input.
    pub input_shape: Vec<usize>,
    /// Layers, and groups where folded, in the order of computation.
    pub layers: Vec<TraceRow>,
    /// The number of trainable parameters.
    pub parameters: u64,
    /// The number of batch norm statistics.
    pub buffers: u64,
    /// Multiplies of convolutions and linear layers.
    pub macs: u64,
    /// Bytes of the input in single precision.
    pub input_bytes: u64,
    /// Bytes of the parameters in single precision.
    pub parameter_bytes: u64,
    /// Bytes of what all layers compute in single precision; a run needs less at a time.
    pub output_bytes: u64,
    /// Milliseconds for all layers, where the network was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<f64>,
    /// The columns of a table, a CSV file or Markdown, where they were chosen.
    #[serde(skip)]
    pub columns: Option<Vec<Column>>,
}

/// A layer, or a group folded into one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceRow {
    /// The canonical name of the layer or group.
    pub name: String,
    /// The operation, or `group`.
    pub kind: &'static str,
    /// The shapes of its inputs; of a group those of its first layer.
    pub input_shapes: Vec<Vec<usize>>,
    /// The shape of its output; of a group that of its last layer.
    pub output_shape: Vec<usize>,
    /// The window that slides over its input, if one does.
    #[serde(flatten)]
    pub window: Option<WindowRow>,
    /// The groups that a convolution splits its channels into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// The number of trainable parameters.
    pub parameters: u64,
    /// Their share of the network's.
    pub parameter_share: f64,
    /// Bytes of them in single precision.
    pub parameter_bytes: u64,
    /// The number of batch norm statistics.
    pub buffers: u64,
    /// Multiplies of convolutions and linear layers.
    pub macs: u64,
    /// Their share of the network's.
    pub mac_share: f64,
    /// Bytes of its output in single precision; of a group, of the outputs of all its layers.
    pub output_bytes: u64,
    /// What its output holds, where the network was run and the engine has that output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
    /// Milliseconds, where the network was run and the layer ends a step of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<f64>,
}

/// A window that slides over an input: of a convolution or a pool. Rows are first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WindowRow {
    /// Its rows and columns.
    pub kernel: [usize; 2],
    /// Rows and columns from one position to the next.
    pub stride: [usize; 2],
    /// Rows and columns around the input, before and after: `[[top, bottom], [left, right]]`.
    pub padding: [[usize; 2]; 2],
    /// Rows and columns from one element of the kernel to the next.
    pub dilation: [usize; 2],
}

/// Statistics of a tensor, all images of a batch together. All but the counts are of its finite values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Values {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The mean of the values.
    pub mean: f64,
    /// Standard deviation, of the population.
    pub std: f64,
    /// The number of values that are NaN.
    pub nan: usize,
    /// The number of values that are infinite.
    pub infinite: usize,
}

impl Values {
    /// Statistics of `values`; zeros where none is finite.
    #[must_use]
    pub fn of(values: &[f32]) -> Self {
        let finite = || {
            values
                .iter()
                .filter(|v| v.is_finite())
                .map(|&v| f64::from(v))
        };
        let count = finite().count().max(1) as f64;
        let nan = values.iter().filter(|v| v.is_nan()).count();
        let mean = finite().sum::<f64>() / count;
        let variance = finite().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let (min, max) = match finite().next() {
            None => (0., 0.),
            Some(_) => (
                finite().fold(f64::INFINITY, f64::min),
                finite().fold(f64::NEG_INFINITY, f64::max),
            ),
        };
        Self {
            min,
            max,
            mean,
            std: variance.sqrt(),
            nan,
            infinite: values.iter().filter(|v| v.is_infinite()).count(),
        }
    }
}

impl TraceReport {
    /// Writes it as `format` asks.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_as(&self, format: TraceFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            TraceFormat::Table => self.write(super::Format::Table, out),
            TraceFormat::Json => self.write(super::Format::Json, out),
            TraceFormat::Markdown => {
                self.write_markdown(out)?;
                out.flush()
            }
            TraceFormat::Csv => self.write_csv(out),
            TraceFormat::Html => {
                self.write_page(out)?;
                out.flush()
            }
        }
    }

    /// The columns that were chosen, else `usual` of those that there are.
    fn columns(&self, usual: fn(bool) -> Vec<Column>) -> Vec<Column> {
        let was_run = self.time_ms.is_some();
        match &self.columns {
            None => usual(was_run),
            Some(chosen) if chosen.contains(&Column::All) => Column::all(was_run),
            Some(chosen) => chosen.clone(),
        }
    }

    /// The sums of all layers; of a network that was run without its time those of shapes alone.
    fn total(&self, column: Column) -> String {
        match column {
            Column::Parameters => thousands(self.parameters),
            Column::Buffers => thousands(self.buffers),
            Column::Macs => thousands(self.macs),
            Column::ParameterMb => columns::megabytes(self.parameter_bytes),
            Column::OutputMb => columns::megabytes(self.output_bytes),
            Column::Ms => self
                .time_ms
                .map_or(String::new(), |time| format!("{time:.2}")),
            _ => String::new(),
        }
    }

    /// The network's input, as a row.
    fn input(&self, column: Column) -> String {
        match column {
            Column::Kind => self.layout.name().to_owned(),
            Column::Output => format!("{:?}", self.input_shape),
            Column::OutputMb => columns::megabytes(self.input_bytes),
            _ => String::new(),
        }
    }

    fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.columns(Column::usual);
        let header = columns.iter().map(|column| column.header());
        let header: Vec<&str> = ["layer"].into_iter().chain(header).collect();
        let line = |name: &str, cell: &dyn Fn(Column) -> String| -> Vec<String> {
            let cells = columns.iter().map(|&column| cell(column));
            [shown(name)].into_iter().chain(cells).collect()
        };
        let input = line("input", &|column| self.input(column));
        let total = line("total", &|column| self.total(column));
        let layers = self.layers.iter();
        let layers = layers.map(|row| line(&row.name, &|column| column.cell(row)));
        let rows = [input].into_iter().chain(layers).chain([total]);
        table::write_markdown(out, &align(&columns), &header, rows)
    }

    /// A header, then a line a layer: the totals are sums that a program can make.
    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.columns(Column::all);
        let mut file = csv::Writer::from_writer(out);
        let header = columns.iter().map(|column| column.key());
        file.write_record(["layer"].into_iter().chain(header))?;
        for row in &self.layers {
            let fields = columns.iter().map(|column| column.field(row));
            file.write_record([row.name.clone()].into_iter().chain(fields))?;
        }
        file.flush()
    }
}

impl Report for TraceReport {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.columns(Column::usual);
        let line = |name: String, cell: &dyn Fn(Column) -> String| -> Vec<String> {
            let cells = columns.iter().map(|&column| cell(column));
            [name].into_iter().chain(cells).collect()
        };
        let mut rows = vec![line("layer".to_owned(), &|column| {
            column.header().to_owned()
        })];
        rows.push(line("input".to_owned(), &|column| self.input(column)));
        let mut open: Vec<&str> = Vec::new();
        for row in &self.layers {
            let parts: Vec<&str> = row.name.split(SEPARATORS).collect();
            let (last, groups) = parts.split_last().unwrap_or((&"", &[]));
            let shared = open.iter().zip(groups).take_while(|(a, b)| a == b).count();
            open.truncate(shared);
            for group in &groups[shared..] {
                rows.push(vec![format!("{}{group}", "  ".repeat(open.len()))]);
                open.push(group);
            }
            let name = format!("{}{last}", "  ".repeat(open.len()));
            rows.push(line(name, &|column| column.cell(row)));
        }
        rows.push(line("total".to_owned(), &|column| self.total(column)));
        writeln!(out, "{}", self.network)?;
        table::write(out, &align(&columns), &rows)
    }
}

fn align(columns: &[Column]) -> Vec<Align> {
    let columns = columns.iter().map(|column| column.align());
    [Align::Left].into_iter().chain(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_leave_out_what_is_not_finite() {
        let values = Values::of(&[1., 3., f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
        let expected = Values {
            min: 1.,
            max: 3.,
            mean: 2.,
            std: 1.,
            nan: 1,
            infinite: 2,
        };
        assert_eq!(values, expected);
    }
}
