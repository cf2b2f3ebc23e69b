//! The columns of a trace: what each is called, and what a layer has in it.

use clap::ValueEnum;

use super::{TraceRow, Values, WindowRow};
use crate::report::table::{Align, percent, thousands};

/// A column of a trace beside the layers' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Column {
    /// All of them
    All,
    /// What the layer computes
    Kind,
    /// Shapes of its inputs
    Input,
    /// Shape of its output
    Output,
    /// Rows and columns of the window that slides over the input
    Kernel,
    /// Rows and columns from one of its positions to the next
    Stride,
    /// Rows and columns around the input
    Padding,
    /// Rows and columns from one element of the kernel to the next
    Dilation,
    /// Groups of a convolution's channels
    Groups,
    /// Trainable parameters
    Parameters,
    /// Their share of the network's
    ParameterShare,
    /// Their size in megabytes
    ParameterMb,
    /// Batch norm statistics
    Buffers,
    /// Multiplications of convolutions and linear layers
    Macs,
    /// Their share of the network's
    MacShare,
    /// Size of the output in megabytes
    OutputMb,
    /// The smallest value
    Min,
    /// The largest value
    Max,
    /// The mean of the values
    Mean,
    /// Their standard deviation
    Std,
    /// How many are NaN
    Nan,
    /// How many are infinite
    Inf,
    /// Milliseconds
    Ms,
}

/// A million bytes, as torchinfo has it.
const MEGABYTE: f64 = 1e6;

impl Column {
    /// What a table for people has where nobody says otherwise: as much as fits 80 to 120 columns.
    const USUAL: [Self; 5] = [
        Self::Kind,
        Self::Output,
        Self::Parameters,
        Self::Buffers,
        Self::Macs,
    ];

    /// Of what running the network adds.
    const OF_A_RUN: [Self; 7] = [
        Self::Min,
        Self::Max,
        Self::Mean,
        Self::Std,
        Self::Nan,
        Self::Inf,
        Self::Ms,
    ];

    /// Whether it is of values or times, which a network has that was run.
    #[must_use]
    pub fn is_of_a_run(self) -> bool {
        Self::OF_A_RUN.contains(&self)
    }

    /// Those that a table for people has by default.
    pub(super) fn usual(was_run: bool) -> Vec<Self> {
        let more = Self::OF_A_RUN.into_iter().filter(|_| was_run);
        Self::USUAL.into_iter().chain(more).collect()
    }

    /// All of them: those of a run where there was one.
    pub(super) fn all(was_run: bool) -> Vec<Self> {
        let columns = Self::value_variants().iter().copied();
        columns
            .filter(|&column| column != Self::All && (was_run || !column.is_of_a_run()))
            .collect()
    }

    /// What stands above it for people.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Kind => "kind",
            Self::Input => "input",
            Self::Output => "output",
            Self::Kernel => "kernel",
            Self::Stride => "stride",
            Self::Padding => "padding",
            Self::Dilation => "dilation",
            Self::Groups => "groups",
            Self::Parameters => "parameters",
            Self::ParameterShare => "share",
            Self::ParameterMb => "params MB",
            Self::Buffers => "buffers",
            Self::Macs => "MACs",
            Self::MacShare => "of MACs",
            Self::OutputMb => "output MB",
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Std => "std",
            Self::Nan => "nan",
            Self::Inf => "inf",
            Self::Ms => "ms",
        }
    }

    /// What stands above it for programs: as in JSON.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Input => "input_shapes",
            Self::Output => "output_shape",
            Self::ParameterShare => "parameter_share",
            Self::ParameterMb => "parameter_bytes",
            Self::Macs => "macs",
            Self::MacShare => "mac_share",
            Self::OutputMb => "output_bytes",
            Self::Inf => "infinite",
            Self::Ms => "time_ms",
            column => column.header(),
        }
    }

    pub(super) fn align(self) -> Align {
        match self {
            Self::All
            | Self::Kind
            | Self::Input
            | Self::Output
            | Self::Kernel
            | Self::Stride
            | Self::Padding
            | Self::Dilation => Align::Left,
            _ => Align::Right,
        }
    }

    /// What a layer has in it, for people; nothing where it has nothing.
    pub(super) fn cell(self, row: &TraceRow) -> String {
        let window = |of: fn(&WindowRow) -> String| row.window.as_ref().map(of);
        let value = |of: fn(&Values) -> f64| row.values.as_ref().map(|v| format!("{:.4}", of(v)));
        let cell = match self {
            Self::All => None,
            Self::Kind => Some(row.kind.to_owned()),
            Self::Input => Some(shapes(&row.input_shapes, |shape| format!("{shape:?}"))),
            Self::Output => Some(format!("{:?}", row.output_shape)),
            Self::Kernel => window(|window| by(window.kernel)),
            Self::Stride => window(|window| by(window.stride)),
            Self::Padding => window(|window| padding(window.padding)),
            Self::Dilation => window(|window| by(window.dilation)),
            Self::Groups => row.groups.map(|groups| groups.to_string()),
            Self::Parameters => Some(thousands(row.parameters)),
            Self::ParameterShare => Some(percent(row.parameter_share)),
            Self::ParameterMb => Some(megabytes(row.parameter_bytes)),
            Self::Buffers => Some(thousands(row.buffers)),
            Self::Macs => Some(thousands(row.macs)),
            Self::MacShare => Some(percent(row.mac_share)),
            Self::OutputMb => Some(megabytes(row.output_bytes)),
            Self::Min => value(|values| values.min),
            Self::Max => value(|values| values.max),
            Self::Mean => value(|values| values.mean),
            Self::Std => value(|values| values.std),
            Self::Nan => row.values.map(|values| values.nan.to_string()),
            Self::Inf => row.values.map(|values| values.infinite.to_string()),
            Self::Ms => row.time_ms.map(|time| format!("{time:.2}")),
        };
        cell.unwrap_or_default()
    }

    /// What a layer has in it, for programs: numbers in full, sizes in bytes, shares from 0 to 1.
    pub(super) fn field(self, row: &TraceRow) -> String {
        let value = |of: fn(&Values) -> f64| row.values.as_ref().map(|v| of(v).to_string());
        let field = match self {
            Self::Input => Some(shapes(&row.input_shapes, |shape| joined(shape, "x"))),
            Self::Output => Some(joined(&row.output_shape, "x")),
            Self::Kernel | Self::Stride | Self::Dilation => row.window.as_ref().map(|window| {
                let pair = match self {
                    Self::Kernel => window.kernel,
                    Self::Stride => window.stride,
                    _ => window.dilation,
                };
                joined(&pair, "x")
            }),
            Self::Parameters => Some(row.parameters.to_string()),
            Self::ParameterShare => Some(row.parameter_share.to_string()),
            Self::ParameterMb => Some(row.parameter_bytes.to_string()),
            Self::Buffers => Some(row.buffers.to_string()),
            Self::Macs => Some(row.macs.to_string()),
            Self::MacShare => Some(row.mac_share.to_string()),
            Self::OutputMb => Some(row.output_bytes.to_string()),
            Self::Min => value(|values| values.min),
            Self::Max => value(|values| values.max),
            Self::Mean => value(|values| values.mean),
            Self::Std => value(|values| values.std),
            Self::Ms => row.time_ms.map(|time| time.to_string()),
            Self::All | Self::Kind | Self::Padding | Self::Groups | Self::Nan | Self::Inf => {
                return self.cell(row);
            }
        };
        field.unwrap_or_default()
    }
}

/// Bytes in millions.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.3}", bytes as f64 / MEGABYTE)
}

fn shapes(shapes: &[Vec<usize>], shown: impl Fn(&[usize]) -> String) -> String {
    let shapes: Vec<String> = shapes.iter().map(|shape| shown(shape)).collect();
    shapes.join(" ")
}

fn joined(numbers: &[usize], between: &str) -> String {
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    numbers.join(between)
}

/// `3x3`, rows and columns.
fn by([rows, columns]: [usize; 2]) -> String {
    format!("{rows}x{columns}")
}

/// `1x1`, rows and columns; `0:1x0:1` where there are more on one side than on the other.
fn padding(pads: [[usize; 2]; 2]) -> String {
    let [rows, columns] = pads.map(|[before, after]| {
        if before == after {
            before.to_string()
        } else {
            format!("{before}:{after}")
        }
    });
    format!("{rows}x{columns}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_that_is_longer_on_one_side_says_so() {
        assert_eq!(padding([[1, 1], [0, 0]]), "1x0");
        assert_eq!(padding([[0, 1], [0, 1]]), "0:1x0:1");
        assert_eq!(padding([[2, 2], [2, 3]]), "2x2:3");
    }

    #[test]
    fn values_and_times_are_columns_of_what_was_run() {
        let (without, with) = (Column::all(false), Column::all(true));
        assert_eq!(with.len() - without.len(), Column::OF_A_RUN.len());
        assert_eq!(with.len(), Column::value_variants().len() - 1);
        assert!(!without.contains(&Column::Ms) && !with.contains(&Column::All));
    }
}
