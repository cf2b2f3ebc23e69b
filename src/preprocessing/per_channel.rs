//! Numbers of an image's channels.

use serde::{Deserialize, Serialize};

use super::ChannelOrder;

/// A number for each channel of an image.
///
/// An image of other channels than there are numbers for has their mean for every channel, as
/// timm's loader has it: of one number, that number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected one, three or four numbers")]
pub enum PerChannel {
    /// Of gray.
    Gray([f64; 1]),
    /// Of red, green and blue, in this order.
    Rgb([f64; 3]),
    /// Of red, green, blue and opacity.
    Rgba([f64; 4]),
}

impl PerChannel {
    /// One, three or four numbers; nothing of others.
    #[must_use]
    pub fn from_slice(numbers: &[f64]) -> Option<Self> {
        match *numbers {
            [gray] => Some(Self::Gray([gray])),
            [red, green, blue] => Some(Self::Rgb([red, green, blue])),
            [red, green, blue, opacity] => Some(Self::Rgba([red, green, blue, opacity])),
            _ => None,
        }
    }

    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        match self {
            Self::Gray(numbers) => numbers,
            Self::Rgb(numbers) => numbers,
            Self::Rgba(numbers) => numbers,
        }
    }

    /// The number of a channel, by its place among those that images of this order are read with.
    pub(super) fn of(&self, channel: usize, order: ChannelOrder) -> f64 {
        let numbers = self.as_slice();
        match numbers.get(channel) {
            Some(&number) if numbers.len() == order.channels() => number,
            _ => numbers.iter().sum::<f64>() / numbers.len() as f64,
        }
    }
}

impl From<[f64; 3]> for PerChannel {
    fn from(numbers: [f64; 3]) -> Self {
        Self::Rgb(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_channels_than_there_are_numbers_for_have_their_mean() {
        use ChannelOrder::{Bgr, Gray, Rgb, Rgba};
        let of = |numbers: PerChannel, order: ChannelOrder| -> Vec<f64> {
            let channels = 0..order.channels();
            channels.map(|channel| numbers.of(channel, order)).collect()
        };
        let three = PerChannel::Rgb([0.5, 0.25, 0.75]);
        assert_eq!(of(three, Rgb), [0.5, 0.25, 0.75]);
        assert_eq!(of(three, Bgr), [0.5, 0.25, 0.75]);
        assert_eq!(of(three, Gray), [0.5]);
        assert_eq!(of(three, Rgba), [0.5; 4]);
        assert_eq!(of(PerChannel::Gray([0.1]), Rgba), [0.1; 4]);
        let four = PerChannel::Rgba([1., 2., 3., 6.]);
        assert_eq!(of(four, Rgba), [1., 2., 3., 6.]);
        assert_eq!(of(four, Rgb), [3.; 3]);
    }

    #[test]
    fn one_three_or_four_numbers_are_read() {
        let read = |json| serde_json::from_str::<PerChannel>(json);
        assert_eq!(read("[0.5]").ok(), Some(PerChannel::Gray([0.5])));
        assert_eq!(read("[1, 2, 3]").ok(), Some(PerChannel::Rgb([1., 2., 3.])));
        let four = read("[1, 2, 3, 4]").ok();
        assert_eq!(four, Some(PerChannel::Rgba([1., 2., 3., 4.])));
        for wrong in ["[]", "[1, 2]", "[1, 2, 3, 4, 5]", "0.5", "[\"a\"]"] {
            let error = read(wrong).map_err(|error| error.to_string());
            let expected = "expected one, three or four numbers".to_owned();
            assert_eq!(error, Err(expected), "{wrong}");
        }
    }
}
