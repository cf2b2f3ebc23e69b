//! The README shows what the program prints: every run of it there is repeated.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use assert_cmd::Command;

/// A command of a README and the output shown below it.
struct Example {
    command: String,
    expected: Vec<String>,
}

fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut in_console = false;
    for line in readme.lines() {
        match line {
            "```console" => in_console = true,
            "```" => in_console = false,
            _ if !in_console => {}
            _ => match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push(Example {
                    command: command.to_owned(),
                    expected: Vec::new(),
                }),
                (None, Some(example)) => example.expected.push(line.to_owned()),
                (None, None) => {}
            },
        }
    }
    examples
}

/// Rounding errors, written like 3.6e-7, depend on the processor's order of summation, and with
/// them where they are worst: such a line is compared but for what lies between.
fn without_rounding(line: &str) -> String {
    let is_error = |word: &&str| word.contains('e') && word.parse::<f64>().is_ok();
    match line.split_whitespace().find(is_error) {
        None => line.to_owned(),
        Some(error) => {
            let before = line.split(error).next().unwrap_or_default().trim_end();
            let after = line.rsplit(']').next().unwrap_or_default().trim();
            format!("{before} … {after}")
        }
    }
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let examples = examples(&readme);
    let mut run = 0;
    for example in &examples {
        // The build commands of the README are not the program's.
        let Some(arguments) = example
            .command
            .strip_prefix("senet ")
            .or_else(|| example.command.strip_prefix("cargo run --release -- "))
        else {
            continue;
        };
        let output = Command::cargo_bin("senet")
            .unwrap()
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        let mut printed = String::from_utf8(output.stdout).unwrap();
        printed += &String::from_utf8(output.stderr).unwrap();
        let printed: Vec<String> = printed.lines().map(without_rounding).collect();
        let expected: Vec<String> = example
            .expected
            .iter()
            .map(|line| without_rounding(line))
            .collect();
        assert_eq!(printed, expected, "$ {}", example.command);
        run += 1;
    }
    assert_eq!(run, 6, "the README shows six runs of the program");
}

/// What this network's plan says is the same whatever the instructions, which it names.
#[test]
fn the_plan_in_the_readme_is_the_engines() {
    let readme = include_str!("../README.md");
    let command = "senet trace se_bottleneck --plan --threads 2\n\n";
    let (_, rest) = readme.split_once(command).unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let output = Command::cargo_bin("senet")
        .unwrap()
        .args(command.split_whitespace().skip(1))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let of_any = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("engine"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(of_any(&printed), of_any(shown));
}

#[test]
fn the_table_of_networks_in_the_readme_is_the_catalogues() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme
        .split_once("<!-- senet models --format markdown -->\n")
        .unwrap();
    let (table, _) = rest.split_once("<!-- end -->").unwrap();
    let mut senet = Command::cargo_bin("senet").unwrap();
    let output = senet.args(["models", "--format", "markdown"]).output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(
        table, printed,
        "`scripts/update_networks.sh` writes the table anew"
    );
}

#[test]
fn the_library_example_of_the_readme_is_the_one_that_is_compiled() {
    let readme = include_str!("../README.md");
    let example = include_str!("../examples/se_block.rs");
    let (_, code) = example.split_once("\n\n").unwrap();
    assert!(readme.contains(&format!("```rust\n{code}```")));
}
