//! The command line, parsed. Nothing here opens a file.

mod values;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::values::{DeviceName, ImageSize, Rgb};
use self::values::{at_least_one, threads, tolerance};
use crate::checkpoint::Source;
use crate::image::{Alpha, ChannelOrder, CropMode, Interpolation, Orientation, Preset, SixteenBit};
use crate::network::Layout;
use crate::report::{Format, ListFormat, RowFormat};

/// Run, inspect and check Squeeze-and-Excitation networks.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_STATUS: &str = "Exit status: 0 done; 1 it ran and the answer is no (parity differs, \
                           an input failed, a file fits no network); 2 it could not run.";

const WEIGHTS: &str = "Safetensors file, folder with model.safetensors, or hf:OWNER/NAME[@REVISION] \
                       [default: the weights inside this program]";

const WEIGHTS_TO_NAME: &str =
    "Safetensors file, folder with model.safetensors, or hf:OWNER/NAME[@REVISION]";

const WEIGHTS_OR_DRAWN: &str = "Safetensors file, folder with model.safetensors, or \
                                hf:OWNER/NAME[@REVISION] [default: drawn at random, the same each time]";

/// In lines that stay whole on a terminal of 80 columns.
const WEIGHTS_IN_FULL: &str = "\
Where the weights come from:
  FILE                      a safetensors file
  FOLDER                    its model.safetensors
  hf:OWNER/NAME[@REVISION]  that of a repository of the Hugging Face hub

A timm config.json beside model.safetensors says which network it is,
how many classes there are, their labels, and how images are prepared,
also where FILE is model.safetensors itself.

Files of the hub are kept in the cache of Python's huggingface_hub. Its
variables count: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN,
HF_TOKEN_PATH, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT.";

fn source() -> impl TypedValueParser<Value = Source> {
    OsStringValueParser::new().try_map(Source::parse)
}

/// The jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Images in, labels and probabilities out
    Classify(ClassifyArgs),
    /// Shape, parameters and MACs of every layer; with an image, its values too
    Trace(TraceArgs),
    /// Compare every layer with what another framework computed
    Parity(ParityArgs),
    /// How fast a network runs, and where its time goes
    Bench(BenchArgs),
    /// What a weights file holds, and which network it is for
    Inspect(InspectArgs),
    /// List the networks
    Models(ModelsArgs),
}

/// `senet classify`.
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// Image files, folders (searched recursively), or `-` for a list of paths on standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    #[arg(long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// The network that the weights are for [default: what their file says]
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// Class names, one a line [default: what the weights' file says]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Classes to show of each image
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top_k: usize,
    /// Images that go through the network at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub batch_size: usize,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub device: DeviceArgs,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// How to write the rows
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub format: RowFormat,
    /// Say on standard error in the end where the time went
    #[arg(long)]
    pub timings: bool,
    /// Write the rows to FILE; while it runs they are in FILE.partial, which is begun anew
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub pixels: PixelArgs,
}

/// `senet trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The network to trace [default: that of the weights]
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    #[arg(long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub widths: WidthArgs,
    /// Height and width of the input, such as 224x224 [default: the network's own]
    #[arg(long, value_name = "HxW", conflicts_with = "image")]
    pub input_size: Option<ImageSize>,
    /// Images in the batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, conflicts_with = "image")]
    pub batch: usize,
    /// Order of the dimensions shown
    #[arg(long, value_enum, default_value_t = Layout::Nchw)]
    pub layout: Layout,
    /// Fold layers deeper than N into their groups
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub depth: Option<usize>,
    /// Run the network on this image and show the values
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Run the network on a smooth test pattern and show the values
    #[arg(long)]
    pub values: bool,
    /// Show what the engine cpu makes of the layers: its steps, their algorithms, memory and MACs
    #[arg(long, conflicts_with_all = ["image", "values", "depth", "layout"])]
    pub plan: bool,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub device: DeviceArgs,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub pixels: PixelArgs,
}

/// `senet parity`.
#[derive(Debug, Args)]
pub struct ParityArgs {
    #[arg(long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_NAME, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Source,
    /// Dump of what the other framework computed
    #[arg(long, value_name = "FILE")]
    pub reference: PathBuf,
    /// The network that the weights are for [default: what their file says]
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub widths: WidthArgs,
    /// Absolute part of the tolerance [default: 1e-7]
    #[arg(long, value_name = "A", allow_hyphen_values = true, value_parser = tolerance)]
    pub atol: Option<f64>,
    /// Part of the tolerance that is relative to a value's largest magnitude [default: 1e-5]
    #[arg(long, value_name = "R", allow_hyphen_values = true, value_parser = tolerance)]
    pub rtol: Option<f64>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub device: DeviceArgs,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `senet bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The network to run [default: that of the weights]
    #[arg(long, value_name = "NAME", required_unless_present = "weights")]
    pub network: Option<String>,
    #[arg(long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_OR_DRAWN, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// Height and width of the input, such as 224x224 [default: the network's own]
    #[arg(long, value_name = "HxW")]
    pub input_size: Option<ImageSize>,
    /// Images that go through the network in a run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub batch_size: usize,
    /// Runs to measure, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub runs: usize,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub device: DeviceArgs,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `senet inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    #[arg(value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_NAME, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Source,
    /// Compare with this network [default: what the file says, else the one its tensors fit]
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `senet models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Only networks whose name has TEXT in it, in upper or lower case
    #[arg(value_name = "TEXT")]
    pub filter: Option<String>,
    /// Text for people, a table for a page, or JSON for programs
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
}

/// How images become a network's input. What is not given is as the weights' file says, else as
/// the network's publishers have it. Last in every command: its heading is for all that follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Args)]
#[command(
    next_help_heading = "Pixels [default: what the weights say, else what the network's publishers do]"
)]
pub struct PixelArgs {
    /// A well-known way to prepare images, from which the other flags depart; `timm` ignores the
    /// orientation in EXIF, the others apply it
    #[arg(long)]
    pub preset: Option<Preset>,
    /// Height and width that the network sees
    #[arg(long, value_name = "HxW")]
    pub size: Option<ImageSize>,
    /// Use the size and crop that the weights' config.json recommends for tests
    #[arg(long)]
    pub test_size: bool,
    /// Part of the resized image that the centre crop keeps, above 0 and at most 1
    #[arg(long, value_name = "SHARE")]
    pub crop_pct: Option<f64>,
    /// Whether the resize keeps the aspect ratio
    #[arg(long)]
    pub crop_mode: Option<CropMode>,
    /// The resize's filter
    #[arg(long)]
    pub interpolation: Option<Interpolation>,
    /// What samples of 0 to 255 are divided by first
    #[arg(long, value_name = "NUMBER")]
    pub divisor: Option<f64>,
    /// Subtracted from red, green and blue after that
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true)]
    pub mean: Option<Rgb>,
    /// Divides red, green and blue in the end
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true)]
    pub std: Option<Rgb>,
    /// Which channel comes first
    #[arg(long)]
    pub channel_order: Option<ChannelOrder>,
    /// What becomes of transparency
    #[arg(long)]
    pub alpha: Option<Alpha>,
    /// What becomes of 16-bit samples
    #[arg(long)]
    pub sixteen_bit: Option<SixteenBit>,
    /// What becomes of the orientation in EXIF
    #[arg(long)]
    pub orientation: Option<Orientation>,
}

impl PixelArgs {
    /// Whether any of them says how images are prepared, besides the size.
    #[must_use]
    pub fn prepare_images(&self) -> bool {
        let size_alone = Self {
            test_size: self.test_size,
            ..Self::default()
        };
        *self != size_alone
    }
}

/// Where the network computes, and in which type of number.
#[derive(Debug, Clone, Copy, Args)]
pub struct DeviceArgs {
    /// cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
    /// Type of number that cuda and metal compute in; the CPU computes in f32
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub dtype: Precision,
}

/// What computes the network.
#[derive(Debug, Clone, Copy, Args)]
pub struct EngineArgs {
    /// What computes: `cpu`, kernels of this program, layers fused, on the CPU; `candle`, a layer
    /// at a time, on any device [default: cpu where the device is the CPU; for `trace` candle]
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<EngineName>,
    /// Have the engine cpu leave out its fastest 3x3 convolutions, which round more
    #[arg(long)]
    pub exact: bool,
    /// Threads that compute [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

impl EngineArgs {
    /// Whether any of them says how to run the network.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.engine.is_some() || self.exact || self.threads.is_some()
    }
}

/// What computes a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// This program's own kernels, for the CPU.
    Cpu,
    /// candle, on any device.
    Candle,
}

impl EngineName {
    /// `cpu` or `candle`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Candle => "candle",
        }
    }
}

/// A type of number to compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
}

/// Widths of `se_block`.
#[derive(Debug, Clone, Copy, Args)]
pub struct WidthArgs {
    /// Channels of `se_block` [default: 32]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub channels: Option<usize>,
    /// Squeeze width of `se_block` [default: 16]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub squeeze: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
