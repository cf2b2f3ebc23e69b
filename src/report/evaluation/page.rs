//! An evaluation as a page that stands alone.

mod matrix;

use std::collections::HashMap;
use std::io::{self, Write};

use super::comparison::probability;
use super::table::share;
use super::{Comparison, Evaluation, ScoredClass};
use crate::evaluation::Pairs;
use crate::image::Thumbnail;
use crate::report::html::{self, Axis, Chart, bar, escaped};
use crate::report::table::{percent, thousands};

/// Of the reliability diagram, whose width is 960.
const HEIGHT: f64 = 420.;

/// Classes that are shown at once; more are behind a line to be opened.
const OPEN: usize = 40;

/// Where all rows are of which a page lists the first.
const WHOLE: &str = "which <code>--format json</code> lists";

/// Small pictures of mistakes, by the place of the mistake.
pub type Thumbnails = HashMap<usize, Thumbnail>;

impl Evaluation {
    /// Writes the page.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_page(&self, thumbnails: &Thumbnails, out: &mut dyn Write) -> io::Result<()> {
        html::start(out, &format!("{} on {}", self.subject.network, self.data))?;
        self.write_facts(out)?;
        if self.images > 0 {
            matrix::write(self, out)?;
            self.write_reliability(out)?;
            self.write_classes(out)?;
            self.write_mistakes(thumbnails, out)?;
        }
        self.write_failed(out)?;
        if let Some(comparison) = &self.comparison {
            write_comparison(comparison, out)?;
        }
        html::end(out)
    }

    fn write_facts(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut facts = vec![
            ("weights", self.subject.weights.clone()),
            ("images", thousands(self.images)),
            (
                "classes",
                format!("{} by {}", self.class_names, self.subject.matched_by),
            ),
            ("top-1", share(&self.top_1)),
        ];
        let top_k = format!("top-{}", self.k);
        if self.k > 1 {
            facts.push((top_k.as_str(), share(&self.top_k)));
        }
        if let Some(cross_entropy) = self.cross_entropy {
            facts.push(("cross-entropy", format!("{cross_entropy:.4}")));
        }
        if let Some(error) = self.calibration.expected_error {
            let bins = self.calibration.bins.len();
            let text = format!("{} (ECE, {bins} bins)", percent(error));
            facts.push(("calibration error", text));
        }
        if !self.failed.is_empty() {
            let failed = format!("{}, counted in nothing else", self.failed.len());
            facts.push(("failed", failed));
        }
        html::facts(out, &facts)
    }

    fn write_reliability(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "<h2>Calibration</h2>\n<p class=\"note\">How often images are right whose likeliest \
             class has a probability in each range; on the dashed line it is right as often as it \
             says.</p>"
        )?;
        let chart = Chart {
            x: Axis::even("probability of the likeliest class", 0., 1.),
            y: Axis::even("share of images that are right", 0., 1.),
            height: HEIGHT,
        };
        chart.start(out, "share of right answers against their probability")?;
        for bin in &self.calibration.bins {
            let (Some(accuracy), Some(mean)) = (bin.accuracy, bin.probability) else {
                continue;
            };
            let title = format!(
                "{} images: mean probability {}, right {}",
                thousands(bin.images),
                percent(mean),
                percent(accuracy)
            );
            chart.column(out, "soft", [bin.from, bin.to], [0., accuracy], &title)?;
        }
        chart.line(out, "tolerance", [[0., 0.], [1., 1.]])?;
        let points = || {
            let bins = self.calibration.bins.iter();
            bins.filter_map(|bin| Some(([bin.probability?, bin.accuracy?], bin.images)))
        };
        chart.line(out, "line", points().map(|(point, _)| point))?;
        for (point, images) in points() {
            chart.circle(out, "ok", point, &format!("{} images", thousands(images)))?;
        }
        chart.end(out)
    }

    fn write_classes(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "<h2>Classes</h2>")?;
        let is_long = self.classes.len() > OPEN;
        if is_long {
            let count = self.classes.len();
            writeln!(out, "<details><summary>{count} classes</summary>")?;
        }
        writeln!(
            out,
            "<div class=\"scroll\"><table>\n<thead><tr><th>class</th>\
             <th class=\"number\">images</th><th class=\"number\">recall</th><th></th>\
             <th class=\"number\">precision</th><th></th></tr></thead>\n<tbody>"
        )?;
        for ScoredClass { label, score } in &self.classes {
            let cells = |share: Option<f64>| match share {
                Some(share) => format!(
                    "<td class=\"number\">{}</td><td>{}</td>",
                    percent(share),
                    bar(share)
                ),
                None => "<td></td><td></td>".to_owned(),
            };
            writeln!(
                out,
                "<tr><td>{}</td><td class=\"number\">{}</td>{}{}</tr>",
                escaped(label),
                thousands(score.images),
                cells(score.recall),
                cells(score.precision)
            )?;
        }
        writeln!(out, "</tbody>\n</table></div>")?;
        if is_long {
            writeln!(out, "</details>")?;
        }
        Ok(())
    }

    fn write_mistakes(&self, thumbnails: &Thumbnails, out: &mut dyn Write) -> io::Result<()> {
        if self.mistakes.is_empty() {
            return Ok(());
        }
        writeln!(out, "<h2>Surest mistakes</h2>\n<div class=\"cards\">")?;
        for (place, mistake) in self.mistakes.iter().enumerate() {
            writeln!(out, "<div class=\"card\">")?;
            if let Some(Thumbnail { size, jpeg }) = thumbnails.get(&place) {
                let uri = html::data_uri("image/jpeg", jpeg);
                writeln!(out, "{}", html::picture(&uri, *size, &mistake.input))?;
            }
            writeln!(
                out,
                "<h3>{}</h3>\n<p class=\"bad-text\">{}: {}</p>\n<p>{}: {}, place {}</p>\n</div>",
                escaped(&mistake.input),
                escaped(&mistake.predicted_label),
                percent(mistake.probability.into()),
                escaped(&mistake.truth_label),
                percent(mistake.truth_probability.into()),
                mistake.rank
            )?;
        }
        writeln!(out, "</div>")
    }

    fn write_failed(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.failed.is_empty() {
            return Ok(());
        }
        let rows = self
            .failed
            .iter()
            .map(|failure| [failure.input.as_str(), failure.error.as_str()]);
        html::list(out, "Failed", ["image", "error"], rows, WHOLE)
    }
}

fn write_comparison(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let Pairs {
        both_right,
        only_first,
        only_second,
        both_wrong,
    } = comparison.pairs;
    let title = format!(
        "Compared with {}, {}",
        comparison.subject.weights, comparison.subject.network
    );
    writeln!(out, "<h2>{}</h2>", escaped(&title))?;
    let mut facts = vec![
        ("its top-1", share(&comparison.top_1)),
        ("both right", thousands(both_right)),
        ("right to wrong", thousands(only_first)),
        ("wrong to right", thousands(only_second)),
        ("both wrong", thousands(both_wrong)),
        ("same class", thousands(comparison.same_class)),
    ];
    if let Some(difference) = comparison.difference {
        let points = |share: f64| format!("{:+.2}", share * 100.);
        let [low, high] = difference.interval.map(points);
        facts.push((
            "difference",
            format!(
                "{} percentage points, 95 % interval {low} to {high}",
                points(difference.difference)
            ),
        ));
    }
    let mcnemar = comparison.mcnemar;
    facts.push((
        "McNemar's test",
        format!(
            "p = {} (exact), {} (mid-p)",
            probability(mcnemar.p),
            probability(mcnemar.mid_p)
        ),
    ));
    html::facts(out, &facts)?;
    for (second_is_right, title) in [(false, "Right to wrong"), (true, "Wrong to right")] {
        let changed = comparison.changed.iter();
        let changed: Vec<_> = changed
            .filter(|change| change.second_is_right == second_is_right)
            .collect();
        if !changed.is_empty() {
            let rows = changed.iter().map(|change| {
                [
                    change.input.as_str(),
                    &change.truth_label,
                    &change.first,
                    &change.second,
                ]
            });
            let header = ["image", "class", "first", "then"];
            html::list(out, title, header, rows, WHOLE)?;
        }
    }
    Ok(())
}
