//! Pages that stand alone: nothing is loaded and nothing runs, whatever a name in them says.

use std::io::{self, Write};

use crate::text::shown;

/// Colours that are told apart on light and on dark, by those who see no red, too: the points that
/// differ are squares.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--faint:#d8d8d8;--line:#2563a8;--bad:#b3261e;--mark:#8a5a00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#161616;--faint:#3c3c3c;--line:#7db4f0;--bad:#ff8a80;--mark:#e0b050}}
body{margin:2rem auto;max-width:62rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.25rem;overflow-wrap:anywhere}
svg{width:100%;height:auto}
svg text{font-size:11px;fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.grid{stroke:var(--faint)}
.line{fill:none;stroke:var(--line);stroke-width:1.5}
.ok{fill:var(--line)}
.bad{fill:var(--bad)}
.tolerance{stroke:var(--mark);stroke-dasharray:6 4}
.first{stroke:var(--bad);stroke-dasharray:2 3}
table{border-collapse:collapse;width:100%;font-size:13px}
.scroll{overflow-x:auto}
th,td{text-align:left;padding:.2rem .6rem;border-bottom:1px solid var(--faint);white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums}
tr.differs td{color:var(--bad)}
tr.first td{font-weight:bold}";

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
         style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n\
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
