//! A heat map over the photograph that it is of.

use image::{Rgb, RgbImage, imageops};

use super::colour;
use crate::explain::HeatMap;
use crate::image::Seen;

/// The longest side of the picture; photographs of more are made smaller.
const MOST: u32 = 1024;

/// How much of the picture is the map's colour; the rest is the photograph in grey.
const OPACITY: f64 = 0.55;

/// How light the part is that the network did not see.
const UNSEEN: f64 = 0.35;

/// `map` over `photo`, in its place: the least of its values is dark, the largest light, and between its
/// places it is interpolated. What was cropped away is dimmed and has no colour.
#[must_use]
pub fn heat(photo: &RgbImage, seen: &Seen, map: &HeatMap) -> RgbImage {
    let longest = photo.width().max(photo.height());
    let scaled = |side: u32| {
        let scaled = u64::from(side) * u64::from(MOST) / u64::from(longest.max(1));
        u32::try_from(scaled).unwrap_or(MOST).max(1)
    };
    let small = if longest > MOST {
        &imageops::thumbnail(photo, scaled(photo.width()), scaled(photo.height()))
    } else {
        photo
    };
    let finite = || map.values.iter().copied().filter(|value| value.is_finite());
    let least = f64::from(finite().fold(f32::INFINITY, f32::min));
    let most = f64::from(finite().fold(f32::NEG_INFINITY, f32::max));
    let range = most - least;
    let [height, width] = seen.found().map(f64::from);
    RgbImage::from_fn(small.width(), small.height(), |x, y| {
        let grey = luma(*small.get_pixel(x, y));
        let point = [
            (f64::from(y) + 0.5) / f64::from(small.height()) * height,
            (f64::from(x) + 0.5) / f64::from(small.width()) * width,
        ];
        Rgb(match seen.place(point) {
            None => [rounded(UNSEEN * grey); 3],
            Some(place) => {
                let share = (interpolated(map, place) - least) / range;
                colour(share)
                    .map(|channel| rounded(OPACITY * f64::from(channel) + (1. - OPACITY) * grey))
            }
        })
    })
}

/// The map's value at a place, each from 0 to 1 down and across: between the middles of its places in
/// proportion, beyond the outermost middles as there.
fn interpolated(map: &HeatMap, place: [f64; 2]) -> f64 {
    let sides = [0, 1].map(|axis| {
        let last = map.size[axis].saturating_sub(1);
        let at = (place[axis] * map.size[axis] as f64 - 0.5).clamp(0., last as f64);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the map's size"
        )]
        let before = at.floor() as usize;
        (before, (before + 1).min(last), at - before as f64)
    });
    let [(top, bottom, down), (left, right, across)] = sides;
    let value = |row: usize, column: usize| {
        let value = map.values.get(row * map.size[1] + column);
        value.copied().map_or(0., f64::from)
    };
    let in_row = |row: usize| value(row, left) * (1. - across) + value(row, right) * across;
    in_row(top) * (1. - down) + in_row(bottom) * down
}

/// Rec. 601's, as of Pillow's mode L.
fn luma(Rgb([red, green, blue]): Rgb<u8>) -> f64 {
    0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 255"
)]
fn rounded(value: f64) -> u8 {
    value.round() as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::explain::Method;
    use crate::image::Preset;

    fn map(size: [usize; 2], values: &[f32]) -> HeatMap {
        HeatMap {
            method: Method::ClassActivation,
            size,
            values: values.to_vec(),
            bias: None,
        }
    }

    #[test]
    fn the_middles_of_places_have_their_values_and_those_between_are_in_proportion() {
        let map = map([1, 2], &[2., 6.]);
        for (across, expected) in [
            (0., 2.),
            (0.25, 2.),
            (0.5, 4.),
            (0.625, 5.),
            (0.75, 6.),
            (1., 6.),
        ] {
            let found = interpolated(&map, [0.3, across]);
            assert!((found - expected).abs() < 1e-12, "{across}: {found}");
        }
    }

    #[test]
    fn what_was_cropped_away_is_grey_and_the_hottest_place_is_where_it_is_in_the_photograph() {
        // 100 x 200 pixels, of which the middle 100 x 100 are seen.
        let photo = RgbImage::from_pixel(200, 100, Rgb([128; 3]));
        let preprocessing = crate::image::Preprocessing {
            crop_pct: 1.,
            ..Preset::Timm.preprocessing([100, 100])
        };
        let seen = Seen::new([100, 200], &preprocessing).unwrap();
        // The lower right quarter of what is seen.
        let picture = heat(&photo, &seen, &map([2, 2], &[0., 0., 0., 1.]));
        let is_grey = |x, y| {
            let Rgb([red, green, blue]) = *picture.get_pixel(x, y);
            red == green && green == blue
        };
        assert!(is_grey(10, 50) && is_grey(190, 50) && !is_grey(60, 50));
        let lightest = picture
            .enumerate_pixels()
            .max_by_key(|(.., pixel)| pixel.0[1]);
        let (x, y, _) = lightest.unwrap();
        assert!((125..150).contains(&x) && y >= 75, "{x} {y}");
    }

    #[test]
    fn a_large_photograph_becomes_a_picture_of_a_thousand_pixels_and_an_even_map_one_colour() {
        let photo = RgbImage::new(3000, 1500);
        let seen = Seen::new([1500, 3000], &Preset::Timm.preprocessing([32, 32])).unwrap();
        let picture = heat(&photo, &seen, &map([1, 1], &[3.]));
        assert_eq!(picture.dimensions(), (1024, 512));
    }
}
