//! Where in a file of any spelling the parameters of a network are.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::spelling::{
    Arrangement, Spelling, canonical_separators, counts_batches, is_not_read,
    variable_of_normalization,
};
use super::wrapping::{Shapes, Wrapping};
#[cfg(test)]
use crate::network::Network;
use crate::network::{Layer, Layers, Operation, Value};
use crate::text::shown;

/// Where a parameter is found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorSource {
    /// The tensor's name there.
    pub(super) name: String,
    /// How it lies there.
    pub(super) arrangement: Arrangement,
    /// Our shape.
    pub(super) shape: Vec<usize>,
}

/// Each parameter's source, by canonical name.
pub(super) type Sources = BTreeMap<String, TensorSource>;

/// How the tensors of a file differ from those of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Tensors that the network reads and the file lacks, with their shapes.
    pub missing: Vec<String>,
    /// Tensors of another shape, with both.
    pub misshapen: Vec<String>,
    /// Tensors of the file that the network does not read.
    pub unexpected: Vec<String>,
}

/// The tensors of a file that a network may read.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The code that named them.
    pub(super) spelling: Spelling,
    /// Whether `PyTorch`'s batch norms have counted batches.
    pub(super) counts_batches: bool,
    /// The name in the file and the shape there, by the name in our separators.
    tensors: HashMap<String, (String, Vec<usize>)>,
    /// Those that normalise pixels before the network begins, by the variable's name: no layer of
    /// a network reads them.
    normalization: HashMap<String, (String, Vec<usize>)>,
    /// Names that are another's in our separators.
    twice: Vec<String>,
}

impl Found {
    /// Takes a file's tensors, without the `wrapping` around their names; those that are wrapped
    /// otherwise are passed over.
    pub(super) fn new(shapes: &Shapes, wrapping: &Wrapping) -> Self {
        let names = shapes.keys().filter_map(|name| wrapping.strip(name));
        let mut found = Self {
            spelling: Spelling::of(names.clone()),
            counts_batches: names.clone().any(counts_batches),
            tensors: HashMap::new(),
            normalization: HashMap::new(),
            twice: Vec::new(),
        };
        for (name, shape) in shapes {
            let Some(stripped) = wrapping.strip(name).filter(|name| !is_not_read(name)) else {
                continue;
            };
            let canonical = canonical_separators(stripped);
            let tensor = (name.clone(), shape.clone());
            let before = match variable_of_normalization(&canonical) {
                Some(variable) => found.normalization.insert(variable.to_owned(), tensor),
                None => found.tensors.insert(canonical, tensor),
            };
            if before.is_some() {
                found.twice.push(name.clone());
            }
        }
        found
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.tensors.len()
    }

    /// The shape of the tensor of this name, in our separators.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(_, shape)| shape.as_slice())
    }

    /// The name in the file and the shape there of what normalises pixels, by the variable: `mean`.
    pub(super) fn normalization(&self, variable: &str) -> Option<&(String, Vec<usize>)> {
        self.normalization.get(variable)
    }

    /// All names, as the file has them, in their order.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .tensors
            .values()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }
}

/// What the parameters of `layers` are called in a file of this spelling.
pub(super) fn names(layers: &Layers, spelling: Spelling) -> impl Iterator<Item = String> {
    let each = layers.as_slice().iter();
    each.flat_map(move |layer| expected(layer, layers, spelling).map(|expected| expected.name))
}

/// Finds every parameter of `layers` among the tensors of a file.
pub(super) fn resolve(layers: &Layers, found: &Found) -> Result<Sources, Mismatch> {
    let mut unclaimed: HashMap<&str, &(String, Vec<usize>)> = found
        .tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    let mut sources = Sources::new();
    let mut mismatch = Mismatch::default();
    for expected in layers
        .as_slice()
        .iter()
        .flat_map(|layer| expected(layer, layers, found.spelling))
    {
        let Expected {
            canonical,
            name,
            shape,
            arrangements,
        } = expected;
        let usual = arrangements.first().map(|usual| usual.shape.as_slice());
        let usual = usual.unwrap_or_default();
        let Some((found_name, found_shape)) = unclaimed.remove(name.as_str()) else {
            mismatch
                .missing
                .push(format!("`{name}` of shape {usual:?}"));
            continue;
        };
        let fits = |arrangement: &&Arrangement| arrangement.shape == *found_shape;
        if let Some(arrangement) = arrangements.iter().find(fits) {
            let source = TensorSource {
                name: found_name.clone(),
                arrangement: arrangement.clone(),
                shape,
            };
            sources.insert(canonical, source);
        } else {
            let same_rank =
                |arrangement: &&Arrangement| arrangement.shape.len() == found_shape.len();
            let alike = arrangements.iter().find(same_rank);
            let expected = alike.map_or(usual, |alike| alike.shape.as_slice());
            mismatch.add_misshapen(found_name, expected, found_shape);
        }
    }
    mismatch.unexpected = unclaimed
        .into_values()
        .map(|(name, _)| name)
        .chain(&found.twice)
        .map(|name| format!("`{}`", shown(name)))
        .collect();
    mismatch.unexpected.sort_unstable();
    mismatch.or(sources)
}

/// How many channels the first convolution of a file reads, where it is that of `layers` but for them.
pub(super) fn input_channels(layers: &Layers, found: &Found) -> Option<usize> {
    let mut layers_of_input = layers.as_slice().iter();
    let first = layers_of_input.find(|layer| layer.inputs.contains(&Value::INPUT))?;
    if !matches!(first.operation, Operation::Conv(conv) if conv.groups == 1) {
        return None;
    }
    let mut parameters = expected(first, layers, found.spelling);
    // Output channels, those that it reads, rows and columns.
    let weight = parameters.find(|parameter| parameter.shape.len() == 4)?;
    let shape = found.shape(&weight.name)?;
    weight.arrangements.iter().find_map(|arrangement| {
        let axis = arrangement.permutation.get(1).copied().unwrap_or(1);
        let mut as_found = arrangement.shape.clone();
        let channels = *shape.get(axis).filter(|&&channels| channels > 0)?;
        *as_found.get_mut(axis)? = channels;
        (as_found == shape).then_some(channels)
    })
}

/// A parameter as a file of some spelling should have it.
struct Expected {
    canonical: String,
    name: String,
    shape: Vec<usize>,
    arrangements: Vec<Arrangement>,
}

fn expected(layer: &Layer, layers: &Layers, spelling: Spelling) -> impl Iterator<Item = Expected> {
    let before = layer.inputs.first().and_then(|value| layers.maker(*value));
    let seen = match before.map(|before| before.operation) {
        Some(Operation::Flatten { height, width }) => [height, width],
        _ => [1, 1],
    };
    let name = (spelling.layer)(&layer.name, layers);
    layer
        .operation
        .parameters()
        .into_iter()
        .map(move |parameter| Expected {
            canonical: format!("{}.{}", layer.name, parameter.name),
            name: format!(
                "{name}.{}",
                (spelling.parameter)(&layer.operation, parameter.name)
            ),
            arrangements: (spelling.arrangements)(&parameter.shape, seen),
            shape: parameter.shape,
        })
}

impl Mismatch {
    /// How many tensors differ.
    #[must_use]
    pub fn count(&self) -> usize {
        self.missing.len() + self.misshapen.len() + self.unexpected.len()
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// What was found, unless something differs.
    pub(super) fn or(self, sources: Sources) -> Result<Sources, Self> {
        if self.is_empty() {
            Ok(sources)
        } else {
            Err(self)
        }
    }

    /// Adds a tensor of another shape.
    pub(super) fn add_misshapen(&mut self, name: &str, expected: &[usize], found: &[usize]) {
        self.misshapen.push(format!(
            "`{}`: expected shape {expected:?}, found {}",
            shown(name),
            shown(&format!("{found:?}"))
        ));
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

/// Every tensor of a network as a file of some spelling has it.
#[cfg(test)]
pub(super) fn names_and_shapes(
    spelling: Spelling,
    network: &Network,
) -> BTreeMap<String, Vec<usize>> {
    let layers = network.layers();
    let expected = layers
        .as_slice()
        .iter()
        .flat_map(|layer| expected(layer, &layers, spelling));
    expected
        .map(|expected| (expected.name, expected.arrangements[0].shape.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(
        layers: &Layers,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) -> Result<Sources, Mismatch> {
        super::resolve(layers, &Found::new(shapes, &Wrapping::default()))
    }

    use crate::checkpoint::spelling::{
        CADENE, KERAS, KERAS_EFFICIENTNET, KERAS_EFFICIENTNET_V2, KERAS_MOBILENET_V3, TIMM_VGG,
        TORCH, TORCHVISION_EFFICIENTNET, TORCHVISION_MNASNET, TORCHVISION_MOBILENET_V2,
        TORCHVISION_MOBILENET_V3, TORCHVISION_REGNET,
    };
    use crate::network::catalog;

    fn names_and_shapes(spelling: Spelling, network: &str) -> BTreeMap<String, Vec<usize>> {
        super::names_and_shapes(spelling, catalog::find(network).unwrap())
    }

    #[test]
    fn both_origins_resolve_and_differ_in_layout() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        let keras = resolve(&layers, &names_and_shapes(KERAS, "seresnet20")).unwrap();
        let candle = resolve(&layers, &names_and_shapes(TORCH, "seresnet20")).unwrap();
        assert!(keras.keys().eq(candle.keys()));
        let conv = &keras["layer2.0.conv1.weight"];
        assert_eq!(conv.name, "layer2.0.conv1.kernel");
        assert_eq!(conv.arrangement.shape, [3, 3, 16, 32]);
        assert_eq!(conv.arrangement.permutation, [3, 2, 0, 1]);
        assert_eq!(candle["fc.weight"].arrangement.shape, [10, 64]);
    }

    #[test]
    fn cadenes_names_are_those_of_its_files() {
        // Of the keys of timm's `legacy_*` and of pretrainedmodels.
        for (network, names) in [
            (
                "legacy_seresnet18",
                &[
                    "layer0.conv1.weight",
                    "layer0.bn1.running_var",
                    "layer1.0.se_module.fc1.weight",
                    "layer2.0.downsample.1.bias",
                    "last_linear.weight",
                ][..],
            ),
            (
                "bn_inception",
                &[
                    "conv1_7x7_s2.bias",
                    "inception_3a_1x1.weight",
                    "inception_3a_double_3x3_1_bn.running_mean",
                    "inception_5b_pool_proj.bias",
                    "last_linear.weight",
                ],
            ),
            (
                "inception_resnet_v2",
                &["repeat.0.branch1.0.bn.weight", "last_linear.bias"],
            ),
            (
                "legacy_senet154",
                &[
                    "layer0.conv3.weight",
                    "layer0.bn1.weight",
                    "layer0.bn3.weight",
                    "last_linear.bias",
                ],
            ),
        ] {
            let found = names_and_shapes(CADENE, network);
            for name in names {
                assert!(found.contains_key(*name), "{network}: {name}");
            }
            let layers = catalog::find(network).unwrap().layers();
            assert!(resolve(&layers, &found).is_ok());
        }
    }

    // Of the keys of torchvision's state dicts.
    #[test]
    fn torchvisions_mobile_networks_are_numbered_as_its_files_are() {
        for (spelling, network, keys) in [
            (
                TORCHVISION_EFFICIENTNET,
                "tv_efficientnet_b0",
                &[
                    ("features.0.0.weight", &[32, 3, 3, 3][..]),
                    ("features.1.0.block.1.fc1.bias", &[8]),
                    ("features.1.0.block.2.1.running_var", &[16]),
                    ("features.2.0.block.2.fc2.bias", &[96]),
                    ("features.7.0.block.3.1.weight", &[320]),
                    ("features.8.0.weight", &[1280, 320, 1, 1]),
                    ("classifier.1.weight", &[1000, 1280]),
                ][..],
            ),
            (
                TORCHVISION_MOBILENET_V3,
                "tv_mobilenet_v3_small",
                &[
                    ("features.1.block.2.0.weight", &[16, 16, 1, 1]),
                    ("features.2.block.2.0.weight", &[24, 72, 1, 1]),
                    ("features.12.0.weight", &[576, 96, 1, 1]),
                    ("features.12.1.bias", &[576]),
                    ("classifier.0.weight", &[1024, 576]),
                    ("classifier.3.bias", &[1000]),
                ],
            ),
            (
                TORCHVISION_MOBILENET_V2,
                "tv_mobilenet_v2",
                &[
                    ("features.1.conv.0.0.weight", &[32, 1, 3, 3]),
                    ("features.1.conv.1.weight", &[16, 32, 1, 1]),
                    ("features.1.conv.2.running_mean", &[16]),
                    ("features.2.conv.3.weight", &[24]),
                    ("features.18.0.weight", &[1280, 320, 1, 1]),
                ],
            ),
            (
                TORCHVISION_MNASNET,
                "tv_mnasnet1_0",
                &[
                    ("layers.1.bias", &[32]),
                    ("layers.3.weight", &[32, 1, 3, 3]),
                    ("layers.7.weight", &[16]),
                    ("layers.8.1.layers.3.weight", &[72, 1, 3, 3]),
                    ("layers.13.0.layers.7.weight", &[320]),
                    ("layers.15.weight", &[1280]),
                ],
            ),
        ] {
            let found = names_and_shapes(spelling, network);
            for &(name, shape) in keys {
                assert_eq!(found[name], shape, "{name}");
            }
            let layers = catalog::find(network).unwrap().layers();
            assert!(resolve(&layers, &found).is_ok(), "{network}");
        }
    }

    // Of the variables of Keras's models.
    #[test]
    fn keras_applications_call_layers_by_what_they_do() {
        for (spelling, network, keys) in [
            (
                KERAS_EFFICIENTNET,
                "keras_efficientnet_b0",
                &[
                    ("stem_conv.kernel", &[3, 3, 3, 32][..]),
                    ("block1a_dwconv.kernel", &[3, 3, 32, 1]),
                    ("block1a_bn.gamma", &[32]),
                    ("block1a_project_bn.beta", &[16]),
                    ("block2a_expand_conv.kernel", &[1, 1, 16, 96]),
                    ("block2b_bn.moving_mean", &[144]),
                    ("block3a_se_reduce.bias", &[6]),
                    ("block7a_project_bn.moving_variance", &[320]),
                    ("top_conv.kernel", &[1, 1, 320, 1280]),
                    ("predictions.kernel", &[1280, 1000]),
                ][..],
            ),
            (
                KERAS_EFFICIENTNET_V2,
                "keras_efficientnetv2_b0",
                &[
                    ("block1a_project_conv.kernel", &[3, 3, 32, 16]),
                    ("block2b_expand_conv.kernel", &[3, 3, 32, 128]),
                    ("block2b_project_bn.gamma", &[32]),
                    ("block4c_dwconv2.kernel", &[3, 3, 384, 1]),
                    ("block6h_se_expand.bias", &[1152]),
                    ("top_bn.beta", &[1280]),
                ],
            ),
            (
                KERAS_MOBILENET_V3,
                "keras_mobilenetv3_small",
                &[
                    ("conv.kernel", &[3, 3, 3, 16]),
                    ("conv_bn.gamma", &[16]),
                    ("expanded_conv_depthwise.kernel", &[3, 3, 16, 1]),
                    ("expanded_conv_squeeze_excite_conv.bias", &[8]),
                    ("expanded_conv_1_expand_bn.beta", &[72]),
                    ("expanded_conv_10_depthwise_bn.moving_mean", &[576]),
                    ("expanded_conv_10_project.kernel", &[1, 1, 576, 96]),
                    ("conv_1.kernel", &[1, 1, 96, 576]),
                    ("conv_1_bn.moving_variance", &[576]),
                    ("conv_2.bias", &[1024]),
                    ("logits.bias", &[1000]),
                ],
            ),
        ] {
            let mut found = names_and_shapes(spelling, network);
            for &(name, shape) in keys {
                assert_eq!(found[name], shape, "{name}");
            }
            let layers = catalog::find(network).unwrap().layers();
            // What normalises the pixels is no layer of the network.
            found.insert("normalization_1/mean".to_owned(), vec![3]);
            found.insert("normalization_1/count".to_owned(), Vec::new());
            assert!(resolve(&layers, &found).is_ok(), "{network}");
        }
    }

    #[test]
    fn torchvisions_names_of_a_regnet_are_those_of_its_files() {
        let found = names_and_shapes(TORCHVISION_REGNET, "regnety_004");
        // Of the keys of torchvision's `regnet_y_400mf`.
        for (name, shape) in [
            ("stem.0.weight", &[32, 3, 3, 3][..]),
            ("stem.1.running_var", &[32]),
            (
                "trunk_output.block1.block1-0.proj.0.weight",
                &[48, 32, 1, 1],
            ),
            ("trunk_output.block1.block1-0.f.a.0.weight", &[48, 32, 1, 1]),
            ("trunk_output.block2.block2-2.f.b.1.bias", &[104]),
            ("trunk_output.block4.block4-5.f.se.fc2.bias", &[440]),
            ("fc.weight", &[1000, 440]),
        ] {
            assert_eq!(found[name], shape, "{name}");
        }
        let layers = catalog::find("regnety_004").unwrap().layers();
        assert!(resolve(&layers, &found).is_ok());
    }

    #[test]
    fn a_depthwise_convolution_of_keras_may_be_spelt_as_one_of_groups() {
        let layers = catalog::find("mobilenet").unwrap().layers();
        let depthwise = names_and_shapes(KERAS, "mobilenet");
        let name = "layer2.0.conv_dw.kernel";
        assert_eq!(depthwise[name], [3, 3, 64, 1]);
        let mut grouped = depthwise.clone();
        grouped.insert(name.to_owned(), vec![3, 3, 1, 64]);
        for (found, permutation) in [(depthwise, [2, 3, 0, 1]), (grouped, [3, 2, 0, 1])] {
            let sources = resolve(&layers, &found).unwrap();
            let arrangement = &sources["layer2.0.conv_dw.weight"].arrangement;
            assert_eq!(arrangement.permutation, permutation);
        }
    }

    #[test]
    fn a_dense_layer_may_be_spelt_as_a_1x1_convolution() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        for spelling in [TORCH, KERAS] {
            let dense = names_and_shapes(spelling, "seresnet20");
            let mut conv = dense.clone();
            for (name, shape) in &mut conv {
                if name.contains(".se.") && shape.len() == 2 {
                    *shape = match spelling.words {
                        "Keras" => vec![1, 1, shape[0], shape[1]],
                        _ => vec![shape[0], shape[1], 1, 1],
                    };
                }
            }
            assert_ne!(dense, conv);
            let (dense, conv) = (resolve(&layers, &dense), resolve(&layers, &conv));
            let (dense, conv) = (dense.unwrap(), conv.unwrap());
            let fc1 = "layer1.0.se.fc1.weight";
            assert_eq!(dense[fc1].arrangement.view, conv[fc1].arrangement.view);
        }
    }

    #[test]
    fn a_dense_layer_of_many_pixels_is_found_in_every_spelling() {
        let layers = catalog::find("vgg16_bn").unwrap().layers();
        let of = |spelling| {
            let sources = resolve(&layers, &names_and_shapes(spelling, "vgg16_bn")).unwrap();
            sources["classifier.0.weight"].clone()
        };
        assert_eq!(of(TORCH).arrangement.permutation, [0, 1]);
        let keras = of(KERAS).arrangement;
        assert_eq!(keras.shape, [7 * 7 * 512, 4096]);
        assert_eq!(
            (keras.view, keras.permutation),
            (vec![49, 512, 4096], &[2, 1, 0][..])
        );

        // timm's keys and shapes.
        let mut found = names_and_shapes(TIMM_VGG, "vgg16_bn");
        found.insert("pre_logits.fc1.weight".to_owned(), vec![4096, 512, 7, 7]);
        found.insert("pre_logits.fc2.weight".to_owned(), vec![4096, 4096, 1, 1]);
        assert_eq!(found["head.fc.weight"], [1000, 4096]);
        let sources = resolve(&layers, &found).unwrap();
        let fc1 = &sources["classifier.0.weight"];
        assert_eq!(fc1.name, "pre_logits.fc1.weight");
        assert_eq!(fc1.arrangement.view, [4096, 25_088]);
    }

    #[test]
    fn keras_paths_of_sublayers_are_found_whether_or_not_they_repeat_their_parent() {
        let layers = catalog::find("seresnet20").unwrap().layers();
        for parent in ["", "layer1.0.se."] {
            let path = format!("layer1.0.se/{parent}fc1/");
            let found = names_and_shapes(KERAS, "seresnet20")
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
        let mut found = names_and_shapes(KERAS, "seresnet20");
        found.insert("fc/bias".to_owned(), vec![10]);
        assert_eq!(resolve(&layers, &found).unwrap_err().unexpected.len(), 1);
    }

    #[test]
    fn weights_with_gates_do_not_fit_the_plain_twin() {
        let layers = catalog::find("resnet20").unwrap().layers();
        let mismatch = resolve(&layers, &names_and_shapes(KERAS, "seresnet20")).unwrap_err();
        assert!(mismatch.missing.is_empty());
        assert_eq!(mismatch.unexpected.len(), 36);
    }
}
