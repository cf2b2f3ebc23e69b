//! Pages that stand alone: nothing is loaded and nothing runs, whatever a name in them says.
//!
//! Every page is [`start`], what it shows, [`end`]. What pages share is a [`Chart`] with its axes, a
//! [`bar`] beside a number, a [`picture`] that is part of the page, and the classes of `style.css`.
//!
//! They are written by `write!` and drawn as SVG. A crate for charts has fonts, bitmaps or a script of
//! its own, and its colours do not follow the reader's; one for markup would save the closing tags.

mod bar;
mod chart;
mod list;
mod picture;

use std::io::{self, Write};

pub(super) use self::bar::{bar, class};
pub(super) use self::chart::{Axis, Chart};
pub(super) use self::list::list;
pub(super) use self::picture::{data_uri, picture};
use crate::text::{SHOWN, shown};

/// Colours that are told apart on light and on dark, by those who see no red, too: the points that
/// differ are squares.
const STYLE: &str = include_str!("style.css");

/// Writes what a page begins with, up to its heading.
///
/// # Errors
///
/// The errors of `out`.
pub(super) fn start(out: &mut dyn Write, title: &str) -> io::Result<()> {
    let title = escaped(title);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n"
    )
}

/// Writes what a page ends with.
///
/// # Errors
///
/// The errors of `out`.
pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "</body>\n</html>")
}

/// Writes facts as panels side by side, each a name and what it is; both may come from outside.
///
/// # Errors
///
/// The errors of `out`.
pub(super) fn facts<T: AsRef<str>>(out: &mut dyn Write, facts: &[(&str, T)]) -> io::Result<()> {
    writeln!(out, "<dl class=\"facts\">")?;
    for (name, fact) in facts {
        let (name, fact) = (escaped(name), escaped(fact.as_ref()));
        writeln!(out, "<div><dt>{name}</dt><dd>{fact}</dd></div>")?;
    }
    writeln!(out, "</dl>")
}

/// A text from outside as a part of the page: bounded, unable to steer it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in shown(text).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

/// An input's name; of one that is too long its end, which tells more than its folders do.
pub(super) fn input(input: &str) -> String {
    match input.char_indices().rev().nth(SHOWN - 1) {
        Some((start, _)) if start > 0 => format!("… {}", escaped(&input[start..])),
        _ => escaped(input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_load_nothing_and_run_nothing() {
        let mut page = Vec::new();
        start(&mut page, "a<script>").unwrap();
        facts(&mut page, &[("<b>", "\"'&")]).unwrap();
        end(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(page.contains("<dt>&lt;b&gt;</dt><dd>&quot;&#39;&amp;</dd>"));
        // Nothing in the style is fetched either.
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn of_a_long_name_the_end_is_shown() {
        let long = format!("{}/cat.jpg", "é".repeat(300));
        assert!(input(&long).starts_with("… é") && input(&long).ends_with("/cat.jpg"));
        assert_eq!(input("cat.jpg"), "cat.jpg");
    }
}
