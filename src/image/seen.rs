//! Where in an image a network looks.

use super::Preprocessing;
use super::geometry::{Side, sides};
use crate::error::Result;

/// Where the pixels of an image lie in what a network sees of it.
///
/// ```
/// use senet::image::{Preset, Seen};
///
/// // The shorter side becomes 256, of which the middle 224 are kept.
/// let seen = Seen::new([512, 1024], &Preset::Timm.preprocessing([224, 224]))?;
/// assert_eq!(seen.place([256., 512.]), Some([0.5, 0.5]));
/// assert_eq!(seen.place([256., 100.]), None);
/// # Ok::<(), senet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen([Side; 2]);

impl Seen {
    /// Of an image of so many rows and columns.
    ///
    /// # Errors
    ///
    /// An image that cannot be resized so.
    pub fn new(found: [u32; 2], preprocessing: &Preprocessing) -> Result<Self> {
        sides(found, preprocessing).map(Self)
    }

    /// Rows and columns of the image.
    #[must_use]
    pub fn found(&self) -> [u32; 2] {
        [0, 1].map(|axis| self.0[axis].found)
    }

    /// How far down and across the network's input a point of the image lies, from 0 to 1; nothing of
    /// a point that was cropped away. A point is in pixels from the upper left corner: the middle of
    /// the first pixel is `[0.5, 0.5]`.
    #[must_use]
    pub fn place(&self, point: [f64; 2]) -> Option<[f64; 2]> {
        let [down, across] = &self.0;
        Some([down.place(point[0])?, across.place(point[1])?])
    }
}

impl Side {
    fn place(&self, point: f64) -> Option<f64> {
        let resized = point / f64::from(self.found) * f64::from(self.resized);
        let is_kept = (f64::from(self.kept.start)..f64::from(self.kept.end)).contains(&resized);
        let kept = resized - f64::from(self.kept.start) + f64::from(self.border);
        is_kept.then(|| kept / f64::from(self.result))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use image::{Rgb, RgbImage};

    use super::*;
    use crate::image::{CropMode, Preset, resize_and_crop};

    /// A dot in the image is where it is said to be in what the network sees.
    #[test]
    fn a_point_lies_where_the_resize_and_the_crop_have_moved_it() {
        for (crop_mode, crop_pct) in [
            (CropMode::Center, 0.875),
            (CropMode::Center, 1.),
            (CropMode::Squash, 0.9),
            (CropMode::Border, 1.),
        ] {
            let preprocessing = Preprocessing {
                crop_pct,
                crop_mode,
                ..Preset::Timm.preprocessing([100, 120])
            };
            let (height, width) = (300, 500);
            for (row, column) in [(150, 250), (80, 160), (220, 330)] {
                let image = RgbImage::from_fn(width, height, |x, y| {
                    let is_dot = x.abs_diff(column) < 8 && y.abs_diff(row) < 8;
                    Rgb([if is_dot { 255 } else { 0 }; 3])
                });
                let input = resize_and_crop(&image.into(), &preprocessing).unwrap();
                let input = input.into_rgb();
                let mut sums = [0_f64; 3];
                for (x, y, pixel) in input.enumerate_pixels() {
                    // The borders have a colour of their own.
                    let weight = if pixel.0[0] > 200 { 1. } else { 0. };
                    sums[0] += weight;
                    sums[1] += weight * (f64::from(y) + 0.5) / f64::from(input.height());
                    sums[2] += weight * (f64::from(x) + 0.5) / f64::from(input.width());
                }
                let seen = Seen::new([height, width], &preprocessing).unwrap();
                // The dot's pixels reach from 7 before its middle one to 7 behind.
                let middle = [row, column].map(|at| f64::from(at) + 0.5);
                let [down, across] = seen.place(middle).unwrap();
                // Half a pixel of the input: where the dot's edge falls is rounded.
                let found = [sums[1] / sums[0], sums[2] / sums[0]];
                assert!(
                    (found[0] - down).abs() < 0.5 / 100.,
                    "{crop_mode:?} {found:?} {down}"
                );
                assert!(
                    (found[1] - across).abs() < 0.5 / 120.,
                    "{crop_mode:?} {found:?} {across}"
                );
            }
        }
    }

    #[test]
    fn what_was_cropped_away_has_no_place() {
        let seen = Seen::new([100, 200], &Preset::Timm.preprocessing([50, 50])).unwrap();
        assert_eq!(seen.place([50., 10.]), None);
        assert_eq!(seen.place([50., 190.]), None);
        assert!(seen.place([50., 100.]).is_some());
    }
}
