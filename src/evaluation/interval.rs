//! How far a share that was counted may be from the true one.

use serde::Serialize;

/// A part of a whole, and where the true share lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many were counted.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The one over the other, from 0 to 1; nothing of nothing.
    pub share: Option<f64>,
    /// Between which two shares the true one lies, with a confidence of 95 %.
    pub interval: Option<[f64; 2]>,
}

/// The quantile of the normal distribution for a confidence of 95 % on both sides: 1.95996….
pub(super) const Z: f64 = 1.959_963_984_540_054;

impl Share {
    /// `count` of `of`, with the score interval of Wilson (*Probable inference, the law of
    /// succession, and statistical inference*, Journal of the American Statistical Association 22,
    /// 1927), which unlike the normal approximation stays between 0 and 1 and is no point where
    /// all are right.
    ///
    /// ```
    /// use senet::evaluation::Share;
    ///
    /// let share = Share::new(9, 10);
    /// assert_eq!(share.share, Some(0.9));
    /// let [low, high] = share.interval.unwrap();
    /// assert!(0.59 < low && high < 0.99);
    /// ```
    #[must_use]
    pub fn new(count: u64, of: u64) -> Self {
        let share = (of > 0).then(|| count as f64 / of as f64);
        Self {
            count,
            of,
            share,
            interval: share.map(|share| wilson(share, of as f64)),
        }
    }
}

fn wilson(share: f64, of: f64) -> [f64; 2] {
    let square = Z * Z / of;
    let center = (share + square / 2.) / (1. + square);
    let spread = (share * (1. - share) / of + square / (4. * of)).sqrt();
    let half = Z * spread / (1. + square);
    [(center - half).max(0.), (center + half).min(1.)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    /// Written by `SciPy` 1.17.1:
    ///
    /// ```python
    /// from scipy.stats import binomtest
    /// for count, of in [(0, 10), (9, 10), (10, 10), (442, 500), (8680, 10000)]:
    ///     print((count, of), *binomtest(count, of).proportion_ci(0.95, method="wilson"))
    /// ```
    #[test]
    fn the_interval_is_wilsons() {
        for (count, of, low, high) in WILSON {
            let [found_low, found_high] = Share::new(count, of).interval.unwrap();
            // Rounding of a dozen operations on numbers of at most 1.
            assert!(
                (found_low - low).abs() < 1e-14,
                "{count} of {of}: {found_low}"
            );
            assert!(
                (found_high - high).abs() < 1e-14,
                "{count} of {of}: {found_high}"
            );
        }
    }

    const WILSON: [(u64, u64, f64, f64); 5] = [
        (0, 10, 0.0, 0.277_532_799_862_889_26),
        (9, 10, 0.595_849_973_204_761_5, 0.982_123_786_904_927_1),
        (10, 10, 0.722_467_200_137_111, 1.0),
        (442, 500, 0.852_958_163_036_565_8, 0.909_186_343_488_962_1),
        (
            8680,
            10000,
            0.861_224_160_264_394_4,
            0.874_493_216_934_787_7,
        ),
    ];

    #[test]
    fn of_nothing_there_is_no_share() {
        let share = Share::new(0, 0);
        assert_eq!((share.share, share.interval), (None, None));
    }
}
