//! torchvision, timm and candle: `conv1.weight`, OIHW, `[out, in]`. Layers have such names here.

use super::{Arrangement, Spelling};
use crate::network::convention::TIMM;

pub(in crate::checkpoint) const TORCH: Spelling = Spelling {
    words: "torchvision, timm and candle",
    // What no other spelling is told by.
    is_told_by: |_| false,
    convention: |by_pytorch| by_pytorch.then_some(TIMM.name),
    allows: |_| true,
    slides_dense_layers: false,
    layer: |name, _| name.to_owned(),
    activates: |_| false,
    means_another: |_| false,
    parameter: |_, name| name,
    arrangements,
};

fn arrangements(shape: &[usize], [height, width]: [usize; 2]) -> Vec<Arrangement> {
    let as_ours = Arrangement::as_ours(shape);
    let &[outputs, inputs] = shape else {
        return vec![as_ours];
    };
    let channels = inputs / (height * width).max(1);
    let conv = Arrangement {
        shape: vec![outputs, channels, height, width],
        ..as_ours.clone()
    };
    vec![as_ours, conv]
}

/// Whether a tensor counts the batches that a batch norm has seen.
pub(in crate::checkpoint) fn counts_batches(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

/// Whether a tensor is none that a network reads: `PyTorch` counts batches in every batch norm
/// and the networks that it averaged, and torchvision's Inception keeps the second classifier
/// that helped its training.
pub(in crate::checkpoint) fn is_not_read(name: &str) -> bool {
    counts_batches(name) || name.ends_with("n_averaged") || name.starts_with("AuxLogits.")
}

/// The batch norm that a part of timm's `BatchNormAct2d` belongs to, by the part's name: its
/// dropout, or an activation that is no layer since it does nothing.
pub(in crate::checkpoint) fn norm_of_part(name: &str) -> Option<&str> {
    name.strip_suffix(".drop")
        .or_else(|| name.strip_suffix(".act"))
}

/// The global pool that a part of timm's `SelectAdaptivePool2d` belongs to, by the part's name: it
/// pools, then flattens, which changes no number.
pub(in crate::checkpoint) fn pool_of_part(name: &str) -> Option<&str> {
    let pool = name
        .strip_suffix(".pool")
        .or_else(|| name.strip_suffix(".flatten"))?;
    pool.ends_with("global_pool").then_some(pool)
}
