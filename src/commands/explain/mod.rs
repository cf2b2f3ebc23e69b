//! `senet explain`: what a network saw in images.

mod by_class;
mod drawing;
mod file;
mod tensors;

use std::io::{self, BufReader, IsTerminal, Write};
use std::path::PathBuf;

use self::file::{File, Kind};
use super::Outcome;
use super::inputs::{self, Inputs, Search};
use super::output::FilePlace;
use crate::checkpoint::Weights;
use crate::classifier::{Classifier, Input};
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::evaluation::match_classes;
use crate::explain::{Explainer, Explanation};
use crate::report::{ExplainFormat, Explained, InlinePicture, PICTURED, Pictures, Protocol};
use crate::text::{counted, escaped, shown};

pub(super) fn run(arguments: &ExplainArgs) -> anyhow::Result<Outcome> {
    let kind = Kind::of(arguments)?;
    if arguments.by_class {
        return by_class::run(arguments, kind);
    }
    let inline = inline(arguments)?;
    let runtime = super::classifier::runtime(&arguments.classifier)?;
    let (weights, options) =
        super::classifier::options(&arguments.classifier, &arguments.pixels, runtime)?;
    let place = place(arguments, &weights)?;
    let refuse = place.as_ref().map(FilePlace::refusal);
    let explainer = Explainer::new(&weights, options, arguments.occlusion, &mut super::tell)?;
    let weights = weights.file().shown_name();
    let class = arguments.class.as_deref();
    let class = class.map(|class| numbered(class, explainer.classifier()));
    let class = class.transpose()?;
    let file = kind.zip(place);
    let file =
        file.map(|(kind, place)| File::begin(kind, &place, arguments.sort, &explainer, &weights));
    let mut file = file.transpose()?;
    let is_page = arguments.format == ExplainFormat::Html || kind == Some(Kind::Page);
    let network = &explainer.classifier().network().name;
    print(file.as_ref(), |out| {
        arguments.format.start(network, &weights, out)
    })?;
    let search = Search {
        memory: Some(arguments.classifier.memory),
        refuse: refuse.map(|refuse| Box::new(refuse) as _),
        ..Search::default()
    };
    let stdin = BufReader::new(io::stdin());
    let inputs = Inputs::new(arguments.inputs.clone(), search, stdin);
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
        print(file.as_ref(), |out| row.write(arguments.format, out))?;
        if let (Some(protocol), Ok(explanation)) = (inline, &explanation)
            && let Some(png) = drawing::png(explanation, arguments.sort)?
        {
            print(file.as_ref(), |out| {
                protocol.write(&png, columns(), out)?;
                out.flush()
            })?;
        }
        if let Some(file) = &mut file {
            file.add(&row, explanation.as_ref().ok())?;
        }
    }
    let passed_over = told.end()?;
    for warning in passed_over.warnings() {
        super::complain("warning", &warning);
    }
    if count == 0 {
        anyhow::bail!(inputs::NO_INPUT);
    }
    print(file.as_ref(), |out| arguments.format.end(out))?;
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

/// Where the file goes that is asked for, if one is.
///
/// # Errors
///
/// A place where no file can be, or what is read.
fn place(arguments: &ExplainArgs, weights: &Weights) -> Result<Option<FilePlace>> {
    let Some(path) = &arguments.output else {
        return Ok(None);
    };
    let inputs = arguments.inputs.iter().map(PathBuf::as_path);
    let read = inputs
        .filter(|argument| !inputs::is_standard_input(argument))
        .chain(weights.paths().iter().map(PathBuf::as_path))
        .chain(arguments.classifier.labels.as_deref());
    FilePlace::find("--output", path, read).map(Some)
}

/// Writes to standard output. Where whoever reads it has gone, there is nothing left to do but the
/// file.
fn print(
    file: Option<&File>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    match file {
        Some(_) => super::to_stdout(write),
        None => super::rows_to_stdout(write),
    }
}

/// How each image is drawn among the text, if it is.
///
/// # Errors
///
/// A picture among what is no text for people.
fn inline(arguments: &ExplainArgs) -> Result<Option<Protocol>> {
    let is_text = arguments.format == ExplainFormat::Table;
    let asked = match arguments.picture {
        InlinePicture::Auto if is_text && io::stdout().is_terminal() => {
            let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            return Ok(Protocol::of_terminal(variable));
        }
        InlinePicture::Auto | InlinePicture::Never => return Ok(None),
        InlinePicture::Kitty => Protocol::Kitty,
        InlinePicture::Iterm2 => Protocol::Iterm2,
    };
    if is_text {
        return Ok(Some(asked));
    }
    Err(Error::Usage(
        "`--picture` draws among the text for people, and another `--format` is asked for"
            .to_owned(),
    ))
}

/// How wide a picture is in a terminal.
fn columns() -> usize {
    const MOST: usize = 64;
    super::width().map_or(MOST, |width| width.min(MOST))
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
fn numbered(class: &str, classifier: &Classifier) -> Result<usize> {
    if classifier.classes() == 0 {
        return Err(Error::Usage(format!(
            "`--class {}` is one of a network's classes, and `{}` has none",
            shown(class),
            shown(&classifier.network().name)
        )));
    }
    let names = [class.to_owned()];
    let matched = match_classes(&names, classifier.classes(), classifier.labels())?;
    // One name has one class.
    Ok(matched.classes.first().copied().unwrap_or_default())
}
