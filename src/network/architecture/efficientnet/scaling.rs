//! From a small network to a larger one of the same kind, by timm's arithmetic to the last block.

use super::row::Row;
use crate::network::architecture::{make_divisible, whole};

/// What channels are multiplied by, and how they are rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Width {
    /// What channels are multiplied by.
    pub multiplier: f64,
    /// What they are a multiple of then.
    pub divisor: usize,
    /// Less than this share of what was to be rounded is not taken.
    pub limit: f64,
}

/// A number of channels, and whether the network's width scales it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many, whatever the width.
    Fixed(usize),
    /// So many times the width.
    Scaled(usize),
    /// So many times the width, but no fewer than that itself.
    AtLeast(usize),
}

/// How many blocks become of a stage's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Depth {
    /// What the blocks of each stage are multiplied by; the last counts for all that follow.
    pub multipliers: &'static [f64],
    /// What becomes of a fraction.
    pub rounding: DepthRounding,
    /// Whether the first stage and the last keep their blocks.
    pub fixed_ends: bool,
}

/// What becomes of a fraction of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepthRounding {
    /// It counts as a whole one: `EfficientNet`'s way.
    Up,
    /// The nearest whole number, a half to the even one, but at least 1.
    Nearest,
}

impl Width {
    /// Channels as they are written, in multiples of 8.
    pub const ONE: Self = Self::times(1.);

    /// So many times the channels, in multiples of 8 and not below 0.9 of the product.
    #[must_use]
    pub const fn times(multiplier: f64) -> Self {
        Self {
            multiplier,
            divisor: 8,
            limit: 0.9,
        }
    }

    /// The channels that become of `channels`: timm's `round_channels`.
    #[must_use]
    pub fn of(self, channels: usize) -> usize {
        make_divisible(channels as f64 * self.multiplier, self.divisor, self.limit)
    }

    /// The channels that become of `count`.
    #[must_use]
    pub fn count(self, count: Count) -> usize {
        match count {
            Count::Fixed(channels) => channels,
            Count::Scaled(channels) => self.of(channels),
            Count::AtLeast(channels) => self.of(channels).max(channels),
        }
    }
}

impl Depth {
    /// Blocks as they are written.
    pub const ONE: Self = Self::times(&[1.]);

    /// So many times the blocks, rounded up.
    #[must_use]
    pub const fn times(multipliers: &'static [f64]) -> Self {
        Self {
            multipliers,
            rounding: DepthRounding::Up,
            fixed_ends: false,
        }
    }

    /// With a fraction of a block rounded to the nearest.
    #[must_use]
    pub const fn rounded(self) -> Self {
        Self {
            rounding: DepthRounding::Nearest,
            ..self
        }
    }

    /// With a first and a last stage that keep their blocks.
    #[must_use]
    pub const fn fixed_ends(self) -> Self {
        Self {
            fixed_ends: true,
            ..self
        }
    }

    /// The row of each block of a stage, the first or the last of its network where `is_end`:
    /// timm's `_scale_stage_depth`.
    pub(super) fn blocks<'a>(
        &self,
        rows: &'a [Row],
        stage: usize,
        is_end: bool,
    ) -> impl Iterator<Item = &'a Row> + use<'a> {
        let multiplier = match self.multipliers {
            _ if is_end && self.fixed_ends => 1.,
            &[.., last] => self.multipliers.get(stage).copied().unwrap_or(last),
            [] => 1.,
        };
        let mut written: usize = rows.iter().map(|row| row.repeats).sum();
        let scaled = written as f64 * multiplier;
        let mut blocks = whole(match self.rounding {
            DepthRounding::Up => scaled.ceil(),
            DepthRounding::Nearest => scaled.round_ties_even().max(1.),
        });
        // Shared out from the last row on, so that the first, which strides, repeats the least.
        let mut repeats = Vec::new();
        for row in rows.iter().rev() {
            let share = row.repeats as f64 / written as f64 * blocks as f64;
            let share = whole(share.round_ties_even()).max(1);
            repeats.push(share);
            written = written.saturating_sub(row.repeats);
            blocks = blocks.saturating_sub(share);
        }
        let repeats = repeats.into_iter().rev();
        rows.iter()
            .zip(repeats)
            .flat_map(|(row, count)| std::iter::repeat_n(row, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::architecture::efficientnet::inverted;

    // [len(stage) for stage in timm.models._efficientnet_builder.decode_arch_def(...)], and
    // round_channels.
    #[test]
    fn depths_and_widths_are_scaled_as_timm_does() {
        let count =
            |depth: Depth, rows: &[Row], stage| depth.blocks(rows, stage, stage == 0).count();
        let of = |blocks| [inverted(16, 6.).times(blocks)];
        let b7 = Depth::times(&[3.1]);
        assert_eq!(
            [1, 2, 3, 4].map(|blocks| count(b7, &of(blocks), 1)),
            [4, 7, 10, 13]
        );
        assert_eq!(count(b7.fixed_ends(), &of(1), 0), 1);
        let tiny = Depth::times(&[0.695]).rounded();
        assert_eq!(
            [1, 2, 3, 4].map(|blocks| count(tiny, &of(blocks), 1)),
            [1, 1, 2, 3]
        );
        let medium = Depth::times(&[1.2, 1.6]);
        assert_eq!(
            [0, 1, 2].map(|stage| count(medium, &of(15), stage)),
            [18, 24, 24]
        );
        // Two rows of 1 and 3 blocks at 1.3: 5 blocks, of which the last row has 4.
        let rows = [inverted(16, 6.), inverted(16, 3.).times(3)];
        let rows: Vec<&Row> = Depth::times(&[1.3])
            .rounded()
            .blocks(&rows, 1, false)
            .collect();
        assert_eq!(rows.iter().filter(|row| row.expansion > 5.).count(), 1);
        assert_eq!(rows.len(), 5);
        assert_eq!(
            [16, 24, 1280].map(|c| Width::times(1.1).of(c)),
            [16, 24, 1408]
        );
        assert_eq!(Width::times(0.35).count(Count::AtLeast(1280)), 1280);
    }
}
