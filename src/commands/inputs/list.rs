//! Paths on standard input.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::path_of;
use super::standard_input::first_bytes;
use crate::error::{Error, Result};
use crate::image;

/// The most bytes of a path, sixteen times what Linux takes.
const MAX_PATH: usize = 1 << 16;

/// Bytes that tell an image from a list.
const SIGNATURE: usize = 32;

/// The paths of a list, each as soon as it is there: a path a line or, with `null`, ended by NUL
/// bytes. After an error there are no more.
pub(super) struct Paths<R> {
    stdin: R,
    null: bool,
    state: State,
}

enum State {
    New,
    /// What was read of the list before its first path.
    Begun(io::Cursor<Vec<u8>>),
    Ended,
}

impl<R: BufRead> Paths<R> {
    pub(super) fn new(stdin: R, null: bool) -> Self {
        Self {
            stdin,
            null,
            state: State::New,
        }
    }

    /// The next path; none at the end.
    ///
    /// # Errors
    ///
    /// Standard input that cannot be read, or that is no such list.
    fn read(&mut self) -> Result<Option<PathBuf>> {
        if let State::New = self.state {
            self.state = State::Begun(io::Cursor::new(self.start()?));
        }
        let State::Begun(start) = &mut self.state else {
            return Ok(None);
        };
        let mut rest = start.chain(&mut self.stdin);
        loop {
            let mut path = Vec::new();
            // One more for what ends it.
            let mut bounded = rest.by_ref().take(MAX_PATH as u64 + 1);
            let read = bounded.read_until(end(self.null), &mut path);
            if read.map_err(failed())? == 0 {
                return Ok(None);
            }
            if path.last() == Some(&end(self.null)) {
                path.pop();
            } else if path.len() > MAX_PATH {
                return Err(too_long(self.null));
            }
            if !self.null {
                if path.contains(&0) {
                    return Err(Error::Usage(
                        "standard input holds NUL bytes; expected a path a line\nhint: `--null` \
                         is for lists such as `find -print0` writes"
                            .to_owned(),
                    ));
                }
                if path.last() == Some(&b'\r') {
                    path.pop();
                }
            }
            if !path.is_empty() {
                return Ok(Some(path_of(path)));
            }
        }
    }

    /// As many of the first bytes as tell an image from a list, but none that would have to be
    /// waited for once there is a path; without the mark that some programs put before a text.
    fn start(&mut self) -> Result<Vec<u8>> {
        let is_path = |start: &[u8]| start.contains(&end(self.null));
        let start = first_bytes(&mut self.stdin, SIGNATURE, is_path);
        let mut start = start.map_err(failed())?;
        refuse_image(&start, self.null)?;
        if start.starts_with(b"\xef\xbb\xbf") {
            start.drain(..3);
        }
        Ok(start)
    }
}

impl<R: BufRead> Iterator for Paths<R> {
    type Item = Result<PathBuf>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.read().transpose();
        if !matches!(path, Some(Ok(_))) {
            self.state = State::Ended;
        }
        path
    }
}

/// What ends a path.
fn end(null: bool) -> u8 {
    if null { 0 } else { b'\n' }
}

fn failed() -> impl FnOnce(io::Error) -> Error {
    Error::file("read", Path::new("standard input"))
}

/// Refuses an image in place of the list of paths.
fn refuse_image(start: &[u8], null: bool) -> Result<()> {
    // A path may begin as an image does, with `BM` or `GIF89a`, but has no such bytes.
    let is_text = |&byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\n' | b'\r' | b'\t');
    if start
        .iter()
        .all(|byte| is_text(byte) || (null && *byte == 0))
    {
        return Ok(());
    }
    let Some(format) = image::format_name(start) else {
        return Ok(());
    };
    Err(Error::Usage(format!(
        "standard input is a {format}, not a list of paths\nhint: `senet classify \
         /dev/stdin` classifies it"
    )))
}

fn too_long(null: bool) -> Error {
    let (path, hint) = if null {
        (
            "path that a NUL byte ends",
            "without `--null` a list has a path a line",
        )
    } else {
        ("path a line", "`find` and `ls` write such lists")
    };
    Error::Usage(format!(
        "standard input holds a path of more than {MAX_PATH} bytes; expected a {path}\nhint: {hint}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(list: &[u8], null: bool) -> Result<Vec<String>, String> {
        let paths = Paths::new(list, null);
        let paths = paths.map(|path| path.map(|path| path.display().to_string()));
        let paths: Result<_> = paths.collect();
        paths.map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_has_a_path_a_line_or_between_nul_bytes() {
        for (list, expected) in [
            (&b""[..], &[][..]),
            (b"a b\r\n\nc\n", &["a b", "c"]),
            (b"a", &["a"]),
            (b"\xef\xbb\xbfa\nb\n", &["a", "b"]),
            // No bitmap and no GIF.
            (b"BMW/a.jpg\n", &["BMW/a.jpg"]),
            (b"GIF89a/a.jpg\n", &["GIF89a/a.jpg"]),
        ] {
            assert_eq!(paths(list, false).unwrap(), expected);
        }
        assert_eq!(paths(b"a\nb\0BM\r\0", true).unwrap(), ["a\nb", "BM\r"]);
        let refusal = paths(b"a\0b\0", false).unwrap_err();
        assert!(refusal.contains("`find -print0`"), "{refusal}");
    }

    #[test]
    fn a_list_without_ends_of_lines_is_refused_before_it_fills_the_memory() {
        for null in [false, true] {
            let endless = io::BufReader::new(io::repeat(b'x'));
            let mut paths = Paths::new(endless, null);
            let refusal = paths.next().unwrap().unwrap_err().to_string();
            assert!(refusal.contains("more than 65536 bytes"), "{refusal}");
            assert!(paths.next().is_none());
        }
        let longest = "x".repeat(MAX_PATH);
        assert_eq!(paths(longest.as_bytes(), false).unwrap().len(), 1);
        let line = format!("{longest}\n{longest}\n");
        assert_eq!(paths(line.as_bytes(), false).unwrap().len(), 2);
    }

    /// Gives a byte at a time, and fails where a list that is read further than it must be would
    /// wait.
    struct Slow(&'static [u8]);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let [first, rest @ ..] = self.0 else {
                return Err(io::Error::other("read further"));
            };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn a_path_is_there_before_the_next_byte_is() {
        for (list, null) in [(&b"\xef\xbb\xbfa\nb\n"[..], false), (b"a\0b\0", true)] {
            let paths = Paths::new(io::BufReader::new(Slow(list)), null);
            let paths: Vec<_> = paths.collect();
            let [Ok(a), Ok(b), Err(error)] = &paths[..] else {
                panic!("two paths and an error: {paths:?}");
            };
            assert_eq!([a.as_path(), b.as_path()], [Path::new("a"), Path::new("b")]);
            assert_eq!(error.to_string(), "cannot read `standard input`");
        }
    }

    #[test]
    fn an_image_is_no_list() {
        for (format, file) in [
            ("JPEG", "tests/images/photos/cat.jpg"),
            ("PNG", "tests/images/odd/gray.png"),
        ] {
            let bytes = std::fs::read(file).unwrap();
            let refusal = paths(&bytes, false).unwrap_err();
            let expected = format!("standard input is a {format}, not a list of paths");
            assert!(refusal.starts_with(&expected), "{refusal}");
        }
    }
}
