//! torchvision's mobile networks, whose layers are numbered where timm's are named:
//! `features.1.0.block.0.0.weight` for timm's `blocks.0.0.conv_dw.weight`. Each of its four wirings
//! counts in a way of its own.

use super::{Spelling, TORCH, block_path};
use crate::network::convention::{TENSORFLOW, TORCHVISION};
use crate::network::{Layer, Layers, Operation};

/// `EfficientNet` and V2: stages, blocks, elements.
pub(in crate::checkpoint) const TORCHVISION_EFFICIENTNET: Spelling = Spelling {
    is_told_by: |name| name.starts_with("features.1.0.block."),
    layer: |name, layers| {
        let in_block = |block: Block, place: Place| {
            let Block { stage, index, .. } = block;
            format!("features.{}.{index}.block.{}", stage + 1, place.nested())
        };
        let head = format!("features.{}", stages(layers) + 1);
        spelt(name, layers, in_block, [&head, "classifier.1"])
    },
    ..MOBILE
};

/// `MobileNetV3`: blocks of all stages in a row, elements. Of any width it has TensorFlow's epsilon,
/// which not all of timm's with the same shapes have.
pub(in crate::checkpoint) const TORCHVISION_MOBILENET_V3: Spelling = Spelling {
    is_told_by: |name| name.starts_with("features.1.block."),
    allows: |convention| {
        let of_tensorflow = convention.epsilon.total_cmp(&TENSORFLOW.epsilon);
        convention.padding == TORCHVISION.padding && of_tensorflow.is_eq()
    },
    layer: |name, layers| {
        let in_block = |block: Block, place: Place| {
            if place.only {
                format!("features.{}.{}", block.number + 1, place.layer)
            } else {
                format!("features.{}.block.{}", block.number + 1, place.nested())
            }
        };
        match name {
            "conv_head" => "classifier.0".to_owned(),
            "act2" => "classifier.1".to_owned(),
            _ => spelt(name, layers, in_block, ["", "classifier.3"]),
        }
    },
    ..MOBILE
};

/// `MobileNetV2`: blocks of all stages in a row, elements, of which the last is not nested.
pub(in crate::checkpoint) const TORCHVISION_MOBILENET_V2: Spelling = Spelling {
    is_told_by: |name| name.starts_with("features.1.conv."),
    layer: |name, layers| {
        let in_block = |block: Block, place: Place| {
            let place = if place.last {
                (place.element + place.within()).to_string()
            } else {
                place.nested()
            };
            format!("features.{}.conv.{place}", block.number + 1)
        };
        let head = format!("features.{}", layers.blocks().len() + 1);
        spelt(name, layers, in_block, [&head, "classifier.1"])
    },
    ..MOBILE
};

/// `MNASNet`: every layer counts, the activations too.
pub(in crate::checkpoint) const TORCHVISION_MNASNET: Spelling = Spelling {
    is_told_by: |name| name.starts_with("layers.8.0.layers."),
    layer: |name, layers| {
        let in_block = |block: Block, place: Place| {
            // Convolution, batch norm, activation.
            let layer = 3 * place.element + place.within();
            match block.stage {
                0 => format!("layers.{}", 3 + layer),
                stage => format!("layers.{}.{}.layers.{layer}", 7 + stage, block.index),
            }
        };
        match name {
            "conv_stem" => "layers.0".to_owned(),
            "bn1" => "layers.1".to_owned(),
            "bn1.act" => "layers.2".to_owned(),
            "bn2.act" => "layers.16".to_owned(),
            "conv_head" => "layers.14".to_owned(),
            "bn2" => "layers.15".to_owned(),
            _ => spelt(name, layers, in_block, ["", "classifier.1"]),
        }
    },
    ..MOBILE
};

const MOBILE: Spelling = Spelling {
    words: "torchvision",
    convention: |_| Some(TORCHVISION.name),
    ..TORCH
};

/// A block, by its name.
struct Block {
    stage: usize,
    index: usize,
    /// Counted through all stages.
    number: usize,
}

/// A layer of a block.
struct Place {
    /// The convolutions and SE blocks before it.
    element: usize,
    /// What it is called within its own.
    layer: &'static str,
    /// Whether it belongs to the last of them.
    last: bool,
    /// Whether that is the only one.
    only: bool,
}

impl Place {
    fn nested(&self) -> String {
        format!("{}.{}", self.element, self.layer)
    }

    /// Its number within a convolution, its batch norm and activation.
    fn within(&self) -> usize {
        self.layer.parse().unwrap_or(0)
    }
}

/// The layer `name` of the stem, of a block, of the convolution called `head`, or the `classifier`.
fn spelt(
    name: &str,
    layers: &Layers,
    in_block: impl Fn(Block, Place) -> String,
    [head, classifier]: [&str; 2],
) -> String {
    match name {
        "conv_stem" => "features.0.0".to_owned(),
        "bn1" => "features.0.1".to_owned(),
        "bn1.act" => "features.0.2".to_owned(),
        "conv_head" => format!("{head}.0"),
        "bn2" => format!("{head}.1"),
        "bn2.act" => format!("{head}.2"),
        "classifier" => classifier.to_owned(),
        _ => match (block(name, layers), place(name, layers)) {
            (Some(block), Some(place)) => in_block(block, place),
            _ => name.to_owned(),
        },
    }
}

/// Stages that have blocks.
fn stages(layers: &Layers) -> usize {
    let last = layers.blocks().last();
    let last = last.and_then(|name| block(name, layers));
    last.map_or(0, |block| block.stage + 1)
}

fn block(name: &str, layers: &Layers) -> Option<Block> {
    let path = block_path(name)?;
    let (stage, index) = path.strip_prefix("blocks.")?.split_once('.')?;
    Some(Block {
        stage: stage.parse().ok()?,
        index: index.parse().ok()?,
        number: layers.blocks().iter().position(|block| block == path)?,
    })
}

fn place(name: &str, layers: &Layers) -> Option<Place> {
    let path = block_path(name)?;
    let is_in_block = |layer: &&Layer| {
        let rest = layer.name.strip_prefix(path);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let mut of_name = None;
    let mut elements: usize = 0;
    for layer in layers.as_slice().iter().filter(is_in_block) {
        let called = match layer.operation {
            Operation::Conv(_) => "0",
            Operation::BatchNorm { .. } => "1",
            Operation::Linear { .. } if layer.name.ends_with(".conv_reduce") => "fc1",
            Operation::Linear { .. } => "fc2",
            Operation::GlobalAveragePool => "avgpool",
            Operation::Activation(_) if layer.name.ends_with(".se.act1") => "activation",
            Operation::Activation(_) if layer.name.ends_with(".se.gate") => "scale_activation",
            Operation::Activation(_) if layer.name.rsplit('.').next() == Some("act") => "2",
            _ => continue,
        };
        elements += usize::from(matches!(called, "0" | "avgpool"));
        if layer.name == name {
            of_name = Some((elements.checked_sub(1)?, called));
        }
    }
    let (element, layer) = of_name?;
    Some(Place {
        element,
        layer,
        last: element + 1 == elements,
        only: elements == 1,
    })
}
