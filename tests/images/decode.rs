//! Files of every supported kind become the pixels they were made from.

use std::fs;
use std::path::Path;

use image::RgbImage;
use senet::image::{Alpha, Orientation, Preprocessing, SixteenBit, has_image_extension};

use super::{BLUE, GREEN, QUADRANTS, RED, WHITE, channel, decode, folder, odd, pattern, plain};

/// JPEG at quality 95: its colour conversion and quantisation, on flat blocks.
const JPEG_ROUNDING: u8 = 3;

fn pixels(name: &str) -> RgbImage {
    decode(&odd(name), &plain()).unwrap()
}

fn assert_pixels(found: &RgbImage, expected: impl Fn(u32, u32) -> [u8; 3]) {
    assert_eq!(found.dimensions(), (8, 6));
    for (x, y, pixel) in found.enumerate_pixels() {
        assert_eq!(pixel.0, expected(x, y), "column {x}, row {y}");
    }
}

fn assert_quadrants(found: &RgbImage, expected: [[u8; 3]; 4]) {
    let half = found.width() / 2;
    assert_eq!((half, found.height()), (16, 32));
    // Upsampled colour runs over into the pixel beyond a quadrant's edge.
    let at_edge = |place| (half - 1..=half).contains(&place);
    let inside = |&(x, y, _): &(u32, u32, _)| !at_edge(x) && !at_edge(y);
    for (x, y, pixel) in found.enumerate_pixels().filter(inside) {
        let expected = expected[usize::from(x >= half) + 2 * usize::from(y >= half)];
        for (found, expected) in pixel.0.into_iter().zip(expected) {
            assert!(
                found.abs_diff(expected) <= JPEG_ROUNDING,
                "column {x}, row {y}: {pixel:?}, expected {expected:?}"
            );
        }
    }
}

#[test]
fn lossless_formats_give_the_pixels_they_were_made_from() {
    for name in ["pattern.png", "pattern.webp", "pattern.bmp", "pattern.tiff"] {
        println!("{name}");
        assert_pixels(&pixels(name), pattern);
    }
}

#[test]
fn a_gif_gives_its_first_frame() {
    assert_pixels(&pixels("two_frames.gif"), pattern);
}

#[test]
#[cfg_attr(not(feature = "libjpeg"), ignore = "refused without libjpeg")]
fn a_baseline_and_a_progressive_jpeg_give_the_same_image() {
    for name in ["quadrants.jpg", "progressive.jpg"] {
        println!("{name}");
        assert_quadrants(&pixels(name), QUADRANTS);
    }
}

#[test]
fn a_cmyk_jpeg_becomes_rgb() {
    assert_quadrants(&pixels("cmyk.jpg"), QUADRANTS);
}

#[test]
fn a_gray_jpeg_repeats_its_channel() {
    // BT.601 luma: (299 r + 587 g + 114 b) / 1000.
    let luma = QUADRANTS.map(|[red, green, blue]| {
        let [red, green, blue] = [red, green, blue].map(u32::from);
        [channel((299 * red + 587 * green + 114 * blue) / 1000); 3]
    });
    assert_quadrants(&pixels("gray.jpg"), luma);
}

#[test]
fn a_gray_image_repeats_its_channel() {
    assert_pixels(&pixels("gray.png"), |x, y| [channel(5 * (x + 8 * y)); 3]);
}

/// `sample` composed over white, in floating point.
fn over_white(sample: u8, opacity: u32) -> u8 {
    let opacity = f64::from(opacity) / 255.0;
    let value = f64::from(sample) * opacity + 255.0 * (1.0 - opacity);
    (0..=255)
        .min_by(|a, b| {
            let distance = |sample: &u8| (f64::from(*sample) - value).abs();
            distance(a).total_cmp(&distance(b))
        })
        .unwrap()
}

#[test]
fn transparency_shows_white() {
    assert_pixels(&pixels("rgba.png"), |x, y| {
        pattern(x, y).map(|sample| over_white(sample, 36 * x))
    });
    assert_pixels(&pixels("gray_alpha.png"), |x, y| {
        [over_white(channel(5 * (x + 8 * y)), 36 * x); 3]
    });
    assert_pixels(&pixels("palette_transparent.png"), |x, _| {
        if x % 2 == 0 { RED } else { WHITE }
    });
}

#[test]
fn dropped_transparency_shows_the_colour_below() {
    let drop = Preprocessing {
        alpha: Alpha::Drop,
        ..plain()
    };
    let pixels = |name| decode(&odd(name), &drop).unwrap();
    assert_pixels(&pixels("rgba.png"), pattern);
    assert_pixels(&pixels("gray_alpha.png"), |x, y| {
        [channel(5 * (x + 8 * y)); 3]
    });
    assert_pixels(&pixels("palette_transparent.png"), |x, _| {
        if x % 2 == 0 { RED } else { GREEN }
    });
}

/// The samples of `rgb16.png`: those of the pattern, between two that 8 bits can hold.
fn wide(sample: u8) -> u32 {
    257 * u32::from(sample) + if sample < 255 { 200 } else { 0 }
}

/// `sample / 257`, rounded in floating point.
fn rounded(sample: u32) -> u8 {
    let value = (f64::from(sample) / 257.0).round();
    (0..=255)
        .find(|candidate| (f64::from(*candidate) - value).abs() < 0.5)
        .unwrap()
}

#[test]
fn sixteen_bits_are_scaled() {
    assert_pixels(&pixels("gray16.png"), |x, y| {
        [rounded(29 * (x + 8 * y).pow(2)); 3]
    });
    assert_pixels(&pixels("rgb16.png"), |x, y| {
        pattern(x, y).map(|sample| rounded(wide(sample)))
    });
    assert_pixels(&pixels("rgba16.png"), |x, y| {
        pattern(x, y).map(|sample| over_white(rounded(wide(sample)), u32::from(rounded(9362 * x))))
    });
}

#[test]
fn saturated_sixteen_bits_are_what_pillow_makes_of_them() {
    let saturate = Preprocessing {
        sixteen_bit: SixteenBit::Saturate,
        alpha: Alpha::Drop,
        ..plain()
    };
    let pixels = |name| decode(&odd(name), &saturate).unwrap();
    assert_pixels(&pixels("gray16.png"), |x, y| {
        [channel((29 * (x + 8 * y).pow(2)).min(255)); 3]
    });
    for name in ["rgb16.png", "rgba16.png"] {
        println!("{name}");
        assert_pixels(&pixels(name), |x, y| {
            pattern(x, y).map(|sample| channel(wide(sample) / 256))
        });
    }
}

#[test]
fn an_image_is_turned_as_its_camera_noted() {
    for name in ["orientation6.jpg", "orientation6.png"] {
        println!("{name}");
        assert_quadrants(&pixels(name), QUADRANTS);
    }
}

#[test]
fn orientation_can_be_ignored() {
    let ignore = Preprocessing {
        orientation: Orientation::Ignore,
        ..plain()
    };
    for name in ["orientation6.jpg", "orientation6.png"] {
        println!("{name}");
        let found = decode(&odd(name), &ignore).unwrap();
        assert_quadrants(&found, [GREEN, WHITE, RED, BLUE]);
    }
}

#[test]
#[cfg_attr(not(feature = "libjpeg"), ignore = "refused without libjpeg")]
fn a_jpegs_thumbnail_and_trailing_bytes_are_harmless() {
    assert_eq!(pixels("thumbnail.jpg").dimensions(), (64, 64));
    let mut bytes = fs::read(odd("quadrants.jpg")).unwrap();
    bytes.extend([0x00, 0xFF, 0x41]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trailing.jpg");
    fs::write(&path, bytes).unwrap();
    assert_quadrants(&decode(&path, &plain()).unwrap(), QUADRANTS);
}

#[test]
fn the_content_counts_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    fs::copy(odd("pattern.png"), &path).unwrap();
    assert_pixels(&decode(&path, &plain()).unwrap(), pattern);
}

#[test]
fn extensions_are_told_in_any_case() {
    for name in [
        "a.jpg", "b.JPEG", "c.Png", "d.webp", "e.bmp", "f.gif", "g.TIFF", "h.tif",
    ] {
        assert!(has_image_extension(Path::new(name)), "{name}");
    }
    for name in ["a.txt", "jpg", ".jpg", "a.jpg.part", "a", "a."] {
        assert!(!has_image_extension(Path::new(name)), "{name}");
    }
}

#[test]
fn the_photographs_decode_to_all_their_pixels() {
    for (name, size) in [
        ("cat.jpg", (360, 239)),
        ("coffee.jpg", (360, 240)),
        ("rocket.jpg", (360, 240)),
    ] {
        let image = decode(&folder("photos").join(name), &plain()).unwrap();
        assert_eq!(image.dimensions(), size, "{name}");
        // The lower right corner is where a decoder that gave up leaves flat gray.
        let corner = image.get_pixel(size.0 - 1, size.1 - 1);
        assert_ne!(corner.0, [128; 3], "{name}");
    }
}
