//! Each kind of convolution of two networks, on one thread, as a share of what this processor can
//! multiply and add at most: `cargo bench --bench kernels`, on a quiet machine.
//!
//! They are timed where they stand in the network, with the caches as the layer before leaves
//! them. Multiplications are those that are really done: a share of Winograd's tiles counts those
//! of their products alone, but the time of their transforms, too.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that cannot go on fails; what it finds goes to stdout; `criterion_main` \
              writes no docs"
)]

use std::cell::RefCell;
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use senet::checkpoint::drawn_weights;
use senet::cpu::{Algorithm, Engine, Isa, Options, Precision, peak};
use senet::model::{Model, TimedStep};
use senet::network::{Layout, catalog};

/// Runs of the network for each kernel.
const SAMPLES: usize = 10;

/// Steps of one name are the same work.
fn name(step: &TimedStep) -> String {
    let [_, channels, height, width] = step.output[..] else {
        return String::new();
    };
    let mmacs = step.macs as f64 / 1e6;
    format!(
        "{} to {channels}x{height}x{width}, {mmacs:.1} MMAC",
        step.algorithm.map_or("candle", Algorithm::name)
    )
}

fn kernels(criterion: &mut Criterion) {
    let isa = Isa::detect().unwrap();
    for network in ["seresnet50", "seresnext50_32x4d"] {
        let network = catalog::find(network).unwrap();
        let options = Options {
            threads: Some(1),
            ..Options::default()
        };
        let weights = drawn_weights(&network.layers(), DType::F32, &Device::Cpu);
        let engine = Engine::new(network.layers(), weights, options).unwrap();
        let dims = network.input.shape(1).dims(Layout::Nchw);
        let xs = Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
        let mut steps = engine.run_timed(&xs).unwrap();
        let run: Duration = steps.iter().map(|step| step.time).sum();
        // Matrices by vectors, which are as fast as memory, are left out.
        steps.retain(|step| step.macs > 0 && step.output[2..] != [1, 1]);
        let mut names: Vec<String> = Vec::new();
        let mut group = criterion.benchmark_group(network.name.as_ref());
        for step in &steps {
            let name = name(step);
            if names.contains(&name) {
                continue;
            }
            let times = RefCell::new(Vec::new());
            group
                .sample_size(SAMPLES)
                .sampling_mode(SamplingMode::Flat)
                .warm_up_time(Duration::from_millis(1))
                // An iteration runs the whole network, of which it counts one step.
                .measurement_time(run * u32::try_from(SAMPLES).unwrap())
                .throughput(Throughput::Elements(step.macs))
                .bench_function(&name, |bencher| {
                    bencher.iter_custom(|iterations| {
                        let mut total = Duration::ZERO;
                        for _ in 0..iterations {
                            let steps = engine.run_timed(&xs).unwrap();
                            let alike = steps.iter().filter(|step| self::name(step) == name);
                            let alike: Vec<Duration> = alike.map(|step| step.time).collect();
                            let mean = alike.iter().sum::<Duration>()
                                / u32::try_from(alike.len()).unwrap();
                            times.borrow_mut().push(mean);
                            total += mean;
                        }
                        total
                    });
                });
            let mut times = times.into_inner();
            times.sort_unstable();
            // None where a filter on the command line leaves it out.
            if let Some(median) = times.get(times.len() / 2) {
                let rate = step.macs as f64 / median.as_secs_f64();
                println!(
                    "  {:.2} of {isa}'s peak",
                    rate / peak(isa, Precision::F32, 1).unwrap()
                );
            }
            names.push(name);
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().nresamples(1000);
    targets = kernels
}
criterion_main!(benches);
