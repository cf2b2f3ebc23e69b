use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::table::{self, Align, thousands};
use crate::network::Layout;
use crate::network::layers::SEPARATORS;

/// The answer of `senet trace`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceReport {
    /// The network traced.
    pub network: String,
    /// What ran it, `cpu` or `candle`, where it was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<&'static str>,
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
    /// Milliseconds for all layers, where the network was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<f64>,
}

/// A layer, or a group folded into one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceRow {
    /// The canonical name of the layer or group.
    pub name: String,
    /// The operation, or `group`.
    pub kind: &'static str,
    /// The shape of its output.
    pub output_shape: Vec<usize>,
    /// The number of trainable parameters.
    pub parameters: u64,
    /// The number of batch norm statistics.
    pub buffers: u64,
    /// Multiplies of convolutions and linear layers.
    pub macs: u64,
    /// What its output holds, where the network was run and the engine has that output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
    /// Milliseconds, where the network was run and the layer ends a step of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<f64>,
}

/// Statistics of a tensor. All but the counts are of its finite values.
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

impl Report for TraceReport {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let with_values = self.time_ms.is_some();
        let mut header = vec!["layer", "kind", "output", "parameters", "buffers", "MACs"];
        let (left, right) = (Align::Left, Align::Right);
        let mut align = vec![left, left, left, right, right, right];
        if with_values {
            header.extend(["min", "max", "mean", "std", "nan", "inf", "ms"]);
            align.extend([right; 7]);
        }
        let mut rows = vec![header.into_iter().map(str::to_owned).collect()];
        rows.push(vec![
            "input".to_owned(),
            self.layout.name().to_owned(),
            format!("{:?}", self.input_shape),
        ]);
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
            rows.push(cells(row, &format!("{}{last}", "  ".repeat(open.len()))));
        }
        let mut total = vec!["total".to_owned(), String::new(), String::new()];
        total.extend([self.parameters, self.buffers, self.macs].map(thousands));
        if let Some(time) = self.time_ms {
            total.extend(std::iter::repeat_n(String::new(), 6));
            total.push(format!("{time:.2}"));
        }
        rows.push(total);
        writeln!(out, "{}", self.network)?;
        table::write(out, &align, &rows)
    }
}

fn cells(row: &TraceRow, name: &str) -> Vec<String> {
    let mut cells = vec![
        name.to_owned(),
        row.kind.to_owned(),
        format!("{:?}", row.output_shape),
    ];
    cells.extend([row.parameters, row.buffers, row.macs].map(thousands));
    if let Some(values) = row.values {
        let Values {
            min,
            max,
            mean,
            std,
            ..
        } = values;
        cells.extend([min, max, mean, std].map(|value| format!("{value:.4}")));
        cells.extend([values.nan, values.infinite].map(|count| count.to_string()));
    } else if row.time_ms.is_some() {
        cells.extend([const { String::new() }; 6]);
    }
    cells.extend(row.time_ms.map(|time| format!("{time:.2}")));
    cells
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
