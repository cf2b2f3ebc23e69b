//! The command line, parsed. Nothing here opens a file.

mod engine;
mod examples;
mod pixels;
mod values;
mod words;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

pub use self::engine::{DeviceArgs, EngineArgs, EngineName, Precision};
pub use self::pixels::PixelArgs;
pub use self::values::{DeviceName, ImageSize, Rgb};
use self::values::{at_least_one, memory, tolerance};
use crate::checkpoint::{Builtin, Source};
use crate::image::Damage;
use crate::network::Layout;
use crate::parity::Extra;
use crate::report::{Format, ListFormat, ParityFormat, RowFormat};

/// Run, inspect and check Squeeze-and-Excitation networks.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_STATUS, propagate_version = true)]
pub struct Cli {
    /// No warnings, notes or progress; errors stay
    #[arg(short, long, global = true, display_order = 900)]
    pub quiet: bool,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// What exit statuses mean, in lines that stay whole on a terminal of 80 columns.
const EXIT_STATUS: &str = "\
Exit status:
    0  done
    1  it ran and the answer is no: parity differs, an input failed, a file
       fits no network
    2  it could not run, or could not write what it found
  130  interrupted (SIGINT); 143 ended (SIGTERM); 129 hung up (SIGHUP)
  141  whoever read the rows of `classify` closed the pipe before the last";

const WEIGHTS: &str = "Safetensors file, folder with model.safetensors, hf:OWNER/NAME[@REVISION] or \
                       builtin:NAME [default: builtin:efficientnet_lite0]";

const WEIGHTS_TO_TRACE: &str = "Safetensors file, folder with model.safetensors, \
                                hf:OWNER/NAME[@REVISION] or builtin:NAME [default: those inside this \
                                program for the network, which is seresnet20 where none is named]";

const WEIGHTS_TO_NAME: &str =
    "Safetensors file, folder with model.safetensors, hf:OWNER/NAME[@REVISION] or builtin:NAME";

const WEIGHTS_OR_DRAWN: &str = "Safetensors file, folder with model.safetensors, \
                                hf:OWNER/NAME[@REVISION] or builtin:NAME [default: drawn at random, \
                                the same each time]";

/// What `--weights` takes, in lines of at most 69 columns, which stay whole on a terminal of 80.
const WEIGHTS_IN_FULL: &str = "\
Where the weights come from:
  FILE                      a safetensors file
  FOLDER                    its model.safetensors
  hf:OWNER/NAME[@REVISION]  that of a repository on Hugging Face's hub
  builtin:NAME              inside this program; `builtin:` lists them

A timm config.json beside model.safetensors says which network it is,
how many classes there are, their labels, and how images are
prepared, also where FILE is model.safetensors itself.

Files of the hub are kept in the cache of Python's huggingface_hub.
Its variables count: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN,
HF_TOKEN_PATH, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT.";

fn source() -> impl TypedValueParser<Value = Source> {
    OrList(OsStringValueParser::new().try_map(Source::parse))
}

/// A parser that answers `builtin:` with a list of the weights inside the program, as others answer
/// `--help`.
#[derive(Clone)]
struct OrList<P>(P);

impl<P: TypedValueParser> TypedValueParser for OrList<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<P::Value, clap::Error> {
        if value == Builtin::PREFIX {
            return Err(shown_as_help(builtin_list()));
        }
        self.0.parse_ref(command, argument, value)
    }
}

/// What clap hands over for printing where `text` is the help that was asked for: of its own it says
/// `error: ` before any text.
fn shown_as_help(text: String) -> clap::Error {
    let help = clap::Command::new("help").override_help(text);
    let shown = help.try_get_matches_from(["help", "--help"]).err();
    shown.unwrap_or_else(|| clap::Error::new(ErrorKind::DisplayHelp))
}

/// A line for each of the weights inside the program.
fn builtin_list() -> String {
    let names = Builtin::ALL.map(|builtin| builtin.to_string());
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let lines = names.into_iter().zip(Builtin::ALL);
    lines.fold(String::new(), |text, (name, builtin)| {
        format!("{text}{name:width$}  {}\n", builtin.summary())
    })
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Images in, labels and probabilities out
    #[command(after_help = examples::CLASSIFY)]
    Classify(ClassifyArgs),
    /// Shape, parameters and MACs of every layer; with an image, its values too
    #[command(after_help = examples::TRACE)]
    Trace(TraceArgs),
    /// Compare every layer with what another framework computed
    #[command(after_help = examples::PARITY)]
    Parity(ParityArgs),
    /// How fast a network runs, and where its time goes
    #[command(after_help = examples::BENCH)]
    Bench(BenchArgs),
    /// What a weights file holds, and which network it is for
    #[command(after_help = examples::INSPECT)]
    Inspect(InspectArgs),
    /// List the networks
    #[command(after_help = examples::MODELS)]
    Models(ModelsArgs),
}

impl Command {
    /// Whether what it answers goes to standard output.
    #[must_use]
    pub fn writes_to_stdout(&self) -> bool {
        match self {
            Self::Classify(ClassifyArgs { output, .. }) => {
                output.as_ref().is_none_or(|path| path.as_os_str() == "-")
            }
            _ => true,
        }
    }
}

/// `senet classify`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct ClassifyArgs {
    /// Image files, folders (searched recursively), or `-` for a list of paths on standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// The list on standard input has NUL bytes between its paths, as `find -print0` writes it
    #[arg(short = '0', long)]
    pub null: bool,
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// Where the file has both, use the running average of the weights (EMA), not the plain ones
    #[arg(long, requires = "weights")]
    pub ema: bool,
    /// The network that the weights are for, by name or by a graph.json [default: what their file
    /// says]
    #[arg(short, long, value_name = "NAME")]
    pub network: Option<String>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub head: HeadArgs,
    /// Class names, one a line [default: what the weights' file says]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Classes to show of each image
    #[arg(short = 'k', long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub top_k: usize,
    /// Images that are read, and handed to the network, together; of these the engine cpu computes
    /// 8 at a time, candle all
    #[arg(short, long, alias = "batch", value_name = "N", default_value_t = 16, value_parser = at_least_one)]
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
    /// What becomes of a JPEG or PNG whose data is damaged: an error, or what is left of it and a
    /// warning; in other formats damage is always an error
    #[arg(long, value_enum, default_value_t = Damage::Refuse)]
    pub damaged: Damage,
    /// Memory that all images in hand may take together, such as 512MiB or 4GiB
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = memory)]
    pub memory: u64,
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
    #[arg(long, requires = "output")]
    pub overwrite: bool,
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
    pub head: HeadArgs,
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_TRACE, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// Where the file has both, use the running average of the weights (EMA), not the plain ones
    #[arg(long)]
    pub ema: bool,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub widths: WidthArgs,
    /// Images in the batch
    #[arg(short, long, alias = "batch", value_name = "N", default_value_t = 1, value_parser = at_least_one, conflicts_with = "image")]
    pub batch_size: usize,
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
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
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
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_NAME, long_help = WEIGHTS_IN_FULL, required_unless_present_any = ["ours", "names"])]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// Where the file has both, use the running average of the weights (EMA), not the plain ones
    #[arg(long)]
    pub ema: bool,
    /// A second dump, to compare with the reference instead of running weights
    #[arg(long, value_name = "FILE", conflicts_with_all = ["weights", "ema", "names", "extra", "isolate", "causes", "engine", "winograd", "exact", "threads", "device", "dtype"])]
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
    pub head: HeadArgs,
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
    pub device: DeviceArgs,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// Text for people, JSON for programs, or a page with a plot for a browser
    #[arg(short, long, value_enum, default_value_t = ParityFormat::Table)]
    pub format: ParityFormat,
}

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
    pub head: HeadArgs,
    #[arg(short, long, value_name = "SOURCE", value_parser = source(), help = WEIGHTS_OR_DRAWN, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Option<Source>,
    /// Where the file has both, use the running average of the weights (EMA), not the plain ones
    #[arg(long)]
    pub ema: bool,
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
    pub device: DeviceArgs,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub engine: EngineArgs,
    /// Text for people or JSON for programs
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `senet inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    #[arg(value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_NAME, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Source,
    /// Where the file has both, use the running average of the weights (EMA), not the plain ones
    #[arg(long)]
    pub ema: bool,
    /// Compare with this network [default: what the file says, else the one its tensors fit]
    #[arg(short, long, value_name = "NAME")]
    pub network: Option<String>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub head: HeadArgs,
    /// Text for people or JSON for programs
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `senet models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Only networks whose name has TEXT in it, in upper or lower case
    #[arg(value_name = "TEXT")]
    pub filter: Option<String>,
    /// Only this network, by its whole name
    #[arg(short, long, value_name = "NAME", conflicts_with = "filter")]
    pub network: Option<String>,
    /// Text for people, a table for a page, JSON for programs, or of one network the graph: the JSON
    /// that `--network graph.json` reads
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    pub format: ListFormat,
}

/// Which network of several.
#[derive(Debug, Clone, Args)]
pub struct HeadArgs {
    /// Of a graph with several outputs the one to compute [default: the only vector]
    #[arg(long, value_name = "OUTPUT")]
    pub head: Option<String>,
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
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Their last program, where another's output goes into it.
    #[test]
    fn the_examples_in_the_help_are_commands_of_this_program() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().unwrap().to_string();
            let examples: Vec<&str> = help.lines().skip(1).collect();
            assert_eq!(examples.len(), 3, "{help}");
            for example in examples {
                assert!(example.len() <= 80, "{example}");
                let last = example.rsplit(" | ").next().unwrap();
                let parsed = Cli::try_parse_from(last.split_whitespace());
                let parsed = parsed.unwrap_or_else(|error| panic!("{example}: {error}"));
                let name = format!("{:?}", parsed.command).to_lowercase();
                assert!(name.starts_with(command.get_name()), "{example}");
            }
        }
    }

    #[test]
    fn old_spellings_are_understood() {
        for words in [
            "senet trace --network seresnet50 --input-size 8x8 --batch 2",
            "senet bench --network seresnet50 --input-size 8x8 --batch 2",
            "senet classify --input-size 8x8 --batch 2 cat.jpg",
        ] {
            Cli::try_parse_from(words.split_whitespace()).unwrap();
        }
    }
}
