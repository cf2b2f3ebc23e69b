//! One suite of cases on everything that computes a network: candle's leaves, the scalar kernels
//! and those of every instruction set there is, against [`plain`]'s formulas.

mod bounds;
mod convolutions;
mod epilogue;
pub(in crate::cpu) mod exact;
mod expand;
mod gates;
#[cfg(target_os = "linux")]
mod guard;
mod halves;
mod memcheck;
mod networks;
mod plain;

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};

use self::plain::Numbers;
use super::{Engine, Isa, Options, PlanSummary, WinogradTile};
use crate::model::Model;
use crate::network::{Input, Layer, Layers, Operation, Shape, Value};
use crate::nn::SeNet;

/// A fixed sequence that looks random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.next()).unwrap() % choices.len()]
    }

    fn within(&mut self, first: usize, last: usize) -> usize {
        first + usize::try_from(self.next()).unwrap() % (last - first + 1)
    }

    /// Numbers from -1 to 1.
    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| (self.next() % 20001) as f32 / 10000. - 1.)
            .collect()
    }
}

/// Layers of any wiring as they are written down.
#[derive(Default)]
struct Wiring(Vec<Layer>);

impl Wiring {
    fn push(&mut self, name: &str, operation: Operation, inputs: &[Value]) -> Value {
        self.0.push(Layer {
            name: name.to_owned(),
            operation,
            inputs: inputs.to_vec(),
        });
        Value::of_layer(self.0.len() - 1)
    }

    /// The network that takes so many channels.
    fn layers(self, channels: usize) -> Layers {
        let input = Input {
            channels,
            height: 1,
            width: 1,
        };
        Layers::new("test", input, self.0).unwrap()
    }
}

/// A network of any wiring, with its numbers and what goes in.
struct Case {
    /// What it is, for whoever reads that it failed.
    name: String,
    layers: Layers,
    tensors: HashMap<String, Vec<f32>>,
    shape: Shape,
    input: Vec<f32>,
}

/// What computes a case.
#[derive(Debug, Clone, Copy)]
enum Backend {
    Candle,
    Engine(Options),
}

impl Backend {
    /// The threads differ so that work is cut in several ways; `tests/engine` shows that none of
    /// them changes a bit.
    fn all() -> impl Iterator<Item = Self> {
        let options = Options::default();
        let engines = Isa::available()
            .zip([1, 2, 3, 2])
            .map(move |(isa, threads)| Options {
                threads: Some(threads),
                isa: Some(isa),
                ..options
            });
        // Other tiles, and the same kernels.
        let smaller_tiles = Options {
            winograd: WinogradTile::F2x2,
            ..options
        };
        let engines = engines.chain([smaller_tiles]).map(Self::Engine);
        [Self::Candle].into_iter().chain(engines)
    }

    fn compute(self, case: &Case) -> Tensor {
        let tensors = case.layers.as_slice().iter().flat_map(|layer| {
            let parameters = layer.operation.parameters().into_iter();
            parameters.map(|parameter| {
                let name = format!("{}.{}", layer.name, parameter.name);
                let numbers = case.tensors[&name].as_slice();
                let tensor = Tensor::from_slice(numbers, parameter.shape, &Device::Cpu).unwrap();
                (name, tensor)
            })
        });
        let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
        let dims = case.shape.dims(crate::network::Layout::Nchw);
        let input = Tensor::from_slice(&case.input, dims, &Device::Cpu).unwrap();
        match self {
            Self::Candle => {
                let candle = SeNet::new(case.layers.clone(), vb).unwrap();
                candle.forward(&input).unwrap()
            }
            Self::Engine(options) => {
                let engine = Engine::unplanned(case.layers.clone(), vb, options).unwrap();
                engine.run(&input).unwrap()
            }
        }
    }
}

/// What the engine does with a case.
fn plan(case: &Case, options: Options) -> PlanSummary {
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let engine = Engine::unplanned(case.layers.clone(), vb, options).unwrap();
    engine.plan(case.shape).unwrap()
}

impl Case {
    /// `layers` with numbers that keep what goes through them near 1, and an input.
    fn new(
        name: impl Into<String>,
        layers: Layers,
        batch: usize,
        size: [usize; 2],
        random: &mut Random,
    ) -> Self {
        let mut tensors = HashMap::new();
        for layer in layers.as_slice() {
            for parameter in layer.operation.parameters() {
                let mut numbers = random.numbers(parameter.shape.iter().product());
                let fan_in: usize = parameter.shape.iter().skip(1).product();
                let spread = if parameter.shape.len() > 1 {
                    // The variance of numbers from -1 to 1 is a third.
                    (3. / fan_in as f32).sqrt()
                } else {
                    0.5
                };
                let mean = match parameter.name {
                    "running_var" => 1.,
                    _ => 0.,
                };
                for number in &mut numbers {
                    *number = mean + *number * spread;
                }
                tensors.insert(format!("{}.{}", layer.name, parameter.name), numbers);
            }
        }
        let shape = Shape {
            batch,
            channels: layers.input().channels,
            spatial: Some(size),
        };
        Self {
            name: name.into(),
            input: random.numbers(shape.elements().unwrap()),
            layers,
            tensors,
            shape,
        }
    }

    /// Compares what every backend computes with the formulas.
    fn check(&self) {
        let expected = plain::compute(self);
        for backend in Backend::all() {
            self.compare(&backend, &backend.compute(self), &expected);
        }
    }

    fn compare(&self, backend: &Backend, found: &Tensor, expected: &Numbers) {
        let Self { name, shape, .. } = self;
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(found.len(), expected.values.len(), "{name}");
        let expected = expected.values.iter().zip(expected.bounds());
        for (place, (found, (expected, bound))) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(*found) - expected).abs();
            assert!(
                error <= bound,
                "{name} on {backend:?}, {shape:?}, number {place}: {found} is not {expected} but \
                 off by {error:.1e}, allowed are {bound:.1e}; {:?}",
                self.layers
            );
        }
    }
}
