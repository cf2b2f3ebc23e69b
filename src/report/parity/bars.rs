//! An error as a bar on a log scale, beside its row.

/// The scale's ends: below the least even double precision's errors are drawn as none where single
/// precision computes, and an error of 1 is as large as the value.
pub(super) const LEAST: f64 = 1e-9;
/// The other end.
pub(super) const MOST: f64 = 1.;

/// Columns of a bar where nothing bounds the table.
const USUAL: usize = 28;

/// The fewest columns in which a bar says something: one for each power of ten.
const FEWEST: usize = 9;

/// How errors are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bars {
    columns: usize,
    /// The column of the tolerance.
    tolerance: Option<usize>,
}

impl Bars {
    /// Bars for a table whose other columns take `others` of `width`; none where too little is left.
    pub(super) fn new(width: Option<usize>, others: usize, tolerance: f64) -> Option<Self> {
        let left = width.map_or(USUAL, |width| width.saturating_sub(others));
        let columns = left.min(USUAL);
        (columns >= FEWEST).then(|| Self {
            columns,
            tolerance: column_of(tolerance, columns),
        })
    }

    /// Above the bars: the ends of the scale.
    pub(super) fn header(self) -> String {
        let (least, most) = (format!("{LEAST:e}"), format!("{MOST}"));
        let between = self.columns.saturating_sub(least.len());
        format!("{least}{most:>between$}")
    }

    /// `====|###`: as long as the error is large, with another sign beyond the tolerance, which `|`
    /// marks.
    pub(super) fn bar(self, error: f64) -> String {
        let reached = column_of(error, self.columns).map_or(0, |column| column + 1);
        let beyond = self.tolerance.unwrap_or(0);
        let cell = |column: usize| match column {
            _ if Some(column) == self.tolerance => '|',
            _ if column >= reached => ' ',
            _ if column > beyond || self.tolerance.is_none() => '#',
            _ => '=',
        };
        let bar: String = (0..self.columns).map(cell).collect();
        bar.trim_end().to_owned()
    }
}

/// The column that an error reaches, of so many; none of one that is below the scale. One that is no
/// number is beyond all.
fn column_of(error: f64, columns: usize) -> Option<usize> {
    let reached = share(error) * columns as f64;
    let begun = |&column: &usize| (column as f64) < reached;
    (0..columns).rev().find(begun)
}

/// Where an error is on the scale, from 0 to 1.
fn share(error: f64) -> f64 {
    if error.is_nan() {
        return 1.;
    }
    let decades = (MOST / LEAST).log10();
    ((error / LEAST).log10() / decades).clamp(0., 1.)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_error_has_powers_of_ten_above_the_least() {
        let bars = Bars::new(Some(49), 40, 1e-5).unwrap();
        assert_eq!(bars.header(), "1e-9    1");
        for (error, bar) in [
            (0., "   |"),
            (1e-10, "   |"),
            (9e-9, "=  |"),
            (1.1e-8, "== |"),
            (9e-7, "===|"),
            (9e-6, "===|"),
            (1.1e-5, "===|#"),
            (0.9, "===|#####"),
            (7e5, "===|#####"),
            (f64::INFINITY, "===|#####"),
            (f64::NAN, "===|#####"),
        ] {
            assert_eq!(bars.bar(error), bar, "{error}");
        }
    }

    #[test]
    fn there_are_no_bars_where_there_is_no_room_or_no_tolerance_to_mark() {
        assert!(Bars::new(Some(48), 40, 1e-5).is_none());
        assert!(Bars::new(Some(10), 40, 1e-5).is_none());
        let bars = Bars::new(None, 400, 0.).unwrap();
        assert_eq!(bars.bar(1.).len(), USUAL);
        assert!(!bars.bar(1.).contains('|'));
    }
}
