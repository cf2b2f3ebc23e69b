use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::ops::softmax;
use candle_nn::{Linear, Module, VarBuilder, linear, linear_no_bias};

use super::activation::activate;
use super::channels::{cropped, shuffled, space_to_depth, upsampled, zero_padded};
use super::pool::global_average;
use super::squeeze_excitation::{dense, scale};
use super::{
    AdaptiveAveragePool2d, Affine, AveragePool2d, BatchNorm, BlurPool2d, Conv2d, MaxPool2d, Norm,
};
use crate::network::{Activation, Layer, Layers, Operation, Value};

/// A network as a candle module.
///
/// # Shapes
///
/// `[N, channels, H, W]` to `[N, classes]`, as the network's trace says.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Module, VarBuilder};
/// use senet::network::catalog;
/// use senet::nn::SeNet;
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let network = SeNet::new(catalog::find("seresnet20")?.layers(), vb)?;
/// let images = Tensor::zeros((2, 3, 32, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(network.forward(&images)?.dims(), [2, 10]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SeNet {
    layers: Layers,
    /// What computes each layer.
    leaves: Vec<Leaf>,
    /// For each layer, the values that it is the last to read.
    last_reads: Vec<Vec<Value>>,
    dtype: DType,
    device: Device,
}

/// What computes a layer.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    Conv(Conv2d),
    BatchNorm(BatchNorm),
    /// A layer norm or a group norm.
    Norm(Norm),
    Affine(Affine),
    Activation(Activation),
    Softmax,
    MaxPool(MaxPool2d),
    AveragePool(AveragePool2d),
    AdaptiveAveragePool(AdaptiveAveragePool2d),
    BlurPool(BlurPool2d),
    GlobalAveragePool,
    GlobalMaxPool,
    Flatten,
    Unflatten,
    Linear(Linear),
    Scale,
    Multiply(f64),
    /// Without dimensions.
    LearntFactor(Tensor),
    Add,
    Product,
    Concat,
    Slice {
        first: usize,
        channels: usize,
    },
    PadChannels(usize),
    ShuffleChannels {
        groups: usize,
    },
    SpaceToDepth {
        block: usize,
    },
    ZeroPad([[usize; 2]; 2]),
    Crop([[usize; 2]; 2]),
    Upsample([usize; 2]),
    UpsampleLike,
}

impl SeNet {
    /// Loads `layers`; each one's name is the path of its tensors in `vb`.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(layers: Layers, vb: VarBuilder) -> Result<Self> {
        let leaves = layers.as_slice().iter();
        let leaves = leaves.map(|layer| Leaf::load(layer, &vb));
        Ok(Self {
            leaves: leaves.collect::<Result<_>>()?,
            last_reads: layers.last_reads(),
            layers,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }

    /// The type of number that it takes and computes in.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device that it takes its input on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The layers it computes.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// [`Module::forward`] that hands every layer's value to `observe` as it is computed.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take, or whatever `observe` returns.
    pub fn forward_with(
        &self,
        xs: &Tensor,
        observe: &mut dyn FnMut(&Layer, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let list = self.layers.as_slice();
        let mut values: Vec<Option<Tensor>> = vec![None; list.len() + 1];
        values[0] = Some(xs.clone());
        let steps = list.iter().zip(&self.leaves).zip(&self.last_reads);
        for (index, ((layer, leaf), last_reads)) in steps.enumerate() {
            let inputs = layer
                .inputs
                .iter()
                .map(|value| values[value.index()].as_ref())
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| {
                    Error::msg(format!("layer `{}` reads a dropped value", layer.name))
                })?;
            let output = leaf.forward(&inputs)?;
            observe(layer, &output)?;
            values[Value::of_layer(index).index()] = Some(output);
            for value in last_reads {
                values[value.index()] = None;
            }
        }
        values
            .pop()
            .flatten()
            .ok_or_else(|| Error::msg("a network without layers has no output"))
    }
}

impl Module for SeNet {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_with(xs, &mut |_, _| Ok(()))
    }
}

impl Leaf {
    /// Loads what computes `layer`, whose name is the path of its tensors in `vb`.
    pub(crate) fn load(layer: &Layer, vb: &VarBuilder) -> Result<Self> {
        let vb = vb.pp(&layer.name);
        Ok(match layer.operation {
            Operation::Conv(conv) => Self::Conv(Conv2d::new(&conv, vb)?),
            Operation::BatchNorm {
                channels,
                epsilon,
                weight,
            } => Self::BatchNorm(BatchNorm::new(channels, epsilon, weight, vb)?),
            Operation::LayerNorm(norm) => Self::Norm(Norm::new(&norm, None, &vb)?),
            Operation::GroupNorm {
                groups,
                normalization,
            } => Self::Norm(Norm::new(&normalization, Some(groups), &vb)?),
            Operation::Affine {
                channels,
                weight,
                bias,
            } => Self::Affine(Affine::new(channels, weight, bias, &vb)?),
            Operation::Activation(activation) => Self::Activation(activation),
            Operation::Softmax => Self::Softmax,
            Operation::MaxPool(window) => Self::MaxPool(MaxPool2d::new(window)),
            Operation::AveragePool { window, border } => {
                Self::AveragePool(AveragePool2d::new(window, border))
            }
            Operation::AdaptiveAveragePool(size) => {
                Self::AdaptiveAveragePool(AdaptiveAveragePool2d::new(size))
            }
            Operation::BlurPool { size, stride } => Self::BlurPool(BlurPool2d::new(size, stride)),
            Operation::GlobalAveragePool => Self::GlobalAveragePool,
            Operation::GlobalMaxPool => Self::GlobalMaxPool,
            Operation::Flatten { .. } => Self::Flatten,
            Operation::Unflatten => Self::Unflatten,
            Operation::Linear {
                inputs,
                outputs,
                bias,
            } => Self::Linear(if bias {
                linear(inputs, outputs, vb)?
            } else {
                linear_no_bias(inputs, outputs, vb)?
            }),
            Operation::Scale => Self::Scale,
            Operation::Multiply { factor } => Self::Multiply(factor),
            Operation::LearntFactor { tensor } => Self::LearntFactor(vb.get((), tensor)?),
            Operation::Add => Self::Add,
            Operation::Product => Self::Product,
            Operation::Concat => Self::Concat,
            Operation::Slice { first, channels } => Self::Slice { first, channels },
            Operation::PadChannels(count) => Self::PadChannels(count),
            Operation::ShuffleChannels { groups } => Self::ShuffleChannels { groups },
            Operation::SpaceToDepth { block } => Self::SpaceToDepth { block },
            Operation::ZeroPad(pads) => Self::ZeroPad(pads),
            Operation::Crop(crops) => Self::Crop(crops),
            Operation::Upsample(factors) => Self::Upsample(factors),
            Operation::UpsampleLike => Self::UpsampleLike,
        })
    }

    /// The layer's value of these inputs, as many as it takes.
    pub(crate) fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let xs = inputs[0];
        match self {
            Self::Conv(conv) => conv.forward(xs),
            Self::BatchNorm(norm) => norm.forward(xs),
            Self::Norm(norm) => norm.forward(xs),
            Self::Affine(affine) => affine.forward(xs),
            Self::Activation(activation) => activate(*activation, xs),
            Self::Softmax => softmax(xs, 1),
            Self::MaxPool(pool) => pool.forward(xs),
            Self::AveragePool(pool) => pool.forward(xs),
            Self::AdaptiveAveragePool(pool) => pool.forward(xs),
            Self::BlurPool(pool) => pool.forward(xs),
            Self::GlobalAveragePool => global_average(xs),
            Self::GlobalMaxPool => xs.max_keepdim(3)?.max_keepdim(2),
            Self::Flatten => xs.flatten_from(1),
            Self::Unflatten => xs.unsqueeze(2)?.unsqueeze(3),
            Self::Linear(linear) => dense(linear, xs),
            Self::Scale => scale(xs, inputs[1]),
            Self::Multiply(factor) => xs * *factor,
            Self::LearntFactor(factor) => xs.broadcast_mul(factor),
            Self::Add => xs + inputs[1],
            Self::Product => xs * inputs[1],
            Self::Concat => Tensor::cat(inputs, 1),
            Self::Slice { first, channels } => xs.narrow(1, *first, *channels)?.contiguous(),
            Self::PadChannels(count) => xs.pad_with_zeros(1, 0, *count),
            Self::ShuffleChannels { groups } => shuffled(xs, *groups),
            Self::SpaceToDepth { block } => space_to_depth(xs, *block),
            Self::ZeroPad(pads) => zero_padded(xs, *pads),
            Self::Crop(crops) => cropped(xs, *crops),
            Self::Upsample([down, across]) => {
                let (_, _, height, width) = xs.dims4()?;
                upsampled(
                    xs,
                    [height.saturating_mul(*down), width.saturating_mul(*across)],
                )
            }
            Self::UpsampleLike => {
                let (_, _, height, width) = inputs[1].dims4()?;
                upsampled(xs, [height, width])
            }
        }
    }
}
