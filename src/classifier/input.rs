use std::path::{Path, PathBuf};

use image::{DynamicImage, RgbImage};

use crate::text::path_text;

/// An image to classify, and the name that its row has.
///
/// A path is an input without further ado, and so are an image's bytes and decoded pixels:
///
/// ```
/// use senet::classifier::Input;
///
/// let file = Input::from("photos/cat.jpg");
/// assert_eq!(file.name(), "photos/cat.jpg");
/// let upload = Input::from(vec![0xFF, 0xD8, 0xFF]).named("upload 7");
/// assert_eq!(upload.name(), "upload 7");
/// ```
#[derive(Debug, Clone)]
pub struct Input {
    name: String,
    pub(super) content: Content,
}

/// Where pixels come from.
#[derive(Debug, Clone)]
pub(super) enum Content {
    File(PathBuf),
    Bytes(Vec<u8>),
    Pixels(RgbImage),
    /// From nowhere, for this reason.
    Nothing(String),
}

impl Input {
    /// What is known to be no image: its row has `problem` in place of an answer.
    #[must_use]
    pub fn unreadable(name: String, problem: String) -> Self {
        Self {
            name,
            content: Content::Nothing(problem),
        }
    }

    /// Gives the input another name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// The input's name: a file's path, unless it was given one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<PathBuf> for Input {
    fn from(path: PathBuf) -> Self {
        Self {
            name: path_text(&path),
            content: Content::File(path),
        }
    }
}

impl From<&Path> for Input {
    fn from(path: &Path) -> Self {
        path.to_path_buf().into()
    }
}

impl From<&str> for Input {
    /// The file at this path.
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

impl From<String> for Input {
    /// The file at this path.
    fn from(path: String) -> Self {
        PathBuf::from(path).into()
    }
}

impl From<Vec<u8>> for Input {
    /// An image's file that was read already.
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            name: "bytes".to_owned(),
            content: Content::Bytes(bytes),
        }
    }
}

impl From<DynamicImage> for Input {
    /// An image in 8 bits a channel, without its alpha channel, as [`DynamicImage::into_rgb8`]
    /// makes it. A file's own bytes keep what Pillow makes of transparency and 16 bits.
    fn from(image: DynamicImage) -> Self {
        image.into_rgb8().into()
    }
}

impl From<RgbImage> for Input {
    /// Pixels as they are: nothing is left to say of transparency, 16 bits and orientation.
    fn from(pixels: RgbImage) -> Self {
        Self {
            name: "pixels".to_owned(),
            content: Content::Pixels(pixels),
        }
    }
}
