//! What `clap_complete` writes, with the networks' names where a network is named. It knows either
//! words or files for a value, and a network is named by a word or by its graph's file, so that a
//! word of our own stands for both until it is written in each shell's language.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;

use super::Outcome;
use crate::cli::{Cli, CompletionsArgs};
use crate::network::catalog;

/// Stands in what `clap_complete` writes for the networks' names and for files.
const PLACE: &str = "NETWORK-OR-FILE";

pub(super) fn run(arguments: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let script = script(arguments.shell);
    super::to_stdout(|out| out.write_all(script.as_bytes()))?;
    Ok(Outcome::Yes)
}

/// The script for a shell.
fn script(shell: Shell) -> String {
    let mut command = marked(Cli::command());
    let mut written = Vec::new();
    clap_complete::generate(shell, &mut command, "senet", &mut written);
    let written = String::from_utf8_lossy(&written).into_owned();
    let networks: Vec<&str> = catalog::networks().map(|network| &*network.name).collect();
    let networks = networks.join(" ");
    match shell {
        Shell::Bash => in_bash(&written, &networks),
        Shell::Zsh => in_zsh(&written, &networks),
        Shell::Fish => in_fish(&written, &networks, &command),
        // What is written for these completes commands and flags alone.
        _ => written,
    }
}

/// Whether an argument names a network: `--network NAME`, `NETWORK`, or what `models` looks for.
fn names_a_network(argument: &Arg) -> bool {
    let identifier = argument.get_id().as_str();
    ["network", "compare_network", "subject", "filter"].contains(&identifier)
}

/// The commands with [`PLACE`] for the only value of each argument that names a network.
fn marked(mut command: Command) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|each| each.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, |each| {
            each.mut_args(|argument| {
                if names_a_network(&argument) {
                    argument.value_parser(PossibleValuesParser::new([PLACE]))
                } else {
                    argument
                }
            })
        });
    }
    command
}

/// Files beside the names are offered where both begin so; where no name does, `complete -o default`
/// offers files by itself, folders with their slash.
fn in_bash(written: &str, networks: &str) -> String {
    let call = "$(_senet_networks \"${cur}\")";
    let written = written
        .replace(&format!("$(compgen -W \"{PLACE}\" -- \"${{cur}}\")"), call)
        .replace(PLACE, call);
    format!(
        "_senet_networks() {{
    local names
    names=$(compgen -W \"{networks}\" -- \"$1\") || return
    printf '%s\\n' \"$names\"
    compgen -f -- \"$1\"
}}

{written}"
    )
}

fn in_zsh(written: &str, networks: &str) -> String {
    let written = written.replace(&format!("({PLACE})"), "_senet_networks");
    // What stands last is what an autoloaded file does when it is first called.
    let (before, last) = written.rsplit_once("\nif [ ").unwrap_or((&written, ""));
    format!(
        "{before}
(( $+functions[_senet_networks] )) ||
_senet_networks() {{
    local -a networks
    networks=({networks})
    _alternative 'networks:network:compadd -a networks' 'files:file:_files'
}}

if [ {last}"
    )
}

/// `clap_complete` leaves out arguments without a flag.
fn in_fish(written: &str, networks: &str, command: &Command) -> String {
    let mut script = written.replace(
        &format!("-f -a \"{PLACE}\\t''\""),
        "-F -a \"(__senet_networks)\"",
    );
    script.push_str(&format!(
        "
function __senet_networks
    string split ' ' '{networks}'
end

"
    ));
    for each in command.get_subcommands() {
        for argument in each.get_positionals() {
            let values = argument.get_possible_values();
            let candidates = if names_a_network(argument) {
                "-a \"(__senet_networks)\"".to_owned()
            } else if values.is_empty() {
                continue;
            } else {
                let words: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
                format!("-f -a \"{}\"", words.join(" "))
            };
            script.push_str(&format!(
                "complete -c senet -n \"__fish_senet_using_subcommand {}\" {candidates}\n",
                each.get_name()
            ));
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What shells make of them is seen by `scripts/checks/completions.py`.
    #[test]
    fn every_place_of_a_network_is_written_in_the_language_of_the_shell() {
        let commands = Cli::command();
        let arguments = commands.get_subcommands().flat_map(Command::get_arguments);
        let named: Vec<&Arg> = arguments.filter(|each| names_a_network(each)).collect();
        // `--network` of six commands, and what three of them take without a flag.
        assert!(named.len() >= 9, "{named:?}");
        let shorts = named.iter().filter(|each| each.get_short().is_some());
        let spellings = named.len() + shorts.count();
        for (shell, call, calls) in [
            (Shell::Bash, "$(_senet_networks \"${cur}\")", spellings),
            (Shell::Zsh, ":_senet_networks'", spellings),
            (Shell::Fish, "-a \"(__senet_networks)\"", named.len()),
        ] {
            let script = script(shell);
            assert_eq!(script.matches(call).count(), calls, "{shell}");
            assert_eq!(script.matches(" seresnext50_32x4d ").count(), 1, "{shell}");
        }
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::Elvish,
            Shell::PowerShell,
        ] {
            assert!(!script(shell).contains(PLACE), "{shell}");
        }
    }
}
