//! `senet`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use senet::cli::Cli;
use senet::commands::{self, Outcome};

fn main() -> ExitCode {
    match commands::run(Cli::parse().command) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        // Whoever reads our output has seen enough, as in `senet trace | head`.
        Err(error) if commands::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            commands::complain("error", &format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
