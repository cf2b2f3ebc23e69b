use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::{Args, ValueEnum};

use super::engine::EngineArgs;
use super::pixels::PixelArgs;
use super::source::{
    ClassesArgs, OrList, VariantArgs, WEIGHTS_IN_FULL, WEIGHTS_TO_TRACE, WidthArgs, source,
};
use super::values::at_least_one;
use crate::checkpoint::Source;
use crate::network::Layout;
use crate::report::{Column, TraceFormat};

/// `senet trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The network to trace, by name, by its graph.json or by its weights [default: that of the
    /// weights]
    #[arg(value_name = "NETWORK", value_parser = OrList(OsStringValueParser::new()))]
    pub subject: Option<OsString>,
    /// The network by name or by its graph, where NETWORK does not say
    #[arg(short, long, value_name = "NAME")]
    pub network: Option<String>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub variant: VariantArgs,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub classes: ClassesArgs,
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_TRACE, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub widths: WidthArgs,
    /// Images in the batch
    #[arg(short, long, alias = "batch", value_name = "N", default_value_t = 1, value_parser = at_least_one, conflicts_with = "images")]
    pub batch_size: usize,
    /// Order of the dimensions shown
    #[arg(long, value_enum, default_value_t = Layout::Nchw)]
    pub layout: Layout,
    /// Fold layers deeper than N into their groups
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub depth: Option<usize>,
    /// Run the network on this image and show the values; of several (`--image a --image b`) as one
    /// batch, and the values are those of all
    #[arg(long = "image", value_name = "FILE")]
    pub images: Vec<PathBuf>,
    /// Run the network on a smooth test pattern and show the values
    #[arg(long)]
    pub values: bool,
    /// Run the network, and write its input and its layers' values into this safetensors file, a
    /// dump that `parity` reads
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub save_to: Option<PathBuf>,
    /// Write the value of this layer or group, or of the layers that follow a pattern
    /// ('layer1.*.relu'), into the file of --save-to; may be given several times [default: all layers]
    #[arg(long, value_name = "LAYER", requires = "save_to")]
    pub save: Vec<String>,
    /// Show what the engine cpu makes of the layers: its steps, their algorithms, memory and MACs
    #[arg(long, conflicts_with_all = ["images", "values", "depth", "layout"])]
    pub plan: bool,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// Columns of a table, of Markdown or CSV, with commas between them [default: in a table as many
    /// as are usual, in CSV all]
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', hide_possible_values = true, long_help = columns(), conflicts_with = "plan")]
    pub columns: Option<Vec<Column>>,
    /// Text for people, or data for programs
    #[arg(short, long, value_enum, default_value_t = TraceFormat::Table)]
    pub format: TraceFormat,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub pixels: PixelArgs,
}

/// What `--columns` takes, a line each.
fn columns() -> String {
    let mut text =
        "Columns of a table, of Markdown or CSV, with commas between them [default: in a \
                    table as many as are usual, in CSV all]:"
            .to_owned();
    for column in Column::value_variants() {
        let Some(value) = column.to_possible_value() else {
            continue;
        };
        let help = value
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        text += &format!("\n  {:<17}{help}", value.get_name());
    }
    text
}
