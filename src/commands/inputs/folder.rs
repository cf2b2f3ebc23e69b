//! Images in a folder and below it.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::{Input, Told};
use crate::image::{has_image_extension, unread_image_extension};

/// What is in a folder, in the order of names: files named like images, and an input with a
/// problem for what cannot be looked at. Links are followed, and no folder is searched twice.
pub(super) struct Search {
    folder: PathBuf,
    walk: walkdir::IntoIter,
    searched: HashSet<Identity>,
    is_empty: bool,
    if_empty: IfEmpty,
    told: Told,
}

/// What a folder without images is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfEmpty {
    /// An input with that problem.
    Problem,
    /// Something to be told of, and no input.
    Told,
}

impl Search {
    /// Tells `told` what it passes over.
    pub(super) fn new(folder: PathBuf, if_empty: IfEmpty, told: Told) -> Self {
        let walk = WalkDir::new(&folder)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        Self {
            folder,
            walk,
            searched: HashSet::new(),
            is_empty: true,
            if_empty,
            told,
        }
    }

    fn input(&mut self, entry: walkdir::Result<DirEntry>) -> Option<Input> {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                // A folder that cannot be told from others cannot be read either: the next entry
                // is its problem.
                if identity(&entry).is_ok_and(|folder| !self.searched.insert(folder)) {
                    self.walk.skip_current_dir();
                    self.told.pass_over(|found| found.folder(entry.into_path()));
                }
                None
            }
            Ok(entry) if entry.file_type().is_file() => self.file(entry.into_path()),
            Ok(_) => None,
            Err(error) => unreadable(error.path().unwrap_or(&self.folder), error.io_error()),
        }
    }

    fn file(&self, path: PathBuf) -> Option<Input> {
        if has_image_extension(&path) {
            return Some(Input::image(path));
        }
        if let Some(extension) = unread_image_extension(&path) {
            self.told.pass_over(|found| found.image(extension));
        }
        None
    }
}

impl Iterator for Search {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        while let Some(entry) = self.walk.next() {
            if let Some(input) = self.input(entry) {
                self.is_empty = false;
                return Some(input);
            }
        }
        if !std::mem::replace(&mut self.is_empty, false) {
            return None;
        }
        match self.if_empty {
            IfEmpty::Problem => {
                let problem = "the folder holds no images".to_owned();
                Some(Input::problem(&self.folder, problem))
            }
            IfEmpty::Told => {
                self.told
                    .pass_over(|found| found.empty(self.folder.clone()));
                None
            }
        }
    }
}

/// The problem with a path that nobody can look behind, be it a file or a folder; none where it
/// leads to nothing and has no image's name. Without an `error` it leads back to a folder above.
fn unreadable(path: &Path, error: Option<&io::Error>) -> Option<Input> {
    let Some(error) = error else {
        let problem = "a link back to a folder that holds it".to_owned();
        return Some(Input::problem(path, problem));
    };
    let leads_to_nothing = error.kind() == io::ErrorKind::NotFound;
    let may_be_missed = path.extension().is_none() || has_image_extension(path);
    (may_be_missed || !leads_to_nothing)
        .then(|| Input::problem(path, format!("cannot open it: {error}")))
}

/// What a folder is, by whatever name.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = PathBuf;

#[cfg(unix)]
fn identity(folder: &DirEntry) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = folder.path().metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &DirEntry) -> io::Result<Identity> {
    folder.path().canonicalize()
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::passed_over::PassedOver;
    use super::*;

    fn names(inputs: &[Input]) -> Vec<String> {
        inputs.iter().map(Input::name).collect()
    }

    fn search_in(folder: &Path) -> (Vec<Input>, PassedOver) {
        let told = Told::default();
        let inputs = Search::new(folder.to_path_buf(), IfEmpty::Problem, told.clone()).collect();
        (inputs, told.end().unwrap())
    }

    #[test]
    fn a_folder_is_searched_once_by_however_many_links() {
        let folder = tempfile::tempdir().unwrap();
        // Without that 2^24 ways lead to the last.
        for level in 0..24 {
            let path = folder.path().join(level.to_string());
            fs::create_dir(&path).unwrap();
            fs::write(path.join("image.jpg"), "").unwrap();
            for link in ["a", "b"] {
                symlink(format!("../{}", level + 1), path.join(link)).unwrap();
            }
        }
        fs::create_dir(folder.path().join("24")).unwrap();
        let (inputs, passed_over) = search_in(&folder.path().join("0"));
        let images = inputs.iter().filter(|input| input.problem.is_none());
        assert_eq!(images.count(), 24);
        assert_eq!(inputs.len(), 24);
        let [warning] = &passed_over.warnings()[..] else {
            panic!("one warning");
        };
        assert!(warning.ends_with("/b`, 21 more"), "{warning}");
    }

    #[test]
    fn what_cannot_be_looked_at_is_never_left_out_for_the_dot_in_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // A link to itself, which not even root can follow.
        symlink("photos.2024", path("photos.2024")).unwrap();
        symlink(".", path("back")).unwrap();
        symlink("nothing", path("gone.jpg")).unwrap();
        symlink("nothing", path("notes.txt")).unwrap();
        let (inputs, _) = search_in(folder.path());
        let expected =
            ["back", "gone.jpg", "photos.2024"].map(|name| path(name).display().to_string());
        assert_eq!(names(&inputs), expected);
        assert!(inputs.iter().all(|input| input.problem.is_some()));
    }

    #[test]
    fn images_of_other_formats_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.heic", "b.HEIC", "c.avif", "d.jpg", "e.txt", "f"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let (inputs, passed_over) = search_in(folder.path());
        assert_eq!(inputs.len(), 1);
        assert_eq!(
            passed_over.warnings(),
            ["3 files were passed over: 2 .heic, 1 .avif, which are not read"]
        );
    }
}
