//! How good a classifier is, on images whose classes are known.

mod pass;

use std::io::{self, Write};

use anyhow::Context;

use self::pass::Pass;
use super::classify::on_a_line;
use super::labelled::{Data, Labelled};
use super::{Outcome, complain};
use crate::classifier::Row;
use crate::cli::EvalArgs;
use crate::error::{Error, Result};
use crate::evaluation::{Answer, Tally};
use crate::report::{
    Changes, Evaluated, Evaluation, EvaluationFormat, EvaluationRow, Failure, Format, Mistake,
    Mistakes, Thumbnails,
};
use crate::text::escaped;

/// What fails when the output's disk is full.
const ROWS: &str = "cannot write the rows";

pub(super) fn run(arguments: &EvalArgs) -> anyhow::Result<Outcome> {
    // What is wrong with the data is said before weights are loaded.
    let data = Data::open(&arguments.data, arguments.split.as_deref())?;
    let runtime = super::classifier::runtime(&arguments.classifier)?;
    let first = Pass::load(&arguments.classifier, &arguments.pixels, &runtime, &data)?;
    let second = match &arguments.compare {
        Some(weights) => {
            let mut classifier = arguments.classifier.clone();
            classifier.weights = Some(weights.clone());
            classifier.network.clone_from(&arguments.compare_network);
            classifier.labels.clone_from(&arguments.compare_labels);
            classifier.variant.ema = false;
            Some(Pass::load(&classifier, &arguments.pixels, &runtime, &data)?)
        }
        None => None,
    };
    let among = arguments.top_k.min(first.classifier.classes());
    let mut counted = Counted {
        among,
        tally: Tally::new(among),
        mistakes: Mistakes::new(arguments.mistakes),
        failed: Vec::new(),
        changes: second.as_ref().map(|_| Changes::default()),
    };
    let in_rows = arguments.format == EvaluationFormat::Ndjson;
    let bar = super::progress::bar(
        data.count,
        "{bar:40} {pos}/{len} images, {per_sec}, {eta} left",
    );
    let told = data.told.clone();
    let about = (data.name.clone(), data.names.len());
    let (images, waiting) = data.tee();
    for batch in first.classifier.batches(images) {
        let batch = batch?;
        let labelled = waiting.take(batch.len());
        let others = second.as_ref().map(|pass| pass.rows(&labelled));
        let mut others = others.transpose()?.map(Vec::into_iter);
        let images = batch.len() as u64;
        for (row, labelled) in batch.into_iter().zip(labelled) {
            let other = others.as_mut().and_then(Iterator::next);
            let compared = second.as_ref().zip(other);
            let row = bar.suspend(|| counted.add(row, &labelled, &first, compared));
            if in_rows {
                bar.suspend(|| write_row(&row))?;
            }
        }
        bar.inc(images);
    }
    bar.finish_and_clear();
    for warning in told.warnings()? {
        complain("warning", &warning);
    }
    let failed = !counted.failed.is_empty();
    let evaluation = counted.report(about, &first, second.as_ref());
    match arguments.format {
        EvaluationFormat::Table => super::print(&evaluation, Format::Table)?,
        EvaluationFormat::Json => super::print(&evaluation, Format::Json)?,
        EvaluationFormat::Html => {
            let thumbnails = thumbnails(&first, &evaluation.mistakes);
            super::to_stdout(|out| evaluation.write_page(&thumbnails, out))?;
        }
        EvaluationFormat::Ndjson => complain("note", &evaluation.summary()),
    }
    Ok(if failed { Outcome::No } else { Outcome::Yes })
}

/// Small pictures of the first mistakes whose files can still be read.
fn thumbnails(pass: &Pass, mistakes: &[Mistake]) -> Thumbnails {
    /// Some kilobytes each.
    const MOST: usize = 50;
    let pictures = mistakes.iter().take(MOST).enumerate();
    let pictures = pictures.filter_map(|(place, mistake)| {
        let picture = pass.classifier.thumbnail(mistake.path.as_path());
        Some((place, picture.ok()?))
    });
    pictures.collect()
}

/// Writes a row at once, so that whoever reads them has what there is.
fn write_row(row: &EvaluationRow) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(row).context(ROWS)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line).context(ROWS)?;
    out.flush().context(ROWS)
}

/// What was counted until now.
struct Counted {
    among: usize,
    tally: Tally,
    mistakes: Mistakes,
    failed: Vec<Failure>,
    changes: Option<Changes>,
}

impl Counted {
    /// Counts an image, which both classifiers have looked at where there are two.
    fn add(
        &mut self,
        row: Row,
        labelled: &Labelled,
        first: &Pass,
        compared: Option<(&Pass, Row)>,
    ) -> EvaluationRow {
        let truth = first.matched.classes[labelled.name];
        let mut counted = EvaluationRow::new(row.input.clone(), &labelled.path, first.class(truth));
        let answer = answer(row, truth);
        let other = compared.map(|(second, row)| {
            let truth = second.matched.classes[labelled.name];
            (second, self::answer(row, truth))
        });
        match (answer, other) {
            (Err(error), _) => counted.error = Some(on_a_line(&error)),
            // What one of the two has no answer for is no image of both.
            (Ok(_), Some((second, Err(error)))) => {
                counted.error = Some(format!("{}: {}", second.weights, on_a_line(&error)));
            }
            (Ok(answer), other) => {
                self.tally.add(&answer);
                counted.answer(&answer, first.class(answer.predicted));
                self.mistakes.add(&counted, &labelled.path);
                if let Some((second, Ok(answer))) = other {
                    counted.compare(&answer, second.class(answer.predicted));
                }
            }
        }
        if let Some(changes) = &mut self.changes {
            changes.add(&counted);
        }
        if let Some(error) = &counted.error {
            self.failed.push(Failure {
                input: counted.input.clone(),
                error: error.clone(),
            });
        }
        counted
    }

    fn report(
        self,
        (data, class_names): (String, usize),
        first: &Pass,
        second: Option<&Pass>,
    ) -> Evaluation {
        let comparison = self.changes.zip(second);
        let comparison = comparison.map(|(changes, pass)| changes.comparison(pass.subject()));
        Evaluation::new(Evaluated {
            data,
            class_names,
            subject: first.subject(),
            tally: &self.tally,
            k: self.among,
            failed: self.failed,
            mistakes: self.mistakes,
            comparison,
        })
    }
}

/// What a classifier says of an image of the class `truth`.
fn answer(row: Row, truth: usize) -> Result<Answer> {
    let classes = row.classes?;
    if let Some(damage) = classes.damage() {
        complain("warning", &format!("`{}`: {damage}", escaped(&row.input)));
    }
    Answer::of(&classes, truth).ok_or(Error::NotFinite)
}
