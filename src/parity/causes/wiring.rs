//! What a layer may read otherwise.

use candle_core::Tensor;

use super::Cause;
use super::gate::block_of;
use super::subject::{Attempt, Subject};
use crate::network::{Operation, Value};
use crate::parity::segment::{Edit, Source, Work, first};

/// Other values that are tried for an input at most, the nearest first.
const MOST_CANDIDATES: usize = 12;

/// Inputs of a concat whose orders are all tried.
const MOST_PERMUTED: usize = 4;

/// What makes a value, as an index in the network's list; nothing for its input.
fn maker(subject: &Subject, source: Source) -> Option<usize> {
    match source {
        Source::Known(value) => value.layer(),
        Source::Node(node) => Some(subject.segment.nodes[node].layer),
    }
}

fn name(subject: &Subject, source: Source) -> String {
    let layer =
        maker(subject, source).and_then(|layer| subject.segment.layers.as_slice().get(layer));
    layer.map_or("input".to_owned(), |layer| layer.name.clone())
}

/// Values of the reference or of the segment that fit the place.
fn candidates(subject: &Subject, slot: usize) -> Vec<Source> {
    let own = subject.segment.nodes[subject.node].inputs[slot];
    let Some(value) = subject.value(own) else {
        return Vec::new();
    };
    let squeezes = subject.operation() == Operation::GlobalAveragePool;
    let fits = |other: &Tensor| match (other.dims(), value.dims()) {
        (&[n, c, _, _], &[m, d, _, _]) if squeezes => (n, c) == (m, d),
        (others, own) => others == own,
    };
    let itself = Value::of_layer(subject.segment.nodes[subject.node].layer);
    let known = subject
        .segment
        .known
        .keys()
        .copied()
        .filter(|&other| other != itself);
    let nodes = (0..subject.segment.nodes.len()).filter(|&node| node != subject.node);
    let mut sources: Vec<Source> = known
        .map(Source::Known)
        .chain(nodes.map(Source::Node))
        .filter(|&source| source != own && subject.value(source).is_some_and(fits))
        .collect();
    let place = maker(subject, own).map_or(0, |layer| layer + 1);
    let place_of = |source: Source| maker(subject, source).map_or(0, |layer| layer + 1);
    sources.sort_by_key(|&source| (place_of(source).abs_diff(place), place_of(source)));
    sources.truncate(MOST_CANDIDATES);
    sources
}

pub(super) fn another_input(subject: &Subject) -> Vec<Attempt> {
    // Which of a concat's inputs come first is tried for itself.
    if subject.operation() == Operation::Concat {
        return Vec::new();
    }
    let mut attempts = Vec::new();
    for (slot, &own) in subject.segment.nodes[subject.node]
        .inputs
        .iter()
        .enumerate()
    {
        for source in candidates(subject, slot) {
            if skips_one_layer(subject, own, source) {
                continue;
            }
            let (theirs, ours) = (name(subject, source), name(subject, own));
            let (cause, explained_by) = match cause(subject, slot, own, source) {
                Cause::SqueezeOfAnother => (
                    Cause::SqueezeOfAnother,
                    format!("a squeeze of `{theirs}` in place of `{ours}`"),
                ),
                Cause::GateMoved => (
                    Cause::GateMoved,
                    format!(
                        "the gate on the other side of the activation: `{theirs}` read in place \
                         of `{ours}`"
                    ),
                ),
                cause => (cause, format!("`{theirs}` read in place of `{ours}`")),
            };
            let edit = Edit::Read(subject.node, slot, source);
            attempts.push(Attempt::new(cause, explained_by, edit));
        }
    }
    attempts
}

/// Whether to read `other` in place of `own` is to leave out the layer between them, which that
/// layer's hypotheses say.
fn skips_one_layer(subject: &Subject, own: Source, other: Source) -> bool {
    let Source::Node(node) = own else {
        return false;
    };
    let nodes = subject.segment.nodes.iter();
    let readers = nodes.filter(|reader| reader.inputs.contains(&own)).count();
    let handed_on = &subject.segment.nodes[node].inputs;
    let handed_on = match subject.at(node).operation() {
        Operation::Add => &handed_on[..],
        _ => &handed_on[..handed_on.len().min(1)],
    };
    handed_on.contains(&other) && readers == 1
}

fn cause(subject: &Subject, slot: usize, own: Source, other: Source) -> Cause {
    let list = subject.segment.layers.as_slice();
    let is_activation_of = |after: Option<usize>, before: Option<usize>| {
        after
            .and_then(|layer| list.get(layer))
            .is_some_and(|layer| {
                let reads = layer.inputs.first().map(|value| value.layer());
                matches!(layer.operation, Operation::Activation(_)) && reads == Some(before)
            })
    };
    let (ours, theirs) = (maker(subject, own), maker(subject, other));
    let layer = subject.segment.nodes[subject.node].layer;
    match subject.operation() {
        Operation::GlobalAveragePool if block_of(subject, layer).is_some() => {
            Cause::SqueezeOfAnother
        }
        Operation::Scale
            if slot == 0
                && (is_activation_of(ours, theirs)
                    || is_activation_of(theirs, ours)
                    || is_activation_of(theirs, Some(layer))) =>
        {
            Cause::GateMoved
        }
        Operation::Activation(_)
            if theirs.is_some_and(|theirs| {
                list.get(theirs)
                    .is_some_and(|layer| layer.operation == Operation::Scale)
            }) =>
        {
            Cause::GateMoved
        }
        _ => Cause::AnotherInput,
    }
}

pub(super) fn concat_order(subject: &Subject) -> Vec<Attempt> {
    let inputs = &subject.segment.nodes[subject.node].inputs;
    if subject.operation() != Operation::Concat || inputs.len() < 2 {
        return Vec::new();
    }
    let orders = if inputs.len() <= MOST_PERMUTED {
        permutations(inputs.len())
    } else {
        vec![(0..inputs.len()).rev().collect()]
    };
    let attempt = |order: Vec<usize>| {
        let names: Vec<String> = order
            .iter()
            .map(|&slot| format!("`{}`", name(subject, inputs[slot])))
            .collect();
        let edits = order.iter().enumerate();
        Attempt {
            cause: Cause::ConcatOrder,
            explained_by: format!("inputs in the order {}", names.join(", ")),
            edits: edits
                .map(|(slot, &from)| Edit::Read(subject.node, slot, inputs[from]))
                .collect(),
        }
    };
    let is_changed = |order: &Vec<usize>| !order.is_sorted();
    orders.into_iter().filter(is_changed).map(attempt).collect()
}

/// All orders of so many things.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for next in 0..count {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, next);
                    order
                })
            })
            .collect();
    }
    orders
}

pub(super) fn shuffle_order(subject: &Subject) -> Vec<Attempt> {
    let Operation::ShuffleChannels { groups } = subject.operation() else {
        return Vec::new();
    };
    let Some(channels) = subject.input(0).and_then(|input| input.dim(1).ok()) else {
        return Vec::new();
    };
    let other = channels / groups.max(1);
    if other == groups {
        return Vec::new();
    }
    vec![Attempt::new(
        Cause::ShuffleOrder,
        format!("a shuffle of {other} groups in place of {groups}"),
        subject.operation_instead(Operation::ShuffleChannels { groups: other }),
    )]
}

/// A layer that is not there; norms, activations and gates say so themselves.
pub(super) fn layer_missing(subject: &Subject) -> Vec<Attempt> {
    match subject.operation() {
        Operation::BatchNorm { .. }
        | Operation::LayerNorm(_)
        | Operation::GroupNorm { .. }
        | Operation::Activation(_)
        | Operation::Softmax
        | Operation::Scale => Vec::new(),
        Operation::Add => (0..2).map(|slot| alone(subject, slot)).collect(),
        operation => vec![Attempt::new(
            Cause::LayerMissing,
            format!("no {}", operation.kind()),
            subject.instead(Work::nothing()),
        )],
    }
}

/// One of the values that are added, and nothing added to it.
fn alone(subject: &Subject, slot: usize) -> Attempt {
    let source = subject.segment.nodes[subject.node].inputs.get(slot);
    let name = source.map_or(String::new(), |&source| name(subject, source));
    let work = Work::function(move |inputs| match inputs.get(slot) {
        Some(&input) => Ok(input.clone()),
        None => first(inputs).cloned(),
    });
    Attempt::new(
        Cause::LayerMissing,
        format!("nothing added to `{name}`"),
        subject.instead(work),
    )
}
