//! `senet explain`: what a network saw in images.

use std::io;
use std::path::Path;

use anyhow::Context;

use super::Outcome;
use super::inputs::{Inputs, Search};
use super::output::refuse_read;
use crate::classifier::Input;
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::explain::{Explainer, Explanation};
use crate::picture;
use crate::report::Explained;
use crate::text::{counted, escaped, shown, shown_path};

pub(super) fn run(arguments: &ExplainArgs) -> anyhow::Result<Outcome> {
    if let Some(path) = &arguments.output {
        check_output(path, arguments)?;
    }
    let runtime = super::classifier::runtime(&arguments.classifier)?;
    let (weights, options) =
        super::classifier::options(&arguments.classifier, &arguments.pixels, runtime)?;
    if let Some(path) = &arguments.output {
        let read = weights.paths().iter().chain(&arguments.inputs);
        refuse_read("--output", path, read)?;
    }
    let explainer = Explainer::new(&weights, options, arguments.occlusion, &mut super::tell)?;
    let class = arguments.class.as_deref();
    let class = class
        .map(|class| numbered(class, &explainer.labels()))
        .transpose()?;
    let inputs = Inputs::new(arguments.inputs.clone(), Search::default(), io::empty());
    let told = inputs.told();
    let (mut count, mut failed) = (0, 0);
    for input in inputs {
        let input = Input::from(input);
        let name = input.name().to_owned();
        let row = match explainer.explain(input, class) {
            Ok(explanation) => {
                if let Some(damage) = &explanation.damage {
                    super::complain("warning", &format!("`{}`: {damage}", escaped(&name)));
                }
                if let Some(path) = &arguments.output {
                    draw(&explanation, path, arguments.sort)?;
                }
                Explained::new(name, &explanation)
            }
            Err(error) => {
                failed += 1;
                Explained::failed(name, super::classify::on_a_line(&error))
            }
        };
        count += 1;
        super::to_stdout(|out| row.write(arguments.format, out))?;
    }
    let passed_over = told.end()?;
    for warning in passed_over.warnings() {
        super::complain("warning", &warning);
    }
    if failed > 0 {
        let message = format!("{failed} of {} failed", counted(count, "input"));
        super::complain("warning", &message);
        return Ok(Outcome::No);
    }
    Ok(Outcome::Yes)
}

/// Refuses an output that is no picture, or that several images would have to share.
fn check_output(path: &Path, arguments: &ExplainArgs) -> Result<()> {
    let is_png = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    let problem = match arguments.inputs.as_slice() {
        _ if !is_png => "does not end with .png, which is how the picture is written",
        [one] if !one.is_dir() => return Ok(()),
        _ => "is one picture, and there may be several images\nhint: draw one at a time",
    };
    Err(Error::Usage(format!(
        "`--output {}` {problem}",
        shown_path(path)
    )))
}

/// The class of this number or label.
fn numbered(class: &str, labels: &[String]) -> Result<usize> {
    if let Ok(number) = class.parse() {
        if number < labels.len() {
            return Ok(number);
        }
        return Err(Error::Usage(format!(
            "there is no class {number}; the network has {}",
            format_args!("{} classes", labels.len())
        )));
    }
    // Labels may list several names, as ImageNet's do.
    let is_called = |label: &String| {
        label
            .split(", ")
            .chain([label.as_str()])
            .any(|name| name == class)
    };
    let found: Vec<usize> = (0..labels.len())
        .filter(|&number| is_called(&labels[number]))
        .collect();
    match found[..] {
        [only] => Ok(only),
        [] => Err(Error::Usage(format!(
            "no class is called `{}`\nhint: `senet classify` shows labels; a number says a class, too",
            shown(class)
        ))),
        _ => Err(Error::Usage(format!(
            "{} classes are called `{}`: {found:?}\nhint: say the class by its number",
            found.len(),
            shown(class)
        ))),
    }
}

/// The narrowest strips: less would leave most channels out.
const LEAST: u32 = 512;

/// Draws the heat map over the photograph, and the gates below.
fn draw(explanation: &Explanation, path: &Path, sort: bool) -> anyhow::Result<()> {
    let mut pictures = Vec::new();
    if let Some(evidence) = &explanation.evidence {
        pictures.push(picture::heat(
            &explanation.photo,
            &explanation.seen,
            &evidence.map,
        ));
    }
    if !explanation.gates.is_empty() {
        let mut gates: Vec<Vec<f32>> = explanation
            .gates
            .iter()
            .map(|gates| gates.values.clone())
            .collect();
        if sort {
            for gates in &mut gates {
                gates.sort_by(|a, b| b.total_cmp(a));
            }
        }
        let gates: Vec<&[f32]> = gates.iter().map(Vec::as_slice).collect();
        let width = pictures
            .first()
            .map_or(0, picture::RgbImage::width)
            .max(LEAST);
        pictures.push(picture::strips(&gates, width));
    }
    if pictures.is_empty() {
        super::complain(
            "warning",
            "there is nothing to draw: the network has neither classes nor SE blocks",
        );
        return Ok(());
    }
    let png = picture::png(&picture::stacked(&pictures))?;
    std::fs::write(path, png).with_context(|| format!("cannot write `{}`", shown_path(path)))
}
