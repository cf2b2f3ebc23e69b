//! Samples of every kind and width become the colours that Pillow makes of them.

use super::*;

#[test]
fn gray_of_few_bits_covers_black_to_white() {
    for bits in [1, 2, 4, 8] {
        let white = (1 << bits) - 1;
        let sample = |x: u32, y: u32| (x + 3 * y) % (white + 1);
        let share = |sample: u32| [channel(sample * 255 / white); 3];
        let strip = packed(bits, sample);
        assert_pixels(&Tiff::new(BLACK_IS_ZERO, 1, bits, strip.clone()), |x, y| {
            share(sample(x, y))
        });
        assert_pixels(&Tiff::new(WHITE_IS_ZERO, 1, bits, strip), |x, y| {
            share(white - sample(x, y))
        });
    }
}

#[test]
fn rows_of_bits_begin_at_a_byte() {
    let bit = |x: u32, y: u32| (x + y).is_multiple_of(2);
    let (width, height) = (11, 3);
    let row = |y: u32| {
        let bits: String = (0..width)
            .map(|x| if bit(x, y) { '1' } else { '0' })
            .collect();
        bits_of(&bits)
    };
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 1, (0..height).flat_map(row).collect())
        .tag(256, &[width])
        .tag(257, &[height]);
    let found = decode_as(&tiff, &plain());
    for (x, y, pixel) in found.enumerate_pixels() {
        assert_eq!(pixel.0, [if bit(x, y) { 255 } else { 0 }; 3]);
    }
}

#[test]
fn gray_of_many_bits_is_scaled_or_saturates_as_in_pillow() {
    for big_endian in [false, true] {
        for (bits, white) in [(12, 4095), (16, 65535)] {
            let sample = |x: u32, y: u32| (x + WIDTH * y).pow(2) * white / 47_u32.pow(2);
            let mut tiff = Tiff::new(BLACK_IS_ZERO, 1, bits, Vec::new());
            tiff.big_endian = big_endian;
            let strip = if bits == 16 {
                let samples = places().map(|(x, y)| sample(x, y));
                samples
                    .flat_map(|sample| tiff.number(sample.into(), 2))
                    .collect()
            } else {
                // Whatever the byte order, the highest bit first.
                packed(bits, sample)
            };
            let tiff = tiff.chunks(vec![strip]);
            // Rounded to the nearest.
            let scaled = |sample: u32| [channel((2 * 255 * sample + white) / (2 * white)); 3];
            let saturated = |sample: u32| [channel(sample.min(255)); 3];
            assert_as(&tiff, &plain(), |x, y| scaled(sample(x, y)));
            assert_as(&tiff, &timm(), |x, y| saturated(sample(x, y)));
            // Pillow does not turn these around; scaling them does.
            let tiff = tiff.tag(PHOTOMETRIC, &[WHITE_IS_ZERO]);
            assert_as(&tiff, &plain(), |x, y| scaled(white - sample(x, y)));
            assert_as(&tiff, &timm(), |x, y| saturated(sample(x, y)));
        }
    }
}

#[test]
fn palettes_of_every_size_are_looked_up() {
    for bits in [1, 2, 4, 8] {
        let number = |x: u32, y: u32| (x + WIDTH * y) % (1 << bits);
        // All reds come first; Pillow takes the upper byte of each.
        let colour = |number: u32| [number, 255 - number, number * 37 % 256];
        let map: Vec<u32> = (0..3)
            .flat_map(|channel| {
                (0..1 << bits).map(move |number| 256 * colour(number)[channel] + 99)
            })
            .collect();
        let tiff = Tiff::new(PALETTE, 1, bits, packed(bits, number)).tag(COLOUR_MAP, &map);
        assert_pixels(&tiff, |x, y| colour(number(x, y)).map(channel));
    }
}

#[test]
fn a_palette_with_opacity_is_composed_over_white() {
    let strip = places().flat_map(|(x, y)| [channel(x % 2), channel(40 * y)]);
    let map = [256 * 200, 0, 256 * 100, 256 * 50, 0, 256 * 255];
    let mut map: Vec<u32> = map.to_vec();
    for place in [2, 258, 514] {
        map.splice(place..place, [0; 254]);
    }
    let tiff = Tiff::new(PALETTE, 2, 8, strip.collect())
        .tag(COLOUR_MAP, &map)
        .tag(EXTRA_SAMPLES, &[SEPARATE]);
    let colour = |x: u32| {
        if x.is_multiple_of(2) {
            [200, 100, 0]
        } else {
            [0, 50, 255]
        }
    };
    assert_as(&tiff, &timm(), |x, _| colour(x).map(channel));
    assert_as(&tiff, &plain(), |x, y| {
        colour(x).map(|sample| over_white(sample, 40 * y))
    });
}

/// Composed over white and rounded.
fn over_white(sample: u32, opacity: u32) -> u8 {
    channel((2 * (sample * opacity + 255 * (255 - opacity)) + 255) / 510)
}

/// The pattern, each pixel with a further sample.
fn with_extra(samples: impl Fn(u32, u32) -> [u32; 4]) -> Tiff {
    let pixels = places().flat_map(|(x, y)| samples(x, y)).map(channel);
    Tiff::new(RGB, 4, 8, pixels.collect())
}

#[test]
fn opacity_is_dropped_or_composed_over_white_once() {
    let opacity = |x: u32| 36 * x;
    let separate = with_extra(|x, y| {
        let [red, green, blue] = pattern(x, y).map(u32::from);
        [red, green, blue, opacity(x)]
    });
    // Without the tag a fourth sample is opacity, too; 999 is Corel Draw's.
    for tiff in [
        separate.clone(),
        separate.clone().tag(EXTRA_SAMPLES, &[SEPARATE]),
        separate.tag(EXTRA_SAMPLES, &[999]),
    ] {
        assert_as(&tiff, &timm(), pattern);
        assert_as(&tiff, &plain(), |x, y| {
            pattern(x, y).map(|sample| over_white(sample.into(), opacity(x)))
        });
    }
}

#[test]
fn colours_that_were_multiplied_with_their_opacity_are_divided_by_it() {
    let opacity = |x: u32| 36 * x;
    // Where nothing is to be seen there should be 0, and is more in some files.
    let multiplied = |x: u32, y: u32| match opacity(x) {
        0 => [7; 3],
        opacity => pattern(x, y).map(|sample| u32::from(sample) * opacity / 255),
    };
    let tiff = with_extra(|x, y| {
        let [red, green, blue] = multiplied(x, y);
        [red, green, blue, opacity(x)]
    })
    .tag(EXTRA_SAMPLES, &[MULTIPLIED]);
    assert_as(&tiff, &timm(), |x, y| {
        // What is not to be seen at all is black.
        let divided = |sample: u32| (255 * sample).checked_div(opacity(x)).unwrap_or(0);
        multiplied(x, y).map(|sample| channel(divided(sample)))
    });
    assert_as(&tiff, &plain(), |x, y| {
        multiplied(x, y).map(|sample| channel((sample + 255 - opacity(x)).min(255)))
    });
}

#[test]
fn a_further_sample_of_no_stated_use_is_no_opacity() {
    let tiff = with_extra(|x, y| {
        let [red, green, blue] = pattern(x, y).map(u32::from);
        [red, green, blue, 0]
    });
    assert_pixels(&tiff.tag(EXTRA_SAMPLES, &[UNSPECIFIED]), pattern);
}

#[test]
fn gray_has_opacity_too() {
    let strip = places().flat_map(|(x, y)| [channel(5 * (x + WIDTH * y)), channel(36 * x)]);
    let tiff = Tiff::new(BLACK_IS_ZERO, 2, 8, strip.collect()).tag(EXTRA_SAMPLES, &[SEPARATE]);
    assert_as(&tiff, &timm(), |x, y| [channel(5 * (x + WIDTH * y)); 3]);
    assert_as(&tiff, &plain(), |x, y| {
        [over_white(5 * (x + WIDTH * y), 36 * x); 3]
    });
}

#[test]
fn inks_take_from_white_as_in_pillow() {
    let inks = |x: u32, y: u32| [30 * x, 40 * y, 255 - 20 * x, 25 * y + x];
    // What is left of the light that black leaves, by the nearest share of 255.
    let colour = |x: u32, y: u32| {
        let [cyan, magenta, yellow, black] = inks(x, y);
        let light = 255 - black;
        [cyan, magenta, yellow].map(|ink| channel(light - (2 * ink * light + 255) / 510))
    };
    let samples = || places().flat_map(|(x, y)| inks(x, y));
    let tiff = Tiff::new(CMYK, 4, 8, samples().map(channel).collect());
    assert_pixels(&tiff, colour);
    let wide = |tiff: &Tiff| {
        samples()
            .flat_map(|ink| tiff.number((257 * ink).into(), 2))
            .collect()
    };
    let tiff = Tiff::new(CMYK, 4, 16, wide(&tiff));
    assert_pixels(&tiff, colour);
}

#[test]
fn planes_of_sixteen_bits_are_put_together() {
    // Pillow itself takes the bytes of uncompressed ones for samples.
    let plane = |channel: usize| {
        let samples = places().map(|(x, y)| pattern(x, y)[channel]);
        samples.flat_map(|sample| [sample; 2]).collect()
    };
    let tiff = Tiff::rgb()
        .chunks([0, 1, 2].map(plane).to_vec())
        .tag(BITS, &[16, 16, 16])
        .tag(PLANAR, &[2]);
    assert_pixels(&tiff, pattern);
    assert_pixels(&tiff.compressed(8, deflated), pattern);
}
