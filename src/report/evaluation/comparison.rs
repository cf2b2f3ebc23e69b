//! Two classifiers on the same images.

use std::io::{self, Write};

use serde::Serialize;

use super::table::share;
use super::{EvaluationRow, Subject};
use crate::evaluation::{Difference, McNemar, Pairs, Share};
use crate::report::table::{self, Align, percent, thousands};
use crate::text::{escaped, shown};

/// Other weights on the same images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The other weights.
    #[serde(flatten)]
    pub subject: Subject,
    /// Images whose class is the likeliest by the other weights.
    pub top_1: Share,
    /// How often each of the two is right; the other weights are the second.
    #[serde(flatten)]
    pub pairs: Pairs,
    /// Images that both take for the same class, by its name.
    pub same_class: u64,
    /// How much larger the accuracy of the other weights is; nothing of no images.
    pub difference: Option<Difference>,
    /// How likely so unequal a division of the images is by chance.
    pub mcnemar: McNemar,
    /// The images that one of the two alone has right, in their order.
    pub changed: Vec<Change>,
}

/// An image that one of two classifiers alone has right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The image, as it was named.
    pub input: String,
    /// The name of its class.
    pub truth_label: String,
    /// What the first takes it for.
    pub first: String,
    /// What the second takes it for.
    pub second: String,
    /// Whether it is the second that is right.
    pub second_is_right: bool,
}

/// Images that two classifiers have looked at, counted.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pairs: Pairs,
    same_class: u64,
    changed: Vec<Change>,
}

impl Changes {
    /// Counts an image, if both have an answer.
    pub fn add(&mut self, row: &EvaluationRow) {
        let (Some(correct), Some(label), Some(compared)) =
            (row.correct, &row.predicted_label, &row.compared)
        else {
            return;
        };
        self.pairs.add(correct, compared.correct);
        self.same_class += u64::from(*label == compared.predicted_label);
        if correct != compared.correct {
            self.changed.push(Change {
                input: row.input.clone(),
                truth_label: row.truth_label.clone(),
                first: label.clone(),
                second: compared.predicted_label.clone(),
                second_is_right: compared.correct,
            });
        }
    }

    /// What they come to, where `subject` is the second classifier.
    #[must_use]
    pub fn comparison(self, subject: Subject) -> Comparison {
        let Pairs {
            both_right,
            only_second,
            ..
        } = self.pairs;
        Comparison {
            subject,
            top_1: Share::new(both_right + only_second, self.pairs.images()),
            pairs: self.pairs,
            same_class: self.same_class,
            difference: self.pairs.difference(),
            mcnemar: self.pairs.mcnemar(),
            changed: self.changed,
        }
    }
}

impl Comparison {
    pub(super) fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let Subject {
            weights, network, ..
        } = &self.subject;
        writeln!(
            out,
            "\ncompared with {}, {}",
            shown(weights),
            shown(network)
        )?;
        let Pairs {
            both_right,
            only_first,
            only_second,
            both_wrong,
        } = self.pairs;
        let row = |name: &str, counts: [u64; 2]| {
            vec![name.to_owned(), thousands(counts[0]), thousands(counts[1])]
        };
        let rows = [
            vec![String::new(), "it right".to_owned(), "it wrong".to_owned()],
            row("right", [both_right, only_first]),
            row("wrong", [only_second, both_wrong]),
        ];
        table::write(out, &[Align::Left, Align::Right, Align::Right], &rows)?;
        writeln!(out)?;
        let mut facts = vec![["its top-1".to_owned(), share(&self.top_1)]];
        if let Some(Difference {
            difference,
            interval: [low, high],
        }) = self.difference
        {
            let points = |share: f64| format!("{:+.2}", share * 100.);
            facts.push([
                "difference".to_owned(),
                format!(
                    "{} percentage points, 95 % interval {} to {}",
                    points(difference),
                    points(low),
                    points(high)
                ),
            ]);
        }
        let McNemar { p, mid_p } = self.mcnemar;
        facts.push([
            "McNemar".to_owned(),
            format!(
                "p = {} (exact), {} (mid-p)",
                probability(p),
                probability(mid_p)
            ),
        ]);
        let images = self.pairs.images();
        facts.push([
            "same class".to_owned(),
            format!(
                "{} of {} images{}",
                thousands(self.same_class),
                thousands(images),
                match images {
                    0 => String::new(),
                    _ => format!(", {}", percent(self.same_class as f64 / images as f64)),
                }
            ),
        ]);
        let facts: Vec<Vec<String>> = facts.into_iter().map(Vec::from).collect();
        table::write(out, &[Align::Left, Align::Left], &facts)?;
        self.write_changes(out, false, "right to wrong")?;
        self.write_changes(out, true, "wrong to right")
    }

    /// The first images that only one of the two has right.
    fn write_changes(&self, out: &mut dyn Write, second: bool, title: &str) -> io::Result<()> {
        /// Images that are listed.
        const LISTED: usize = 5;
        let changed = self
            .changed
            .iter()
            .filter(|change| change.second_is_right == second);
        let count = changed.clone().count();
        if count == 0 {
            return Ok(());
        }
        let mut rows = vec![vec![
            title.to_owned(),
            "then".to_owned(),
            "image".to_owned(),
        ]];
        rows.extend(changed.take(LISTED).map(|change| {
            let then = &change.second;
            vec![shown(&change.first), shown(then), escaped(&change.input)]
        }));
        writeln!(out)?;
        table::write(out, &[Align::Left; 3], &rows)?;
        super::table::write_more(out, count, LISTED)
    }
}

/// A probability in three digits, however small it is.
pub(super) fn probability(p: f64) -> String {
    if p >= 0.001 {
        format!("{p:.3}")
    } else if p > 0. {
        format!("{p:.1e}")
    } else {
        "below 1e-308".to_owned()
    }
}
