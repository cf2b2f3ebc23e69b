use std::path::PathBuf;

use clap::Args;

use super::engine::EngineArgs;
use super::source::{VariantArgs, WEIGHTS_IN_FULL, WEIGHTS_TO_NAME, WidthArgs, source};
use super::values::tolerance;
use crate::checkpoint::Source;
use crate::parity::Extra;
use crate::report::PageFormat;

/// `senet parity`.
#[derive(Debug, Args)]
pub struct ParityArgs {
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_NAME, long_help = WEIGHTS_IN_FULL, required_unless_present_any = ["ours", "names"])]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// A second dump, to compare with the reference instead of running weights
    #[arg(long, value_name = "FILE", conflicts_with_all = ["weights", "ema", "names", "extra", "isolate", "causes", "engine", "winograd", "exact", "threads", "device", "precision"])]
    pub ours: Option<PathBuf>,
    /// Dump of what the other framework computed
    #[arg(short, long, value_name = "FILE")]
    pub reference: PathBuf,
    /// The network that the weights are for, by name or by a graph.json, or in whose order two dumps
    /// are compared [default: what the weights' file says]
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
    pub widths: WidthArgs,
    /// Names of the reference's values, a line each: the layer's, or that in --ours, then the
    /// reference's
    #[arg(long, value_name = "FILE")]
    pub alias: Option<PathBuf>,
    /// What becomes of values of the reference that the network has no layer for
    #[arg(long, value_enum, default_value_t = Extra::Error)]
    pub extra: Extra,
    /// Show which layer each name of the reference means, and compare nothing
    #[arg(long)]
    pub names: bool,
    /// Absolute part of the tolerance [default: 1e-7]
    #[arg(long, value_name = "A", allow_hyphen_values = true, value_parser = tolerance)]
    pub atol: Option<f64>,
    /// Part of the tolerance that is relative to a value's largest magnitude [default: 1e-5]
    #[arg(long, value_name = "R", allow_hyphen_values = true, value_parser = tolerance)]
    pub rtol: Option<f64>,
    /// List how every value of the dump compares when it is computed from the dump's values before it
    #[arg(long)]
    pub isolate: bool,
    /// Values that differ when computed so, whose causes are looked for where parity fails
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub causes: usize,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// Text for people, JSON for programs, or a page with a plot for a browser
    #[arg(short, long, value_enum, default_value_t = PageFormat::Table)]
    pub format: PageFormat,
}
