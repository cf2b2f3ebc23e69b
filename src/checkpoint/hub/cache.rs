//! The folder of a repository in the cache, laid out as Python's `huggingface_hub` does:
//!
//! ```text
//! models--owner--name/
//!     refs/main                        the commit that a branch or tag was last seen at
//!     snapshots/COMMIT/config.json     a link to a blob
//!     blobs/ETAG                       a file's content
//!     .no_exist/COMMIT/config.json     a file that the commit is known not to have
//! .locks/models--owner--name/ETAG.lock held while a blob is written
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::super::source::Repository;
use super::content_hash::ContentHash;
use crate::error::{Error, Result};
use crate::files::{self, Pipes};

/// Bytes of a file that notes a commit, which has 40 characters.
const LONGEST_REF: u64 = 1000;

/// A repository's part of the cache.
#[derive(Debug)]
pub(super) struct CacheFolder {
    root: PathBuf,
    locks: PathBuf,
}

/// Whether `revision` is a whole commit hash, which always means the same files.
pub(super) fn is_commit(revision: &str) -> bool {
    let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    revision.len() == 40 && revision.bytes().all(is_digit)
}

impl CacheFolder {
    pub(super) fn new(cache: &Path, repository: &Repository) -> Self {
        let name = format!("models--{}", repository.name().replace('/', "--"));
        Self {
            root: cache.join(&name),
            locks: cache.join(".locks").join(name),
        }
    }

    /// For messages.
    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// The commit that `revision` is, as far as the cache knows.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let path = self.root.join("refs").join(revision);
        let commit = files::read_text(&path, Pipes::Refused, LONGEST_REF).ok()?;
        let commit = commit.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    /// A commit's file, if it is here.
    pub(super) fn file(&self, commit: &str, file: &str) -> Option<PathBuf> {
        let path = self.snapshot(commit, file);
        path.exists().then_some(path)
    }

    /// What the blob that `path` of a snapshot leads to is called, and the hash that this is. There
    /// is none where the snapshot has a copy, as on systems without links.
    pub(super) fn hash_of(path: &Path) -> Option<(String, ContentHash)> {
        let blob = fs::read_link(path).ok()?;
        let etag = blob.file_name()?.to_str()?;
        let is_blob = blob.parent()?.file_name()? == "blobs";
        let hash = ContentHash::of(etag).filter(|_| is_blob)?;
        Some((etag.to_owned(), hash))
    }

    /// Whether the commit is known not to have such a file.
    pub(super) fn is_absent(&self, commit: &str, file: &str) -> bool {
        self.absence(commit, file).exists()
    }

    /// Where content with this mark is kept.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// Takes the lock on a blob. Where another process holds it, as it is writing the blob, this
    /// one says `wait` and then does. Where the file system has no locks there is none: what is
    /// written is checked before it is called whole.
    ///
    /// # Errors
    ///
    /// A cache that cannot be written.
    pub(super) fn lock(&self, etag: &str, wait: impl FnOnce()) -> Result<File> {
        let path = self.locks.join(format!("{etag}.lock"));
        make_parent(&path)?;
        let lock = files::append(&path).map_err(Error::file("write", &path))?;
        let taken = match lock.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => {
                wait();
                lock.lock()
            }
        };
        match taken {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                Err(Error::file("lock", &path)(error))
            }
            _ => Ok(lock),
        }
    }

    /// Makes a blob known as a commit's file, which takes the lock on the blob.
    ///
    /// # Errors
    ///
    /// A cache that cannot be written.
    pub(super) fn link(&self, etag: &str, commit: &str, file: &str) -> Result<PathBuf> {
        let path = self.snapshot(commit, file);
        if path.exists() {
            return Ok(path);
        }
        make_parent(&path)?;
        // A link to a blob that somebody removed.
        let _ = fs::remove_file(&path);
        let target = Path::new("..").join("..").join("blobs").join(etag);
        match symlink(&target, &path) {
            Ok(()) => Ok(path),
            // Not every system lets everybody make links.
            Err(_) => match fs::copy(self.blob(etag), &path) {
                Ok(_) => Ok(path),
                Err(error) => Err(Error::file("write", &path)(error)),
            },
        }
    }

    /// Notes which commit a branch or tag is; a commit is always itself.
    ///
    /// # Errors
    ///
    /// A cache that cannot be written.
    pub(super) fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        make_parent(&path)?;
        // Renamed into place, so that nobody reads half of it.
        let partial = path.with_added_extension(format!("{}.tmp", std::process::id()));
        // Made anew: whatever has the name is of a process that is gone, or a link to elsewhere.
        let _ = fs::remove_file(&partial);
        File::create_new(&partial)
            .and_then(|mut file| file.write_all(commit.as_bytes()))
            .map_err(Error::file("write", &partial))?;
        fs::rename(&partial, &path).map_err(Error::file("write", &path))
    }

    /// Notes that a commit has no such file, so that it need not be asked for again.
    pub(super) fn remember_absence(&self, commit: &str, file: &str) {
        let path = self.absence(commit, file);
        if make_parent(&path).is_ok() {
            let _ = File::create(path);
        }
    }

    fn snapshot(&self, commit: &str, file: &str) -> PathBuf {
        self.root.join("snapshots").join(commit).join(file)
    }

    fn absence(&self, commit: &str, file: &str) -> PathBuf {
        self.root.join(".no_exist").join(commit).join(file)
    }
}

/// Makes the folder that `path` is to lie in.
pub(super) fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(Error::file("create", parent))
}

fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(target, link)
    }
    #[cfg(windows)]
    {
        std::os::windows::fs::symlink_file(target, link)
    }
    #[cfg(not(any(unix, windows)))]
    {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn folder() -> (tempfile::TempDir, CacheFolder) {
        let cache = tempfile::tempdir().unwrap();
        let folder = CacheFolder::new(cache.path(), &"timm/x.y".parse().unwrap());
        (cache, folder)
    }

    #[test]
    fn a_link_leads_to_its_blob_and_mends_one_that_does_not() {
        let (cache, folder) = folder();
        let blob = folder.blob("abc");
        make_parent(&blob).unwrap();
        fs::write(&blob, "content").unwrap();
        for _ in 0..2 {
            let path = folder.link("abc", COMMIT, "config.json").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "content");
            assert_eq!(folder.file(COMMIT, "config.json"), Some(path.clone()));
            fs::remove_file(&path).unwrap();
            symlink(Path::new("../../blobs/gone"), &path).unwrap();
            assert_eq!(folder.file(COMMIT, "config.json"), None);
        }
        assert_eq!(folder.path(), cache.path().join("models--timm--x.y"));
    }

    #[test]
    fn revisions_are_remembered_whatever_their_depth() {
        let (_cache, folder) = folder();
        assert_eq!(folder.commit("main"), None);
        for revision in ["main", "refs/pr/1"] {
            folder.remember(revision, COMMIT).unwrap();
            assert_eq!(folder.commit(revision).as_deref(), Some(COMMIT));
        }
        assert_eq!(folder.commit(COMMIT).as_deref(), Some(COMMIT));
        folder.remember(COMMIT, &"a".repeat(40)).unwrap();
        assert!(!folder.path().join("refs").join(COMMIT).exists());
        fs::write(folder.path().join("refs/main"), "../../../etc").unwrap();
        assert_eq!(folder.commit("main"), None);
    }
}
