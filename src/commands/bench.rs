mod steps;

use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};

use super::Outcome;
use super::pattern::test_pattern;
use super::subject::Subject;
use crate::checkpoint::drawn_weights;
use crate::cli::{BenchArgs, EngineName, WidthArgs};
use crate::cpu::{self, Options, WinogradTile};
use crate::error::Result;
use crate::model::memory::{self, Together};
use crate::model::{Model, Runtime, TimedStep};
use crate::network::trace::trace;
use crate::network::{Layout, Shape};
use crate::report::{Bench, Spread};

/// Runs that are timed step by step: enough for a median, besides those that are timed whole.
const TIMED_RUNS: usize = 9;

pub(super) fn run(arguments: &BenchArgs) -> anyhow::Result<Outcome> {
    let runtime = super::model::runtime(arguments.engine, EngineName::Cpu)?;
    let started = Instant::now();
    let subject = Subject::new(
        arguments.subject.as_deref(),
        arguments.network.as_ref(),
        arguments.weights.as_ref(),
    )?;
    let weights = super::named_weights(subject.weights.as_ref(), arguments.variant.ema)?;
    let no_widths = WidthArgs {
        channels: None,
        squeeze: None,
    };
    let network = super::network(
        subject.network.as_deref(),
        weights.as_ref(),
        no_widths,
        arguments.variant.head.as_deref(),
    )?;
    let network = super::with_classes(network, arguments.classes, weights.as_ref())?;
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
        let vb = drawn_weights(&layers, runtime.weights_dtype(), runtime.device());
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
    let by_step = run_by_step(&*model, &input, arguments.runs.min(TIMED_RUNS))?;
    // What follows takes memory of its own.
    let peak_memory = peak_memory();
    let peak = plan
        .as_ref()
        .map(|(plan, _)| cpu::peak(plan.isa, plan.precision, plan.threads));
    let peak = peak.transpose()?;
    let bandwidth = plan
        .as_ref()
        .map(|(plan, _)| cpu::bandwidth(plan.threads))
        .transpose()?;
    let run = Spread::of(&times);
    let image = run.over(shape.batch);
    let report = Bench {
        network: network.name.to_string(),
        weights: weights.map(|weights| weights.file().name().to_owned()),
        engine: runtime.name(),
        isa: plan.as_ref().map(|(plan, _)| plan.isa),
        precision: plan.as_ref().map(|(plan, _)| plan.precision),
        device: arguments.engine.device.to_string(),
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
        peak_memory,
        peak_macs_per_s: peak,
        bandwidth,
        kinds: steps::kinds(&by_step, &layers, peak),
        steps: steps::steps(&by_step, &layers, &trace),
        list_steps: arguments.steps,
    };
    super::print_as(&report, arguments.format, Bench::write_page)?;
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

/// The steps of so many runs, timed one by one.
fn run_by_step(model: &dyn Model, input: &Tensor, runs: usize) -> Result<Vec<Vec<TimedStep>>> {
    (0..runs).map(|_| model.run_timed(input)).collect()
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
