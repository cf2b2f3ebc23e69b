//! What comes out of an operation: which inputs it takes, and the shape that it makes of them.

use super::{Conv, Layout, Normalization, Operation, Shape};
use crate::error::{Error, Result};
use crate::network::geometry::{Rounding, blur};

impl Operation {
    /// Channels of the output, given those of the inputs.
    ///
    /// # Errors
    ///
    /// Another count of inputs, or of their channels, than the operation takes.
    pub fn channels(&self, inputs: &[usize]) -> Result<usize> {
        let kind = self.kind();
        let refused = |problem: String| Err(Error::Geometry(format!("{kind} {problem}")));
        let (first, second) = match (self, inputs) {
            (_, []) => return refused("needs an input".to_owned()),
            (Self::Add | Self::Product | Self::Scale | Self::UpsampleLike, &[first, second]) => {
                (first, second)
            }
            (Self::Add | Self::Product | Self::Scale | Self::UpsampleLike, _) => {
                return refused(format!("takes 2 inputs, found {}", inputs.len()));
            }
            (Self::Concat, &[first, ..]) | (_, &[first]) => (first, first),
            _ => return refused(format!("takes 1 input, found {}", inputs.len())),
        };
        let expected = match *self {
            Self::Conv(conv) => conv.in_channels,
            Self::BatchNorm { channels, .. }
            | Self::Affine { channels, .. }
            | Self::LayerNorm(Normalization { channels, .. })
            | Self::GroupNorm {
                normalization: Normalization { channels, .. },
                ..
            } => channels,
            Self::Linear { inputs, .. } => inputs,
            _ => first,
        };
        if first != expected {
            return refused(format!("expects {expected} channels, found {first}"));
        }
        if first != second && *self != Self::UpsampleLike {
            return refused(format!(
                "needs as many channels of both its inputs, found {first} and {second}"
            ));
        }
        Ok(match *self {
            Self::Conv(Conv {
                groups,
                out_channels,
                ..
            }) => {
                if groups == 0 || first % groups != 0 || out_channels % groups != 0 {
                    return refused(format!(
                        "cannot split {first} and {out_channels} channels into {groups} groups"
                    ));
                }
                out_channels
            }
            Self::Linear { outputs, .. } => outputs,
            Self::Flatten { height, width } => first.saturating_mul(height.saturating_mul(width)),
            Self::Concat => inputs.iter().copied().fold(0, usize::saturating_add),
            Self::Slice {
                first: begin,
                channels,
            } => {
                if channels == 0 || begin.checked_add(channels).is_none_or(|end| end > first) {
                    return refused(format!(
                        "cannot take {channels} channels from number {begin} on of {first}"
                    ));
                }
                channels
            }
            Self::PadChannels(count) => first.saturating_add(count),
            Self::ShuffleChannels { groups } | Self::GroupNorm { groups, .. } => {
                if groups == 0 || first % groups != 0 {
                    return refused(format!(
                        "cannot split {first} channels into {groups} groups"
                    ));
                }
                first
            }
            Self::SpaceToDepth { block } => first.saturating_mul(block.saturating_mul(block)),
            Self::BatchNorm { .. }
            | Self::LayerNorm(_)
            | Self::Affine { .. }
            | Self::Activation(_)
            | Self::Softmax
            | Self::Unflatten
            | Self::ZeroPad(_)
            | Self::Crop(_)
            | Self::Upsample(_)
            | Self::MaxPool(_)
            | Self::AveragePool { .. }
            | Self::AdaptiveAveragePool(_)
            | Self::BlurPool { .. }
            | Self::GlobalAveragePool
            | Self::GlobalMaxPool
            | Self::Scale
            | Self::Multiply { .. }
            | Self::LearntFactor { .. }
            | Self::Add
            | Self::Product
            | Self::UpsampleLike => first,
        })
    }

    /// The output's shape.
    ///
    /// # Errors
    ///
    /// Inputs of a shape that the operation cannot take.
    #[expect(clippy::too_many_lines, reason = "a few lines for each operation")]
    pub fn output(&self, inputs: &[Shape]) -> Result<Shape> {
        let channels: Vec<usize> = inputs.iter().map(|input| input.channels).collect();
        let channels = self.channels(&channels)?;
        // There is one, or its channels would be refused.
        let (first, rest) = (&inputs[0], &inputs[1..]);
        let spatial = match *self {
            Self::Conv(Conv { window, .. })
            | Self::MaxPool(window)
            | Self::AveragePool { window, .. } => {
                if window.dilation != [1, 1] && !matches!(self, Self::Conv(_)) {
                    let kind = self.kind();
                    return Err(Error::Geometry(format!("{kind} takes no dilation")));
                }
                if window.rounding != Rounding::Floor && matches!(self, Self::Conv(_)) {
                    let problem = "conv leaves out a last position that does not fit".to_owned();
                    return Err(Error::Geometry(problem));
                }
                let extents = window.extents(first.map(self.kind())?)?;
                Some(extents.map(|extent| extent.output))
            }
            Self::BlurPool { size, stride } => {
                let extents = blur(size, stride, first.map(self.kind())?)?;
                Some(extents.map(|extent| extent.output))
            }
            Self::SpaceToDepth { block } => {
                let [rows, columns] = first.map(self.kind())?;
                if block == 0 || rows % block != 0 || columns % block != 0 {
                    return Err(Error::Geometry(format!(
                        "space to depth needs a height and width that are multiples of {block}, \
                         found {rows}x{columns}"
                    )));
                }
                Some([rows / block, columns / block])
            }
            Self::UpsampleLike => {
                let [from, to] = [first, &rest[0]].map(|shape| shape.map(self.kind()));
                if from?.contains(&0) {
                    return Err(Error::Geometry(
                        "upsample needs pixels, found none".to_owned(),
                    ));
                }
                Some(to?)
            }
            Self::ZeroPad(pads) => {
                let size = first.map(self.kind())?;
                Some([0, 1].map(|axis| {
                    let [before, after] = pads[axis];
                    size[axis].saturating_add(before).saturating_add(after)
                }))
            }
            Self::Crop(crops) => {
                let size = first.map(self.kind())?;
                let left = [0, 1].map(|axis| {
                    let [before, after] = crops[axis];
                    size[axis].saturating_sub(before).saturating_sub(after)
                });
                if left.contains(&0) {
                    return Err(Error::Geometry(format!(
                        "crop leaves no pixel of {}x{}: it takes {crops:?} away",
                        size[0], size[1]
                    )));
                }
                Some(left)
            }
            Self::Upsample(factors) => {
                let size = first.map(self.kind())?;
                if factors.contains(&0) || size.contains(&0) {
                    return Err(Error::Geometry(format!(
                        "upsample needs pixels and factors of at least 1, found {}x{} and \
                         {factors:?}",
                        size[0], size[1]
                    )));
                }
                Some([0, 1].map(|axis| size[axis].saturating_mul(factors[axis])))
            }
            Self::Unflatten if first.spatial.is_some() => {
                return Err(Error::Geometry(format!(
                    "unflatten needs a vector an image, found {:?}",
                    first.dims(Layout::Nchw)
                )));
            }
            Self::Unflatten => Some([1, 1]),
            Self::GlobalAveragePool | Self::GlobalMaxPool => {
                first.map(self.kind()).map(|_| Some([1, 1]))?
            }
            Self::AdaptiveAveragePool(size) => first.map(self.kind()).map(|_| Some(size))?,
            Self::Flatten { height, width } => {
                let [rows, columns] = first.map(self.kind())?;
                if [rows, columns] != [height, width] {
                    return Err(Error::Geometry(format!(
                        "flatten expects {height}x{width} pixels, found {rows}x{columns}"
                    )));
                }
                None
            }
            Self::Linear { .. } if first.spatial.is_some_and(|size| size != [1, 1]) => {
                return Err(Error::Geometry(
                    "linear needs a vector an image, or 1x1 pixels".to_owned(),
                ));
            }
            Self::Scale
                if rest
                    .iter()
                    .any(|gate| gate.spatial.is_some_and(|size| size != [1, 1])) =>
            {
                return Err(Error::Geometry(
                    "scale needs a gate of 1x1 pixels, or a vector an image".to_owned(),
                ));
            }
            Self::Scale | Self::GroupNorm { .. } => first.map(self.kind()).map(Some)?,
            Self::Add | Self::Product if rest != [*first] => {
                return Err(Error::Geometry(format!(
                    "{} needs two values of one shape: at this input size the branches differ",
                    self.kind()
                )));
            }
            Self::Concat if rest.iter().any(|other| other.spatial != first.spatial) => {
                return Err(Error::Geometry(
                    "concat needs values of one height and width: at this input size the branches \
                     differ"
                        .to_owned(),
                ));
            }
            Self::BatchNorm { .. }
            | Self::LayerNorm(_)
            | Self::Affine { .. }
            | Self::Activation(_)
            | Self::Softmax
            | Self::Linear { .. }
            | Self::Multiply { .. }
            | Self::LearntFactor { .. }
            | Self::Add
            | Self::Product
            | Self::Concat
            | Self::Slice { .. }
            | Self::PadChannels(_)
            | Self::ShuffleChannels { .. } => first.spatial,
        };
        Ok(Shape {
            batch: first.batch,
            channels,
            spatial,
        })
    }
}
