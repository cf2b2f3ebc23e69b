//! A chart of two axes, as SVG.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::escaped;

/// Width of a chart, and what is left around it for words, in the units that it is drawn in.
const WIDTH: f64 = 960.;
const LEFT: f64 = 56.;
const RIGHT: f64 = 16.;
const TOP: f64 = 28.;
const BOTTOM: f64 = 48.;

/// The numbers along one side of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Axis {
    /// What the numbers are, in a few words.
    label: String,
    least: f64,
    most: f64,
    ticks: Ticks,
}

/// Where an axis has numbers, and how they follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ticks {
    /// Nowhere: the places are in order alone.
    None,
    /// At a round distance.
    Even,
    /// At the powers of ten.
    Powers,
}

impl Axis {
    /// From `least` to `most`.
    pub(in crate::report) fn even(label: &str, least: f64, most: f64) -> Self {
        Self::new(label, least, most, Ticks::Even)
    }

    /// From `least`, which is more than 0, to `most`, each power of ten as long as the others.
    pub(in crate::report) fn log(label: &str, least: f64, most: f64) -> Self {
        Self::new(label, least, most, Ticks::Powers)
    }

    /// So many things in their order, without numbers.
    pub(in crate::report) fn order(label: &str, count: usize) -> Self {
        let last = count.saturating_sub(1).max(1);
        Self::new(label, 0., last as f64, Ticks::None)
    }

    fn new(label: &str, least: f64, most: f64, ticks: Ticks) -> Self {
        Self {
            label: label.to_owned(),
            least,
            most,
            ticks,
        }
    }

    /// Where a number is, from 0 to 1; what is beyond an end is at it, what is no number at the last.
    fn share(&self, value: f64) -> f64 {
        let (least, most, value) = match self.ticks {
            Ticks::Powers => (self.least.log10(), self.most.log10(), value.log10()),
            Ticks::None | Ticks::Even => (self.least, self.most, value),
        };
        let share = (value - least) / (most - least);
        if share.is_nan() {
            return 1.;
        }
        share.clamp(0., 1.)
    }

    /// The numbers that are shown, at most some ten.
    fn numbers(&self) -> Vec<f64> {
        const MOST: usize = 12;
        let (first, step) = match self.ticks {
            Ticks::None => return Vec::new(),
            Ticks::Even => {
                let step = self.step();
                ((self.least / step).ceil(), step)
            }
            Ticks::Powers => {
                let powers = (self.most / self.least).log10();
                // Of many powers each second or third alone.
                let step = (powers / MOST as f64).ceil().max(1.);
                // An end may be a power but for rounding.
                let first = ((self.least.log10() - 1e-9) / step).ceil();
                (first, step)
            }
        };
        let number = |index: usize| {
            let place = (first + index as f64) * step;
            match self.ticks {
                Ticks::Powers => 10_f64.powf(place),
                Ticks::None | Ticks::Even => place,
            }
        };
        // As above.
        let most = self.most + (self.most - self.least).abs() * 1e-9;
        let numbers = (0..=MOST).map(number);
        numbers.take_while(|&number| number <= most).collect()
    }

    /// From one number to the next where they are even.
    fn step(&self) -> f64 {
        round_step((self.most - self.least) / 5.)
    }

    /// A number of the axis in words: all of them in one form.
    fn shown(&self, number: f64) -> String {
        let largest = self.most.abs().max(self.least.abs());
        match self.ticks {
            Ticks::Powers if self.least < 1e-3 || self.most > 1e6 => format!("{number:.0e}"),
            Ticks::Powers => format!("{}", (number * 1e6).round() / 1e6),
            Ticks::None | Ticks::Even if (1e-3..1e6).contains(&largest) => {
                let decimals = (-self.step().log10().floor()).clamp(0., 6.);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a whole number from 0 to 6"
                )]
                let decimals = decimals as usize;
                // Never `-0`.
                format!("{:.decimals$}", number + 0.)
            }
            Ticks::None | Ticks::Even => format!("{number:.1e}"),
        }
    }
}

/// 1, 2 or 5 times a power of ten, near `step`; 1 where that is nothing.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    if !(power.is_finite() && power > 0.) {
        return 1.;
    }
    match step / power {
        ..1.5 => power,
        1.5..3.5 => 2. * power,
        3.5..7.5 => 5. * power,
        _ => 10. * power,
    }
}

/// A chart; what is drawn on it lies between [`Chart::start`] and [`Chart::end`].
///
/// What a thing looks like is a class of `style.css`: `line`, `ok`, `bad`, or `series` and `dot` with
/// one of the colours `s0` to `s5`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Chart {
    /// Across.
    pub(in crate::report) x: Axis,
    /// Upwards.
    pub(in crate::report) y: Axis,
    /// Of its width of 960.
    pub(in crate::report) height: f64,
}

impl Chart {
    /// Writes the axes; `description` is for those who don't see the chart.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(in crate::report) fn start(
        &self,
        out: &mut dyn Write,
        description: &str,
    ) -> io::Result<()> {
        let (right, bottom) = (WIDTH - RIGHT, self.height - BOTTOM);
        writeln!(
            out,
            "<div class=\"scroll\"><svg class=\"chart\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" \
             aria-label=\"{}\">",
            self.height,
            escaped(description)
        )?;
        for number in self.y.numbers() {
            let y = self.down(number);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.,
                y + 4.,
                self.y.shown(number)
            )?;
        }
        for number in self.x.numbers() {
            let x = self.across(number);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.,
                self.x.shown(number)
            )?;
        }
        writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"12\">{}</text><text x=\"{right}\" y=\"{}\" \
             text-anchor=\"end\">{}</text>",
            escaped(&self.y.label),
            self.height - 10.,
            escaped(&self.x.label)
        )
    }

    /// Writes its end.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    #[expect(clippy::unused_self, reason = "what `start` begins this ends")]
    pub(in crate::report) fn end(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "</svg></div>")
    }

    /// Writes a line through points.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(in crate::report) fn line(
        &self,
        out: &mut dyn Write,
        class: &str,
        points: impl IntoIterator<Item = [f64; 2]>,
    ) -> io::Result<()> {
        let mut line = String::new();
        for [x, y] in points {
            // A `String` takes all that is written.
            let _ = write!(line, "{:.1},{:.1} ", self.across(x), self.down(y));
        }
        let line = line.trim_end();
        writeln!(out, "<polyline class=\"{class}\" points=\"{line}\"/>")
    }

    /// Writes a round point; `title` is shown to whoever points at it.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(in crate::report) fn circle(
        &self,
        out: &mut dyn Write,
        class: &str,
        [x, y]: [f64; 2],
        title: &str,
    ) -> io::Result<()> {
        let (x, y, title) = (self.across(x), self.down(y), escaped(title));
        writeln!(
            out,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{title}</title></circle>"
        )
    }

    /// Writes a square point.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(in crate::report) fn square(
        &self,
        out: &mut dyn Write,
        class: &str,
        [x, y]: [f64; 2],
        title: &str,
    ) -> io::Result<()> {
        let (x, y, title) = (self.across(x) - 3.5, self.down(y) - 3.5, escaped(title));
        writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"7\" height=\"7\">\
             <title>{title}</title></rect>"
        )
    }

    /// Writes a column from one number to another of each axis.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(in crate::report) fn column(
        &self,
        out: &mut dyn Write,
        class: &str,
        x: [f64; 2],
        y: [f64; 2],
        title: &str,
    ) -> io::Result<()> {
        let [left, right] = x.map(|x| self.across(x));
        let [bottom, top] = y.map(|y| self.down(y));
        writeln!(
            out,
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
             <title>{}</title></rect>",
            top.min(bottom),
            (right - left).abs(),
            (bottom - top).abs(),
            escaped(title)
        )
    }

    /// Writes a text beside a place, on the side where there is more room, or as much as fits there.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(in crate::report) fn text(
        &self,
        out: &mut dyn Write,
        [x, y]: [f64; 2],
        text: &str,
    ) -> io::Result<()> {
        let (x, y) = (self.across(x), self.down(y));
        let (room, x, anchor) = if x > WIDTH / 2. {
            (x - LEFT, x - 5., "end")
        } else {
            (WIDTH - RIGHT - x, x + 5., "start")
        };
        let y = y - 4.;
        let text = escaped(&fitting(text, room));
        writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        )
    }

    fn across(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * self.x.share(value)
    }

    fn down(&self, value: f64) -> f64 {
        let bottom = self.height - BOTTOM;
        bottom - (bottom - TOP) * self.y.share(value)
    }
}

/// The beginning of a text that fits into so many units.
fn fitting(text: &str, room: f64) -> String {
    /// Of a character, on average; few texts are of wide ones alone.
    const CHARACTER: f64 = 6.5;
    let fits = |place: usize| (place as f64 + 2.) * CHARACTER < room;
    match text
        .char_indices()
        .enumerate()
        .find(|&(place, _)| !fits(place))
    {
        Some((_, (end, _))) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(axis: &Axis) -> Vec<String> {
        let numbers = axis.numbers();
        numbers
            .into_iter()
            .map(|number| axis.shown(number))
            .collect()
    }

    #[test]
    fn an_axis_has_round_numbers_from_end_to_end() {
        let even = |least, most| shown(&Axis::even("", least, most));
        assert_eq!(even(0., 1.), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            even(0., 73.),
            ["0", "10", "20", "30", "40", "50", "60", "70"]
        );
        assert_eq!(even(-0.1, 0.1), ["-0.10", "-0.05", "0.00", "0.05", "0.10"]);
        let log = |least, most| shown(&Axis::log("", least, most));
        assert_eq!(log(0.05, 300.), ["0.1", "1", "10", "100"]);
        assert_eq!(log(1e-9, 1.).len(), 10);
        assert_eq!(log(1e-9, 1.)[0], "1e-9");
        assert_eq!(
            log(1e-30, 1.),
            [
                "1e-30", "1e-27", "1e-24", "1e-21", "1e-18", "1e-15", "1e-12", "1e-9", "1e-6",
                "1e-3", "1e0"
            ]
        );
        assert!(shown(&Axis::order("", 7)).is_empty());
        // Nothing to show is no endless list.
        assert!(even(0., 0.).len() <= 13 && even(0., f64::NAN).len() <= 13);
    }

    #[test]
    fn a_text_is_as_long_as_there_is_room() {
        assert_eq!(fitting("layer1.0.conv1", 400.), "layer1.0.conv1");
        let cut = fitting(&"é".repeat(500), 400.);
        assert!(cut.ends_with(" …") && cut.chars().count() < 64, "{cut}");
        assert_eq!(fitting("é", 0.), " …");
    }

    #[test]
    fn what_is_beyond_an_axis_is_drawn_at_its_end() {
        let chart = Chart {
            x: Axis::even("", 0., 10.),
            y: Axis::log("", 1e-3, 1.),
            height: 300.,
        };
        let mut out = Vec::new();
        for value in [f64::NAN, f64::INFINITY, 1e9] {
            chart
                .circle(&mut out, "ok", [value, value], "</svg>")
                .unwrap();
        }
        chart
            .line(&mut out, "line", [[-5., 0.], [0., -1.]])
            .unwrap();
        chart
            .column(&mut out, "ok", [0., 10.], [1e-3, 1.], "")
            .unwrap();
        let drawn = String::from_utf8(out).unwrap();
        assert_eq!(
            drawn.matches("cx=\"944.0\" cy=\"28.0\"").count(),
            3,
            "{drawn}"
        );
        // What is below the scale of a logarithm is no number, or is nothing.
        assert!(drawn.contains("points=\"56.0,252.0 56.0,28.0\""), "{drawn}");
        assert!(
            drawn.contains("x=\"56.0\" y=\"28.0\" width=\"888.0\" height=\"224.0\""),
            "{drawn}"
        );
        assert!(!drawn.contains("</svg>"), "{drawn}");
    }
}
