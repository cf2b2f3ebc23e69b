//! `shard-{000..127}.tar` and `{a,b}.jpg`, for shells and programs that leave them as they are.

use std::path::{Path, PathBuf};

/// A pattern's pieces, one behind another.
#[derive(Debug, PartialEq, Eq)]
struct Sequence(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Numbers from one to the other, up or down, with zeros in front to this width.
    Range {
        first: u64,
        last: u64,
        width: usize,
    },
    Choice(Vec<Sequence>),
}

/// The paths that an argument is short for: itself where there is such a file, or where it has no
/// braces that bash would expand. They are made one at a time.
pub(super) fn expand(argument: PathBuf) -> Box<dyn Iterator<Item = PathBuf> + Send> {
    let sequence = pattern(&argument).and_then(Sequence::read);
    let Some((sequence, count)) = sequence.and_then(|sequence| {
        let count = sequence.count()?;
        Some((sequence, count))
    }) else {
        return Box::new(std::iter::once(argument));
    };
    Box::new((0..count).map(move |index| {
        let mut path = String::new();
        sequence.write(index, &mut path);
        PathBuf::from(path)
    }))
}

fn pattern(argument: &Path) -> Option<&str> {
    let text = argument.to_str().filter(|text| text.contains('{'))?;
    (!argument.exists()).then_some(text)
}

impl Sequence {
    /// A pattern that has braces; none of one that has not, or whose braces are not closed.
    fn read(pattern: &str) -> Option<Self> {
        let (sequence, rest) = Self::before(pattern, &[])?;
        let has_braces = sequence
            .0
            .iter()
            .any(|piece| !matches!(piece, Piece::Text(_)));
        (rest.is_empty() && has_braces).then_some(sequence)
    }

    /// The pieces before one of these `ends`, and what is left with that.
    fn before<'a>(mut text: &'a str, ends: &[char]) -> Option<(Self, &'a str)> {
        let mut pieces = Vec::new();
        loop {
            let special = |c: char| c == '{' || ends.contains(&c);
            let length = text.find(special).unwrap_or(text.len());
            let (plain, rest) = text.split_at(length);
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.to_owned()));
            }
            let Some(inside) = rest.strip_prefix('{') else {
                return Some((Self(pieces), rest));
            };
            let (piece, rest) = Piece::read(inside)?;
            pieces.push(piece);
            text = rest;
        }
    }

    /// How many texts it is short for; none where they cannot be counted.
    fn count(&self) -> Option<u64> {
        let counts = self.0.iter().map(Piece::count);
        counts
            .into_iter()
            .try_fold(1, |product: u64, count| product.checked_mul(count?))
    }

    /// Writes one of these texts: the last braces change first.
    fn write(&self, mut index: u64, text: &mut String) {
        let counts = self.0.iter().map(|piece| piece.count().unwrap_or(1));
        let counts: Vec<u64> = counts.collect();
        for (at, piece) in self.0.iter().enumerate() {
            let later: u64 = counts[at + 1..].iter().product();
            piece.write(index / later, text);
            index %= later;
        }
    }
}

impl Piece {
    /// What is behind a brace, and what is left behind the one that closes it.
    fn read(inside: &str) -> Option<(Self, &str)> {
        if let Some((range, rest)) = inside.split_once('}')
            && let Some(range) = Self::range(range)
        {
            return Some((range, rest));
        }
        let mut choices = Vec::new();
        let mut rest = inside;
        loop {
            let (choice, end) = Sequence::before(rest, &[',', '}'])?;
            choices.push(choice);
            if let Some(rest) = end.strip_prefix('}') {
                // One choice is none: as in bash, the braces are part of the name.
                return (choices.len() > 1).then_some((Self::Choice(choices), rest));
            }
            rest = end.strip_prefix(',')?;
        }
    }

    fn range(range: &str) -> Option<Self> {
        let (first, last) = range.split_once("..")?;
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
            is_number.then(|| digits.parse().ok())?
        };
        let has_zeros = |digits: &str| digits.len() > 1 && digits.starts_with('0');
        let width = if has_zeros(first) || has_zeros(last) {
            first.len().max(last.len())
        } else {
            0
        };
        Some(Self::Range {
            first: number(first)?,
            last: number(last)?,
            width,
        })
    }

    fn count(&self) -> Option<u64> {
        match self {
            Self::Text(_) => Some(1),
            Self::Range { first, last, .. } => first.abs_diff(*last).checked_add(1),
            Self::Choice(choices) => {
                let mut counts = choices.iter().map(Sequence::count);
                counts.try_fold(0, |sum: u64, count| sum.checked_add(count?))
            }
        }
    }

    fn write(&self, mut index: u64, text: &mut String) {
        match self {
            Self::Text(plain) => text.push_str(plain),
            &Self::Range { first, last, width } => {
                let number = if first <= last {
                    first + index
                } else {
                    first - index
                };
                text.push_str(&format!("{number:0width$}"));
            }
            Self::Choice(choices) => {
                for choice in choices {
                    let count = choice.count().unwrap_or(1);
                    if index < count {
                        return choice.write(index, text);
                    }
                    index -= count;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(argument: &str) -> Vec<String> {
        let paths = expand(PathBuf::from(argument));
        paths.map(|path| path.display().to_string()).collect()
    }

    /// What bash 5.2 makes of them, by `echo`.
    #[test]
    fn braces_are_what_bash_makes_of_them() {
        for (argument, expected) in [
            ("a-{0..2}.tar", "a-0.tar a-1.tar a-2.tar"),
            ("a-{08..11}", "a-08 a-09 a-10 a-11"),
            ("a-{8..010}", "a-008 a-009 a-010"),
            ("{2..0}", "2 1 0"),
            ("{a,b}{1,2}", "a1 a2 b1 b2"),
            ("x{,y}", "x xy"),
            ("{a,{b,c}d}e", "ae bde cde"),
            ("s-{{0..1},{8..9}}.tar", "s-0.tar s-1.tar s-8.tar s-9.tar"),
            ("{a}", "{a}"),
            ("{}", "{}"),
            ("a{b", "a{b"),
            ("a}b", "a}b"),
            ("{a..}", "{a..}"),
        ] {
            assert_eq!(expanded(argument).join(" "), expected, "{argument}");
        }
    }

    #[test]
    fn what_there_is_and_what_cannot_be_counted_stands_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("{a,b}.jpg");
        std::fs::write(&path, "").unwrap();
        let text = path.display().to_string();
        assert_eq!(expanded(&text), [text]);
        let all = "{0..18446744073709551615}";
        assert_eq!(expanded(all), [all]);
    }

    #[test]
    fn a_long_range_is_made_a_path_at_a_time() {
        let mut paths = expand(PathBuf::from("{0..9999999999}{a,b}.tar"));
        assert_eq!(paths.nth(3).unwrap(), Path::new("1b.tar"));
    }
}
