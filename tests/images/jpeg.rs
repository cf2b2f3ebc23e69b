//! JPEG files of every kind become the pixels that Pillow makes of them.
//!
//! The files and the hashes of their pixels are those of `scripts/checks/jpeg_files.py`.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use senet::image::{Damage, Decoded, Request, decode_bytes, header};

use super::plain;

const FILES: &[u8] = include_bytes!("../fixtures/jpeg_files.safetensors");

/// Each file by its name.
fn files() -> BTreeMap<String, Vec<u8>> {
    tensors(|name| !name.ends_with(" sha256"))
}

fn tensors(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    SafeTensors::deserialize(FILES)
        .unwrap()
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec()))
        .collect()
}

fn read(bytes: &[u8], damage: Damage) -> senet::Result<Decoded> {
    let preprocessing = plain();
    let request = Request {
        damage,
        ..Request::new(&preprocessing)
    };
    decode_bytes(bytes, &request)
}

/// Why a file is refused.
fn refusal(bytes: &[u8]) -> String {
    read(bytes, Damage::Refuse).unwrap_err().to_string()
}

/// A number in two bytes, as JPEG writes it.
fn two_bytes(number: u16) -> [u8; 2] {
    number.to_be_bytes()
}

/// A file that claims another size than its data has.
fn claiming(mut bytes: Vec<u8>, width: u16, height: u16) -> Vec<u8> {
    let header = bytes
        .windows(2)
        .position(|pair| pair[0] == 0xFF && matches!(pair[1], 0xC0 | 0xC2));
    let size = header.unwrap() + 5;
    bytes[size..size + 2].copy_from_slice(&two_bytes(height));
    bytes[size + 2..size + 4].copy_from_slice(&two_bytes(width));
    bytes
}

#[test]
fn a_header_is_told_without_its_pixels() {
    let file = &files()["2x2 1x1 1x1, one"];
    let found = header(file).unwrap();
    assert_eq!((found.width, found.height), (18, 17));
}

/// A file of a few hundred bytes may claim gigabytes.
#[test]
fn what_a_file_claims_is_known_before_it_is_allocated() {
    let rgb = |side: u64| 3 * side * side;
    let bomb = claiming(files()["gray 1x1"].clone(), 32_000, 32_000);
    assert!(header(&bomb).unwrap().memory >= rgb(32_000));
    assert!(refusal(&bomb).starts_with("image too large: decoding its 32000x32000 pixels"));
    // Coefficients of 16 bits besides, since the data comes in many scans.
    let scans = claiming(files()["gray progressive"].clone(), 8_000, 8_000);
    assert!(header(&scans).unwrap().memory >= rgb(8_000) + 2 * 8_000 * 8_000);
}

#[test]
fn a_large_image_over_other_data_is_an_error_even_where_damage_is_accepted() {
    for name in ["2x2 1x1 1x1, one", "gray progressive"] {
        let file = claiming(files()[name].clone(), 9_000, 9_000);
        for damage in [Damage::Refuse, Damage::Accept] {
            // Without libjpeg it's the walk through the file that finds its end.
            let result = read(&file, damage);
            if cfg!(feature = "libjpeg") {
                let message = result.unwrap_err().to_string();
                assert_eq!(
                    message, "truncated or damaged JPEG: the data of a scan stops too soon",
                    "{name}"
                );
            }
        }
    }
}

/// Ten thousand files that differ from whole ones in some bytes, the same in every run.
#[test]
fn mutated_files_give_a_result_or_an_error() {
    let files: Vec<_> = files().into_values().collect();
    let mut state = 20_261_128_u64;
    // The generator of Knuth's MMIX; its upper bits are the random ones.
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut results, mut errors) = (0, 0);
    for number in 0..10_000 {
        let mut file = files[random(files.len())].clone();
        for _ in 0..=random(4) {
            // The first three bytes say that it is a JPEG.
            let at = 3 + random(file.len() - 3);
            match random(4) {
                0 => file[at] = u8::try_from(random(256)).unwrap(),
                1 => file[at] ^= 1 << random(8),
                2 => file.insert(at, [0x00, 0xFF, 0xD0, 0xDA][random(4)]),
                _ => drop(file.remove(at)),
            }
        }
        let damage = [Damage::Refuse, Damage::Accept][number % 2];
        match header(&file).and_then(|header| {
            // Time, not memory, is what large ones would cost this test.
            if header.memory > 64 << 20 {
                return Err(senet::Error::Image("large".to_owned()));
            }
            read(&file, damage)
        }) {
            Ok(decoded) => {
                assert!(decoded.pixels.dimensions().0 > 0);
                results += 1;
            }
            Err(error) => {
                let message = error.to_string();
                assert!(!message.contains("panicked"), "{message}");
                assert!(message.len() < 200, "{message}");
                errors += 1;
            }
        }
    }
    println!("{results} results, {errors} errors");
    if cfg!(feature = "libjpeg") {
        assert!(results > 1_000 && errors > 1_000, "{results}, {errors}");
    }
}

#[cfg(not(feature = "libjpeg"))]
mod without_libjpeg {
    use super::*;

    #[test]
    fn what_would_come_out_wrong_is_refused() {
        let files = files();
        for (name, kind) in [
            (
                "2x2 1x1 1x1, each",
                "subsampled colour in a scan of its own",
            ),
            ("1x1 2x2 2x2, one", "unusual sampling factors"),
            ("3x1 1x1 1x1, one", "unusual sampling factors"),
            ("7x9, luma 2x2", "subsampled colour in a small image"),
            (
                "JFIF, Adobe 0, ids 123",
                "markers that leave its colours uncertain",
            ),
            ("JFIF, ids RGB", "markers that leave its colours uncertain"),
            ("arithmetic, sequential, gray 1x1", "arithmetic coding"),
        ] {
            let expected = format!("unsupported JPEG: {kind}, without libjpeg");
            assert_eq!(refusal(&files[name]), expected, "{name}");
        }
    }
}

#[cfg(feature = "libjpeg")]
mod with_libjpeg {
    use image::RgbImage;
    use sha2::{Digest, Sha256};

    use super::*;

    fn pixels(bytes: &[u8]) -> RgbImage {
        read(bytes, Damage::Refuse).unwrap().pixels.into_rgb()
    }

    /// What is wrong with a file that is read all the same.
    fn accepted(bytes: &[u8]) -> String {
        read(bytes, Damage::Accept).unwrap().damage.unwrap()
    }

    /// Where the segment of a marker begins.
    fn place(bytes: &[u8], marker: u8) -> usize {
        let found = bytes.windows(2).position(|pair| pair == [0xFF, marker]);
        found.unwrap()
    }

    #[test]
    fn pixels_are_pillows_for_every_kind_of_file() {
        let hashes = tensors(|name| name.ends_with(" sha256"));
        let mut wrong = Vec::new();
        for (name, file) in files() {
            let found = Sha256::digest(pixels(&file).as_raw());
            if found[..] != hashes[&format!("{name} sha256")] {
                wrong.push(name);
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
        assert!(hashes.len() > 300, "{}", hashes.len());
    }

    #[test]
    fn whole_files_are_read_without_a_word_but_for_bytes_of_no_known_meaning() {
        for (name, file) in files() {
            let expected = (name == "bytes before the end")
                .then(|| "95 bytes too many before the marker that ends its data".to_owned());
            let found = read(&file, Damage::Refuse).unwrap().damage;
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn data_that_stops_is_an_error_or_what_is_left_of_it() {
        let file = &files()["1x1 1x1 1x1, one"];
        let half = &file[..3 * file.len() / 4];
        let words = "the data stops before its end marker";
        assert_eq!(refusal(half), format!("truncated or damaged JPEG: {words}"));
        assert_eq!(accepted(half), words);
        let (whole, left) = (
            pixels(file),
            read(half, Damage::Accept).unwrap().pixels.into_rgb(),
        );
        let row = 3 * 18 * 8;
        assert_eq!(whole.as_raw()[..row], left.as_raw()[..row]);
        assert_ne!(whole, left);
    }

    #[test]
    fn a_missing_end_marker_is_truncation_as_for_pillow() {
        let file = &files()["2x2 1x1 1x1, one"];
        let cut = &file[..file.len() - 2];
        assert!(refusal(cut).ends_with("the data stops before its end marker"));
        assert_eq!(
            read(cut, Damage::Accept).unwrap().pixels.into_rgb(),
            pixels(file)
        );
    }

    #[test]
    fn codes_that_mean_nothing_are_an_error() {
        let mut file = files()["1x1 1x1 1x1, one"].clone();
        let data = place(&file, 0xDA) + 60;
        // Ones are no code of any table, and FF is followed by 00.
        for at in (data..data + 12).step_by(2) {
            file[at] = 0xFF;
            file[at + 1] = 0;
        }
        let words = "its data has a code that means nothing";
        assert_eq!(
            refusal(&file),
            format!("truncated or damaged JPEG: {words}")
        );
        assert_eq!(accepted(&file), words);
    }

    #[test]
    fn restart_markers_out_of_order_are_an_error() {
        let mut file = files()["restart 1, one"].clone();
        let at = place(&file, 0xD1);
        file[at + 1] = 0xD5;
        let words = "its restart markers are out of order";
        assert_eq!(
            refusal(&file),
            format!("truncated or damaged JPEG: {words}")
        );
        assert_eq!(accepted(&file), words);
    }

    /// Webcams leave some there; where it is many, data is lost.
    #[test]
    fn many_bytes_before_a_restart_marker_are_an_error() {
        let file = &files()["restart 1, one"];
        let at = place(file, 0xD1);
        let with = |count| [&file[..at], &vec![0x11; count], &file[at..]].concat();
        let found = read(&with(5), Damage::Refuse).unwrap();
        assert_eq!(found.pixels.into_rgb(), pixels(file));
        assert_eq!(
            found.damage.unwrap(),
            "5 bytes too many before a restart marker"
        );
        assert_eq!(
            refusal(&with(50)),
            "truncated or damaged JPEG: 50 bytes too many before a restart marker"
        );
        assert!(accepted(&with(50)).starts_with("50 bytes"));
    }

    #[test]
    fn tables_may_come_as_a_stream_of_their_own() {
        let file = &files()["2x2 1x1 1x1, one"];
        let frame = place(file, 0xC0);
        let end: &[u8] = &[0xFF, 0xD9];
        let tables = [&file[..frame], end].concat();
        let image = [&[0xFF, 0xD8], &file[frame..]].concat();
        assert_eq!(pixels(&[&tables[..], &image].concat()), pixels(file));
        assert_eq!(
            refusal(&tables),
            "truncated or damaged JPEG: the data stops before its end marker"
        );
    }

    #[test]
    fn kinds_that_are_not_read_are_named() {
        let file = &files()["2x2 1x1 1x1, one"];
        let at = place(file, 0xC0);
        let with = |offset: usize, value: u8| {
            let mut file = file.clone();
            file[at + offset] = value;
            refusal(&file)
        };
        for (offset, value, kind) in [
            (1, 0xC3, "lossless compression"),
            (1, 0xC5, "hierarchical compression"),
            (1, 0xF7, "JPEG-LS compression"),
            (4, 12, "12 bits a sample, expected 8"),
        ] {
            assert_eq!(with(offset, value), format!("unsupported JPEG: {kind}"));
        }
        let no_height = claiming(file.clone(), 18, 0);
        let words = "unsupported JPEG: its header has no width or no height";
        assert_eq!(refusal(&no_height), words);
    }

    /// Each is a few bytes, and goes over the whole image.
    #[test]
    fn scans_without_end_are_refused() {
        let file = &files()["gray progressive"];
        let last = file
            .windows(2)
            .rposition(|pair| pair == [0xFF, 0xDA])
            .unwrap();
        let scan = &file[last..file.len() - 2];
        let with = |count: usize| [&file[..last], &scan.repeat(count), &[0xFF, 0xD9]].concat();
        assert!(read(&with(90), Damage::Accept).is_ok());
        let error = read(&with(120), Damage::Accept).unwrap_err();
        assert_eq!(
            error.to_string(),
            "truncated or damaged JPEG: it has far more scans than any picture needs"
        );
    }
}
