/// A line for each class: `WordNet` synset, tab, its lemmas.
const TABLE: &str = include_str!("imagenet_1k.tsv");

/// The names of the 1000 classes of ImageNet-1k, for weights that carry none.
///
/// A name is all the lemmas of its synset, as timm shows it. The first alone would be shorter,
/// but is one word for two classes twice: `maillot` and `crane`. The bird and the machine stay
/// alike even so; their numbers, 134 and 517, differ.
///
/// ```
/// let labels = senet::checkpoint::imagenet_labels();
/// assert_eq!(labels.len(), 1000);
/// assert_eq!(labels[281], "tabby, tabby cat");
/// ```
#[must_use]
pub fn imagenet_labels() -> Vec<String> {
    classes().map(|(_, lemmas)| lemmas.to_owned()).collect()
}

/// What `WordNet` calls the synsets of the same classes, in their order: `n02123045` is that of
/// class 281.
#[must_use]
pub fn imagenet_synsets() -> Vec<&'static str> {
    classes().map(|(synset, _)| synset).collect()
}

/// The synset and lemmas of each class.
fn classes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap_or((line, line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_1000_names_and_two_cranes() {
        let mut labels = imagenet_labels();
        assert_eq!(
            (labels[0].as_str(), labels[999].as_str()),
            (
                "tench, Tinca tinca",
                "toilet tissue, toilet paper, bathroom tissue"
            )
        );
        assert_eq!(
            (labels[134].as_str(), labels[517].as_str()),
            ("crane", "crane")
        );
        assert!(
            labels
                .iter()
                .all(|label| !label.is_empty() && !label.contains('\t'))
        );
        let synsets = imagenet_synsets();
        assert_eq!((synsets[281], synsets.len()), ("n02123045", 1000));
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), 999);
    }
}
