//! Paths on standard input.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::image;

/// The most bytes of a path, sixteen times what Linux takes.
const MAX_PATH: usize = 1 << 16;

/// Bytes that tell an image from a list.
const SIGNATURE: u64 = 32;

/// Hands on the paths of a list: a line each or, with `null`, ended by NUL bytes.
///
/// # Errors
///
/// Standard input that cannot be read, or that is no such list.
pub(super) fn read(
    stdin: &mut dyn BufRead,
    null: bool,
    mut each: impl FnMut(PathBuf),
) -> Result<()> {
    let failed = || Error::file("read", Path::new("standard input"));
    let mut start = Vec::new();
    let signature = Read::take(&mut *stdin, SIGNATURE).read_to_end(&mut start);
    signature.map_err(failed())?;
    refuse_image(&start, null)?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let mut rest = start.chain(stdin);
    let end = if null { 0 } else { b'\n' };
    let mut path = Vec::new();
    loop {
        path.clear();
        // One more for what ends it.
        let mut bounded = rest.by_ref().take(MAX_PATH as u64 + 1);
        if bounded.read_until(end, &mut path).map_err(failed())? == 0 {
            return Ok(());
        }
        if path.last() == Some(&end) {
            path.pop();
        } else if path.len() > MAX_PATH {
            return Err(too_long(null));
        }
        if !null {
            if path.contains(&0) {
                return Err(Error::Usage(
                    "standard input holds NUL bytes; expected a path a line\nhint: `--null` is \
                     for lists such as `find -print0` writes"
                        .to_owned(),
                ));
            }
            if path.last() == Some(&b'\r') {
                path.pop();
            }
        }
        if !path.is_empty() {
            each(path_of(&path));
        }
    }
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

/// Bytes of a list as a path: themselves where paths are bytes.
fn path_of(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
    }
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn paths(list: &[u8], null: bool) -> Result<Vec<String>, String> {
        let mut paths = Vec::new();
        let mut stdin = list;
        let each = |path: PathBuf| paths.push(path.display().to_string());
        read(&mut stdin, null, each).map_err(|error| error.to_string())?;
        Ok(paths)
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
            let mut endless = io::BufReader::new(io::repeat(b'x'));
            let refusal = read(&mut endless, null, |_| {}).unwrap_err().to_string();
            assert!(refusal.contains("more than 65536 bytes"), "{refusal}");
        }
        let longest = "x".repeat(MAX_PATH);
        assert_eq!(paths(longest.as_bytes(), false).unwrap().len(), 1);
        let line = format!("{longest}\n{longest}\n");
        assert_eq!(paths(line.as_bytes(), false).unwrap().len(), 2);
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
