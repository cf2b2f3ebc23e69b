//! The answer of `senet bench`.

mod page;

use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::plan::rounded_to;
use super::table::{self, Align, thousands};
use crate::cpu::{Isa, Precision};
use crate::text::{counted, escaped, shown};

/// The answer of `senet bench`. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bench {
    /// The network that ran.
    pub network: String,
    /// The file that its weights are from; nothing where they were drawn at random.
    pub weights: Option<String>,
    /// What computed it: `cpu` or `candle`.
    pub engine: &'static str,
    /// The instructions of the engine cpu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isa: Option<Isa>,
    /// What maps and weights are rounded to on the engine cpu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// The device: `cpu`, `cuda:0`.
    pub device: String,
    /// Threads that shared the work of the CPU.
    pub threads: usize,
    /// Whether only Winograd's tiles of 2x2 were allowed, by the name that this had as a flag.
    pub exact: bool,
    /// The shape of the input, `[N, C, H, W]`.
    pub input_shape: Vec<usize>,
    /// Runs that were measured.
    pub runs: usize,
    /// The time to open the weights, or draw them, and to pack them.
    pub load_ms: f64,
    /// Part of that to plan alone, on the engine cpu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_ms: Option<f64>,
    /// The time of an image: that of a run over the images of the batch.
    #[serde(flatten)]
    pub image: Spread,
    /// The time of a run, which takes all images of the batch.
    pub run: Spread,
    /// Images a second, at the median.
    pub images_per_s: f64,
    /// The most memory that the process has had, in bytes, where the system says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// Multiplications that so many threads can do at most in a second, each with an addition, on
    /// the engine cpu: measured in registers alone, after the runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_macs_per_s: Option<f64>,
    /// Bytes that so many threads read in a second from memory that no cache holds, on the engine
    /// cpu: measured after the runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<f64>,
    /// Where the time of a run goes, the most first.
    pub kinds: Vec<Kind>,
    /// The same by step, in the order of computation.
    pub steps: Vec<Step>,
    /// Whether text lists the steps.
    #[serde(skip)]
    pub list_steps: bool,
}

/// The times that something took in several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median_ms: f64,
    /// The shortest time.
    pub min_ms: f64,
    /// Between the first and the third quartile.
    pub spread_ms: f64,
}

/// Steps of a run that do the same kind of thing in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kind {
    /// The operation of their first layer; for a convolution with its kernel, stride and groups.
    pub kind: String,
    /// The algorithm that computes them.
    pub algorithm: &'static str,
    /// The number of steps.
    pub steps: usize,
    /// Multiplications that they do.
    pub macs: u64,
    /// The time of all of them together, in the median of the runs.
    pub ms: f64,
    /// Its share of all kinds' time.
    pub share: f64,
    /// What it does in a second, of the most that can be done; of Winograd's tiles, whose
    /// transforms take time too, the products alone are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_peak: Option<f64>,
}

/// What is computed in one go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The layers that it computes, the one whose value it makes last.
    pub layers: Vec<String>,
    /// The operation of its first layer; for a convolution with its kernel, stride and groups.
    pub kind: String,
    /// The algorithm that computes it.
    pub algorithm: &'static str,
    /// The shape of its value, `[N, C, H, W]`.
    pub output_shape: Vec<usize>,
    /// Multiplications that it does.
    pub macs: u64,
    /// Bytes that it has to read and write at least: values and parameters in single precision.
    pub bytes: u64,
    /// Its time in the median of the runs.
    pub ms: f64,
}

impl Spread {
    /// That of `times`, in milliseconds; zeros where there are none.
    #[must_use]
    pub fn of(times: &[f64]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quantile = |share: f64| -> f64 {
            let place = share * (sorted.len().max(1) - 1) as f64;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in the list"
            )]
            let before = place as usize;
            let at = |index: usize| sorted.get(index).or(sorted.last()).copied();
            let [low, high] = [before, before + 1].map(|index| at(index).unwrap_or_default());
            low + (high - low) * place.fract()
        };
        Self {
            median_ms: quantile(0.5),
            min_ms: quantile(0.),
            spread_ms: quantile(0.75) - quantile(0.25),
        }
    }

    /// A share of it.
    #[must_use]
    pub fn over(self, count: usize) -> Self {
        let count = count.max(1) as f64;
        Self {
            median_ms: self.median_ms / count,
            min_ms: self.min_ms / count,
            spread_ms: self.spread_ms / count,
        }
    }
}

impl Bench {
    /// Writes how long each step takes.
    fn write_steps(&self, out: &mut dyn Write) -> io::Result<()> {
        let (left, right) = (Align::Left, Align::Right);
        let align = [left, left, left, right, right, right, right];
        let header = ["layers", "kind", "algorithm", "MACs", "MB", "ms", "GMAC/s"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(self.steps.iter().map(|step| {
            vec![
                step.names(),
                step.kind.clone(),
                step.algorithm.to_owned(),
                thousands(step.macs),
                format!("{:.3}", step.bytes as f64 / 1e6),
                format!("{:.3}", step.ms),
                match step.macs {
                    0 => String::new(),
                    macs => format!("{:.1}", macs as f64 / step.ms / 1e6),
                },
            ]
        }));
        table::write(out, &align, &rows)?;
        writeln!(out)
    }

    /// What ran, how and how fast: a name and what it is.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let weights = self.weights.as_deref().map_or("drawn".to_owned(), escaped);
        facts.push(("weights", weights));
        let threads = counted(self.threads, "thread");
        let isa = self.isa.map_or(String::new(), |isa| format!(", {isa}"));
        let winograd = if self.exact { ", winograd 2x2" } else { "" };
        let precision = self.precision.map_or(String::new(), rounded_to);
        facts.push((
            "engine",
            format!(
                "{} on {}{isa}{precision}, {threads}{winograd}",
                self.engine, self.device
            ),
        ));
        facts.push(("input", format!("{:?}", self.input_shape)));
        let plan = self.plan_ms.map_or(String::new(), |plan| {
            format!("; to plan alone takes {plan:.2} ms")
        });
        facts.push(("load", format!("{:.1} ms{plan}", self.load_ms)));
        let spread = |spread: Spread| {
            format!(
                "{:.3} ms median, {:.3} ms at least, {:.3} ms between the quartiles",
                spread.median_ms, spread.min_ms, spread.spread_ms
            )
        };
        facts.push((
            "run",
            format!("{}; {}", spread(self.run), counted(self.runs, "run")),
        ));
        facts.push(("image", spread(self.image)));
        facts.push(("images", format!("{:.1} a second", self.images_per_s)));
        if let Some(peak) = self.peak_macs_per_s {
            facts.push(("peak", format!("{:.1} GMAC/s", peak / 1e9)));
        }
        if let Some(bandwidth) = self.bandwidth {
            facts.push(("reads", format!("{:.1} GB/s from memory", bandwidth / 1e9)));
        }
        if let Some(memory) = self.peak_memory {
            facts.push(("memory", format!("{} bytes at most", thousands(memory))));
        }
        facts
    }
}

impl Step {
    /// Its layers in a few words: the first and the last.
    fn names(&self) -> String {
        match &self.layers[..] {
            [] => String::new(),
            [only] => shown(only),
            [first, .., last] => format!("{} … {}", shown(first), shown(last)),
        }
    }
}

impl Report for Bench {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = [
            "kind",
            "algorithm",
            "steps",
            "MACs",
            "ms",
            "share",
            "GMAC/s",
            "of peak",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(self.kinds.iter().map(|kind| {
            let rate = kind.macs as f64 / kind.ms / 1e6;
            let or_nothing = |text: String| match kind.macs {
                0 => String::new(),
                _ => text,
            };
            let of_peak = kind.of_peak.unwrap_or_default();
            vec![
                kind.kind.clone(),
                kind.algorithm.to_owned(),
                kind.steps.to_string(),
                thousands(kind.macs),
                format!("{:.3}", kind.ms),
                format!("{:.1} %", kind.share * 100.),
                or_nothing(format!("{rate:.1}")),
                or_nothing(format!("{:.0} %", of_peak * 100.)),
            ]
        }));
        writeln!(out, "{}", self.network)?;
        let (left, right) = (Align::Left, Align::Right);
        let align = [left, left, right, right, right, right, right, right];
        // The last column is of the engine cpu alone.
        let columns = align.len() - usize::from(self.peak_macs_per_s.is_none());
        table::write(out, &align[..columns], &rows)?;
        writeln!(out)?;
        if self.list_steps {
            self.write_steps(out)?;
        }
        for (name, fact) in self.facts() {
            writeln!(out, "{name:<8} {fact}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_between_the_numbers_that_are_nearest() {
        let spread = Spread::of(&[4., 1., 3., 2., 10.]);
        let expected = Spread {
            median_ms: 3.,
            min_ms: 1.,
            spread_ms: 2.,
        };
        assert_eq!(spread, expected);
        let of_two = Spread {
            median_ms: 1.5,
            min_ms: 1.,
            spread_ms: 0.5,
        };
        assert_eq!(Spread::of(&[2., 1.]), of_two);
        assert_eq!(Spread::of(&[20., 10.]).over(10), of_two);
        let nothing = Spread {
            median_ms: 0.,
            min_ms: 0.,
            spread_ms: 0.,
        };
        assert_eq!(Spread::of(&[]), nothing);
    }
}
