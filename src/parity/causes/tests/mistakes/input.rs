//! Mistakes in the input, and rounding.

use super::super::networks::{Case, computed};
use super::{Mistake, conv, mistake, permuted};
use crate::parity::causes::Cause;
use crate::preprocessing::{IMAGENET_MEAN, IMAGENET_STD};
use candle_core::{DType, Device, Tensor};

fn with_input(case: &mut Case, change: fn(&Tensor) -> Tensor) -> String {
    case.input = change(&case.input).contiguous().unwrap();
    String::new()
}

/// Every pixel's channel times a factor, and an offset.
fn by_channel(xs: &Tensor, factors: [f64; 3], offsets: [f64; 3]) -> Tensor {
    let of = |values: &[f64; 3]| {
        Tensor::new(values, &Device::Cpu)
            .unwrap()
            .reshape((1, 3, 1, 1))
    };
    let scaled = xs.broadcast_mul(&of(&factors).unwrap()).unwrap();
    scaled.broadcast_add(&of(&offsets).unwrap()).unwrap()
}

fn through(xs: &Tensor, dtype: DType) -> Tensor {
    xs.to_dtype(dtype).unwrap().to_dtype(DType::F64).unwrap()
}

/// To a multiple of the unit of the last of 11 bits, by arithmetic.
fn of_11_bits(xs: &Tensor) -> Tensor {
    let values = xs.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let round = |x: f64| {
        if x == 0. {
            return x;
        }
        let unit = (x.abs().log2().floor() - 10.).exp2();
        (x / unit).round_ties_even() * unit
    };
    let values: Vec<f64> = values.into_iter().map(round).collect();
    Tensor::from_vec(values, xs.shape(), &Device::Cpu).unwrap()
}

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("BGR", Cause::InputChannelOrder, |case| {
        Some(with_input(case, |xs| {
            let order = Tensor::new(&[2_u32, 1, 0], &Device::Cpu).unwrap();
            xs.index_select(&order, 1).unwrap()
        }))
    }),
    mistake("0 to 255 for 0 to 1", Cause::InputScale, |case| {
        Some(with_input(case, |xs| (xs * 255.).unwrap()))
    }),
    mistake("-1 to 1 for 0 to 255", Cause::InputScale, |case| {
        Some(with_input(case, |xs| ((xs / 127.5).unwrap() - 1.).unwrap()))
    }),
    mistake("mean and deviation", Cause::InputNormalization, |case| {
        Some(with_input(case, |xs| {
            let factors = IMAGENET_STD.map(|std| 1. / std);
            let offsets: [f64; 3] = std::array::from_fn(|c| -IMAGENET_MEAN[c] / IMAGENET_STD[c]);
            by_channel(xs, factors, offsets)
        }))
    }),
    mistake("NHWC read as NCHW", Cause::InputLayout, |case| {
        Some(with_input(case, |xs| {
            permuted(xs, &[0, 2, 3, 1]).reshape(xs.shape()).unwrap()
        }))
    }),
    mistake("image transposed", Cause::InputTransposed, |case| {
        Some(with_input(case, |xs| permuted(xs, &[0, 1, 3, 2])))
    }),
    mistake("TF32", Cause::RoundingTf32, |case| {
        let name = case.some(|layer| conv(layer).is_some())?;
        let operation = case.operation(&name)?;
        let kernel = of_11_bits(&case.tensor(&name, "weight"));
        let bias = case.tensors.get(&format!("{name}.bias")).cloned();
        case.hook(&name, move |inputs| {
            let tensors = bias
                .iter()
                .map(|bias| ("bias", bias))
                .chain([("weight", &kernel)]);
            computed(operation, tensors, &[&of_11_bits(inputs[0])])
        });
        Some(name)
    }),
    mistake("float16", Cause::RoundingF16, |case| {
        case.rounds = Some(|xs| through(xs, DType::F16));
        Some(case.list[0].name.clone())
    }),
    mistake("bfloat16", Cause::RoundingBf16, |case| {
        case.rounds = Some(|xs| through(xs, DType::BF16));
        Some(case.list[0].name.clone())
    }),
];
