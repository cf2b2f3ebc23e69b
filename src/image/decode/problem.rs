//! What is wrong with an image, in words for people.

use std::error::Error as StdError;
use std::io::ErrorKind;

use image::ImageError;
use image::error::UnsupportedErrorKind;

use crate::error::Error;
use crate::text::shown;

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

/// What the `image` crate says of a file of the format called `name`.
pub(super) fn of_image_crate(name: &str, error: &ImageError) -> Error {
    match error {
        ImageError::Limits(_) => too_large("decoding it takes more memory than its header says"),
        ImageError::Unsupported(error) => match error.kind() {
            UnsupportedErrorKind::Color(_) => unsupported_samples(name),
            _ => unsupported(name, &shown(&error.to_string())),
        },
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            damaged(name, "unexpected end of file")
        }
        error => damaged(name, &shown(&root_cause(error))),
    }
}

/// What the decoder itself said, without the layers that repeat the format's name.
fn root_cause(error: &dyn StdError) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}
