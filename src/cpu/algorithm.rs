//! What computes a step.

use std::fmt;

use serde::{Serialize, Serializer};

use super::kernels::WinogradTile;

/// How a step computes what it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// The input, copied into blocks of channels within a halo of zeros.
    CopyIn,
    /// A convolution or dense layer as products of matrices, its source read where it lies.
    Direct,
    /// A 3x3 convolution whose groups are narrower than a block of channels.
    SmallGroup,
    /// A convolution of each channel alone.
    Depthwise,
    /// A 1x1 convolution and, of the rows that it has just made, a convolution of each channel alone.
    ExpandDepthwise,
    /// A 3x3 convolution by Winograd's minimal filtering.
    Winograd(WinogradTile),
    /// A window's largest elements or means.
    Pool,
    /// Each channel's mean.
    Mean,
    /// Each channel's mean, from sums that were taken as the map was stored.
    MeanOfSums,
    /// What is done to each element alone.
    Elementwise,
    /// A normalization by the means and variances of the value itself.
    Normalize,
    /// The share of each channel in a pixel.
    Softmax,
    /// The same elements at other places: channels shuffled, sliced or padded, pixels as channels,
    /// pixels repeated, borders added or taken away.
    Rearrange,
    /// A concatenation whose members were stored where they belong.
    ConcatInPlace,
    /// A concatenation that copies some of its members.
    ConcatCopy,
}

impl Algorithm {
    /// The word for people: `direct`, `winograd 4x4`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CopyIn => "copy in",
            Self::Direct => "direct",
            Self::SmallGroup => "narrow groups",
            Self::Depthwise => "depthwise",
            Self::ExpandDepthwise => "expand and depthwise",
            Self::Winograd(WinogradTile::F2x2) => "winograd 2x2",
            Self::Winograd(WinogradTile::F4x4) => "winograd 4x4",
            Self::Pool => "pool",
            Self::Mean => "mean",
            Self::MeanOfSums => "mean of sums",
            Self::Elementwise => "pass",
            Self::Normalize => "normalize",
            Self::Softmax => "softmax",
            Self::Rearrange => "rearrange",
            Self::ConcatInPlace => "in place",
            Self::ConcatCopy => "copy",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
