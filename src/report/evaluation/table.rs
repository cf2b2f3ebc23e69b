//! An evaluation as text.

use std::cmp::Reverse;
use std::io::{self, Write};

use super::{Evaluation, ScoredClass};
use crate::evaluation::{Bin, Confusion, Share};
use crate::report::table::{self, Align, percent, thousands};
use crate::text::{escaped, shown};

/// Classes that are listed, those recognised worst where there are more.
const CLASSES: usize = 20;

/// Pairs of classes and failures that are listed.
const LISTED: usize = 10;

pub(super) fn write(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    let facts: Vec<Vec<String>> = facts(evaluation).into_iter().map(Vec::from).collect();
    table::write(out, &[Align::Left, Align::Left], &facts)?;
    if !evaluation.failed.is_empty() {
        write_failed(evaluation, out)?;
    }
    if evaluation.images > 0 {
        write_classes(evaluation, out)?;
        write_confusion(evaluation, out)?;
        write_calibration(evaluation, out)?;
        write_mistakes(evaluation, out)?;
    }
    match &evaluation.comparison {
        Some(comparison) => comparison.write_table(out),
        None => Ok(()),
    }
}

fn facts(evaluation: &Evaluation) -> Vec<[String; 2]> {
    let subject = &evaluation.subject;
    let names = match evaluation.class_names {
        1 => "1 class".to_owned(),
        count => format!("{count} classes"),
    };
    let mut facts = vec![
        [
            "data".to_owned(),
            format!(
                "`{}`, {names} by {}",
                shown(&evaluation.data),
                subject.matched_by
            ),
        ],
        [
            "weights".to_owned(),
            format!("{}, {}", shown(&subject.weights), shown(&subject.network)),
        ],
        ["images".to_owned(), thousands(evaluation.images)],
    ];
    if !evaluation.failed.is_empty() {
        let failed = thousands(evaluation.failed.len() as u64);
        facts.push([
            "failed".to_owned(),
            format!("{failed}, counted in nothing below"),
        ]);
    }
    facts.push(["top-1".to_owned(), share(&evaluation.top_1)]);
    if evaluation.k > 1 {
        facts.push([format!("top-{}", evaluation.k), share(&evaluation.top_k)]);
    }
    if let Some(cross_entropy) = evaluation.cross_entropy {
        facts.push([
            "loss".to_owned(),
            format!("{cross_entropy:.4} (cross-entropy)"),
        ]);
    }
    if let Some(error) = evaluation.calibration.expected_error {
        let bins = evaluation.calibration.bins.len();
        facts.push([
            "calibration".to_owned(),
            format!("off by {} (ECE, {bins} bins)", percent(error)),
        ]);
    }
    facts
}

fn write_failed(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    let failed = evaluation.failed.iter().take(LISTED);
    let mut rows = vec![vec!["failed".to_owned(), "error".to_owned()]];
    rows.extend(failed.map(|failure| vec![escaped(&failure.input), shown(&failure.error)]));
    table::write(out, &[Align::Left, Align::Left], &rows)?;
    write_more(out, evaluation.failed.len(), LISTED)
}

fn write_classes(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    let mut classes: Vec<&ScoredClass> = evaluation.classes.iter().collect();
    let count = classes.len();
    let mut title = "class";
    if count > CLASSES {
        title = "worst classes";
        // Those of which there are no images are neither well recognised nor badly.
        classes.sort_by(|a, b| {
            let recall = |class: &ScoredClass| class.score.recall.unwrap_or(2.);
            recall(a).total_cmp(&recall(b))
        });
        classes.truncate(CLASSES);
    }
    let header = [title, "images", "recall", "precision"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let optional = |share: Option<f64>| share.map(percent).unwrap_or_default();
    rows.extend(classes.into_iter().map(|ScoredClass { label, score }| {
        vec![
            shown(label),
            thousands(score.images),
            optional(score.recall),
            optional(score.precision),
        ]
    }));
    writeln!(out)?;
    let right = Align::Right;
    table::write(out, &[Align::Left, right, right, right], &rows)?;
    write_more(out, count, CLASSES)
}

fn write_confusion(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    let wrong = evaluation
        .confusion
        .iter()
        .filter(|cell| cell.truth != cell.predicted);
    let mut wrong: Vec<&Confusion> = wrong.collect();
    let count = wrong.len();
    if count == 0 {
        return Ok(());
    }
    wrong.sort_by_key(|cell| Reverse(cell.images));
    wrong.truncate(LISTED);
    let mut rows = vec![["class", "taken for", "images"].map(str::to_owned).to_vec()];
    let label = |class: usize| shown(evaluation.subject.label(class));
    rows.extend(wrong.into_iter().map(|cell| {
        vec![
            label(cell.truth),
            label(cell.predicted),
            thousands(cell.images),
        ]
    }));
    writeln!(out)?;
    table::write(out, &[Align::Left, Align::Left, Align::Right], &rows)?;
    write_more(out, count, LISTED)
}

fn write_calibration(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    let header = ["probability", "images", "mean", "right"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let optional = |share: Option<f64>| share.map(percent).unwrap_or_default();
    let filled = evaluation.calibration.bins.iter();
    rows.extend(filled.filter(|bin| bin.images > 0).map(|bin: &Bin| {
        vec![
            format!("{:.1} to {:.1} %", bin.from * 100., bin.to * 100.),
            thousands(bin.images),
            optional(bin.probability),
            optional(bin.accuracy),
        ]
    }));
    writeln!(out)?;
    table::write(out, &[Align::Right; 4], &rows)
}

fn write_mistakes(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    if evaluation.mistakes.is_empty() {
        return Ok(());
    }
    let header = ["surest mistakes", "taken for", "class", "image"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(evaluation.mistakes.iter().map(|mistake| {
        vec![
            percent(mistake.probability.into()),
            shown(&mistake.predicted_label),
            shown(&mistake.truth_label),
            escaped(&mistake.input),
        ]
    }));
    writeln!(out)?;
    let left = Align::Left;
    table::write(out, &[Align::Right, left, left, left], &rows)
}

/// Says how many rows were left out.
pub(super) fn write_more(out: &mut dyn Write, count: usize, listed: usize) -> io::Result<()> {
    match count.checked_sub(listed) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(
            out,
            "{} more, which `--format json` lists",
            thousands(more as u64)
        ),
    }
}

/// A part of a whole: `86.80 % (8,680 of 10,000), 95 % interval 86.12 % to 87.45 %`.
pub(super) fn share(share: &Share) -> String {
    let of = format!("{} of {}", thousands(share.count), thousands(share.of));
    match (share.share, share.interval) {
        (Some(share), Some([low, high])) => format!(
            "{} ({of}), 95 % interval {} to {}",
            percent(share),
            percent(low),
            percent(high)
        ),
        _ => of,
    }
}
