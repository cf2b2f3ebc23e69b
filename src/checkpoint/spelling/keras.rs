//! Keras: `conv1.kernel` or `conv1/kernel`, HWIO, `[in, out]`.

use super::{Arrangement, Spelling, TORCH};
use crate::network::Operation;

pub(in crate::checkpoint) const KERAS: Spelling = Spelling {
    words: "Keras",
    is_told_by,
    convention: |_| None,
    parameter,
    arrangements,
    ..TORCH
};

fn is_told_by(name: &str) -> bool {
    const OF_KERAS: [&str; 5] = ["kernel", "gamma", "beta", "moving_mean", "moving_variance"];
    let name = canonical_separators(name);
    let last = name.rsplit('.').next();
    last.is_some_and(|last| OF_KERAS.contains(&last))
}

fn parameter(operation: &Operation, name: &'static str) -> &'static str {
    match (operation, name) {
        (Operation::BatchNorm { .. }, "weight") => "gamma",
        (Operation::BatchNorm { .. }, "bias") => "beta",
        (Operation::BatchNorm { .. }, "running_mean") => "moving_mean",
        (Operation::BatchNorm { .. }, "running_var") => "moving_variance",
        (_, "weight") => "kernel",
        _ => name,
    }
}

/// Keras goes through the pixels before it goes through their channels.
fn arrangements(shape: &[usize], [height, width]: [usize; 2]) -> Vec<Arrangement> {
    match *shape {
        [outputs, inputs, rows, columns] => {
            let conv = Arrangement {
                shape: vec![rows, columns, inputs, outputs],
                view: vec![rows, columns, inputs, outputs],
                permutation: &[3, 2, 0, 1],
            };
            // `DepthwiseConv2D` has what a channel is multiplied to last.
            let depthwise = Arrangement {
                shape: vec![rows, columns, outputs, 1],
                view: vec![rows, columns, outputs, 1],
                permutation: &[2, 3, 0, 1],
            };
            match inputs {
                1 => vec![depthwise, conv],
                _ => vec![conv],
            }
        }
        [outputs, inputs] => {
            let pixels = height * width;
            let channels = inputs / pixels.max(1);
            let dense = Arrangement {
                shape: vec![inputs, outputs],
                view: vec![pixels, channels, outputs],
                permutation: &[2, 1, 0],
            };
            let conv = Arrangement {
                shape: vec![height, width, channels, outputs],
                ..dense.clone()
            };
            vec![dense, conv]
        }
        _ => (TORCH.arrangements)(shape, [height, width]),
    }
}

/// A Keras path in our spelling. Keras puts a sublayer's name after its parent's, whether or not
/// it repeats it: `layer1.0.se/fc1/kernel` and `layer1.0.se/layer1.0.se.fc1/kernel` are one.
pub(in crate::checkpoint) fn canonical_separators(name: &str) -> String {
    let mut path = String::new();
    for part in name.split('/') {
        let repeats = part
            .strip_prefix(path.as_str())
            .is_some_and(|rest| rest.starts_with('.'));
        if path.is_empty() || repeats {
            part.clone_into(&mut path);
        } else {
            path.push('.');
            path.push_str(part);
        }
    }
    path
}
