//! Mean gates by class.

mod page;

use std::io::{self, Write};

use serde::Serialize;

use super::ExplainFormat;
use crate::explain::MeanGates;
use crate::report::Failure;
use crate::report::table::{self, Align, thousands};
use crate::text::{escaped, shown};

/// Failures that are listed as text.
const LISTED: usize = 10;

/// The spread from which on four decimals show one.
const ALIKE: f32 = 5e-5;

/// What `senet explain --by-class` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct GatesByClass {
    /// The images' folder or list.
    pub data: String,
    /// Where the weights come from.
    pub weights: String,
    /// The network that they are for.
    pub network: String,
    /// How the data's classes were found among the network's; nothing where it has none.
    pub matched_by: Option<&'static str>,
    /// How many images were seen.
    pub images: u64,
    /// Images that were not.
    pub failed: Vec<Failure>,
    /// The classes that have images, by their numbers.
    pub classes: Vec<GatedClass>,
    /// The mean gates of each block, in the order of computation.
    pub blocks: Vec<MeanGates>,
}

/// A class whose images were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatedClass {
    /// Its number.
    pub class: usize,
    /// Its name.
    pub label: String,
    /// How many images it has.
    pub images: u64,
}

/// A row for a program: a block and a class, or all classes.
#[derive(Clone, Copy, Serialize)]
struct Row<'a> {
    block: &'a str,
    /// Nothing of all classes, each of which counts the same.
    class: Option<usize>,
    label: Option<&'a str>,
    images: u64,
    /// Of `values`.
    mean: f64,
    /// Between the classes.
    spread: Option<f32>,
    /// The mean gate of each channel.
    values: &'a [f32],
}

impl GatesByClass {
    /// Writes it as `format` asks.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write(&self, format: ExplainFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ExplainFormat::Table => self.write_table(out)?,
            ExplainFormat::Ndjson => self.write_rows(out)?,
            ExplainFormat::Html => page::write(self, out)?,
        }
        out.flush()
    }

    fn write_rows(&self, out: &mut dyn Write) -> io::Result<()> {
        for block in &self.blocks {
            let all = Row {
                block: &block.block,
                class: None,
                label: None,
                images: self.images,
                mean: mean(&block.all),
                spread: Some(block.spread),
                values: &block.all,
            };
            let classes = block.classes.iter().zip(&self.classes);
            let classes = classes.map(|(means, class)| Row {
                class: Some(class.class),
                label: Some(&class.label),
                images: class.images,
                mean: mean(&means.values),
                spread: None,
                values: &means.values,
                ..all
            });
            for row in classes.chain([all]) {
                serde_json::to_writer(&mut *out, &row)?;
                writeln!(out)?;
            }
        }
        Ok(())
    }

    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut facts = vec![
            [
                "data",
                &format!("`{}`, {}", shown(&self.data), self.counted_classes()),
            ]
            .map(str::to_owned),
            [
                "weights",
                &format!("{}, {}", shown(&self.weights), shown(&self.network)),
            ]
            .map(str::to_owned),
            ["images", &thousands(self.images)].map(str::to_owned),
        ];
        if !self.failed.is_empty() {
            let failed = thousands(self.failed.len() as u64);
            facts.push(["failed".to_owned(), format!("{failed}, in no mean")]);
        }
        let facts: Vec<Vec<String>> = facts.into_iter().map(Vec::from).collect();
        table::write(out, &[Align::Left; 2], &facts)?;
        if !self.failed.is_empty() {
            writeln!(out)?;
            for failure in self.failed.iter().take(LISTED) {
                writeln!(
                    out,
                    "{}: {}",
                    escaped(&failure.input),
                    escaped(&failure.error)
                )?;
            }
            let more = self.failed.len().saturating_sub(LISTED);
            if more > 0 {
                writeln!(out, "and {more} more")?;
            }
        }
        if self.images == 0 {
            return Ok(());
        }
        writeln!(out)?;
        let header = [
            "gates",
            "channels",
            "mean",
            "spread",
            "furthest from the mean",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for block in &self.blocks {
            let furthest = self.furthest(block);
            rows.push(vec![
                shown(&block.block),
                block.all.len().to_string(),
                format!("{:.3}", mean(&block.all)),
                format!("{:.4}", block.spread),
                furthest.map_or_else(String::new, |class| shown(&class.label)),
            ]);
        }
        let right = Align::Right;
        table::write(out, &[Align::Left, right, right, right, Align::Left], &rows)
    }

    /// How many classes there are, and how they were found.
    fn counted_classes(&self) -> String {
        let classes = match self.classes.len() {
            1 => "1 class".to_owned(),
            count => format!("{count} classes"),
        };
        match self.matched_by {
            Some(way) => format!("{classes} by {way}"),
            None => classes,
        }
    }

    /// The class whose gates differ most from the mean over all; nothing of a block that treats all
    /// alike, nor of two classes, which are as far from it.
    fn furthest(&self, block: &MeanGates) -> Option<&GatedClass> {
        if block.spread < ALIKE || self.classes.len() < 3 {
            return None;
        }
        let distances = block.classes.iter().map(|class| block.distance(class));
        let classes = self.classes.iter().zip(distances);
        let furthest = classes.max_by(|(_, a), (_, b)| a.total_cmp(b));
        furthest.map(|(class, _)| class)
    }
}

fn mean(values: &[f32]) -> f64 {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    sum / values.len().max(1) as f64
}
