//! The squeeze-and-excitation block in a network of your own.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder, VarMap};
use senet::nn::SqueezeExcitation;

fn main() -> candle_core::Result<()> {
    let weights = VarMap::new();
    let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
    let se = SqueezeExcitation::new(32, 16, vb.pp("se"))?;
    let features = Tensor::randn(0f32, 1., (1, 32, 8, 8), &Device::Cpu)?;
    let weighed = se.forward(&features)?;
    assert_eq!(weighed.dims(), features.dims());
    Ok(())
}
