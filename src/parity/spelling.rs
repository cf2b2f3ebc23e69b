//! Values of two dumps whose names are one but for their separators and a prefix of all names.

use std::collections::{HashMap, HashSet};

use crate::checkpoint::{prefixes_of_all, with_dots};

/// Our name for each of the reference's that only separators and a prefix of one dump's names tell
/// from it, where neither dump has both names.
pub(super) fn spelt_otherwise<'a>(
    ours: &'a [String],
    reference: &'a [String],
) -> HashMap<&'a str, &'a str> {
    let of_ours = prefixes(ours).into_iter().map(|prefix| [prefix, ""]);
    let of_reference = prefixes(reference).into_iter().map(|prefix| ["", prefix]);
    let mut most = HashMap::new();
    for prefixes in of_ours.chain(of_reference) {
        let found = spelt_alike([ours, reference], prefixes);
        if found.len() > most.len() {
            most = found;
        }
    }
    most
}

/// What all names begin with but those that a dump has of its own.
fn prefixes(names: &[String]) -> Vec<&str> {
    let names = names.iter().map(String::as_str);
    let of_network: Vec<&str> = names
        .filter(|name| !["input", "output"].contains(name))
        .collect();
    prefixes_of_all(&of_network)
}

fn spelt_alike<'a>(
    [ours, reference]: [&'a [String]; 2],
    [of_ours, of_reference]: [&str; 2],
) -> HashMap<&'a str, &'a str> {
    let spelt = |name: &str, prefix: &str| with_dots(name.strip_prefix(prefix).unwrap_or(name));
    let exact: HashSet<&String> = ours
        .iter()
        .filter(|name| reference.contains(name))
        .collect();
    let others = |names: &'a [String]| names.iter().filter(|name| !exact.contains(name));
    let mut by_spelling: HashMap<String, Option<&str>> = HashMap::new();
    for name in others(ours) {
        let again = by_spelling.entry(spelt(name, of_ours));
        again.and_modify(|name| *name = None).or_insert(Some(name));
    }
    // Of two names that would mean one value neither does.
    let mut found: HashMap<&str, Vec<&str>> = HashMap::new();
    for name in others(reference) {
        if let Some(Some(ours)) = by_spelling.get(&spelt(name, of_reference)) {
            found.entry(ours).or_default().push(name);
        }
    }
    let found = found
        .into_iter()
        .filter_map(|(ours, names)| match names[..] {
            [name] => Some((name, ours)),
            _ => None,
        });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(ours: &[&str], reference: &[&str]) -> Vec<(String, String)> {
        let [ours, reference] = [ours, reference].map(|names| {
            let names = names.iter().copied().map(str::to_owned);
            names.collect::<Vec<_>>()
        });
        let found = spelt_otherwise(&ours, &reference).into_iter();
        let mut found: Vec<_> = found
            .map(|(name, ours)| (ours.to_owned(), name.to_owned()))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_prefix_and_separators_are_read_past_and_what_is_in_both_is_left() {
        let names = ["input", "module.a.b", "module.c", "output"];
        let pairs = [("module.a.b", "a/b"), ("module.c", "c")];
        let pairs = pairs.map(|(ours, name)| (ours.to_owned(), name.to_owned()));
        assert_eq!(alike(&names, &["input", "a/b", "c", "d", "output"]), pairs);
        let back = pairs.map(|(ours, name)| (name, ours));
        assert_eq!(alike(&["input", "a/b", "c", "d"], &names), back);
        // As both have it, it is not another's.
        assert!(alike(&["a.b", "x"], &["a.b", "a/b"]).is_empty());
        assert!(alike(&["a.b", "y"], &["a/b", "a//b", "a.b"]).is_empty());
    }

    #[test]
    fn names_that_would_mean_two_values_mean_none() {
        assert!(alike(&["m.a", "m/a"], &["a"]).is_empty());
        assert!(alike(&["a.b"], &["x/a/b", "x.a.b"]).is_empty());
    }
}
