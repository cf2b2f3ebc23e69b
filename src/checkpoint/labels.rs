//! The names of the classes that weights tell apart.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::text::shown;

/// Above those of any classifier, and few enough to name them all: 21,843 in ImageNet-21k.
pub(super) const MOST_CLASSES: usize = 1_000_000;

/// The most bytes of a label. The longest of ImageNet-21k, all words of a class and what they
/// mean, have some 300.
const LONGEST_LABEL: usize = 1000;

/// Refuses more labels, or longer ones, than any classifier has: each is repeated in every row.
///
/// # Errors
///
/// What is beyond, in words that follow a name of the labels.
pub(super) fn check(labels: &[String]) -> Result<(), String> {
    if labels.len() > MOST_CLASSES {
        return Err(format!(
            "of {} classes; expected at most {MOST_CLASSES}",
            labels.len()
        ));
    }
    match labels.iter().map(String::len).max() {
        Some(longest) if longest > LONGEST_LABEL => Err(format!(
            "with a label of {longest} bytes; expected at most {LONGEST_LABEL}"
        )),
        _ => Ok(()),
    }
}

/// Names of classes, as a `config.json` may have them.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list, or an object from numbers to names"
)]
pub(super) enum LabelNames {
    /// Of all classes, in their order.
    List(Vec<String>),
    /// By the class's number.
    ByClass(BTreeMap<String, String>),
}

/// Each class's description, else its name, else its number. A network with one output tells two
/// classes apart, and may come with the names of both.
///
/// # Errors
///
/// Names of other classes than there are, descriptions that lack one, or beyond a bound.
pub(super) fn labels(
    names: LabelNames,
    descriptions: Option<&BTreeMap<String, String>>,
    classes: Option<usize>,
) -> Result<Vec<String>, String> {
    let describe = |name: String| match descriptions {
        Some(descriptions) => descriptions.get(&name).cloned().ok_or_else(|| {
            format!(
                "has no `label_descriptions` of the label `{}`",
                shown(&name)
            )
        }),
        None => Ok(name),
    };
    let by_class = match names {
        LabelNames::List(names) => match classes {
            Some(classes) if classes != names.len() && (classes, names.len()) != (1, 2) => {
                return Err(format!(
                    "has {} `label_names`, and `num_classes` {classes}",
                    names.len()
                ));
            }
            _ => {
                let labels: Vec<String> =
                    names.into_iter().map(describe).collect::<Result<_, _>>()?;
                check(&labels).map_err(|problem| format!("has `label_names` {problem}"))?;
                return Ok(labels);
            }
        },
        LabelNames::ByClass(by_class) => by_class,
    };
    // A class without a name gets its number.
    let classes = classes.unwrap_or(by_class.len());
    let mut labels: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    for (key, name) in by_class {
        let label = key
            .parse()
            .ok()
            .and_then(|class: usize| labels.get_mut(class));
        *label.ok_or_else(|| {
            format!(
                "has `label_names` of `{}`; expected a class from 0 to {}",
                shown(&key),
                classes.saturating_sub(1)
            )
        })? = describe(name)?;
    }
    check(&labels).map_err(|problem| format!("has `label_names` {problem}"))?;
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_beyond_the_bounds_are_refused() {
        let label = "x".repeat(LONGEST_LABEL);
        assert_eq!(check(&[label.clone(), String::new()]), Ok(()));
        let problem = check(&[label + "x"]).unwrap_err();
        assert_eq!(problem, "with a label of 1001 bytes; expected at most 1000");
        let many = vec![String::new(); MOST_CLASSES + 1];
        assert_eq!(check(&many[1..]), Ok(()));
        let problem = check(&many).unwrap_err();
        assert_eq!(problem, "of 1000001 classes; expected at most 1000000");
    }

    #[test]
    fn one_output_may_have_the_names_of_two_classes() {
        let list = |names: &[&str]| {
            LabelNames::List(names.iter().map(|name| (*name).to_owned()).collect())
        };
        let both = labels(list(&["cat", "dog"]), None, Some(1));
        assert_eq!(both, Ok(vec!["cat".to_owned(), "dog".to_owned()]));
        assert!(labels(list(&["cat", "dog", "hen"]), None, Some(1)).is_err());
        assert!(labels(list(&["cat", "dog"]), None, Some(3)).is_err());
    }
}
