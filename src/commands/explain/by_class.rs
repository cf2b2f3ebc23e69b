//! `senet explain --by-class`: mean gates of the classes of labelled images.

use std::path::Path;

use super::super::labelled::{Data, Labelled};
use super::super::output::WholeFile;
use super::super::{Outcome, classifier, classify, complain, progress, tell, to_stdout};
use super::file::Kind;
use super::tensors;
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::evaluation::Matched;
use crate::explain::{ClassGates, GateReader};
use crate::report::{ExplainFormat, Failure, GatedClass, GatesByClass};
use crate::text::{counted, escaped, shown};

pub(super) fn run(arguments: &ExplainArgs, kind: Option<Kind>) -> anyhow::Result<Outcome> {
    let path = labelled(arguments)?;
    // What is wrong with the data is said before weights are loaded.
    let data = Data::open(path, arguments.split.as_deref())?;
    let runtime = classifier::runtime(&arguments.classifier)?;
    let (weights, options) =
        classifier::options(&arguments.classifier, &arguments.pixels, runtime)?;
    let place = super::place(arguments, &weights)?;
    let reader = GateReader::new(&weights, options, &mut tell)?;
    let network = &reader.classifier().network().name;
    if reader.blocks().len() == 0 {
        return Err(Error::Usage(format!(
            "`{}` has no SE block, so there are no gates to tell the means of\nhint: `--weights` names \
             those of another network, such as `builtin:seresnet20`",
            shown(network)
        ))
        .into());
    }
    let weights = weights.file().shown_name();
    // Of a network without classes their names are enough.
    let matched = match reader.classifier().classes() {
        0 => None,
        _ => Some(data.matched(reader.classifier(), &weights)?),
    };
    let file = kind.zip(place);
    let file = file.map(|(kind, place)| tensors::whole_file(kind, &place, reader.blocks()));
    let file = file.transpose()?;
    let about = (data.name.clone(), data.names.clone());
    let told = data.told.clone();
    let (sums, failed) = read_all(data, &reader, matched.as_ref());
    for warning in told.warnings()? {
        complain("warning", &warning);
    }
    let means = sums.means();
    let classes = means.first().map_or(&[][..], |block| &block.classes);
    let label = |class: usize| match &matched {
        Some(_) => reader.classifier().label(class),
        None => about.1.get(class).cloned().unwrap_or_default(),
    };
    let classes = classes.iter().map(|of| GatedClass {
        class: of.class,
        label: label(of.class),
        images: of.images,
    });
    let gates = GatesByClass {
        data: about.0,
        weights,
        network: network.to_string(),
        matched_by: matched.as_ref().map(|matched| matched.way.name()),
        images: sums.images(),
        failed,
        classes: classes.collect(),
        blocks: means,
    };
    to_stdout(|out| gates.write(arguments.format, out))?;
    if let Some((kind, file)) = file {
        write(&gates, kind, file)?;
    }
    if gates.failed.is_empty() {
        return Ok(Outcome::Yes);
    }
    let images = gates.failed.len() as u64 + gates.images;
    let images = usize::try_from(images).unwrap_or(usize::MAX);
    let message = format!(
        "{} of {} failed",
        gates.failed.len(),
        counted(images, "image")
    );
    complain("warning", &message);
    Ok(Outcome::No)
}

/// The one folder or list of labelled images.
fn labelled(arguments: &ExplainArgs) -> Result<&Path> {
    match arguments.inputs.as_slice() {
        [path] => Ok(path),
        several => Err(Error::Usage(format!(
            "`--by-class` is of one labelled folder or list, and {} are given",
            several.len()
        ))),
    }
}

/// Adds up the gates of all images; names those that failed.
fn read_all(
    data: Data,
    reader: &GateReader,
    matched: Option<&Matched>,
) -> (ClassGates, Vec<Failure>) {
    let template = "{bar:40} {pos}/{len} images, {per_sec}, {eta} left";
    let bar = progress::bar(data.count, template);
    let (mut sums, mut failed) = (ClassGates::default(), Vec::new());
    for Labelled { input, name, .. } in data.images {
        let called = input.name().to_owned();
        match reader.read(input) {
            Ok(seen) => {
                if let Some(damage) = &seen.damage {
                    let message = format!("`{}`: {damage}", escaped(&called));
                    bar.suspend(|| complain("warning", &message));
                }
                let class = matched.and_then(|matched| matched.classes.get(name));
                sums.add(class.copied().unwrap_or(name), &seen.gates);
            }
            Err(error) => {
                let error = classify::on_a_line(&error);
                let message = format!("`{}`: {error}", escaped(&called));
                bar.suspend(|| complain("warning", &message));
                failed.push(Failure {
                    input: called,
                    error,
                });
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    (sums, failed)
}

fn write(gates: &GatesByClass, kind: Kind, mut file: WholeFile) -> anyhow::Result<()> {
    match kind {
        Kind::Page => {
            file.write(|out| gates.write(ExplainFormat::Html, out))?;
            file.finish()
        }
        Kind::Tensors => tensors::write_means(gates, file),
        // No more is begun of it.
        Kind::Picture => Ok(()),
    }
}
