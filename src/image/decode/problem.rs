//! What is wrong with an image, in words for people.

use crate::error::Error;

/// A file that does not hold what it says it does.
pub(super) fn damaged(name: &str, problem: &str) -> Error {
    Error::Image(format!("truncated or damaged {name}: {problem}"))
}

/// A whole file of a kind that is not read.
pub(super) fn unsupported(name: &str, kind: &str) -> Error {
    Error::Image(format!("unsupported {name}: {kind}"))
}

/// Floating point among others: no value of theirs is known to be white.
pub(super) fn unsupported_samples(name: &str) -> Error {
    unsupported(name, "its samples are neither 8-bit nor 16-bit gray or RGB")
}

/// What takes more than it may.
pub(in crate::image) fn too_large(problem: &str) -> Error {
    Error::Image(format!("image too large: {problem}"))
}
