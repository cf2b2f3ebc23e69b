//! timm's VGG, whose dense layers are convolutions: `pre_logits.fc1.weight`, `head.fc.weight`. At
//! 224x224 they see one pixel of 7x7, as dense layers do; at other sizes timm computes something
//! else than this program.

use super::{Spelling, TORCH};
use crate::network::convention::TIMM;

pub(in crate::checkpoint) const TIMM_VGG: Spelling = Spelling {
    words: "timm",
    is_told_by: |name| name.starts_with("pre_logits."),
    convention: |_| Some(TIMM.name),
    slides_dense_layers: true,
    layer: |name, _| layer(name).to_owned(),
    ..TORCH
};

fn layer(name: &str) -> &str {
    match name {
        "classifier.0" => "pre_logits.fc1",
        "classifier.3" => "pre_logits.fc2",
        "classifier.6" => "head.fc",
        _ => name,
    }
}
