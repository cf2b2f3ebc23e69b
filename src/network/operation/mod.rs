//! What a layer computes: its output's shape, its parameters, its cost.

mod output;
mod shape;
mod sliding;

use super::activation::Activation;
use super::geometry::{Border, Extent, Window};

pub use shape::{Layout, Shape};

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
    /// A normalization by the mean and variance of each pixel's channels, or of a vector's: Ba et
    /// al., arXiv:1607.06450, as `ConvNeXt` has it.
    LayerNorm(Normalization),
    /// A normalization by the mean and variance of each group of channels over the whole map: Wu
    /// and He, arXiv:1803.08494.
    GroupNorm {
        /// Groups that the channels are split into.
        groups: usize,
        /// What is normalized, and what is done then.
        normalization: Normalization,
    },
    /// Every channel times a number of its own, plus another: pixels that are rescaled inside a
    /// network, or `ConvNeXt`'s layer scale (Touvron et al., arXiv:2103.17239).
    Affine {
        /// Channels.
        channels: usize,
        /// Whether each is multiplied.
        weight: bool,
        /// Whether something is added to each.
        bias: bool,
    },
    /// A function of each element alone.
    Activation(Activation),
    /// exp(x) over the sum of all channels' exp(x): shares that sum up to 1.
    Softmax,
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
    /// Each channel's largest element: `[N, C, H, W]` to `[N, C, 1, 1]`.
    GlobalMaxPool,
    /// `[N, C, H, W]` to `[N, C * H * W]`, channel by channel.
    Flatten {
        /// Height of the feature map.
        height: usize,
        /// Width of the feature map.
        width: usize,
    },
    /// `[N, C]` to `[N, C, 1, 1]`: each number becomes a channel of one pixel.
    Unflatten,
    /// A dense layer over channels, on `[N, C]` or `[N, C, 1, 1]`.
    Linear {
        /// Channels of the input.
        inputs: usize,
        /// Channels of the output.
        outputs: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// First input times the second, a gate `[N, C, 1, 1]` or `[N, C]`.
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
    /// So many rows of zeros above and below, and so many columns before and after.
    ZeroPad([[usize; 2]; 2]),
    /// Without so many rows above and below, and so many columns before and after.
    Crop([[usize; 2]; 2]),
    /// Each pixel repeated, so many times down and so many across.
    Upsample([usize; 2]),
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

/// What a layer norm and a group norm have in common: (x - mean) / sqrt(variance + epsilon) * weight
/// + bias, with the mean and variance of the value itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Channels, each with a weight and a bias.
    pub channels: usize,
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether there is a weight; without one it is 1.
    pub weight: bool,
    /// Whether there is a bias.
    pub bias: bool,
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
            Self::LayerNorm(_) => "layer norm",
            Self::GroupNorm { .. } => "group norm",
            Self::Affine { .. } => "affine",
            Self::Activation(activation) => activation.name(),
            Self::Softmax => "softmax",
            Self::MaxPool(_) => "max pool",
            Self::GlobalAveragePool => "global average pool",
            Self::GlobalMaxPool => "global max pool",
            Self::BlurPool { .. } => "blur pool",
            Self::AveragePool { .. } => "average pool",
            Self::AdaptiveAveragePool(_) => "adaptive average pool",
            Self::Flatten { .. } => "flatten",
            Self::Unflatten => "unflatten",
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
            Self::ZeroPad(_) => "zero pad",
            Self::Crop(_) => "crop",
            Self::Upsample(_) | Self::UpsampleLike => "upsample",
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
        let per_channel = |channels, weight: bool, bias: bool| {
            let names = [("weight", weight), ("bias", bias)].into_iter();
            let names = names.filter_map(|(name, there)| there.then_some(name));
            names.map(|name| learnt(name, vec![channels])).collect()
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
            Self::LayerNorm(normalization) | Self::GroupNorm { normalization, .. } => {
                let Normalization {
                    channels,
                    weight,
                    bias,
                    ..
                } = normalization;
                per_channel(channels, weight, bias)
            }
            Self::Affine {
                channels,
                weight,
                bias,
            } => per_channel(channels, weight, bias),
            Self::LearntFactor { tensor } => vec![learnt(tensor, Vec::new())],
            Self::Activation(_)
            | Self::Softmax
            | Self::MaxPool(_)
            | Self::AveragePool { .. }
            | Self::AdaptiveAveragePool(_)
            | Self::BlurPool { .. }
            | Self::GlobalAveragePool
            | Self::GlobalMaxPool
            | Self::Flatten { .. }
            | Self::Unflatten
            | Self::Scale
            | Self::Multiply { .. }
            | Self::Add
            | Self::Product
            | Self::Concat
            | Self::Slice { .. }
            | Self::PadChannels(_)
            | Self::ShuffleChannels { .. }
            | Self::SpaceToDepth { .. }
            | Self::ZeroPad(_)
            | Self::Crop(_)
            | Self::Upsample(_)
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
            Self::LayerNorm(Normalization { weight, bias, .. })
            | Self::GroupNorm {
                normalization: Normalization { weight, bias, .. },
                ..
            }
            | Self::Affine { weight, bias, .. } => usize::from(weight) + usize::from(bias),
            Self::LearntFactor { .. } => 1,
            Self::Activation(_)
            | Self::Softmax
            | Self::MaxPool(_)
            | Self::AveragePool { .. }
            | Self::AdaptiveAveragePool(_)
            | Self::BlurPool { .. }
            | Self::GlobalAveragePool
            | Self::GlobalMaxPool
            | Self::Flatten { .. }
            | Self::Unflatten
            | Self::Scale
            | Self::Multiply { .. }
            | Self::Add
            | Self::Product
            | Self::Concat
            | Self::Slice { .. }
            | Self::PadChannels(_)
            | Self::ShuffleChannels { .. }
            | Self::SpaceToDepth { .. }
            | Self::ZeroPad(_)
            | Self::Crop(_)
            | Self::Upsample(_)
            | Self::UpsampleLike => 0,
        }
    }

    /// What it adds to a variance.
    pub(super) fn epsilon(&self) -> Option<f64> {
        match *self {
            Self::BatchNorm { epsilon, .. }
            | Self::LayerNorm(Normalization { epsilon, .. })
            | Self::GroupNorm {
                normalization: Normalization { epsilon, .. },
                ..
            } => Some(epsilon),
            Self::Conv(conv) => conv.standardization.map(|each| each.epsilon),
            _ => None,
        }
    }

    /// Whether its constants are finite numbers in single precision.
    pub(super) fn is_finite(&self) -> bool {
        let of_operation = match *self {
            Self::Multiply { factor } => is_single(factor),
            Self::Activation(activation) => activation.is_finite(),
            Self::Conv(conv) => conv
                .standardization
                .is_none_or(|each| is_single(each.scale)),
            _ => true,
        };
        of_operation && self.epsilon().is_none_or(is_single)
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

/// Whether single precision has a finite number for this one.
fn is_single(number: f64) -> bool {
    number.abs() <= f64::from(f32::MAX)
}
