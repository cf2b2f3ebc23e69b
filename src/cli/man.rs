use std::path::PathBuf;

use clap::Args;

/// `senet man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page to write [default: the program's own]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
    /// Write the pages of the program and of all its commands into this folder, made where there is
    /// none
    #[arg(short, long, value_name = "DIR", conflicts_with = "command")]
    pub output: Option<PathBuf>,
}
