//! `senet explain`: what a network saw in images.

mod drawing;
mod file;

use std::io;

use self::file::{File, Kind};
use super::Outcome;
use super::inputs::{Inputs, Search};
use super::output::refuse_read;
use crate::classifier::Input;
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::evaluation::match_classes;
use crate::explain::{Explainer, Explanation};
use crate::report::{ExplainFormat, Explained, PICTURED, Pictures};
use crate::text::{counted, escaped, shown};

pub(super) fn run(arguments: &ExplainArgs) -> anyhow::Result<Outcome> {
    let kind = Kind::of(arguments)?;
    let runtime = super::classifier::runtime(&arguments.classifier)?;
    let (weights, options) =
        super::classifier::options(&arguments.classifier, &arguments.pixels, runtime)?;
    if let Some(path) = &arguments.output {
        let read = weights.paths().iter().chain(&arguments.inputs);
        refuse_read("--output", path, read)?;
    }
    let explainer = Explainer::new(&weights, options, arguments.occlusion, &mut super::tell)?;
    let weights = weights.file().shown_name();
    let class = arguments.class.as_deref();
    let class = class.map(|class| numbered(class, &explainer)).transpose()?;
    let file = kind.zip(arguments.output.as_deref());
    let file =
        file.map(|(kind, path)| File::begin(kind, path, arguments.sort, &explainer, &weights));
    let mut file = file.transpose()?;
    let is_page = arguments.format == ExplainFormat::Html || kind == Some(Kind::Page);
    let network = &explainer.network().name;
    super::to_stdout(|out| arguments.format.start(network, &weights, out))?;
    let inputs = Inputs::new(arguments.inputs.clone(), Search::default(), io::empty());
    let told = inputs.told();
    let (mut count, mut failed) = (0, 0);
    for input in inputs {
        let input = Input::from(input);
        let name = input.name().to_owned();
        let explanation = explainer.explain(input, class);
        let row = match &explanation {
            Ok(explanation) => {
                let drawn = is_page && count < PICTURED;
                let drawn = drawn.then(|| Pictures::of(explanation, arguments.sort));
                explained(name, explanation, drawn.transpose()?)
            }
            Err(error) => {
                failed += 1;
                Explained::failed(name, super::classify::on_a_line(error))
            }
        };
        count += 1;
        super::to_stdout(|out| row.write(arguments.format, out))?;
        if let Some(file) = &mut file {
            file.add(&row, explanation.as_ref().ok())?;
        }
    }
    let passed_over = told.end()?;
    for warning in passed_over.warnings() {
        super::complain("warning", &warning);
    }
    super::to_stdout(|out| arguments.format.end(out))?;
    if let Some(file) = file {
        file.finish()?;
    }
    if failed > 0 {
        let message = format!("{failed} of {} failed", counted(count, "input"));
        super::complain("warning", &message);
        return Ok(Outcome::No);
    }
    Ok(Outcome::Yes)
}

/// The row of an image that was seen; says what is wrong with its file.
fn explained(name: String, explanation: &Explanation, pictures: Option<Pictures>) -> Explained {
    if let Some(damage) = &explanation.damage {
        super::complain("warning", &format!("`{}`: {damage}", escaped(&name)));
    }
    Explained {
        pictures,
        ..Explained::new(name, explanation)
    }
}

/// The class that a label, synset or number means.
fn numbered(class: &str, explainer: &Explainer) -> Result<usize> {
    if explainer.classes() == 0 {
        return Err(Error::Usage(format!(
            "`--class {}` is one of a network's classes, and `{}` has none",
            shown(class),
            shown(&explainer.network().name)
        )));
    }
    let matched = match_classes(&[class.to_owned()], explainer.classes(), explainer.labels())?;
    // One name has one class.
    Ok(matched.classes.first().copied().unwrap_or_default())
}
