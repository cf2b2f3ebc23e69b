//! Parity as a page that stands alone: error against depth, and the table below.

use std::io::{self, Write};

use super::bars::{LEAST, MOST};
use crate::parity::Comparison;
use crate::report::html::{self, Axis, Chart, escaped};

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

/// Of the plot, whose width is 960.
const HEIGHT: f64 = 320.;

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

    fn write_plot(&self, out: &mut dyn Write) -> io::Result<()> {
        let chart = Chart {
            x: Axis::order("in the network's order", self.values.len()),
            y: Axis::log(
                "largest error of each value, relative to its largest magnitude",
                LEAST,
                MOST,
            ),
            height: HEIGHT,
        };
        let last = self.values.len().saturating_sub(1) as f64;
        chart.start(out, "error of each value, in the network's order")?;
        let points = self.values.iter().enumerate();
        let points = points.map(|(index, value)| [index as f64, value.max_rel]);
        chart.line(out, "line", points)?;
        if self.tolerance > 0. {
            let ends = [0., last.max(1.)].map(|x| [x, self.tolerance]);
            chart.line(out, "tolerance", ends)?;
            chart.text(out, ends[1], &format!("tolerance {:e}", self.tolerance))?;
        }
        if let Some(first) = self.first() {
            let x = first as f64;
            chart.line(out, "first", [LEAST, MOST].map(|y| [x, y]))?;
            let text = format!("first difference: {}", self.values[first].name);
            chart.text(out, [x, MOST], &text)?;
        }
        for (index, value) in self.values.iter().enumerate() {
            let place = [index as f64, value.max_rel];
            let title = format!("{:.1e}: {}", value.max_rel, value.name);
            if value.passed {
                chart.circle(out, "ok", place, &title)?;
            } else {
                chart.square(out, "bad", place, &title)?;
            }
        }
        chart.end(out)
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
        assert!(page.contains("cx=\"56.0\""), "{page}");
        assert!(!page.contains("class=\"first\""), "{page}");
    }
}
