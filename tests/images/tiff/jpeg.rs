//! JPEG in a TIFF gives the pixels that it gives alone.

use super::*;

/// The segments of a JPEG file before its scan, and the rest.
fn segments(file: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut found, mut rest) = (Vec::new(), &file[2..]);
    while rest[1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        found.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    (found, rest.to_vec())
}

const YCBCR: u32 = 6;
const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

#[test]
fn jpeg_in_a_tiff_is_what_it_is_alone() {
    let alone = decode_bytes(&jpeg(), &Request::new(&plain()))
        .unwrap()
        .pixels
        .into_rgb();
    let tiff = Tiff::rgb()
        .tag(PHOTOMETRIC, &[YCBCR])
        .tag(COMPRESSION, &[7]);
    let whole = tiff.clone().chunks(vec![jpeg()]);
    assert_pixels(&whole, |x, y| alone.get_pixel(x, y).0);

    // Tables are for all strips, and each has its own frame and scan.
    let (segments, scan) = segments(&jpeg());
    let is_table = |segment: &&Vec<u8>| matches!(segment[1], 0xC4 | 0xDB);
    let (tables, own): (Vec<_>, Vec<_>) = segments.iter().partition(is_table);
    assert!(!tables.is_empty());
    let concat =
        |segments: Vec<&Vec<u8>>| segments.into_iter().flatten().copied().collect::<Vec<_>>();
    let tables = [&START_OF_IMAGE[..], &concat(tables), &END_OF_IMAGE].concat();
    let strip = [&START_OF_IMAGE[..], &concat(own), &scan].concat();
    let tables: Vec<u32> = tables.into_iter().map(u32::from).collect();
    let shared = tiff.chunks(vec![strip]).tag(JPEG_TABLES, &tables);
    assert_pixels(&shared, |x, y| alone.get_pixel(x, y).0);
    // Bits of JPEG are never reversed.
    assert_pixels(&shared.tag(FILL_ORDER, &[2]), |x, y| {
        alone.get_pixel(x, y).0
    });
}

#[test]
#[cfg_attr(not(feature = "libjpeg"), ignore = "refused without libjpeg")]
fn the_tiff_says_of_which_colours_a_jpeg_in_it_is() {
    // Of a flat gray image brightness is that gray, and colours are 128, whatever the JFIF
    // marker says of them.
    let gray = jpeg_of(&RgbImage::from_pixel(WIDTH, HEIGHT, image::Rgb([100; 3])));
    let tiff = Tiff::rgb().chunks(vec![gray]).tag(COMPRESSION, &[7]);
    assert_pixels(&tiff.clone().tag(PHOTOMETRIC, &[YCBCR]), |_, _| [100; 3]);
    assert_pixels(&tiff, |_, _| [100, 128, 128]);
}

#[test]
fn a_gray_jpeg_in_a_tiff_may_be_a_plane() {
    let plane = |value: u8| {
        let mut file = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut file, 100);
        let flat = image::GrayImage::from_pixel(WIDTH, HEIGHT, image::Luma([value]));
        flat.write_with_encoder(encoder).unwrap();
        file
    };
    let gray = Tiff::new(WHITE_IS_ZERO, 1, 8, plane(90)).tag(COMPRESSION, &[7]);
    assert_pixels(&gray, |_, _| [165; 3]);
    let planes = Tiff::rgb()
        .chunks([10, 20, 30].map(plane).to_vec())
        .tag(COMPRESSION, &[7])
        .tag(PLANAR, &[2]);
    assert_pixels(&planes, |_, _| [10, 20, 30]);
}

#[test]
fn a_jpeg_that_does_not_fit_its_strip_is_an_error() {
    let tiff = Tiff::rgb()
        .tag(PHOTOMETRIC, &[YCBCR])
        .tag(COMPRESSION, &[7]);
    let jpeg = jpeg();
    for (chunk, width, problem) in [
        (
            &jpeg[..],
            9,
            "a JPEG in it has another size than its strip or tile",
        ),
        (
            &jpeg[..40],
            WIDTH,
            "the data of a strip or tile ends before it is whole",
        ),
        (&jpeg[..2], WIDTH, "a JPEG in it has no frame"),
        (b"text", WIDTH, "a JPEG in it has data between its segments"),
    ] {
        let tiff = tiff.clone().chunks(vec![chunk.to_vec()]).tag(256, &[width]);
        assert_eq!(
            error(&tiff),
            format!("truncated or damaged TIFF: {problem}")
        );
    }
    let gray = tiff.chunks(vec![jpeg]).tag(PHOTOMETRIC, &[BLACK_IS_ZERO]);
    assert_eq!(
        error(&gray.tag(SAMPLES, &[1]).tag(BITS, &[8])),
        "truncated or damaged TIFF: a JPEG in it has 3 samples a pixel where it has 1"
    );
    let inks = Tiff::new(CMYK, 4, 8, Vec::new()).tag(COMPRESSION, &[7]);
    assert_eq!(
        error(&inks),
        "unsupported TIFF: JPEG compression of other than 8-bit gray, RGB or YCbCr"
    );
}
