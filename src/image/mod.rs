//! A file becomes what a network takes: decoded, resized, cropped and normalised to `[3, H, W]`.
//!
//! ```text
//! file ──decode──> RGB pixels ──transform──> resize, crop, normalise ──> [3, H, W]
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
mod preprocessing;
mod preset;
mod resample;
mod transform;

use std::path::Path;

pub use self::budget::{Budget, DEFAULT_MEMORY, Share};
pub use self::decode::{Damage, Decoded, Header, Request, decode_bytes, header};
pub use self::guard::silence_decoders;
pub use self::load::{ImageFile, Pixels, decode, load};
pub use self::preprocessing::{
    Alpha, ChannelOrder, CropMode, Interpolation, Orientation, Preprocessing, SixteenBit,
};
pub use self::preset::{Choices, IMAGENET_MEAN, IMAGENET_STD, Preset};
pub use self::transform::{normalise, resize_and_crop, transform};

/// The extensions, in lower case, of the files that a walk through a folder picks up.
pub const EXTENSIONS: &[&str] = &[
    "bmp", "gif", "jfif", "jpeg", "jpg", "png", "tif", "tiff", "webp",
];

/// Whether a walk through a folder should take `path` for an image, going by its name alone.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(extension))
        })
}
