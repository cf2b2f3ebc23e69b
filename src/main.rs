//! `senet`: parse, run, exit status. `cli::EXIT_STATUS` says what each means.

mod startup;

use std::process::ExitCode;

use clap::Parser;
use senet::cli::Cli;
use senet::commands::{self, Outcome};

fn main() -> ExitCode {
    match answer() {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        // Whoever reads the rows has seen enough, but not all were written: the status that a
        // shell shows for a program that `SIGPIPE` ended.
        Err(error) if commands::is_closed_pipe(&error) => ExitCode::from(128 + 13),
        Err(error) => {
            commands::complain("error", &format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn answer() -> anyhow::Result<Outcome> {
    let parsed = Cli::try_parse();
    let writes_to_stdout = match &parsed {
        Ok(cli) => cli.command.writes_to_stdout(),
        Err(said) => !said.use_stderr(),
    };
    if writes_to_stdout && startup::stdout_is_closed() {
        anyhow::bail!("cannot write `standard output`: it is closed");
    }
    match parsed {
        Ok(cli) => commands::run(cli),
        Err(said) if said.use_stderr() => said.exit(),
        Err(help) => commands::print_help(&help),
    }
}
