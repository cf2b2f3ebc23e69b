//! The images that arguments and the folders of classes name, found while others are computed.

mod braces;
mod folder;
mod list;
mod passed_over;
mod shard;
mod standard_input;
mod tar;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::folder::IfEmpty;
pub(super) use self::passed_over::PassedOver;
use self::shard::Turns;
use self::standard_input::StandardInput;
use self::tar::{Members, Room};
use crate::classifier;
use crate::cli::Shard;
use crate::error::{Error, Result};
use crate::image::DEFAULT_MEMORY;
use crate::text::path_text;

/// Why there is nothing to do.
pub(super) const NO_INPUT: &str = "no input: standard input named no image";

/// An image to classify, or why there is none under this name.
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) problem: Option<String>,
    /// What is to be read, where that is no file of this name.
    content: Option<classifier::Input>,
}

impl Input {
    pub(super) fn name(&self) -> String {
        path_text(&self.path)
    }

    fn image(path: PathBuf) -> Self {
        Self {
            path,
            problem: None,
            content: None,
        }
    }

    fn problem(path: &Path, problem: String) -> Self {
        Self {
            path: path.to_path_buf(),
            problem: Some(problem),
            content: None,
        }
    }

    fn content(path: PathBuf, content: classifier::Input) -> Self {
        Self {
            path,
            problem: None,
            content: Some(content),
        }
    }
}

impl From<Input> for classifier::Input {
    fn from(input: Input) -> Self {
        let name = input.name();
        match (input.problem, input.content) {
            (Some(problem), _) => Self::unreadable(name, problem),
            (None, Some(content)) => content.named(name),
            (None, None) => input.path.into(),
        }
    }
}

/// The images that the arguments name, one at a time: folders are searched in the order of names,
/// archives read in theirs, and `-` stands for the paths on standard input, or for the archive
/// there.
///
/// Nothing is looked for before it is asked for, and nothing that was handed out is kept.
pub(super) struct Inputs {
    found: Box<dyn Iterator<Item = Result<Input>> + Send>,
    told: Told,
}

/// What is found where a path leads.
enum Place {
    Image(Input),
    /// All that is in an archive, whose own path this is unless it is a stream.
    Archive(Option<PathBuf>, Box<Members>),
}

/// The places that a path or a list leads to, or why no more can be found anywhere.
type Places = Box<dyn Iterator<Item = Result<Place>> + Send>;

/// How inputs are looked for.
#[derive(Default)]
pub(super) struct Search {
    /// Whether a list on standard input has NUL bytes between its paths, not ends of lines.
    pub(super) null: bool,
    /// Memory for all images in hand, where that is not as much as by default.
    pub(super) memory: Option<u64>,
    /// Which of the places are wanted, if not all.
    pub(super) shard: Option<Shard>,
    /// Whether a path must not be read: with this error inputs end.
    pub(super) refuse: Option<Box<Refuse>>,
}

type Refuse = dyn Fn(&Path) -> Result<()> + Send;

/// What there is to say of [`Inputs`] when they have ended, whoever has them by then.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    passed_over: PassedOver,
    error: Option<Error>,
}

impl Inputs {
    /// Those of the `arguments` that the `search` is for.
    pub(super) fn new(
        arguments: Vec<PathBuf>,
        search: Search,
        stdin: impl BufRead + Send + 'static,
    ) -> Self {
        let told = Told::default();
        let memory = search.memory.unwrap_or(DEFAULT_MEMORY);
        let guide = Guide {
            told: told.clone(),
            room: Room::new(memory / tar::SHARE),
        };
        let mut stdin = Some(stdin);
        let arguments = arguments.into_iter().flat_map(braces::expand);
        let places = arguments.flat_map(move |argument| -> Places {
            if !is_standard_input(&argument) {
                return guide.places(argument);
            }
            // Of a second `-` there is nothing left.
            let guide = guide.clone();
            let found = stdin
                .take()
                .map(|stdin| StandardInput::new(stdin, search.null, guide));
            Box::new(found.into_iter().flatten())
        });
        let mut turns = Turns::new(search.shard);
        // An error is every shard's.
        let places = places.filter(move |place| place.is_err() || turns.next());
        let refuse = search.refuse;
        let found = places.flat_map(move |place| -> Box<dyn Iterator<Item = _> + Send> {
            let refused = |path: &Path| refuse.as_ref()?(path).err();
            let error = match place {
                Ok(Place::Image(input)) => match refused(&input.path) {
                    None => return Box::new(std::iter::once(Ok(input))),
                    Some(error) => error,
                },
                Ok(Place::Archive(path, members)) => match path.as_deref().and_then(refused) {
                    None => return Box::new(members.map(Ok)),
                    Some(error) => error,
                },
                Err(error) => error,
            };
            Box::new(std::iter::once(Err(error)))
        });
        Self {
            found: Box::new(found),
            told,
        }
    }

    /// Where to ask what became of them.
    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }
}

impl Iterator for Inputs {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        let error = match self.found.next()? {
            Ok(input) => return Some(input),
            Err(error) => error,
        };
        self.found = Box::new(std::iter::empty());
        self.told.said().error = Some(error);
        None
    }
}

impl Told {
    /// What was passed over, once there are no more inputs.
    ///
    /// # Errors
    ///
    /// What ended them before their end: standard input that cannot be read or is no list, an
    /// input that must not be read.
    pub(super) fn end(&self) -> Result<PassedOver> {
        let mut said = self.said();
        match said.error.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut said.passed_over)),
        }
    }

    fn pass_over(&self, add: impl FnOnce(&mut PassedOver)) {
        add(&mut self.said().passed_over);
    }

    /// Nothing is left half-changed while this is held.
    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The images in a folder and below it, in the order of names. That there are none is told, and is no
/// input.
pub(super) fn in_folder(
    folder: PathBuf,
    told: &Told,
) -> impl Iterator<Item = Input> + Send + use<> {
    folder::Search::new(folder, IfEmpty::Told, told.clone())
}

/// Whether an argument stands for what is on standard input.
pub(super) fn is_standard_input(argument: &Path) -> bool {
    argument.as_os_str() == "-"
}

/// Whether what an argument leads to may have to be waited for: standard input, and archives, whose
/// members may have to wait until others are decoded.
pub(super) fn may_wait(argument: &Path) -> bool {
    is_standard_input(argument) || tar::is_archive(argument)
}

/// What it takes to follow a path.
#[derive(Clone)]
struct Guide {
    told: Told,
    room: Arc<Room>,
}

impl Guide {
    /// The places that a path leads to: folders to what is in them, a file to itself, or to what is
    /// in it where it is named like an archive.
    fn places(&self, path: PathBuf) -> Places {
        if path.is_dir() {
            let images = folder::Search::new(path, IfEmpty::Problem, self.told.clone());
            return Box::new(images.map(|image| Ok(Place::Image(image))));
        }
        let place = if tar::is_archive(&path) {
            let members = Members::of_file(path.clone(), self.room.clone(), self.told.clone());
            Place::Archive(Some(path), Box::new(members))
        } else {
            Place::Image(Input::image(path))
        };
        Box::new(std::iter::once(Ok(place)))
    }
}

/// Bytes from outside as a path: themselves where paths are bytes.
fn path_of(bytes: Vec<u8>) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        PathBuf::from(std::ffi::OsString::from_vec(bytes))
    }
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn no_two_names_look_alike() {
        for (bytes, expected) in [
            (&b"caf\xc3\xa9/cat.jpg"[..], "café/cat.jpg"),
            (b"caf\xc3\xa9\xff.jpg", "café\\xff.jpg"),
            (b"caf\xc3\xa9\\xff.jpg", "café\\\\xff.jpg"),
            (b"a\\\\b", "a\\\\\\\\b"),
            // Left to JSON's quoting and the table's.
            (b"a\nb'\"", "a\nb'\""),
        ] {
            let input = Input::image(PathBuf::from(OsStr::from_bytes(bytes)));
            assert_eq!(input.name(), expected);
        }
    }
}
