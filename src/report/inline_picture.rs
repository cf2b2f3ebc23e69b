//! A picture in a terminal, in place.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;

/// Whether a picture is drawn among the text, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InlinePicture {
    /// As the terminal can, where standard output is one that is known to.
    Auto,
    /// By the graphics protocol of kitty, which Ghostty has, too.
    Kitty,
    /// As an inline image of iTerm2, which `WezTerm` and mintty have, too.
    Iterm2,
    /// Not at all.
    Never,
}

/// How a terminal takes a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// <https://sw.kovidgoyal.net/kitty/graphics-protocol/>
    Kitty,
    /// <https://iterm2.com/documentation-images.html>
    Iterm2,
}

/// Bytes of base64 in one escape sequence of kitty's: its most.
const CHUNK: usize = 4096;

impl Protocol {
    /// That of the terminal that these environment variables describe; nothing where none is known, or
    /// inside tmux or screen, which pass none on.
    #[must_use]
    pub fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if variable("TMUX").is_some() || variable("STY").is_some() {
            return None;
        }
        let is = |name: &str, values: &[&str]| {
            variable(name).is_some_and(|value| values.contains(&value.as_str()))
        };
        if variable("KITTY_WINDOW_ID").is_some()
            || is("TERM", &["xterm-kitty", "xterm-ghostty"])
            || is("TERM_PROGRAM", &["ghostty"])
        {
            return Some(Self::Kitty);
        }
        if is("TERM_PROGRAM", &["iTerm.app", "WezTerm", "mintty"]) || is("LC_TERMINAL", &["iTerm2"])
        {
            return Some(Self::Iterm2);
        }
        None
    }

    /// Writes a PNG file, to be shown so many columns wide, on lines of its own.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write(self, png: &[u8], columns: usize, out: &mut dyn Write) -> io::Result<()> {
        let text = STANDARD.encode(png);
        match self {
            Self::Kitty => {
                // A PNG file, shown at once, without an answer.
                let mut control = format!("a=T,f=100,q=2,c={columns},");
                let mut rest = text.as_str();
                loop {
                    let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
                    let more = u8::from(!after.is_empty());
                    write!(out, "\x1b_G{control}m={more};{chunk}\x1b\\")?;
                    if after.is_empty() {
                        break;
                    }
                    control.clear();
                    rest = after;
                }
            }
            Self::Iterm2 => write!(
                out,
                "\x1b]1337;File=inline=1;size={};width={columns};preserveAspectRatio=1:{text}\x07",
                png.len()
            )?,
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, png: &[u8]) -> String {
        let mut out = Vec::new();
        protocol.write(png, 40, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_picture_for_kitty_comes_in_chunks_of_which_the_last_says_so() {
        assert_eq!(
            written(Protocol::Kitty, b"foobar"),
            "\x1b_Ga=T,f=100,q=2,c=40,m=0;Zm9vYmFy\x1b\\\n"
        );
        // Two whole chunks and a byte.
        let png: Vec<u8> = (0..6145_u32).map(|index| index.to_le_bytes()[0]).collect();
        let written = written(Protocol::Kitty, &png);
        let chunks: Vec<&str> = written.trim_end().split_terminator("\x1b\\").collect();
        assert_eq!(chunks.len(), 3);
        assert!(chunks[0].starts_with("\x1b_Ga=T,f=100,q=2,c=40,m=1;"));
        assert!(chunks[1].starts_with("\x1b_Gm=1;") && chunks[2].starts_with("\x1b_Gm=0;"));
        let text = chunks.iter().map(|chunk| chunk.split_once(';').unwrap().1);
        let lengths: Vec<usize> = text.clone().map(str::len).collect();
        assert_eq!(lengths, [4096, 4096, 4]);
        assert_eq!(STANDARD.decode(text.collect::<String>()).unwrap(), png);
    }

    #[test]
    fn a_picture_for_iterm2_is_one_sequence_with_its_size() {
        assert_eq!(
            written(Protocol::Iterm2, b"foobar"),
            "\x1b]1337;File=inline=1;size=6;width=40;preserveAspectRatio=1:Zm9vYmFy\x07\n"
        );
    }

    #[test]
    fn a_terminal_is_known_by_its_variables_and_none_inside_tmux() {
        let of = |set: &[(&str, &str)]| {
            Protocol::of_terminal(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        for (set, expected) in [
            (&[("KITTY_WINDOW_ID", "1")][..], Some(Protocol::Kitty)),
            (&[("TERM", "xterm-kitty")], Some(Protocol::Kitty)),
            (&[("TERM_PROGRAM", "ghostty")], Some(Protocol::Kitty)),
            (&[("TERM_PROGRAM", "iTerm.app")], Some(Protocol::Iterm2)),
            (&[("TERM_PROGRAM", "WezTerm")], Some(Protocol::Iterm2)),
            (&[("LC_TERMINAL", "iTerm2")], Some(Protocol::Iterm2)),
            (
                &[
                    ("TERM", "xterm-256color"),
                    ("TERM_PROGRAM", "Apple_Terminal"),
                ],
                None,
            ),
            (&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/tmux")], None),
            (&[], None),
        ] {
            assert_eq!(of(set), expected, "{set:?}");
        }
    }
}
