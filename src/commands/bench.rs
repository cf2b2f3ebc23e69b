use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};

use super::Outcome;
use super::pattern::test_pattern;
use super::subject::Subject;
use crate::checkpoint::drawn_weights;
use crate::cli::{BenchArgs, EngineName, WidthArgs};
use crate::cpu::{self, Algorithm, Options, WinogradTile};
use crate::error::Result;
use crate::model::memory::{self, Together};
use crate::model::{Model, Runtime, TimedStep};
use crate::network::trace::trace;
use crate::network::{Layers, Layout, Operation, Shape};
use crate::report::{Bench, Kind, Spread};

/// Runs that are timed step by step: enough for a median, besides those that are timed whole.
const TIMED_RUNS: usize = 9;

pub(super) fn run(arguments: &BenchArgs) -> anyhow::Result<Outcome> {
    let runtime = super::model::runtime(arguments.engine, arguments.device, EngineName::Cpu)?;
    let started = Instant::now();
    let subject = Subject::new(
        arguments.subject.as_deref(),
        arguments.network.as_ref(),
        arguments.weights.as_ref(),
    )?;
    let weights = super::named_weights(subject.weights.as_ref(), arguments.ema)?;
    let no_widths = WidthArgs {
        channels: None,
        squeeze: None,
    };
    let network = super::network(
        subject.network.as_deref(),
        weights.as_ref(),
        no_widths,
        &arguments.head,
    )?;
    let own = network.input.shape(arguments.batch_size);
    let asked = arguments.size.map(|size| [size.height, size.width]);
    let shape = Shape {
        spatial: asked.or(own.spatial),
        ..own
    };
    let layers = network.layers();
    let trace = trace(&layers, shape)?;
    memory::check(
        &layers,
        &trace,
        &runtime,
        Together::MicroBatch,
        memory::MOST,
    )?;
    let model = if let Some(weights) = &weights {
        weights.check_input(&layers, &trace)?;
        runtime.load(&layers, weights, shape)?
    } else {
        let vb = drawn_weights(&layers, runtime.dtype(), runtime.device());
        runtime.build(layers.clone(), vb, shape)?
    };
    let load = started.elapsed();
    let plan = match &runtime {
        Runtime::Cpu(options) => {
            let started = Instant::now();
            let plan = cpu::plan(&layers, shape, *options)?;
            Some((plan, started.elapsed()))
        }
        Runtime::Candle { .. } => None,
    };

    let input = Tensor::from_vec(test_pattern(shape), shape.dims(Layout::Nchw), &Device::Cpu)?;
    let times = times(&*model, &input, arguments.runs)?;
    let mut kinds = kinds(&*model, &input, arguments.runs.min(TIMED_RUNS))?;
    let peak = plan
        .as_ref()
        .map(|(plan, _)| cpu::peak(plan.isa, plan.threads));
    let peak = peak.transpose()?;
    for kind in &mut kinds {
        kind.of_peak = peak.map(|peak| kind.macs as f64 / (kind.ms / 1e3) / peak);
    }
    let run = Spread::of(&times);
    let image = run.over(shape.batch);
    let report = Bench {
        network: network.name.to_string(),
        weights: weights.map(|weights| weights.file().name().to_owned()),
        engine: runtime.name(),
        isa: plan.as_ref().map(|(plan, _)| plan.isa),
        device: arguments.device.device.to_string(),
        threads: match &plan {
            Some((plan, _)) => plan.threads,
            None => rayon::current_num_threads(),
        },
        exact: matches!(
            runtime,
            Runtime::Cpu(Options {
                winograd: WinogradTile::F2x2,
                ..
            })
        ),
        input_shape: shape.dims(Layout::Nchw),
        runs: arguments.runs,
        load_ms: milliseconds(load),
        plan_ms: plan.map(|(_, time)| milliseconds(time)),
        image,
        run,
        images_per_s: 1e3 / image.median_ms,
        peak_memory: peak_memory(),
        peak_macs_per_s: peak,
        kinds,
    };
    super::print(&report, arguments.format)?;
    Ok(Outcome::Yes)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How long each of so many runs takes, after one that is not counted.
fn times(model: &dyn Model, input: &Tensor, runs: usize) -> Result<Vec<f64>> {
    model.run(input)?;
    let timed = (0..runs).map(|_| {
        let started = Instant::now();
        model.run(input)?;
        Ok(milliseconds(started.elapsed()))
    });
    timed.collect()
}

/// Where the time of a run goes, in the median of so many.
fn kinds(model: &dyn Model, input: &Tensor, runs: usize) -> Result<Vec<Kind>> {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut times: Vec<Vec<f64>> = Vec::new();
    for run in 0..runs {
        for step in model.run_timed(input)? {
            let kind = kind(&step, model.layers());
            let algorithm = step.algorithm.map_or("candle", Algorithm::name);
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
                times.push(vec![0.; runs]);
                kinds.len() - 1
            });
            times[index][run] += milliseconds(step.time);
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
    }
    kinds.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    Ok(kinds)
}

/// What kind of thing a step does, in a few words: that of its first convolution or dense layer, where
/// it has one, whatever that has been folded with.
fn kind(step: &TimedStep, layers: &Layers) -> String {
    let named = |name: &String| layers.as_slice().iter().find(|layer| layer.name == *name);
    let operations = step.layers.iter().filter_map(named);
    let operations: Vec<Operation> = operations.map(|layer| layer.operation).collect();
    let multiplies =
        |operation: &&Operation| matches!(operation, Operation::Conv(_) | Operation::Linear { .. });
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

/// The most memory that this process has had, in bytes, as Linux says.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::{Layer, catalog};

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
        for (names, expected) in [
            (vec![scale, project], "conv 1x1"),
            (vec![project], "conv 1x1"),
            (vec![scale], "scale"),
            (vec![], "no layer"),
        ] {
            let step = TimedStep {
                layers: names.into_iter().cloned().collect(),
                algorithm: None,
                output: Vec::new(),
                macs: 0,
                time: Duration::ZERO,
            };
            assert_eq!(kind(&step, &layers), expected);
        }
    }
}
