//! Mistakes, each made in a real network by changing its layers, weights or input.

mod activation;
mod gate;
mod input;
mod kernel;
mod norm;
mod window;
mod wiring;

use super::networks::{Case, Named};
use crate::network::Operation;
use crate::network::operation::Conv;
use crate::parity::causes::Cause;
use candle_core::{Device, Tensor};

/// Something that a person who ports a network gets wrong.
pub(super) struct Mistake {
    /// In words, for the table.
    pub(super) name: &'static str,
    pub(super) cause: Cause,
    /// What is done to the network first, with and without the mistake; nothing where the mistake
    /// cannot be made in it.
    pub(super) prepare: fn(&mut Case) -> Option<()>,
    /// Makes it, and says in which layer; in the network's input where that is empty.
    pub(super) make: fn(&mut Case) -> Option<String>,
}

/// All of them, in the order in which the documentation lists them.
pub(super) fn all() -> impl Iterator<Item = &'static Mistake> {
    [
        norm::MISTAKES,
        kernel::MISTAKES,
        window::MISTAKES,
        activation::MISTAKES,
        gate::MISTAKES,
        wiring::MISTAKES,
        input::MISTAKES,
    ]
    .into_iter()
    .flatten()
}

const fn mistake(
    name: &'static str,
    cause: Cause,
    make: fn(&mut Case) -> Option<String>,
) -> Mistake {
    Mistake {
        name,
        cause,
        prepare: |_| Some(()),
        make,
    }
}

fn is_norm(layer: &Named) -> bool {
    matches!(layer.operation, Operation::BatchNorm { .. })
}

fn conv(layer: &Named) -> Option<Conv> {
    match layer.operation {
        Operation::Conv(conv) => Some(conv),
        _ => None,
    }
}

/// The same numbers with other axes.
fn permuted(tensor: &Tensor, axes: &[usize]) -> Tensor {
    tensor.permute(axes).unwrap().contiguous().unwrap()
}

fn without_bias(case: &mut Case, name: &str) {
    match &mut case.at(name).operation {
        Operation::Linear { bias, .. } => *bias = false,
        Operation::Conv(conv) => conv.bias = false,
        _ => unreachable!(),
    }
}

/// The layer whose value is the network's.
fn last(case: &Case) -> String {
    case.list.last().unwrap().name.clone()
}

/// The places of outputs or inputs in the order that counts channels of a group first.
fn interleaved(channels: usize, groups: usize) -> Tensor {
    let of_group = channels / groups;
    let order = (0..channels).map(|place| {
        let (within, group) = (place / groups, place % groups);
        u32::try_from(group * of_group + within).unwrap()
    });
    Tensor::from_vec(order.collect::<Vec<u32>>(), channels, &Device::Cpu).unwrap()
}
