//! How far apart two names are, to say which of those that there are an unknown one may have meant.

/// A character more, less or another, or two that changed places.
pub(crate) const EDIT: usize = 4;
/// A character that looks like another.
const LOOK_ALIKE: usize = 1;

/// Longer than names are that people write; what is longer is compared with none.
pub(crate) const LONGEST_NAME: usize = 100;

/// Whether a name is near to a known one of so many characters: further apart than that, two names
/// share little more than their length.
pub(crate) fn is_near(distance: usize, length: usize) -> bool {
    distance <= EDIT * length / 3
}

/// How many characters both begin with.
pub(crate) fn alike(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

/// The `known` names that are nearest to `name`, at most so many of those that are as near; none
/// where none is near. Of two that are as far it is the one that begins alike for longer.
#[cfg(feature = "cli")]
pub(crate) fn nearest<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    if name.len() > LONGEST_NAME {
        return Vec::new();
    }
    let known = known.filter(|known| known.len() <= LONGEST_NAME);
    let mut nearest: Vec<&str> = Vec::new();
    let mut least = (usize::MAX, std::cmp::Reverse(0));
    for known in known {
        let distance = edits(name.as_bytes(), known.as_bytes());
        let key = (distance, std::cmp::Reverse(alike(name, known)));
        if !is_near(distance, known.len()) || key > least {
            continue;
        }
        if key < least {
            nearest.clear();
            least = key;
        }
        nearest.push(known);
    }
    nearest.truncate(most);
    nearest
}

/// The least weight of edits from `a` to `b`, no character being edited twice.
pub(crate) fn edits(a: &[u8], b: &[u8]) -> usize {
    let width = b.len() + 1;
    let mut least = vec![0; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            least[i * width + j] = match (i, j) {
                (0, _) => j * EDIT,
                (_, 0) => i * EDIT,
                _ => {
                    let before =
                        |rows: usize, columns: usize| least[(i - rows) * width + j - columns];
                    let replaced = before(1, 1) + replacement(a[i - 1], b[j - 1]);
                    let added_or_left_out = before(1, 0).min(before(0, 1)) + EDIT;
                    let swapped = (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                        .then(|| before(2, 2) + EDIT);
                    replaced
                        .min(added_or_left_out)
                        .min(swapped.unwrap_or(usize::MAX))
                }
            };
        }
    }
    least[a.len() * width + b.len()]
}

fn replacement(a: u8, b: u8) -> usize {
    const ALIKE: [&[u8]; 3] = [b"o0", b"l1i", b"s5"];
    if a == b {
        0
    } else if ALIKE.iter().any(|set| set.contains(&a) && set.contains(&b)) {
        LOOK_ALIKE
    } else {
        EDIT
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_those_that_begin_alike_for_longest() {
        let layers = [
            "bonv3",
            "conv1",
            "layer1",
            "layer1.0.bn1",
            "layer1.0.bn2",
            "layer1.0.se",
            "layer2",
        ];
        let nearest = |name: &str, most| nearest(name, layers.into_iter(), most);
        assert_eq!(nearest("layer1.0.bn3", 3), ["layer1.0.bn1", "layer1.0.bn2"]);
        assert_eq!(nearest("layer1.0.bn3", 1), ["layer1.0.bn1"]);
        assert_eq!(nearest("layr1", 3), ["layer1"]);
        assert_eq!(nearest("conv3", 3), ["conv1"]);
        assert_eq!(nearest("c0nv1", 3), ["conv1"]);
        assert!(nearest("head", 3).is_empty());
        assert!(nearest("", 3).is_empty());
        assert!(nearest(&"layer1".repeat(100_000), 3).is_empty());
    }
}
