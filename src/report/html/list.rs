//! The first of many rows.

use std::io::{self, Write};

use super::escaped;
use crate::report::table::thousands;

/// Rows that are listed.
const LISTED: usize = 20;

/// Writes the first of `rows`, behind a line to be opened; `whole` says in markup where the others are.
///
/// # Errors
///
/// The errors of `out`.
pub(in crate::report) fn list<'a, const CELLS: usize>(
    out: &mut dyn Write,
    title: &str,
    header: [&str; CELLS],
    rows: impl ExactSizeIterator<Item = [&'a str; CELLS]>,
    whole: &str,
) -> io::Result<()> {
    let count = rows.len();
    writeln!(
        out,
        "<details><summary>{title}: {}</summary>\n<div class=\"scroll\"><table>\n<thead><tr>",
        thousands(count as u64)
    )?;
    for name in header {
        write!(out, "<th>{name}</th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in rows.take(LISTED) {
        let cells = row.map(|cell| format!("<td class=\"text\">{}</td>", escaped(cell)));
        writeln!(out, "<tr>{}</tr>", cells.concat())?;
    }
    writeln!(out, "</tbody>\n</table></div>")?;
    if count > LISTED {
        let more = thousands((count - LISTED) as u64);
        writeln!(out, "<p class=\"note\">{more} more, {whole}</p>")?;
    }
    writeln!(out, "</details>")
}
