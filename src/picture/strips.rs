//! The gates of blocks as strips.

use image::{Rgb, RgbImage};

use super::{WHITE, colour};

/// Rows of a strip, and between two of them.
const HEIGHT: u32 = 12;
const BETWEEN: u32 = 2;

/// A strip for each list of gates, the first at the top, of so many pixels: a gate of 0 is dark, one of
/// 1 light. Channels go from left to right; where there are more than pixels, some are left out.
#[must_use]
pub fn strips(gates: &[&[f32]], width: u32) -> RgbImage {
    let count = u32::try_from(gates.len()).unwrap_or(u32::MAX / (HEIGHT + BETWEEN));
    let height = (count * (HEIGHT + BETWEEN)).saturating_sub(BETWEEN).max(1);
    let mut picture = RgbImage::from_pixel(width.max(1), height, WHITE);
    for (top, gates) in (0..height).step_by((HEIGHT + BETWEEN) as usize).zip(gates) {
        for x in 0..width {
            let channel = u64::from(x) * gates.len() as u64 / u64::from(width);
            let gate = usize::try_from(channel)
                .ok()
                .and_then(|channel| gates.get(channel));
            let Some(&gate) = gate else { continue };
            let pixel = Rgb(colour(f64::from(gate)));
            for y in top..top + HEIGHT {
                picture.put_pixel(x, y, pixel);
            }
        }
    }
    picture
}

/// Gates as a row of pixels, one each: a gate of 0 is dark, one of 1 light.
#[must_use]
pub fn row(gates: &[f32]) -> RgbImage {
    let width = u32::try_from(gates.len()).unwrap_or(u32::MAX);
    RgbImage::from_fn(width, 1, |x, _| {
        let gate = gates.get(x as usize).copied().unwrap_or_default();
        Rgb(colour(f64::from(gate)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_pixel_for_each_gate() {
        let picture = row(&[0., 0.5, 1.]);
        assert_eq!(picture.dimensions(), (3, 1));
        assert_eq!(
            [0, 1, 2].map(|x| picture.get_pixel(x, 0).0),
            [0., 0.5, 1.].map(colour)
        );
    }

    #[test]
    fn a_strip_has_the_colours_of_its_gates_from_left_to_right() {
        let picture = strips(&[&[0., 1.], &[0.5]], 10);
        assert_eq!(picture.dimensions(), (10, 2 * HEIGHT + BETWEEN));
        assert_eq!(picture.get_pixel(0, 0).0, colour(0.));
        assert_eq!(picture.get_pixel(4, HEIGHT - 1).0, colour(0.));
        assert_eq!(picture.get_pixel(5, 0).0, colour(1.));
        assert_eq!(*picture.get_pixel(5, HEIGHT), WHITE);
        assert_eq!(picture.get_pixel(9, HEIGHT + BETWEEN).0, colour(0.5));
    }
}
