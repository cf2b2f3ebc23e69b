//! What an image's header says of the memory that it takes is never too little: the budget that
//! images share, and with it the whole program, stands on that.
//!
//! A test program of its own, since it counts every byte that it allocates.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use image::{DynamicImage, ImageFormat};
use senet::image::{
    Budget, CropMode, ImageFile, Interpolation, Preprocessing, Preset, Request, header,
};

/// What a decoder keeps whatever the image's size: tables, a window of deflate, buffers.
const FIXED: u64 = 512 << 10;

static IN_HAND: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

/// The tests count the same bytes, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code, reason = "an allocator is unsafe to be one")]
// SAFETY: all is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_HAND.fetch_add(layout.size() as u64, Ordering::SeqCst) + layout.size() as u64;
        MOST.fetch_max(now, Ordering::SeqCst);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_HAND.fetch_sub(layout.size() as u64, Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The most bytes that `work` has in hand at a time, beyond what was there before.
fn most_bytes<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = IN_HAND.load(Ordering::SeqCst);
    MOST.store(before, Ordering::SeqCst);
    let done = work();
    (done, MOST.load(Ordering::SeqCst) - before)
}

fn timm(size: [usize; 2]) -> Preprocessing {
    let preset = senet::image::Choices {
        preset: Some(Preset::Timm),
        size: Some(size),
        ..Default::default()
    };
    preset.complete(None).unwrap()
}

/// Everything in the folder of odd images and photographs, and larger images of each format that
/// can be written.
fn images() -> Vec<(PathBuf, Vec<u8>)> {
    let mut images = Vec::new();
    for folder in ["tests/images/odd", "tests/images/photos"] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            images.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    // Noise: nothing of it is compressed to much less.
    let mut state = 1_u32;
    let noise = image::RgbaImage::from_fn(701, 517, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgba(state.to_be_bytes())
    });
    let noise = DynamicImage::from(noise);
    for (kind, image) in [
        ("rgba", noise.clone()),
        ("rgb", noise.to_rgb8().into()),
        ("gray", noise.to_luma8().into()),
        ("rgb16", noise.to_rgb16().into()),
    ] {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::Bmp,
            ImageFormat::WebP,
            ImageFormat::Gif,
        ] {
            let mut bytes = std::io::Cursor::new(Vec::new());
            if image.write_to(&mut bytes, format).is_ok() {
                images.push((format!("{kind}.{format:?}").into(), bytes.into_inner()));
            }
        }
    }
    images
}

#[test]
fn decoding_takes_no_more_than_the_header_says() {
    let _turn = TURN.lock();
    let preprocessing = timm([224, 224]);
    let request = Request::new(&preprocessing);
    let mut decoded = 0;
    for (path, bytes) in images() {
        let Ok(header) = header(&bytes) else { continue };
        let (found, most) = most_bytes(|| senet::image::decode_bytes(&bytes, &request));
        decoded += usize::from(found.is_ok());
        assert!(
            most <= header.memory + FIXED,
            "{}: {most} bytes, {} said",
            path.display(),
            header.memory
        );
    }
    assert!(decoded >= 40, "{decoded} images");
}

#[test]
fn an_image_takes_no_more_than_its_share() {
    let _turn = TURN.lock();
    let folder = tempfile::tempdir().unwrap();
    let thin = |name: &str, width, height| {
        let path = folder.path().join(name);
        image::GrayImage::new(width, height).save(&path).unwrap();
        path
    };
    let photo = Path::new("tests/images/photos/cat.jpg").to_path_buf();
    let paths = [
        photo,
        thin("wide.png", 200_000, 3),
        thin("high.png", 3, 200_000),
    ];
    let budget = Budget::default();
    let mut transformed = 0;
    for path in paths {
        for &crop_mode in CropMode::value_variants() {
            for &interpolation in Interpolation::value_variants() {
                let preprocessing = Preprocessing {
                    crop_mode,
                    interpolation,
                    ..timm([224, 160])
                };
                let request = Request::new(&preprocessing);
                let work = || {
                    let file = ImageFile::read(&path, &request, &budget)?;
                    let share = file.memory();
                    file.decode(&request)?
                        .transform(&preprocessing)
                        .map(|_| share)
                };
                let (share, most) = most_bytes(work);
                let Ok(share) = share else { continue };
                transformed += 1;
                assert!(
                    most <= share + FIXED,
                    "{} {crop_mode:?} {interpolation:?}: {most} bytes, {share} said",
                    path.display()
                );
            }
        }
    }
    assert!(transformed >= 30, "{transformed} images");
}
