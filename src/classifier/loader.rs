//! Images on their way from inputs to the network.

use image::RgbImage;

use super::Input;
use super::input::Content;
use super::times::{Stage, Stopwatch};
use crate::error::{Error, Result};
use crate::image::{Budget, Damage, ImageFile, Pixels, Preprocessing, Request, Seen, Thumbnail};

/// Loads images, on several threads, within one budget of memory.
#[derive(Debug)]
pub(super) struct Loader {
    pub(super) preprocessing: Preprocessing,
    pub(super) damage: Damage,
    pub(super) budget: Budget,
}

/// What a network sees of an image.
pub(super) struct Loaded {
    pub(super) values: Vec<f32>,
    /// What is wrong with the file, where that was accepted.
    pub(super) damage: Option<String>,
    /// A small picture, where one is wanted.
    pub(super) thumbnail: Option<Thumbnail>,
}

/// An image besides what a network sees of it.
pub(crate) struct Photo {
    pub(crate) image: RgbImage,
    pub(crate) seen: Seen,
    pub(crate) values: Vec<f32>,
    /// What is wrong with the file, where that was accepted.
    pub(crate) damage: Option<String>,
}

impl Loader {
    /// What a network sees of an image, and where it is wanted a small picture for people.
    pub(super) fn load(
        &self,
        input: Input,
        with_thumbnail: bool,
        stopwatch: &Stopwatch,
    ) -> Result<Loaded> {
        let pixels = self.pixels(input, stopwatch)?;
        let transform = || pixels.transform(&self.preprocessing);
        Ok(Loaded {
            values: stopwatch.time(Stage::Resize, transform)?,
            damage: pixels.damage().map(str::to_owned),
            thumbnail: with_thumbnail.then(|| pixels.thumbnail()).transpose()?,
        })
    }

    /// [`Loader::load`] that keeps the image.
    pub(super) fn load_photo(&self, input: Input) -> Result<Photo> {
        let pixels = self.pixels(input, &Stopwatch::default())?;
        let values = pixels.transform(&self.preprocessing)?;
        let damage = pixels.damage().map(str::to_owned);
        let image = pixels.into_raster().into_rgb();
        let seen = Seen::new([image.height(), image.width()], &self.preprocessing)?;
        Ok(Photo {
            image,
            seen,
            values,
            damage,
        })
    }

    /// The image before it is resized. What the input holds is held until it is decoded.
    pub(super) fn pixels(&self, input: Input, stopwatch: &Stopwatch) -> Result<Pixels<'_>> {
        let request = Request {
            damage: self.damage,
            ..Request::new(&self.preprocessing)
        };
        let Input { content, held, .. } = input;
        let read = || match content {
            Content::Part {
                path,
                offset,
                length,
            } => ImageFile::read_part(&path, offset, length, &request, &self.budget).map(Ok),
            Content::File(path) => ImageFile::read(&path, &request, &self.budget).map(Ok),
            Content::Bytes(bytes) => ImageFile::of_bytes(bytes, &request, &self.budget).map(Ok),
            Content::Pixels(pixels) => {
                Pixels::of(pixels, &self.preprocessing, &self.budget).map(Err)
            }
            Content::Nothing(problem) => Err(Error::Image(problem)),
        };
        let pixels = match stopwatch.time(Stage::Read, read)? {
            Ok(file) => stopwatch.time(Stage::Decode, || file.decode(&request)),
            Err(pixels) => Ok(pixels),
        };
        drop(held);
        pixels
    }
}
