//! What a pool may do otherwise.

use candle_core::{Result, Tensor};

use super::Cause;
use super::padding::{own_window, with_window};
use super::subject::{Attempt, Subject};
use crate::network::Operation;
use crate::network::geometry::{Border, Padding, Rounding, Window};
use crate::parity::segment::{Work, first};

fn is_pool(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::MaxPool(_) | Operation::AveragePool { .. }
    )
}

pub(super) fn rounding(subject: &Subject) -> Vec<Attempt> {
    let Some(window) = own_window(subject).filter(|_| is_pool(subject.operation())) else {
        return Vec::new();
    };
    let (other, explained_by) = match window.rounding {
        Rounding::Floor => (Rounding::Ceil, "the number of windows rounded up, not down"),
        Rounding::Ceil => (
            Rounding::Floor,
            "the number of windows rounded down, not up",
        ),
    };
    let other = Window {
        rounding: other,
        ..window
    };
    vec![Attempt::new(
        Cause::PoolRounding,
        explained_by,
        subject.operation_instead(with_window(subject.operation(), other)),
    )]
}

pub(super) fn border(subject: &Subject) -> Vec<Attempt> {
    let Operation::AveragePool { window, border } = subject.operation() else {
        return Vec::new();
    };
    let (other, explained_by) = match border {
        Border::Counted => (Border::LeftOut, "the padding left out of the average"),
        Border::LeftOut => (Border::Counted, "the padding counted in the average"),
    };
    // SAME never counts it where it is this program's; as explicit pads it can.
    let size = subject.size();
    let window = match (window.padding, size.map(|size| window.extents(size))) {
        (Padding::Same, Some(Ok(extents))) => Window {
            padding: Padding::Explicit(extents.map(|extent| [extent.before, extent.after])),
            ..window
        },
        _ => window,
    };
    let operation = Operation::AveragePool {
        window,
        border: other,
    };
    vec![Attempt::new(
        Cause::PoolBorder,
        explained_by,
        subject.operation_instead(operation),
    )]
}

pub(super) fn zero_padding(subject: &Subject) -> Vec<Attempt> {
    let Operation::MaxPool(window) = subject.operation() else {
        return Vec::new();
    };
    let work = Work::function(move |inputs| of_zeros(first(inputs)?, window));
    vec![Attempt::new(
        Cause::PoolZeroPadding,
        "padding of zeros, which win over negative values",
        subject.instead(work),
    )]
}

/// A max pool of an image whose border is padded with zeros.
fn of_zeros(xs: &Tensor, window: Window) -> Result<Tensor> {
    let (_, _, height, width) = xs.dims4()?;
    let [rows, columns] = window
        .extents([height, width])
        .map_err(candle_core::Error::wrap)?;
    let padded = xs
        .pad_with_zeros(2, rows.before, rows.after)?
        .pad_with_zeros(3, columns.before, columns.after)?;
    let [kernel, stride] = [window.kernel, window.stride].map(|[down, across]| (down, across));
    padded.max_pool2d_with_stride(kernel, stride)
}

pub(super) fn kind(subject: &Subject) -> Vec<Attempt> {
    let (operation, explained_by) = match subject.operation() {
        Operation::MaxPool(window) => {
            let border = Border::LeftOut;
            let average = Operation::AveragePool { window, border };
            (average, "means in place of maxima")
        }
        Operation::AveragePool { window, .. } => {
            (Operation::MaxPool(window), "maxima in place of means")
        }
        _ => return Vec::new(),
    };
    vec![Attempt::new(
        Cause::PoolKind,
        explained_by,
        subject.operation_instead(operation),
    )]
}
