//! What an SE block may do otherwise.

use candle_core::{Result, Tensor};

use super::Cause;
use super::subject::{Attempt, Subject};
use crate::network::squeeze_excitation::SqueezeExcitation;
use crate::network::{Operation, Value};
use crate::parity::segment::{Edit, Work, first};

/// The block that this layer is in, by its index in the network's list.
pub(super) fn block_of<'a>(subject: &Subject<'a>, layer: usize) -> Option<&'a SqueezeExcitation> {
    let segment = subject.segment;
    segment.blocks.iter().find(|block| {
        let mut excitation = block.excitation.iter();
        layer == block.squeeze
            || layer == block.scale
            || excitation.any(|dense| (dense.layer..=dense.last()).contains(&layer))
    })
}

pub(super) fn squeeze_of_maximum(subject: &Subject) -> Vec<Attempt> {
    if subject.operation() != Operation::GlobalAveragePool {
        return Vec::new();
    }
    let layer = subject.segment.nodes[subject.node].layer;
    let (cause, explained_by) = match block_of(subject, layer) {
        Some(_) => (
            Cause::SqueezeOfMaximum,
            "a squeeze to maxima in place of means",
        ),
        None => (Cause::PoolKind, "maxima in place of means"),
    };
    let work = Work::function(|inputs| maxima(first(inputs)?));
    vec![Attempt::new(cause, explained_by, subject.instead(work))]
}

/// Each channel's largest value: `[N, C, H, W]` to `[N, C, 1, 1]`.
fn maxima(xs: &Tensor) -> Result<Tensor> {
    xs.max_keepdim(3)?.max_keepdim(2)
}

pub(super) fn added(subject: &Subject) -> Vec<Attempt> {
    if subject.operation() != Operation::Scale {
        return Vec::new();
    }
    let work = Work::function(|inputs| match inputs {
        [xs, gate] => xs.broadcast_add(gate),
        _ => first(inputs).cloned(),
    });
    let explained_by = "the gate added, not multiplied by";
    vec![Attempt::new(
        Cause::GateAdded,
        explained_by,
        subject.instead(work),
    )]
}

pub(super) fn missing(subject: &Subject) -> Vec<Attempt> {
    if subject.operation() != Operation::Scale {
        return Vec::new();
    }
    vec![Attempt::new(
        Cause::GateMissing,
        "the gate not applied",
        subject.instead(Work::nothing()),
    )]
}

/// What is gated is what goes into the activation that this network gates the value of.
pub(super) fn moved_before_activation(subject: &Subject) -> Vec<Attempt> {
    let segment = subject.segment;
    let mut attempts = Vec::new();
    for block in segment.blocks.iter() {
        let Some(scale) = segment.node_of(block.scale) else {
            continue;
        };
        let Some(layer) = subject.at(scale).read(0).and_then(Value::layer) else {
            continue;
        };
        let Some(activated) = segment.node_of(layer) else {
            continue;
        };
        let activated = subject.at(activated);
        let (Some(activation), Some(&source)) = (
            activated.activation(),
            segment.nodes[activated.node].inputs.first(),
        ) else {
            continue;
        };
        let function = Operation::Activation(activation);
        let mut edits = vec![
            Edit::Read(scale, 0, source),
            subject.at(scale).after(function),
        ];
        let explained_by = format!(
            "the gate applied before the {}, not after",
            activation.name()
        );
        attempts.push(Attempt {
            cause: Cause::GateMoved,
            explained_by: format!("{explained_by}, its squeeze left there"),
            edits: edits.clone(),
        });
        if let Some(squeeze) = segment.node_of(block.squeeze) {
            edits.push(Edit::Read(squeeze, 0, source));
            attempts.push(Attempt {
                cause: Cause::GateMoved,
                explained_by,
                edits,
            });
        }
    }
    attempts
}

/// What is gated is the value of the activation that in this network follows the gate.
pub(super) fn moved_after_activation(subject: &Subject) -> Vec<Attempt> {
    let segment = subject.segment;
    let mut attempts = Vec::new();
    for block in segment.blocks.iter() {
        let Some(scale) = segment.node_of(block.scale).map(|node| subject.at(node)) else {
            continue;
        };
        let readers: Vec<usize> = scale.readers().collect();
        let [reader] = readers[..] else { continue };
        let Some(activated) = segment.node_of(reader).map(|node| subject.at(node)) else {
            continue;
        };
        let Some(activation) = activated.activation() else {
            continue;
        };
        let function = Operation::Activation(activation);
        let mut edits = vec![
            scale.before(0, function),
            activated.instead(Work::nothing()),
        ];
        if let Some(squeeze) = segment.node_of(block.squeeze) {
            edits.push(subject.at(squeeze).before(0, function));
        }
        attempts.push(Attempt {
            cause: Cause::GateMoved,
            explained_by: format!(
                "the gate applied after the {}, not before",
                activation.name()
            ),
            edits,
        });
    }
    attempts
}
