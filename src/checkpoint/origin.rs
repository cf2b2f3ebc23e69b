//! What each layer's tensors are called, and how they are laid out, in a file of another origin.

use crate::network::{Layers, Operation};

/// The code that named the tensors of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// candle, torchvision and timm: `conv1.weight`, OIHW, `[out, in]`.
    Canonical,
    /// Cadene's networks, timm's `legacy_*` among them: `layer0.conv1.weight`,
    /// `layer1.0.se_module.fc1.weight`, `inception_3a_1x1.weight`, `last_linear.weight`.
    Cadene,
    /// timm's VGG, whose dense layers are convolutions: `pre_logits.fc1.weight`,
    /// `head.fc.weight`. At 224x224 they see one pixel of 7x7, as dense layers do; at other sizes
    /// timm computes something else than this program.
    TimmVgg,
    /// Keras: `conv1.kernel` or `conv1/kernel`, HWIO, `[in, out]`.
    Keras,
}

impl Origin {
    /// Told by names that the others do not have.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let keras = ["kernel", "gamma", "beta", "moving_mean", "moving_variance"];
        let is_keras = |name: &str| {
            let name = canonical_separators(name);
            name.rsplit('.')
                .next()
                .is_some_and(|last| keras.contains(&last))
        };
        if names.clone().any(is_keras) {
            Self::Keras
        } else if names.clone().any(|name| name.starts_with("last_linear.")) {
            Self::Cadene
        } else if names.clone().any(|name| name.starts_with("pre_logits.")) {
            Self::TimmVgg
        } else {
            Self::Canonical
        }
    }

    /// The code bases in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Canonical => "torchvision, timm and candle",
            Self::Cadene => "Cadene's pretrained-models.pytorch",
            Self::TimmVgg => "timm",
            Self::Keras => "Keras",
        }
    }

    /// What a layer is called in such a file.
    pub(super) fn layer(self, name: &str, layers: &Layers) -> String {
        match self {
            Self::Canonical | Self::Keras => name.to_owned(),
            Self::Cadene => cadene(name, layers),
            Self::TimmVgg => timm_vgg(name).to_owned(),
        }
    }

    /// The parameter's name in such a file.
    pub(super) fn parameter(self, operation: &Operation, name: &'static str) -> &'static str {
        match (self, operation, name) {
            (Self::Keras, Operation::BatchNorm { .. }, "weight") => "gamma",
            (Self::Keras, Operation::BatchNorm { .. }, "bias") => "beta",
            (Self::Keras, Operation::BatchNorm { .. }, "running_mean") => "moving_mean",
            (Self::Keras, Operation::BatchNorm { .. }, "running_var") => "moving_variance",
            (Self::Keras, _, "weight") => "kernel",
            _ => name,
        }
    }

    /// The ways in which such a file may lay out a parameter of our `shape`, the usual one first.
    /// A dense layer may also be spelt as a convolution of all it sees: height and width that the
    /// layer before flattened, else one pixel. Keras goes through the pixels before it goes
    /// through their channels.
    pub(super) fn arrangements(
        self,
        shape: &[usize],
        [height, width]: [usize; 2],
    ) -> Vec<Arrangement> {
        match (self, shape) {
            (Self::Keras, &[outputs, inputs, rows, columns]) => vec![Arrangement {
                shape: vec![rows, columns, inputs, outputs],
                view: vec![rows, columns, inputs, outputs],
                permutation: &[3, 2, 0, 1],
            }],
            (Self::Keras, &[outputs, inputs]) => {
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
            (_, &[outputs, inputs]) => {
                let dense = Arrangement::as_ours(shape);
                let channels = inputs / (height * width).max(1);
                let conv = Arrangement {
                    shape: vec![outputs, channels, height, width],
                    ..dense.clone()
                };
                vec![dense, conv]
            }
            _ => vec![Arrangement::as_ours(shape)],
        }
    }
}

/// Cadene's name of a layer: everything before the first stage is in `layer0`, numbered anew.
fn cadene(name: &str, layers: &Layers) -> String {
    let is_deep = layers.position("conv1.6").is_some();
    match name {
        "conv1" | "conv1.0" => "layer0.conv1".to_owned(),
        "bn1" if !is_deep => "layer0.bn1".to_owned(),
        "conv1.1" => "layer0.bn1".to_owned(),
        "conv1.3" => "layer0.conv2".to_owned(),
        "conv1.4" => "layer0.bn2".to_owned(),
        "conv1.6" => "layer0.conv3".to_owned(),
        "bn1" => "layer0.bn3".to_owned(),
        "fc" | "classif" => "last_linear".to_owned(),
        _ if name.starts_with("inception_") => name.replacen('.', "_", 1),
        _ => name.replace(".se.", ".se_module."),
    }
}

/// timm's name of a layer of VGG.
fn timm_vgg(name: &str) -> &str {
    match name {
        "classifier.0" => "pre_logits.fc1",
        "classifier.3" => "pre_logits.fc2",
        "classifier.6" => "head.fc",
        _ => name,
    }
}

/// How a tensor lies in a file: seen with the dimensions of `view` and permuted, it is ours but
/// for its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrangement {
    /// Its shape there.
    pub(super) shape: Vec<usize>,
    /// The same numbers in as many dimensions as are permuted.
    pub(super) view: Vec<usize>,
    /// The permutation.
    pub(super) permutation: &'static [usize],
}

impl Arrangement {
    fn as_ours(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            view: shape.to_vec(),
            permutation: match shape.len() {
                1 => &[0],
                2 => &[0, 1],
                _ => &[0, 1, 2, 3],
            },
        }
    }
}

/// A Keras path in our spelling. Keras puts a sublayer's name after its parent's, whether or not
/// it repeats it: `layer1.0.se/fc1/kernel` and `layer1.0.se/layer1.0.se.fc1/kernel` are one.
pub(super) fn canonical_separators(name: &str) -> String {
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
