//! Mistakes in what is read and in which order, and at the end.

use super::super::networks::{Case, Named};
use super::{Mistake, interleaved, last, mistake, permuted};
use crate::network::{Activation, Operation};
use crate::parity::causes::Cause;

/// Ends with a flatten of a map that has pixels, in place of its means.
fn flattened_end(case: &mut Case) -> Option<()> {
    let pool = case
        .list
        .iter()
        .rposition(|layer| layer.operation == Operation::GlobalAveragePool)?;
    let map = case.list[pool].inputs[0].clone();
    let values = case.values();
    let (_, value) = values.iter().find(|(name, _)| *name == map)?;
    let (_, channels, height, width) = value.dims4().ok()?;
    if height * width == 1 {
        return None;
    }
    case.list.truncate(pool);
    case.list.push(Named {
        name: "flatten".to_owned(),
        operation: Operation::Flatten { height, width },
        inputs: vec![map],
    });
    case.list.push(Named {
        name: "dense".to_owned(),
        operation: Operation::Linear {
            inputs: channels * height * width,
            outputs: 10,
            bias: true,
        },
        inputs: vec!["flatten".to_owned()],
    });
    case.draw_more();
    Some(())
}

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "flatten by pixel (HWC)",
        cause: Cause::FlattenOrder,
        prepare: flattened_end,
        make: |case| {
            case.hook("flatten", |inputs| {
                permuted(inputs[0], &[0, 2, 3, 1]).flatten_from(1).unwrap()
            });
            Some("flatten".to_owned())
        },
    },
    Mistake {
        name: "dense layer's weights of HWC order",
        cause: Cause::FlattenOrder,
        prepare: flattened_end,
        make: |case| {
            let Some(Operation::Flatten { height, width }) = case.operation("flatten") else {
                unreachable!();
            };
            let weight = case.tensor("dense", "weight");
            let (outputs, inputs) = weight.dims2().unwrap();
            let channels = inputs / (height * width);
            let turned = weight.reshape((outputs, channels, height, width)).unwrap();
            let turned = permuted(&turned, &[0, 2, 3, 1])
                .reshape((outputs, inputs))
                .unwrap();
            case.set("dense", "weight", turned);
            Some("dense".to_owned())
        },
    },
    mistake("concat in another order", Cause::ConcatOrder, |case| {
        let name = case.some(|layer| layer.operation == Operation::Concat)?;
        case.at(&name).inputs.reverse();
        Some(name)
    }),
    Mistake {
        name: "shuffle with groups for channels",
        cause: Cause::ShuffleOrder,
        // The channels of some norm shuffled, before what reads them.
        prepare: |case| {
            let is_wide = |layer: &Named| matches!(layer.operation, Operation::BatchNorm { channels, .. } if channels % 2 == 0 && channels > 4);
            let name = case.some(is_wide)?;
            for reader in case.readers(&name) {
                for input in &mut case.at(&reader).inputs {
                    if *input == name {
                        "shuffle".clone_into(input);
                    }
                }
            }
            let place = case.place(&name);
            let shuffle = Named {
                name: "shuffle".to_owned(),
                operation: Operation::ShuffleChannels { groups: 2 },
                inputs: vec![name],
            };
            case.list.insert(place + 1, shuffle);
            Some(())
        },
        make: |case| {
            case.hook("shuffle", |inputs| {
                let channels = inputs[0].dim(1).unwrap();
                let order = interleaved(channels, channels / 2);
                inputs[0].index_select(&order, 1).unwrap()
            });
            Some("shuffle".to_owned())
        },
    },
    Mistake {
        name: "softmax missing",
        cause: Cause::SoftmaxMissing,
        prepare: |case| {
            let read = last(case);
            case.list.push(Named {
                name: "softmax".to_owned(),
                operation: Operation::Softmax,
                inputs: vec![read],
            });
            Some(())
        },
        make: |case| {
            case.hook("softmax", |inputs| inputs[0].clone());
            Some("softmax".to_owned())
        },
    },
    mistake("softmax applied", Cause::SoftmaxApplied, |case| {
        let name = last(case);
        let weight = case.tensor(&name, "weight");
        let bias = case.tensor(&name, "bias");
        case.hook(&name, move |inputs| {
            let logits = inputs[0].matmul(&weight.t().unwrap()).unwrap();
            let logits = logits.broadcast_add(&bias).unwrap();
            let shares = logits.exp().unwrap();
            let sums = shares.sum_keepdim(1).unwrap();
            shares.broadcast_div(&sums).unwrap()
        });
        Some(name)
    }),
    mistake("another shortcut", Cause::AnotherInput, |case| {
        let name = case.some(|layer| {
            let read = layer.inputs.last().and_then(|name| case.operation(name));
            layer.operation == Operation::Add
                && matches!(read, Some(Operation::Activation(Activation::Relu)))
        })?;
        let shortcut = case.at(&name).inputs[1].clone();
        let before = case.at(&shortcut).inputs[0].clone();
        case.at(&name).inputs[1] = before;
        Some(name)
    }),
    mistake("shortcut missing", Cause::LayerMissing, |case| {
        let name = case.some(|layer| layer.operation == Operation::Add)?;
        case.leave_out(&name);
        Some(name)
    }),
];
