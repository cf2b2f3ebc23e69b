use candle_core::{Result, Tensor};

use crate::network::Activation;

/// The activation of every element of `xs`.
///
/// A `ReLU` of NaN is NaN: candle's own makes 0 of it, so that broken weights would give a
/// confident answer.
pub(super) fn activate(activation: Activation, xs: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Relu => xs.lt(0f64)?.where_cond(&xs.zeros_like()?, xs),
        Activation::Sigmoid => candle_nn::ops::sigmoid(xs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_nan_stays_one() {
        let xs = [f32::NAN, -1., 0., 2., f32::INFINITY, f32::NEG_INFINITY];
        let xs = Tensor::new(&xs, &Device::Cpu).unwrap();
        let ys = activate(Activation::Relu, &xs).unwrap();
        let ys = ys.to_vec1::<f32>().unwrap();
        assert!(ys[0].is_nan());
        assert_eq!(ys[1..], [0., 0., 2., f32::INFINITY, 0.]);
    }
}
