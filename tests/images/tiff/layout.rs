//! Strips, tiles and planes become the image that they are parts of, and what contradicts itself is
//! refused.

use super::*;

#[test]
fn strips_of_every_height_are_put_together() {
    let rows: Vec<u8> = Tiff::rgb().chunks.concat();
    for height in 1..=HEIGHT + 1 {
        let strips = rows.chunks((3 * WIDTH * height) as usize);
        let tiff = Tiff::rgb()
            .chunks(strips.map(<[u8]>::to_vec).collect())
            .tag(ROWS_PER_STRIP, &[height]);
        assert_pixels(&tiff, pattern);
        assert_pixels(&tiff.compressed(8, deflated), pattern);
    }
}

/// The pattern in tiles of 5 columns and 4 rows, of which the outer ones go beyond the image;
/// those of `channels`.
fn tiles(channels: Range<usize>) -> Vec<Vec<u8>> {
    let corners = [(0, 0), (5, 0), (0, 4), (5, 4)];
    let tile = |(left, top): (u32, u32)| {
        let places = (top..top + 4).flat_map(|y| (left..left + 5).map(move |x| (x, y)));
        let samples = places.map(|(x, y)| {
            if x < WIDTH && y < HEIGHT {
                pattern(x, y)
            } else {
                [77; 3]
            }
        });
        samples
            .flat_map(|pixel| pixel[channels.clone()].to_vec())
            .collect()
    };
    corners.map(tile).to_vec()
}

#[test]
fn tiles_are_put_together() {
    let tiff = Tiff::rgb()
        .chunks(tiles(0..3))
        .tag(TILE_WIDTH, &[5])
        .tag(TILE_HEIGHT, &[4]);
    assert_pixels(&tiff, pattern);
    assert_pixels(&tiff.compressed(8, deflated), pattern);
}

#[test]
fn planes_are_put_together_from_strips_and_tiles() {
    let plane = |channel: usize| places().map(|(x, y)| pattern(x, y)[channel]).collect();
    let strips = Tiff::rgb()
        .chunks([0, 1, 2].map(plane).to_vec())
        .tag(PLANAR, &[2]);
    let tiled = Tiff::rgb()
        .chunks([0..1, 1..2, 2..3].map(tiles).concat())
        .tag(TILE_WIDTH, &[5])
        .tag(TILE_HEIGHT, &[4])
        .tag(PLANAR, &[2]);
    for tiff in [strips, tiled] {
        assert_pixels(&tiff, pattern);
        assert_pixels(&tiff.compressed(5, lzw), pattern);
    }
}

#[test]
fn both_byte_orders_and_wide_offsets_are_read() {
    for big_endian in [false, true] {
        for big in [false, true] {
            let mut tiff = Tiff::rgb();
            (tiff.big_endian, tiff.big) = (big_endian, big);
            assert_pixels(&tiff, pattern);
        }
    }
}

#[test]
fn every_orientation_is_turned_whatever_the_preprocessing_says() {
    let (right, bottom) = (WIDTH - 1, HEIGHT - 1);
    for number in 1..=8 {
        // Where the pixel at a place of the turned image is stored.
        let stored = |x: u32, y: u32| match number {
            2 => (right - x, y),
            3 => (right - x, bottom - y),
            4 => (x, bottom - y),
            5 => (y, x),
            6 => (y, bottom - x),
            7 => (right - y, bottom - x),
            8 => (right - y, x),
            _ => (x, y),
        };
        let packet = format!("<rdf:Description tiff:Orientation=\"{number}\"/>");
        let element = format!("<tiff:Orientation>{number}</tiff:Orientation>");
        let xmp = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
        for tiff in [
            Tiff::rgb().tag(ORIENTATION, &[number]),
            // Where the tag is missing, Pillow looks into the XMP metadata.
            Tiff::rgb().tag(XMP, &xmp(&packet)),
            Tiff::rgb().tag(XMP, &xmp(&element)),
        ] {
            for preprocessing in [plain(), timm()] {
                let found = decode_as(&tiff, &preprocessing);
                let turned = if number > 4 {
                    (HEIGHT, WIDTH)
                } else {
                    (WIDTH, HEIGHT)
                };
                assert_eq!(found.dimensions(), turned, "orientation {number}");
                for (x, y, pixel) in found.enumerate_pixels() {
                    let (x, y) = stored(x, y);
                    assert_eq!(pixel.0, pattern(x, y), "orientation {number}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    for (tag, value, name) in [
        (COMPRESSION, 6, "old-style JPEG compression"),
        (COMPRESSION, 34925, "LZMA compression"),
        (COMPRESSION, 50001, "WebP compression"),
        (COMPRESSION, 4711, "compression of an unknown kind, 4711"),
        (PHOTOMETRIC, 4, "a transparency mask"),
        (PHOTOMETRIC, 6, "YCbCr colours without JPEG compression"),
        (PHOTOMETRIC, 8, "CIE L*a*b* colours"),
        (PHOTOMETRIC, 32803, "the samples of a colour filter array"),
        (BITS, 32, "samples of 32 bits"),
        (SAMPLE_FORMAT, 2, "signed samples"),
        (SAMPLE_FORMAT, 3, "floating-point samples"),
        (SAMPLES, 5, "more samples than its colours need"),
        (SAMPLES, 7, "7 samples a pixel, expected at most 6"),
    ] {
        let tiff = Tiff::rgb().tag(BITS, &[8]).tag(tag, &[value]);
        assert_eq!(error(&tiff), format!("unsupported TIFF: {name}"));
    }
    let tiff = Tiff::rgb().tag(BITS, &[8, 8, 4]);
    assert_eq!(error(&tiff), "unsupported TIFF: samples of different sizes");
    let tiff = Tiff::rgb().tag(COMPRESSION, &[8]).tag(PREDICTOR, &[3]);
    assert_eq!(error(&tiff), "unsupported TIFF: floating-point differences");
}

#[test]
fn tags_that_contradict_the_file_are_damage() {
    for (tiff, problem) in [
        (Tiff::rgb().tag(256, &[0]), "its width is 0"),
        (
            Tiff::rgb().tag(257, &[HEIGHT + 200]),
            "a strip or tile runs beyond the file's end",
        ),
        (
            Tiff::rgb().tag(ROWS_PER_STRIP, &[2]),
            "it has 1 strips or tiles where its size needs 3",
        ),
        (
            Tiff::rgb().tag(ROWS_PER_STRIP, &[0]),
            "its strips have no rows",
        ),
        (
            Tiff::rgb().tag(SAMPLES, &[2]),
            "2 samples where its colours need 3",
        ),
        (
            Tiff::new(PALETTE, 1, 8, vec![0; 48]).tag(COLOUR_MAP, &[9; 30]),
            "its palette is too small",
        ),
        (
            Tiff::rgb().compressed(8, |bytes| deflated(&bytes[..99])),
            "the data of a strip or tile ends before it is whole",
        ),
        (
            Tiff::rgb().compressed(32773, |bytes| packed_bits(&bytes[..99])),
            "the data of a strip or tile ends before it is whole",
        ),
        (
            Tiff::rgb().compressed(8, |_| vec![0xFF; 99]),
            "its deflate data is damaged",
        ),
    ] {
        let expected = format!("truncated or damaged TIFF: {problem}");
        assert_eq!(error(&tiff), expected);
    }
}

#[test]
fn strips_that_share_their_data_are_refused_before_it_is_decompressed() {
    // 20,000 strips that all are one stretch of empty deflate blocks: 4 GB to read.
    let mut blob = vec![0x78, 0x01];
    blob.extend([0, 0, 0, 0xFF, 0xFF].repeat(40_000));
    let length = u32::try_from(blob.len()).unwrap();
    let rows: u32 = 20_000;
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 8, blob)
        .tag(256, &[1])
        .tag(257, &[rows])
        .tag(ROWS_PER_STRIP, &[1])
        .tag(COMPRESSION, &[8])
        .tag(273, &vec![8; rows as usize])
        .tag(279, &vec![length; rows as usize]);
    assert_eq!(
        error(&tiff),
        "unsupported TIFF: its strips or tiles share more data than the file has"
    );
}

#[test]
fn equal_strips_may_be_stored_once() {
    let row = [channel(9); WIDTH as usize];
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 8, deflated(&row));
    let length = u32::try_from(tiff.chunks[0].len()).unwrap();
    let tiff = tiff
        .tag(ROWS_PER_STRIP, &[1])
        .tag(COMPRESSION, &[8])
        .tag(273, &[8; HEIGHT as usize])
        .tag(279, &[length; HEIGHT as usize]);
    assert_pixels(&tiff, |_, _| [9; 3]);
}

#[test]
fn a_header_says_what_decoding_takes() {
    let memory = |tiff: &Tiff| header(&tiff.bytes()).unwrap().memory;
    let plain = Tiff::rgb().compressed(8, deflated);
    let image = u64::from(3 * WIDTH * HEIGHT);
    assert!(memory(&plain) > 2 * image);
    // Turning it makes a copy.
    let turned = plain.clone().tag(ORIENTATION, &[6]);
    assert_eq!(memory(&turned), memory(&plain) + image);
    // A tile counts whole, however little of it is in the image.
    let tiled = plain
        .tag(TILE_WIDTH, &[1 << 16])
        .tag(TILE_HEIGHT, &[1 << 16]);
    assert!(memory(&tiled) > 3 << 32);
    let message = error(&tiled);
    assert!(message.starts_with("image too large: "), "{message}");
    // A JPEG is copied, with whatever follows it.
    let followed = |by: usize| {
        let strip = [jpeg(), vec![0; by]].concat();
        Tiff::rgb().chunks(vec![strip]).tag(COMPRESSION, &[7])
    };
    assert_eq!(memory(&followed(1 << 20)), memory(&followed(0)) + (1 << 20));
}

#[test]
fn no_change_of_a_byte_makes_the_decoder_panic() {
    let palette = Tiff::new(PALETTE, 1, 4, packed(4, |x, y| (x + y) % 16));
    let tagged = bits_of("000000000001 1 1000 11 1000 000000000001 0 111 000000000001 0 011 011 1");
    let mut wide = Tiff::rgb();
    (wide.big, wide.big_endian) = (true, true);
    let files = [
        Tiff::rgb()
            .tag(ORIENTATION, &[6])
            .compressed(5, lzw)
            .tag(PREDICTOR, &[2]),
        Tiff::rgb()
            .tag(FILL_ORDER, &[2])
            .compressed(32773, packed_bits),
        wide.compressed(8, deflated),
        Tiff::rgb()
            .chunks([0..1, 1..2, 2..3].map(tiles).concat())
            .tag(TILE_WIDTH, &[5])
            .tag(TILE_HEIGHT, &[4])
            .tag(PLANAR, &[2]),
        palette.tag(COLOUR_MAP, &[700; 48]),
        Tiff::new(WHITE_IS_ZERO, 1, 1, tagged.clone())
            .tag(257, &[3])
            .tag(COMPRESSION, &[3])
            .tag(GROUP3_OPTIONS, &[1]),
        Tiff::new(WHITE_IS_ZERO, 1, 1, tagged)
            .tag(257, &[3])
            .tag(COMPRESSION, &[4]),
    ];
    for file in files {
        let whole = file.bytes();
        for place in 0..whole.len() {
            for value in [0, 1, 2, 4, 16, 127, 128, 255] {
                let mut bytes = whole.clone();
                bytes[place] = value;
                if let Err(error) = decode_bytes(&bytes, &Request::new(&plain())) {
                    let message = error.to_string();
                    assert!(
                        !message.contains("panicked"),
                        "byte {place}, {value}: {message}"
                    );
                }
            }
        }
    }
}
