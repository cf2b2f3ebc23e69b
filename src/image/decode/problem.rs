//! What is wrong with an image, in words for people.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use image::ImageError;
use image::error::UnsupportedErrorKind;

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

/// What the `image` crate says of a file of the format called `name`, by its kind: decoders' own
/// sentences are for those who write decoders.
pub(super) fn of_image_crate(name: &str, error: &ImageError) -> Error {
    match error {
        ImageError::Limits(_) => too_large("decoding it takes more memory than its header says"),
        ImageError::Unsupported(error) => match error.kind() {
            UnsupportedErrorKind::Color(_) => unsupported_samples(name),
            _ => unsupported(name, "it is of a kind that the decoder does not know"),
        },
        error => match root_cause(error).downcast_ref::<io::Error>() {
            Some(error) if error.kind() == ErrorKind::UnexpectedEof => {
                damaged(name, "the data stops early")
            }
            _ => damaged(name, "its data cannot be decoded"),
        },
    }
}

/// What the decoder itself said, without the layers around it.
fn root_cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    error.source().map_or(error, root_cause)
}
