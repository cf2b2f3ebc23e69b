use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::table::{self, Align, thousands};
use crate::cpu::{PlanSummary, Precision};
use crate::network::layers::SEPARATORS;
use crate::text::counted;

/// The answer of `senet trace --plan`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReport {
    /// The network planned.
    pub network: String,
    /// The shape of its input, `[N, C, H, W]`.
    pub input_shape: Vec<usize>,
    /// Whether only Winograd's tiles of 2x2 are allowed, by the name that this had as a flag.
    pub exact: bool,
    /// What a run does.
    #[serde(flatten)]
    pub plan: PlanSummary,
    /// Multiplications that a run does.
    pub macs: u64,
    /// Multiplications of the layers as they are written.
    pub direct_macs: u64,
    /// Layers that no step computes, and that would be left to candle.
    pub candle_layers: Vec<String>,
}

/// What maps and weights are rounded to, as one of several facts, where it is not the usual.
pub(super) fn rounded_to(precision: Precision) -> String {
    match precision {
        Precision::F32 => String::new(),
        Precision::Bf16 => format!(", {}", precision.name()),
    }
}

impl Report for PlanReport {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = ["layers", "algorithm", "output", "buffer", "bytes", "MACs"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(self.plan.steps.iter().map(|step| {
            vec![
                together(&step.layers),
                step.algorithm.name().to_owned(),
                format!("{:?}", step.output),
                step.buffer.to_string(),
                thousands(step.bytes as u64),
                thousands(step.macs),
            ]
        }));
        let PlanSummary {
            isa,
            precision,
            threads,
            memory,
            micro_batch,
            ..
        } = &self.plan;
        writeln!(out, "{}", self.network)?;
        let (left, right) = (Align::Left, Align::Right);
        table::write(out, &[left, left, left, right, right, right], &rows)?;
        writeln!(out)?;
        let winograd = if self.exact { ", winograd 2x2" } else { "" };
        let threads = counted(*threads, "thread");
        let precision = rounded_to(*precision);
        writeln!(
            out,
            "engine  cpu, {isa}{precision}, {threads}{winograd}, input {:?}",
            self.input_shape
        )?;
        if self.input_shape.first() != Some(micro_batch) {
            writeln!(
                out,
                "images  {micro_batch} at a time; this is the plan of so many"
            )?;
        }
        let steps = self.plan.steps.len();
        match self.candle_layers.as_slice() {
            [] => writeln!(out, "steps   {steps}, none of them candle's")?,
            layers => writeln!(
                out,
                "steps   {steps}; left to candle: {}",
                layers.join(", ")
            )?,
        }
        let memory = thousands(*memory as u64);
        writeln!(
            out,
            "memory  {memory} bytes for all values, besides the weights"
        )?;
        write!(
            out,
            "MACs    {} done for {} of the layers as written",
            thousands(self.macs),
            thousands(self.direct_macs)
        )?;
        match self.direct_macs {
            0 => writeln!(out),
            direct => writeln!(out, " ({:.2})", self.macs as f64 / direct as f64),
        }
    }
}

/// The names of a step's layers on one line, what they have in common said once. A group is the same
/// whether a dot or a slash ends it.
fn together(layers: &[String]) -> String {
    let groups = |name: &String| -> Vec<String> {
        let mut parts: Vec<String> = name.split(SEPARATORS).map(str::to_owned).collect();
        parts.pop();
        parts
    };
    let common = layers.iter().map(groups).reduce(|common, groups| {
        let alike = common.iter().zip(&groups).take_while(|(a, b)| a == b);
        let count = alike.count();
        common.into_iter().take(count).collect()
    });
    let common = common.unwrap_or_default();
    let first = match layers {
        [first, _, ..] if !common.is_empty() => first,
        _ => return layers.join(" + "),
    };
    // A separator is one byte.
    let prefix: usize = common.iter().map(|group| group.len() + 1).sum();
    let own: Vec<&str> = layers.iter().map(|name| &name[prefix..]).collect();
    format!("{}: {}", &first[..prefix - 1], own.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_have_in_common_is_said_once() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        for (layers, expected) in [
            (&["conv1", "bn1"][..], "conv1 + bn1"),
            (&["layer1.0.se.squeeze"], "layer1.0.se.squeeze"),
            (
                &["layer1.0.se.fc2", "layer1.0.se.sigmoid"],
                "layer1.0.se: fc2 + sigmoid",
            ),
            (
                &["layer1.0.conv3", "layer1.0.se.scale", "layer1.0.relu"],
                "layer1.0: conv3 + se.scale + relu",
            ),
            (&["a/b.c", "a/b/d/e"], "a/b: c + d/e"),
            (&[], ""),
        ] {
            assert_eq!(together(&names(layers)), expected);
        }
    }
}
