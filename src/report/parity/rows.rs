//! The table of what was compared, a row a value.

use std::io::{self, Write};

use super::bars::Bars;
use crate::parity::Comparison;
use crate::report::table::{self, Align};
use crate::text::shown;

/// Writes the table in so many columns, if they are bounded, with a bar beside each row where there
/// is room; `tolerance` is the relative one.
pub(super) fn write(
    out: &mut dyn Write,
    values: &[Comparison],
    tolerance: f64,
    width: Option<usize>,
) -> io::Result<()> {
    let header = [
        "layer", "shape", "max abs", "max rel", "cosine", "worst at", "",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(values.iter().map(|layer| {
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
    let align = [left, left, right, right, right, left, left, left];
    let widths = table::widths(&rows, header.len());
    let others = widths.iter().map(|width| width + table::GAP).sum();
    let Some(bars) = Bars::new(width, others, tolerance) else {
        return table::write(out, &align[..header.len()], &rows);
    };
    let column =
        std::iter::once(bars.header()).chain(values.iter().map(|value| bars.bar(value.max_rel)));
    for (row, bar) in rows.iter_mut().zip(column) {
        row.push(bar);
    }
    table::write(out, &align, &rows)
}
