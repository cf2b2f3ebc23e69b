//! What a classifier is: the layers at the end of a list that make classes of a vector, whoever wired
//! them.

use super::trace::trace;
use super::{Layer, Layers, Operation, Value};

/// The end of a network that tells classes apart.
///
/// ```text
/// pooled vector ─> [batch norm] ─> dense ─> [softmax or sigmoid]
/// ```
///
/// The dense layer may be spelt as a 1x1 convolution of one pixel. There are two where the answer is
/// the mean of two classifiers, as of a network that was distilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classifier {
    /// What it reads: one vector an image, be it spelt as a map of one pixel.
    pub features: Value,
    /// The indices of its dense layers.
    pub dense: Vec<usize>,
}

/// The classifier that `layers` end with; nothing where they end with something else.
///
/// ```
/// use senet::network::{catalog, classifier};
///
/// let layers = catalog::find("seresnet20")?.layers();
/// let found = classifier::find(&layers).expect("it ends with a dense layer");
/// assert_eq!(layers.as_slice()[found.dense[0]].name, "fc");
/// # Ok::<(), senet::Error>(())
/// ```
#[must_use]
pub fn find(layers: &Layers) -> Option<Classifier> {
    let last = Value::of_layer(layers.as_slice().len().checked_sub(1)?);
    let found = answering(layers, last)?;
    is_flat(layers, found.features).map(|_| found)
}

/// The classifier whose answer is `value`.
fn answering(layers: &Layers, value: Value) -> Option<Classifier> {
    let layer = layers.maker(value)?;
    let input = *layer.inputs.first()?;
    match layer.operation {
        Operation::Linear { .. } => Some(Classifier {
            features: before_norm(layers, input),
            dense: vec![value.layer()?],
        }),
        Operation::Conv(conv) if conv.is_pointwise() => Some(Classifier {
            features: before_norm(layers, input),
            dense: vec![value.layer()?],
        }),
        Operation::Flatten {
            height: 1,
            width: 1,
        }
        | Operation::Unflatten
        | Operation::Softmax
        | Operation::Multiply { .. } => answering(layers, input),
        Operation::Activation(function) if function.is_gate() => answering(layers, input),
        Operation::Add => {
            let mut both = answering(layers, input)?;
            let second = answering(layers, *layer.inputs.get(1)?)?;
            both.dense.extend(second.dense);
            (both.features == second.features).then_some(both)
        }
        _ => None,
    }
}

/// The means that a batch norm makes the vector of, which is the classifier's own then; the vector
/// itself where it comes from something else.
fn before_norm(layers: &Layers, vector: Value) -> Value {
    let means = || {
        let mut maker = layers.maker(vector)?;
        while names_anew(maker) {
            maker = layers.maker(*maker.inputs.first()?)?;
        }
        let means = *maker.inputs.first()?;
        let is_norm = matches!(maker.operation, Operation::BatchNorm { .. });
        let pool = layers.maker(means)?;
        let is_pool = matches!(pool.operation, Operation::GlobalAveragePool);
        (is_norm && is_pool).then_some(means)
    };
    means().unwrap_or(vector)
}

/// Whether a layer makes a vector of a pixel, or the reverse.
fn names_anew(layer: &Layer) -> bool {
    matches!(
        layer.operation,
        Operation::Unflatten
            | Operation::Flatten {
                height: 1,
                width: 1
            }
    )
}

/// Whether a value is a vector an image, not a map of one pixel; nothing where it has more pixels.
fn is_flat(layers: &Layers, value: Value) -> Option<bool> {
    let trace = trace(layers, layers.input().shape(1)).ok()?;
    match trace.shape(value)?.spatial {
        None => Some(true),
        Some([1, 1]) => Some(false),
        Some(_) => None,
    }
}

/// The layers before the classifier: what timm makes of a network by `num_classes=0`. Their output is
/// the vector that the classifier would read.
///
/// Nothing where `layers` end with no classifier.
#[must_use]
pub fn without(layers: &Layers) -> Option<Layers> {
    let Classifier { features, .. } = find(layers)?;
    // What is behind the vector is the classifier's alone.
    let mut list = layers.as_slice().get(..features.index())?.to_vec();
    push_flat(&mut list, layers, features)?;
    layers.rewired(list).ok()
}

/// The same layers, whose output is the classes and behind them the vector that the classifier reads;
/// nothing where they end with no classifier.
#[must_use]
pub fn with_features(layers: &Layers) -> Option<Layers> {
    let Classifier { features, .. } = find(layers)?;
    let mut list = layers.as_slice().to_vec();
    let classes = Value::of_layer(list.len().checked_sub(1)?);
    let classes = push_flat(&mut list, layers, classes)?;
    let features = push_flat(&mut list, layers, features)?;
    list.push(Layer {
        name: unused(&list, "classes_and_features"),
        operation: Operation::Concat,
        inputs: vec![classes, features],
    });
    layers.rewired(list).ok()
}

/// Adds what makes a vector of `value`, where that is a map of one pixel.
fn push_flat(list: &mut Vec<Layer>, layers: &Layers, value: Value) -> Option<Value> {
    if is_flat(layers, value)? {
        return Some(value);
    }
    let flat = Value::of_layer(list.len());
    list.push(Layer {
        name: unused(list, "features"),
        operation: Operation::Flatten {
            height: 1,
            width: 1,
        },
        inputs: vec![value],
    });
    Some(flat)
}

/// `name`, with a number behind it where a layer is called so already.
fn unused(list: &[Layer], name: &str) -> String {
    let is_free = |name: &String| list.iter().all(|layer| layer.name != *name);
    let numbered = (1..).map(|number| format!("{name}_{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(is_free)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::{Network, catalog};

    /// What each network's vector is called, and how long it is.
    fn vector(network: &Network) -> (String, usize) {
        let layers = without(&network.layers()).unwrap();
        let last = layers.as_slice().last().unwrap();
        (last.name.clone(), layers.outputs())
    }

    #[test]
    fn every_classifier_of_the_catalogue_is_found() {
        for network in catalog::networks() {
            let found = find(&network.layers());
            assert_eq!(
                found.is_some(),
                network.classes.is_some(),
                "{}",
                network.name
            );
        }
    }

    // [timm.create_model(name, num_classes=0).head_hidden_size for name in …]; of repvit, whose
    // batch norms are the classifiers' own, num_features.
    #[test]
    fn the_vector_is_the_one_that_timm_hands_out_without_a_classifier() {
        for (name, length) in [
            ("seresnet50", 2048),
            ("mobilenetv3_large_100", 1280),
            ("efficientnet_b0", 1280),
            ("ghostnet_100", 1280),
            ("repvit_m1", 384),
            ("vgg16_bn", 4096),
        ] {
            let network = catalog::find(name).unwrap();
            assert_eq!(vector(network).1, length, "{name}");
        }
    }

    #[test]
    fn a_network_without_a_classifier_reads_all_tensors_but_those_of_it() {
        for network in catalog::networks().filter(|network| network.classes.is_some()) {
            let headless = network.clone().with_classes(0);
            assert!(headless.is_headless());
            let layers = headless.layers();
            assert_eq!(layers.outputs(), vector(network).1, "{}", network.name);
            let dense = find(&network.layers()).unwrap().dense.len();
            let missing = network.tensor_count() - headless.tensor_count();
            // A weight and a bias, and where it has a batch norm four tensors more.
            let of_one = missing / dense;
            assert!([1, 2, 6].contains(&of_one), "{}: {missing}", network.name);
        }
    }

    #[test]
    fn classes_and_features_come_in_one_vector() {
        for network in catalog::networks().filter(|network| network.classes.is_some()) {
            let layers = network.layers();
            let both = with_features(&layers).unwrap();
            let features = vector(network).1;
            assert_eq!(
                both.outputs(),
                layers.outputs() + features,
                "{}",
                network.name
            );
            assert!(
                trace(&both, network.input.shape(2))
                    .unwrap()
                    .output()
                    .spatial
                    .is_none()
            );
        }
    }

    #[test]
    fn what_ends_with_a_map_or_an_activation_has_no_classifier() {
        assert_eq!(find(&catalog::SE_BLOCK.layers()), None);
        let layers = catalog::find("seresnet20").unwrap().layers();
        let mut list = layers.as_slice().to_vec();
        list.push(Layer {
            name: "last".to_owned(),
            operation: Operation::Activation(crate::network::Activation::Relu),
            inputs: vec![Value::of_layer(list.len() - 1)],
        });
        assert_eq!(find(&layers.rewired(list).unwrap()), None);
    }
}
