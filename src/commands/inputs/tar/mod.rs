//! Images in a tar archive: a file, through a pipe, plain or by gzip.
//!
//! Nothing is unpacked, so no name of a member leads anywhere. Of an archive that is a file only
//! headers are read here, and images are read from it by whoever decodes them.

mod header;
mod room;
mod tape;

use std::io::{self, BufRead, BufReader, ErrorKind, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use self::header::{BLOCK, Extended, Header, Kind, until_null};
pub(super) use self::room::Room;
use self::tape::{Found, Tape};
use super::{Input, Told, path_of};
use crate::classifier;
use crate::files::{self, Pipes};
use crate::image::{has_image_extension, unread_image_extension};
use crate::text::shown_bytes;

/// The part of all images' memory in which members wait that were read before anybody decodes them.
pub(super) const SHARE: u64 = 4;

/// The most bytes of what is said of a member before it, its name above all.
const MAX_ABOUT: u64 = 1 << 20;

/// The first bytes of what gzip writes.
const GZIP: &[u8] = b"\x1f\x8b";

/// Whether a file is an archive, going by its name alone.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase());
    let endings = [".tar", ".tar.gz", ".tgz"];
    name.is_some_and(|name| endings.iter().any(|ending| name.ends_with(ending)))
}

/// Whether what begins so was packed by gzip.
pub(super) fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(GZIP)
}

/// Whether a stream that begins so is an archive, plain or by gzip.
pub(super) fn begins(start: &[u8]) -> bool {
    let header = start.first_chunk().map(Header);
    is_gzip(start) || header.is_some_and(|header| header.is_end() || header.is_valid())
}

/// The images in an archive, in its order: members that are named like images, and an input with a
/// problem for what cannot be read.
pub(super) struct Members {
    /// The archive's path, unless it is a stream.
    path: Option<PathBuf>,
    tape: State,
    /// Where the next byte of the tape is.
    position: u64,
    is_empty: bool,
    room: Arc<Room>,
    told: Told,
}

enum State {
    Unopened,
    Open(Tape),
    Ended,
}

/// A member that may be an image.
struct Member {
    name: PathBuf,
    kind: Kind,
    size: u64,
}

/// Why an archive is read no further: of itself, or of the member in hand.
struct Torn(String);

impl From<io::Error> for Torn {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            ErrorKind::UnexpectedEof => "truncated archive".to_owned(),
            _ => format!("cannot read the archive: {error}"),
        })
    }
}

impl Members {
    /// Those of the archive at `path`, opened when the first is asked for.
    pub(super) fn of_file(path: PathBuf, room: Arc<Room>, told: Told) -> Self {
        Self {
            path: Some(path),
            tape: State::Unopened,
            position: 0,
            is_empty: true,
            room,
            told,
        }
    }

    /// Those of an archive that comes through a pipe, under their own names.
    pub(super) fn of_stream(
        stream: impl BufRead + Send + 'static,
        is_gzip: bool,
        room: Arc<Room>,
        told: Told,
    ) -> Self {
        let stream: Box<dyn BufRead + Send> = if is_gzip {
            Box::new(unpacked(stream))
        } else {
            Box::new(stream)
        };
        Self {
            path: None,
            tape: State::Open(Tape::Stream(stream)),
            position: 0,
            is_empty: true,
            room,
            told,
        }
    }

    /// The next input, where there is one.
    fn input(&mut self) -> Option<Input> {
        if let State::Unopened = self.tape {
            match self.path.as_deref().map(open) {
                Some(Ok(tape)) => self.tape = State::Open(tape),
                Some(Err(problem)) => return Some(self.end(problem)),
                None => return None,
            }
        }
        loop {
            let member = match self.member() {
                Ok(Some(member)) => member,
                Ok(None) => {
                    self.tape = State::Ended;
                    return None;
                }
                Err(Torn(problem)) => return Some(self.end(problem)),
            };
            let input = self.content(&member);
            let input = input.unwrap_or_else(|Torn(problem)| {
                self.tape = State::Ended;
                Some(Input::problem(&self.name(&member.name), problem))
            });
            if input.is_some() {
                return input;
            }
        }
    }

    /// Ends with a problem of the archive itself.
    fn end(&mut self, problem: String) -> Input {
        self.tape = State::Ended;
        let stream = || PathBuf::from("standard input");
        Input::problem(&self.path.clone().unwrap_or_else(stream), problem)
    }

    /// The next member, behind its header; none at the archive's end.
    fn member(&mut self) -> Result<Option<Member>, Torn> {
        let mut about = Extended::default();
        loop {
            let start = self.position;
            let block = match self.block()? {
                Found::Block(block) => block,
                Found::Nothing if start == 0 => {
                    return Err(Torn("not an archive: it is empty".to_owned()));
                }
                Found::Nothing => {
                    return Err(Torn(format!(
                        "truncated archive: no end is marked behind byte {start}"
                    )));
                }
                Found::Torn => {
                    return Err(Torn(format!(
                        "truncated archive: the header at byte {start} is not whole"
                    )));
                }
            };
            let header = Header(&block);
            if header.is_end() {
                return Ok(None);
            }
            if !header.is_valid() {
                return Err(Torn(match start {
                    0 => "not an archive: expected tar, or tar by gzip".to_owned(),
                    _ => format!(
                        "damaged archive: no header at byte {start}; what follows is not read"
                    ),
                }));
            }
            let size = header.size().ok_or_else(|| {
                let problem = "does not say how many bytes follow; they are not read";
                Torn(format!(
                    "damaged archive: the header at byte {start} {problem}"
                ))
            })?;
            match header.kind() {
                Kind::LongName => {
                    let name = self.about(size)?;
                    about.name = Some(until_null(&name).to_vec());
                }
                Kind::Extended => {
                    let read = Extended::read(&self.about(size)?).ok_or_else(|| {
                        let problem = "does not say what pax expects; what follows is not read";
                        Torn(format!(
                            "damaged archive: the header at byte {start} {problem}"
                        ))
                    })?;
                    about = Extended {
                        name: read.name.or(about.name),
                        ..read
                    };
                }
                Kind::About => self.skip(size)?,
                kind => {
                    let mut more = header.is_extended();
                    while more {
                        let Found::Block(map) = self.block()? else {
                            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
                        };
                        more = map[504] == 1;
                    }
                    let is_sparse = kind == Kind::File && about.is_sparse;
                    return Ok(Some(Member {
                        name: path_of(about.name.unwrap_or_else(|| header.name())),
                        kind: if is_sparse { Kind::Sparse } else { kind },
                        size: match kind {
                            Kind::Link | Kind::Other => 0,
                            _ => about.size.unwrap_or(size),
                        },
                    }));
                }
            }
        }
    }

    /// A member as an input, where it is one; the tape is behind it then.
    fn content(&mut self, member: &Member) -> Result<Option<Input>, Torn> {
        let name = self.name(&member.name);
        if !has_image_extension(&member.name) {
            let unread = unread_image_extension(&member.name);
            if let (Some(extension), Kind::File | Kind::Sparse) = (unread, member.kind) {
                self.told.pass_over(|found| found.image(extension));
            }
            self.skip(member.size)?;
            return Ok(None);
        }
        let problem = match member.kind {
            Kind::File => None,
            Kind::Link => Some("a link inside an archive, which is not followed".to_owned()),
            Kind::Sparse => Some("a file with holes, which is not read from archives".to_owned()),
            _ => {
                self.skip(member.size)?;
                return Ok(None);
            }
        };
        let problem = problem.or_else(|| {
            let (State::Open(Tape::Stream(_)), most) = (&self.tape, self.room.most()) else {
                return None;
            };
            (member.size > most).then(|| {
                format!(
                    "image too large: it has {}; out of a pipe or gzip it may have a quarter of \
                     all images' memory",
                    shown_bytes(member.size)
                )
            })
        });
        if let Some(problem) = problem {
            let input = Input::problem(&name, problem);
            self.skip(member.size)?;
            return Ok(Some(input));
        }
        let offset = self.position;
        let content = match (&self.tape, self.path.clone()) {
            (State::Open(Tape::Stream(_)), _) => {
                let taken = self.room.take(member.size);
                let bytes = self.bytes(member.size)?;
                classifier::Input::from(bytes).holding(taken)
            }
            (_, Some(path)) => {
                self.skip(member.size)?;
                classifier::Input::part(path, offset, member.size)
            }
            (_, None) => return Ok(None),
        };
        Ok(Some(Input::content(name, content)))
    }

    /// What a member's row is called.
    fn name(&self, member: &Path) -> PathBuf {
        let Some(archive) = &self.path else {
            return member.to_path_buf();
        };
        // A member's path may begin with `/`, as a path below the archive has it.
        let mut name = archive.as_os_str().to_owned();
        name.push("/");
        name.push(member.strip_prefix("/").unwrap_or(member));
        PathBuf::from(name)
    }

    fn tape(&mut self) -> io::Result<&mut Tape> {
        match &mut self.tape {
            State::Open(tape) => Ok(tape),
            State::Unopened | State::Ended => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    fn block(&mut self) -> io::Result<Found> {
        let found = self.tape()?.block();
        self.position += BLOCK as u64;
        found
    }

    /// What is said of the next member, `size` bytes of it.
    fn about(&mut self, size: u64) -> Result<Vec<u8>, Torn> {
        if size > MAX_ABOUT {
            return Err(Torn(format!(
                "damaged archive: a name of {} at byte {}; what follows is not read",
                shown_bytes(size),
                self.position
            )));
        }
        Ok(self.bytes(size)?)
    }

    /// The next `size` bytes, and behind what fills them up to blocks.
    fn bytes(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let bytes = self.tape()?.bytes(size)?;
        self.position += size;
        self.skip_padding(size)?;
        Ok(bytes)
    }

    /// Passes over `size` bytes, and what fills them up to blocks.
    fn skip(&mut self, size: u64) -> io::Result<()> {
        self.tape()?.skip(size)?;
        self.position += size;
        self.skip_padding(size)
    }

    fn skip_padding(&mut self, size: u64) -> io::Result<()> {
        let padding = size.wrapping_neg() % BLOCK as u64;
        // An archive that ends in it has all of the member.
        match self.tape()?.skip(padding) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            skipped => skipped?,
        }
        self.position += padding;
        Ok(())
    }
}

impl Iterator for Members {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        let input = match self.tape {
            State::Ended => return None,
            State::Unopened | State::Open(_) => self.input(),
        };
        if input.is_none() && std::mem::replace(&mut self.is_empty, false) {
            return Some(self.end("the archive holds no images".to_owned()));
        }
        self.is_empty = false;
        input
    }
}

/// Opens an archive, or says why it cannot be.
fn open(path: &Path) -> Result<Tape, String> {
    let open = || -> io::Result<Tape> {
        let file = files::open(path, Pipes::Refused)?;
        let length = file.metadata()?.len();
        let mut file = BufReader::new(file);
        if is_gzip(file.fill_buf()?) {
            return Ok(Tape::Stream(Box::new(unpacked(file))));
        }
        file.rewind()?;
        Ok(Tape::File(file, length))
    };
    open().map_err(|error| format!("cannot open it: {error}"))
}

fn unpacked(packed: impl BufRead + Send) -> impl BufRead + Send {
    BufReader::new(MultiGzDecoder::new(packed))
}
