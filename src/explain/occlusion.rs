//! What an answer owes to each part of an image (Zeiler and Fergus, arXiv:1311.2901): the part is
//! covered, and the network asked again.

use std::ops::Range;

use super::{HeatMap, Method};
use crate::classifier::Classifier;
use crate::error::Result;

/// The most places along each side that are covered one after another.
const MOST_PLACES: usize = 14;

/// How much the network's output for `class` falls where a part of the input is covered by zeros,
/// which is the colour that its preprocessing takes for the mean: a square of two places' length
/// around each place of a grid.
pub(super) fn map(classifier: &Classifier, values: &[f32], class: usize) -> Result<HeatMap> {
    let [height, width] = classifier.preprocessing().size;
    let size = [height.min(MOST_PLACES), width.min(MOST_PLACES)];
    let [rows, columns] = size;
    let whole = classifier.outputs_for(&[values], class)?;
    let whole = whole.first().copied().unwrap_or_default();
    let places: Vec<[usize; 2]> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| [row, column]))
        .collect();
    let mut falls = Vec::with_capacity(places.len());
    for places in places.chunks(classifier.batch_size()) {
        let covered: Vec<Vec<f32>> = places
            .iter()
            .map(|&[row, column]| {
                let mut covered = values.to_vec();
                cover(
                    &mut covered,
                    [height, width],
                    [around(row, rows, height), around(column, columns, width)],
                );
                covered
            })
            .collect();
        let covered: Vec<&[f32]> = covered.iter().map(Vec::as_slice).collect();
        let outputs = classifier.outputs_for(&covered, class)?;
        falls.extend(outputs.into_iter().map(|output| whole - output));
    }
    Ok(HeatMap {
        method: Method::Occlusion,
        size,
        values: falls,
        bias: None,
    })
}

/// The pixels within a place's own length around its middle: half a place more at both ends, where
/// there is so much.
fn around(place: usize, places: usize, pixels: usize) -> Range<usize> {
    let half = |halves: usize| halves * pixels / (2 * places.max(1));
    half((2 * place).saturating_sub(1))..half(2 * place + 3).min(pixels)
}

/// Sets a rectangle of every channel to zero.
fn cover(values: &mut [f32], [height, width]: [usize; 2], [rows, columns]: [Range<usize>; 2]) {
    for channel in values.chunks_exact_mut((height * width).max(1)) {
        for row in rows.clone() {
            if let Some(covered) =
                channel.get_mut(row * width + columns.start..row * width + columns.end)
            {
                covered.fill(0.);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_overlap_and_leave_no_pixel_uncovered() {
        for (places, pixels) in [(14, 224), (14, 32), (14, 299), (3, 3), (1, 1)] {
            let mut covered = vec![0; pixels];
            for place in 0..places {
                for pixel in around(place, places, pixels) {
                    covered[pixel] += 1;
                }
            }
            assert!(
                covered.iter().all(|&count| (1..=3).contains(&count)),
                "{covered:?}"
            );
        }
        assert_eq!(around(0, 14, 224), 0..24);
        assert_eq!(around(5, 14, 224), 72..104);
        assert_eq!(around(13, 14, 224), 200..224);
    }

    #[test]
    fn every_channel_is_covered_alike() {
        let mut values = vec![1.; 2 * 3 * 4];
        cover(&mut values, [3, 4], [1..3, 0..2]);
        let expected = [1., 1., 1., 1., 0., 0., 1., 1., 0., 0., 1., 1.];
        assert_eq!(values, expected.repeat(2));
    }
}
