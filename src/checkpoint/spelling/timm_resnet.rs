//! timm's `ResNet`, whose tensors are called as torchvision's, but not what has none:
//! `layer1.0.act2`, `layer1.0.se.gate`.

use super::{Spelling, TORCH};
use crate::network::Layers;

pub(super) const TIMM_RESNET: Spelling = Spelling {
    words: "timm",
    layer,
    ..TORCH
};

fn layer(name: &str, layers: &Layers) -> String {
    let (block, last) = match name.rsplit_once('.') {
        Some((block, last)) => (Some(block), last),
        None => (None, name),
    };
    let has = |layer: &str| {
        block.is_some_and(|block| layers.position(&format!("{block}.{layer}")).is_some())
    };
    let called = match (last, block) {
        ("relu", None) | ("relu1", _) => "act1",
        ("avgpool", None) => "global_pool",
        ("relu", _) if has("fc1") => "act",
        ("relu", _) if has("conv3") => "act3",
        ("relu" | "relu2", _) => "act2",
        ("sigmoid", _) => "gate",
        _ => return name.to_owned(),
    };
    match block {
        Some(block) => format!("{block}.{called}"),
        None => called.to_owned(),
    }
}
