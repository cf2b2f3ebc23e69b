//! How text from outside is shown to people: bounded, on one line, and unable to steer a terminal.
//!
//! Names, metadata, labels, paths and other programs' words go through here on their way into a
//! message or a table. JSON and CSV have their own quoting and keep a text whole.

pub(crate) mod near;

use std::path::{MAIN_SEPARATOR, Path};

/// The most characters of a text that are shown; a cut is marked by ` …`.
pub const SHOWN: usize = 200;

/// The most characters of a path that are shown: longer than those of a text, as a path that is
/// cut names nothing.
pub const SHOWN_PATH: usize = 1000;

/// The most bytes of a message, whatever went into it.
pub const SHOWN_MESSAGE: usize = 4096;

/// The beginning of `text` on one line: at most [`SHOWN`] characters, those that are not seen
/// escaped.
///
/// ```
/// # use senet::text::shown;
/// assert_eq!(shown("conv1.weight"), "conv1.weight");
/// assert_eq!(shown("a\nwarning: forged \u{202e}txet"), "a\\nwarning: forged \\u{202e}txet");
/// assert!(shown(&"x".repeat(100_000)).len() < 300);
/// ```
#[must_use]
pub fn shown(text: &str) -> String {
    cut(text, SHOWN)
}

/// The beginning of a path, as [`shown`] has [`path_text`].
#[must_use]
pub fn shown_path(path: &Path) -> String {
    cut(&path_text(path), SHOWN_PATH)
}

/// A path as text. Bytes that are not UTF-8 are escaped, as `\xff`, and so is a backslash that is
/// part of a name, as `\\`: two names never look alike.
#[must_use]
pub fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        match MAIN_SEPARATOR {
            '\\' => text += chunk.valid(),
            _ => text += &chunk.valid().replace('\\', "\\\\"),
        }
        text += &chunk.invalid().escape_ascii().to_string();
    }
    text
}

/// At most the first `most` of `names`, each as [`shown`] has it, between backquotes.
#[must_use]
pub fn shown_list<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let first = names.iter().take(most);
    let mut list: Vec<String> = first
        .map(|name| format!("`{}`", shown(name.as_ref())))
        .collect();
    if names.len() > most {
        list.push(format!("{} more", names.len() - most));
    }
    list.join(", ")
}

/// All of `text` on one line, characters that are not seen escaped.
///
/// Escaped are control characters, line and paragraph separators, and format characters: those
/// that turn the direction of text or have no width. Letters that combine and wide spaces stay.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    text.chars().for_each(|c| push_escaped(&mut line, c));
    line
}

/// A message of several lines as it may be shown: bounded, each line escaped.
///
/// What comes from outside has been through [`shown`] when the message was made; this is for
/// what was forgotten.
#[must_use]
pub fn shown_message(message: &str) -> String {
    let mut text = String::with_capacity(message.len().min(SHOWN_MESSAGE));
    for c in message.chars() {
        if text.len() + MARK.len() + LONGEST_ESCAPE > SHOWN_MESSAGE {
            text += MARK;
            break;
        }
        match c {
            '\n' => text.push(c),
            c => push_escaped(&mut text, c),
        }
    }
    text
}

/// A size in memory: `3.9 GiB`, `12.0 MiB`, `1.5 KiB`, `17 bytes`.
#[must_use]
pub fn shown_bytes(bytes: u64) -> String {
    for (unit, name) in [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit {
            return format!("{:.1} {name}", bytes as f64 / unit as f64);
        }
    }
    format!("{bytes} bytes")
}

/// A count with its noun: `1 thread`, `2 threads`.
#[must_use]
pub fn counted(count: usize, name: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// Bytes as two digits each: `0x1f, 0xa0` is `1fa0`.
#[cfg(feature = "cli")]
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// Whether `pattern` is all of `name`, with anything in the place of each `*`.
#[cfg(feature = "cli")]
pub(crate) fn follows(name: &str, pattern: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return name == pattern;
    };
    let Some(mut name) = name.strip_prefix(beginning) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(end)
}

/// What stands where something was cut.
const MARK: &str = " …";

/// The bytes of the longest escape, `\u{10ffff}`.
const LONGEST_ESCAPE: usize = 10;

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => escaped(&text[..end]) + MARK,
        None => escaped(text),
    }
}

fn push_escaped(line: &mut String, c: char) {
    let is_space = c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    if is_space || matches!(c, '"' | '\'' | '\\') {
        line.push(c);
        return;
    }
    // Behind another character, where Rust leaves one that combines as it is.
    let mut pair = [b'-'; 5];
    let length = 1 + c.encode_utf8(&mut pair[1..]).len();
    let pair = std::str::from_utf8(&pair[..length]).unwrap_or("-");
    line.extend(pair.escape_debug().skip(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_is_not_seen_is_escaped() {
        for (c, expected) in [
            ('\n', "\\n"),
            ('\u{1b}', "\\u{1b}"),
            ('\u{7f}', "\\u{7f}"),
            ('\u{9b}', "\\u{9b}"),
            // Bidirectional overrides and isolates, zero widths, separators, tags.
            ('\u{202e}', "\\u{202e}"),
            ('\u{2066}', "\\u{2066}"),
            ('\u{61c}', "\\u{61c}"),
            ('\u{200b}', "\\u{200b}"),
            ('\u{200d}', "\\u{200d}"),
            ('\u{feff}', "\\u{feff}"),
            ('\u{ad}', "\\u{ad}"),
            ('\u{2028}', "\\u{2028}"),
            ('\u{2029}', "\\u{2029}"),
            ('\u{e0041}', "\\u{e0041}"),
        ] {
            assert_eq!(shown(&c.to_string()), expected);
            assert_eq!(shown(&format!("a{c}")), format!("a{expected}"));
        }
    }

    #[test]
    fn names_of_people_stay_as_they_are() {
        for text in [
            "layer1.0.se.fc1.weight",
            "C:\\photos\\\"cat's\".jpg",
            "写真\u{3000}猫.jpg",
            // Letters that combine: an accent apart, and Devanagari's vowel signs.
            "cafe\u{301}",
            "\u{301}",
            "बिल्ली",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(SHOWN + 1);
        assert_eq!(shown(&text), format!("{} …", "é".repeat(SHOWN)));
        assert_eq!(shown(&"é".repeat(SHOWN)), "é".repeat(SHOWN));
    }

    #[test]
    fn a_message_keeps_its_lines_and_no_more_than_its_bytes() {
        assert_eq!(shown_message("no\u{1b}\nhint: yes"), "no\\u{1b}\nhint: yes");
        for long in ["\u{202e}", "é", "x"] {
            let message = shown_message(&long.repeat(100_000));
            assert!(message.len() <= SHOWN_MESSAGE, "{}", message.len());
            assert!(message.ends_with('…'));
        }
    }

    #[test]
    fn a_list_says_how_much_of_it_is_left_out() {
        assert_eq!(shown_list(&["a", "b"], 2), "`a`, `b`");
        assert_eq!(shown_list(&["a", "b", "c"], 1), "`a`, 2 more");
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits() {
        let sizes = [0, 1023, 1024, 3 << 19, (39 << 30) / 10].map(shown_bytes);
        assert_eq!(
            sizes,
            ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB", "3.9 GiB"]
        );
    }

    #[test]
    fn bytes_of_a_path_that_are_no_text_are_escaped() {
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let path = std::ffi::OsStr::from_bytes(b"a\xff\n");
            assert_eq!(shown_path(Path::new(path)), "a\\xff\\n");
        }
    }
}
