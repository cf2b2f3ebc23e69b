use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::table::{self, Align, thousands};

/// The answer of `senet models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Models {
    /// In the catalogue's order.
    pub models: Vec<Model>,
}

/// A network of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// The input it is made for, `[C, H, W]`.
    pub input: [usize; 3],
    /// Trainable numbers.
    pub parameters: u64,
    /// Multiplies for one such input.
    pub macs: u64,
    /// The code base whose arithmetic it follows.
    pub convention: &'static str,
    /// Whether its weights are inside the program.
    pub embedded: bool,
    /// One line for people.
    pub summary: &'static str,
}

impl Report for Models {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = [
            "network",
            "input",
            "parameters",
            "MACs",
            "convention",
            "what it is",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(self.models.iter().map(|model| {
            let [channels, height, width] = model.input;
            let embedded = if model.embedded {
                " (embedded weights)"
            } else {
                ""
            };
            vec![
                model.name.to_owned(),
                format!("{channels}x{height}x{width}"),
                thousands(model.parameters),
                thousands(model.macs),
                model.convention.to_owned(),
                format!("{}{embedded}", model.summary),
            ]
        }));
        let align = [
            Align::Left,
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Left,
            Align::Left,
        ];
        table::write(out, &align, &rows)
    }
}
