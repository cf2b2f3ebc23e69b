use std::ffi::OsString;

use clap::Args;
use clap::builder::OsStringValueParser;

use super::engine::EngineArgs;
use super::source::{ClassesArgs, OrList, VariantArgs, WEIGHTS_IN_FULL, WEIGHTS_OR_DRAWN, source};
use super::values::{ImageSize, at_least_one};
use crate::checkpoint::Source;
use crate::report::PageFormat;

/// `senet bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The network to run, by name, by its graph.json or by its weights [default: that of the
    /// weights]
    #[arg(value_name = "NETWORK", value_parser = OrList(OsStringValueParser::new()), required_unless_present_any = ["network", "weights"])]
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
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_OR_DRAWN, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// Height and width of the input, such as 224x224 or 224 [default: the network's own]
    #[arg(short, long, alias = "input-size", value_name = "HxW")]
    pub size: Option<ImageSize>,
    /// Images of a run; of these the engine cpu computes 8 at a time, candle all
    #[arg(short, long, alias = "batch", value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub batch_size: usize,
    /// Runs to measure, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub runs: usize,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// List the time of every step, too; JSON and pages always have it
    #[arg(long)]
    pub steps: bool,
    /// Text for people, JSON for programs or a page
    #[arg(short, long, value_enum, default_value_t = PageFormat::Table)]
    pub format: PageFormat,
}
