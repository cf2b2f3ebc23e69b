//! What each layer's tensors are called, and how they are laid out, in a file of another origin.

use std::collections::{BTreeMap, HashMap};

use crate::network::{Layer, Layers, Operation};

/// The code that named the tensors of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// candle and `PyTorch`: `conv1.weight`, OIHW, `[out, in]`.
    Candle,
    /// Keras: `conv1.kernel` or `conv1/kernel`, HWIO, `[in, out]`.
    Keras,
}

impl Origin {
    /// Told by the names, which the two do not share.
    pub(super) fn of<'a>(mut names: impl Iterator<Item = &'a str>) -> Self {
        let keras = ["kernel", "gamma", "beta", "moving_mean", "moving_variance"];
        let is_keras = |name: &str| {
            let name = canonical_separators(name);
            name.rsplit('.')
                .next()
                .is_some_and(|last| keras.contains(&last))
        };
        if names.any(is_keras) {
            Self::Keras
        } else {
            Self::Candle
        }
    }

    /// The parameter's name in such a file.
    fn parameter(self, operation: &Operation, name: &'static str) -> &'static str {
        match (self, operation, name) {
            (Self::Keras, Operation::BatchNorm { .. }, "weight") => "gamma",
            (Self::Keras, Operation::BatchNorm { .. }, "bias") => "beta",
            (Self::Keras, Operation::BatchNorm { .. }, "running_mean") => "moving_mean",
            (Self::Keras, Operation::BatchNorm { .. }, "running_var") => "moving_variance",
            (Self::Keras, _, "weight") => "kernel",
            (Self::Keras | Self::Candle, ..) => name,
        }
    }

    /// The axes of our shape in the order that such a file has them.
    fn axes(self, rank: usize) -> &'static [usize] {
        match (self, rank) {
            (Self::Keras, 4) => &[2, 3, 1, 0],
            (Self::Keras, 2) => &[1, 0],
            (_, 4) => &[0, 1, 2, 3],
            (_, 2) => &[0, 1],
            _ => &[0],
        }
    }
}

/// Where a parameter is found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The tensor's name there.
    pub(super) name: String,
    /// Its shape there.
    pub(super) shape: Vec<usize>,
    /// The permutation that makes it ours.
    pub(super) permutation: Vec<usize>,
}

/// Each parameter's source, by canonical name.
pub(super) type Sources = BTreeMap<String, Source>;

/// How the tensors of a file differ from those of a network.
#[derive(Debug, Default)]
pub(super) struct Mismatch {
    pub(super) missing: Vec<String>,
    pub(super) misshapen: Vec<String>,
    pub(super) unexpected: Vec<String>,
}

/// Finds every parameter of `layers` among `found`, tensors with their shapes.
pub(super) fn resolve(
    layers: &Layers,
    found: &BTreeMap<String, Vec<usize>>,
) -> Result<Sources, Mismatch> {
    let origin = Origin::of(found.keys().map(String::as_str));
    let mut unclaimed: HashMap<String, &str> = HashMap::new();
    let mut twice = Vec::new();
    // PyTorch counts batches in every batch norm; nothing is computed from it.
    for name in found
        .keys()
        .filter(|name| !name.ends_with("num_batches_tracked"))
    {
        if unclaimed.insert(canonical_separators(name), name).is_some() {
            twice.push(name.as_str());
        }
    }
    let mut sources = Sources::new();
    let mut mismatch = Mismatch::default();
    for (canonical, expected) in layers
        .as_slice()
        .iter()
        .flat_map(|layer| expected(layer, origin))
    {
        let Some(name) = unclaimed.remove(&expected.name) else {
            let Source { name, shape, .. } = expected;
            mismatch
                .missing
                .push(format!("`{name}` of shape {shape:?}"));
            continue;
        };
        let shape = &found[name];
        if *shape == expected.shape {
            let name = name.to_owned();
            sources.insert(canonical, Source { name, ..expected });
        } else {
            mismatch.misshapen.push(format!(
                "`{name}`: expected shape {:?}, found {shape:?}",
                expected.shape
            ));
        }
    }
    mismatch.unexpected = unclaimed
        .into_values()
        .chain(twice)
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect();
    mismatch.unexpected.sort_unstable();
    if mismatch.is_empty() {
        Ok(sources)
    } else {
        Err(mismatch)
    }
}

fn expected(layer: &Layer, origin: Origin) -> impl Iterator<Item = (String, Source)> {
    layer
        .operation
        .parameters()
        .into_iter()
        .map(move |parameter| {
            let axes = origin.axes(parameter.shape.len());
            let mut permutation = vec![0; axes.len()];
            for (there, &here) in axes.iter().enumerate() {
                permutation[here] = there;
            }
            let name = origin.parameter(&layer.operation, parameter.name);
            let source = Source {
                name: format!("{}.{name}", layer.name),
                shape: axes.iter().map(|&axis| parameter.shape[axis]).collect(),
                permutation,
            };
            (format!("{}.{}", layer.name, parameter.name), source)
        })
}

/// A Keras path in our spelling. Keras puts a sublayer's name after its parent's, whether or not
/// it repeats it: `layer1.0.se/fc1/kernel` and `layer1.0.se/layer1.0.se.fc1/kernel` are one.
fn canonical_separators(name: &str) -> String {
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

impl Mismatch {
    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty() && self.unexpected.is_empty()
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Enough to see what kind of file it is.
        const SHOWN: usize = 4;
        let lists = [
            ("missing", &self.missing),
            ("misshapen", &self.misshapen),
            ("unexpected", &self.unexpected),
        ];
        for (what, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            write!(
                f,
                "\n  {} {what}: {}",
                list.len(),
                list[..list.len().min(SHOWN)].join(", ")
            )?;
            if list.len() > SHOWN {
                write!(f, ", …")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::catalog;

    fn names_and_shapes(origin: Origin, network: &str) -> BTreeMap<String, Vec<usize>> {
        let layers = catalog::find(network).unwrap().layers();
        let sources = layers
            .as_slice()
            .iter()
            .flat_map(|layer| expected(layer, origin));
        sources
            .map(|(_, source)| (source.name, source.shape))
            .collect()
    }

    #[test]
    fn both_origins_resolve_and_differ_in_layout() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        let keras = resolve(&layers, &names_and_shapes(Origin::Keras, "seresnet20")).unwrap();
        let candle = resolve(&layers, &names_and_shapes(Origin::Candle, "seresnet20")).unwrap();
        assert!(keras.keys().eq(candle.keys()));
        let conv = &keras["layer2.0.conv1.weight"];
        assert_eq!(conv.name, "layer2.0.conv1.kernel");
        assert_eq!(conv.shape, [3, 3, 16, 32]);
        assert_eq!(conv.permutation, [3, 2, 0, 1]);
        assert_eq!(candle["fc.weight"].shape, [10, 64]);
    }

    #[test]
    fn keras_paths_of_sublayers_are_found_whether_or_not_they_repeat_their_parent() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        for parent in ["", "layer1.0.se."] {
            let path = format!("layer1.0.se/{parent}fc1/");
            let found = names_and_shapes(Origin::Keras, "seresnet20")
                .into_iter()
                .map(|(name, shape)| (name.replace("layer1.0.se.fc1.", &path), shape))
                .collect();
            let sources = resolve(&layers, &found).unwrap();
            assert_eq!(sources["layer1.0.se.fc1.bias"].name, format!("{path}bias"));
        }
    }

    #[test]
    fn one_tensor_under_two_spellings_is_unexpected() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        let mut found = names_and_shapes(Origin::Keras, "seresnet20");
        found.insert("fc/bias".to_owned(), vec![10]);
        assert_eq!(resolve(&layers, &found).unwrap_err().unexpected.len(), 1);
    }

    #[test]
    fn weights_with_gates_do_not_fit_the_plain_twin() {
        let layers = catalog::find("resnet20").unwrap().layers();
        let mismatch =
            resolve(&layers, &names_and_shapes(Origin::Keras, "seresnet20")).unwrap_err();
        assert!(mismatch.missing.is_empty());
        assert_eq!(mismatch.unexpected.len(), 36);
    }
}
