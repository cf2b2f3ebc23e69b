use candle_core::{Result, Tensor};

use crate::network::Activation;

/// The activation of every element of `xs`.
///
/// Of NaN it is NaN: candle's own rectifier makes 0 of it, so that broken weights would give a
/// confident answer.
pub(super) fn activate(activation: Activation, xs: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Relu => at_least(xs, 0.),
        Activation::Relu6 => clipped(xs, 0., 6.),
        Activation::LeakyRelu { slope } => xs.lt(0f64)?.where_cond(&(xs * slope)?, xs),
        Activation::Silu => xs * candle_nn::ops::sigmoid(xs)?,
        Activation::HardSwish => xs * activate(Activation::HardSigmoid, xs)?,
        Activation::Gelu => xs.gelu_erf(),
        Activation::GeluTanh => xs.gelu(),
        Activation::Sigmoid => candle_nn::ops::sigmoid(xs),
        // In this order PyTorch computes it too.
        Activation::HardSigmoid => clipped(&(xs + 3.)?, 0., 6.)? / 6.,
        Activation::HardSigmoidKeras2 => clipped(&xs.affine(0.2, 0.5)?, 0., 1.),
    }
}

/// max(x, least); NaN stays NaN.
fn at_least(xs: &Tensor, least: f64) -> Result<Tensor> {
    xs.lt(least)?
        .where_cond(&xs.zeros_like()?.affine(1., least)?, xs)
}

/// min(max(x, least), most); NaN stays NaN.
fn clipped(xs: &Tensor, least: f64, most: f64) -> Result<Tensor> {
    let xs = &at_least(xs, least)?;
    xs.gt(most)?
        .where_cond(&xs.zeros_like()?.affine(1., most)?, xs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_nan_stays_one() {
        for activation in Activation::ALL {
            let xs = Tensor::new(&[f32::NAN, 1.], &Device::Cpu).unwrap();
            let ys = activate(activation, &xs).unwrap();
            let ys = ys.to_vec1::<f32>().unwrap();
            assert!(ys[0].is_nan() && ys[1] > 0., "{activation:?}: {ys:?}");
        }
        let xs = [-1., 0., 2., f32::INFINITY, f32::NEG_INFINITY];
        let ys = activate(Activation::Relu, &Tensor::new(&xs, &Device::Cpu).unwrap()).unwrap();
        let ys = ys.to_vec1::<f32>().unwrap();
        assert_eq!(ys, [0., 0., 2., f32::INFINITY, 0.]);
    }

    // torch.nn.functional's relu6, leaky_relu, silu, hardswish, gelu, gelu(approximate="tanh"),
    // sigmoid and hardsigmoid in double precision; the last line by Keras 2's formula.
    #[test]
    fn activations_are_those_of_pytorch() {
        let xs = [-4., -2.5, -0.5, 0.5, 2.5, 7.];
        let expected: [(Activation, [f64; 6]); 9] = [
            (Activation::Relu6, [0., 0., 0., 0.5, 2.5, 6.]),
            (
                Activation::LeakyRelu { slope: 0.01 },
                [-0.04, -0.025, -0.005, 0.5, 2.5, 7.],
            ),
            (
                Activation::Silu,
                [
                    -0.071_944_840,
                    -0.189_645_450,
                    -0.188_770_334,
                    0.311_229_666,
                    2.310_354_550,
                    6.993_622_642,
                ],
            ),
            (
                Activation::HardSwish,
                [
                    0.,
                    -0.208_333_333,
                    -0.208_333_333,
                    0.291_666_667,
                    2.291_666_667,
                    7.,
                ],
            ),
            (
                Activation::Gelu,
                [
                    -0.000_126_685,
                    -0.015_524_163,
                    -0.154_268_769,
                    0.345_731_231,
                    2.484_475_837,
                    7.,
                ],
            ),
            (
                Activation::GeluTanh,
                [
                    -0.000_070_246,
                    -0.015_084_266,
                    -0.154_285_990,
                    0.345_714_010,
                    2.484_915_734,
                    7.,
                ],
            ),
            (
                Activation::Sigmoid,
                [
                    0.017_986_210,
                    0.075_858_180,
                    0.377_540_669,
                    0.622_459_331,
                    0.924_141_820,
                    0.999_088_949,
                ],
            ),
            (
                Activation::HardSigmoid,
                [
                    0.,
                    0.083_333_333,
                    0.416_666_667,
                    0.583_333_333,
                    0.916_666_667,
                    1.,
                ],
            ),
            (Activation::HardSigmoidKeras2, [0., 0., 0.4, 0.6, 1., 1.]),
        ];
        for (activation, expected) in expected {
            let tensor = Tensor::new(&xs, &Device::Cpu).unwrap();
            let ys = activate(activation, &tensor).unwrap().to_vec1::<f64>();
            for (found, expected) in ys.unwrap().into_iter().zip(expected) {
                // The digits that are written down.
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{activation:?}: {found} {expected}"
                );
            }
        }
    }
}
