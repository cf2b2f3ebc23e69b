//! How elements may lie otherwise, and what may come of the network's end.

use candle_core::{Result, Tensor};

use super::Cause;
use super::subject::{Attempt, Subject};
use crate::network::{Activation, Operation};
use crate::parity::segment::{Edit, Work, first};

const BY_PIXEL: &str = "a flatten pixel by pixel (HWC) in place of channel by channel (CHW)";
const BY_CHANNEL: &str = "a flatten channel by channel (CHW) in place of pixel by pixel (HWC)";

pub(super) fn flatten_order(subject: &Subject) -> Vec<Attempt> {
    match subject.operation() {
        Operation::Flatten { height, width } if height * width > 1 => {}
        _ => return Vec::new(),
    }
    let work = Work::function(|inputs| {
        let by_pixel = first(inputs)?.permute((0, 2, 3, 1))?.contiguous()?;
        by_pixel.flatten_from(1)
    });
    vec![Attempt::new(
        Cause::FlattenOrder,
        BY_PIXEL,
        subject.instead(work),
    )]
}

/// A dense layer whose weights expect the elements of a map in another order.
pub(super) fn dense_after_flatten(subject: &Subject) -> Vec<Attempt> {
    let Operation::Linear { inputs, .. } = subject.operation() else {
        return Vec::new();
    };
    let maker = subject
        .read(0)
        .and_then(|value| subject.segment.layers.maker(value));
    let Some(Operation::Flatten { height, width }) = maker.map(|layer| layer.operation) else {
        return Vec::new();
    };
    let pixels = height * width;
    if pixels <= 1 || inputs % pixels != 0 {
        return Vec::new();
    }
    let channels = inputs / pixels;
    let tensors = subject.tensors();
    let Some(weight) = tensors.get("weight") else {
        return Vec::new();
    };
    let turned = |dims: [usize; 2]| -> Result<Tensor> {
        let outputs = weight.dim(0)?;
        weight
            .reshape((outputs, dims[0], dims[1]))?
            .transpose(1, 2)?
            .contiguous()?
            .reshape(weight.shape())
    };
    let both = [
        (turned([pixels, channels]), BY_PIXEL),
        (turned([channels, pixels]), BY_CHANNEL),
    ];
    let attempt = |(weight, explained_by): (Result<Tensor>, &str)| {
        let mut tensors = tensors.clone();
        tensors.insert("weight".to_owned(), weight.ok()?);
        let edit = subject.tensors_instead(tensors);
        Some(Attempt::new(Cause::FlattenOrder, explained_by, edit))
    };
    both.into_iter().filter_map(attempt).collect()
}

pub(super) fn softmax_applied(subject: &Subject) -> Vec<Attempt> {
    let has_probabilities = subject.operation() == Operation::Softmax
        || subject.activation().is_some_and(Activation::is_gate);
    if !subject.is_output() || has_probabilities {
        return Vec::new();
    }
    let softmax = Work::function(|inputs| candle_nn::ops::softmax(first(inputs)?, 1));
    let softmax = Edit::After(subject.node, softmax);
    let sigmoid = subject.after(Operation::Activation(Activation::Sigmoid));
    [("a softmax", softmax), ("a sigmoid", sigmoid)]
        .into_iter()
        .map(|(function, edit)| {
            Attempt::new(
                Cause::SoftmaxApplied,
                format!("{function} at the end"),
                edit,
            )
        })
        .collect()
}

pub(super) fn softmax_missing(subject: &Subject) -> Vec<Attempt> {
    if subject.operation() != Operation::Softmax {
        return Vec::new();
    }
    let edit = subject.instead(Work::nothing());
    vec![Attempt::new(Cause::SoftmaxMissing, "no softmax", edit)]
}
