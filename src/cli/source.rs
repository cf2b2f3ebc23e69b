//! Where weights come from, and which network they are for.

use std::ffi::OsStr;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;

use super::values::at_least_one;
use crate::checkpoint::{Builtin, Source};

pub(super) const WEIGHTS: &str = "Safetensors file, folder with model.safetensors, hf:OWNER/NAME[@REVISION] or \
                       builtin:NAME [default: builtin:efficientnet_lite0]";

pub(super) const WEIGHTS_TO_COMPARE: &str =
    "Other weights, named as those of --weights are, to look at the same images";

pub(super) const WEIGHTS_TO_TRACE: &str = "Safetensors file, folder with model.safetensors, \
                                hf:OWNER/NAME[@REVISION] or builtin:NAME [default: those inside this \
                                program for the network, which is seresnet20 where none is named]";

pub(super) const WEIGHTS_TO_NAME: &str =
    "Safetensors file, folder with model.safetensors, hf:OWNER/NAME[@REVISION] or builtin:NAME";

pub(super) const WEIGHTS_OR_DRAWN: &str = "Safetensors file, folder with model.safetensors, \
                                hf:OWNER/NAME[@REVISION] or builtin:NAME [default: drawn at random, \
                                the same each time]";

/// What `--weights` takes, in lines of at most 69 columns, which stay whole on a terminal of 80.
pub(super) const WEIGHTS_IN_FULL: &str = "\
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

/// A parser of where weights come from.
pub(super) fn source() -> impl TypedValueParser<Value = Source> {
    OrList(OsStringValueParser::new().try_map(Source::parse))
}

/// A parser that answers `builtin:` with a list of the weights inside the program, as others answer
/// `--help`.
#[derive(Clone)]
pub(super) struct OrList<P>(pub(super) P);

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

/// Which of what a file holds.
#[derive(Debug, Clone, Args)]
pub struct VariantArgs {
    /// Where the file has both, use the running average of the weights (EMA), not the plain ones
    #[arg(long)]
    pub ema: bool,
    /// Of a graph with several outputs the one to compute [default: the only vector]
    #[arg(long, value_name = "OUTPUT")]
    pub head: Option<String>,
}

/// The size of a classifier.
#[derive(Debug, Clone, Copy, Args)]
pub struct ClassesArgs {
    /// Classes that the network tells apart [default: as many as its weights, or its publishers']
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub num_classes: Option<usize>,
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
