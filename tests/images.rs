//! Files of every supported kind become the pixels they were made from; damaged ones become errors.
//!
//! The images and the formulas they were drawn by are those of `scripts/make_test_images.py`.

#![allow(clippy::unwrap_used, reason = "its functions all belong to tests")]

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use senet::Error;
use senet::image::{
    Alpha, CropMode,
    Interpolation::{self, Bicubic, Bilinear},
    Orientation, Preprocessing, SixteenBit, decode, has_image_extension, load, transform,
};

/// JPEG at quality 95: its colour conversion and quantisation, on flat blocks.
const JPEG_ROUNDING: u8 = 3;

const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 200, 40];
const BLUE: [u8; 3] = [30, 40, 210];
const WHITE: [u8; 3] = [255, 255, 255];
/// Top left, top right, bottom left, bottom right.
const QUADRANTS: [[u8; 3]; 4] = [RED, GREEN, BLUE, WHITE];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/images")
        .join(name)
}

fn odd(name: &str) -> PathBuf {
    folder("odd").join(name)
}

/// Leaves values at `sample / 255`.
fn plain() -> Preprocessing {
    Preprocessing {
        size: [32, 32],
        crop_pct: 1.0,
        crop_mode: CropMode::Center,
        interpolation: Interpolation::Bilinear,
        mean: [0.0; 3],
        std: [1.0; 3],
        alpha: Alpha::White,
        sixteen_bit: SixteenBit::Scale,
        orientation: Orientation::Apply,
    }
}

fn pixels(name: &str) -> RgbImage {
    decode(&odd(name), &plain()).unwrap()
}

fn error(path: &Path) -> String {
    let error = decode(path, &plain()).unwrap_err();
    assert!(matches!(error, Error::Image(_)), "{error:?}");
    error.to_string()
}

/// Writes `bytes` to a file of their own and says why they cannot be decoded.
fn error_of_bytes(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    fs::write(&path, bytes).unwrap();
    error(&path)
}

fn channel(value: u32) -> u8 {
    u8::try_from(value).unwrap()
}

fn pattern(x: u32, y: u32) -> [u8; 3] {
    [30 * x, 40 * y, 255 - 20 * x - 15 * y].map(channel)
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
fn a_truncated_jpeg_is_an_error() {
    for name in ["truncated.jpg", "truncated_thumbnail.jpg"] {
        assert_eq!(
            error(&odd(name)),
            "truncated or damaged JPEG: the data stops before its end marker"
        );
    }
}

#[test]
fn a_truncated_jpeg_padded_with_zeros_is_an_error() {
    let mut bytes = fs::read(odd("truncated.jpg")).unwrap();
    bytes.extend([0; 512]);
    assert!(error_of_bytes(&bytes).starts_with("truncated or damaged JPEG"));
}

#[test]
fn a_truncated_png_is_an_error() {
    let message = error(&odd("truncated.png"));
    assert!(
        message.starts_with("truncated or damaged PNG: "),
        "{message}"
    );
}

#[test]
fn half_a_file_is_an_error_in_every_format() {
    for (name, kind) in [
        ("quadrants.jpg", "JPEG"),
        ("progressive.jpg", "JPEG"),
        ("scene.png", "PNG"),
        ("pattern.webp", "WebP"),
        ("pattern.bmp", "BMP"),
        ("pattern.tiff", "TIFF"),
        ("two_frames.gif", "GIF"),
    ] {
        let bytes = fs::read(odd(name)).unwrap();
        let message = error_of_bytes(&bytes[..bytes.len() / 2]);
        let start = format!("truncated or damaged {kind}: ");
        assert!(message.starts_with(&start), "{name}: {message}");
    }
}

#[test]
fn no_prefix_of_any_file_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prefix");
    for entry in fs::read_dir(odd("")).unwrap() {
        let source = entry.unwrap().path();
        let bytes = fs::read(&source).unwrap();
        for length in (0..bytes.len()).step_by(7) {
            fs::write(&path, &bytes[..length]).unwrap();
            if let Err(error) = decode(&path, &plain()) {
                let message = error.to_string();
                let name = source.display();
                assert!(!message.contains("panicked"), "{name}, {length} bytes");
            }
        }
    }
}

#[test]
fn text_and_nothing_at_all_are_not_images() {
    assert_eq!(
        error(&odd("text.jpg")),
        "not an image: its first bytes are not those of a JPEG, PNG, WebP, BMP, GIF or TIFF"
    );
    assert_eq!(error(&odd("empty.jpg")), "not an image: the file is empty");
}

#[test]
fn an_image_format_without_a_decoder_is_named() {
    assert_eq!(
        error_of_bytes(b"\0\0\0\x20ftypavif\0\0\0\0"),
        "avif images are not supported; expected JPEG, PNG, WebP, BMP, GIF or TIFF"
    );
}

#[test]
fn hostile_dimensions_are_refused_before_they_are_allocated() {
    assert_eq!(
        error(&odd("huge.png")),
        "image too large: its pixels would take more than 1 GiB"
    );
}

#[test]
fn a_file_beyond_1_gib_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse.png");
    let file = fs::File::create(&path).unwrap();
    file.set_len((1 << 30) + 1).unwrap();
    assert_eq!(
        error(&path),
        "image too large: the file has more than 1 GiB"
    );
}

#[test]
fn floating_point_samples_are_refused() {
    let expected = "unsupported TIFF: its samples are neither 8-bit nor 16-bit gray or RGB";
    assert_eq!(error(&odd("float.tiff")), expected);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("float_rgb.tiff");
    let image = image::Rgb32FImage::new(4, 4);
    image.save(&path).unwrap();
    assert_eq!(error(&path), expected);
}

#[test]
fn a_missing_file_is_named() {
    let missing = odd("missing.png");
    let error = decode(&missing, &plain()).unwrap_err();
    assert!(matches!(
        error,
        Error::File { action: "open", ref path, .. } if *path == missing
    ));
}

#[test]
fn a_folder_is_not_an_image() {
    assert_eq!(error(&folder("odd")), "a folder, not an image");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_rather_than_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.jpg");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert_eq!(error(&path), "not an image: not a regular file");
}

#[test]
fn values_are_channel_row_column_and_normalised() {
    let preprocessing = Preprocessing {
        size: [6, 8],
        mean: [0.5, 0.25, 0.125],
        std: [0.5, 0.25, 2.0],
        ..plain()
    };
    let values = load(&odd("pattern.png"), &preprocessing).unwrap();
    assert_eq!(values.len(), 3 * 6 * 8);
    for (index, value) in values.into_iter().enumerate() {
        let (channel, place) = (index / 48, u32::try_from(index % 48).unwrap());
        let sample = f64::from(pattern(place % 8, place / 8)[channel]) / 255.0;
        let expected = (sample - [0.5, 0.25, 0.125][channel]) / [0.5, 0.25, 2.0][channel];
        // Three roundings of `f32` on values up to 3.
        assert!((f64::from(value) - expected).abs() < 1e-6, "{index}");
    }
}

/// The transform of `scene.png` as 8-bit samples, compared with Pillow's.
fn assert_as_pillow(expected: &str, preprocessing: &Preprocessing) {
    let expected = decode(&folder("expected").join(expected), preprocessing).unwrap();
    let values = load(&odd("scene.png"), preprocessing).unwrap();
    let (width, height) = expected.dimensions();
    assert_eq!(
        preprocessing.size.map(|side| side as u64),
        [height, width].map(u64::from)
    );
    for (x, y, pixel) in expected.enumerate_pixels() {
        for (channel, sample) in (0_u32..).zip(pixel.0) {
            let index = (channel * height + y) * width + x;
            let found = values[usize::try_from(index).unwrap()];
            // The very sample, divided by 255.
            let difference = (found * 255.0 - f32::from(sample)).abs();
            assert!(difference < 0.01, "{preprocessing:?}: column {x}, row {y}");
        }
    }
}

#[test]
fn resize_and_crop_are_those_of_pillow_and_torchvision() {
    let center = |side, crop_pct, interpolation| Preprocessing {
        size: [side, side],
        crop_pct,
        interpolation,
        ..plain()
    };
    let squash = |size, crop_pct, interpolation| Preprocessing {
        size,
        crop_pct,
        crop_mode: CropMode::Squash,
        interpolation,
        ..plain()
    };
    for (expected, preprocessing) in [
        ("center_16_bilinear.png", center(16, 1.0, Bilinear)),
        ("center_16_bicubic.png", center(16, 0.875, Bicubic)),
        ("center_80_bilinear.png", center(80, 0.95, Bilinear)),
        ("squash_12x20_bilinear.png", squash([12, 20], 0.8, Bilinear)),
        ("squash_50x45_bicubic.png", squash([50, 45], 0.9, Bicubic)),
    ] {
        assert_as_pillow(expected, &preprocessing);
    }
}

#[test]
fn an_image_of_the_right_size_is_left_alone() {
    let image = RgbImage::from_fn(32, 32, |x, y| {
        image::Rgb([channel(x * 8), channel(y * 8), 7])
    });
    let values = transform(image.clone(), &plain()).unwrap();
    for (index, value) in values.into_iter().enumerate() {
        let place = u32::try_from(index % 1024).unwrap();
        let sample = image.get_pixel(place % 32, place / 32).0[index / 1024];
        assert!((value * 255.0 - f32::from(sample)).abs() < 0.01, "{index}");
    }
}

#[test]
fn a_single_pixel_and_a_line_fill_the_whole_input() {
    for (name, colour) in [("1x1.png", RED), ("1x300.png", GREEN)] {
        let values = load(&odd(name), &plain()).unwrap();
        assert_eq!(values.len(), 3 * 32 * 32);
        for (index, value) in values.into_iter().enumerate() {
            let expected = f32::from(colour[index / 1024]);
            assert!((value * 255.0 - expected).abs() < 0.01, "{name}, {index}");
        }
    }
}

#[test]
fn a_resize_beyond_all_measure_is_refused() {
    let imagenet = Preprocessing {
        size: [224, 224],
        ..plain()
    };
    let error = load(&odd("1x60000.png"), &imagenet).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot resize 1x60000 pixels (height x width) to 224x13440000: more than 67108864 pixels"
    );
    let minute = Preprocessing {
        crop_pct: 1e-300,
        ..plain()
    };
    for crop_mode in [CropMode::Center, CropMode::Squash] {
        let minute = Preprocessing {
            crop_mode,
            ..minute.clone()
        };
        let error = load(&odd("pattern.png"), &minute).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot resize 6x8"),
            "{error}"
        );
    }
}

#[test]
fn preprocessing_travels_as_json() {
    let json = r#"{"size":[32,32],"crop_pct":1.0,"crop_mode":"center","interpolation":"bilinear","mean":[0.4914,0.4822,0.4465],"std":[0.247,0.2435,0.2616],"alpha":"white","sixteen_bit":"scale","orientation":"apply"}"#;
    let preprocessing: Preprocessing = serde_json::from_str(json).unwrap();
    assert_eq!(
        preprocessing,
        Preprocessing {
            mean: [0.4914, 0.4822, 0.4465],
            std: [0.2470, 0.2435, 0.2616],
            ..plain()
        }
    );
    assert_eq!(serde_json::to_string(&preprocessing).unwrap(), json);
    let unknown = json.replace("crop_mode", "cropping");
    let error = serde_json::from_str::<Preprocessing>(&unknown).unwrap_err();
    assert!(error.to_string().contains("unknown field `cropping`"));
}

#[test]
fn bad_preprocessing_names_the_field_and_what_was_found() {
    assert!(plain().validate().is_ok());
    for (bad, field, found) in [
        (
            Preprocessing {
                size: [0, 32],
                ..plain()
            },
            "`size`",
            "0x32",
        ),
        (
            Preprocessing {
                size: [32, 8193],
                ..plain()
            },
            "`size`",
            "32x8193",
        ),
        (
            Preprocessing {
                crop_pct: 0.0,
                ..plain()
            },
            "`crop_pct`",
            "0",
        ),
        (
            Preprocessing {
                crop_pct: 1.5,
                ..plain()
            },
            "`crop_pct`",
            "1.5",
        ),
        (
            Preprocessing {
                crop_pct: f64::NAN,
                ..plain()
            },
            "`crop_pct`",
            "NaN",
        ),
        (
            Preprocessing {
                mean: [0.0, f32::INFINITY, 0.0],
                ..plain()
            },
            "`mean`",
            "inf",
        ),
        (
            Preprocessing {
                std: [1.0, 1.0, 0.0],
                ..plain()
            },
            "`std`",
            "0.0",
        ),
        (
            Preprocessing {
                std: [1.0, -1.0, 1.0],
                ..plain()
            },
            "`std`",
            "-1.0",
        ),
        (
            Preprocessing {
                std: [f32::NAN, 1.0, 1.0],
                ..plain()
            },
            "`std`",
            "NaN",
        ),
        (
            Preprocessing {
                std: [f32::INFINITY, 1.0, 1.0],
                ..plain()
            },
            "`std`",
            "inf",
        ),
    ] {
        let message = bad.validate().unwrap_err().to_string();
        let (start, end) = message.split_once(", found ").unwrap();
        assert!(
            start.starts_with(&format!("preprocessing: {field} must be ")),
            "{message}"
        );
        assert!(end.contains(found), "{message}");
        let image = RgbImage::new(4, 4);
        assert_eq!(transform(image, &bad).unwrap_err().to_string(), message);
    }
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
