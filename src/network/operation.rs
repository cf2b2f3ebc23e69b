//! What a layer computes: its output's shape, its parameters, its cost.

use clap::ValueEnum;
use serde::Serialize;

use super::geometry::Window;
use crate::error::{Error, Result};

/// The shape of a value: a feature map, or a vector an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Images.
    pub batch: usize,
    /// Channels of a feature map, or length of a vector.
    pub channels: usize,
    /// Height and width of a feature map.
    pub spatial: Option<[usize; 2]>,
}

impl Shape {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
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

/// One of the operations that the catalogue's networks are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operation {
    /// A convolution.
    Conv(Conv),
    /// A batch norm in inference: (x - mean) / sqrt(variance + epsilon) * weight + bias.
    BatchNorm {
        /// One mean, variance, weight and bias each.
        channels: usize,
        /// Added to the variance.
        epsilon: f64,
    },
    /// max(x, 0).
    Relu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// The largest value under each position of a window; padding never wins.
    MaxPool(Window),
    /// Each channel's mean: `[N, C, H, W]` to `[N, C, 1, 1]`. An SE block's squeeze.
    GlobalAveragePool,
    /// `[N, C, 1, 1]` to `[N, C]`.
    Flatten,
    /// A dense layer over channels, with bias, on `[N, C]` or `[N, C, 1, 1]`.
    Linear {
        /// Channels in.
        inputs: usize,
        /// Channels out.
        outputs: usize,
    },
    /// First input times the second, a gate `[N, C, 1, 1]`.
    Scale,
    /// Sum of two values of one shape.
    Add,
}

/// A convolution with a square window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Kernel, stride and padding.
    pub window: Window,
    /// Whether a bias is added.
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

impl Operation {
    /// The name trace shows.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Conv(_) => "conv",
            Self::BatchNorm { .. } => "batch norm",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::MaxPool(_) => "max pool",
            Self::GlobalAveragePool => "global average pool",
            Self::Flatten => "flatten",
            Self::Linear { .. } => "linear",
            Self::Scale => "scale",
            Self::Add => "add",
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
                let Window { kernel, .. } = conv.window;
                let shape = vec![conv.out_channels, conv.in_channels, kernel, kernel];
                let mut parameters = vec![learnt("weight", shape)];
                if conv.bias {
                    parameters.push(learnt("bias", vec![conv.out_channels]));
                }
                parameters
            }
            Self::BatchNorm { channels, .. } => vec![
                gathered("running_mean", channels),
                gathered("running_var", channels),
                learnt("weight", vec![channels]),
                learnt("bias", vec![channels]),
            ],
            Self::Linear { inputs, outputs } => vec![
                learnt("weight", vec![outputs, inputs]),
                learnt("bias", vec![outputs]),
            ],
            _ => Vec::new(),
        }
    }

    /// Channels of the output, given those of the first input.
    #[must_use]
    pub fn channels(&self, input: usize) -> usize {
        match *self {
            Self::Conv(conv) => conv.out_channels,
            Self::Linear { outputs, .. } => outputs,
            _ => input,
        }
    }

    /// The output's shape.
    ///
    /// # Errors
    ///
    /// Inputs of a shape that the operation cannot take.
    pub fn output(&self, inputs: &[Shape]) -> Result<Shape> {
        let [first, rest @ ..] = inputs else {
            return Err(Error::Geometry(format!("{} needs an input", self.kind())));
        };
        let expected = match *self {
            Self::Conv(conv) => conv.in_channels,
            Self::BatchNorm { channels, .. } => channels,
            Self::Linear { inputs, .. } => inputs,
            _ => first.channels,
        };
        if first.channels != expected {
            return Err(Error::Geometry(format!(
                "{} expects {expected} channels, found {}",
                self.kind(),
                first.channels
            )));
        }
        let spatial = match *self {
            Self::Conv(Conv { window, .. }) | Self::MaxPool(window) => {
                let [height, width] = first.map(self.kind())?;
                Some([window.along(height)?.output, window.along(width)?.output])
            }
            Self::GlobalAveragePool => first.map(self.kind()).map(|_| Some([1, 1]))?,
            Self::Flatten => None,
            Self::Add if rest != [*first] => {
                return Err(Error::Geometry(format!(
                    "add needs two values of one shape, found {inputs:?}"
                )));
            }
            _ => first.spatial,
        };
        Ok(Shape {
            batch: first.batch,
            channels: self.channels(first.channels),
            spatial,
        })
    }

    /// Multiplications of convolutions and linear layers (batch norms, gates and
    /// activations are not counted, as is usual); `None` where they exceed a `u64`.
    #[must_use]
    pub fn macs(&self, output: Shape) -> Option<u64> {
        let per_output = match *self {
            Self::Conv(conv) => [conv.in_channels, conv.window.kernel, conv.window.kernel],
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
