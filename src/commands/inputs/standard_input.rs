//! What is on standard input: a list of paths, or an archive.

use std::io::{self, BufRead, Read};
use std::path::Path;

use super::list::Paths;
use super::tar::{self, Members};
use super::{Guide, Place, Places};
use crate::error::{Error, Result};

/// Bytes that tell an archive from a list: a header.
const START: usize = 512;

/// The places that standard input leads to. It is looked at when the first is asked for.
pub(super) struct StandardInput<R> {
    stdin: Option<R>,
    null: bool,
    guide: Guide,
    places: Option<Places>,
}

impl<R: BufRead + Send + 'static> StandardInput<R> {
    /// With `null` it is a list in any case.
    pub(super) fn new(stdin: R, null: bool, guide: Guide) -> Self {
        Self {
            stdin: Some(stdin),
            null,
            guide,
            places: None,
        }
    }

    fn places(&self, mut stdin: R) -> Result<Places> {
        let start = if self.null {
            Vec::new()
        } else {
            start(&mut stdin).map_err(Error::file("read", Path::new("standard input")))?
        };
        let guide = self.guide.clone();
        if tar::begins(&start) {
            let is_gzip = tar::is_gzip(&start);
            let archive = io::Cursor::new(start).chain(stdin);
            let members = Members::of_stream(archive, is_gzip, guide.room, guide.told);
            let place = Place::Archive(None, Box::new(members));
            return Ok(Box::new(std::iter::once(Ok(place))));
        }
        let paths = Paths::new(io::Cursor::new(start).chain(stdin), self.null);
        Ok(Box::new(paths.flat_map(move |path| match path {
            Ok(path) => guide.places(path),
            Err(error) => Box::new(std::iter::once(Err(error))),
        })))
    }
}

/// As many of the first bytes as tell an archive from a list, but none that would have to be waited
/// for once there is a line: a header has a NUL byte before.
fn start(stdin: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let is_line = |start: &[u8]| !start.contains(&0) && start.contains(&b'\n');
    first_bytes(stdin, START, is_line)
}

/// The first bytes, so many at most: what is there at a time, until that is enough.
pub(super) fn first_bytes(
    stdin: &mut impl BufRead,
    most: usize,
    is_enough: impl Fn(&[u8]) -> bool,
) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    while start.len() < most && !is_enough(&start) {
        let there = stdin.fill_buf()?;
        let there = &there[..there.len().min(most - start.len())];
        if there.is_empty() {
            break;
        }
        start.extend_from_slice(there);
        let count = there.len();
        stdin.consume(count);
    }
    Ok(start)
}

impl<R: BufRead + Send + 'static> Iterator for StandardInput<R> {
    type Item = Result<Place>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(stdin) = self.stdin.take() {
            match self.places(stdin) {
                Ok(places) => self.places = Some(places),
                Err(error) => return Some(Err(error)),
            }
        }
        self.places.as_mut()?.next()
    }
}
