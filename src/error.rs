//! What can go wrong, said once, in words a user can act on.

use std::path::{Path, PathBuf};

use crate::text::{shown, shown_path};

/// A result whose error is the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything the library refuses. Messages name the file, tensor or value,
/// what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("cannot {action} `{}`", shown_path(path))]
    File {
        /// What was tried: `open`, `read`, `write`.
        action: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// Why the system refused.
        source: std::io::Error,
    },

    /// Bytes that are not an image, or one that cannot be decoded or resized.
    #[error("{0}")]
    Image(String),

    /// Weights or a dump that are not safetensors, do not fit the network, or say too little.
    #[error("`{}` {problem}", shown_path(Path::new(file)))]
    Checkpoint {
        /// The file, or that of weights inside this program.
        file: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A network's description that makes no sense, or an input it cannot take.
    #[error("{0}")]
    Geometry(String),

    /// Things asked for that do not go together.
    #[error("{0}")]
    Usage(String),

    /// A name the catalogue lacks.
    #[error("unknown network `{}`\nhint: {hint}", shown(name))]
    UnknownNetwork {
        /// The name asked for.
        name: String,
        /// The nearest name there is.
        hint: String,
    },

    /// The name of a network that is left out of the catalogue.
    #[error(
        "there is no `{name}` here: of timm's networks with SE blocks or the like it is one that {reason}"
    )]
    LeftOutNetwork {
        /// The network's name in timm.
        name: String,
        /// What it has that no layer here is.
        reason: &'static str,
    },

    /// A device this program was built without, or that does not answer.
    #[error("{0}")]
    Device(String),

    /// What a network computes for an image holds NaN or infinities.
    #[error("the network's output is NaN or infinite")]
    NotFinite,

    /// candle refused an operation.
    #[error(transparent)]
    Candle(candle_core::Error),
}

impl From<candle_core::Error> for Error {
    /// Without the backtrace that candle adds to messages where `RUST_BACKTRACE` is set.
    fn from(mut error: candle_core::Error) -> Self {
        while let candle_core::Error::WithBacktrace { inner, .. } = error {
            error = *inner;
        }
        Self::Candle(error)
    }
}

impl Error {
    /// For `map_err`: the system refused `action` on `path`.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
