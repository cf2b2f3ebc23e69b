//! A file's content, fetched into the cache whole or not at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::StatusCode;

use super::super::source::{Download, Repository};
use super::BUFFER;
use super::cache::{CacheFolder, make_parent};
use super::client::{Client, Metadata};
use super::content_hash::ContentHash;
use crate::error::{Error, Result};
use crate::files;
use crate::text::shown;

/// How often a connection is made again that broke before anything new had arrived.
const ATTEMPTS: u32 = 3;

/// The pause before that.
const PAUSE: Duration = Duration::from_millis(500);

/// One file of a repository on its way into the cache.
pub(super) struct Fetch<'a> {
    pub(super) client: &'a Client,
    pub(super) cache: &'a CacheFolder,
    pub(super) repository: &'a Repository,
    pub(super) file: &'a str,
    pub(super) metadata: &'a Metadata,
    /// The most bytes that it may have.
    pub(super) limit: u64,
}

impl Fetch<'_> {
    /// The file in its snapshot: downloads the blob unless it is there, or goes on with what a
    /// broken download left, and checks its size and, where its etag is one, its hash before it
    /// counts as a blob. At least one of the two has to be known.
    ///
    /// # Errors
    ///
    /// A connection that breaks again and again, content that is not what the hub said or is
    /// beyond the limit, or a cache that cannot be written.
    pub(super) fn run(&self, observe: &mut dyn FnMut(Download)) -> Result<PathBuf> {
        let (etag, size) = (&self.metadata.etag, self.metadata.size);
        self.check_limit(size)?;
        let blob = self.cache.blob(etag);
        let lock = self.cache.lock(etag, || {
            observe(Download {
                file: self.file,
                received: 0,
                total: size,
                is_awaited: true,
            });
        })?;
        // Another process may have written it while this one waited for the lock.
        if !blob.exists() {
            make_parent(&blob)?;
            let partial = blob.with_added_extension("incomplete");
            let filled = self.fill(&partial, observe);
            if filled.is_err() && fs::metadata(&partial).is_ok_and(|left| left.len() == 0) {
                let _ = fs::remove_file(&partial);
            }
            filled?;
            if let Err(error) = self.check(&partial) {
                // Going on from here would give the same again.
                let _ = fs::remove_file(&partial);
                return Err(error);
            }
            fs::rename(&partial, &blob).map_err(Error::file("write", &blob))?;
        }
        let path = self.cache.link(etag, &self.metadata.commit, self.file);
        drop(lock);
        path
    }

    /// Brings `partial` to its full size.
    fn fill(&self, partial: &Path, observe: &mut dyn FnMut(Download)) -> Result<()> {
        let mut file = files::append(partial).map_err(Error::file("write", partial))?;
        let length = |file: &File| match file.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(Error::file("read", partial)(error)),
        };
        let mut received = length(&file)?;
        if self.metadata.size.is_some_and(|size| received > size) {
            file.set_len(0).map_err(Error::file("write", partial))?;
            received = 0;
        }
        let mut furthest = received;
        let mut failures = 0;
        // What is left of a broken download may be whole already, all but checked.
        while self.metadata.size.is_none_or(|size| received < size) || received == 0 {
            let cause = match self.receive(&mut file, partial, received, observe)? {
                Received::Everything => break,
                Received::NotFromHere => {
                    file.set_len(0).map_err(Error::file("write", partial))?;
                    "the hub has no such part of it".to_owned()
                }
                Received::Some(cause) => cause,
            };
            received = length(&file)?;
            if received > furthest {
                furthest = received;
                failures = 0;
            } else {
                failures += 1;
            }
            if failures >= ATTEMPTS {
                return Err(self.broken(received, &cause));
            }
            std::thread::sleep(PAUSE);
        }
        file.sync_all().map_err(Error::file("write", partial))
    }

    /// Appends what one connection gives.
    fn receive(
        &self,
        file: &mut File,
        path: &Path,
        start: u64,
        observe: &mut dyn FnMut(Download),
    ) -> Result<Received> {
        let commit = &self.metadata.commit;
        let response = match self
            .client
            .content(self.repository, commit, self.file, start)
        {
            Ok(response) => response,
            Err(failure) if failure.may_pass() => {
                return Ok(Received::Some(failure.to_string()));
            }
            Err(failure) => return Err(self.problem(failure.to_string())),
        };
        let mut received = start;
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = response.headers().get("content-range");
            let range = range
                .and_then(|range| range.to_str().ok())
                .unwrap_or_default();
            if !range.starts_with(&format!("bytes {start}-")) {
                return Ok(Received::NotFromHere);
            }
        } else if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(Received::NotFromHere);
        } else {
            // All of it, whatever was asked for.
            if start > 0 {
                file.set_len(0).map_err(Error::file("write", path))?;
            }
            received = 0;
        }
        let left = response.body().content_length();
        let stated = left.map(|left| received.saturating_add(left));
        if let (Some(size), Some(stated)) = (self.metadata.size, stated)
            && stated != size
        {
            return Err(self.wrong_size(size, stated));
        }
        let size = self.metadata.size.or(stated);
        self.check_limit(size)?;
        if size.is_none() && ContentHash::of(&self.metadata.etag).is_none() {
            return Err(self.nothing_to_check());
        }
        let most = size.unwrap_or(self.limit);
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER];
        loop {
            observe(Download {
                file: self.file,
                received,
                total: size,
                is_awaited: false,
            });
            match reader.read(&mut buffer) {
                Ok(0) if size.is_some_and(|size| received < size) => {
                    return Ok(Received::Some("the connection was closed".to_owned()));
                }
                Ok(0) => return Ok(Received::Everything),
                Ok(count) => {
                    received += count as u64;
                    if received > most {
                        // Nothing of it is worth going on with.
                        file.set_len(0).map_err(Error::file("write", path))?;
                        return Err(match size {
                            Some(size) => self.wrong_size(size, received),
                            None => self.too_large(format_args!("{received} or more"), most),
                        });
                    }
                    file.write_all(&buffer[..count])
                        .map_err(Error::file("write", path))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Received::Some(shown(&error.to_string()))),
            }
        }
    }

    /// Compares what arrived with what the hub said of it.
    fn check(&self, partial: &Path) -> Result<()> {
        let cannot_read = |error| Error::file("read", partial)(error);
        let found = fs::metadata(partial).map_err(cannot_read)?.len();
        if let Some(size) = self.metadata.size
            && found != size
        {
            return Err(self.wrong_size(size, found));
        }
        let expected = &self.metadata.etag;
        let Some(hash) = ContentHash::of(expected) else {
            return Ok(());
        };
        let file = File::open(partial).map_err(cannot_read)?;
        let found = hash.compute(file, found).map_err(cannot_read)?;
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(self.problem(format!(
            "`{}` arrived damaged: its {hash} is {found}, and the hub says {expected}\nhint: it \
             was not kept; run it again",
            self.file
        )))
    }

    fn check_limit(&self, size: Option<u64>) -> Result<()> {
        match size {
            Some(size) if size > self.limit => Err(self.too_large(size, self.limit)),
            _ => Ok(()),
        }
    }

    fn too_large(&self, found: impl fmt::Display, limit: u64) -> Error {
        let file = self.file;
        self.problem(format!("`{file}` has {found} bytes, and may have {limit}"))
    }

    fn nothing_to_check(&self) -> Error {
        self.problem(format!(
            "the hub says neither the size nor a hash of `{}`, so it cannot be told whether it \
             arrives whole\nhint: a proxy or `HF_ENDPOINT` may be in between",
            self.file
        ))
    }

    fn broken(&self, received: u64, cause: &str) -> Error {
        let file = self.file;
        let size = self.metadata.size;
        let of = size.map_or(String::new(), |size| format!(" of {size}"));
        self.problem(match received {
            0 => format!("nothing of `{file}` arrives: {cause}"),
            _ => format!(
                "the download of `{file}` broke after {received}{of} bytes: {cause}\nhint: run it \
                 again, and it goes on from there"
            ),
        })
    }

    fn wrong_size(&self, expected: u64, found: u64) -> Error {
        self.problem(format!(
            "`{}` has {found} bytes, and the hub says {expected}\nhint: what arrives is not what \
             the hub has: a proxy or `HF_ENDPOINT` may be in between",
            self.file
        ))
    }

    fn problem(&self, problem: String) -> Error {
        super::problem(self.repository, format!("cannot be fetched: {problem}"))
    }
}

/// How one connection ended.
enum Received {
    Everything,
    /// Before the end, and why.
    Some(String),
    /// Without the part asked for.
    NotFromHere,
}
