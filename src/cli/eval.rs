use std::path::PathBuf;

use clap::Args;

use super::classifier::ClassifierArgs;
use super::pixels::PixelArgs;
use super::source::{WEIGHTS_TO_COMPARE, source};
use super::values::at_least_one;
use crate::checkpoint::Source;
use crate::report::EvaluationFormat;

/// `senet eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// A folder with a folder for each class, searched recursively, or a CSV or NDJSON file of
    /// paths and labels
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// The part of it to take: a folder of this name in DATA, or the rows whose column `split` says
    /// so; `validation` is `val`, too, as timm has it
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub classifier: ClassifierArgs,
    #[arg(long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_COMPARE)]
    #[expect(missing_docs, reason = "the constant says it")]
    pub compare: Option<Source>,
    /// The network that the weights of --compare are for [default: what their file says]
    #[arg(long, value_name = "NAME", requires = "compare")]
    pub compare_network: Option<String>,
    /// Class names of --compare, one a line [default: what their file says]
    #[arg(long, value_name = "FILE", requires = "compare")]
    pub compare_labels: Option<PathBuf>,
    /// Count besides the likeliest class the true one among so many, or all where there are fewer
    #[arg(short = 'k', long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top_k: usize,
    /// Wrong answers to list, the surest first
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub mistakes: usize,
    /// Text for people, JSON for programs, a row for each image, or a page for a browser
    #[arg(short, long, value_enum, default_value_t = EvaluationFormat::Table)]
    pub format: EvaluationFormat,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub pixels: PixelArgs,
}
