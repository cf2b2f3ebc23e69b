//! Weights from the Hugging Face hub, through the cache that Python's `huggingface_hub` keeps.
//!
//! ```text
//! settings      the environment variables
//! cache         where a file is, or is to be
//! client        what the hub says of a file, and its content
//! content_hash  what its mark says of it
//! download      content into the cache, whole or not at all
//! ```

mod cache;
mod client;
mod content_hash;
mod download;
mod settings;

use std::path::PathBuf;

use self::cache::{CacheFolder, is_commit};
use self::client::{Client, Failure};
use self::download::Fetch;
use self::settings::Settings;
use super::folder::{self, CONFIG, Files, INDEX, MOST_BYTES, PICKLED, WEIGHTS};
use super::source::{Download, Repository};
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::text::shown_path;

/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// The most bytes of weights that are downloaded. The largest network of the catalogue has 140
/// million numbers, so that even in double precision with a copy beside them they have a fifth of
/// this.
const MOST_WEIGHTS: u64 = 10_000_000_000;

/// Files of a repository, and what should be known of how they were found.
pub(super) struct Fetched {
    pub(super) files: Files,
    pub(super) notes: Vec<String>,
}

/// Finds a repository's weights and config.json in the cache, or downloads them into it.
///
/// A branch or tag is looked up on the hub each time, as it may have moved; where that fails,
/// the files of the commit it was last seen at are used. Both files are of one commit.
///
/// # Errors
///
/// A repository, revision or file that does not exist or is not for whoever asks; a hub that
/// cannot be reached, or `HF_HUB_OFFLINE`, where the files are not in the cache; a download that
/// breaks, or is not what the hub said; a config.json too large to be one; a cache that cannot
/// be written.
pub(super) fn fetch(repository: &Repository, observe: &mut dyn FnMut(Download)) -> Result<Fetched> {
    let settings = Settings::from_environment()?;
    let mut hub = Hub {
        repository,
        cache: CacheFolder::new(&settings.cache, repository),
        client: (!settings.offline).then(|| Client::new(&settings)),
        notes: Vec::new(),
    };
    let (config, commit) = match hub.find(CONFIG, repository.revision(), observe)? {
        Found::File { path, commit } => (Some(path), commit),
        Found::Absent { commit } => (None, commit),
    };
    match hub.find(WEIGHTS, &commit, observe)? {
        Found::File { path: weights, .. } => Ok(Fetched {
            files: Files { weights, config },
            notes: hub.notes,
        }),
        Found::Absent { commit } => Err(hub.no_weights(&commit)),
    }
}

struct Hub<'a> {
    repository: &'a Repository,
    cache: CacheFolder,
    /// Nothing where the network is to be left alone.
    client: Option<Client>,
    notes: Vec<String>,
}

/// A file of a commit, or that it has none.
enum Found {
    File { path: PathBuf, commit: String },
    Absent { commit: String },
}

impl Hub<'_> {
    fn find(
        &mut self,
        file: &str,
        revision: &str,
        observe: &mut dyn FnMut(Download),
    ) -> Result<Found> {
        if is_commit(revision)
            && let Some(found) = self.cached(file, revision)?
        {
            return Ok(found);
        }
        let Some(client) = &self.client else {
            return self.cached(file, revision)?.ok_or_else(|| {
                self.not_cached(
                    file,
                    "the variable `HF_HUB_OFFLINE` keeps from asking the hub",
                )
            });
        };
        let metadata = match client.metadata(self.repository, revision, file) {
            Ok(metadata) => metadata,
            Err(Failure::NoFile { commit }) => {
                let commit = commit.unwrap_or_else(|| revision.to_owned());
                self.check_commit(file, revision, &commit)?;
                if is_commit(&commit) {
                    self.cache.remember_absence(&commit, file);
                    self.remember(revision, &commit);
                }
                return Ok(Found::Absent { commit });
            }
            Err(failure) => return self.without_answer(file, revision, &failure),
        };
        self.check_commit(file, revision, &metadata.commit)?;
        self.remember(revision, &metadata.commit);
        let fetch = Fetch {
            client,
            cache: &self.cache,
            repository: self.repository,
            file,
            metadata: &metadata,
            limit: match file {
                CONFIG => MOST_BYTES,
                _ => MOST_WEIGHTS,
            },
        };
        // Another commit may have had the same content.
        let had_content = self.cache.blob(&metadata.etag).exists();
        let path = match self.cache.file(&metadata.commit, file) {
            Some(path) => self.intact(file, path)?,
            None if had_content => self.intact(file, fetch.run(observe)?)?,
            None => fetch.run(observe)?,
        };
        let commit = metadata.commit;
        Ok(Found::File { path, commit })
    }

    fn cached(&self, file: &str, revision: &str) -> Result<Option<Found>> {
        let Some(commit) = self.cache.commit(revision) else {
            return Ok(None);
        };
        if let Some(path) = self.cache.file(&commit, file) {
            let path = self.intact(file, path)?;
            return Ok(Some(Found::File { path, commit }));
        }
        let is_absent = self.cache.is_absent(&commit, file);
        Ok(is_absent.then_some(Found::Absent { commit }))
    }

    /// `path` of the cache, if its content still is what its blob is called by. It may have been
    /// changed since it was downloaded, and weights that are wrong in a few numbers answer like
    /// right ones.
    fn intact(&self, file: &str, path: PathBuf) -> Result<PathBuf> {
        let Some((etag, hash)) = CacheFolder::hash_of(&path) else {
            return Ok(path);
        };
        let content = files::open(&path, Pipes::Refused).map_err(Error::file("open", &path))?;
        let size = content
            .metadata()
            .map_err(Error::file("read", &path))?
            .len();
        let found = hash
            .compute(content, size)
            .map_err(Error::file("read", &path))?;
        if found.eq_ignore_ascii_case(&etag) {
            return Ok(path);
        }
        let blob = shown_path(&self.cache.blob(&etag));
        let problem = format!(
            "was changed in the cache: the {hash} of its `{file}` is {found}, and was {etag}\nhint: \
             remove `{blob}`, and it is downloaded again"
        );
        Err(self::problem(self.repository, problem))
    }

    /// Refuses an answer for another commit than the one asked for: config.json would be of
    /// other weights.
    fn check_commit(&self, file: &str, revision: &str, found: &str) -> Result<()> {
        if !is_commit(revision) || found == revision {
            return Ok(());
        }
        let problem = format!(
            "cannot be fetched: asked for `{file}` of commit {revision}, the hub answers for \
             commit {found}\nhint: a proxy or `HF_ENDPOINT` may be in between"
        );
        Err(self::problem(self.repository, problem))
    }

    /// A commit that cannot be noted, the cache being read-only, is looked up again next time.
    fn remember(&self, revision: &str, commit: &str) {
        let _ = self.cache.remember(revision, commit);
    }

    fn without_answer(&mut self, file: &str, revision: &str, failure: &Failure) -> Result<Found> {
        match self.cached(file, revision)? {
            Some(found) if failure.leaves_the_cache() => {
                let failure = failure.to_string();
                let failure = failure.lines().next().unwrap_or_default();
                let note = format!("{failure}; `{file}` is that in the cache");
                self.notes.push(format!("`{}`: {note}", self.repository));
                Ok(found)
            }
            _ if failure.may_pass() => Err(self.not_cached(file, &failure.to_string())),
            _ => Err(problem(
                self.repository,
                format!("cannot be fetched: {failure}"),
            )),
        }
    }

    fn not_cached(&self, file: &str, reason: &str) -> Error {
        let cache = shown_path(self.cache.path());
        let problem =
            format!("cannot be fetched, and its `{file}` is not in the cache `{cache}`: {reason}");
        self::problem(self.repository, problem)
    }

    /// What a repository has in place of weights.
    fn no_weights(&self, commit: &str) -> Error {
        let has = |file| {
            let client = self.client.as_ref();
            client.is_some_and(|client| client.metadata(self.repository, commit, file).is_ok())
        };
        let instead = if has(INDEX) {
            folder::sharded()
        } else if has(PICKLED) {
            folder::pickled()
        } else {
            String::new()
        };
        problem(self.repository, format!("has no `{WEIGHTS}`{instead}"))
    }
}

fn problem(repository: &Repository, problem: String) -> Error {
    Error::Checkpoint {
        file: repository.to_string(),
        problem,
    }
}
