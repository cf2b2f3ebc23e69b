//! torchvision's `RegNet`: `trunk_output.block1.block1-0.f.a.0.weight` for timm's
//! `s1.b1.conv1.conv.weight`.

use super::{Spelling, TORCH};
use crate::network::Layers;
use crate::network::convention::TIMM;

pub(in crate::checkpoint) const TORCHVISION_REGNET: Spelling = Spelling {
    words: "torchvision",
    is_told_by: |name| name.starts_with("trunk_output."),
    convention: |_| Some(TIMM.name),
    layer,
    ..TORCH
};

fn layer(name: &str, _: &Layers) -> String {
    match name {
        "stem.conv" => return "stem.0".to_owned(),
        "stem.bn" => return "stem.1".to_owned(),
        "stem.bn.act" => return "stem.2".to_owned(),
        "head.global_pool" => return "avgpool".to_owned(),
        "head.fc" => return "fc".to_owned(),
        _ => {}
    }
    in_block(name).unwrap_or_else(|| name.to_owned())
}

/// A layer of a block, `s1.b1.conv1.conv`; stages count from 1 in both code bases, blocks from 0
/// there.
fn in_block(name: &str) -> Option<String> {
    let (stage, rest) = name.strip_prefix('s')?.split_once(".b")?;
    let (block, rest) = rest.split_once('.')?;
    let block = block.parse::<usize>().ok()?.checked_sub(1)?;
    let layer = match rest {
        "conv1.conv" => "f.a.0",
        "conv1.bn" => "f.a.1",
        "conv2.conv" => "f.b.0",
        "conv2.bn" => "f.b.1",
        "conv1.bn.act" => "f.a.2",
        "conv2.bn.act" => "f.b.2",
        "se.squeeze" => "f.se.avgpool",
        "se.act" => "f.se.activation",
        "se.gate" => "f.se.scale_activation",
        "act3" => "activation",
        "se.fc1" => "f.se.fc1",
        "se.fc2" => "f.se.fc2",
        "conv3.conv" => "f.c.0",
        "conv3.bn" => "f.c.1",
        "downsample.conv" => "proj.0",
        "downsample.bn" => "proj.1",
        _ => return None,
    };
    Some(format!(
        "trunk_output.block{stage}.block{stage}-{block}.{layer}"
    ))
}
