use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{DynamicImage, RgbImage};

use crate::image::Raster;
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
    pub(super) held: Option<Arc<dyn Any + Send + Sync>>,
}

/// Where pixels come from.
#[derive(Debug, Clone)]
pub(super) enum Content {
    File(PathBuf),
    /// So many bytes of a file from an offset on.
    Part {
        path: PathBuf,
        offset: u64,
        length: u64,
    },
    Bytes(Vec<u8>),
    Pixels(Raster),
    /// From nowhere, for this reason.
    Nothing(String),
}

impl Input {
    /// What is known to be no image: its row has `problem` in place of an answer.
    #[must_use]
    pub fn unreadable(name: String, problem: String) -> Self {
        Self::new(name, Content::Nothing(problem))
    }

    /// An image that lies in a larger file: `length` bytes from `offset` on.
    #[must_use]
    pub fn part(path: PathBuf, offset: u64, length: u64) -> Self {
        let content = Content::Part {
            path: path.clone(),
            offset,
            length,
        };
        Self::new(path_text(&path), content)
    }

    /// Keeps `held` until the image is decoded or is found to be none: so whoever makes inputs
    /// knows which are still in hand.
    #[must_use]
    pub fn holding(self, held: impl Any + Send + Sync) -> Self {
        Self {
            held: Some(Arc::new(held)),
            ..self
        }
    }

    fn new(name: String, content: Content) -> Self {
        Self {
            name,
            content,
            held: None,
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
        Self::new(path_text(&path), Content::File(path))
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
        Self::new("bytes".to_owned(), Content::Bytes(bytes))
    }
}

impl From<DynamicImage> for Input {
    /// An image in 8 bits a channel, as [`DynamicImage::into_rgb8`] makes it; its opacity is of
    /// account only where the network has a channel for it. A file's own bytes keep what Pillow makes
    /// of transparency and 16 bits.
    fn from(image: DynamicImage) -> Self {
        Raster::from(image).into()
    }
}

impl From<RgbImage> for Input {
    /// Pixels as they are: nothing is left to say of transparency, 16 bits and orientation.
    fn from(pixels: RgbImage) -> Self {
        Raster::from(pixels).into()
    }
}

impl From<Raster> for Input {
    /// Pixels as [`image::decode`](crate::image::decode) has them.
    fn from(pixels: Raster) -> Self {
        Self::new("pixels".to_owned(), Content::Pixels(pixels))
    }
}
