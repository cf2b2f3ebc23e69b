use clap::Args;

use crate::report::ListFormat;

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
