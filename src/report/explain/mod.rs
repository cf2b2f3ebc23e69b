//! What a network saw in images.

mod by_class;
mod page;

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

pub use self::by_class::{GatedClass, GatesByClass};
pub use self::page::{PICTURED, Pictures};
use super::html;
use crate::classifier::Class;
use crate::explain::Explanation;
use crate::text::{escaped, shown};

/// The form of what a network saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people.
    Table,
    /// One object a line.
    Ndjson,
    /// A page that stands alone: photographs and their heat maps, classes, and a strip for each
    /// block's gates.
    Html,
}

impl ExplainFormat {
    /// Writes what comes before the first image, with names of the network and its weights.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn start(self, network: &str, weights: &str, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table | Self::Ndjson => Ok(()),
            Self::Html => page::start(out, network, weights),
        }
    }

    /// Writes what comes behind the last.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn end(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Table | Self::Ndjson => Ok(()),
            Self::Html => html::end(out),
        }
    }
}

/// The likeliest classes that are named.
const TOP: usize = 5;

/// What `senet explain` says of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The input, as it was named.
    pub input: String,
    /// The class that the heat map is of.
    pub class: Option<Class>,
    /// The likeliest classes, five at most.
    pub top: Vec<Class>,
    /// Where in the network's input the evidence for it is.
    pub map: Option<ExplainedMap>,
    /// The gates of each SE block, in the order of computation.
    pub gates: Vec<ExplainedGates>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// All of it drawn, for a page.
    #[serde(skip)]
    pub pictures: Option<Pictures>,
}

/// A heat map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedMap {
    /// `class activation` or `occlusion`.
    pub method: &'static str,
    /// Rows, which share the height of the network's input evenly.
    pub rows: usize,
    /// Columns, which share its width.
    pub columns: usize,
    /// A number for each place, row by row: the larger, the more it speaks for the class.
    pub values: Vec<f32>,
    /// What the network adds to the mean of the values for the class's logit, where that is exact.
    pub bias: Option<f32>,
}

impl ExplainedMap {
    /// The least and the largest of its numbers.
    fn range(&self) -> [f32; 2] {
        let values = || self.values.iter().copied();
        [
            values().fold(f32::INFINITY, f32::min),
            values().fold(f32::NEG_INFINITY, f32::max),
        ]
    }
}

/// The gates of an SE block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedGates {
    /// The block.
    pub block: String,
    /// Their mean.
    pub mean: f32,
    /// The least.
    pub least: f32,
    /// The largest.
    pub largest: f32,
    /// What each channel was multiplied by.
    pub values: Vec<f32>,
}

impl Explained {
    /// What there is to say of an image that was seen.
    #[must_use]
    pub fn new(input: String, explanation: &Explanation) -> Self {
        let evidence = explanation.evidence.as_ref();
        let gates = explanation.gates.iter().map(|gates| {
            let [least, largest] = gates.range();
            ExplainedGates {
                block: gates.block.clone(),
                mean: gates.mean(),
                least,
                largest,
                values: gates.values.clone(),
            }
        });
        Self {
            input,
            class: evidence.map(|evidence| evidence.class.clone()),
            map: evidence.map(|evidence| ExplainedMap {
                method: evidence.map.method.name(),
                rows: evidence.map.size[0],
                columns: evidence.map.size[1],
                values: evidence.map.values.clone(),
                bias: evidence.map.bias,
            }),
            top: explanation.classes.top(TOP),
            gates: gates.collect(),
            error: None,
            pictures: None,
        }
    }

    /// Why there is nothing to say of an image.
    #[must_use]
    pub fn failed(input: String, error: String) -> Self {
        Self {
            input,
            class: None,
            top: Vec::new(),
            map: None,
            gates: Vec::new(),
            error: Some(error),
            pictures: None,
        }
    }

    /// Writes it as `format` asks.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write(&self, format: ExplainFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ExplainFormat::Table => self.write_table(out)?,
            ExplainFormat::Ndjson => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)?;
            }
            ExplainFormat::Html => page::write(out, self)?,
        }
        out.flush()
    }

    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", escaped(&self.input))?;
        if let Some(error) = &self.error {
            return writeln!(out, "  error: {}", escaped(error));
        }
        if let (Some(class), Some(map)) = (&self.class, &self.map) {
            let percent = f64::from(class.probability) * 100.;
            writeln!(out, "  {percent:.1} %  {}", shown(&class.label))?;
            writeln!(
                out,
                "  {} map of {}x{} places:",
                map.method, map.rows, map.columns
            )?;
            write_map(map, out)?;
        }
        if self.gates.is_empty() {
            return writeln!(out, "  no SE block, so no gates");
        }
        let names = self.gates.iter().map(|gates| shown(&gates.block));
        let width = names
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0)
            .max("gates".len());
        writeln!(out, "  {:width$}  channels   mean  least  largest", "gates")?;
        for gates in &self.gates {
            writeln!(
                out,
                "  {:width$}  {:>8}  {:.3}  {:.3}    {:.3}",
                shown(&gates.block),
                gates.values.len(),
                gates.mean,
                gates.least,
                gates.largest
            )?;
        }
        Ok(())
    }
}

/// The map in ten shades, a mark for each place.
fn write_map(map: &ExplainedMap, out: &mut dyn Write) -> io::Result<()> {
    const SHADES: &[u8; 10] = b" .:-=+*#%@";
    let [least, largest] = map.range();
    for row in map.values.chunks(map.columns.max(1)) {
        let shades = row.iter().map(|value| {
            let part = (value - least) / (largest - least);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 9; no number is 0"
            )]
            let shade = (part * 9.).round() as usize;
            char::from(SHADES[shade.min(9)])
        });
        // Twice as wide, since a character is twice as high.
        let line: String = shades.flat_map(|shade| [shade, shade]).collect();
        writeln!(out, "    {}", line.trim_end())?;
    }
    Ok(())
}
