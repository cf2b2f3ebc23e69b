//! Where a block's stride may be otherwise.

use super::Cause;
use super::padding::{own_window, with_window};
use super::subject::{Attempt, Subject};
use crate::network::Operation;
use crate::network::geometry::Window;

fn own_stride(subject: &Subject) -> Option<[usize; 2]> {
    match subject.operation() {
        Operation::Conv(conv) => Some(conv.window.stride),
        _ => None,
    }
}

fn strided(subject: &Subject, stride: [usize; 2]) -> Option<Operation> {
    let window = own_window(subject)?;
    let window = Window { stride, ..window };
    Some(with_window(subject.operation(), window))
}

/// Another stride than the convolution has: none, or that of most blocks.
pub(super) fn another(subject: &Subject) -> Vec<Attempt> {
    let Some(own) = own_stride(subject) else {
        return Vec::new();
    };
    let other = if own == [1, 1] { [2, 2] } else { [1, 1] };
    let operation = strided(subject, other);
    let attempt = operation.map(|operation| {
        Attempt::new(
            Cause::StrideElsewhere,
            format!("stride {} in place of {}", other[0], own[0]),
            subject.operation_instead(operation),
        )
    });
    attempt.into_iter().collect()
}

/// The strides of two convolutions exchanged.
pub(super) fn exchanged(subject: &Subject) -> Vec<Attempt> {
    let nodes = 0..subject.segment.nodes.len();
    let convolutions: Vec<_> = nodes
        .filter_map(|node| Some((node, own_stride(&subject.at(node))?)))
        .collect();
    let mut found = Vec::new();
    for (place, &(first, own)) in convolutions.iter().enumerate() {
        for &(second, other) in &convolutions[place + 1..] {
            let (one, two) = (subject.at(first), subject.at(second));
            if own == other {
                continue;
            }
            let (Some(changed), Some(changed_too)) = (strided(&one, other), strided(&two, own))
            else {
                continue;
            };
            found.push(Attempt {
                cause: Cause::StrideElsewhere,
                explained_by: format!(
                    "the stride on `{}` in place of `{}`",
                    if own == [1, 1] {
                        &one.layer().name
                    } else {
                        &two.layer().name
                    },
                    if own == [1, 1] {
                        &two.layer().name
                    } else {
                        &one.layer().name
                    },
                ),
                edits: vec![
                    one.operation_instead(changed),
                    two.operation_instead(changed_too),
                ],
            });
        }
    }
    found
}
