//! What stands around the names of a network's tensors in a file: prefixes, an ending, and a
//! second, averaged copy.
//!
//! | who writes it | what |
//! |---|---|
//! | `PyTorch`'s `DataParallel` and `DistributedDataParallel`, timm's `ModelEmaV2` | `module.` |
//! | `torch.compile` | `_orig_mod.` |
//! | Lightning, and whoever keeps a network in another module | the attribute's name: `model.`, `backbone.`, … |
//! | a checkpoint of timm, made flat | `state_dict.`, and `state_dict_ema.` for the averaged copy |
//! | `PyTorch`'s `AveragedModel` | `module.`, and `n_averaged` beside it |
//! | TensorFlow's variables | the model's name, and `:0` at the end |
//!
//! Nothing goes by a list of such names: a prefix is whatever all tensors begin with, up to a dot
//! or a slash, where a network knows their names without it.

use std::collections::BTreeMap;
use std::fmt;

use super::keys::Found;
use super::recognition::likeness;
use super::spelling::is_not_read;

/// The shapes of a file's tensors by name.
pub(super) type Shapes = BTreeMap<String, Vec<usize>>;

/// What all names of a copy of the weights have around them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wrapping {
    /// In front.
    pub(super) prefix: String,
    /// At the end.
    suffix: &'static str,
    /// What only the names of the other copy begin with, where this one has no prefix.
    other: Option<String>,
}

/// The copies of the weights in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Copies {
    /// What training left, or what there is.
    pub(super) plain: Wrapping,
    /// Their running average, of the same names, where both are there.
    pub(super) averaged: Option<Wrapping>,
}

/// At the end of the names of TensorFlow's variables: the first output of what made them.
const FIRST_OUTPUT: &str = ":0";

/// Prefixes in one another; wrappers of wrappers go no further.
pub(super) const MOST_PREFIXES: usize = 8;

impl Wrapping {
    /// A tensor's name without it; nothing where the tensor is not of this copy.
    pub(super) fn strip<'a>(&self, name: &'a str) -> Option<&'a str> {
        let is_others = |other: &String| name.starts_with(other.as_str());
        if self.other.as_ref().is_some_and(is_others) {
            return None;
        }
        name.strip_prefix(self.prefix.as_str())?
            .strip_suffix(self.suffix)
    }

    /// Whether names are what they are without it.
    fn is_none(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty()
    }

    /// Whether it says that the weights are a running average.
    pub(super) fn is_average(&self) -> bool {
        components(&self.prefix).any(is_average)
    }
}

impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = crate::text::shown(&self.prefix);
        match (self.prefix.is_empty(), self.suffix) {
            (true, "") => write!(f, "no prefix"),
            (true, suffix) => write!(f, "the ending `{suffix}`"),
            (false, "") => write!(f, "the prefix `{prefix}`"),
            (false, suffix) => write!(f, "the prefix `{prefix}` and the ending `{suffix}`"),
        }
    }
}

impl Copies {
    /// Those among tensors of these names and shapes.
    pub(super) fn of(shapes: &Shapes) -> Self {
        let names: Vec<&str> = read(shapes.keys().map(String::as_str)).collect();
        let common = common_prefix(&names).len();
        let is_averaged = |name: &&str| components(&name[common..]).next().is_some_and(is_average);
        let (averaged, plain): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| is_averaged(name));
        if !averaged.is_empty() && !plain.is_empty() {
            let other = common_prefix(&averaged).to_owned();
            let copies = Self {
                plain: best(&plain, shapes, Some(other)),
                averaged: Some(best(&averaged, shapes, None)),
            };
            if copies.are_alike(shapes) {
                return copies;
            }
        }
        Self {
            plain: best(&names, shapes, None),
            averaged: None,
        }
    }

    /// The copy that is read: the averaged one where it is wanted and there.
    pub(super) fn read(&self, averaged: bool) -> &Wrapping {
        match &self.averaged {
            Some(copy) if averaged => copy,
            _ => &self.plain,
        }
    }

    /// What should be known of how the names were read, in words that follow the file's.
    pub(super) fn note(&self, averaged: bool) -> Option<String> {
        let plain = &self.plain;
        match &self.averaged {
            Some(copy) => {
                let read = if averaged {
                    "the averaged ones are read"
                } else {
                    "the plain ones are read; `--ema` reads the averaged ones"
                };
                Some(format!(
                    "holds its weights twice, plain with {plain} and as a running average with \
                     {copy}: {read}"
                ))
            }
            None if plain.is_none() => None,
            None => Some(format!("is read without {plain}")),
        }
    }

    /// Whether both copies have tensors of the same names.
    fn are_alike(&self, shapes: &Shapes) -> bool {
        let of = |wrapping: &Wrapping| {
            let names = shapes.keys().filter_map(|name| wrapping.strip(name));
            let mut names: Vec<&str> = read(names).collect();
            names.sort_unstable();
            names
        };
        let averaged = self.averaged.as_ref().map(of);
        averaged.is_some_and(|averaged| averaged == of(&self.plain))
    }
}

/// Names of tensors that a network may read.
fn read<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    names.filter(|name| !is_not_read(name))
}

/// The wrapping of all `names` without which a network knows them best; none where it knows them
/// as well as they are.
fn best(names: &[&str], shapes: &Shapes, other: Option<String>) -> Wrapping {
    let common = common_prefix(names);
    let ends = common.match_indices(['.', '/']).map(|(at, _)| at + 1);
    let prefixes = std::iter::once(0).chain(ends).take(1 + MOST_PREFIXES);
    let ends_alike = names.iter().all(|name| name.ends_with(FIRST_OUTPUT));
    let suffix = if ends_alike && !names.is_empty() {
        FIRST_OUTPUT
    } else {
        ""
    };
    let wrappings = prefixes.map(|end| Wrapping {
        prefix: common[..end].to_owned(),
        suffix,
        other: other.clone().filter(|_| end == 0),
    });
    let mut wrappings: Vec<Wrapping> = wrappings.collect();
    if let [only] = &mut wrappings[..] {
        return std::mem::take(only);
    }
    let none = Wrapping {
        other,
        ..Wrapping::default()
    };
    let mut best = (None, none);
    for wrapping in wrappings {
        let likeness = likeness(&Found::new(shapes, &wrapping));
        if likeness > best.0 {
            best = (likeness, wrapping);
        }
    }
    best.1
}

/// What all of them begin with, up to a dot or a slash.
pub(super) fn common_prefix<'a>(names: &[&'a str]) -> &'a str {
    let Some((first, others)) = names.split_first() else {
        return "";
    };
    let mut common = *first;
    for name in others {
        let alike = common
            .char_indices()
            .zip(name.chars())
            .find(|((_, a), b)| a != b);
        let end = alike.map_or(common.len().min(name.len()), |((end, _), _)| end);
        common = &common[..end];
    }
    let end = common.rfind(['.', '/']).map_or(0, |at| at + 1);
    &common[..end]
}

fn components(name: &str) -> impl Iterator<Item = &str> {
    name.split(['.', '/'])
}

/// Whether a part of a name says that it is a running average: `ema`, `state_dict_ema`,
/// `ema_model`, `swa_model`.
fn is_average(component: &str) -> bool {
    component
        .split('_')
        .any(|word| word == "ema" || word == "swa")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::keys::names_and_shapes;
    use crate::checkpoint::spelling::{KERAS, TORCH};
    use crate::network::catalog;

    fn plain() -> Shapes {
        names_and_shapes(TORCH, catalog::find("seresnet20").unwrap())
    }

    /// The tensors of a file whose names are changed.
    fn renamed(shapes: &Shapes, rename: impl Fn(&str) -> String) -> Shapes {
        let shapes = shapes.iter();
        shapes
            .map(|(name, shape)| (rename(name), shape.clone()))
            .collect()
    }

    fn prefix(shapes: &Shapes) -> String {
        let Copies { plain, averaged } = Copies::of(shapes);
        assert_eq!(averaged, None);
        plain.prefix
    }

    #[test]
    fn one_prefix_of_all_tensors_is_found_however_deep() {
        for expected in [
            "",
            "module.",
            "_orig_mod.",
            "model.",
            "backbone.",
            "net.",
            "timm_model.",
            "state_dict.",
            "ema.",
            "module._orig_mod.",
            "_orig_mod.module.",
            "state_dict/model.net.",
            "классификатор.",
        ] {
            let shapes = renamed(&plain(), |name| format!("{expected}{name}"));
            assert_eq!(prefix(&shapes), expected);
            let found = Found::new(&shapes, &Copies::of(&shapes).plain);
            assert_eq!(found.count(), plain().len());
        }
    }

    #[test]
    fn a_prefix_of_some_tensors_is_left_alone() {
        let mut shapes = renamed(&plain(), |name| format!("module.{name}"));
        shapes.insert("loss.weight".to_owned(), vec![3]);
        assert_eq!(Copies::of(&shapes), Copies::default());
        let some = renamed(&plain(), |name| {
            let prefix = if name.starts_with("layer1") {
                "module."
            } else {
                ""
            };
            format!("{prefix}{name}")
        });
        assert_eq!(Copies::of(&some), Copies::default());
    }

    #[test]
    fn a_prefix_without_which_no_network_knows_the_tensors_is_left_alone() {
        let shapes = renamed(&plain(), |name| format!("model.blocks.{}", name.len()));
        assert_eq!(Copies::of(&shapes), Copies::default());
    }

    #[test]
    fn the_count_beside_an_averaged_model_of_pytorch_is_none_of_its_tensors() {
        let mut shapes = renamed(&plain(), |name| format!("module.{name}"));
        shapes.insert("n_averaged".to_owned(), Vec::new());
        assert_eq!(prefix(&shapes), "module.");
    }

    #[test]
    fn tensorflows_ending_goes_with_the_models_name_or_without() {
        let keras = names_and_shapes(KERAS, catalog::find("seresnet20").unwrap());
        for model in ["", "seresnet20/"] {
            let shapes = renamed(&keras, |name| {
                let (layer, parameter) = name.rsplit_once('.').unwrap();
                format!("{model}{layer}/{parameter}:0")
            });
            let wrapping = Copies::of(&shapes).plain;
            assert_eq!((wrapping.prefix.as_str(), wrapping.suffix), (model, ":0"));
            let found = Found::new(&shapes, &wrapping);
            assert_eq!(found.spelling, KERAS);
            assert_eq!(likeness(&found), Some(1.));
        }
    }

    #[test]
    fn an_averaged_copy_is_told_from_the_plain_one() {
        for (of_plain, of_averaged) in [
            ("state_dict.", "state_dict_ema."),
            ("model.", "model_ema."),
            ("model.", "ema."),
            ("module.", "ema.module."),
            ("checkpoint.model.module.", "checkpoint.ema_model.module."),
            ("params.", "params_ema."),
            ("", "ema."),
            ("", "swa_model.module."),
        ] {
            let mut shapes = renamed(&plain(), |name| format!("{of_plain}{name}"));
            shapes.extend(renamed(&plain(), |name| format!("{of_averaged}{name}")));
            shapes.insert("swa_model.n_averaged".to_owned(), Vec::new());
            let Copies {
                plain: wrapping,
                averaged,
            } = Copies::of(&shapes);
            let averaged = averaged.unwrap();
            assert_eq!(wrapping.prefix, of_plain);
            assert_eq!(averaged.prefix, of_averaged);
            assert!(averaged.is_average() && !wrapping.is_average());
            for wrapping in [wrapping, averaged] {
                let found = Found::new(&shapes, &wrapping);
                assert_eq!(likeness(&found), Some(1.), "{wrapping}");
            }
        }
    }

    #[test]
    fn what_is_averaged_in_part_is_no_copy() {
        let mut shapes = renamed(&plain(), |name| format!("model.{name}"));
        shapes.extend(renamed(&plain(), |name| format!("ema.{name}")));
        shapes.remove("ema.fc.bias");
        assert_eq!(Copies::of(&shapes), Copies::default());
    }
}
