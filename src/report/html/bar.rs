//! A share as a bar beside its number.

use super::escaped;
use crate::classifier::Class;

/// A bar of which `share`, from 0 to 1, is filled; none of it where that is no number. The number
/// stands beside it: readers of a screen are told that alone.
pub(in crate::report) fn bar(share: f64) -> String {
    let share = if share.is_nan() { 0. } else { share };
    let width = 100. * share.clamp(0., 1.);
    format!(
        "<svg class=\"bar\" aria-hidden=\"true\"><rect width=\"{width:.1}%\" height=\"100%\"/></svg>"
    )
}

/// A class with its probability, and that as a bar.
pub(in crate::report) fn class(class: &Class) -> String {
    let probability = f64::from(class.probability);
    format!(
        "<div class=\"class\"><b>{:.1} %</b> {}{}</div>",
        probability * 100.,
        escaped(&class.label),
        bar(probability)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_longer_than_its_place() {
        for (share, width) in [
            (0., "0.0"),
            (0.374, "37.4"),
            (1., "100.0"),
            (7., "100.0"),
            (-1., "0.0"),
            (f64::INFINITY, "100.0"),
            (f64::NAN, "0.0"),
        ] {
            let expected = format!("width=\"{width}%\"");
            assert!(bar(share).contains(&expected), "{share}");
        }
    }
}
