//! A file becomes what a network takes: decoded, resized, cropped and normalised to `[channels, H, W]`.
//!
//! ```text
//! file ──decode──> pixels ──transform──> resize, crop, normalise ──> [channels, H, W]
//!             gray, RGB or RGBA, as the network takes them
//! ```
//!
//! Each choice that changes pixels is a field of [`Preprocessing`], which travels
//! in the metadata of the weights, so that a network sees what it was trained on.

mod budget;
mod decode;
mod filter;
mod geometry;
mod guard;
mod load;
mod raster;
mod resample;
mod seen;
mod thumbnail;
mod transform;

use std::path::Path;

pub use self::budget::{Budget, DEFAULT_MEMORY, Share};
pub use self::decode::{Damage, Decoded, Header, Request, decode_bytes, format_name, header};
pub use self::guard::silence_decoders;
pub use self::load::{ImageFile, Pixels, decode, load};
pub use self::raster::Raster;
pub use self::seen::Seen;
pub use self::thumbnail::Thumbnail;
pub use self::transform::{normalise, resize_and_crop, transform};
pub use crate::preprocessing::{
    Alpha, ChannelOrder, Choices, CropMode, IMAGENET_MEAN, IMAGENET_STD, Interpolation,
    Orientation, PerChannel, Preprocessing, Preset, SixteenBit,
};

/// The extensions, in lower case, of the files that a walk through a folder picks up.
pub const EXTENSIONS: &[&str] = &[
    "bmp", "gif", "jfif", "jpeg", "jpg", "png", "tif", "tiff", "webp",
];

/// The extensions, in lower case, of images that are not read.
const UNREAD: &[&str] = &[
    "arw", "avif", "cr2", "cr3", "dng", "exr", "heic", "heif", "hif", "ico", "j2k", "jp2", "jpx",
    "jxl", "nef", "pbm", "pgm", "pnm", "ppm", "psd", "qoi", "svg", "tga",
];

/// Whether a walk through a folder should take `path` for an image, going by its name alone.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    extension_among(EXTENSIONS, path).is_some()
}

/// The extension, in lower case, of what is an image by its name, but none that is read.
#[must_use]
pub fn unread_image_extension(path: &Path) -> Option<&'static str> {
    extension_among(UNREAD, path)
}

fn extension_among(extensions: &[&'static str], path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?;
    let mut known = extensions.iter().copied();
    known.find(|known| known.eq_ignore_ascii_case(extension))
}
