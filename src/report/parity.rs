mod bars;
mod dumps;
mod names;
mod page;
mod rows;

use std::io::{self, Write};

use serde::Serialize;

use self::page::Page;
use super::Report;
use super::isolation;
use crate::parity::causes::Explanation;
use crate::parity::{Comparison, Coverage, Inside, Isolated};
use crate::text::{counted, shown, shown_list};

pub use dumps::DumpParity;
pub use names::DumpNames;

/// The answer of `senet parity`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parity {
    /// Whether every value is within the tolerance, in isolation too where that was looked at.
    pub passed: bool,
    /// The network compared.
    pub network: String,
    /// What computed it: `cpu` or `candle`.
    pub engine: &'static str,
    /// The framework compared with, in the dump's own words.
    pub framework: Option<String>,
    /// Absolute part of the tolerance.
    pub atol: f64,
    /// Relative part of the tolerance.
    pub rtol: f64,
    /// How much of the network was compared.
    pub coverage: Coverage,
    /// Values of the dump that were not compared, since the engine folds them into others.
    pub folded: Vec<String>,
    /// Values of the dump that mean no layer of the network, and were left out.
    pub extra: Vec<String>,
    /// The first value, in the network's order, that is not within the tolerance: the very layer,
    /// where it is found inside what the engine computes as one, else the first in isolation.
    pub first_divergence: Option<String>,
    /// What candle says of the layers inside the first step of the engine that differs.
    pub inside: Option<Inside>,
    /// Every value compared, in the network's order.
    pub layers: Vec<Comparison>,
    /// Where parity fails, or isolation was asked for: every value of the dump, computed from the
    /// reference's values nearest before it.
    pub isolated: Option<Vec<Isolated>>,
    /// Why the first of those differ that do.
    pub causes: Vec<Explanation>,
    /// Whether text lists the values in isolation.
    #[serde(skip)]
    pub isolate: bool,
    /// Columns that there are for a table.
    #[serde(skip)]
    pub width: Option<usize>,
}

impl Parity {
    /// Writes it as a page that stands alone.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_page(&self, out: &mut dyn Write) -> io::Result<()> {
        let [title, facts @ ..] = &self.facts()[..] else {
            return Ok(());
        };
        let mut causes = Vec::new();
        self.write_causes(&mut causes)?;
        let causes = String::from_utf8_lossy(&causes);
        let facts = facts.iter().map(String::as_str).chain(causes.lines());
        let page = Page {
            title: title.clone(),
            facts: facts.map(str::to_owned).collect(),
            values: &self.layers,
            tolerance: self.rtol,
        };
        page.write(out)
    }

    /// Writes why the first values differ that do.
    fn write_causes(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.isolated {
            Some(isolated) if !self.passed || isolated.iter().any(|value| !value.passed) => {
                isolation::write_causes(out, isolated, &self.causes)
            }
            _ => Ok(()),
        }
    }

    /// What was found, a line each.
    fn facts(&self) -> Vec<String> {
        /// Enough to see what they are.
        const SHOWN: usize = 4;
        let Coverage {
            layers,
            of_layers,
            blocks,
            of_blocks,
        } = self.coverage;
        let blocks = match of_blocks {
            0 => String::new(),
            of_blocks => format!(" and {blocks} of {of_blocks} blocks"),
        };
        let framework = shown(self.framework.as_deref().unwrap_or("the reference"));
        let mut facts = vec![format!(
            "{} on engine {} against {framework}: {layers} of {of_layers} layers{blocks} compared",
            self.network, self.engine
        )];
        if !self.folded.is_empty() {
            facts.push(format!(
                "not compared: {} of the dump's values, which this engine folds into others \
                 (`--engine candle` compares all)",
                self.folded.len()
            ));
        }
        if !self.extra.is_empty() {
            facts.push(format!(
                "left out: {} that mean no layer of the network: {}",
                counted(self.extra.len(), "value"),
                shown_list(&self.extra, SHOWN)
            ));
        }
        let found = match &self.inside {
            Some(inside) => self.found(inside),
            None if !self.passed && self.layers.iter().all(|value| value.passed) => {
                ", computed from the reference's own values before it".to_owned()
            }
            None => String::new(),
        };
        let first = self.first_divergence.as_deref();
        facts.push(difference(first, &found, self.atol, self.rtol));
        facts
    }

    /// How the very layer was found.
    fn found(&self, inside: &Inside) -> String {
        let Inside { step, engine, .. } = inside;
        match inside.first_divergence() {
            None => format!(
                ", where {engine} computes what the reference has, and engine {} does not",
                self.engine
            ),
            Some(first) if first.name == *step => {
                format!(", as {engine} finds too, and in no layer inside that step")
            }
            Some(_) => format!(
                ", as {engine} finds inside the step that ends with `{}`",
                shown(step)
            ),
        }
    }
}

/// The answer in a line: the first value that differs, if one does, and what more was `found`.
fn difference(first: Option<&str>, found: &str, absolute: f64, relative: f64) -> String {
    let tolerance = format!("atol {absolute:e}, rtol {relative:e}");
    match first {
        None => format!("equal{found} ({tolerance})"),
        Some(name) => format!("different, first at `{}`{found} ({tolerance})", shown(name)),
    }
}

impl Report for Parity {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        rows::write(out, &self.layers, self.rtol, self.width)?;
        if let Some(isolated) = self.isolated.as_ref().filter(|_| self.isolate) {
            writeln!(out)?;
            isolation::write(out, isolated)?;
        }
        writeln!(out)?;
        for fact in self.facts() {
            writeln!(out, "{fact}")?;
        }
        let mut causes = Vec::new();
        self.write_causes(&mut causes)?;
        if !causes.is_empty() {
            writeln!(out)?;
        }
        out.write_all(&causes)
    }
}
