//! What the arguments of `senet classify` name, found while it is computed.

mod folder;
mod list;
mod passed_over;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use self::passed_over::PassedOver;
use crate::classifier;
use crate::error::{Error, Result};
use crate::text::path_text;

/// An image to classify, or why there is none under this name.
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) problem: Option<String>,
}

impl Input {
    pub(super) fn name(&self) -> String {
        path_text(&self.path)
    }

    fn image(path: PathBuf) -> Self {
        Self {
            path,
            problem: None,
        }
    }

    fn problem(path: &Path, problem: String) -> Self {
        Self {
            path: path.to_path_buf(),
            problem: Some(problem),
        }
    }
}

impl From<Input> for classifier::Input {
    fn from(input: Input) -> Self {
        match &input.problem {
            Some(problem) => Self::unreadable(input.name(), problem.clone()),
            None => input.path.into(),
        }
    }
}

/// The images that the arguments name, one at a time: folders are searched in the order of names,
/// and `-` stands for the paths on standard input.
///
/// Nothing is looked for before it is asked for, and nothing that was handed out is kept.
pub(super) struct Inputs {
    found: Found,
    told: Told,
    refuse: Box<Refuse>,
}

/// What is found at a place: inputs, or why no more can be found anywhere.
type Found = Box<dyn Iterator<Item = Result<Input>> + Send>;

/// Whether a path must not be read, and why.
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
    /// Those of the `arguments`; a list on standard input has a path a line or, with `null`,
    /// ended by NUL bytes.
    pub(super) fn new(
        arguments: Vec<PathBuf>,
        null: bool,
        stdin: impl BufRead + Send + 'static,
    ) -> Self {
        let told = Told::default();
        let of_path = told.clone();
        let mut stdin = Some(stdin);
        let found = arguments.into_iter().flat_map(move |argument| {
            if !is_standard_input(&argument) {
                return expand(argument, &of_path);
            }
            // Of a second `-` there is nothing left.
            let paths = stdin.take().map(|stdin| list::Paths::new(stdin, null));
            let of_path = of_path.clone();
            let found = paths
                .into_iter()
                .flatten()
                .flat_map(move |path| match path {
                    Ok(path) => expand(path, &of_path),
                    Err(error) => Box::new(std::iter::once(Err(error))),
                });
            Box::new(found)
        });
        Self {
            found: Box::new(found),
            told,
            refuse: Box::new(|_| Ok(())),
        }
    }

    /// Ends with the error of the first input that `refuse` has one for.
    pub(super) fn refusing(self, refuse: impl Fn(&Path) -> Result<()> + Send + 'static) -> Self {
        Self {
            refuse: Box::new(refuse),
            ..self
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
        let input = self.found.next()?;
        let input = input.and_then(|input| (self.refuse)(&input.path).map(|()| input));
        let error = match input {
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

/// Whether an argument stands for what is on standard input.
pub(super) fn is_standard_input(argument: &Path) -> bool {
    argument.as_os_str() == "-"
}

/// A file stands for itself, whatever its name.
fn expand(path: PathBuf, told: &Told) -> Found {
    if path.is_dir() {
        Box::new(folder::Search::new(path, told.clone()).map(Ok))
    } else {
        Box::new(std::iter::once(Ok(Input::image(path))))
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
