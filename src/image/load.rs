//! From a file to what a network sees of it, a step at a time and within a [`Budget`] of memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::Preprocessing;
use super::budget::{Budget, Share};
use super::decode::{Decoded, Header, Request, decode_within, header, too_large};
use super::guard::guarded;
use super::raster::Raster;
use super::thumbnail::Thumbnail;
use super::transform::{transform, transform_memory};
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::text::shown_bytes;

/// An image's file that has been read, with memory for all that follows.
#[derive(Debug)]
pub struct ImageFile<'a> {
    bytes: Vec<u8>,
    share: Share<'a>,
}

/// An image's pixels, with memory for what follows.
#[derive(Debug)]
pub struct Pixels<'a> {
    decoded: Decoded,
    _share: Share<'a>,
}

/// The most times that a file may turn out to need more than when it was last looked at.
const TRIES: usize = 3;

impl<'a> ImageFile<'a> {
    /// Reads the file at `path`, once there is memory to read, decode and resize it.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when it cannot be read; [`Error::Image`] when it is no regular file, no
    /// image, or needs more than the whole `budget`.
    pub fn read(path: &Path, request: &Request, budget: &'a Budget) -> Result<Self> {
        Self::tried(|known| {
            let file = open(path)?;
            let metadata = file.metadata().map_err(Error::file("read", path))?;
            if !metadata.is_file() {
                return Self::read_pipe(path, file, request, budget).map(Ok);
            }
            let length = metadata.len();
            let share = budget.take(length.max(known))?;
            let bytes = read(file, length).map_err(Error::file("read", path))?;
            Self::settled(bytes, length, share, request)
        })
    }

    /// Reads `length` bytes of the file at `path` from `offset` on, as [`ImageFile::read`] reads all.
    ///
    /// # Errors
    ///
    /// Those of [`ImageFile::read`]; [`Error::Image`] of a file that does not have so many bytes.
    pub fn read_part(
        path: &Path,
        offset: u64,
        length: u64,
        request: &Request,
        budget: &'a Budget,
    ) -> Result<Self> {
        Self::tried(|known| {
            let share = budget.take(length.max(known))?;
            let mut file = files::open(path, Pipes::Refused).map_err(Error::file("open", path))?;
            let part = file.seek(SeekFrom::Start(offset));
            let bytes = part.and_then(|_| read(file, length));
            let bytes = bytes.map_err(Error::file("read", path))?;
            if (bytes.len() as u64) < length {
                return Err(Error::Image(
                    "the file it lies in has become shorter".to_owned(),
                ));
            }
            Self::settled(bytes, length, share, request)
        })
    }

    /// What `read` reads, which is told how much memory it is known to need; while it finds that it
    /// needs more it reads again.
    fn tried(mut read: impl FnMut(u64) -> Result<Result<Self, u64>>) -> Result<Self> {
        let mut known = 0;
        for _ in 0..TRIES {
            match read(known)? {
                Ok(file) => return Ok(file),
                Err(needed) => known = needed,
            }
        }
        Err(Error::Image("the file changes while it is read".to_owned()))
    }

    /// Bytes that were read of so many, with memory to decode and resize them, or how much they need
    /// in all where others have the rest in hand. Nobody waits for memory with memory in hand: this
    /// is given back meanwhile, and the file read again.
    fn settled(
        bytes: Vec<u8>,
        length: u64,
        mut share: Share<'a>,
        request: &Request,
    ) -> Result<Result<Self, u64>> {
        let needed = length.saturating_add(memory(&bytes, request.preprocessing)?);
        let fits = share.grow(needed)?;
        Ok(if fits {
            Ok(Self { bytes, share })
        } else {
            Err(needed)
        })
    }

    /// Takes a file's bytes, once there is memory to decode and resize them.
    ///
    /// # Errors
    ///
    /// [`Error::Image`] where they are no image, or need more than the whole `budget`.
    pub fn of_bytes(bytes: Vec<u8>, request: &Request, budget: &'a Budget) -> Result<Self> {
        let length = bytes.len() as u64;
        let needed = length.saturating_add(memory(&bytes, request.preprocessing)?);
        let share = budget.take(needed)?;
        Ok(Self { bytes, share })
    }

    /// Reads a pipe, which says nothing of its length and is read once, with all memory in hand.
    fn read_pipe(path: &Path, pipe: File, request: &Request, budget: &'a Budget) -> Result<Self> {
        // What it is read into grows by doubling.
        let most = budget.total() / 4;
        let share = budget.take(budget.total())?;
        let mut bytes = Vec::new();
        let read = pipe.take(most).read_to_end(&mut bytes);
        read.map_err(Error::file("read", path))?;
        if bytes.len() as u64 == most {
            return Err(too_large(&format!(
                "the pipe has {} or more; it may have a quarter of all images' memory",
                shown_bytes(most)
            )));
        }
        let needed = (bytes.len() as u64).saturating_add(memory(&bytes, request.preprocessing)?);
        budget.check(needed)?;
        Ok(Self { bytes, share })
    }

    /// Bytes of memory that are kept for it, its own included.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.share.bytes()
    }

    /// Decodes it.
    ///
    /// # Errors
    ///
    /// The errors of [`decode_bytes`](super::decode_bytes).
    pub fn decode(self, request: &Request) -> Result<Pixels<'a>> {
        let request = Request {
            memory: self.share.bytes(),
            ..*request
        };
        Ok(Pixels {
            decoded: decode_within(&self.bytes, &request)?,
            _share: self.share,
        })
    }
}

impl<'a> Pixels<'a> {
    /// Takes pixels that were decoded already, once there is memory to resize them.
    ///
    /// # Errors
    ///
    /// The errors of [`resize_and_crop`](super::resize_and_crop) that are known from their number;
    /// [`Error::Image`] where they need more than the whole `budget`.
    pub fn of(pixels: Raster, preprocessing: &Preprocessing, budget: &'a Budget) -> Result<Self> {
        let order = preprocessing.channel_order;
        let (width, height) = pixels.dimensions();
        let resized = transform_memory([height, width], preprocessing)?;
        let channels = pixels.channels().max(order.channels()) as u64;
        // As they are, and as the network takes them.
        let images = Header::samples(width, height, 2 * channels);
        let share = budget.take(images.saturating_add(resized))?;
        Ok(Self {
            decoded: Decoded {
                pixels: pixels.converted(order),
                damage: None,
            },
            _share: share,
        })
    }

    /// Resizes, crops and normalises them: channel, row, column.
    ///
    /// # Errors
    ///
    /// The errors of [`transform`].
    pub fn transform(&self, preprocessing: &Preprocessing) -> Result<Vec<f32>> {
        let panicked = || Error::Image("cannot resize it: the resize panicked".to_owned());
        guarded(panicked, || transform(&self.decoded.pixels, preprocessing))
    }

    /// A small picture of them.
    ///
    /// # Errors
    ///
    /// The errors of [`Thumbnail::of`].
    pub fn thumbnail(&self) -> Result<Thumbnail> {
        let panicked = || Error::Image("cannot make it small: that panicked".to_owned());
        guarded(panicked, || Thumbnail::of(&self.decoded.pixels.rgb()))
    }

    /// What is wrong with the file, where that was accepted.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.decoded.damage.as_deref()
    }

    /// The pixels.
    #[must_use]
    pub fn into_raster(self) -> Raster {
        self.decoded.pixels
    }
}

/// Decodes the image at `path`, whatever its name, to the channels that the preprocessing is for.
///
/// # Errors
///
/// Errors of [`ImageFile::read`], with a budget of [`DEFAULT_MEMORY`](super::DEFAULT_MEMORY), and
/// of [`ImageFile::decode`].
pub fn decode(path: &Path, preprocessing: &Preprocessing) -> Result<Raster> {
    let request = Request::new(preprocessing);
    let budget = Budget::default();
    let pixels = ImageFile::read(path, &request, &budget)?.decode(&request)?;
    Ok(pixels.into_raster())
}

/// Reads the image at `path` as a network's input: channel, row, column.
///
/// # Errors
///
/// The errors of [`decode`] and [`transform`].
pub fn load(path: &Path, preprocessing: &Preprocessing) -> Result<Vec<f32>> {
    let request = Request::new(preprocessing);
    let budget = Budget::default();
    let pixels = ImageFile::read(path, &request, &budget)?.decode(&request)?;
    pixels.transform(preprocessing)
}

/// What an image takes at most besides its file: decoded, or resized.
fn memory(bytes: &[u8], preprocessing: &Preprocessing) -> Result<u64> {
    let header = header(bytes)?;
    let order = preprocessing.channel_order;
    let pixels = Header::samples(header.width, header.height, order.channels() as u64);
    // It may be turned when it is decoded. What cannot be resized one way alone is refused later.
    let stored = transform_memory([header.height, header.width], preprocessing);
    let turned = transform_memory([header.width, header.height], preprocessing);
    let resized = match (stored, turned) {
        (Ok(stored), Ok(turned)) => stored.max(turned),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => one,
        (Err(as_stored), Err(_)) => return Err(as_stored),
    };
    Ok(header.memory_for(order).max(pixels.saturating_add(resized)))
}

/// Opens a file, or a pipe that this process was started with, without waiting for anybody.
fn open(path: &Path) -> Result<File> {
    files::open(path, Pipes::Inherited).map_err(|error| match error.kind() {
        ErrorKind::IsADirectory => Error::Image("a folder, not an image".to_owned()),
        ErrorKind::InvalidInput => Error::Image("not an image: not a regular file".to_owned()),
        _ => Error::file("open", path)(error),
    })
}

/// The next `most` bytes of `file`, if it has so many.
fn read(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let room = usize::try_from(most).map_err(io::Error::other)?;
    bytes.try_reserve_exact(room)?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
