//! Flags on what classifies images: a network with its weights, and what computes it.

use std::path::PathBuf;

use clap::Args;

use super::engine::EngineArgs;
use super::source::{VariantArgs, WEIGHTS, WEIGHTS_IN_FULL, source};
use super::values::{at_least_one, memory};
use crate::checkpoint::Source;
use crate::image::Damage;

/// What classifies images, but for how they are prepared.
#[derive(Debug, Clone, Args)]
pub struct ClassifierArgs {
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// The network that the weights are for, by name or by a graph.json [default: what their file
    /// says]
    #[arg(short, long, value_name = "NAME")]
    pub network: Option<String>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub variant: VariantArgs,
    /// Class names, one a line [default: what the weights' file says]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Images that are read, and handed to the network, together, fewer where a list has no more
    /// yet; of these the engine cpu computes 8 at a time, candle all
    #[arg(short, long, alias = "batch", value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub batch_size: usize,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// What becomes of a JPEG or PNG whose data is damaged: an error, or what is left of it and a
    /// warning; in other formats damage is always an error
    #[arg(long, value_enum, default_value_t = Damage::Refuse)]
    pub damaged: Damage,
    /// Memory that all images in hand may take together, such as 512MiB or 4GiB
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = memory)]
    pub memory: u64,
}
