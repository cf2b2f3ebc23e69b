//! A colour for a number: from dark violet over green to yellow, lighter all the way, so that it reads
//! in grey and for those who see no red or no green.

/// Eleven colours of matplotlib's viridis, evenly spaced: `matplotlib.colormaps["viridis"](i / 10)`.
const COLOURS: [[u8; 3]; 11] = [
    [68, 1, 84],
    [72, 36, 117],
    [65, 68, 135],
    [53, 95, 141],
    [42, 120, 142],
    [33, 145, 140],
    [34, 168, 132],
    [68, 191, 112],
    [122, 209, 81],
    [189, 223, 38],
    [253, 231, 37],
];

/// The colour of `share`, from 0 to 1; what is beyond has that of the end, and no number that of 0.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares of the list, and numbers from 0 to 255"
)]
pub fn colour(share: f64) -> [u8; 3] {
    let last = COLOURS.len() - 1;
    let share = if share.is_nan() { 0. } else { share };
    let place = share.clamp(0., 1.) * last as f64;
    let before = (place.floor() as usize).min(last - 1);
    let part = place - before as f64;
    [0, 1, 2].map(|channel| {
        let [from, to] = [before, before + 1].map(|at| f64::from(COLOURS[at][channel]));
        (from + part * (to - from)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_number_is_lighter_in_grey() {
        // Rec. 709's luma.
        let grey = |share: f64| {
            let [red, green, blue] = colour(share).map(f64::from);
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        let greys: Vec<f64> = (0..=100)
            .map(|share| grey(f64::from(share) / 100.))
            .collect();
        assert!(greys.windows(2).all(|pair| pair[1] > pair[0]), "{greys:?}");
    }

    #[test]
    fn what_is_out_of_range_or_no_number_has_a_colour_too() {
        assert_eq!(colour(-1.), COLOURS[0]);
        assert_eq!(colour(f64::NAN), COLOURS[0]);
        assert_eq!(colour(f64::INFINITY), COLOURS[10]);
        assert_eq!(colour(0.5), COLOURS[5]);
    }
}
