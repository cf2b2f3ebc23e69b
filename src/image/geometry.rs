//! Sizes and places: what an image is resized to and which part of that a network sees.
//!
//! Rounding is that of timm and torchvision, in their order of operations.

use std::ops::Range;

use super::{CropMode, Preprocessing};
use crate::error::{Error, Result};

/// The longest side that a resize may lead to, as in Pillow.
const MAX_RESIZED: f64 = 2_147_483_647.0;

/// What becomes of one side of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Side {
    /// The length of the side as found.
    pub(super) found: u32,
    /// The length of the side once resized.
    pub(super) resized: u32,
    /// The part of the resized side that the crop keeps.
    pub(super) kept: Range<u32>,
    /// The length of the border before that part.
    pub(super) border: u32,
    /// The length of the result; a border fills what is left after the kept part.
    pub(super) result: u32,
}

impl Side {
    /// The centre, a half rounded to the even number; or, where there is less, all in its middle.
    fn new(found: u32, resized: u32, result: u32) -> Self {
        let excess = resized.saturating_sub(result);
        let half = excess / 2;
        let start = half + (excess % 2) * (half % 2);
        Self {
            found,
            resized,
            kept: start..start + resized.min(result),
            border: result.saturating_sub(resized) / 2,
            result,
        }
    }
}

/// What becomes of the height and width of an image that has `found` of each.
///
/// # Errors
///
/// An image without pixels, or so long and thin that a side would vanish or have no end.
pub(super) fn sides(found: [u32; 2], preprocessing: &Preprocessing) -> Result<[Side; 2]> {
    if found.contains(&0) {
        return Err(Error::Image("an image without pixels".to_owned()));
    }
    let resized = resized(found.map(f64::from), preprocessing);
    let side = |axis: usize| {
        let result = u32::try_from(preprocessing.size[axis]).ok();
        result
            .zip(whole(resized[axis]))
            .map(|(result, resized)| Side::new(found[axis], resized, result))
            .ok_or_else(|| {
                let problem = if resized[axis] < 1.0 {
                    "no pixel".to_owned()
                } else {
                    format!("more than {MAX_RESIZED} pixels")
                };
                Error::Image(format!(
                    "cannot resize {}x{} pixels (height x width): a side would have {problem}",
                    found[0], found[1]
                ))
            })
    };
    Ok([side(0)?, side(1)?])
}

/// Height and width after the resize.
#[expect(clippy::float_cmp, reason = "targets are whole numbers")]
fn resized(found: [f64; 2], preprocessing: &Preprocessing) -> [f64; 2] {
    let [height, width] = found;
    let target = preprocessing
        .size
        .map(|side| (side as f64 / preprocessing.crop_pct).floor());
    // timm's ResizeKeepRatio.
    let ratios = [height / target[0], width / target[1]];
    let divided = |ratio: f64| found.map(|side| (side / ratio).round_ties_even());
    match preprocessing.crop_mode {
        CropMode::Squash => target,
        CropMode::Border => divided(ratios[0].max(ratios[1])),
        // torchvision's Resize of the shorter side, which truncates the longer one.
        CropMode::Center if target[0] == target[1] => {
            let shorter = height.min(width);
            found.map(|side| (target[0] * side / shorter).floor())
        }
        CropMode::Center => divided(ratios[0].min(ratios[1])),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number from 1 to 2^31"
)]
fn whole(side: f64) -> Option<u32> {
    (1.0..=MAX_RESIZED).contains(&side).then_some(side as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crop_starts_where_python_rounds_to() {
        // [round(rest / 2) for rest in range(9)]
        let starts: Vec<u32> = (0..9)
            .map(|rest| Side::new(1, 100 + rest, 100).kept.start)
            .collect();
        assert_eq!(starts, [0, 0, 1, 2, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn an_odd_border_is_longer_at_its_end() {
        let side = Side::new(1, 5, 10);
        assert_eq!((side.border, side.kept, side.result), (2, 0..5, 10));
    }
}
