//! A trace as a page that stands alone: groups that unfold, and what each costs as bars.

use std::io::{self, Write};

use super::columns::megabytes;
use super::tree::{self, Node};
use super::{DRAWN, TraceReport, TraceRow, Values, WindowRow};
use crate::report::html::{self, bar, escaped};
use crate::report::table::{percent, thousands};

/// Where a level of the tree has fewer rows than this, its groups are unfolded from the start.
const FEW: usize = 4;

/// What all rows are measured against.
struct Scale {
    parameters: u64,
    macs: u64,
    time_ms: Option<f64>,
}

impl TraceReport {
    pub(super) fn write_page(&self, out: &mut dyn Write) -> io::Result<()> {
        html::start(
            out,
            &format!("{}: its layers and what they cost", self.network),
        )?;
        html::facts(out, &self.facts())?;
        let scale = Scale {
            parameters: self.parameters,
            macs: self.macs,
            time_ms: self.time_ms,
        };
        let with_values = self.layers.iter().any(|row| row.values.is_some());
        let class = match (self.time_ms.is_some(), with_values) {
            (true, true) => "tree timed valued",
            (true, false) => "tree timed",
            (false, _) => "tree",
        };
        writeln!(out, "<div class=\"scroll\"><div class=\"{class}\">")?;
        write!(
            out,
            "<div class=\"row head\"><span>layer</span><span>what it does</span>\
             <span>output, {}</span><span>parameters</span><span>MACs</span>",
            self.layout.name()
        )?;
        if self.time_ms.is_some() {
            write!(out, "<span>ms</span>")?;
        }
        if with_values {
            write!(out, "<span>least, most</span><span>mean, deviation</span>")?;
        }
        writeln!(out, "</div>")?;
        scale.write_level(out, &tree::of(&self.layers), with_values)?;
        writeln!(out, "</div></div>")?;
        writeln!(
            out,
            "<p class=\"note\">A group unfolds; its output is that of its last layer, its bars are \
             the sums of its layers. Bars are shares of the whole network. MACs are \
             multiplications of convolutions and linear layers, sizes are in single precision.</p>"
        )?;
        html::end(out)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("input", format!("{:?}", self.input_shape)),
            (
                "parameters",
                format!(
                    "{} ({} MB)",
                    thousands(self.parameters),
                    megabytes(self.parameter_bytes)
                ),
            ),
            ("batch norm statistics", thousands(self.buffers)),
            ("MACs", thousands(self.macs)),
            (
                "outputs of all layers",
                format!("{} MB", megabytes(self.output_bytes)),
            ),
        ];
        if let (Some(engine), Some(time)) = (self.engine, self.time_ms) {
            facts.push(("engine", engine.to_owned()));
            let weights = self.weights.as_deref().unwrap_or(DRAWN);
            facts.push(("weights", weights.to_owned()));
            if !self.images.is_empty() {
                facts.push(("images", self.images.join(", ")));
            }
            facts.push(("time", format!("{time:.2} ms")));
        }
        facts
    }
}

impl Scale {
    fn write_level(
        &self,
        out: &mut dyn Write,
        level: &[Node],
        with_values: bool,
    ) -> io::Result<()> {
        let open = if level.len() < FEW { " open" } else { "" };
        for node in level {
            let layers = node.layers();
            if let ([], [row]) = (&node.children[..], layers) {
                write!(out, "<div class=\"row\">")?;
                self.write_cells(out, node.name, layers, &what(row), with_values)?;
                writeln!(out, "</div>")?;
                continue;
            }
            let count = match layers.len() {
                1 => "1 layer".to_owned(),
                count => format!("{count} layers"),
            };
            write!(out, "<details{open}><summary class=\"row\">")?;
            self.write_cells(out, node.name, layers, &count, with_values)?;
            writeln!(out, "</summary>")?;
            self.write_level(out, &node.children, with_values)?;
            writeln!(out, "</details>")?;
        }
        Ok(())
    }

    /// Writes what the layers of a row cost together.
    fn write_cells(
        &self,
        out: &mut dyn Write,
        name: &str,
        layers: &[TraceRow],
        what: &str,
        with_values: bool,
    ) -> io::Result<()> {
        let output = layers.last().map(|row| format!("{:?}", row.output_shape));
        write!(
            out,
            "<span>{}</span><span>{}</span><span>{}</span>",
            escaped(name),
            escaped(what),
            output.unwrap_or_default()
        )?;
        let sum = |of: fn(&TraceRow) -> u64| layers.iter().map(of).fold(0, u64::saturating_add);
        for (part, whole) in [
            (sum(|row| row.parameters), self.parameters),
            (sum(|row| row.macs), self.macs),
        ] {
            if part == 0 {
                write!(out, "<span></span>")?;
                continue;
            }
            let share = part as f64 / whole.max(1) as f64;
            write_cost(out, &thousands(part), share)?;
        }
        if let Some(whole) = self.time_ms {
            let times = layers.iter().filter_map(|row| row.time_ms);
            match times.reduce(|a, b| a + b) {
                None => write!(out, "<span></span>")?,
                Some(time) => write_cost(out, &format!("{time:.3}"), time / whole)?,
            }
        }
        match layers.last().and_then(|row| row.values) {
            Some(values) => write_values(out, &values),
            None if with_values => write!(out, "<span></span><span></span>"),
            None => Ok(()),
        }
    }
}

fn write_cost(out: &mut dyn Write, cost: &str, share: f64) -> io::Result<()> {
    write!(
        out,
        "<span class=\"cost\"><b>{cost}</b><i>{}</i>{}</span>",
        percent(share),
        bar(share)
    )
}

fn write_values(out: &mut dyn Write, values: &Values) -> io::Result<()> {
    let odd = match (values.nan, values.infinite) {
        (0, 0) => String::new(),
        (nan, infinite) => {
            format!(" <em class=\"bad-text\">{nan} NaN, {infinite} infinite</em>")
        }
    };
    write!(
        out,
        "<span>{:.4}, {:.4}{odd}</span><span>{:.4}, {:.4}</span>",
        values.min, values.max, values.mean, values.std
    )
}

/// What a layer does, with its window: `conv 3x3, stride 2, 32 groups`.
fn what(row: &TraceRow) -> String {
    let mut what = row.kind.to_owned();
    if let Some(WindowRow {
        kernel: [rows, columns],
        stride,
        dilation,
        ..
    }) = row.window
    {
        what += &format!(" {rows}x{columns}");
        for (name, [down, across]) in [("stride", stride), ("dilation", dilation)] {
            match [down, across] {
                [1, 1] => {}
                [down, across] if down == across => what += &format!(", {name} {down}"),
                [down, across] => what += &format!(", {name} {down}x{across}"),
            }
        }
    }
    match row.groups {
        None | Some(1) => what,
        Some(groups) => format!("{what}, {groups} groups"),
    }
}
