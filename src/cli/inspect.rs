use clap::Args;

use super::source::{VariantArgs, WEIGHTS_IN_FULL, WEIGHTS_TO_NAME, source};
use crate::checkpoint::Source;
use crate::report::Format;

/// `senet inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    #[arg(value_name = "SOURCE", value_parser = source(), help = WEIGHTS_TO_NAME, long_help = WEIGHTS_IN_FULL)]
    #[expect(missing_docs, reason = "the constants say it once for all commands")]
    pub weights: Source,
    /// Compare with this network [default: what the file says, else the one its tensors fit]
    #[arg(short, long, value_name = "NAME")]
    pub network: Option<String>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub variant: VariantArgs,
    /// Text for people or JSON for programs
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}
