use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::isolation;
use super::table::{self, Align};
use crate::parity::causes::Explanation;
use crate::parity::{Comparison, Coverage, Isolated};
use crate::text::shown;

/// The answer of `senet parity`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parity {
    /// Whether every value is within the tolerance.
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
    /// The first value, in the network's order, that is not within the tolerance.
    pub first_divergence: Option<String>,
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
}

impl Report for Parity {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = [
            "layer", "shape", "max abs", "max rel", "cosine", "worst at", "",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(self.layers.iter().map(|layer| {
            vec![
                shown(&layer.name),
                format!("{:?}", layer.shape),
                format!("{:.1e}", layer.max_abs),
                format!("{:.1e}", layer.max_rel),
                format!("{:.9}", layer.cosine),
                format!("{:?}", layer.worst),
                if layer.passed { "ok" } else { "DIFFERS" }.to_owned(),
            ]
        }));
        let (left, right) = (Align::Left, Align::Right);
        table::write(out, &[left, left, right, right, right, left, left], &rows)?;
        if let Some(isolated) = self.isolated.as_ref().filter(|_| self.isolate) {
            writeln!(out)?;
            isolation::write(out, isolated)?;
        }
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
        writeln!(out)?;
        writeln!(
            out,
            "{} on engine {} against {framework}: {layers} of {of_layers} layers{blocks} compared",
            self.network, self.engine
        )?;
        if !self.folded.is_empty() {
            writeln!(
                out,
                "not compared: {} of the dump's values, which this engine folds into others \
                 (`--engine candle` compares all)",
                self.folded.len()
            )?;
        }
        let tolerance = format!("atol {:e}, rtol {:e}", self.atol, self.rtol);
        match &self.first_divergence {
            None => writeln!(out, "equal ({tolerance})")?,
            Some(name) => writeln!(out, "different, first at `{}` ({tolerance})", shown(name))?,
        }
        match &self.isolated {
            Some(isolated) if !self.passed || isolated.iter().any(|value| !value.passed) => {
                writeln!(out)?;
                isolation::write_causes(out, isolated, &self.causes)
            }
            _ => Ok(()),
        }
    }
}
