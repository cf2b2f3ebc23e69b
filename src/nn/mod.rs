//! The layers as candle modules, loaded through `VarBuilder`: the reference path,
//! and the one that CUDA and Metal run.

mod activation;
mod batch_norm;
mod channels;
mod conv_norm;
mod memory;
mod normalization;
mod pool;
mod senet;
mod squeeze_excitation;

pub use batch_norm::BatchNorm;
pub use conv_norm::{Conv2d, ConvNorm};
pub use memory::most_elements;
pub use normalization::{Affine, Norm};
pub use pool::{AdaptiveAveragePool2d, AveragePool2d, BlurPool2d, MaxPool2d};
pub(crate) use senet::Leaf;
pub use senet::SeNet;
pub use squeeze_excitation::SqueezeExcitation;
