//! What a layer computes: its output's shape, its parameters, its cost.

use serde::Serialize;

use super::activation::Activation;
use super::geometry::{Border, Extent, Window, blur};
use crate::error::{Error, Result};

/// The shape of a value: a feature map, or a vector an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// How many images there are.
    pub batch: usize,
    /// Channels of a feature map, or length of a vector.
    pub channels: usize,
    /// Height and width of a feature map.
    pub spatial: Option<[usize; 2]>,
}

impl Shape {
    /// The shape of a batch of feature maps: images, channels, height and width.
    #[must_use]
    pub fn of_maps((batch, channels, height, width): (usize, usize, usize, usize)) -> Self {
        Self {
            batch,
            channels,
            spatial: Some([height, width]),
        }
    }

    /// Its dimensions, `[N, C, H, W]` or `[N, H, W, C]`; `[N, C]` of a vector an image.
    #[must_use]
    pub fn dims(&self, layout: Layout) -> Vec<usize> {
        let Self {
            batch, channels, ..
        } = *self;
        match (self.spatial, layout) {
            (Some([height, width]), Layout::Nchw) => vec![batch, channels, height, width],
            (Some([height, width]), Layout::Nhwc) => vec![batch, height, width, channels],
            (None, _) => vec![batch, channels],
        }
    }

    /// Numbers in it; `None` where they exceed a `usize`.
    #[must_use]
    pub fn elements(&self) -> Option<usize> {
        let dims = self.dims(Layout::Nchw);
        dims.iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size))
    }

    fn map(self, name: &str) -> Result<[usize; 2]> {
        self.spatial.ok_or_else(|| {
            Error::Geometry(format!(
                "{name} needs a feature map, found {:?}",
                self.dims(Layout::Nchw)
            ))
        })
    }
}

/// The order of a shape's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `TensorFlow`'s: batch, height, width, channels.
    Nhwc,
    /// `PyTorch`'s and candle's: batch, channels, height, width.
    Nchw,
}

impl Layout {
    /// `nhwc` or `nchw`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nhwc => "nhwc",
            Self::Nchw => "nchw",
        }
    }
}

/// What one layer computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operation {
    /// A convolution.
    Conv(Conv),
    /// A batch norm in inference: (x - mean) / sqrt(variance + epsilon) * weight + bias.
    BatchNorm {
        /// Channels, each with a mean, a variance, a weight and a bias.
        channels: usize,
        /// Added to the variance.
        epsilon: f64,
        /// Whether there is a weight; without one it is 1.
        weight: bool,
    },
    /// A function of each element alone.
    Activation(Activation),
    /// The largest value under each position of a window; padding never wins.
    MaxPool(Window),
    /// The mean under each position of a window.
    AveragePool {
        /// The window that slides over the image.
        window: Window,
        /// What the sum is divided by at the border.
        border: Border,
    },
    /// Means of as many parts of the image as the output has pixels, whatever the image's size:
    /// height and width of the output.
    AdaptiveAveragePool([usize; 2]),
    /// A binomial filter against aliasing, [1 2 1] / 4 for 3 rows, that slides over the image with
    /// the border reflected: Zhang, arXiv:1904.11486, as timm's `BlurPool2d` has it.
    BlurPool {
        /// Rows and columns of the filter.
        size: usize,
        /// Rows and columns from one position to the next.
        stride: usize,
    },
    /// Each channel's mean: `[N, C, H, W]` to `[N, C, 1, 1]`. An SE block's squeeze.
    GlobalAveragePool,
    /// `[N, C, H, W]` to `[N, C * H * W]`, channel by channel.
    Flatten {
        /// Height of the feature map.
        height: usize,
        /// Width of the feature map.
        width: usize,
    },
    /// A dense layer over channels, on `[N, C]` or `[N, C, 1, 1]`.
    Linear {
        /// Channels of the input.
        inputs: usize,
        /// Channels of the output.
        outputs: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// First input times the second, a gate `[N, C, 1, 1]`.
    Scale,
    /// Every value times a constant.
    Multiply {
        /// The constant that every value is multiplied by.
        factor: f64,
    },
    /// Every value times one learnt number.
    LearntFactor {
        /// What the number is called, a tensor without dimensions.
        tensor: &'static str,
    },
    /// Sum of two values of one shape.
    Add,
    /// Product of two values of one shape.
    Product,
    /// The channels of all inputs, in their order.
    Concat,
    /// Some channels, from a first on.
    Slice {
        /// The first of them.
        first: usize,
        /// How many.
        channels: usize,
    },
    /// So many channels of zeros after those that there are.
    PadChannels(usize),
    /// The channels in so many groups, the first of each group first, then the second of each:
    /// Zhang et al., arXiv:1707.01083, figure 1.
    ShuffleChannels {
        /// Groups that the channels come in.
        groups: usize,
    },
    /// Blocks of so many rows and columns of pixels become channels, all channels of a block's
    /// first pixel first, row by row: `[N, C, H, W]` to `[N, C * block^2, H / block, W / block]`.
    SpaceToDepth {
        /// Rows and columns of a block.
        block: usize,
    },
    /// The first input at the second's height and width, each pixel that of the source at the
    /// same share of the way: `PyTorch`'s `interpolate` with the mode `nearest`.
    UpsampleLike,
}

/// A convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Groups that the channels are split into; each sees its own share alone. 1 for most.
    pub groups: usize,
    /// Kernel, stride and padding.
    pub window: Window,
    /// Whether a bias is added.
    pub bias: bool,
    /// What is made of the weights before they multiply, if anything.
    pub standardization: Option<Standardization>,
}

/// Weight standardization: the weights of each output channel less their mean, divided by the root
/// of their variance and `epsilon`, then multiplied (Qiao et al., arXiv:1903.10520; Brock et al.,
/// arXiv:2101.08692).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standardization {
    /// Added to the variance.
    pub epsilon: f64,
    /// What all of them are multiplied by.
    pub scale: f64,
    /// Whether each output channel has a learnt factor besides, in a tensor `gain`.
    pub gain: bool,
}

/// A tensor that a layer reads from a weights file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// As candle and `PyTorch` name it: `weight`, `bias`, `running_mean`, `running_var`.
    pub name: &'static str,
    /// As candle and `PyTorch` lay it out: `OIHW`, `[out, in]` or `[channels]`.
    pub shape: Vec<usize>,
    /// False for statistics that training gathers but does not learn.
    pub trainable: bool,
}

impl Conv {
    /// Channels that each output channel is computed from.
    #[must_use]
    pub fn channels_per_group(&self) -> usize {
        self.in_channels / self.groups.max(1)
    }

    /// Whether it is a dense layer over channels at every pixel: 1x1, of stride 1, without groups
    /// and without padding.
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        // A window that fits one pixel without padding has no more than that itself.
        let pixel = Extent {
            before: 0,
            after: 0,
            output: 1,
        };
        self.window.stride == [1, 1]
            && self.groups == 1
            && self
                .window
                .extents([1, 1])
                .is_ok_and(|extents| extents == [pixel; 2])
    }
}

impl Operation {
    /// The name trace shows.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Conv(_) => "conv",
            Self::BatchNorm { .. } => "batch norm",
            Self::Activation(activation) => activation.name(),
            Self::MaxPool(_) => "max pool",
            Self::GlobalAveragePool => "global average pool",
            Self::BlurPool { .. } => "blur pool",
            Self::AveragePool { .. } => "average pool",
            Self::AdaptiveAveragePool(_) => "adaptive average pool",
            Self::Flatten { .. } => "flatten",
            Self::Linear { .. } => "linear",
            Self::Scale => "scale",
            Self::Multiply { .. } => "multiply",
            Self::LearntFactor { .. } => "learnt factor",
            Self::Add => "add",
            Self::Product => "product",
            Self::Concat => "concat",
            Self::Slice { .. } => "slice",
            Self::PadChannels(_) => "pad channels",
            Self::ShuffleChannels { .. } => "shuffle channels",
            Self::SpaceToDepth { .. } => "space to depth",
            Self::UpsampleLike => "upsample",
        }
    }

    /// The tensors it reads, in the order it reads them.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let learnt = |name, shape| Parameter {
            name,
            shape,
            trainable: true,
        };
        let gathered = |name, channels| Parameter {
            name,
            shape: vec![channels],
            trainable: false,
        };
        match *self {
            Self::Conv(conv) => {
                let [rows, columns] = conv.window.kernel;
                let shape = vec![conv.out_channels, conv.channels_per_group(), rows, columns];
                let mut parameters = vec![learnt("weight", shape)];
                if conv.bias {
                    parameters.push(learnt("bias", vec![conv.out_channels]));
                }
                if conv.standardization.is_some_and(|each| each.gain) {
                    parameters.push(learnt("gain", vec![conv.out_channels, 1, 1, 1]));
                }
                parameters
            }
            Self::BatchNorm {
                channels, weight, ..
            } => {
                let mut parameters = vec![
                    gathered("running_mean", channels),
                    gathered("running_var", channels),
                ];
                if weight {
                    parameters.push(learnt("weight", vec![channels]));
                }
                parameters.push(learnt("bias", vec![channels]));
                parameters
            }
            Self::Linear {
                inputs,
                outputs,
                bias,
            } => {
                let mut parameters = vec![learnt("weight", vec![outputs, inputs])];
                if bias {
                    parameters.push(learnt("bias", vec![outputs]));
                }
                parameters
            }
            Self::LearntFactor { tensor } => vec![learnt(tensor, Vec::new())],
            Self::Activation(_)
            | Self::MaxPool(_)
            | Self::AveragePool { .. }
            | Self::AdaptiveAveragePool(_)
            | Self::BlurPool { .. }
            | Self::GlobalAveragePool
            | Self::Flatten { .. }
            | Self::Scale
            | Self::Multiply { .. }
            | Self::Add
            | Self::Product
            | Self::Concat
            | Self::Slice { .. }
            | Self::PadChannels(_)
            | Self::ShuffleChannels { .. }
            | Self::SpaceToDepth { .. }
            | Self::UpsampleLike => Vec::new(),
        }
    }

    /// How many tensors it reads: those of [`Operation::parameters`], whose shapes take time.
    pub(super) fn tensors(&self) -> usize {
        match *self {
            Self::Conv(conv) => {
                let gain = conv.standardization.is_some_and(|each| each.gain);
                1 + usize::from(conv.bias) + usize::from(gain)
            }
            Self::BatchNorm { weight, .. } => 3 + usize::from(weight),
            Self::Linear { bias, .. } => 1 + usize::from(bias),
            Self::LearntFactor { .. } => 1,
            Self::Activation(_)
            | Self::MaxPool(_)
            | Self::AveragePool { .. }
            | Self::AdaptiveAveragePool(_)
            | Self::BlurPool { .. }
            | Self::GlobalAveragePool
            | Self::Flatten { .. }
            | Self::Scale
            | Self::Multiply { .. }
            | Self::Add
            | Self::Product
            | Self::Concat
            | Self::Slice { .. }
            | Self::PadChannels(_)
            | Self::ShuffleChannels { .. }
            | Self::SpaceToDepth { .. }
            | Self::UpsampleLike => 0,
        }
    }

    /// Whether its constants are finite numbers.
    pub(super) fn is_finite(&self) -> bool {
        match *self {
            Self::BatchNorm { epsilon, .. } => epsilon.is_finite(),
            Self::Multiply { factor } => factor.is_finite(),
            Self::Activation(activation) => activation.is_finite(),
            Self::Conv(conv) => conv
                .standardization
                .is_none_or(|each| each.epsilon.is_finite() && each.scale.is_finite()),
            _ => true,
        }
    }

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
            Self::BatchNorm { channels, .. } => channels,
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
            Self::ShuffleChannels { groups } => {
                if groups == 0 || first % groups != 0 {
                    return refused(format!(
                        "cannot shuffle {first} channels in {groups} groups"
                    ));
                }
                first
            }
            Self::SpaceToDepth { block } => first.saturating_mul(block.saturating_mul(block)),
            Self::BatchNorm { .. }
            | Self::Activation(_)
            | Self::MaxPool(_)
            | Self::AveragePool { .. }
            | Self::AdaptiveAveragePool(_)
            | Self::BlurPool { .. }
            | Self::GlobalAveragePool
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
            Self::GlobalAveragePool => first.map(self.kind()).map(|_| Some([1, 1]))?,
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
            Self::Scale if rest.iter().any(|gate| gate.spatial != Some([1, 1])) => {
                return Err(Error::Geometry(
                    "scale needs a gate of 1x1 pixels".to_owned(),
                ));
            }
            Self::Scale => first.map(self.kind()).map(Some)?,
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
            | Self::Activation(_)
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

    /// Multiplications of convolutions and linear layers (batch norms, gates and
    /// activations are not counted, as is usual); `None` where they exceed a `u64`.
    #[must_use]
    pub fn macs(&self, output: Shape) -> Option<u64> {
        let per_output = match *self {
            Self::Conv(conv) => {
                let [rows, columns] = conv.window.kernel;
                [conv.channels_per_group(), rows, columns]
            }
            Self::Linear { inputs, .. } => [inputs, 1, 1],
            _ => return Some(0),
        };
        output
            .dims(Layout::Nchw)
            .iter()
            .chain(&per_output)
            .try_fold(1_u64, |product, &size| {
                product.checked_mul(u64::try_from(size).ok()?)
            })
    }
}
