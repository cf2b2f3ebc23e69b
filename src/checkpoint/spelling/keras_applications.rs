//! keras.applications' mobile networks, whose layers are called by what they do where timm's count:
//! `block2a_dwconv.kernel` for timm's `blocks.1.0.conv_dw.weight`. Tensors lie as elsewhere in Keras.

use super::keras::{KERAS, canonical_separators};
use super::{Spelling, block_path};
use crate::network::convention::KERAS_APPLICATIONS;
use crate::network::{Convention, Layers};

/// `EfficientNet`: stages by numbers, blocks by letters.
pub(in crate::checkpoint) const KERAS_EFFICIENTNET: Spelling = Spelling {
    is_told_by: |name| canonical_separators(name).starts_with("block1a_dwconv."),
    layer: |name, layers| efficientnet(name, layers, "dwconv"),
    activates: has_activation,
    ..APPLICATIONS
};

/// `EfficientNetV2`, whose depthwise convolutions have a number.
pub(in crate::checkpoint) const KERAS_EFFICIENTNET_V2: Spelling = Spelling {
    is_told_by: |name| canonical_separators(name).ends_with("_dwconv2.kernel"),
    layer: |name, layers| efficientnet(name, layers, "dwconv2"),
    activates: has_activation,
    ..APPLICATIONS
};

/// `MobileNetV3`: blocks of all stages in a row, the first without a number.
pub(in crate::checkpoint) const KERAS_MOBILENET_V3: Spelling = Spelling {
    is_told_by: |name| canonical_separators(name).starts_with("expanded_conv_depthwise."),
    layer: mobilenet_v3,
    // It flattens the logits.
    means_another: |name| name == "flatten",
    ..APPLICATIONS
};

const APPLICATIONS: Spelling = Spelling {
    words: "keras.applications",
    convention: |_| Some(KERAS_APPLICATIONS.name),
    // timm's from TensorFlow, of which some are what Keras makes with `alpha` or `minimalistic`.
    allows: |convention| {
        let Convention {
            padding, epsilon, ..
        } = KERAS_APPLICATIONS;
        convention.padding == padding && convention.epsilon.total_cmp(&epsilon).is_eq()
    },
    ..KERAS
};

/// What a layer of a block does, by timm's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Expand,
    ExpandNorm,
    Depthwise,
    DepthwiseNorm,
    Reduce,
    Excite,
    Project,
    ProjectNorm,
    ExpandActivation,
    DepthwiseActivation,
    ProjectActivation,
    Squeeze,
    ReduceActivation,
    Scale,
    Add,
}

/// The variable of Keras's layer `Normalization` that a tensor is: `mean`, `variance` or `count`. It
/// normalises pixels before the network begins; a program's second model has it with a number.
pub(in crate::checkpoint) fn variable_of_normalization(name: &str) -> Option<&str> {
    let (layer, _) = name.split_once('.')?;
    let (_, variable) = name.rsplit_once('.')?;
    let number = layer.strip_prefix("normalization")?;
    let is_layer = number.is_empty() || number.starts_with('_');
    let is_variable = ["mean", "variance", "count"].contains(&variable);
    (is_layer && is_variable).then_some(variable)
}

/// The part that the layer called `layer` is of the block called `block`. Batch norms count, so
/// which one it is follows from the convolutions that there are.
fn part(block: &str, layer: &str, layers: &Layers) -> Option<Part> {
    let has = |conv: &str| layers.position(&format!("{block}.{conv}")).is_some();
    let norms: &[Part] = if has("conv_exp") {
        &[Part::ExpandNorm, Part::ProjectNorm]
    } else if has("conv_pwl") {
        &[Part::ExpandNorm, Part::DepthwiseNorm, Part::ProjectNorm]
    } else if has("conv_dw") {
        &[Part::DepthwiseNorm, Part::ProjectNorm]
    } else {
        &[Part::ProjectNorm]
    };
    match layer {
        "conv_exp" => Some(Part::Expand),
        "conv_pw" if has("conv_pwl") => Some(Part::Expand),
        "conv_dw" => Some(Part::Depthwise),
        "se.conv_reduce" => Some(Part::Reduce),
        "se.conv_expand" => Some(Part::Excite),
        "conv" | "conv_pw" | "conv_pwl" => Some(Part::Project),
        "se.squeeze" => Some(Part::Squeeze),
        "se.act1" => Some(Part::ReduceActivation),
        "se.scale" => Some(Part::Scale),
        "add" => Some(Part::Add),
        _ => {
            let numbered = layer.strip_prefix("bn")?;
            let number = numbered.strip_suffix(".act").unwrap_or(numbered);
            let number: usize = number.parse().ok()?;
            let norm = norms.get(number.checked_sub(1)?).copied()?;
            Some(match norm {
                norm if number.to_string() == numbered => norm,
                Part::ExpandNorm => Part::ExpandActivation,
                Part::DepthwiseNorm => Part::DepthwiseActivation,
                _ => Part::ProjectActivation,
            })
        }
    }
}

fn efficientnet(name: &str, layers: &Layers, depthwise: &str) -> String {
    let outside = match name {
        "conv_stem" => "stem_conv",
        "bn1" => "stem_bn",
        "conv_head" => "top_conv",
        "bn2" => "top_bn",
        "bn1.act" => "stem_activation",
        "bn2.act" => "top_activation",
        "global_pool.pool" => "avg_pool",
        "classifier" => "predictions",
        _ => return in_stages(name, layers, depthwise).unwrap_or_else(|| name.to_owned()),
    };
    outside.to_owned()
}

/// Keras's convolutions of a gate are given their activation.
fn has_activation(name: &str) -> bool {
    name.ends_with(".se.conv_reduce") || name.ends_with(".se.conv_expand")
}

fn in_stages(name: &str, layers: &Layers, depthwise: &str) -> Option<String> {
    let block = block_path(name)?;
    let layer = name.strip_prefix(block)?.strip_prefix('.')?;
    let called = match part(block, layer, layers)? {
        Part::Expand => "expand_conv",
        Part::ExpandNorm => "expand_bn",
        Part::Depthwise => depthwise,
        Part::DepthwiseNorm => "bn",
        Part::Reduce => "se_reduce",
        Part::Excite => "se_expand",
        Part::Project => "project_conv",
        Part::ProjectNorm => "project_bn",
        Part::ExpandActivation => "expand_activation",
        Part::DepthwiseActivation => "activation",
        Part::ProjectActivation => "project_activation",
        Part::Squeeze => "se_squeeze",
        Part::Scale => "se_excite",
        Part::Add => "add",
        // It is within the convolution before it.
        Part::ReduceActivation => return None,
    };
    let (stage, index) = block.strip_prefix("blocks.")?.split_once('.')?;
    let stage = stage.parse::<usize>().ok()?.checked_add(1)?;
    let letter = char::from(b'a'.checked_add(index.parse().ok()?)?);
    Some(format!("block{stage}{letter}_{called}"))
}

fn mobilenet_v3(name: &str, layers: &Layers) -> String {
    let outside = match name {
        "conv_stem" => "conv",
        "bn1" => "conv_bn",
        "conv_head" => "conv_2",
        "classifier" => "logits",
        _ => return in_a_row(name, layers).unwrap_or_else(|| name.to_owned()),
    };
    outside.to_owned()
}

fn in_a_row(name: &str, layers: &Layers) -> Option<String> {
    let block = block_path(name)?;
    let layer = name.strip_prefix(block)?.strip_prefix('.')?;
    let number = layers.blocks().iter().position(|other| other == block)?;
    let called = match (layer, part(block, layer, layers)?) {
        // The last convolution, which is a block in timm.
        ("conv", _) => return Some("conv_1".to_owned()),
        (_, Part::ProjectNorm) if number + 1 == layers.blocks().len() => {
            return Some("conv_1_bn".to_owned());
        }
        (_, Part::Expand) => "expand",
        (_, Part::ExpandNorm) => "expand_bn",
        (_, Part::Depthwise) => "depthwise",
        (_, Part::DepthwiseNorm) => "depthwise_bn",
        (_, Part::Reduce) => "squeeze_excite_conv",
        (_, Part::Excite) => "squeeze_excite_conv_1",
        (_, Part::Project) => "project",
        (_, Part::ProjectNorm) => "project_bn",
        (_, Part::Squeeze) => "squeeze_excite_avg_pool",
        (_, Part::ReduceActivation) => "squeeze_excite_relu",
        (_, Part::Scale) => "squeeze_excite_mul",
        (_, Part::Add) => "add",
        // Keras numbers them through the whole model, or the whole program.
        (_, Part::ExpandActivation | Part::DepthwiseActivation | Part::ProjectActivation) => {
            return None;
        }
    };
    Some(match number {
        0 => format!("expanded_conv_{called}"),
        _ => format!("expanded_conv_{number}_{called}"),
    })
}
