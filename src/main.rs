//! `senet`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use senet::cli::Cli;
use senet::commands::{self, Outcome};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        // Whoever reads the rows has seen enough, but not all were written.
        Err(error) if commands::is_closed_pipe(&error) => ExitCode::from(1),
        Err(error) => {
            commands::complain("error", &format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
