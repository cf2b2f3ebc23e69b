use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::table::{self, Align, thousands};
use crate::network::Top1;

/// The answer of `senet models`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Models {
    /// In the catalogue's order.
    pub models: Vec<Model>,
}

/// A network of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// The input it is made for, `[C, H, W]`.
    pub input: [usize; 3],
    /// Trainable numbers.
    pub parameters: u64,
    /// Multiplies for one such input.
    pub macs: u64,
    /// The best published accuracy.
    pub top1: Option<Top1>,
    /// What `--weights` takes to load published weights.
    pub hub: Vec<String>,
    /// The code base whose arithmetic it follows.
    pub convention: &'static str,
    /// Whether its weights are inside the program.
    pub embedded: bool,
    /// One line for people.
    pub summary: &'static str,
}

/// The heads of a row's cells.
const HEADER: [&str; 8] = [
    "network",
    "input",
    "parameters",
    "MACs",
    "top-1",
    "weights on the hub",
    "convention",
    "what it is",
];

const ALIGN: [Align; 8] = [
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
];

impl Model {
    fn cells(&self) -> Vec<String> {
        let [channels, height, width] = self.input;
        let top1 = self.top1.as_ref().map_or(String::new(), |top1| {
            format!("{:.2} % at {} ({})", top1.percent, top1.size, top1.source)
        });
        let hub = match self.hub.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        let embedded = if self.embedded {
            " (embedded weights)"
        } else {
            ""
        };
        vec![
            self.name.to_owned(),
            format!("{channels}x{height}x{width}"),
            thousands(self.parameters),
            thousands(self.macs),
            top1,
            hub,
            self.convention.to_owned(),
            format!("{}{embedded}", self.summary),
        ]
    }
}

impl Models {
    /// Writes it as a Markdown table.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows = self.models.iter().map(Model::cells);
        table::write_markdown(out, &ALIGN, &HEADER, rows)
    }
}

impl Report for Models {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
        rows.extend(self.models.iter().map(Model::cells));
        table::write(out, &ALIGN, &rows)
    }
}
