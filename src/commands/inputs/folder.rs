//! Images in a folder and below it.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::{Found, Input, PassedOver};
use crate::image::{has_image_extension, unread_image_extension};

/// Adds what is in the folder: files named like images, and an input with a problem for what
/// cannot be looked at. Links are followed, and no folder is searched twice.
pub(super) fn search(path: &Path, found: &mut Found) {
    let before = found.inputs.len();
    let mut searched = HashSet::new();
    let mut walk = WalkDir::new(path)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    while let Some(entry) = walk.next() {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                // A folder that cannot be told from others cannot be read either: the next entry
                // is its problem.
                if identity(&entry).is_ok_and(|folder| !searched.insert(folder)) {
                    walk.skip_current_dir();
                    found.passed_over.folders.push(entry.into_path());
                }
            }
            Ok(entry) if entry.file_type().is_file() => file(entry.into_path(), found),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(path).to_path_buf();
                found.inputs.extend(unreadable(&path, error.io_error()));
            }
        }
    }
    if found.inputs.len() == before {
        let problem = "the folder holds no images".to_owned();
        found.inputs.push(Input::problem(path, problem));
    }
}

fn file(path: PathBuf, found: &mut Found) {
    if has_image_extension(&path) {
        found.inputs.push(Input::image(path));
    } else if let Some(extension) = unread_image_extension(&path) {
        let PassedOver { images, .. } = &mut found.passed_over;
        *images.entry(extension.to_owned()).or_default() += 1;
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
fn identity(folder: &DirEntry) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = folder.path().metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &DirEntry) -> io::Result<PathBuf> {
    folder.path().canonicalize()
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(found: &Found) -> Vec<String> {
        found.inputs.iter().map(Input::name).collect()
    }

    fn search_in(folder: &Path) -> Found {
        let mut found = Found::default();
        search(folder, &mut found);
        found
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
        let found = search_in(&folder.path().join("0"));
        let images = found.inputs.iter().filter(|input| input.problem.is_none());
        assert_eq!(images.count(), 24);
        assert_eq!(found.inputs.len(), 24);
        assert_eq!(found.passed_over.folders.len(), 24);
        let [warning] = &found.passed_over.warnings()[..] else {
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
        let found = search_in(folder.path());
        let expected =
            ["back", "gone.jpg", "photos.2024"].map(|name| path(name).display().to_string());
        assert_eq!(names(&found), expected);
        assert!(found.inputs.iter().all(|input| input.problem.is_some()));
    }

    #[test]
    fn images_of_other_formats_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.heic", "b.HEIC", "c.avif", "d.jpg", "e.txt", "f"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = search_in(folder.path());
        assert_eq!(found.inputs.len(), 1);
        assert_eq!(
            found.passed_over.warnings(),
            ["3 files were passed over: 2 .heic, 1 .avif, which are not read"]
        );
    }
}
