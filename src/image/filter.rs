//! Pillow's filters in integers, bit for bit: which samples each resized one is made of.

use std::f64::consts::PI;
use std::ops::Range;

use super::Interpolation;

/// Weights are integers in units of `2^-22`: 8 bits of sample and 2 of overshoot fill an `i32`.
pub(super) const WEIGHT_BITS: u32 = 22;
const ONE: i32 = 1 << WEIGHT_BITS;

/// What one resized sample is made of: the samples from `first` on, weighted.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) first: usize,
    pub(super) weights: Vec<i32>,
}

impl Window {
    fn sample(first: usize) -> Self {
        Self {
            first,
            weights: vec![ONE],
        }
    }

    /// The end of the samples it reads.
    pub(super) fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// The windows of the `kept` ones among `to` samples that `from` samples are resized to.
pub(super) fn windows(
    from: u32,
    to: u32,
    kept: Range<u32>,
    interpolation: Interpolation,
) -> Vec<Window> {
    if from == to {
        return kept.map(|place| Window::sample(place as usize)).collect();
    }
    match Filter::of(interpolation) {
        Some(filter) => weighted(from, to, kept, &filter),
        None => nearest(from, to, kept),
    }
}

/// Bytes that [`windows`] takes at most.
pub(super) fn windows_memory(
    from: u32,
    to: u32,
    kept: &Range<u32>,
    interpolation: Interpolation,
) -> u64 {
    let samples = match Filter::of(interpolation) {
        Some(filter) if from != to => {
            let widening = (f64::from(from) / f64::from(to)).max(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive, and a bound"
            )]
            let width = (2.0 * widening * filter.radius) as u64 + 2;
            width.min(from.into())
        }
        _ => 1,
    };
    let window = (size_of::<Window>() as u64).saturating_add(samples.saturating_mul(4));
    // Of one window at a time, the weights before they are rounded.
    u64::from(kept.end - kept.start)
        .saturating_mul(window)
        .saturating_add(samples.saturating_mul(8))
}

/// Pillow adds up the places one by one, and its rounding with them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "truncation of positive numbers is Pillow's rounding"
)]
fn nearest(from: u32, to: u32, kept: Range<u32>) -> Vec<Window> {
    let step = f64::from(from) / f64::from(to);
    let mut place = step * 0.5;
    for _ in 0..kept.start {
        place += step;
    }
    kept.map(|_| {
        let nearest = (place as u32).min(from - 1);
        place += step;
        Window::sample(nearest as usize)
    })
    .collect()
}

/// Windows as wide as the filter and, where the image shrinks, wider by as much.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "truncation is Pillow's rounding, and below 0 a cast gives the 0 that is wanted"
)]
fn weighted(from: u32, to: u32, kept: Range<u32>, filter: &Filter) -> Vec<Window> {
    let scale = f64::from(from) / f64::from(to);
    let widening = scale.max(1.0);
    let support = widening * filter.radius;
    kept.map(|place| {
        let centre = (f64::from(place) + 0.5) * scale;
        let first = (centre - support + 0.5) as u32;
        let end = ((centre + support + 0.5) as u32).min(from);
        let weights: Vec<f64> = (first..end)
            .map(|x| (filter.weight)((f64::from(x) - centre + 0.5) * (1.0 / widening)))
            .collect();
        let sum: f64 = weights.iter().sum();
        Window {
            first: first as usize,
            weights: weights
                .into_iter()
                .map(|weight| {
                    let weight = weight / sum * f64::from(ONE);
                    (weight + 0.5_f64.copysign(weight)) as i32
                })
                .collect(),
        }
    })
    .collect()
}

struct Filter {
    /// The distance from its centre at which it ends.
    radius: f64,
    /// The weight at a place relative to its centre.
    weight: fn(f64) -> f64,
}

impl Filter {
    fn of(interpolation: Interpolation) -> Option<Self> {
        let (radius, weight): (_, fn(f64) -> f64) = match interpolation {
            Interpolation::Nearest => return None,
            Interpolation::Box => (0.5, box_),
            Interpolation::Bilinear => (1.0, triangle),
            Interpolation::Hamming => (1.0, hamming),
            Interpolation::Bicubic => (2.0, cubic),
            Interpolation::Lanczos => (3.0, lanczos),
        };
        Some(Self { radius, weight })
    }
}

/// Open on its left, so that one of two samples as near counts.
fn box_(x: f64) -> f64 {
    if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// The Hamming window. Its two constants are of single precision, as in Pillow, and add up to a
/// little more than 1.
fn hamming(x: f64) -> f64 {
    match x.abs() {
        0.0 => 1.0,
        x if x < 1.0 => sinc(x) * (f64::from(0.54_f32) + f64::from(0.46_f32) * (x * PI).cos()),
        _ => 0.0,
    }
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) {
        sinc(x) * sinc(x / 3.0)
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (x * PI).sin() / (x * PI)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_windows_weights_add_up_to_one_and_stay_inside() {
        for interpolation in Interpolation::ALL {
            for (from, to) in [(1, 7), (7, 1), (3, 3), (300, 32), (32, 300), (1000, 3)] {
                for window in windows(from, to, 0..to, interpolation) {
                    assert!(window.end() <= from as usize);
                    let sum: i32 = window.weights.iter().sum();
                    // Each weight is rounded by half a unit at most.
                    let rounding = window.weights.len().div_ceil(2);
                    let off = sum.abs_diff(ONE) as usize;
                    assert!(off <= rounding, "{from} to {to}: off by {off}");
                }
            }
        }
    }
}
