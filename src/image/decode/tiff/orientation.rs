//! How a TIFF is to be turned.

use super::directory::Directory;
use crate::error::Result;

const ORIENTATION: u16 = 274;
const XMP: u16 = 700;

/// How the image is to be turned, as EXIF counts. Pillow looks for it in the XMP metadata, too.
pub(super) fn read(directory: &Directory) -> Result<u8> {
    let digit = match directory.first(ORIENTATION)? {
        Some(number) => u8::try_from(number).ok(),
        // Metadata that is broken costs nothing but itself.
        None => directory
            .find(XMP)
            .ok()
            .flatten()
            .and_then(|values| in_xmp(values.bytes())),
    };
    Ok(digit.filter(|digit| (1..=8).contains(digit)).unwrap_or(1))
}

/// The digit of the first `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
fn in_xmp(xmp: &[u8]) -> Option<u8> {
    const KEY: &[u8] = b"tiff:Orientation";
    let places = xmp.windows(KEY.len()).enumerate();
    places
        .filter(|(_, window)| *window == KEY)
        .find_map(|(place, _)| match xmp.get(place + KEY.len()..)? {
            [b'=', b'"', digit @ b'0'..=b'9', ..] | [b'>', digit @ b'0'..=b'9', ..] => {
                Some(digit - b'0')
            }
            _ => None,
        })
}
