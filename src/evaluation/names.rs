//! Which of a network's classes the names are that folders and lists have for them.

use std::collections::{BTreeMap, HashMap};

use crate::checkpoint::{imagenet_labels, imagenet_synsets};
use crate::error::{Error, Result};
use crate::text::{counted, shown, shown_list};

/// How names of classes were understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As labels, or one of the words of a label, whatever the case; `_` and `-` are spaces.
    Label,
    /// As `WordNet`'s synsets, such as `n02123045` or `n02123045-tabby`, of `ImageNet`-1k's classes.
    Synset,
    /// As numbers, from 0 on.
    Number,
}

impl Way {
    /// What the names are: `label`, `synset` or `number`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Synset => "synset",
            Self::Number => "number",
        }
    }
}

/// Names of classes, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The one way in which all of them were.
    pub way: Way,
    /// The number of each name's class.
    pub classes: Vec<usize>,
}

/// What a name is in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    One(usize),
    None,
    Several(Vec<usize>),
}

/// The classes that `names` mean, all in one way: as labels, else as synsets, else as numbers.
///
/// ```
/// use senet::evaluation::{Way, match_classes};
///
/// let labels = ["tabby, tabby cat".to_owned(), "lynx".to_owned()];
/// let matched = match_classes(&["Tabby_cat".to_owned()], 2, Some(&labels))?;
/// assert_eq!((matched.way, matched.classes), (Way::Label, vec![0]));
/// # Ok::<(), senet::Error>(())
/// ```
///
/// # Errors
///
/// Names that in no way all mean one class each; lists those in whose way the fewest are left.
pub fn match_classes(
    names: &[String],
    classes: usize,
    labels: Option<&[String]>,
) -> Result<Matched> {
    let network = Classes::new(classes, labels);
    let mut nearest: Option<(Way, Vec<Meaning>, usize)> = None;
    for (way, meanings) in network.meanings(names) {
        let found: Option<Vec<usize>> = meanings.iter().map(Meaning::one).collect();
        if let Some(classes) = found {
            return Ok(Matched { way, classes });
        }
        let left = meanings.iter().filter(|meaning| meaning.one().is_none());
        let left = left.count();
        if nearest.as_ref().is_none_or(|(_, _, fewest)| left < *fewest) {
            nearest = Some((way, meanings, left));
        }
    }
    let (way, meanings, _) = nearest.unwrap_or((Way::Number, Vec::new(), 0));
    Err(network.refusal(names, way, &meanings))
}

impl Meaning {
    fn of(found: &[usize]) -> Self {
        match *found {
            [] => Self::None,
            [one] => Self::One(one),
            _ => Self::Several(found.to_vec()),
        }
    }

    fn one(&self) -> Option<usize> {
        match self {
            Self::One(class) => Some(*class),
            Self::None | Self::Several(_) => None,
        }
    }
}

/// The classes of a network, by all that they are called.
struct Classes<'a> {
    count: usize,
    labels: Option<&'a [String]>,
    /// Those of `ImageNet`-1k, where the labels are.
    synsets: Option<Vec<&'static str>>,
}

impl<'a> Classes<'a> {
    fn new(count: usize, labels: Option<&'a [String]>) -> Self {
        Self {
            count,
            labels,
            synsets: labels.is_some_and(are_imagenets).then(imagenet_synsets),
        }
    }

    /// What the names are in each way that there is here.
    fn meanings(&self, names: &[String]) -> Vec<(Way, Vec<Meaning>)> {
        let mut ways: Vec<(Way, Vec<Meaning>)> = Vec::new();
        if let Some(labels) = self.labels {
            let index = Index::new(labels);
            let of_name = |name: &String| index.find(name);
            ways.push((Way::Label, names.iter().map(of_name).collect()));
        }
        if let Some(synsets) = &self.synsets {
            let of_name = |name: &String| synset(name, synsets);
            ways.push((Way::Synset, names.iter().map(of_name).collect()));
        }
        let of_name = |name: &String| number(name, self.count);
        ways.push((Way::Number, names.iter().map(of_name).collect()));
        ways
    }

    /// Why the names cannot all be understood `way`, the way that leaves the fewest.
    fn refusal(&self, names: &[String], way: Way, meanings: &[Meaning]) -> Error {
        /// Names, and labels, that are listed.
        const LISTED: usize = 20;
        let pairs = || names.iter().zip(meanings);
        let unknown = pairs().filter(|(_, meaning)| **meaning == Meaning::None);
        let unknown: Vec<&str> = unknown.map(|(name, _)| name.as_str()).collect();
        let several: BTreeMap<&str, &Vec<usize>> = pairs()
            .filter_map(|(name, meaning)| match meaning {
                Meaning::Several(classes) => Some((name.as_str(), classes)),
                Meaning::One(_) | Meaning::None => None,
            })
            .collect();
        let mut problems = Vec::new();
        if !unknown.is_empty() {
            let of = match way {
                Way::Label => "label of the network",
                Way::Synset => "synset of ImageNet-1k",
                Way::Number => "number of a class of the network",
            };
            problems.push(format!(
                "{} of {} no {of}: {}",
                unknown.len(),
                match names.len() {
                    1 => "1 class name is".to_owned(),
                    count => format!("{} are", counted(count, "class name")),
                },
                shown_list(&unknown, LISTED)
            ));
        }
        if !several.is_empty() {
            let listed = several.iter().take(LISTED).map(|(name, classes)| {
                let classes: Vec<String> = classes.iter().map(usize::to_string).collect();
                format!("`{}` ({})", shown(name), classes.join(", "))
            });
            problems.push(format!(
                "labels of several classes: {}",
                listed.collect::<Vec<_>>().join(", ")
            ));
        }
        let mut hint = match self.labels {
            Some(labels) => format!(
                "classes are named by label, such as {}",
                shown_list(labels.get(..3).unwrap_or(labels), 3)
            ),
            None => "the weights name no classes; `--labels` does".to_owned(),
        };
        if self.synsets.is_some() {
            hint += ", by synset, such as `n01440764`";
        }
        hint += &format!(
            ", or by number, from 0 to {}; all in one way",
            self.count.saturating_sub(1)
        );
        Error::Usage(format!("{}\nhint: {hint}", problems.join("; ")))
    }
}

/// Labels by what they may be called: the more exact, the earlier.
struct Index<'a> {
    exact: HashMap<&'a str, Vec<usize>>,
    folded: HashMap<String, Vec<usize>>,
    words: HashMap<String, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(labels: &'a [String]) -> Self {
        let mut index = Self {
            exact: HashMap::new(),
            folded: HashMap::new(),
            words: HashMap::new(),
        };
        for (class, label) in labels.iter().enumerate() {
            index.exact.entry(label).or_default().push(class);
            index.folded.entry(folded(label)).or_default().push(class);
            for word in label.split(',') {
                let classes = index.words.entry(folded(word)).or_default();
                if classes.last() != Some(&class) {
                    classes.push(class);
                }
            }
        }
        index
    }

    fn find(&self, name: &str) -> Meaning {
        let folded = folded(name);
        let found = self.exact.get(name);
        let found = found.or_else(|| self.folded.get(&folded));
        let found = found.or_else(|| self.words.get(&folded));
        Meaning::of(found.map_or(&[], Vec::as_slice))
    }
}

/// A name in lower case, with one space wherever it has white space, `_` or `-`.
fn folded(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| c.is_whitespace() || c == '_' || c == '-');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Whether labels are those of `ImageNet`-1k in its order: each the label there or one of its words.
fn are_imagenets(labels: &[String]) -> bool {
    let table = imagenet_labels();
    let is_of = |(label, words): (&String, &String)| {
        label == words || words.split(", ").any(|word| folded(word) == folded(label))
    };
    labels.len() == table.len() && labels.iter().zip(&table).all(is_of)
}

/// A synset, alone or before a separator and words.
fn synset(name: &str, synsets: &[&str]) -> Meaning {
    let id = name.split(['_', '-', '.', ' ']).next().unwrap_or(name);
    let found = synsets.iter().position(|synset| *synset == id);
    found.map_or(Meaning::None, Meaning::One)
}

fn number(name: &str, classes: usize) -> Meaning {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let number = name
        .parse()
        .ok()
        .filter(|&number| is_number && number < classes);
    number.map_or(Meaning::None, Meaning::One)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn imagenet(names: &[&str]) -> Result<Matched, String> {
        let matched = match_classes(&owned(names), 1000, Some(&imagenet_labels()));
        matched.map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_labels_or_words_of_them_else_synsets_else_numbers() {
        for (names, way, classes) in [
            (
                &["tabby, tabby cat", "crane bird"][..1],
                Way::Label,
                &[281][..],
            ),
            (
                &["Tabby_cat", "TENCH", "great-white  shark"],
                Way::Label,
                &[281, 0, 2],
            ),
            // The label as a whole comes before a word of another.
            (&["maillot"], Way::Label, &[638]),
            (&["n02123045", "n01440764"], Way::Synset, &[281, 0]),
            (
                &["n02085620-Chihuahua", "n01440764_tench"],
                Way::Synset,
                &[151, 0],
            ),
            (&["0", "281", "0999"], Way::Number, &[0, 281, 999]),
        ] {
            let expected = Matched {
                way,
                classes: classes.to_vec(),
            };
            assert_eq!(imagenet(names), Ok(expected), "{names:?}");
        }
    }

    #[test]
    fn labels_that_are_numbers_are_labels() {
        let labels = owned(&["1", "0"]);
        let matched = match_classes(&owned(&["0", "1"]), 2, Some(&labels)).unwrap();
        assert_eq!((matched.way, matched.classes), (Way::Label, vec![1, 0]));
    }

    #[test]
    fn without_labels_numbers_alone_are_known() {
        let matched = match_classes(&owned(&["3"]), 4, None).unwrap();
        assert_eq!((matched.way, matched.classes), (Way::Number, vec![3]));
        let refused = match_classes(&owned(&["cat"]), 4, None)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("`--labels`"), "{refused}");
        assert!(match_classes(&owned(&["+3"]), 4, None).is_err());
    }

    #[test]
    fn what_means_no_class_or_several_is_listed_at_once() {
        let refused = imagenet(&["crane", "tench", "griffin", "unicorn"]).unwrap_err();
        let first = refused.lines().next().unwrap();
        assert_eq!(
            first,
            "2 of 4 class names are no label of the network: `griffin`, `unicorn`; labels of \
             several classes: `crane` (134, 517)"
        );
        // Most are synsets, so that is what the others are held to.
        let refused = imagenet(&["n01440764", "n02123045", "cat"]).unwrap_err();
        assert!(
            refused.contains("1 of 3 class names are no synset of ImageNet-1k: `cat`"),
            "{refused}"
        );
        let refused = imagenet(&["999", "1000"]).unwrap_err();
        assert!(
            refused.contains("no number of a class of the network: `1000`"),
            "{refused}"
        );
    }

    #[test]
    fn synsets_are_those_of_imagenets_labels_alone() {
        let shortened: Vec<String> = imagenet_labels()
            .iter()
            .map(|label| label.split(',').next().unwrap().to_owned())
            .collect();
        let names = owned(&["n02123045"]);
        let matched = match_classes(&names, 1000, Some(&shortened)).unwrap();
        assert_eq!(matched.classes, [281]);
        let mut others = shortened;
        others.swap(0, 1);
        assert!(match_classes(&names, 1000, Some(&others)).is_err());
    }
}
