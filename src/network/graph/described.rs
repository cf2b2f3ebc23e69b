//! An operation as a graph describes it: by its attributes, without what follows from its inputs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::attributes::{
    AffineAttributes, AveragePoolAttributes, BatchNormAttributes, BlockAttributes,
    BlurPoolAttributes, ChannelsAttributes, ConvAttributes, CroppingAttributes, FactorAttributes,
    FactorsAttributes, GroupNormAttributes, GroupsAttributes, LeakyReluAttributes,
    LinearAttributes, MaxPoolAttributes, NormAttributes, Nothing, PaddingAttribute,
    PaddingAttributes, RoundingAttribute, SizeAttributes, SliceAttributes,
    StandardizationAttribute, pool, strides_of,
};
use crate::error::{Error, Result};
use crate::network::geometry::{Border, Rounding, Window};
use crate::network::operation::{Conv, Normalization, Standardization};
use crate::network::{Activation, Operation, Shape};

/// The role of a learnt factor's tensor, whatever its layer calls it.
pub(super) const FACTOR: &str = "factor";

/// Writes the enum of all operations and the list of their names.
macro_rules! operations {
    ($($(#[$attribute:meta])* $op:literal $variant:ident($attributes:ty),)+) => {
        /// An operation, by the name that `op` has.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "op")]
        pub(super) enum Described {
            $(#[serde(rename = $op)] $variant($attributes),)+
        }

        impl Described {
            /// All names.
            pub(super) const OPERATIONS: &[&str] = &[$($op),+];
        }
    };
}

operations! {
    "conv" Conv(ConvAttributes),
    "linear" Linear(LinearAttributes),
    "batch_norm" BatchNorm(BatchNormAttributes),
    "layer_norm" LayerNorm(NormAttributes),
    "group_norm" GroupNorm(GroupNormAttributes),
    "affine" Affine(AffineAttributes),
    "relu" Relu(Nothing),
    "relu6" Relu6(Nothing),
    "leaky_relu" LeakyRelu(LeakyReluAttributes),
    "silu" Silu(Nothing),
    "hard_swish" HardSwish(Nothing),
    "gelu" Gelu(Nothing),
    "gelu_tanh" GeluTanh(Nothing),
    "sigmoid" Sigmoid(Nothing),
    "hard_sigmoid" HardSigmoid(Nothing),
    "hard_sigmoid_keras2" HardSigmoidKeras2(Nothing),
    "softmax" Softmax(Nothing),
    "max_pool" MaxPool(MaxPoolAttributes),
    "average_pool" AveragePool(AveragePoolAttributes),
    "adaptive_average_pool" AdaptiveAveragePool(SizeAttributes),
    "global_average_pool" GlobalAveragePool(Nothing),
    "global_max_pool" GlobalMaxPool(Nothing),
    "blur_pool" BlurPool(BlurPoolAttributes),
    "flatten" Flatten(Nothing),
    "unflatten" Unflatten(Nothing),
    "scale" Scale(Nothing),
    "product" Product(Nothing),
    "add" Add(Nothing),
    "concat" Concat(Nothing),
    "multiply" Multiply(FactorAttributes),
    "learnt_factor" LearntFactor(Nothing),
    "slice" Slice(SliceAttributes),
    "pad_channels" PadChannels(ChannelsAttributes),
    "shuffle_channels" ShuffleChannels(GroupsAttributes),
    "space_to_depth" SpaceToDepth(BlockAttributes),
    "zero_pad" ZeroPad(PaddingAttributes),
    "crop" Crop(CroppingAttributes),
    "upsample" Upsample(FactorsAttributes),
    "upsample_like" UpsampleLike(Nothing),
}

impl Described {
    /// Whether there is an operation of this name.
    pub(super) fn has(op: &str) -> bool {
        Self::OPERATIONS.contains(&op)
    }

    /// Its name and attributes.
    pub(super) fn attributes(&self) -> Map<String, Json> {
        match serde_json::to_value(self) {
            Ok(Json::Object(attributes)) => attributes,
            // A struct of numbers is nothing else.
            _ => Map::new(),
        }
    }

    /// The description of an operation.
    pub(super) fn of(operation: &Operation) -> Self {
        match *operation {
            Operation::Conv(conv) => Self::Conv(ConvAttributes {
                out_channels: conv.out_channels,
                kernel: conv.window.kernel,
                strides: conv.window.stride,
                dilation: conv.window.dilation,
                groups: conv.groups,
                padding: PaddingAttribute::of(conv.window.padding),
                bias: conv.bias,
                standardization: conv.standardization.map(
                    |Standardization {
                         epsilon,
                         scale,
                         gain,
                     }| StandardizationAttribute {
                        epsilon,
                        scale,
                        gain,
                    },
                ),
            }),
            Operation::Linear { outputs, bias, .. } => Self::Linear(LinearAttributes {
                out_channels: outputs,
                bias,
            }),
            Operation::BatchNorm {
                epsilon, weight, ..
            } => Self::BatchNorm(BatchNormAttributes { epsilon, weight }),
            Operation::LayerNorm(norm) => Self::LayerNorm(NormAttributes::of(&norm)),
            Operation::GroupNorm {
                groups,
                normalization,
            } => {
                let NormAttributes {
                    epsilon,
                    weight,
                    bias,
                } = NormAttributes::of(&normalization);
                Self::GroupNorm(GroupNormAttributes {
                    groups,
                    epsilon,
                    weight,
                    bias,
                })
            }
            Operation::Affine { weight, bias, .. } => {
                Self::Affine(AffineAttributes { weight, bias })
            }
            Operation::Activation(activation) => Self::of_activation(activation),
            Operation::Softmax => Self::Softmax(Nothing {}),
            Operation::MaxPool(window) => Self::MaxPool(MaxPoolAttributes {
                kernel: window.kernel,
                strides: strides_of(&window),
                padding: PaddingAttribute::of(window.padding),
                rounding: RoundingAttribute::of(window.rounding),
            }),
            Operation::AveragePool { window, border } => {
                let padding = PaddingAttribute::of(window.padding);
                Self::AveragePool(AveragePoolAttributes {
                    kernel: window.kernel,
                    strides: strides_of(&window),
                    padding,
                    rounding: RoundingAttribute::of(window.rounding),
                    padding_counts: match border {
                        // Without padding nothing counts it.
                        Border::LeftOut if padding.is_valid() => None,
                        border => Some(border == Border::Counted),
                    },
                })
            }
            Operation::AdaptiveAveragePool(size) => {
                Self::AdaptiveAveragePool(SizeAttributes { size })
            }
            Operation::BlurPool { size, stride } => {
                Self::BlurPool(BlurPoolAttributes { size, stride })
            }
            Operation::GlobalAveragePool => Self::GlobalAveragePool(Nothing {}),
            Operation::GlobalMaxPool => Self::GlobalMaxPool(Nothing {}),
            Operation::Flatten { .. } => Self::Flatten(Nothing {}),
            Operation::Unflatten => Self::Unflatten(Nothing {}),
            Operation::Scale => Self::Scale(Nothing {}),
            Operation::Multiply { factor } => Self::Multiply(FactorAttributes { factor }),
            Operation::LearntFactor { .. } => Self::LearntFactor(Nothing {}),
            Operation::Add => Self::Add(Nothing {}),
            Operation::Product => Self::Product(Nothing {}),
            Operation::Concat => Self::Concat(Nothing {}),
            Operation::Slice { first, channels } => {
                Self::Slice(SliceAttributes { first, channels })
            }
            Operation::PadChannels(channels) => Self::PadChannels(ChannelsAttributes { channels }),
            Operation::ShuffleChannels { groups } => {
                Self::ShuffleChannels(GroupsAttributes { groups })
            }
            Operation::SpaceToDepth { block } => Self::SpaceToDepth(BlockAttributes { block }),
            Operation::ZeroPad(padding) => Self::ZeroPad(PaddingAttributes { padding }),
            Operation::Crop(cropping) => Self::Crop(CroppingAttributes { cropping }),
            Operation::Upsample(factors) => Self::Upsample(FactorsAttributes { factors }),
            Operation::UpsampleLike => Self::UpsampleLike(Nothing {}),
        }
    }

    fn of_activation(activation: Activation) -> Self {
        match activation {
            Activation::Relu => Self::Relu(Nothing {}),
            Activation::Relu6 => Self::Relu6(Nothing {}),
            Activation::LeakyRelu { slope } => Self::LeakyRelu(LeakyReluAttributes { slope }),
            Activation::Silu => Self::Silu(Nothing {}),
            Activation::HardSwish => Self::HardSwish(Nothing {}),
            Activation::Gelu => Self::Gelu(Nothing {}),
            Activation::GeluTanh => Self::GeluTanh(Nothing {}),
            Activation::Sigmoid => Self::Sigmoid(Nothing {}),
            Activation::HardSigmoid => Self::HardSigmoid(Nothing {}),
            Activation::HardSigmoidKeras2 => Self::HardSigmoidKeras2(Nothing {}),
        }
    }

    /// The operation on inputs of these shapes.
    ///
    /// # Errors
    ///
    /// No input, a flattened vector, or an average pool that does not say whether its padding
    /// counts. All else is the operation's own to refuse.
    #[expect(clippy::too_many_lines, reason = "a line or a few for each operation")]
    pub(super) fn operation(&self, inputs: &[Shape]) -> Result<Operation> {
        let refused = |problem: &str| Err(Error::Geometry(problem.to_owned()));
        let Some(&first) = inputs.first() else {
            return refused("it reads nothing");
        };
        let channels = first.channels;
        Ok(match self {
            Self::Conv(conv) => Operation::Conv(Conv {
                in_channels: channels,
                out_channels: conv.out_channels,
                groups: conv.groups,
                window: Window {
                    kernel: conv.kernel,
                    stride: conv.strides,
                    dilation: conv.dilation,
                    padding: conv.padding.padding(),
                    rounding: Rounding::Floor,
                },
                bias: conv.bias,
                standardization: conv.standardization.map(
                    |StandardizationAttribute {
                         epsilon,
                         scale,
                         gain,
                     }| Standardization {
                        epsilon,
                        scale,
                        gain,
                    },
                ),
            }),
            Self::Linear(linear) => Operation::Linear {
                inputs: channels,
                outputs: linear.out_channels,
                bias: linear.bias,
            },
            Self::BatchNorm(norm) => Operation::BatchNorm {
                channels,
                epsilon: norm.epsilon,
                weight: norm.weight,
            },
            Self::LayerNorm(norm) => Operation::LayerNorm(norm.normalization(channels)),
            Self::GroupNorm(norm) => Operation::GroupNorm {
                groups: norm.groups,
                normalization: Normalization {
                    channels,
                    epsilon: norm.epsilon,
                    weight: norm.weight,
                    bias: norm.bias,
                },
            },
            Self::Affine(affine) => Operation::Affine {
                channels,
                weight: affine.weight,
                bias: affine.bias,
            },
            Self::Softmax(_) => Operation::Softmax,
            Self::MaxPool(of) => {
                Operation::MaxPool(pool(of.kernel, of.strides, of.padding, of.rounding))
            }
            Self::AveragePool(of) => Operation::AveragePool {
                window: pool(of.kernel, of.strides, of.padding, of.rounding),
                border: match (of.padding_counts, of.padding.is_valid()) {
                    (Some(true), _) => Border::Counted,
                    (Some(false), _) | (None, true) => Border::LeftOut,
                    (None, false) => {
                        return refused(
                            "average_pool: it pads, and does not say with `padding_counts` of true \
                             or false whether the padding counts in its means",
                        );
                    }
                },
            },
            Self::AdaptiveAveragePool(of) => Operation::AdaptiveAveragePool(of.size),
            Self::GlobalAveragePool(_) => Operation::GlobalAveragePool,
            Self::GlobalMaxPool(_) => Operation::GlobalMaxPool,
            Self::BlurPool(of) => Operation::BlurPool {
                size: of.size,
                stride: of.stride,
            },
            Self::Flatten(_) => match first.spatial {
                Some([height, width]) => Operation::Flatten { height, width },
                None => return refused("flatten needs a feature map, found a vector"),
            },
            Self::Unflatten(_) => Operation::Unflatten,
            Self::Scale(_) => Operation::Scale,
            Self::Product(_) => Operation::Product,
            Self::Add(_) => Operation::Add,
            Self::Concat(_) => Operation::Concat,
            Self::Multiply(of) => Operation::Multiply { factor: of.factor },
            Self::LearntFactor(_) => Operation::LearntFactor { tensor: FACTOR },
            Self::Slice(of) => Operation::Slice {
                first: of.first,
                channels: of.channels,
            },
            Self::PadChannels(of) => Operation::PadChannels(of.channels),
            Self::ShuffleChannels(of) => Operation::ShuffleChannels { groups: of.groups },
            Self::SpaceToDepth(of) => Operation::SpaceToDepth { block: of.block },
            Self::ZeroPad(of) => Operation::ZeroPad(of.padding),
            Self::Crop(of) => Operation::Crop(of.cropping),
            Self::Upsample(of) => Operation::Upsample(of.factors),
            Self::UpsampleLike(_) => Operation::UpsampleLike,
            Self::Relu(_) => Operation::Activation(Activation::Relu),
            Self::Relu6(_) => Operation::Activation(Activation::Relu6),
            Self::LeakyRelu(of) => Operation::Activation(Activation::LeakyRelu { slope: of.slope }),
            Self::Silu(_) => Operation::Activation(Activation::Silu),
            Self::HardSwish(_) => Operation::Activation(Activation::HardSwish),
            Self::Gelu(_) => Operation::Activation(Activation::Gelu),
            Self::GeluTanh(_) => Operation::Activation(Activation::GeluTanh),
            Self::Sigmoid(_) => Operation::Activation(Activation::Sigmoid),
            Self::HardSigmoid(_) => Operation::Activation(Activation::HardSigmoid),
            Self::HardSigmoidKeras2(_) => Operation::Activation(Activation::HardSigmoidKeras2),
        })
    }
}
