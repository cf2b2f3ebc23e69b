//! Times as a page that stands alone: by kind, by step, and against what the machine can do.

use std::io::{self, Write};

use super::{Bench, Kind, Step};
use crate::report::html::{self, Axis, Chart, bar, escaped};
use crate::report::table::thousands;

/// Of the charts, whose width is 960.
const HEIGHT: f64 = 340.;

/// Colours of a chart; kinds beyond share the last.
const SERIES: usize = 6;

/// A multiplication and an addition: what a roofline counts apart.
const FLOP_PER_MAC: f64 = 2.;

impl Bench {
    /// Writes it as a page that stands alone.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_page(&self, out: &mut dyn Write) -> io::Result<()> {
        html::start(out, &format!("{}: where its time goes", self.network))?;
        html::facts(out, &self.facts())?;
        self.write_kinds(out)?;
        self.write_roofline(out)?;
        self.write_timeline(out)?;
        html::end(out)
    }

    /// The colour of a step: that of its kind, which are sorted by their time.
    fn series(&self, step: &Step) -> usize {
        let same = |kind: &Kind| kind.kind == step.kind && kind.algorithm == step.algorithm;
        let place = self.kinds.iter().position(same);
        place.unwrap_or(SERIES).min(SERIES - 1)
    }

    fn write_kinds(&self, out: &mut dyn Write) -> io::Result<()> {
        let of_peak = match self.peak_macs_per_s {
            Some(_) => "<th class=\"number\">of peak</th>",
            None => "",
        };
        writeln!(
            out,
            "<h2>By kind</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>kind</th>\
             <th>algorithm</th><th class=\"number\">steps</th><th class=\"number\">MACs</th>\
             <th class=\"number\">ms</th><th class=\"number\">share</th><th></th>\
             <th class=\"number\">GMAC/s</th>{of_peak}</tr></thead>\n<tbody>"
        )?;
        for (place, kind) in self.kinds.iter().enumerate() {
            write!(
                out,
                "<tr><td><span class=\"key s{}\"></span>{}</td><td>{}</td>\
                 <td class=\"number\">{}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{:.3}</td><td class=\"number\">{:.1} %</td><td>{}</td>",
                place.min(SERIES - 1),
                escaped(&kind.kind),
                escaped(kind.algorithm),
                kind.steps,
                thousands(kind.macs),
                kind.ms,
                kind.share * 100.,
                bar(kind.share)
            )?;
            let number = |number: String| format!("<td class=\"number\">{number}</td>");
            let or_nothing = |text: String| match kind.macs {
                0 => number(String::new()),
                _ => number(text),
            };
            let rate = kind.macs as f64 / kind.ms / 1e6;
            write!(out, "{}", or_nothing(format!("{rate:.1}")))?;
            if let Some(of_peak) = kind.of_peak {
                write!(out, "{}", or_nothing(format!("{:.0} %", of_peak * 100.)))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(out, "</tbody>\n</table></div>")
    }

    /// Steps against the machine's roofline: Williams, Waterman and Patterson, 2009,
    /// doi:10.1145/1498765.1498785.
    fn write_roofline(&self, out: &mut dyn Write) -> io::Result<()> {
        let (Some(peak), Some(bandwidth)) = (self.peak_macs_per_s, self.bandwidth) else {
            return Ok(());
        };
        let peak = peak * FLOP_PER_MAC;
        let steps = self.steps.iter().filter(|step| step.macs > 0);
        let places: Vec<(&Step, [f64; 2])> = steps
            .map(|step| (step, [step.intensity(), step.rate()]))
            .collect();
        // The axes hold all that is drawn, in whole powers of ten.
        let intensities = places.iter().map(|(_, place)| place[0]);
        let rates = places.iter().map(|(_, place)| place[1]);
        let ridge = peak / bandwidth;
        let [left, right] = powers(intensities.chain([ridge]));
        let [bottom, top] = powers(rates.chain([peak]));
        let chart = Chart {
            x: Axis::log("FLOP for each byte read or written", left, right),
            y: Axis::log("GFLOP/s", bottom / 1e9, top / 1e9),
            height: HEIGHT,
        };
        writeln!(out, "<h2>Against what this machine can do</h2>")?;
        chart.start(out, "speed of each step against its arithmetic intensity")?;
        // The slope enters the chart at its left or at its bottom.
        let enters = left.max(bottom / bandwidth);
        let roof = [
            [enters, bandwidth * enters / 1e9],
            [ridge, peak / 1e9],
            [right, peak / 1e9],
        ];
        chart.line(out, "tolerance", roof)?;
        let multiply = format!("multiplies at most: {:.1} GFLOP/s", peak / 1e9);
        chart.text(out, [right, peak / 1e9], &multiply)?;
        let read = format!("reads at most: {:.1} GB/s", bandwidth / 1e9);
        chart.text(out, [enters, bandwidth * enters / 1e9], &read)?;
        for (step, place) in &places {
            let title = format!(
                "{}: {}, {}, {:.1} GFLOP/s, {:.1} FLOP a byte, {:.3} ms",
                step.names(),
                step.kind,
                step.algorithm,
                place[1] / 1e9,
                place[0],
                step.ms
            );
            let class = format!("dot s{}", self.series(step));
            chart.circle(out, &class, [place[0], place[1] / 1e9], &title)?;
        }
        chart.end(out)?;
        writeln!(
            out,
            "<p class=\"note\">A point is a step, in the colour of its kind; a multiplication and \
             an addition are two FLOP. Bytes are those of what it reads of other steps, what it \
             makes and its parameters, in single precision: what caches keep need not come from \
             memory, so that small steps may stand above the slope. Both limits were measured on \
             this machine, with as many threads, after the runs.</p>"
        )
    }

    fn write_timeline(&self, out: &mut dyn Write) -> io::Result<()> {
        let longest = self.steps.iter().map(|step| step.ms).fold(0., f64::max);
        let chart = Chart {
            x: Axis::order("steps, in the order of computation", self.steps.len() + 1),
            y: Axis::even("ms", 0., longest.max(f64::MIN_POSITIVE)),
            height: HEIGHT,
        };
        writeln!(out, "<h2>By step</h2>")?;
        chart.start(out, "time of each step, in the order of computation")?;
        for (place, step) in self.steps.iter().enumerate() {
            let title = format!("{}: {}, {:.3} ms", step.names(), step.kind, step.ms);
            let class = format!("dot s{}", self.series(step));
            let place = place as f64;
            let columns = [place + 0.1, place + 0.9];
            chart.column(out, &class, columns, [0., step.ms], &title)?;
        }
        chart.end(out)?;
        writeln!(
            out,
            "<details><summary>All {} steps</summary>\n<div class=\"scroll\"><table>\n<thead><tr>\
             <th>layers</th><th>kind</th><th>algorithm</th><th>output</th>\
             <th class=\"number\">MACs</th><th class=\"number\">MB</th><th class=\"number\">ms</th>\
             <th></th></tr></thead>\n<tbody>",
            self.steps.len()
        )?;
        for step in &self.steps {
            writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:?}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{:.3}</td><td class=\"number\">{:.3}</td><td>{}</td></tr>",
                escaped(&step.names()),
                escaped(&step.kind),
                escaped(step.algorithm),
                step.output_shape,
                thousands(step.macs),
                step.bytes as f64 / 1e6,
                step.ms,
                bar(step.ms / longest)
            )?;
        }
        writeln!(out, "</tbody>\n</table></div></details>")
    }
}

impl Step {
    /// Floating-point operations for each byte that it moves.
    fn intensity(&self) -> f64 {
        FLOP_PER_MAC * self.macs as f64 / self.bytes.max(1) as f64
    }

    /// Floating-point operations in a second.
    fn rate(&self) -> f64 {
        FLOP_PER_MAC * self.macs as f64 / (self.ms / 1e3)
    }
}

/// The powers of ten around all that is a number above 0.
fn powers(numbers: impl Iterator<Item = f64>) -> [f64; 2] {
    let numbers = numbers.filter(|number| number.is_finite() && *number > 0.);
    let powers = numbers.map(f64::log10);
    let [least, most] = powers.fold(
        [f64::INFINITY, f64::NEG_INFINITY],
        |[least, most], power| [least.min(power), most.max(power)],
    );
    if least > most {
        return [1., 10.];
    }
    let first = least.floor();
    [first, most.ceil().max(first + 1.)].map(|power| 10_f64.powf(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_the_powers_around_its_numbers() {
        let powers = |numbers: &[f64]| powers(numbers.iter().copied()).map(f64::to_bits);
        let expected = |ends: [f64; 2]| ends.map(f64::to_bits);
        assert_eq!(powers(&[3., 40., f64::NAN, 0.]), expected([1., 100.]));
        assert_eq!(powers(&[10.]), expected([10., 100.]));
        assert_eq!(powers(&[]), expected([1., 10.]));
    }
}
