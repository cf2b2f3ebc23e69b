//! Where the time of a run goes: by step, and by the kind of thing that steps do.

use std::collections::HashMap;
use std::time::Duration;

use crate::cpu::Algorithm;
use crate::model::TimedStep;
use crate::network::trace::Trace;
use crate::network::{Layers, Operation, Value};
use crate::report::{Kind, Spread, Step};

/// Bytes of a number in single precision.
const SINGLE: u64 = 4;

/// How long steps of the same kind take together, in the median of the runs; the longest first.
pub(super) fn kinds(runs: &[Vec<TimedStep>], layers: &Layers, peak: Option<f64>) -> Vec<Kind> {
    let named = Names::of(layers);
    let mut kinds: Vec<Kind> = Vec::new();
    let mut times: Vec<Vec<f64>> = Vec::new();
    for (run, steps) in runs.iter().enumerate() {
        for step in steps {
            let kind = named.kind(step);
            let algorithm = algorithm(step);
            let same = |other: &Kind| other.kind == kind && other.algorithm == algorithm;
            let index = kinds.iter().position(same).unwrap_or_else(|| {
                kinds.push(Kind {
                    kind: kind.clone(),
                    algorithm,
                    steps: 0,
                    macs: 0,
                    ms: 0.,
                    share: 0.,
                    of_peak: None,
                });
                times.push(vec![0.; runs.len()]);
                kinds.len() - 1
            });
            times[index][run] += super::milliseconds(step.time);
            if run == 0 {
                kinds[index].steps += 1;
                kinds[index].macs += step.macs;
            }
        }
    }
    for (kind, times) in kinds.iter_mut().zip(&times) {
        kind.ms = Spread::of(times).median_ms;
    }
    let total: f64 = kinds.iter().map(|kind| kind.ms).sum();
    for kind in &mut kinds {
        kind.share = kind.ms / total;
        kind.of_peak = peak.map(|peak| kind.macs as f64 / (kind.ms / 1e3) / peak);
    }
    kinds.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    kinds
}

/// How long each step takes, in the median of the runs, in their order. Of a batch that goes through
/// in several micro-batches a step is the sum of theirs; what only the engine does is part of the step
/// that it is done for, which comes next.
pub(super) fn steps(runs: &[Vec<TimedStep>], layers: &Layers, trace: &Trace) -> Vec<Step> {
    let named = Names::of(layers);
    let mut steps: Vec<Step> = Vec::new();
    let mut times: Vec<Vec<f64>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (run, timed) in runs.iter().enumerate() {
        let (mut before, mut macs) = (Duration::ZERO, 0);
        for step in timed {
            before += step.time;
            macs += step.macs;
            let Some(last) = step.layers.last() else {
                continue;
            };
            let place = *places.entry(last).or_insert_with(|| {
                steps.push(Step {
                    layers: step.layers.clone(),
                    kind: named.kind(step),
                    algorithm: algorithm(step),
                    output_shape: step.output.clone(),
                    macs: 0,
                    bytes: named.bytes(step, trace),
                    ms: 0.,
                });
                times.push(vec![0.; runs.len()]);
                steps.len() - 1
            });
            times[place][run] += super::milliseconds(before);
            if run == 0 {
                steps[place].macs += macs;
            }
            (before, macs) = (Duration::ZERO, 0);
        }
    }
    for (step, times) in steps.iter_mut().zip(&times) {
        step.ms = Spread::of(times).median_ms;
        // Of the whole batch, where it goes through in parts.
        if let Some(batch) = step.output_shape.first_mut() {
            *batch = trace.input.batch;
        }
    }
    steps
}

fn algorithm(step: &TimedStep) -> &'static str {
    step.algorithm.map_or("candle", Algorithm::name)
}

/// A network's layers by name.
struct Names<'a> {
    layers: &'a Layers,
    places: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of(layers: &'a Layers) -> Self {
        let names = layers.as_slice().iter().enumerate();
        Self {
            layers,
            places: names
                .map(|(index, layer)| (layer.name.as_str(), index))
                .collect(),
        }
    }

    /// The places of a step's layers.
    fn places(&self, step: &TimedStep) -> Vec<usize> {
        let places = step.layers.iter();
        places
            .filter_map(|name| self.places.get(name.as_str()).copied())
            .collect()
    }

    /// What kind of thing a step does, in a few words: that of its first convolution or dense layer,
    /// where it has one, whatever that has been folded with.
    fn kind(&self, step: &TimedStep) -> String {
        let places = self.places(step).into_iter();
        let operations: Vec<Operation> = places
            .filter_map(|place| Some(self.layers.as_slice().get(place)?.operation))
            .collect();
        let multiplies = |operation: &&Operation| {
            matches!(operation, Operation::Conv(_) | Operation::Linear { .. })
        };
        match operations
            .iter()
            .find(multiplies)
            .or(operations.first())
            .copied()
        {
            Some(Operation::Conv(conv)) => {
                let [rows, columns] = conv.window.kernel;
                let mut kind = format!("conv {rows}x{columns}");
                match conv.window.stride {
                    [1, 1] => {}
                    [down, across] if down == across => kind += &format!(" stride {down}"),
                    [down, across] => kind += &format!(" stride {down}x{across}"),
                }
                if conv.groups > 1 {
                    kind += &format!(", {} groups", conv.groups);
                }
                kind
            }
            Some(operation) => operation.kind().to_owned(),
            None => "no layer".to_owned(),
        }
    }

    /// Bytes that a step has to read and write at least, in single precision: the values that it
    /// reads of other steps, the one that it makes, and its parameters.
    fn bytes(&self, step: &TimedStep, trace: &Trace) -> u64 {
        let places = self.places(step);
        let elements = |value: Value| {
            let elements = trace.shape(value).and_then(|shape| shape.elements());
            elements.map_or(0, |elements| elements as u64)
        };
        let mut read: Vec<Value> = Vec::new();
        let mut numbers = 0_u64;
        for &place in &places {
            let inputs = &self.layers.as_slice()[place].inputs;
            let outside = |value: &Value| value.layer().is_none_or(|from| !places.contains(&from));
            for &value in inputs.iter().filter(|value| outside(value)) {
                if !read.contains(&value) {
                    read.push(value);
                    numbers = numbers.saturating_add(elements(value));
                }
            }
            let cost = &trace.layers[place];
            numbers = numbers
                .saturating_add(cost.parameters)
                .saturating_add(cost.buffers);
        }
        if let Some(&last) = places.last() {
            numbers = numbers.saturating_add(elements(Value::of_layer(last)));
        }
        numbers.saturating_mul(SINGLE)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::trace::trace;
    use crate::network::{Layer, catalog};

    fn step(names: &[&str], macs: u64, milliseconds: u64) -> TimedStep {
        TimedStep {
            layers: names.iter().map(|&name| name.to_owned()).collect(),
            algorithm: None,
            output: vec![1, 1],
            macs,
            time: Duration::from_millis(milliseconds),
        }
    }

    #[test]
    fn a_convolution_whose_weights_a_gate_multiplies_is_one() {
        let layers = catalog::find("mobilenetv3_small_100").unwrap().layers();
        let list = layers.as_slice();
        let scale = |layer: &&Layer| matches!(layer.operation, Operation::Scale);
        let scale = &list.iter().find(scale).unwrap().name;
        let reads_it = |layer: &&Layer| {
            let mut inputs = layer.inputs.iter().filter_map(|value| value.layer());
            inputs.any(|input| list[input].name == *scale)
        };
        let project = &list.iter().find(reads_it).unwrap().name;
        let names = Names::of(&layers);
        for (of_step, expected) in [
            (&[scale.as_str(), project][..], "conv 1x1"),
            (&[project], "conv 1x1"),
            (&[scale], "scale"),
            (&[], "no layer"),
        ] {
            assert_eq!(names.kind(&step(of_step, 0, 0)), expected);
        }
    }

    #[test]
    fn a_step_moves_what_it_reads_of_others_what_it_makes_and_its_parameters() {
        let network = catalog::find("se_block").unwrap();
        let layers = network.layers();
        let trace = trace(&layers, network.input.shape(1)).unwrap();
        let map = 32 * 32 * 32_u64;
        for (of_step, numbers) in [
            // 32 to 16 channels, with a bias.
            (&["fc1", "relu"][..], 32 + 16 + 32 * 16 + 16),
            (&["squeeze"], map + 32),
            // The map that both read counts once.
            (
                &["squeeze", "fc1", "relu", "fc2", "sigmoid", "scale"],
                2 * map + 2 * 32 * 16 + 16 + 32,
            ),
        ] {
            let bytes = Names::of(&layers).bytes(&step(of_step, 0, 0), &trace);
            assert_eq!(bytes, 4 * numbers, "{of_step:?}");
        }
    }

    #[test]
    fn micro_batches_add_up_and_what_has_no_layer_is_part_of_the_next_step() {
        let network = catalog::find("se_block").unwrap();
        let layers = network.layers();
        let trace = trace(&layers, network.input.shape(2)).unwrap();
        let part = || {
            [
                step(&[], 1, 1),
                step(&["squeeze"], 2, 3),
                step(&["fc1"], 4, 5),
            ]
        };
        let run: Vec<TimedStep> = part().into_iter().chain(part()).collect();
        let steps = steps(&[run.clone(), run], &layers, &trace);
        let found: Vec<_> = steps.iter().map(|step| (step.macs, step.ms)).collect();
        assert_eq!(found, [(6, 8.), (8, 10.)]);
        assert_eq!(steps[0].output_shape, [2, 1]);
    }
}
