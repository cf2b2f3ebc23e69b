//! How a window's border may be padded otherwise.

use super::Cause;
use super::subject::{Attempt, Subject};
use crate::network::Operation;
use crate::network::geometry::{Padding, Window};
use crate::network::operation::Conv;

/// The window of a convolution or pool.
pub(super) fn own_window(subject: &Subject) -> Option<Window> {
    match subject.operation() {
        Operation::Conv(Conv { window, .. })
        | Operation::MaxPool(window)
        | Operation::AveragePool { window, .. } => Some(window),
        _ => None,
    }
}

/// The operation with another window.
pub(super) fn with_window(operation: Operation, window: Window) -> Operation {
    match operation {
        Operation::Conv(conv) => Operation::Conv(Conv { window, ..conv }),
        Operation::MaxPool(_) => Operation::MaxPool(window),
        Operation::AveragePool { border, .. } => Operation::AveragePool { window, border },
        other => other,
    }
}

fn name(padding: Padding) -> String {
    match padding {
        Padding::Same => "SAME".to_owned(),
        Padding::VALID => "none (VALID)".to_owned(),
        Padding::Symmetric([rows, columns]) if rows == columns => format!("{rows} on all sides"),
        Padding::Symmetric([rows, columns]) => format!("{rows} by {columns} on both sides"),
        Padding::Explicit([[top, bottom], [left, right]]) => {
            format!("{top} above, {bottom} below, {left} before and {right} after")
        }
    }
}

/// The layer padded so, where it pads otherwise and the window stands at other places.
fn padded(subject: &Subject, cause: Cause, padding: Padding) -> Vec<Attempt> {
    let (Some(window), Some(size)) = (own_window(subject), subject.size()) else {
        return Vec::new();
    };
    let other = Window { padding, ..window };
    let (own, others) = (window.extents(size), other.extents(size));
    let differs = match (own, others) {
        (Ok(own), Ok(others)) => own != others,
        (Err(_), Ok(_)) => true,
        (_, Err(_)) => false,
    };
    if !differs {
        return Vec::new();
    }
    vec![Attempt::new(
        cause,
        format!(
            "padding {} in place of {}",
            name(padding),
            name(window.padding)
        ),
        subject.operation_instead(with_window(subject.operation(), other)),
    )]
}

/// Rows or columns from a window's first element to its last, less one.
fn reach(window: Window) -> [usize; 2] {
    [0, 1].map(|axis| window.kernel[axis].saturating_sub(1) * window.dilation[axis])
}

pub(super) fn same(subject: &Subject) -> Vec<Attempt> {
    padded(subject, Cause::PaddingSame, Padding::Same)
}

pub(super) fn symmetric(subject: &Subject) -> Vec<Attempt> {
    let Some(window) = own_window(subject) else {
        return Vec::new();
    };
    let pads = reach(window).map(|reach| reach / 2);
    if pads == [0, 0] {
        return Vec::new();
    }
    padded(subject, Cause::PaddingSymmetric, Padding::Symmetric(pads))
}

pub(super) fn odd_pixel(subject: &Subject) -> Vec<Attempt> {
    let (Some(window), Some(size)) = (own_window(subject), subject.size()) else {
        return Vec::new();
    };
    let Ok(extents) = window.extents(size) else {
        return Vec::new();
    };
    let is_even = extents.iter().all(|extent| extent.before == extent.after);
    // What a symmetric padding leaves over is no odd pixel of its own.
    if is_even || matches!(window.padding, Padding::Symmetric(_)) {
        return Vec::new();
    }
    let turned = extents.map(|extent| [extent.after, extent.before]);
    padded(subject, Cause::PaddingOddPixel, Padding::Explicit(turned))
}

/// Zeros around a map in a layer of their own, otherwise.
pub(super) fn of_zeros(subject: &Subject) -> Vec<Attempt> {
    let Operation::ZeroPad(own) = subject.operation() else {
        return Vec::new();
    };
    let turned = own.map(|[before, after]| [after, before]);
    let evened = own.map(|[before, after]| [usize::midpoint(before, after); 2]);
    let attempt = |(cause, pads): (Cause, [[usize; 2]; 2])| {
        Attempt::new(
            cause,
            format!(
                "padding {} in place of {}",
                name(Padding::Explicit(pads)),
                name(Padding::Explicit(own))
            ),
            subject.operation_instead(Operation::ZeroPad(pads)),
        )
    };
    [
        (Cause::PaddingOddPixel, turned),
        (Cause::PaddingSymmetric, evened),
    ]
    .into_iter()
    .filter(|(_, pads)| *pads != own)
    .map(attempt)
    .collect()
}

pub(super) fn valid(subject: &Subject) -> Vec<Attempt> {
    padded(subject, Cause::PaddingValid, Padding::VALID)
}
