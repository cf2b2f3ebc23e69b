use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::classifier::ClassifierArgs;
use super::pixels::PixelArgs;
use super::values::{Shard, at_least_one};
use crate::report::RowFormat;

/// `senet classify`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("written").args(["output", "features"]).multiple(true))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct ClassifyArgs {
    /// Image files, folders (searched recursively), tar archives (`shard-{000..127}.tar` is 128), or
    /// `-` for a list of paths, or a tar archive, on standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// The list on standard input has NUL bytes between its paths, as `find -print0` writes it
    #[arg(short = '0', long)]
    pub null: bool,
    /// Only every Nth input, from the Ith on: part I of N that are disjoint and complete; a tar
    /// archive counts as one input
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub classifier: ClassifierArgs,
    /// Classes to show of each image
    #[arg(short = 'k', long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top_k: usize,
    /// How to write the rows [default: as the extension of --output says, else table]
    #[arg(short, long, value_enum)]
    pub format: Option<RowFormat>,
    /// Say on standard error in the end where the time went
    #[arg(long)]
    pub timings: bool,
    /// Write the rows to FILE, or standard output where it is `-`; while it runs they are in
    /// FILE.partial, which takes the place of FILE in the end
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Begin anew where a run that did not end left rows in FILE.partial
    #[arg(long, requires = "written")]
    pub overwrite: bool,
    /// Go on behind the rows that a run which did not end left in FILE.partial: of the same inputs
    /// in the same order, and made by the same weights and settings, or it is an error
    #[arg(long, requires = "output", conflicts_with = "overwrite")]
    pub resume: bool,
    /// Write to FILE the vector that the classifier reads of each image, a row an input: NaN where
    /// one failed; as its extension says .npy, .safetensors or .ndjson
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub features: Option<PathBuf>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub pixels: PixelArgs,
}
