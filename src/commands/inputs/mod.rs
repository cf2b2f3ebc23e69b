//! What the arguments of `senet classify` name.

mod folder;
mod list;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use crate::classifier;
use crate::error::Result;
use crate::text::{path_text, shown, shown_list, shown_path};

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

/// What was found where the arguments say.
#[derive(Default)]
pub(super) struct Found {
    pub(super) inputs: Vec<Input>,
    pub(super) passed_over: PassedOver,
}

/// What is in the folders and is not classified, though somebody might expect it.
#[derive(Default)]
pub(super) struct PassedOver {
    /// Images in formats that are not read, by their extensions in lower case.
    images: BTreeMap<String, usize>,
    /// Other names of folders that were searched already.
    folders: Vec<PathBuf>,
}

impl PassedOver {
    /// Says so, if there is anything to say.
    pub(super) fn warnings(&self) -> Vec<String> {
        /// Folders that are named.
        const NAMED: usize = 3;
        let mut warnings = Vec::new();
        if !self.folders.is_empty() {
            let names: Vec<String> = self.folders.iter().map(|path| shown_path(path)).collect();
            warnings.push(format!(
                "passed over, as they are other names of folders that were searched: {}",
                shown_list(&names, NAMED)
            ));
        }
        if !self.images.is_empty() {
            let files: usize = self.images.values().sum();
            let mut kinds: Vec<_> = self.images.iter().collect();
            kinds.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
            let kinds = kinds.iter();
            let kinds = kinds.map(|(extension, count)| format!("{count} .{}", shown(extension)));
            let (were, are) = match files {
                1 => ("1 file was".to_owned(), "is"),
                _ => (format!("{files} files were"), "are"),
            };
            warnings.push(format!(
                "{were} passed over: {}, which {are} not read",
                kinds.collect::<Vec<_>>().join(", ")
            ));
        }
        warnings
    }
}

/// Every image that the arguments name: folders searched in the order of names, `-` replaced
/// by the paths on standard input, a line each or, with `null`, ended by NUL bytes.
///
/// # Errors
///
/// Standard input that cannot be read or is no list.
pub(super) fn expand(arguments: &[PathBuf], null: bool, stdin: &mut dyn BufRead) -> Result<Found> {
    let mut found = Found::default();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            list::read(stdin, null, |path| expand_path(&path, &mut found))?;
        } else {
            expand_path(argument, &mut found);
        }
    }
    Ok(found)
}

/// A file stands for itself, whatever its name.
fn expand_path(path: &Path, found: &mut Found) {
    if path.is_dir() {
        folder::search(path, found);
    } else {
        found.inputs.push(Input::image(path.to_path_buf()));
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

    #[test]
    fn the_commonest_of_what_was_passed_over_comes_first() {
        let images = [("avif", 1), ("heic", 2), ("jxl", 1)];
        let passed_over = PassedOver {
            images: images.map(|(name, count)| (name.to_owned(), count)).into(),
            folders: Vec::new(),
        };
        assert_eq!(
            passed_over.warnings(),
            ["4 files were passed over: 2 .heic, 1 .avif, 1 .jxl, which are not read"]
        );
        assert!(PassedOver::default().warnings().is_empty());
    }
}
