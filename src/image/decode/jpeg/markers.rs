//! What stands before a JPEG's data: markers, each with a segment of bytes.

/// The start of the image.
const SOI: u8 = 0xD8;
/// The end of the image.
pub(super) const EOI: u8 = 0xD9;
/// The start of a scan, whose data follows its segment.
const SOS: u8 = 0xDA;
/// The first of the markers between which data starts anew.
const RST0: u8 = 0xD0;
/// A camera's notes are in segments of this kind, among others.
const APP1: u8 = 0xE1;

/// A marker and what its segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    pub(super) content: &'a [u8],
}

/// The segments of a file up to its first scan's, as far as they are whole.
pub(super) fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let (segment, after) = next_segment(rest?)?;
        rest = (segment.marker != SOS).then_some(after);
        Some(segment)
    })
}

/// What a camera noted, in the form of a TIFF file's tags.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    segments(bytes)
        .filter(|segment| segment.marker == APP1)
        .find_map(|segment| segment.content.strip_prefix(b"Exif\0\0"))
}

/// The first marker in `bytes`, and what follows it. A byte FF is followed by 00 where it is
/// data, and by another where it fills up space.
pub(super) fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let at = bytes
        .windows(2)
        .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))?;
    Some((bytes[at + 1], &bytes[at + 2..]))
}

/// Whether data follows a marker in the midst of data.
pub(super) fn is_restart(marker: u8) -> bool {
    (RST0..SOI).contains(&marker)
}

/// Whether no segment follows a marker.
pub(super) fn stands_alone(marker: u8) -> bool {
    matches!(marker, 0x01 | SOI | EOI) || is_restart(marker)
}

/// The first marker that has a segment, with it, and what follows.
pub(super) fn next_segment(mut bytes: &[u8]) -> Option<(Segment<'_>, &[u8])> {
    let (marker, rest) = loop {
        let (marker, rest) = next_marker(bytes)?;
        if !stands_alone(marker) {
            break (marker, rest);
        }
        bytes = rest;
    };
    let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
    let content = rest.get(2..length)?;
    Some((Segment { marker, content }, &rest[length..]))
}

/// What the marker of a header says of how the data is compressed, where that is neither
/// sequential nor progressive.
pub(super) fn unusual_compression(marker: u8) -> Option<&'static str> {
    match marker {
        0xC3 | 0xCB => Some("lossless compression"),
        0xC5..=0xC7 | 0xCD..=0xCF | 0xDE | 0xDF => Some("hierarchical compression"),
        0xF7 => Some("JPEG-LS compression"),
        0xC8 | 0xF0..=0xF6 | 0xF8..=0xFD => Some("an extension of the format"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call for each would end the stack.
    #[test]
    fn a_segment_is_found_behind_a_million_markers_without_one() {
        let mut file = [0xFF, RST0].repeat(1 << 20);
        file.extend([0xFF, APP1, 0, 2]);
        let found: Vec<_> = segments(&file).collect();
        let content: &[u8] = &[];
        assert_eq!(
            found,
            [Segment {
                marker: APP1,
                content
            }]
        );
    }
}
