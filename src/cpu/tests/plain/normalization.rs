//! Layer norms, group norms, softmax and what is affine in each channel.

use super::{Number, Numbers};
use crate::network::operation::Normalization;

/// Numbers times a factor of their channel and shifted by another, of those that there are.
pub(super) fn affine(xs: &Numbers, weight: Option<&[f32]>, bias: Option<&[f32]>) -> Numbers {
    xs.each(2, |channel, [value, magnitude]| {
        let of = |numbers: Option<&[f32]>, none| numbers.map_or(none, |all| all[channel].into());
        let (weight, bias): (f64, f64) = (of(weight, 1.), of(bias, 0.));
        [value * weight + bias, magnitude * weight.abs() + bias.abs()]
    })
}

/// Numbers less the mean of those that `together` says, over the root of their variance and
/// epsilon: for each image, channel, row and column, the channels and whether all pixels.
pub(super) fn normalize(xs: &Numbers, norm: &Normalization, groups: Option<usize>) -> Numbers {
    let [_, channels, height, width] = xs.shape;
    let of_group = channels / groups.unwrap_or(1);
    let together = |[image, channel, row, column]: [usize; 4]| -> Vec<Number> {
        let first = channel / of_group * of_group;
        let places = |row: usize, column: usize| {
            (first..first + of_group).map(move |channel| xs.at([image, channel, row, column]))
        };
        match groups {
            None => places(row, column).collect(),
            Some(_) => (0..height)
                .flat_map(|row| (0..width).flat_map(move |column| places(row, column)))
                .collect(),
        }
    };
    let count = of_group * groups.map_or(1, |_| height * width);
    Numbers::of(xs.shape, xs.roundings + 2 * count + 8, |place| {
        let all = together(place);
        let mean = |of: usize| all.iter().map(|number| number[of]).sum::<f64>() / count as f64;
        let [centre, magnitude] = [mean(0), mean(1)];
        let squares = all.iter().map(|number| (number[0] - centre).powi(2));
        let variance = squares.sum::<f64>() / count as f64;
        let factor = (variance + norm.epsilon).sqrt().recip();
        let largest = all.iter().fold(0_f64, |most, number| most.max(number[1]));
        let [value, own] = xs.at(place);
        let normalized = (value - centre) * factor;
        // An error of the numbers is one of their deviation, too.
        let magnitude = (own + magnitude + normalized.abs() * 2. * largest) * factor;
        [normalized, magnitude + normalized.abs()]
    })
}

/// Each number's exponential over the sum of those of its pixel.
pub(super) fn softmax(xs: &Numbers) -> Numbers {
    let channels = xs.shape[1];
    Numbers::of(
        xs.shape,
        xs.roundings + 4,
        |[image, channel, row, column]| {
            let at = |channel| xs.at([image, channel, row, column]);
            let exponentials = (0..channels).map(|channel| at(channel)[0].exp());
            let share = at(channel)[0].exp() / exponentials.sum::<f64>();
            let largest = (0..channels).fold(0_f64, |most, channel| most.max(at(channel)[1]));
            // An error of an exponent is one of its exponential's share.
            [share, share * (1. + 2. * largest)]
        },
    )
}
