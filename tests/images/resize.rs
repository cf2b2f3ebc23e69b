//! Resize and crop are those of Pillow, torchvision and timm, bit for bit.

use std::path::Path;

use image::{RgbImage, RgbaImage};
use senet::image::{
    ChannelOrder, CropMode,
    Interpolation::{self, Bicubic, Bilinear, Box, Hamming, Lanczos, Nearest},
    Preprocessing, Raster, SixteenBit, load, resize_and_crop,
};

use super::{GREEN, RED, channel, decode, folder, odd, plain};

/// What becomes of `scene.png`, compared with what Pillow made of it.
fn assert_as_pillow(expected: &str, preprocessing: &Preprocessing) {
    let expected = decode(&folder("expected").join(expected), preprocessing).unwrap();
    let scene = decode(&odd("scene.png"), preprocessing).unwrap();
    let found = resize_and_crop(&scene.into(), preprocessing).unwrap();
    let found = found.into_rgb();
    assert_eq!(found.dimensions(), expected.dimensions());
    for ((x, y, found), expected) in found.enumerate_pixels().zip(expected.pixels()) {
        assert_eq!(found, expected, "{preprocessing:?}: column {x}, row {y}");
    }
}

#[test]
fn every_filter_and_crop_is_that_of_pillow_and_timm() {
    let way = |crop_mode, size, crop_pct, interpolation: Interpolation| Preprocessing {
        size,
        crop_pct,
        crop_mode,
        interpolation,
        // As double and single precision a different colour of borders: 76 and 77.
        mean: [0.485, 0.5, 0.3].into(),
        ..plain()
    };
    let center = |size, crop_pct, filter| way(CropMode::Center, size, crop_pct, filter);
    let squash = |size, crop_pct, filter| way(CropMode::Squash, size, crop_pct, filter);
    let border = |size, crop_pct, filter| way(CropMode::Border, size, crop_pct, filter);
    for (expected, preprocessing) in [
        ("center_16_bilinear.png", center([16, 16], 1.0, Bilinear)),
        ("center_16_bicubic.png", center([16, 16], 0.875, Bicubic)),
        ("center_80_bilinear.png", center([80, 80], 0.95, Bilinear)),
        ("center_20x33_lanczos.png", center([20, 33], 0.9, Lanczos)),
        ("squash_12x20_bilinear.png", squash([12, 20], 0.8, Bilinear)),
        ("squash_50x45_bicubic.png", squash([50, 45], 0.9, Bicubic)),
        ("squash_10x50_hamming.png", squash([10, 50], 1.0, Hamming)),
        ("squash_24x40_nearest.png", squash([24, 40], 1.0, Nearest)),
        ("border_24x24_box.png", border([24, 24], 1.0, Box)),
        ("border_31x20_bicubic.png", border([31, 20], 0.9, Bicubic)),
    ] {
        assert_as_pillow(expected, &preprocessing);
    }
}

/// Conversion before the resize, and colours multiplied with their opacity on the way.
#[test]
fn gray_and_opacity_are_those_of_pillow() {
    let way = |channel_order, size, crop_mode, crop_pct, interpolation| Preprocessing {
        channel_order,
        size,
        crop_mode,
        crop_pct,
        interpolation,
        sixteen_bit: SixteenBit::Saturate,
        ..plain()
    };
    let opacity = |filter| way(ChannelOrder::Rgba, [5, 3], CropMode::Squash, 1.0, filter);
    let gray = way(
        ChannelOrder::Gray,
        [16, 16],
        CropMode::Center,
        0.875,
        Bicubic,
    );
    for (image, expected, preprocessing) in [
        ("scene.png", "gray_16_bicubic.png", gray),
        ("rgba.png", "opacity_rgba_5x3.png", opacity(Bicubic)),
        (
            "gray_alpha.png",
            "opacity_gray_alpha_5x3.png",
            opacity(Lanczos),
        ),
        (
            "palette_transparent.png",
            "opacity_palette_transparent_5x3.png",
            opacity(Bilinear),
        ),
        ("rgba16.png", "opacity_rgba16_5x3.png", opacity(Nearest)),
        ("gray16.png", "opacity_gray16_5x3.png", opacity(Box)),
    ] {
        let of = |path: &Path| senet::image::decode(path, &preprocessing).unwrap();
        let found = resize_and_crop(&of(&odd(image)), &preprocessing).unwrap();
        assert_eq!(found.channels(), preprocessing.channel_order.channels());
        assert_eq!(found, of(&folder("expected").join(expected)), "{image}");
    }
}

#[test]
fn an_image_of_other_channels_than_are_asked_for_is_an_error() {
    let gray = Preprocessing {
        channel_order: ChannelOrder::Gray,
        ..plain()
    };
    let error = resize_and_crop(&RgbImage::new(4, 4).into(), &gray).unwrap_err();
    assert_eq!(
        error.to_string(),
        "has 3 channels; the preprocessing is for 1"
    );
}

#[test]
fn an_image_of_the_right_size_is_left_alone() {
    let image = RgbaImage::from_fn(32, 32, |x, y| {
        image::Rgba([channel(x * 8), channel(y * 8), 7, channel(4 * x + 3 * y)])
    });
    let image = Raster::Rgba(image);
    for order in [ChannelOrder::Rgba, ChannelOrder::Rgb, ChannelOrder::Gray] {
        let image = image.clone().converted(order);
        for interpolation in Interpolation::ALL {
            let preprocessing = Preprocessing {
                interpolation,
                channel_order: order,
                ..plain()
            };
            assert_eq!(resize_and_crop(&image, &preprocessing).unwrap(), image);
        }
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
fn a_line_of_any_length_costs_what_the_crop_keeps() {
    // The whole would be 224x13440000 pixels.
    let imagenet = Preprocessing {
        size: [224, 224],
        ..plain()
    };
    let values = load(&odd("1x60000.png"), &imagenet).unwrap();
    assert_eq!(values, vec![0.0; 3 * 224 * 224]);
}

#[test]
fn a_resize_beyond_all_measure_is_refused() {
    let minute = |crop_mode| Preprocessing {
        crop_pct: 1e-300,
        crop_mode,
        ..plain()
    };
    for crop_mode in CropMode::ALL {
        let error = load(&odd("pattern.png"), &minute(crop_mode)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot resize 6x8 pixels (height x width): a side would have more than 2147483647 \
             pixels"
        );
    }
    let image = RgbImage::new(8193, 8193);
    let large = Preprocessing {
        size: [8192, 8192],
        crop_mode: CropMode::Squash,
        ..plain()
    };
    assert_eq!(
        resize_and_crop(&image.into(), &large)
            .map(|image| image.dimensions())
            .unwrap_err()
            .to_string(),
        "image too large to resize: 8193x8192 pixels (height x width) between the passes; \
         expected at most 67108864"
    );
}

#[test]
fn a_side_that_vanishes_between_borders_is_an_error_as_in_timm() {
    let border = Preprocessing {
        crop_mode: CropMode::Border,
        ..plain()
    };
    let error = load(&odd("1x300.png"), &border).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot resize 1x300 pixels (height x width): a side would have no pixel"
    );
}
