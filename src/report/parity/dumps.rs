use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::page::Page;
use super::{difference, rows};
use crate::parity::{Comparison, DumpSummary};
use crate::report::Report;
use crate::text::{counted, shown, shown_list};

/// The answer of `senet parity` for two dumps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DumpParity {
    /// Whether every value that both have is within the tolerance.
    pub passed: bool,
    /// Our dump.
    pub ours: DumpSummary,
    /// The dump it is compared with.
    pub reference: DumpSummary,
    /// The network in whose order the values are, if any.
    pub network: Option<String>,
    /// Absolute part of the tolerance.
    pub atol: f64,
    /// Relative part of the tolerance.
    pub rtol: f64,
    /// What our dump calls values whose names differ, by the reference's names.
    pub aliases: HashMap<String, String>,
    /// Values that only our dump has.
    pub only_ours: Vec<String>,
    /// Values that only the reference has.
    pub only_reference: Vec<String>,
    /// The first value, in order, that is not within the tolerance.
    pub first_divergence: Option<String>,
    /// Every value that both have, in order.
    pub layers: Vec<Comparison>,
    /// Columns that there are for a table.
    #[serde(skip)]
    pub width: Option<usize>,
}

impl DumpParity {
    /// Writes it as a page that stands alone.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_page(&self, out: &mut dyn Write) -> io::Result<()> {
        let [title, facts @ ..] = &self.facts()[..] else {
            return Ok(());
        };
        let page = Page {
            title: title.clone(),
            facts: facts.to_vec(),
            values: &self.layers,
            tolerance: self.rtol,
        };
        page.write(out)
    }

    /// What was found, a line each.
    fn facts(&self) -> Vec<String> {
        /// Enough to see what they are.
        const SHOWN: usize = 4;
        let of = |dump: &DumpSummary| {
            let framework = dump
                .framework
                .as_deref()
                .map(|framework| format!("{}, ", shown(framework)));
            let said = if dump.layout_is_said {
                ""
            } else {
                ", from the shapes"
            };
            format!(
                "`{}` ({}{}{said})",
                shown(&dump.file),
                framework.unwrap_or_default(),
                dump.layout.name()
            )
        };
        let mut facts = vec![format!(
            "{} against {}: {} compared, in {} order",
            of(&self.ours),
            of(&self.reference),
            counted(self.layers.len(), "value"),
            match &self.network {
                Some(network) => format!("{network}'s"),
                None => "the reference's".to_owned(),
            }
        )];
        for (side, names) in [
            ("ours", &self.only_ours),
            ("the reference", &self.only_reference),
        ] {
            if !names.is_empty() {
                facts.push(format!(
                    "only in {side}: {}: {}",
                    counted(names.len(), "value"),
                    shown_list(names, SHOWN)
                ));
            }
        }
        let first = self.first_divergence.as_deref();
        let found = match first {
            None => self.of_how_much(),
            Some(_) => String::new(),
        };
        facts.push(difference(first, &found, self.atol, self.rtol));
        facts
    }

    /// In how much the dumps are equal, where it is less than half of what they have: the input
    /// counts for nothing, as nothing computed it.
    fn of_how_much(&self) -> String {
        let count = |names: &mut dyn Iterator<Item = &String>| {
            names.filter(|name| *name != "input").count()
        };
        let both = count(&mut self.layers.iter().map(|value| &value.name));
        let alone = count(&mut self.only_ours.iter().chain(&self.only_reference));
        if both >= alone {
            return String::new();
        }
        let both = counted(both, "value");
        format!(" in {both}; {alone} in one of the two alone")
    }
}

impl Report for DumpParity {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        rows::write(out, &self.layers, self.rtol, self.width)?;
        writeln!(out)?;
        for fact in self.facts() {
            writeln!(out, "{fact}")?;
        }
        Ok(())
    }
}
