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
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once('\t').map_or(line, |(_, lemmas)| lemmas))
        .map(str::to_owned)
        .collect()
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
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), 999);
    }
}
