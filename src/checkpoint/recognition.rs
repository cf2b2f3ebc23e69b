//! Which network the tensors of a file are of, told by their names and shapes.

use rayon::prelude::*;

use super::keys::{self, Found, Mismatch, Sources, resolve};
use crate::network::{Input, Network, catalog};
use crate::text::shown_list;

/// What the names and shapes of a file's tensors say.
#[derive(Debug, Clone)]
pub enum Recognition {
    /// One network of the catalogue reads exactly these tensors.
    One(Network),
    /// Several networks fit, which share every name and shape but compute differently.
    Ambiguous(Vec<Network>),
    /// No network fits, but at least one knows half of the file's tensors by their names, and half of
    /// its own are in the file.
    Unknown {
        /// The network that differs least of those.
        nearest: Network,
        /// How the file differs from it.
        mismatch: Mismatch,
    },
    /// No network is even that near.
    Foreign,
}

/// Finds the networks of the catalogue that read exactly the tensors `found`.
///
/// A file's classifier may tell apart any number of classes. Where the names tell the code base,
/// only its networks count, if there are any: those of Cadene's names, and `PyTorch`'s counts of
/// batches or 1x1 convolutions for dense layers, which nothing that follows Keras has.
pub(super) fn recognise(found: &Found) -> Recognition {
    let told = found.spelling.convention;
    let (mut by_pytorch, mut fitting) = (found.counts_batches, Vec::new());
    for (network, sources) in fitting_networks(found) {
        by_pytorch |= has_dense_convolutions(&sources);
        fitting.push(network);
    }
    let is_told = |network: &Network| told(by_pytorch) == Some(network.convention.name);
    if fitting.is_empty() {
        fitting = headless_networks(found);
    }
    if fitting.iter().any(is_told) {
        fitting.retain(is_told);
    }
    match (fitting.pop(), fitting.is_empty()) {
        (Some(only), true) => Recognition::One(only),
        (None, _) => nearest_network(found, told(found.counts_batches)),
        (last, _) => {
            fitting.extend(last);
            Recognition::Ambiguous(fitting)
        }
    }
}

/// The networks that tensors of such names may be of.
fn allowed_networks(found: &Found) -> Vec<&'static Network> {
    let allows = |network: &&Network| (found.spelling.allows)(&network.convention);
    catalog::networks().filter(allows).collect()
}

/// The networks that read exactly the tensors `found`, and where they read each.
fn fitting_networks(found: &Found) -> Vec<(Network, Sources)> {
    let networks = allowed_networks(found);
    let fitting = networks.into_par_iter().filter_map(|network| {
        // Looked at first: names and shapes are compared only where there are as many.
        if network.tensor_count() != found.count() {
            return None;
        }
        let network = with_classes_of(&with_input_of(network, found), found);
        let sources = resolve(&network.layers(), found).ok()?;
        Some((network, sources))
    });
    fitting.collect()
}

/// The networks that without their classifiers read exactly the tensors `found`.
fn headless_networks(found: &Found) -> Vec<Network> {
    /// The tensors of two classifiers, each with a batch norm.
    const MOST_TENSORS: usize = 12;
    let networks = allowed_networks(found);
    let headless = networks.into_par_iter().filter_map(|network| {
        let missing = network.tensor_count().checked_sub(found.count())?;
        let may_be = (1..=MOST_TENSORS).contains(&missing);
        may_be
            .then(|| headless(&with_input_of(network, found), found))
            .flatten()
    });
    headless.collect()
}

/// The network that differs least from the tensors `found`, of those that are near; of two that
/// differ as much, that of the convention that their names tell.
fn nearest_network(found: &Found, told: Option<&str>) -> Recognition {
    let networks = allowed_networks(found);
    let differing = networks.into_par_iter().filter_map(|network| {
        shared_names(network, found)?;
        let network = with_classes_of(&with_input_of(network, found), found);
        let mismatch = resolve(&network.layers(), found).err().unwrap_or_default();
        Some((network, mismatch))
    });
    let nearest = differing
        .collect::<Vec<_>>()
        .into_iter()
        .min_by_key(|(network, mismatch)| {
            (mismatch.count(), told != Some(network.convention.name))
        });
    match nearest {
        Some((nearest, mismatch)) => Recognition::Unknown { nearest, mismatch },
        None => Recognition::Foreign,
    }
}

/// Of the names that a network or the file has, the share that both have: that of the network
/// where it is largest, of those that are near; 1 where the names are all the same.
pub(super) fn likeness(found: &Found) -> Option<f64> {
    let networks: Vec<&Network> = catalog::networks().collect();
    let shares = networks
        .into_par_iter()
        .filter_map(|network| shared_names(network, found));
    shares.max_by(f64::total_cmp)
}

/// The share of names that `network` and the file have both; nothing where either has fewer than
/// half of the other's.
fn shared_names(network: &Network, found: &Found) -> Option<f64> {
    let layers = network.layers();
    let (mut all, mut shared) = (0, 0);
    for name in keys::names(&layers, found.spelling) {
        all += 1;
        shared += usize::from(found.shape(&name).is_some());
    }
    let is_near = shared > 0 && 2 * shared >= all && 2 * shared >= found.count();
    is_near.then(|| shared as f64 / (all + found.count() - shared) as f64)
}

/// Said of tensors that no network knows, in words that follow the file's name.
pub(super) fn foreign(found: &Found) -> String {
    /// Enough to see what kind of file it is.
    const SHOWN: usize = 4;
    let names = found.names();
    if names.is_empty() {
        return "holds no tensors that a network reads".to_owned();
    }
    format!(
        "does not say which network it is for, and no network of the catalogue has tensors of \
         such names: {}\nhint: `senet models` lists the networks whose weights are read, \
         `senet inspect` all that a file holds",
        shown_list(&names, SHOWN)
    )
}

/// `network` with an input of as many channels as the file's first convolution reads.
pub(super) fn with_input_of(network: &Network, found: &Found) -> Network {
    // A network in a file says itself what it takes.
    let of_file = || keys::input_channels(&network.layers(), found);
    match network.classes.and_then(|_| of_file()) {
        Some(channels) if channels != network.input.channels => network.clone().with_input(Input {
            channels,
            ..network.input
        }),
        _ => network.clone(),
    }
}

/// `network` with as many classes as the bias of the file's last layer with one has numbers; without
/// its classifier where the file has all tensors but those of it.
pub(super) fn with_classes_of(network: &Network, found: &Found) -> Network {
    // Its last layer is none of a classifier.
    if network.is_headless() {
        return network.clone();
    }
    let layers = network.layers();
    let mut last = layers.as_slice().iter().rev();
    // The answer may be the mean of two classifiers.
    let last = last.find(|layer| !layer.operation.parameters().is_empty());
    let bias = last.map(|last| format!("{}.bias", (found.spelling.layer)(&last.name, &layers)));
    match bias.and_then(|bias| found.shape(&bias)) {
        Some(&[classes]) if classes > 0 => network.clone().with_classes(classes),
        _ => headless(network, found).unwrap_or_else(|| network.clone()),
    }
}

/// `network` without its classifier, where the file has all tensors but those of it.
fn headless(network: &Network, found: &Found) -> Option<Network> {
    network.classes?;
    let headless = network.clone().with_classes(0);
    let fits = resolve(&headless.layers(), found).is_ok();
    fits.then_some(headless)
}

fn has_dense_convolutions(sources: &Sources) -> bool {
    sources
        .values()
        .any(|source| source.shape.len() == 2 && source.arrangement.shape.len() == 4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::checkpoint::keys::names_and_shapes;
    use crate::checkpoint::spelling::{
        CADENE, KERAS, KERAS_EFFICIENTNET, KERAS_EFFICIENTNET_V2, KERAS_MOBILENET_V3, TIMM_VGG,
        TORCH, TORCHVISION_EFFICIENTNET, TORCHVISION_MNASNET, TORCHVISION_MOBILENET_V2,
        TORCHVISION_MOBILENET_V3,
    };
    use crate::checkpoint::wrapping::Wrapping;

    fn recognise(tensors: &BTreeMap<String, Vec<usize>>) -> Recognition {
        super::recognise(&Found::new(tensors, &Wrapping::default()))
    }

    /// The names of the networks that fit, or of the nearest behind a question mark.
    fn recognised(tensors: &BTreeMap<String, Vec<usize>>) -> Vec<String> {
        match recognise(tensors) {
            Recognition::One(network) => vec![network.name.to_string()],
            Recognition::Ambiguous(networks) => networks
                .iter()
                .map(|network| network.name.to_string())
                .collect(),
            Recognition::Unknown { nearest, .. } => vec!["?".to_owned(), nearest.name.to_string()],
            Recognition::Foreign => Vec::new(),
        }
    }

    /// A network's tensors as its own code base writes them.
    fn published(network: &Network) -> BTreeMap<String, Vec<usize>> {
        let spelling = match network.convention.name {
            "keras" => KERAS,
            "keras.applications" if network.name.contains("mobilenet") => KERAS_MOBILENET_V3,
            "keras.applications" if network.name.contains("v2") => KERAS_EFFICIENTNET_V2,
            "keras.applications" => KERAS_EFFICIENTNET,
            "cadene" => CADENE,
            "torchvision" if network.name.contains("mnasnet") => TORCHVISION_MNASNET,
            "torchvision" if network.name.contains("v3") => TORCHVISION_MOBILENET_V3,
            "torchvision" if network.name.contains("mobilenet") => TORCHVISION_MOBILENET_V2,
            "torchvision" => TORCHVISION_EFFICIENTNET,
            _ => TORCH,
        };
        let mut tensors = names_and_shapes(spelling, network);
        if spelling == TORCH {
            tensors.insert("bn1.num_batches_tracked".to_owned(), Vec::new());
        }
        tensors
    }

    #[test]
    fn every_network_is_recognised_or_ambiguous_where_it_truly_is() {
        // Nothing that has tensors tells one of a row from the other.
        const TWINS: &[&[&str]] = &[
            &["seresnext101d_32x8d", "seresnextaa101d_32x8d"],
            &[
                "efficientnet_b0",
                "tf_efficientnet_b0",
                "efficientnet_blur_b0",
            ],
        ];
        // Keras's names may be given to a network of any code base: epsilons and pads differ.
        const GATED: &[&str] = &["keras_seresnet50", "seresnet50", "legacy_seresnet50"];
        const PLAIN: &[&str] = &["keras_resnet50", "resnet50"];
        for network in catalog::networks() {
            let name = network.name.as_ref();
            let plain = name.strip_prefix("tf_").unwrap_or(name);
            let expected: Vec<&str> = match name {
                "keras_seresnet50" => GATED.to_vec(),
                "keras_resnet50" => PLAIN.to_vec(),
                _ => match TWINS.iter().find(|twins| twins.contains(&name)) {
                    Some(twins) => twins.to_vec(),
                    // TensorFlow's pads and epsilon are in no tensor.
                    None => catalog::networks()
                        .map(|other| other.name.as_ref())
                        .filter(|other| other.strip_prefix("tf_").unwrap_or(other) == plain)
                        .collect(),
                },
            };
            assert_eq!(recognised(&published(network)), expected, "{name}");
        }
    }

    #[test]
    fn without_a_trace_of_pytorch_canonical_names_say_nothing_of_the_code_base() {
        let seresnet50 = catalog::find("seresnet50").unwrap();
        let tensors = names_and_shapes(TORCH, seresnet50);
        assert_eq!(
            recognised(&tensors),
            ["keras_seresnet50", "seresnet50", "legacy_seresnet50"]
        );
    }

    #[test]
    fn a_network_of_another_code_base_may_come_with_cadenes_names() {
        for name in ["inception_v3", "inception_resnet_v2"] {
            let network = catalog::find(name).unwrap();
            assert_eq!(recognised(&names_and_shapes(CADENE, network)), [name]);
        }
    }

    /// What `alpha` and `minimalistic` make is nobody's but that of whoever pads as Keras does.
    #[test]
    fn no_network_that_pads_otherwise_has_names_of_keras_applications() {
        for (network, expected) in [
            ("mobilenetv3_small_075", &["tf_mobilenetv3_small_075"][..]),
            (
                "tf_mobilenetv3_large_minimal_100",
                &["tf_mobilenetv3_large_minimal_100"],
            ),
            ("mobilenetv3_small_050", &["?", "tf_mobilenetv3_small_075"]),
        ] {
            let network = catalog::find(network).unwrap();
            let tensors = names_and_shapes(KERAS_MOBILENET_V3, network);
            assert_eq!(recognised(&tensors), expected, "{}", network.name);
        }
    }

    /// torchvision's of another width has an epsilon that timm's of that width has not.
    #[test]
    fn no_network_of_another_epsilon_has_names_of_torchvisions_mobilenet_v3() {
        let network = catalog::find("mobilenetv3_small_075").unwrap();
        let tensors = names_and_shapes(TORCHVISION_MOBILENET_V3, network);
        assert_eq!(recognised(&tensors)[0], "?");
    }

    #[test]
    fn timms_own_spelling_of_vgg_is_recognised() {
        let network = catalog::find("vgg16_bn").unwrap();
        let mut tensors = names_and_shapes(TIMM_VGG, network);
        tensors.insert("pre_logits.fc1.weight".to_owned(), vec![4096, 512, 7, 7]);
        tensors.insert("pre_logits.fc2.weight".to_owned(), vec![4096, 4096, 1, 1]);
        assert_eq!(recognised(&tensors), ["vgg16_bn"]);
    }

    #[test]
    fn the_number_of_classes_is_the_files() {
        let network = catalog::find("seresnext50_32x4d").unwrap();
        let tensors = published(&network.clone().with_classes(11_821));
        let Recognition::One(found) = recognise(&tensors) else {
            panic!("not recognised");
        };
        assert_eq!(
            (found.name.as_ref(), found.classes),
            ("seresnext50_32x4d", Some(11_821))
        );
    }

    #[test]
    fn a_file_of_other_names_is_near_no_network() {
        let of = |names: &[&str]| -> BTreeMap<String, Vec<usize>> {
            let names = names.iter().map(|name| (*name).to_owned());
            names.map(|name| (name, vec![16])).collect()
        };
        let nothing: [&str; 0] = [];
        for names in [
            &[][..],
            &["weight"],
            &[
                "blocks.0.attn.qkv.weight",
                "blocks.0.attn.qkv.bias",
                "norm.weight",
            ],
            // Names that a network has, but few of its own and few of the file's.
            &[
                "conv1.weight",
                "bn1.weight",
                "features.denseblock1.denselayer1.norm1.weight",
            ],
            &["fc1.weight"],
            &["fc1.weight", "fc2.bias", "a", "b", "c"],
        ] {
            assert_eq!(recognised(&of(names)), nothing, "{names:?}");
        }
        // Half of the block's four, and half of the file's.
        assert_eq!(
            recognised(&of(&["fc1.weight", "fc2.bias", "a", "b"])),
            ["?", "se_block"]
        );
    }

    #[test]
    fn what_fits_nothing_gets_the_nearest_network() {
        let mut tensors = published(catalog::find("legacy_seresnet18").unwrap());
        tensors.remove("layer2.0.conv1.weight");
        tensors.insert("last_linear.weight".to_owned(), vec![512, 1000]);
        tensors.insert("head.weight".to_owned(), vec![3]);
        let Recognition::Unknown { nearest, mismatch } = recognise(&tensors) else {
            panic!("recognised");
        };
        assert_eq!(nearest.name, "legacy_seresnet18");
        assert_eq!(
            mismatch.missing,
            ["`layer2.0.conv1.weight` of shape [128, 64, 3, 3]"]
        );
        assert_eq!(
            mismatch.misshapen,
            ["`last_linear.weight`: expected shape [1000, 512], found [512, 1000]"]
        );
        assert_eq!(mismatch.unexpected, ["`head.weight`"]);
    }
}
