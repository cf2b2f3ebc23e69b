//! Mistakes in SE blocks.

use super::super::networks::Case;
use super::{Mistake, mistake, without_bias};
use crate::network::Operation;
use crate::parity::causes::Cause;

/// Some SE block, by the names of its squeeze, its scale and what both read.
fn block(case: &Case) -> Option<(String, String, String)> {
    let scale = case.some(|layer| layer.operation == Operation::Scale)?;
    let squeezed = case.list[case.place(&scale)].inputs[0].clone();
    let squeeze = case
        .readers(&squeezed)
        .into_iter()
        .find(|name| case.operation(name) == Some(Operation::GlobalAveragePool))?;
    Some((squeeze, scale, squeezed))
}

/// The dense layers of some SE block.
fn dense(case: &Case) -> Option<Vec<String>> {
    let (squeeze, ..) = block(case)?;
    let mut name = squeeze;
    let mut dense = Vec::new();
    loop {
        name = case.readers(&name).first()?.clone();
        match case.operation(&name)? {
            Operation::Scale => return Some(dense),
            Operation::Linear { .. } | Operation::Conv(_) => dense.push(name.clone()),
            _ => {}
        }
    }
}

/// Whether an activation alone reads a layer's value.
fn is_rectified(case: &Case, name: &str) -> bool {
    match &case.readers(name)[..] {
        [reader] => matches!(case.operation(reader), Some(Operation::Activation(_))),
        _ => false,
    }
}

/// The SE block comes first, and then the activation whose value it had: as in this program's
/// networks the other way round.
fn gate_before_activation(case: &mut Case) -> Option<String> {
    let scales = case.all(|layer| layer.operation == Operation::Scale);
    let scale = scales.into_iter().find(|scale| {
        let read = case.list[case.place(scale)].inputs[0].clone();
        matches!(case.operation(&read), Some(Operation::Activation(_)))
    })?;
    let activation = case.at(&scale).inputs[0].clone();
    let before = case.at(&activation).inputs[0].clone();
    for reader in case.readers(&scale) {
        for input in &mut case.at(&reader).inputs {
            if *input == scale {
                input.clone_from(&activation);
            }
        }
    }
    for reader in case.readers(&activation) {
        if case.operation(&reader) == Some(Operation::GlobalAveragePool) {
            case.at(&reader).inputs[0].clone_from(&before);
        }
    }
    case.at(&scale).inputs[0] = before;
    case.at(&activation).inputs[0].clone_from(&scale);
    case.move_after(&activation, &scale);
    Some(activation)
}

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("SE block without biases", Cause::GateBiasMissing, |case| {
        let dense = dense(case)?;
        for name in &dense {
            without_bias(case, name);
        }
        dense.first().cloned()
    }),
    mistake(
        "squeeze of another tensor",
        Cause::SqueezeOfAnother,
        |case| {
            let (squeeze, _, squeezed) = block(case)?;
            match case.operation(&squeezed)? {
                Operation::BatchNorm { .. } | Operation::Activation(_) => {}
                _ => return None,
            }
            let before = case.at(&squeezed).inputs[0].clone();
            case.at(&squeeze).inputs[0] = before;
            Some(squeeze)
        },
    ),
    mistake("squeeze to maxima", Cause::SqueezeOfMaximum, |case| {
        let (squeeze, ..) = block(case)?;
        case.hook(&squeeze, |inputs| {
            let flat = inputs[0].flatten_from(2).unwrap();
            flat.max_keepdim(2).unwrap().unsqueeze(3).unwrap()
        });
        Some(squeeze)
    }),
    mistake(
        "gate before the activation",
        Cause::GateMoved,
        gate_before_activation,
    ),
    Mistake {
        name: "gate after the activation",
        cause: Cause::GateMoved,
        prepare: |case| gate_before_activation(case).map(|_| ()),
        make: |case| {
            let scale = case.some(|layer| {
                layer.operation == Operation::Scale && is_rectified(case, &layer.name)
            })?;
            let activation = case.readers(&scale).first()?.clone();
            let before = case.at(&scale).inputs[0].clone();
            let squeeze = case
                .readers(&before)
                .into_iter()
                .find(|reader| case.operation(reader) == Some(Operation::GlobalAveragePool))?;
            for reader in case.readers(&activation) {
                for input in &mut case.at(&reader).inputs {
                    if *input == activation {
                        input.clone_from(&scale);
                    }
                }
            }
            case.at(&activation).inputs[0].clone_from(&before);
            case.at(&squeeze).inputs[0].clone_from(&activation);
            case.at(&scale).inputs[0].clone_from(&activation);
            case.move_after(&activation, &before);
            Some(scale)
        },
    },
    mistake("gate added", Cause::GateAdded, |case| {
        let (_, scale, _) = block(case)?;
        case.hook(&scale, |inputs| inputs[0].broadcast_add(inputs[1]).unwrap());
        Some(scale)
    }),
    mistake("gate missing", Cause::GateMissing, |case| {
        let (_, scale, _) = block(case)?;
        case.leave_out(&scale);
        Some(scale)
    }),
];
