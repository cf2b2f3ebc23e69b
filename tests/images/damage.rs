//! Damaged and hostile files, and such as are no images, become errors that say why.

use std::fs;
use std::path::Path;

use senet::Error;

use super::{decode, folder, odd, plain};

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
    for (start, name) in [
        (&b"\0\0\0\x20ftypavif\0\0\0\0"[..], "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"qoif\0\0\0\x01", "qoi"),
    ] {
        assert_eq!(
            error_of_bytes(start),
            format!("{name} images are not supported; expected JPEG, PNG, WebP, BMP, GIF or TIFF")
        );
    }
}

#[test]
fn hostile_dimensions_are_refused_before_they_are_allocated() {
    let error = error(&odd("huge.png"));
    assert!(
        error.starts_with("image too large: it takes ")
            && error.ends_with(
                "all images together may take 2.0 GiB\nhint: `senet classify --memory` changes that"
            ),
        "{error}"
    );
}

#[test]
fn a_file_beyond_the_memory_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse.png");
    let file = fs::File::create(&path).unwrap();
    file.set_len((2 << 30) + 1).unwrap();
    let error = error(&path);
    assert!(
        error.starts_with("image too large: it takes 2.0 GiB"),
        "{error}"
    );
}

#[test]
fn floating_point_samples_are_refused() {
    assert_eq!(
        error(&odd("float.tiff")),
        "unsupported TIFF: floating-point samples"
    );
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
