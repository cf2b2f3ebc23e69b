//! What an image's header says of the memory that it takes is never too little: the budget that
//! images share, and with it the whole program, stands on that.
//!
//! A test program of its own, since it counts every byte that it allocates.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{DynamicImage, ImageFormat};
use senet::image::{
    Budget, ChannelOrder, CropMode, ImageFile, Interpolation, Orientation, Preprocessing, Preset,
    Request, header,
};

const ORDERS: [ChannelOrder; 3] = [ChannelOrder::Rgb, ChannelOrder::Gray, ChannelOrder::Rgba];

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
    let mut decoded = 0;
    for (path, bytes) in images() {
        let Ok(header) = header(&bytes) else { continue };
        for channel_order in ORDERS {
            for orientation in [Orientation::Ignore, Orientation::Apply] {
                let preprocessing = Preprocessing {
                    channel_order,
                    orientation,
                    ..timm([224, 224])
                };
                let request = Request::new(&preprocessing);
                let said = header.memory_for(channel_order);
                let (found, most) = most_bytes(|| senet::image::decode_bytes(&bytes, &request));
                decoded += usize::from(found.is_ok());
                assert!(
                    most <= said + FIXED,
                    "{} {channel_order:?}: {most} bytes, {said} said",
                    path.display(),
                );
            }
        }
    }
    assert!(decoded >= 6 * 40, "{decoded} images");
}

/// Bits, the lowest of a byte first.
#[derive(Clone, Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).map(|bit| value >> bit & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            let bits = bits.iter().enumerate();
            bits.fold(0, |byte, (place, &bit)| byte | u8::from(bit) << place)
        };
        self.0.chunks(8).map(byte).collect()
    }
}

/// A lossless WebP of 16x16 pixels that names so many groups of codes, each of five tables as
/// large as a table can be, from few bytes. RFC 9649, section 3.
fn webp_of_many_codes(groups: u32) -> Vec<u8> {
    /// The order in which lengths of the codes of lengths are stored.
    const ORDER: [u32; 14] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10];
    // Of lengths 1 to 6 the code has 3 bits, of 7 to 10 it has 4: canonical codes, highest bit
    // first.
    let length_code = |length: u32| match length {
        1..=6 => (length - 1, 3),
        _ => (5 + length, 4),
    };
    let mut table = Bits::default();
    table.put(0, 1);
    table.put(14 - 4, 4);
    for symbol in ORDER {
        table.put(
            if (1..=10).contains(&symbol) {
                length_code(symbol).1
            } else {
                0
            },
            3,
        );
    }
    // Eleven symbols have codes, up to the 10 bits that a table is looked up by.
    table.put(1, 1);
    table.put(1, 3);
    table.put(11 - 2, 4);
    for length in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10] {
        let (code, bits) = length_code(length);
        table.put(code.reverse_bits() >> (32 - bits), bits);
    }
    let single = |bits: &mut Bits, symbol: u32| {
        bits.put(0b101, 3);
        bits.put(symbol, 8);
    };
    let mut bits = Bits::default();
    bits.put(0x2f, 8);
    bits.put(15, 14);
    bits.put(15, 14);
    // No alpha, version 0, no transform, no colour cache, groups for blocks of 16 pixels.
    bits.put(0, 1 + 3 + 1 + 1);
    bits.put(1, 1);
    bits.put(2, 3);
    // The image of groups: no colour cache, every pixel the last group.
    bits.put(0, 1);
    let last = groups - 1;
    for symbol in [last & 255, last >> 8, 0, 0, 0] {
        single(&mut bits, symbol);
    }
    for _ in 0..5 * groups {
        bits.0.extend(&table.0);
    }
    bits.put(0, 24);
    let mut data = bits.bytes();
    data.extend(vec![0; 250 + data.len() % 2]);
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
    [
        &b"RIFF"[..],
        &length(data.len() + 12),
        b"WEBPVP8L",
        &length(data.len()),
        &data,
    ]
    .concat()
}

#[test]
fn tables_of_codes_take_no_more_than_their_bytes_allow() {
    let _turn = TURN.lock();
    let preprocessing = timm([224, 224]);
    let request = Request::new(&preprocessing);
    for groups in [16, 256, 4096] {
        let webp = webp_of_many_codes(groups);
        let said = header(&webp).unwrap().memory;
        let (found, most) = most_bytes(|| senet::image::decode_bytes(&webp, &request));
        assert!(found.is_ok(), "{found:?}");
        // That the file does what it is made for.
        assert!(
            most > 5 * 4096 * u64::from(groups),
            "{groups}: {most} bytes"
        );
        assert!(most <= said + FIXED, "{groups}: {most} bytes, {said} said");
    }
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
        for crop_mode in CropMode::ALL {
            for (interpolation, channel_order) in Interpolation::ALL
                .into_iter()
                .zip(ORDERS.into_iter().cycle())
            {
                let preprocessing = Preprocessing {
                    crop_mode,
                    interpolation,
                    channel_order,
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
