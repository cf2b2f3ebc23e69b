//! The attributes of each operation, and which of them go without saying.

use serde::{Deserialize, Serialize};

use crate::network::geometry::{Padding, Rounding, Window};
use crate::network::operation::Normalization;

/// No attributes at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConvAttributes {
    pub(super) out_channels: usize,
    pub(super) kernel: [usize; 2],
    #[serde(default = "ones", skip_serializing_if = "are_ones")]
    pub(super) strides: [usize; 2],
    #[serde(default = "ones", skip_serializing_if = "are_ones")]
    pub(super) dilation: [usize; 2],
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) groups: usize,
    #[serde(default, skip_serializing_if = "PaddingAttribute::is_valid")]
    pub(super) padding: PaddingAttribute,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) bias: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) standardization: Option<StandardizationAttribute>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StandardizationAttribute {
    pub(super) epsilon: f64,
    pub(super) scale: f64,
    pub(super) gain: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearAttributes {
    pub(super) out_channels: usize,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) bias: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNormAttributes {
    pub(super) epsilon: f64,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) weight: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NormAttributes {
    pub(super) epsilon: f64,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) weight: bool,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) bias: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupNormAttributes {
    pub(super) groups: usize,
    pub(super) epsilon: f64,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) weight: bool,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) bias: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AffineAttributes {
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) weight: bool,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) bias: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeakyReluAttributes {
    pub(super) slope: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaxPoolAttributes {
    pub(super) kernel: [usize; 2],
    /// The kernel's where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) strides: Option<[usize; 2]>,
    #[serde(default, skip_serializing_if = "PaddingAttribute::is_valid")]
    pub(super) padding: PaddingAttribute,
    #[serde(default, skip_serializing_if = "is_floor")]
    pub(super) rounding: RoundingAttribute,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AveragePoolAttributes {
    pub(super) kernel: [usize; 2],
    /// The kernel's where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) strides: Option<[usize; 2]>,
    #[serde(default, skip_serializing_if = "PaddingAttribute::is_valid")]
    pub(super) padding: PaddingAttribute,
    #[serde(default, skip_serializing_if = "is_floor")]
    pub(super) rounding: RoundingAttribute,
    /// Asked for where there is padding, of which code bases think differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) padding_counts: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeAttributes {
    pub(super) size: [usize; 2],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlurPoolAttributes {
    pub(super) size: usize,
    pub(super) stride: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorAttributes {
    pub(super) factor: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SliceAttributes {
    pub(super) first: usize,
    pub(super) channels: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelsAttributes {
    pub(super) channels: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupsAttributes {
    pub(super) groups: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockAttributes {
    pub(super) block: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaddingAttributes {
    pub(super) padding: [[usize; 2]; 2],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CroppingAttributes {
    pub(super) cropping: [[usize; 2]; 2],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorsAttributes {
    pub(super) factors: [usize; 2],
}

/// `"same"`, `"valid"`, or rows above and below and columns before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `padding` of \"same\", \"valid\" or [[above, below], [before, after]]"
)]
pub(super) enum PaddingAttribute {
    Named(NamedPadding),
    Explicit([[usize; 2]; 2]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum NamedPadding {
    Same,
    Valid,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RoundingAttribute {
    #[default]
    Floor,
    Ceil,
}

fn one() -> usize {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_one(count: &usize) -> bool {
    *count == 1
}

fn ones() -> [usize; 2] {
    [1, 1]
}

fn are_ones(counts: &[usize; 2]) -> bool {
    *counts == [1, 1]
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_yes(answer: &bool) -> bool {
    *answer
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_floor(rounding: &RoundingAttribute) -> bool {
    *rounding == RoundingAttribute::Floor
}

impl Default for PaddingAttribute {
    fn default() -> Self {
        Self::Named(NamedPadding::Valid)
    }
}

impl PaddingAttribute {
    pub(super) fn is_valid(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn of(padding: Padding) -> Self {
        match padding {
            Padding::Same => Self::Named(NamedPadding::Same),
            Padding::VALID => Self::default(),
            Padding::Symmetric(pads) => Self::Explicit(pads.map(|pad| [pad; 2])),
            Padding::Explicit(pads) => Self::Explicit(pads),
        }
    }

    pub(super) fn padding(self) -> Padding {
        match self {
            Self::Named(NamedPadding::Same) => Padding::Same,
            Self::Named(NamedPadding::Valid) => Padding::VALID,
            // As the catalogue has it, so that a network comes back as it was.
            Self::Explicit([[above, below], [before, after]])
                if above == below && before == after =>
            {
                Padding::Symmetric([above, before])
            }
            Self::Explicit(pads) => Padding::Explicit(pads),
        }
    }
}

impl RoundingAttribute {
    pub(super) fn of(rounding: Rounding) -> Self {
        match rounding {
            Rounding::Floor => Self::Floor,
            Rounding::Ceil => Self::Ceil,
        }
    }

    pub(super) fn rounding(self) -> Rounding {
        match self {
            Self::Floor => Rounding::Floor,
            Self::Ceil => Rounding::Ceil,
        }
    }
}

impl NormAttributes {
    pub(super) fn of(normalization: &Normalization) -> Self {
        let Normalization {
            epsilon,
            weight,
            bias,
            ..
        } = *normalization;
        Self {
            epsilon,
            weight,
            bias,
        }
    }

    pub(super) fn normalization(&self, channels: usize) -> Normalization {
        let Self {
            epsilon,
            weight,
            bias,
        } = *self;
        Normalization {
            channels,
            epsilon,
            weight,
            bias,
        }
    }
}

/// A pool's window.
pub(super) fn pool(
    kernel: [usize; 2],
    strides: Option<[usize; 2]>,
    padding: PaddingAttribute,
    rounding: RoundingAttribute,
) -> Window {
    Window {
        kernel,
        stride: strides.unwrap_or(kernel),
        dilation: [1, 1],
        padding: padding.padding(),
        rounding: rounding.rounding(),
    }
}

pub(super) fn strides_of(window: &Window) -> Option<[usize; 2]> {
    (window.stride != window.kernel).then_some(window.stride)
}
