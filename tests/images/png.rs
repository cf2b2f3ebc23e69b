//! PNG files whose checksums, chunks or ends are not what they should be.

use senet::image::{Damage, Decoded, Request, decode_bytes, header};

use super::{assert_rows, decoded, error_of, plain};

const RED: [u8; 3] = [200, 10, 20];
const GREEN: [u8; 3] = [30, 210, 40];

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Two pixels, one upon the other, of the palette's colours 0 and 1.
fn chunks() -> Vec<(&'static [u8; 4], Vec<u8>)> {
    vec![
        (b"IHDR", vec![0, 0, 0, 1, 0, 0, 0, 2, 8, 3, 0, 0, 0]),
        (b"PLTE", [RED, GREEN].concat()),
        (b"IDAT", zlib(&[0, 0, 0, 1])),
        (b"IEND", vec![]),
    ]
}

/// Stored rather than compressed, with the data's checksum at the end.
fn zlib(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in data {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    let start = [0x78, 1, 1];
    let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    [&start[..], &lengths, data, &(b << 16 | a).to_be_bytes()].concat()
}

/// A chunk's checksum, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    !crc
}

/// The file of these chunks; the checksum of those called `wrong` is wrong.
fn file(chunks: &[(&[u8; 4], Vec<u8>)], wrong: &[u8]) -> Vec<u8> {
    let mut file = SIGNATURE.to_vec();
    for (name, data) in chunks {
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let named = [&name[..], data].concat();
        file.extend(&named);
        let mask = u32::from(name[..] == *wrong);
        file.extend((crc(&named) ^ mask).to_be_bytes());
    }
    file
}

fn accepted(bytes: &[u8]) -> senet::Result<Decoded> {
    let plain = plain();
    let request = Request {
        damage: Damage::Accept,
        ..Request::new(&plain)
    };
    decode_bytes(bytes, &request)
}

/// The chunks with another checksum of their pixels than is right.
fn with_wrong_sum() -> Vec<(&'static [u8; 4], Vec<u8>)> {
    let mut chunks = chunks();
    *chunks[2].1.last_mut().unwrap() ^= 1;
    chunks
}

#[test]
fn a_chunk_of_pixels_needs_no_right_checksum_where_the_pixels_have_theirs() {
    let bytes = file(&chunks(), b"IDAT");
    assert_rows(&decoded(&bytes, &plain()), &[[RED], [GREEN]]);
}

#[test]
fn pixels_without_their_checksum_are_damage_that_can_be_accepted() {
    let expected = "truncated or damaged PNG: a checksum is wrong";
    for wrong in [&b""[..], b"IDAT"] {
        let bytes = file(&with_wrong_sum(), wrong);
        assert_eq!(error_of(&bytes), expected);
        let accepted = accepted(&bytes).unwrap();
        assert_rows(&accepted.pixels.into_rgb(), &[[RED], [GREEN]]);
        assert_eq!(accepted.damage.as_deref(), Some(expected));
    }
}

#[test]
fn a_wrong_checksum_before_the_pixels_is_damage_in_any_chunk() {
    let mut chunks = chunks();
    chunks.insert(2, (b"tRNS", vec![0]));
    chunks.insert(2, (b"tEXt", b"Title\0cat".to_vec()));
    for wrong in [&b"IHDR"[..], b"PLTE", b"tRNS", b"tEXt"] {
        let bytes = file(&chunks, wrong);
        assert_eq!(
            error_of(&bytes),
            "truncated or damaged PNG: a checksum is wrong"
        );
        assert!(accepted(&bytes).is_err());
    }
}

#[test]
fn what_follows_the_pixels_does_not_matter() {
    let whole = file(&chunks(), b"");
    // The end chunk has 12 bytes.
    let without_end = &whole[..whole.len() - 12];
    let wrong_end = file(&chunks(), b"IEND");
    let trailing = [&whole[..], b"trailing"].concat();
    let half_a_chunk = [without_end, &[0, 0, 1, 0, b't', b'E', b'X']].concat();
    for bytes in [without_end, &wrong_end, &trailing, &half_a_chunk] {
        assert_rows(&decoded(bytes, &plain()), &[[RED], [GREEN]]);
    }
}

#[test]
fn pixels_that_stop_early_are_damage_and_what_is_there_can_be_accepted() {
    let whole = file(&chunks(), b"");
    // Within the second row, whose index is behind its filter.
    let cut = &whole[..whole.len() - 12 - 4 - 4 - 1];
    let expected = "truncated or damaged PNG: the data stops early";
    assert_eq!(error_of(cut), expected);
    let few = {
        let mut chunks = chunks();
        chunks[2].1 = zlib(&[0, 0]);
        file(&chunks, b"")
    };
    let expected = "truncated or damaged PNG: the data stops before its last pixel";
    assert_eq!(error_of(&few), expected);
    let accepted = accepted(&few).unwrap();
    assert_rows(&accepted.pixels.into_rgb(), &[[RED], [[0; 3]]]);
    assert_eq!(accepted.damage.as_deref(), Some(expected));
}

#[test]
fn a_colour_profile_and_texts_are_not_unpacked() {
    // Neither could be.
    let mut chunks = chunks();
    chunks.insert(1, (b"iCCP", b"profile\0\0not compressed".to_vec()));
    chunks.insert(3, (b"zTXt", b"Title\0\0not compressed".to_vec()));
    let bytes = file(&chunks, b"");
    assert_rows(&decoded(&bytes, &plain()), &[[RED], [GREEN]]);
    let header = header(&bytes).unwrap();
    assert!(header.memory < 1 << 20, "{}", header.memory);
}

#[test]
fn messages_are_in_words_for_people() {
    let with = |at: usize, byte: u8| {
        let mut chunks = chunks();
        chunks[0].1[at] = byte;
        error_of(&file(&chunks, b""))
    };
    let mut unknown = chunks();
    unknown.insert(1, (b"ABCD", vec![]));
    let mut no_palette = chunks();
    no_palette.remove(1);
    let mut corrupt = chunks();
    corrupt[2].1[2] = 7;
    for (found, expected) in [
        (with(3, 0), "it has no pixels"),
        (with(8, 3), "its colours and bits make no kind of PNG"),
        (with(9, 5), "its colours and bits make no kind of PNG"),
        (with(10, 1), "it is compressed in an unknown way"),
        (with(11, 1), "its rows are filtered in an unknown way"),
        (with(12, 2), "its rows are interlaced in an unknown way"),
        (
            error_of(&file(&unknown, b"")),
            "it has a chunk of an unknown kind that it cannot be read without",
        ),
        (error_of(&file(&no_palette, b"")), "it has no palette"),
        (
            error_of(&file(&corrupt, b"")),
            "its compressed data is corrupt",
        ),
    ] {
        assert_eq!(found, format!("truncated or damaged PNG: {expected}"));
    }
}
