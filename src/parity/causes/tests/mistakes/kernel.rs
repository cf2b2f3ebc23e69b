//! Mistakes in kernels and biases.

use super::super::networks::{Case, Named, computed};
use super::{Mistake, conv, interleaved, last, mistake, permuted, without_bias};
use crate::network::Operation;
use crate::network::operation::Conv;
use crate::parity::causes::Cause;
use candle_core::Tensor;

fn has_square_kernel(layer: &Named) -> bool {
    conv(layer).is_some_and(|conv| {
        conv.window.kernel[0] == conv.window.kernel[1] && conv.window.kernel[0] > 1
    })
}

fn with_kernel(
    case: &mut Case,
    is_wanted: fn(&Named) -> bool,
    change: fn(&Tensor) -> Tensor,
) -> Option<String> {
    let name = case.some(is_wanted)?;
    let kernel = case.tensor(&name, "weight");
    case.set(&name, "weight", change(&kernel));
    Some(name)
}

fn is_grouped(layer: &Named) -> bool {
    conv(layer).is_some_and(|conv| conv.groups > 1 && conv.channels_per_group() > 1)
}

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("bias missing", Cause::BiasMissing, |case| {
        let name = last(case);
        without_bias(case, &name);
        Some(name)
    }),
    mistake(
        "kernel's rows for columns",
        Cause::KernelTransposed,
        |case| {
            with_kernel(case, has_square_kernel, |kernel| {
                permuted(kernel, &[0, 1, 3, 2])
            })
        },
    ),
    mistake("kernel turned round", Cause::KernelFlipped, |case| {
        with_kernel(case, has_square_kernel, |kernel| {
            kernel.flip(&[2, 3]).unwrap()
        })
    }),
    mistake("inputs for outputs", Cause::KernelChannelsSwapped, |case| {
        let is_square = |layer: &Named| {
            conv(layer)
                .is_some_and(|conv| conv.groups == 1 && conv.in_channels == conv.out_channels)
        };
        with_kernel(case, is_square, |kernel| permuted(kernel, &[1, 0, 2, 3]))
    }),
    mistake("HWIO read as OIHW", Cause::KernelMisread, |case| {
        with_kernel(case, has_square_kernel, |kernel| {
            permuted(kernel, &[2, 3, 1, 0])
                .reshape(kernel.shape())
                .unwrap()
        })
    }),
    mistake(
        "outputs of groups interleaved",
        Cause::GroupOutputsReordered,
        |case| {
            let name = case.some(is_grouped)?;
            let conv = conv(case.at(&name))?;
            let order = interleaved(conv.out_channels, conv.groups);
            for parameter in ["weight", "bias"] {
                if let Some(tensor) = case.tensors.get(&format!("{name}.{parameter}")) {
                    let tensor = tensor.index_select(&order, 0).unwrap();
                    case.set(&name, parameter, tensor);
                }
            }
            Some(name)
        },
    ),
    Mistake {
        name: "depthwise multiplier's outputs interleaved",
        cause: Cause::GroupOutputsReordered,
        // A depthwise convolution that makes two maps of each, and a sum of both.
        prepare: |case| {
            let name = case.some(|layer| {
                conv(layer).is_some_and(|conv| conv.groups > 1 && conv.channels_per_group() == 1)
            })?;
            let depthwise = conv(case.at(&name))?;
            case.at(&name).operation = Operation::Conv(Conv {
                out_channels: 2 * depthwise.out_channels,
                ..depthwise
            });
            let kernel = case.tensor(&name, "weight");
            let more = (kernel.flip(&[0]).unwrap() * 0.7).unwrap();
            let both = Tensor::stack(&[kernel, more], 1)
                .unwrap()
                .flatten(0, 1)
                .unwrap();
            case.set(&name, "weight", both);
            let first = Named {
                name: format!("{name}.first"),
                operation: Operation::Slice {
                    first: 0,
                    channels: depthwise.out_channels,
                },
                inputs: vec![name.clone()],
            };
            for reader in case.readers(&name) {
                case.at(&reader).inputs[0] = first.name.clone();
            }
            let place = case.place(&name);
            case.list.insert(place + 1, first);
            Some(())
        },
        make: |case| {
            let is_first = |layer: &Named| matches!(layer.operation, Operation::Slice { .. });
            let slice = case.some(is_first)?;
            let name = case.at(&slice).inputs[0].clone();
            let conv = conv(case.at(&name))?;
            let order = interleaved(conv.out_channels, conv.in_channels);
            let kernels = case
                .tensor(&name, "weight")
                .index_select(&order, 0)
                .unwrap();
            case.set(&name, "weight", kernels);
            Some(name)
        },
    },
    mistake(
        "inputs of groups interleaved",
        Cause::GroupInputsReordered,
        |case| {
            let name = case.some(is_grouped)?;
            let conv = conv(case.at(&name))?;
            let order = interleaved(conv.in_channels, conv.groups);
            let kernel = case.tensor(&name, "weight");
            let operation = case.operation(&name)?;
            case.hook(&name, move |inputs| {
                let shuffled = inputs[0].index_select(&order, 1).unwrap();
                computed(operation, [("weight", &kernel)], &[&shuffled])
            });
            Some(name)
        },
    ),
];
