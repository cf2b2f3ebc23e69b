use std::io::{self, Write};

use crate::text::SHOWN;

/// Which side of its column a cell stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// The widest column: no text of a file decides how much is written.
const WIDEST: usize = 2 * SHOWN;

/// Spaces between two columns.
pub(super) const GAP: usize = 2;

/// The width of each of so many columns.
pub(super) fn widths(rows: &[Vec<String>], columns: usize) -> Vec<usize> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max();
        widest.unwrap_or(0).min(WIDEST)
    };
    (0..columns).map(width).collect()
}

/// Writes rows as aligned columns, the first of them a header.
pub(super) fn write(out: &mut dyn Write, align: &[Align], rows: &[Vec<String>]) -> io::Result<()> {
    let widths = widths(rows, align.len());
    for row in rows {
        let mut line = String::new();
        for ((cell, &width), align) in row.iter().zip(&widths).zip(align) {
            let gap = if line.is_empty() { 0 } else { GAP };
            line += &match align {
                Align::Left => format!("{:gap$}{cell:<width$}", ""),
                Align::Right => format!("{:gap$}{cell:>width$}", ""),
            };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Writes rows as a table of Markdown.
pub(super) fn write_markdown(
    out: &mut dyn Write,
    align: &[Align],
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> io::Result<()> {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
    let rule: Vec<String> = align
        .iter()
        .map(|align| match align {
            Align::Left => "---".to_owned(),
            Align::Right => "---:".to_owned(),
        })
        .collect();
    writeln!(out, "{}\n{}", line(&header), line(&rule))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(out, "{}", line(&cells))?;
    }
    Ok(())
}

/// A share of a whole: `86.80 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.)
}

/// A whole number with commas between thousands.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(thousands(28_088_024), "28,088,024");
    }
}
