//! The confusion matrix as a picture.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::report::evaluation::{Evaluation, ScoredClass};
use crate::report::html::escaped;
use crate::report::table::thousands;

/// The most classes that are drawn: those with the most wrong answers where there are more.
const MOST: usize = 40;

/// Side of a cell, and the place for a class's name beside the first.
const CELL: usize = 30;
const NAMES: usize = 150;

/// Room to the right of the last cell for its column's name, which leans over it.
const LEANING: usize = 80;

/// Letters of a name that there is room for.
const LETTERS: usize = 22;

/// Writes the matrix: a row for each class, a column for what its images are taken for.
pub(super) fn write(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    let classes = chosen(evaluation);
    let places: BTreeMap<usize, usize> = classes
        .iter()
        .enumerate()
        .map(|(place, scored)| (scored.score.class, place))
        .collect();
    writeln!(
        out,
        "<h2>Confusion</h2>\n<p class=\"note\">A row for each class, a column for what its images \
         are taken for; the stronger its colour, the more of the class{}.</p>",
        match evaluation.classes.len() {
            all if all > classes.len() => format!(
                "; the {} of {all} classes with the most wrong answers",
                classes.len()
            ),
            _ => String::new(),
        }
    )?;
    let height = NAMES + CELL * classes.len();
    let width = height + LEANING;
    writeln!(
        out,
        "<div class=\"scroll\"><svg class=\"matrix\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"confusion matrix\">"
    )?;
    for (place, scored) in classes.iter().enumerate() {
        let name = name(&scored.label);
        let middle = NAMES + CELL * place + CELL / 2;
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <text transform=\"translate({},{}) rotate(-60)\">{name}</text>",
            NAMES - 6,
            middle + 4,
            middle + 4,
            NAMES - 6
        )?;
    }
    for cell in &evaluation.confusion {
        let (Some(&row), Some(&column)) = (places.get(&cell.truth), places.get(&cell.predicted))
        else {
            continue;
        };
        let Some(of) = classes.get(row).map(|scored| scored.score.images) else {
            continue;
        };
        let share = cell.images as f64 / of.max(1) as f64;
        let class = if row == column { "ok" } else { "bad" };
        let (x, y) = (NAMES + CELL * column, NAMES + CELL * row);
        let label = |place: usize| classes.get(place).map_or("", |scored| &scored.label);
        writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" \
             fill-opacity=\"{:.2}\"><title>{} taken for {}: {}</title></rect>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            // What is there at all is seen.
            share.clamp(0.08, 1.),
            escaped(label(row)),
            escaped(label(column)),
            thousands(cell.images),
            x + CELL / 2,
            y + CELL / 2 + 4,
            short(cell.images)
        )?;
    }
    writeln!(out, "</svg></div>")
}

/// The classes that are drawn, in the order of their numbers.
fn chosen(evaluation: &Evaluation) -> Vec<&ScoredClass> {
    let mut classes: Vec<&ScoredClass> = evaluation.classes.iter().collect();
    if classes.len() > MOST {
        classes.sort_by_key(|scored| {
            let score = &scored.score;
            let wrong = (score.images - score.right) + (score.predicted - score.right);
            std::cmp::Reverse(wrong)
        });
        classes.truncate(MOST);
        classes.sort_by_key(|scored| scored.score.class);
    }
    classes
}

/// The first word of a label's, cut where there is no more room.
fn name(label: &str) -> String {
    let first = label.split(',').next().unwrap_or(label);
    match first.char_indices().nth(LETTERS) {
        Some((end, _)) => escaped(&format!("{}…", &first[..end])),
        None => escaped(first),
    }
}

/// A count in at most four signs, as there is room for.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}
