//! The manual's pages, of what `--help` says.

use std::fs;
use std::io::{self, Write};

use anyhow::{Context, anyhow};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Outcome;
use crate::cli::{Cli, ManArgs};
use crate::text::{shown, shown_path};

pub(super) fn run(arguments: &ManArgs) -> anyhow::Result<Outcome> {
    // `senet help` is no page of its own.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    if let Some(folder) = &arguments.output {
        let cannot = || format!("cannot write `{}`", shown_path(folder));
        fs::create_dir_all(folder).with_context(cannot)?;
        for command in program.get_subcommands().chain([&program]) {
            let page = Page::new(command);
            let mut text = Vec::new();
            page.write(&mut text)?;
            let path = folder.join(page.man.get_filename());
            let cannot = || format!("cannot write `{}`", shown_path(&path));
            fs::write(&path, text).with_context(cannot)?;
        }
        return Ok(Outcome::Yes);
    }
    let command = match &arguments.command {
        None => &program,
        Some(name) => program.find_subcommand(name).ok_or_else(|| {
            let commands: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
            anyhow!(
                "there is no command `{}`\nhint: the commands are {}",
                shown(name),
                commands.join(", ")
            )
        })?,
    };
    super::to_stdout(|out| Page::new(command).write(out))?;
    Ok(Outcome::Yes)
}

/// A command's page.
struct Page<'a> {
    command: &'a Command,
    man: Man,
}

impl<'a> Page<'a> {
    fn new(command: &'a Command) -> Self {
        let man = Man::new(command.clone())
            // An empty one is left out, and the version taken for the date.
            .date(" ")
            .source(concat!("senet ", env!("CARGO_PKG_VERSION")))
            .manual("senet");
        Self { command, man }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.man.render_title(out)?;
        self.man.render_name_section(out)?;
        self.man.render_synopsis_section(out)?;
        self.man.render_description_section(out)?;
        self.man.render_options_section(out)?;
        if self.command.has_subcommands() {
            self.man.render_subcommands_section(out)?;
        }
        self.write_end(out)
    }

    /// What the help ends with, `Examples:` and lines of it, stays in its lines.
    fn write_end(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(end) = self.command.get_after_help() else {
            return Ok(());
        };
        let end = end.to_string();
        let (title, lines) = end.split_once(":\n").unwrap_or(("", &end));
        let mut page = Roff::new();
        page.control("SH", [title.to_uppercase().as_str()]);
        page.control("nf", []);
        for line in lines.lines() {
            page.text([roman(line)]);
        }
        page.control("fi", []);
        page.to_writer(out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_page_has_every_flag_and_its_examples_a_line_each() {
        let mut program = Cli::command();
        program.build();
        for command in program
            .get_subcommands()
            .filter(|each| each.get_name() != "help")
        {
            let mut text = Vec::new();
            Page::new(command).write(&mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            for flag in command.get_opts().filter(|flag| !flag.is_hide_set()) {
                let long = flag.get_long().unwrap().replace('-', "\\-");
                assert!(text.contains(&format!("\\-\\-{long}")), "{long}\n{text}");
            }
            let examples = command.get_after_help().unwrap().to_string();
            for line in examples.lines().skip(1) {
                let line = line.replace('-', "\\-").replace('\'', "\\*(Aq");
                assert!(text.lines().any(|each| each == line), "{line}\n{text}");
            }
        }
    }
}
