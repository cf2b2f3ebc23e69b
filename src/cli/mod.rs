//! The command line, parsed. Nothing here opens a file.

mod bench;
mod classifier;
mod classify;
mod completions;
mod engine;
mod eval;
mod examples;
mod explain;
mod inspect;
mod man;
mod models;
mod parity;
mod pixels;
mod source;
mod trace;
mod values;
mod version;
mod words;

use clap::{Parser, Subcommand};

pub use self::bench::BenchArgs;
pub use self::classifier::ClassifierArgs;
pub use self::classify::ClassifyArgs;
pub use self::completions::CompletionsArgs;
pub use self::engine::{EngineArgs, EngineName, Precision};
pub use self::eval::EvalArgs;
pub use self::explain::ExplainArgs;
pub use self::inspect::InspectArgs;
pub use self::man::ManArgs;
pub use self::models::ModelsArgs;
pub use self::parity::ParityArgs;
pub use self::pixels::PixelArgs;
pub use self::source::{ClassesArgs, VariantArgs, WidthArgs};
pub use self::trace::TraceArgs;
pub use self::values::{DeviceName, ImageSize, Shard};

/// Run, inspect and check Squeeze-and-Excitation networks.
#[derive(Debug, Parser)]
#[command(version, long_version = version::long(), about, after_help = EXIT_STATUS, propagate_version = true)]
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
  141  whoever read the rows of `classify`, `explain` or `eval -f ndjson` closed
       the pipe before the last";

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Images in, labels and probabilities out
    #[command(after_help = examples::CLASSIFY)]
    Classify(ClassifyArgs),
    /// How good a network is, on images whose classes are known; two of them compared
    #[command(after_help = examples::EVAL)]
    Eval(EvalArgs),
    /// What a network saw: the gates of its SE blocks, and a heat map over the photograph
    #[command(after_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
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
    /// A script that completes commands, flags and networks' names in a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Manual pages
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
}

impl Command {
    /// Whether what it answers goes to standard output.
    #[must_use]
    pub fn writes_to_stdout(&self) -> bool {
        match self {
            Self::Classify(ClassifyArgs { output, .. }) => {
                output.as_ref().is_none_or(|path| path.as_os_str() == "-")
            }
            Self::Man(ManArgs { output, .. }) => output.is_none(),
            _ => true,
        }
    }
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

    /// Their last program, where another's output goes into it, up to the file that its own goes to.
    #[test]
    fn the_examples_in_the_help_are_commands_of_this_program() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().unwrap().to_string();
            let examples: Vec<&str> = help.lines().skip(1).collect();
            assert_eq!(examples.len(), 3, "{help}");
            for example in examples {
                assert!(example.len() <= 80, "{example}");
                let last = example.rsplit(" | ").next().unwrap();
                let words = last.split(" > ").next().unwrap();
                let parsed = Cli::try_parse_from(words.split_whitespace());
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
