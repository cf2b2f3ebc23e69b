//! What an etag of the hub says of the content it marks.

use std::fmt;
use std::io::{self, Read};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The hash that an etag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentHash {
    /// Of the content: that of a large file.
    Sha256,
    /// Git's name for the content, of which `blob`, its size and a zero are the beginning: that
    /// of a file which is in the repository itself.
    GitBlob,
}

impl ContentHash {
    /// Nothing where the etag is no hash, as that of another server than the hub may be.
    pub(super) fn of(etag: &str) -> Option<Self> {
        if !etag.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        match etag.len() {
            64 => Some(Self::Sha256),
            40 => Some(Self::GitBlob),
            _ => None,
        }
    }

    /// The hash of a content of `size` bytes, in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// Those of `content`.
    pub(super) fn compute(self, content: impl Read, size: u64) -> io::Result<String> {
        match self {
            Self::Sha256 => digits(Sha256::new(), content),
            Self::GitBlob => {
                let beginning = format!("blob {size}\0");
                digits(Sha1::new_with_prefix(beginning), content)
            }
        }
    }
}

fn digits<D: Digest>(mut hash: D, mut content: impl Read) -> io::Result<String> {
    let mut buffer = vec![0; super::BUFFER];
    loop {
        match content.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let hash = hash.finalize();
    let digits = hash.iter().map(|byte| format!("{byte:02x}"));
    Ok(digits.collect())
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "SHA-256",
            Self::GitBlob => "SHA-1, as git counts it,",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum_and_of_git_hash_object() {
        for (etag, expected) in [
            (
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                ContentHash::Sha256,
            ),
            (
                "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f",
                ContentHash::GitBlob,
            ),
        ] {
            let hash = ContentHash::of(etag).unwrap();
            assert_eq!(hash, expected);
            assert_eq!(hash.compute(&b"abc"[..], 3).unwrap(), etag);
        }
        let other = "x".repeat(40);
        for etag in ["abc", "", &other, "f2ba8f84-5"] {
            assert_eq!(ContentHash::of(etag), None, "{etag}");
        }
    }
}
