//! Every mistake made on purpose in every network, and what it is taken for.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod mistakes;
mod networks;

use std::fmt;
use std::path::Path;

use super::search::{Limits, explain_within};
use super::{Cause, Explanation};
use crate::parity::{Isolated, Isolation, Reference, Tolerance};
use mistakes::Mistake;
use networks::{Case, NETWORKS, Network};

/// What a mistake in a network is taken for.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The mistake cannot be made there.
    NotApplicable,
    /// It is named, in its layer.
    Named,
    /// It is, beside another that explains as much.
    WithAnother(Cause),
    /// Something else is.
    Confused(String),
}

/// What the documentation says of an outcome.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApplicable => f.write_str("–"),
            Self::Named => f.write_str("named"),
            Self::WithAnother(cause) => write!(f, "named, with `{}`", cause.name()),
            Self::Confused(what) => write!(f, "taken for {what}"),
        }
    }
}

fn outcome(mistake: &Mistake, network: &Case, granularity: Granularity, folder: &Path) -> Outcome {
    let mut ours = network.clone();
    if (mistake.prepare)(&mut ours).is_none() {
        return Outcome::NotApplicable;
    }
    let mut theirs = ours.clone();
    let Some(layer) = (mistake.make)(&mut theirs) else {
        return Outcome::NotApplicable;
    };
    // Where theirs ends early, so do ours.
    let last = theirs.list.last().unwrap().name.clone();
    ours.list.truncate(ours.place(&last) + 1);
    if granularity == Granularity::Blocks {
        theirs.omitted.extend(ours.within_blocks());
    }
    let reference = theirs.dump(&ours.input, folder);
    let (_, explanations) = explained(&ours, &reference, 3);
    // A gate that moves changes several values: that of the layer where it moves is looked at.
    let is_of_layer = |explanation: &&Explanation| explanation.found.layers.contains(&layer);
    let of_layer = explanations.iter().find(is_of_layer);
    let Some(first) = of_layer.or(explanations.first()) else {
        return Outcome::Confused("no difference".to_owned());
    };
    let found = &first.found;
    let is_it = |cause: Cause, layers: &[String]| {
        // Several layers of a block may do the same, such as a gate and its squeeze.
        let is_there = layers.contains(&layer) || granularity == Granularity::Blocks;
        cause == mistake.cause && (layer.is_empty() || is_there)
    };
    let is_also = first
        .also
        .iter()
        .any(|other| is_it(other.cause, &other.layers));
    match found.cause {
        Some(cause) if is_it(cause, &found.layers) => {
            let other = first.also.iter().find(|other| other.cause != cause);
            other.map_or(Outcome::Named, |other| Outcome::WithAnother(other.cause))
        }
        Some(cause) if is_also => Outcome::WithAnother(cause),
        Some(cause) => Outcome::Confused(format!("`{}` in {:?}", cause.name(), found.layers)),
        None => Outcome::Confused(format!(
            "nothing ({} tried, {} not)",
            first.tried, first.not_tried
        )),
    }
}

/// Which values a dump has.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Granularity {
    Layers,
    Blocks,
}

fn explained(ours: &Case, reference: &Reference, most: usize) -> (Vec<Isolated>, Vec<Explanation>) {
    explained_within(ours, reference, most, Limits::USUAL)
}

fn explained_within(
    ours: &Case,
    reference: &Reference,
    most: usize,
    limits: Limits,
) -> (Vec<Isolated>, Vec<Explanation>) {
    let layers = ours.layers();
    let named = reference.values(&layers).unwrap();
    let tolerance = Tolerance::default();
    let isolation = Isolation::new(&layers, ours.vb(), reference, &named, tolerance).unwrap();
    let isolated = isolation.values().unwrap();
    let explanations = explain_within(&isolation, &isolated, most, limits).unwrap();
    (isolated, explanations)
}

/// What each mistake is taken for in each of these networks.
fn outcomes(networks: &[Network], granularity: Granularity) -> Vec<Vec<Outcome>> {
    let of_network = |&(name, size): &Network| {
        let folder = tempfile::tempdir().unwrap();
        let case = Case::new(name, size);
        let outcomes = mistakes::all().map(|mistake| {
            let outcome = outcome(mistake, &case, granularity, folder.path());
            println!("{:44} {name:24} {outcome}", mistake.name);
            outcome
        });
        outcomes.collect()
    };
    std::thread::scope(|scope| {
        let walks: Vec<_> = networks
            .iter()
            .map(|network| scope.spawn(move || of_network(network)))
            .collect();
        walks.into_iter().map(|walk| walk.join().unwrap()).collect()
    })
}

#[test]
fn the_documentation_says_what_each_mistake_is_taken_for() {
    let outcomes = outcomes(&NETWORKS, Granularity::Layers);
    let mut table = "| mistake | cause |".to_owned();
    table += &NETWORKS.map(|(name, _)| format!(" `{name}` |")).concat();
    table += &format!("\n|---|---|{}\n", "---|".repeat(NETWORKS.len()));
    for (row, mistake) in mistakes::all().enumerate() {
        let cells = outcomes
            .iter()
            .map(|network| format!(" {} |", network[row]));
        let cells: String = cells.collect();
        table += &format!("| {} | `{}` |{cells}\n", mistake.name, mistake.cause.name());
    }
    let page = documentation();
    assert!(
        page.contains(&table),
        "docs/parity_causes.md should say:\n{table}"
    );
    let confused = |outcome: &Outcome| matches!(outcome, Outcome::Confused(_));
    assert!(!outcomes.iter().flatten().any(confused), "{outcomes:?}");
}

fn documentation() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/parity_causes.md");
    std::fs::read_to_string(page).unwrap()
}

#[test]
fn every_cause_is_in_the_documentation_and_is_made_in_some_network() {
    let page = documentation();
    for cause in Cause::ALL {
        let row = format!("| `{}` | {} |", cause.name(), cause.meaning());
        assert!(
            page.contains(&row),
            "docs/parity_causes.md should have a row\n{row}"
        );
        let json = serde_json::to_value(cause).unwrap();
        assert_eq!(json, cause.name());
        let is_made = mistakes::all().any(|mistake| mistake.cause == cause);
        // Named where a dump has blocks alone, as a test of these expects.
        let is_excused = cause == Cause::ActivationMoved;
        assert!(is_made || is_excused, "{cause:?}");
    }
}

/// A dump of the values between blocks has segments of a dozen layers, each of which may be the one.
#[test]
fn mistakes_are_named_within_blocks_too() {
    let outcomes = outcomes(&NETWORKS[..2], Granularity::Blocks);
    for (network, outcomes) in NETWORKS.iter().zip(outcomes) {
        for (mistake, outcome) in mistakes::all().zip(outcomes) {
            let otherwise = |what: &str| match mistake.name {
                // Seen from a block, it has moved.
                "ReLU before the addition, not after" => what.contains("activation-moved"),
                // What remains of so small a difference after a gate is within the tolerance.
                "GELU by tanh, not by erf" => what == "no difference",
                _ => false,
            };
            let is_named = match &outcome {
                Outcome::Confused(what) => otherwise(what),
                _ => true,
            };
            assert!(is_named, "{} in {}: {outcome}", mistake.name, network.0);
        }
    }
}

/// Two networks that differ by such mistakes, and what isolation says of them.
fn differing(
    mistakes: &[&str],
    network: Network,
    is_kept: impl Fn(&str) -> bool,
) -> (Case, Reference, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ours = Case::new(network.0, network.1);
    let mut theirs = ours.clone();
    for name in mistakes {
        let mistake = mistakes::all()
            .find(|mistake| mistake.name == *name)
            .unwrap();
        (mistake.make)(&mut theirs).unwrap();
    }
    let omitted = theirs.all(|layer| !is_kept(&layer.name));
    theirs.omitted.extend(omitted);
    let reference = theirs.dump(&ours.input, folder.path());
    (ours, reference, folder)
}

#[test]
fn one_wrong_layer_is_one_wrong_value_and_hides_none_that_follows() {
    let mistakes = [
        "variance for deviation",
        "kernel turned round",
        "softmax applied",
    ];
    let (ours, reference, _folder) = differing(&mistakes, NETWORKS[0], |_| true);
    let (isolated, explanations) = explained(&ours, &reference, 3);
    let wrong: Vec<&str> = isolated
        .iter()
        .filter(|value| !value.passed)
        .map(|value| value.name.as_str())
        .collect();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    let found: Vec<(&str, Option<Cause>)> = explanations
        .iter()
        .map(|found| (found.name.as_str(), found.found.cause))
        .collect();
    let causes = [
        Cause::NormVarianceAsDeviation,
        Cause::KernelFlipped,
        Cause::SoftmaxApplied,
    ];
    for cause in causes {
        let (name, _) = found
            .iter()
            .find(|(_, found)| *found == Some(cause))
            .unwrap();
        assert!(wrong.contains(name), "{found:?}");
    }
    // In double precision nothing is left but the order of sums.
    for value in isolated.iter().filter(|value| value.passed) {
        assert!(value.max_rel < 1e-13, "{value:?}");
        assert_eq!(value.layers.len(), 1, "{value:?}");
    }
    let (_, fewer) = explained(&ours, &reference, 1);
    assert_eq!(fewer, explanations[..1]);
}

#[test]
fn what_a_dump_lacks_is_bridged_from_the_nearest_values_before() {
    let (ours, reference, _folder) =
        differing(&["kernel turned round"], NETWORKS[0], |name| name == "fc");
    let (isolated, explanations) = explained(&ours, &reference, 3);
    let [only] = &isolated[..] else {
        panic!("{isolated:?}");
    };
    assert_eq!((only.from.len(), only.from[0].as_str()), (1, "input"));
    assert_eq!(only.layers.len(), ours.list.len());
    assert_eq!(explanations[0].found.cause, Some(Cause::KernelFlipped));
}

#[test]
fn what_takes_too_long_is_not_tried_and_counted() {
    let (ours, reference, _folder) =
        differing(&["kernel turned round"], NETWORKS[0], |name| name == "fc");
    let usual = explained(&ours, &reference, 1).1.remove(0);
    assert_eq!(usual.not_tried, 0);
    let work = Limits {
        work: 30_000_000,
        ..Limits::USUAL
    };
    let found = explained_within(&ours, &reference, 1, work).1.remove(0);
    // More than what one image cannot show.
    assert!(found.not_tried > usual.tried / 2, "{found:?}");
    assert!(found.tried > 0, "{found:?}");
    assert_eq!(found.not_tried + found.tried, usual.tried);
    let elements = Limits {
        elements: 1000,
        ..Limits::USUAL
    };
    let found = explained_within(&ours, &reference, 1, elements).1.remove(0);
    assert_eq!((found.tried, found.found.cause), (0, None));
    assert!(found.not_tried > 0);
}

#[test]
fn one_image_is_enough_where_a_batch_is_too_large() {
    let (ours, reference, _folder) =
        differing(&["kernel turned round"], NETWORKS[0], |name| name == "fc");
    let all: usize = ours
        .values()
        .iter()
        .map(|(_, value)| value.elem_count())
        .sum();
    let limits = Limits {
        elements: (all * 3 / 4) as u64,
        ..Limits::USUAL
    };
    let found = explained_within(&ours, &reference, 1, limits).1.remove(0);
    assert_eq!(found.found.cause, Some(Cause::KernelFlipped));
}

#[test]
fn the_one_image_is_one_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let mut ours = Case::new(NETWORKS[0].0, NETWORKS[0].1);
    ours.list.truncate(1);
    // Of zeros a convolution without bias makes zeros, whatever its kernel.
    let second = ours.input.narrow(0, 1, 1).unwrap();
    let first = second.zeros_like().unwrap();
    ours.input = candle_core::Tensor::cat(&[&first, &second], 0).unwrap();
    let mut theirs = ours.clone();
    let kernel = ours.tensor("conv1", "weight").flip(&[2, 3]).unwrap();
    theirs.set("conv1", "weight", kernel);
    let reference = theirs.dump(&ours.input, folder.path());
    let limits = Limits {
        elements: (ours.values()[0].1.elem_count()) as u64,
        ..Limits::USUAL
    };
    let (_, explanations) = explained_within(&ours, &reference, 1, limits);
    assert_eq!(explanations[0].found.cause, Some(Cause::KernelFlipped));
    // Statistics of the batch cannot be told from one image, and conv1 is no norm.
    assert_eq!(explanations[0].not_tried, 0);
}

#[test]
fn what_nothing_explains_is_said_with_the_worst_elements() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Case::new(NETWORKS[0].0, NETWORKS[0].1);
    let mut theirs = ours.clone();
    let kernel = (ours.tensor("layer1.0.conv1", "weight") * 1.01).unwrap();
    theirs.set("layer1.0.conv1", "weight", kernel);
    let reference = theirs.dump(&ours.input, folder.path());
    let (isolated, explanations) = explained(&ours, &reference, 3);
    let [only] = &explanations[..] else {
        panic!("{explanations:?}");
    };
    assert_eq!(only.name, "layer1.0.conv1");
    assert_eq!((only.found.cause, &only.also[..]), (None, &[][..]));
    let wrong = isolated.iter().find(|value| !value.passed).unwrap();
    assert_eq!(only.worst.len(), 3);
    assert_eq!(Some(&only.worst[0].position), wrong.worst.as_ref());
    let element = &only.worst[0];
    assert!((element.ours - element.theirs).abs() - wrong.max_abs < 1e-15);
    assert!(
        (element.theirs / element.ours - 1.01).abs() < 1e-9,
        "{element:?}"
    );
}

#[test]
fn single_precision_of_the_reference_leaves_its_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Case::new(NETWORKS[0].0, NETWORKS[0].1);
    let mut theirs = ours.clone();
    theirs.rounds = Some(|xs| {
        let single = xs.to_dtype(candle_core::DType::F32).unwrap();
        single.to_dtype(candle_core::DType::F64).unwrap()
    });
    let reference = theirs.dump(&ours.input, folder.path());
    let (isolated, explanations) = explained(&ours, &reference, 3);
    assert!(isolated.iter().all(|value| value.passed));
    assert!(explanations.is_empty());
    let mistake = mistakes::all()
        .find(|mistake| mistake.cause == Cause::NormEpsilon)
        .unwrap();
    let layer = (mistake.make)(&mut theirs).unwrap();
    let reference = theirs.dump(&ours.input, folder.path());
    let (_, explanations) = explained(&ours, &reference, 3);
    assert_eq!(explanations[0].found.cause, Some(Cause::NormEpsilon));
    assert_eq!(explanations[0].name, layer);
    let after = explanations[0].found.after.unwrap();
    assert!(after > 0. && after < 1e-6, "{after}");
}

#[test]
fn shapes_that_differ_are_a_difference_and_are_explained() {
    let (ours, reference, _folder) =
        differing(&["no padding (VALID)"], NETWORKS[0], |name| name == "conv1");
    let mut ours = ours;
    ours.list.truncate(1);
    let (isolated, explanations) = explained(&ours, &reference, 1);
    assert_eq!(isolated[0].reference_shape, Some(vec![2, 16, 10, 10]));
    assert_eq!(isolated[0].shape, Some(vec![2, 16, 12, 12]));
    assert_eq!((isolated[0].passed, &isolated[0].worst), (false, &None));
    assert_eq!(explanations[0].found.cause, Some(Cause::PaddingValid));
}
