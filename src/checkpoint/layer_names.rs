//! Which layer of a network each name of a dump means. A framework's hooks call values by its own
//! modules, whose names its weights' files have too: [`Spelling`] says what those are.

use std::collections::HashMap;

use serde::Serialize;

use super::spelling::{Spelling, TORCH, canonical_separators, norm_of_part, pool_of_part};
use super::wrapping::{MOST_PREFIXES, common_prefix};
use crate::network::{Layer, Layers, Operation, Value};

/// What the names of a dump mean.
#[derive(Debug)]
pub(crate) struct LayerNames<'a> {
    layers: &'a Layers,
    /// What all names begin with and no layer's name does.
    prefix: String,
    spelling: Names,
    /// Of each module that a dump has more calls of than the network has layers, the last call.
    last_calls: HashMap<String, usize>,
}

/// The layer whose output a name of a dump means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Its index in the list.
    pub(crate) position: usize,
    /// How that follows from the name.
    pub(crate) how: How,
    /// The code base that calls it so, where that is another name than here.
    pub(crate) code_base: Option<&'static str>,
}

/// What a name of a dump is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The name of a layer.
    Layer,
    /// The name of a layer that has the activation after it within, whose value it is.
    WithActivation,
    /// The name of a group of layers, whose value is that of the last of them.
    Group,
    /// The network's last value.
    Output,
    /// The name that a file of aliases gives.
    Alias,
}

/// Layers and groups by what one code base calls them.
#[derive(Debug)]
struct Names {
    spelling: Spelling,
    layers: HashMap<String, usize>,
    groups: HashMap<String, usize>,
}

impl Meaning {
    fn here(position: usize, how: How) -> Self {
        Self {
            position,
            how,
            code_base: None,
        }
    }

    fn of(self, code_base: &'static str) -> Self {
        Self {
            code_base: Some(code_base),
            ..self
        }
    }
}

impl<'a> LayerNames<'a> {
    /// Understands `names` by the prefix and the code base under which most of them mean a layer.
    pub(crate) fn of<'n>(names: &[&'n str], layers: &'a Layers) -> Self {
        let last_calls = last_calls(names, layers);
        let all = names.iter().copied();
        let called: Vec<&str> = all
            .filter_map(|name| called_last(name, &last_calls))
            .collect();
        Self {
            last_calls,
            ..Self::of_modules(&called, layers)
        }
    }

    fn of_modules<'n>(names: &[&'n str], layers: &'a Layers) -> Self {
        let prefixes = prefixes_of_all(names);
        let mut understood = Self {
            layers,
            prefix: String::new(),
            spelling: Names::default(),
            last_calls: HashMap::new(),
        };
        if names
            .iter()
            .all(|name| understood.in_our_words(name).is_some())
        {
            return understood;
        }
        // What other code bases call layers is known of networks of the catalogue alone.
        let foreign = layers.convention().map(|_| Spelling::of_dumps());
        let spellings = std::iter::once(TORCH).chain(foreign.into_iter().flatten());
        let spellings: Vec<Names> = spellings
            .map(|spelling| Names::of(layers, spelling))
            .collect();
        let mut most: Option<(usize, &str, usize)> = None;
        for prefix in prefixes {
            let without = |name: &&'n str| name.strip_prefix(prefix);
            let unknown = names.iter().filter_map(without);
            let unknown: Vec<String> = unknown
                .filter(|name| understood.in_our_words(name).is_none())
                .map(canonical_separators)
                .collect();
            for (index, spelling) in spellings.iter().enumerate() {
                let unknown = unknown.iter().filter(|name| !spelling.has(name)).count();
                if most.is_none_or(|(least, ..)| unknown < least) {
                    most = Some((unknown, prefix, index));
                }
            }
        }
        if let Some((_, prefix, index)) = most {
            prefix.clone_into(&mut understood.prefix);
            understood.spelling = spellings.into_iter().nth(index).unwrap_or_default();
        }
        understood
    }

    /// The layer that `name` means.
    pub(crate) fn find(&self, name: &str) -> Option<Meaning> {
        let name = called_last(name, &self.last_calls)?;
        let name = self.without_prefix(name)?;
        let known = |name: &str| {
            let spelt = canonical_separators(name);
            self.in_our_words(name).or_else(|| self.in_spelling(&spelt))
        };
        known(name).or_else(|| known(pool_of_part(name)?))
    }

    /// The layer that is called so here, or that is in the module called so.
    fn in_our_words(&self, name: &str) -> Option<Meaning> {
        self.exactly(name).or_else(|| self.norm(name))
    }

    fn without_prefix<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.prefix.as_str())
    }

    /// A layer or a group that is called so here.
    fn exactly(&self, name: &str) -> Option<Meaning> {
        if (self.spelling.spelling.means_another)(name) {
            return None;
        }
        let position = self.layers.position(name)?;
        let is_layer = self.layers.as_slice()[position].name == name;
        let how = if is_layer { How::Layer } else { How::Group };
        Some(Meaning::here(position, how))
    }

    fn in_spelling(&self, name: &str) -> Option<Meaning> {
        let Names {
            spelling,
            layers,
            groups,
        } = &self.spelling;
        if let Some(&position) = layers.get(name) {
            let canonical = &self.layers.as_slice()[position].name;
            let meaning = if (spelling.activates)(canonical) {
                self.with_activation(position)
            } else {
                Meaning::here(position, How::Layer)
            };
            return Some(meaning.of(spelling.words));
        }
        let &position = groups.get(name)?;
        Some(Meaning::here(position, How::Group).of(spelling.words))
    }

    /// A batch norm, by a part of its module that changes nothing.
    fn norm(&self, name: &str) -> Option<Meaning> {
        let norm = norm_of_part(name)?;
        let layers = self.layers.as_slice();
        let is_norm = |layer: &Layer| {
            layer.name == norm && matches!(layer.operation, Operation::BatchNorm { .. })
        };
        let position = layers.iter().position(is_norm)?;
        Some(Meaning::here(position, How::Layer))
    }

    /// The activation that alone reads the layer, else the layer itself.
    fn with_activation(&self, position: usize) -> Meaning {
        let value = Value::of_layer(position);
        let layers = self.layers.as_slice().iter().enumerate();
        let mut readers = layers.filter(|(_, layer)| layer.inputs.contains(&value));
        let activation = match (readers.next(), readers.next()) {
            (Some((reader, layer)), None) => {
                matches!(layer.operation, Operation::Activation(_)).then_some(reader)
            }
            _ => None,
        };
        match activation {
            Some(activation) => Meaning::here(activation, How::WithActivation),
            None => Meaning::here(position, How::Layer),
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self {
            spelling: TORCH,
            layers: HashMap::new(),
            groups: HashMap::new(),
        }
    }
}

impl Names {
    fn has(&self, name: &str) -> bool {
        self.layers.contains_key(name) || self.groups.contains_key(name)
    }

    fn of(layers: &Layers, spelling: Spelling) -> Self {
        let mut names = Self {
            spelling,
            ..Self::default()
        };
        // Of all others names mean themselves, which has been looked at before.
        if spelling == TORCH {
            return names;
        }
        let list = layers.as_slice();
        let mut with_parameters = Vec::new();
        for (position, layer) in list.iter().enumerate() {
            let name = (spelling.layer)(&layer.name, layers);
            if !layer.operation.parameters().is_empty() {
                with_parameters.push((position, name.clone()));
            }
            if !(spelling.means_another)(&name) {
                names.layers.insert(name, position);
            }
        }
        let canonical = with_parameters
            .iter()
            .map(|&(position, _)| (position, list[position].name.as_str()));
        let canonical = members_of_groups(canonical);
        let spelt = members_of_groups(
            with_parameters
                .iter()
                .map(|(position, name)| (*position, name.as_str())),
        );
        // A group there is the one here that has the same layers with parameters.
        let mut here: HashMap<&[usize], &str> = HashMap::new();
        for (name, members) in &canonical {
            let outermost = here.entry(members.as_slice()).or_insert(name);
            if name.len() < outermost.len() {
                *outermost = name;
            }
        }
        for (name, members) in &spelt {
            let Some(position) = here
                .get(members.as_slice())
                .and_then(|group| layers.position(group))
            else {
                continue;
            };
            // Of groups in one another with the same parameters, the inner may end before what has
            // none: torchvision's `block` before the addition.
            let is_outermost = !prefixes(name).any(|outer| spelt.get(outer) == Some(members));
            if is_outermost || members.last() == Some(&position) {
                names.groups.insert((*name).to_owned(), position);
            }
        }
        names
    }
}

/// The layers within each group of dotted names, in their order.
fn members_of_groups<'n>(
    layers: impl Iterator<Item = (usize, &'n str)>,
) -> HashMap<&'n str, Vec<usize>> {
    let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, name) in layers {
        for group in prefixes(name) {
            groups.entry(group).or_default().push(position);
        }
    }
    groups
}

/// The last call of each module of which `names` have a second, `NAME#2`, where the network has no
/// layers that are called so: it then has one layer a module.
fn last_calls(names: &[&str], layers: &Layers) -> HashMap<String, usize> {
    let mut last = HashMap::new();
    if layers.as_slice().iter().any(|l| call(&l.name).1 > 1) {
        return last;
    }
    for (module, call) in names.iter().map(|name| call(name)) {
        if call > 1 {
            let most = last.entry(module.to_owned()).or_insert(call);
            *most = call.max(*most);
        }
    }
    last
}

/// The module whose last call a name is, or that is called once; none of calls before the last.
fn called_last<'n>(name: &'n str, last_calls: &HashMap<String, usize>) -> Option<&'n str> {
    let (module, call) = call(name);
    match last_calls.get(module) {
        Some(&last) => (call == last).then_some(module),
        None => Some(name),
    }
}

/// A module, and which of its calls a name is: `NAME#2` the second.
fn call(name: &str) -> (&str, usize) {
    let numbered = name.rsplit_once('#').and_then(|(module, number)| {
        let number = number.parse().ok()?;
        (number > 1).then_some((module, number))
    });
    numbered.unwrap_or((name, 1))
}

/// What all of `names` begin with, up to a separator: nothing, then more and more.
pub(crate) fn prefixes_of_all<'n>(names: &[&'n str]) -> Vec<&'n str> {
    let common = common_prefix(names);
    let ends = common.match_indices(['.', '/']).map(|(at, _)| at + 1);
    let ends = std::iter::once(0).chain(ends).take(1 + MOST_PREFIXES);
    ends.map(|end| &common[..end]).collect()
}

/// A name whose parts dots separate, whichever separated them.
pub(crate) fn with_dots(name: &str) -> String {
    canonical_separators(name)
}

/// The groups that something of this name is in, the outermost first.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::catalog;

    /// What each of `names`, all that a dump has, means: the layer's name.
    fn meant(network: &str, names: &[&str]) -> Vec<Option<String>> {
        let layers = catalog::find(network).unwrap().layers();
        let understood = LayerNames::of(names, &layers);
        let meanings = names.iter().map(|name| understood.find(name));
        let name = |meaning: Meaning| layers.as_slice()[meaning.position].name.clone();
        meanings.map(|meaning| meaning.map(name)).collect()
    }

    fn assert_meant(network: &str, expected: &[(&str, &str)]) {
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        for ((name, layer), found) in expected.iter().zip(meant(network, &names)) {
            let expected = (*layer != "-").then_some(*layer);
            assert_eq!(found.as_deref(), expected, "{network}: {name}");
        }
    }

    #[test]
    fn names_of_every_code_base_mean_the_layers_that_its_files_have() {
        for (network, spelling) in [
            ("seresnet20", crate::checkpoint::spelling::KERAS),
            ("legacy_senet154", crate::checkpoint::spelling::CADENE),
            ("vgg16_bn", crate::checkpoint::spelling::TIMM_VGG),
            (
                "regnety_004",
                crate::checkpoint::spelling::TORCHVISION_REGNET,
            ),
            (
                "tv_efficientnet_b0",
                crate::checkpoint::spelling::TORCHVISION_EFFICIENTNET,
            ),
            (
                "tv_mnasnet1_0",
                crate::checkpoint::spelling::TORCHVISION_MNASNET,
            ),
            (
                "tv_mobilenet_v2",
                crate::checkpoint::spelling::TORCHVISION_MOBILENET_V2,
            ),
            (
                "tv_mobilenet_v3_small",
                crate::checkpoint::spelling::TORCHVISION_MOBILENET_V3,
            ),
            (
                "keras_efficientnet_b0",
                crate::checkpoint::spelling::KERAS_EFFICIENTNET,
            ),
            (
                "keras_efficientnetv2_b0",
                crate::checkpoint::spelling::KERAS_EFFICIENTNET_V2,
            ),
            (
                "keras_mobilenetv3_small",
                crate::checkpoint::spelling::KERAS_MOBILENET_V3,
            ),
        ] {
            let layers = catalog::find(network).unwrap().layers();
            let with_parameters = layers.as_slice().iter().enumerate();
            let with_parameters =
                with_parameters.filter(|(_, layer)| !layer.operation.parameters().is_empty());
            let expected: Vec<(usize, String)> = with_parameters
                .map(|(position, layer)| (position, (spelling.layer)(&layer.name, &layers)))
                .collect();
            let names: Vec<&str> = expected.iter().map(|(_, name)| name.as_str()).collect();
            let understood = LayerNames::of(&names, &layers);
            for (position, name) in &expected {
                let layer = &layers.as_slice()[*position];
                let meaning = understood.find(name).unwrap();
                let expected = match meaning.how {
                    How::Layer => *position,
                    // Here a batch norm's name is that of the group with its activation, too.
                    How::WithActivation | How::Group => position + 1,
                    other => panic!("{network}: `{name}` is understood as {other:?}"),
                };
                assert_eq!(meaning.position, expected, "{network}: {name}");
                let activates = (spelling.activates)(&layer.name);
                assert_eq!(meaning.how == How::WithActivation, activates, "{name}");
            }
        }
    }

    #[test]
    fn hooks_on_cadenes_modules_are_understood() {
        assert_meant(
            "legacy_seresnet50",
            &[
                ("layer0.conv1", "conv1"),
                ("layer0.relu1", "relu"),
                ("pool0", "maxpool"),
                ("layer1", "layer1.2.relu"),
                ("layer1.0.bn1", "layer1.0.bn1"),
                ("layer1.0.relu", "layer1.0.relu"),
                ("layer1.0.se_module", "layer1.0.se.scale"),
                ("layer1.0.se_module.fc1", "layer1.0.se.fc1"),
                ("layer1.0.se_module.sigmoid", "layer1.0.se.sigmoid"),
                ("last_linear", "fc"),
                // The stem ends before its pool in timm, behind it in pretrainedmodels.
                ("layer0", "-"),
                ("layer1.0.nothing", "-"),
            ],
        );
    }

    #[test]
    fn of_a_module_that_is_called_again_the_last_call_is_the_layer() {
        assert_meant(
            "legacy_seresnet50",
            &[
                ("layer0.conv1", "conv1"),
                ("layer1.0.relu", "-"),
                ("layer1.0.relu#2", "-"),
                ("layer1.0.relu#10", "layer1.0.relu"),
                ("layer1.1.relu", "layer1.1.relu"),
                ("layer1.1.bn1#1", "-"),
                ("layer1.1.bn2#", "-"),
            ],
        );
    }

    #[test]
    fn modules_of_timm_and_torchvision_are_understood_whether_or_not_they_have_parameters() {
        assert_meant(
            "seresnet50",
            &[
                ("act1", "relu"),
                ("layer1.0.act1", "layer1.0.relu1"),
                ("layer1.0.act3", "layer1.0.relu"),
                ("layer1.0.se.act", "layer1.0.se.relu"),
                ("layer1.0.se.gate", "layer1.0.se.sigmoid"),
                ("global_pool", "avgpool"),
                ("global_pool.flatten", "avgpool"),
            ],
        );
        assert_meant(
            "efficientnet_b0",
            &[
                ("blocks.1.0.bn1", "blocks.1.0.bn1"),
                ("blocks.1.0.bn1.act", "blocks.1.0.bn1.act"),
                ("blocks.1.0.bn1.drop", "blocks.1.0.bn1"),
                ("blocks.1.0.bn3", "blocks.1.0.bn3"),
                ("blocks.1.0.bn3.act", "blocks.1.0.bn3"),
            ],
        );
        assert_meant(
            "tv_efficientnet_b0",
            &[
                ("features.0.2", "bn1.act"),
                ("features.2", "blocks.1.1.add"),
                ("features.2.1", "blocks.1.1.add"),
                // It ends before the addition, and nothing in the names says so.
                ("features.2.1.block", "-"),
                ("features.2.0.block.0.2", "blocks.1.0.bn1.act"),
                ("features.2.0.block.2", "blocks.1.0.se.scale"),
                ("features.2.0.block.2.avgpool", "blocks.1.0.se.squeeze"),
                ("features.2.0.block.2.fc1", "blocks.1.0.se.conv_reduce"),
                ("features.2.0.block.3.1", "blocks.1.0.bn3"),
            ],
        );
        assert_meant(
            "regnety_004",
            &[
                ("stem.2", "stem.bn.act"),
                ("trunk_output.block2.block2-1", "s2.b2.act3"),
                ("trunk_output.block2.block2-1.f.a", "s2.b2.conv1.bn.act"),
                ("trunk_output.block2.block2-1.f.se", "s2.b2.se.scale"),
                ("trunk_output.block2.block2-1.f", "-"),
            ],
        );
    }

    #[test]
    fn layers_of_keras_applications_with_an_activation_within_mean_its_value() {
        assert_meant(
            "keras_efficientnet_b0",
            &[
                ("block1a_se_reduce", "blocks.0.0.se.act1"),
                ("block1a_se_expand", "blocks.0.0.se.gate"),
                ("block1a_se_excite", "blocks.0.0.se.scale"),
                ("block1a_activation", "blocks.0.0.bn1.act"),
                ("block2a_expand_bn", "blocks.1.0.bn1"),
                ("block2b_add", "blocks.1.1.add"),
                ("top_activation", "bn2.act"),
                ("block2b_drop", "-"),
            ],
        );
    }

    #[test]
    fn a_layer_of_keras_that_is_called_as_another_here_is_not_taken_for_it() {
        let theirs = [("logits", "classifier"), ("flatten", "-")];
        assert_meant("keras_mobilenetv3_small", &theirs);
        let ours = [("classifier", "classifier"), ("flatten", "flatten")];
        assert_meant("keras_mobilenetv3_small", &ours);
    }

    #[test]
    fn one_prefix_of_all_names_is_read_past() {
        for prefix in ["module.", "backbone.model.", "net/"] {
            let names = ["conv1", "layer1.0", "layer1.0.se_module.fc1"];
            let names = names.map(|name| format!("{prefix}{name}"));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let expected = ["conv1", "layer1.0.relu", "layer1.0.se.fc1"];
            // `layer0.conv1` is what Cadene's names have, and a torchvision name beside them is read.
            let expected = expected.map(|name| Some(name.to_owned()));
            assert_eq!(meant("legacy_seresnet50", &names), expected, "{prefix}");
        }
    }
}
