//! Parity as a page that stands alone: error against depth, and the table below.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::bars::{LEAST, MOST, share};
use crate::parity::Comparison;
use crate::report::html::{self, escaped};

/// What the page says.
pub(super) struct Page<'a> {
    /// What was compared, in a line.
    pub(super) title: String,
    /// What stands below the table of the report for people, a line each.
    pub(super) facts: Vec<String>,
    /// The values, in the order of the network.
    pub(super) values: &'a [Comparison],
    /// The tolerance that is relative to a value's largest magnitude.
    pub(super) tolerance: f64,
}

/// Width and height of the plot, and what is left around it for words.
const WIDTH: f64 = 960.;
const HEIGHT: f64 = 320.;
const LEFT: f64 = 56.;
const RIGHT: f64 = 16.;
const TOP: f64 = 28.;
const BOTTOM: f64 = 36.;

impl Page<'_> {
    /// Writes the page.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        html::start(out, &self.title)?;
        for fact in &self.facts {
            writeln!(out, "<p>{}</p>", escaped(fact))?;
        }
        self.write_plot(out)?;
        self.write_table(out)?;
        html::end(out)
    }

    fn first(&self) -> Option<usize> {
        self.values.iter().position(|value| !value.passed)
    }

    /// Where the value of this index is, of all.
    fn x(&self, index: usize) -> f64 {
        let steps = self.values.len().saturating_sub(1).max(1);
        LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / steps as f64
    }

    fn write_plot(&self, out: &mut dyn Write) -> io::Result<()> {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"error of each value, \
             in the network's order\">"
        )?;
        let mut power = LEAST;
        // The scale's ends are powers of ten, which doubles have but for rounding.
        while power < MOST * 1.5 {
            let y = y(power);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{power:.0e}</text>",
                LEFT - 6.,
                y + 4.
            )?;
            power *= 10.;
        }
        let mut line = String::new();
        for (index, value) in self.values.iter().enumerate() {
            // A `String` takes all that is written.
            let _ = write!(line, "{:.1},{:.1} ", self.x(index), y(value.max_rel));
        }
        writeln!(
            out,
            "<polyline class=\"line\" points=\"{}\"/>",
            line.trim_end()
        )?;
        if self.tolerance > 0. {
            let y = y(self.tolerance);
            writeln!(
                out,
                "<line class=\"tolerance\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">tolerance {:e}</text>",
                y - 4.,
                self.tolerance
            )?;
        }
        if let Some(first) = self.first() {
            let x = self.x(first);
            let anchor = if x > WIDTH / 2. { "end" } else { "start" };
            writeln!(
                out,
                "<line class=\"first\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">first difference: {}</text>",
                TOP - 8.,
                escaped(&self.values[first].name)
            )?;
        }
        for (index, value) in self.values.iter().enumerate() {
            let (x, y) = (self.x(index), y(value.max_rel));
            let title = escaped(&value.name);
            let title = format!("<title>{title}: {:.1e}</title>", value.max_rel);
            if value.passed {
                writeln!(
                    out,
                    "<circle class=\"ok\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\">{title}</circle>"
                )?;
            } else {
                writeln!(
                    out,
                    "<rect class=\"bad\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\">{title}</rect>",
                    x - 3.5,
                    y - 3.5
                )?;
            }
        }
        writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{}\">largest error of each value, relative to its largest \
             magnitude, in the network's order</text>\n</svg>",
            HEIGHT - 10.
        )
    }

    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "<div class=\"scroll\"><table>\n<thead><tr><th>value</th><th>shape</th>\
             <th class=\"number\">max abs</th><th class=\"number\">max rel</th>\
             <th class=\"number\">cosine</th><th>worst at</th><th></th></tr></thead>\n<tbody>"
        )?;
        let first = self.first();
        for (index, value) in self.values.iter().enumerate() {
            let class = match value.passed {
                true => "",
                false if first == Some(index) => " class=\"differs first\"",
                false => " class=\"differs\"",
            };
            writeln!(
                out,
                "<tr{class}><td>{}</td><td>{:?}</td><td class=\"number\">{:.1e}</td>\
                 <td class=\"number\">{:.1e}</td><td class=\"number\">{:.9}</td><td>{:?}</td><td>{}</td></tr>",
                escaped(&value.name),
                value.shape,
                value.max_abs,
                value.max_rel,
                value.cosine,
                value.worst,
                if value.passed { "ok" } else { "DIFFERS" }
            )?;
        }
        writeln!(out, "</tbody>\n</table></div>")
    }
}

/// Where an error is in the plot.
fn y(error: f64) -> f64 {
    let bottom = HEIGHT - BOTTOM;
    bottom - (bottom - TOP) * share(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, errors: &[f64]) -> String {
        let values: Vec<Comparison> = errors
            .iter()
            .map(|&error| Comparison {
                name: name.to_owned(),
                shape: vec![1, 2],
                max_abs: error,
                max_rel: error,
                cosine: 1.,
                worst: vec![0, 1],
                passed: error <= 1e-5,
            })
            .collect();
        let mut out = Vec::new();
        let page = Page {
            title: format!("{name} compared"),
            facts: vec![name.to_owned()],
            values: &values,
            tolerance: 1e-5,
        };
        page.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_name_that_is_markup_is_shown_and_does_nothing() {
        let page = page("</title><script>alert(1)</script>\"'&", &[1e-7, 1.]);
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("</title>").count(), 1 + 2, "{page}");
        let shown = "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;";
        // Title, heading, line, first difference, and a point and a row for each value.
        assert_eq!(page.matches(shown).count(), 4 + 4, "{page}");
    }

    #[test]
    fn each_value_has_a_point_and_a_row_and_the_first_difference_a_mark() {
        let page = page("conv1", &[0., 1e-7, 1e-2, f64::INFINITY, f64::NAN]);
        assert_eq!(page.matches("<circle").count(), 2);
        assert_eq!(page.matches("<rect").count(), 3);
        assert_eq!(page.matches("<tr").count(), 1 + 5);
        assert_eq!(page.matches("class=\"differs first\"").count(), 1);
        assert_eq!(page.matches("class=\"first\"").count(), 1);
        // No place in the plot is none.
        assert!(!page.contains("\"NaN") && !page.contains("\"inf"), "{page}");
    }

    #[test]
    fn a_page_of_one_value_has_its_point_within_the_plot() {
        let page = page("output", &[1e-7]);
        assert!(page.contains(&format!("cx=\"{LEFT:.1}\"")), "{page}");
        assert!(!page.contains("class=\"first\""), "{page}");
    }
}
