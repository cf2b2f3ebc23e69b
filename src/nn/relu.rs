use candle_core::{Result, Tensor};

/// max(x, 0), and NaN where x is NaN: candle's own makes 0 of it, so that broken weights would
/// give a confident answer.
pub(super) fn relu(xs: &Tensor) -> Result<Tensor> {
    xs.lt(0f64)?.where_cond(&xs.zeros_like()?, xs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_nan_stays_one() {
        let xs = [f32::NAN, -1., 0., 2., f32::INFINITY, f32::NEG_INFINITY];
        let ys = relu(&Tensor::new(&xs, &Device::Cpu).unwrap()).unwrap();
        let ys = ys.to_vec1::<f32>().unwrap();
        assert!(ys[0].is_nan());
        assert_eq!(ys[1..], [0., 0., 2., f32::INFINITY, 0.]);
    }
}
