//! Cadene's networks, timm's `legacy_*` among them: `layer0.conv1.weight`,
//! `layer1.0.se_module.fc1.weight`, `inception_3a_1x1.weight`, `last_linear.weight`.

use super::{Spelling, TORCH};
use crate::network::Layers;
use crate::network::convention;

pub(in crate::checkpoint) const CADENE: Spelling = Spelling {
    words: "Cadene's pretrained-models.pytorch",
    // Without its classifier a file has the gates' names left.
    is_told_by: |name| name.starts_with("last_linear.") || name.contains(".se_module."),
    convention: |_| Some(convention::CADENE.name),
    layer,
    ..TORCH
};

/// Everything before the first stage is in `layer0`, numbered anew.
fn layer(name: &str, layers: &Layers) -> String {
    let is_deep = layers.position("conv1.6").is_some();
    match name {
        "conv1" | "conv1.0" => "layer0.conv1".to_owned(),
        "bn1" if !is_deep => "layer0.bn1".to_owned(),
        "conv1.1" => "layer0.bn1".to_owned(),
        "conv1.3" => "layer0.conv2".to_owned(),
        "conv1.4" => "layer0.bn2".to_owned(),
        "conv1.6" => "layer0.conv3".to_owned(),
        "bn1" => "layer0.bn3".to_owned(),
        "relu" if is_deep => "layer0.relu3".to_owned(),
        "relu" | "conv1.2" => "layer0.relu1".to_owned(),
        "conv1.5" => "layer0.relu2".to_owned(),
        "maxpool" => "pool0".to_owned(),
        "avgpool" => "global_pool".to_owned(),
        "fc" | "classif" => "last_linear".to_owned(),
        _ if name.starts_with("inception_") => name.replacen('.', "_", 1),
        _ => name.replace(".se.", ".se_module."),
    }
}
