//! The README and the pages of `docs` show what the program prints: every run of it there is
//! repeated.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// A command of a page and the output shown below it.
struct Example {
    command: String,
    expected: Vec<String>,
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut in_console = false;
    for line in page.lines() {
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
/// them where they are worst and how long their bars are: such a line is compared but for these.
fn without_rounding(line: &str) -> String {
    let is_error = |word: &&str| word.contains('e') && word.parse::<f64>().is_ok();
    match line.split_whitespace().find(is_error) {
        None => line.to_owned(),
        Some(error) => {
            let before = line.split(error).next().unwrap_or_default().trim_end();
            let after = line.rsplit(']').next().unwrap_or_default().trim();
            let after = after.trim_end_matches(['=', '#', '|', ' ']);
            format!("{before} … {after}")
        }
    }
}

/// The README and the pages of `docs`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages
}

/// What the program prints, on standard output and after it on standard error.
fn printed(arguments: &str) -> String {
    let mut senet = Command::cargo_bin("senet").unwrap();
    let output = senet.args(arguments.split_whitespace()).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn the_documentation_shows_what_the_program_prints() {
    let mut run = 0;
    for path in pages() {
        for example in examples(&fs::read_to_string(&path).unwrap()) {
            // The build commands of the README are not the program's.
            let Some(arguments) = example
                .command
                .strip_prefix("senet ")
                .or_else(|| example.command.strip_prefix("cargo run --release -- "))
            else {
                continue;
            };
            let printed = printed(arguments);
            let printed: Vec<String> = printed.lines().map(without_rounding).collect();
            let expected: Vec<String> = example
                .expected
                .iter()
                .map(|line| without_rounding(line))
                .collect();
            let page = path.display();
            assert_eq!(printed, expected, "{page}: $ {}", example.command);
            run += 1;
        }
    }
    assert_eq!(
        run, 19,
        "the documentation shows nineteen runs of the program"
    );
}

/// What this network's plan says is the same whatever the instructions, which it names.
#[test]
fn the_plan_in_the_documentation_is_the_engines() {
    let page = include_str!("../docs/commands.md");
    let command = "senet trace se_bottleneck --plan --threads 2\n\n";
    let (_, rest) = page.split_once(command).unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let of_any = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("engine"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(
        of_any(&printed("trace se_bottleneck --plan --threads 2")),
        of_any(shown)
    );
}

#[test]
fn the_table_of_networks_is_the_catalogues() {
    let page = include_str!("../docs/networks.md");
    let (_, rest) = page
        .split_once("<!-- senet models --format markdown -->\n")
        .unwrap();
    let (table, _) = rest.split_once("<!-- end -->").unwrap();
    assert_eq!(
        table,
        printed("models --format markdown"),
        "`scripts/update_networks.sh` writes the table anew"
    );
    let count = format!("{} networks", senet::network::catalog::networks().count());
    assert_eq!(include_str!("../README.md").matches(&count).count(), 1);
}

/// That page's tables are those of what was measured, as a test in `scripts/peers` shows.
#[test]
fn every_row_of_speed_in_the_readme_is_one_of_docs_speed() {
    let (_, rest) = include_str!("../README.md")
        .split_once("<!-- speed -->\n")
        .unwrap();
    let (table, _) = rest.split_once("<!-- /speed -->").unwrap();
    let (_, measured) = include_str!("../docs/speed.md")
        .split_once("All programs, a batch of 1 on 2 threads:\n\n")
        .unwrap();
    let (measured, _) = measured.split_once("\n\n").unwrap();
    assert_eq!(table.lines().count(), 7);
    for row in table.lines() {
        assert!(measured.lines().any(|line| line == row), "{row}");
    }
}

#[test]
fn the_library_example_of_the_readme_is_the_one_that_is_compiled() {
    let example = include_str!("../examples/classify.rs");
    let (_, code) = example.split_once("\n\n").unwrap();
    assert!(include_str!("../README.md").contains(&format!("```rust\n{code}```")));
}

/// Every page for people: those of `docs`, and others of the repository.
fn all_pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "scripts/README.md",
        "tests/README.md",
        "weights/README.md",
    ];
    let others = others.into_iter().map(|name| root.join(name));
    pages().into_iter().chain(others).collect()
}

#[test]
fn the_documentation_links_to_files_that_exist() {
    let mut links = 0;
    for path in all_pages() {
        let page = fs::read_to_string(&path).unwrap();
        for link in page.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if !target.is_empty() && !target.starts_with("http") {
                let file = path.parent().unwrap().join(target);
                assert!(file.exists(), "{}: {target}", path.display());
                links += 1;
            }
        }
    }
    assert!(links > 20, "{links}");
}

/// The files and folders below `folder`, from the root on: `src/cpu/`, `src/cpu/mod.rs`.
fn files_below(folder: &str, found: &mut Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            files_below(&path, found);
            found.push(format!("{path}/"));
        } else {
            found.push(path);
        }
    }
}

/// Which file to touch is what the page is for: `fuse.rs`, `plan/`, `src/network/operation.rs`.
#[test]
fn the_files_that_the_architecture_names_exist() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "scripts", "docs", "weights"] {
        files.push(format!("{folder}/"));
        files_below(folder, &mut files);
    }
    let page = include_str!("../ARCHITECTURE.md");
    let is_file = |word: &&str| {
        let extensions = [".rs", ".md", ".json", ".sh", "/"];
        extensions.iter().any(|extension| word.ends_with(extension)) && !word.contains(' ')
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_file).collect();
    for name in &named {
        let exists = |file: &String| file == name || file.ends_with(&format!("/{name}"));
        assert!(files.iter().any(exists), "`{name}` is no file or folder");
    }
    assert!(named.len() > 60, "{}", named.len());
}
