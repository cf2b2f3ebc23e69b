//! Convolutions of any geometry against a plain one in double precision, on every instruction set.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::{Engine, Isa, Options};
use crate::network::geometry::{Padding, Rounding, Window};
use crate::network::operation::Conv;
use crate::network::{Layers, Operation};

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

/// A convolution, what it reads, and how its output is finished.
#[derive(Debug)]
struct Case {
    conv: Conv,
    batch: usize,
    size: [usize; 2],
    /// A 1x1 convolution before it, so that its input is no plane.
    blocks: bool,
    relu: bool,
    residual: bool,
}

fn case(random: &mut Random) -> Case {
    let kernel = [random.within(1, 7), random.within(1, 7)];
    let square = random.of(&[true, true, false]);
    let kernel = if square {
        [random.of(&[1, 3, 3, 5, 7]); 2]
    } else {
        kernel
    };
    let groups = random.of(&[1, 1, 1, 2, 3, 4, 8]);
    let share = random.of(&[1, 2, 3, 4, 5, 8, 12, 16, 20, 32]);
    let outputs = random.of(&[1, 2, 4, 5, 8, 16, 24, 32, 40]);
    let padding = match random.within(0, 3) {
        0 => Padding::VALID,
        1 => Padding::Same,
        2 => Padding::Symmetric(kernel.map(|side| side / 2)),
        _ => Padding::Symmetric([random.within(0, 3), random.within(0, 3)]),
    };
    let stride = random.of(&[1, 1, 2, 3]);
    Case {
        conv: Conv {
            in_channels: groups * share,
            out_channels: groups * outputs,
            groups,
            window: Window {
                kernel,
                stride,
                padding,
                rounding: Rounding::Floor,
            },
            bias: random.of(&[true, false]),
        },
        batch: random.within(1, 3),
        size: [random.within(7, 19), random.within(7, 33)],
        blocks: random.of(&[true, false]),
        relu: random.of(&[true, false]),
        residual: random.of(&[true, false]),
    }
}

/// Sums and sums of magnitudes, both in double precision.
fn plain(case: &Case, input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<[f64; 2]> {
    let Case {
        conv, batch, size, ..
    } = case;
    let [rows, columns] = conv.window.extents(*size).unwrap();
    let [kernel_rows, kernel_columns] = conv.window.kernel;
    let (share, outputs) = (
        conv.in_channels / conv.groups,
        conv.out_channels / conv.groups,
    );
    let mut sums = Vec::new();
    for image in 0..*batch {
        for output in 0..conv.out_channels {
            for row in 0..rows.output {
                for column in 0..columns.output {
                    let mut sum = f64::from(bias.get(output).copied().unwrap_or_default());
                    let mut magnitude = sum.abs();
                    for channel in 0..share {
                        let plane = image * conv.in_channels + output / outputs * share + channel;
                        for kernel_row in 0..kernel_rows {
                            for kernel_column in 0..kernel_columns {
                                let y = row * conv.window.stride + kernel_row;
                                let x = column * conv.window.stride + kernel_column;
                                let (Some(y), Some(x)) =
                                    (y.checked_sub(rows.before), x.checked_sub(columns.before))
                                else {
                                    continue;
                                };
                                if y >= size[0] || x >= size[1] {
                                    continue;
                                }
                                let tap = (output * share + channel) * kernel_rows + kernel_row;
                                let product = f64::from(input[(plane * size[0] + y) * size[1] + x])
                                    * f64::from(weight[tap * kernel_columns + kernel_column]);
                                sum += product;
                                magnitude += product.abs();
                            }
                        }
                    }
                    sums.push([sum, magnitude]);
                }
            }
        }
    }
    sums
}

fn tensor(numbers: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(numbers, shape, &Device::Cpu).unwrap()
}

/// What the case's layers give: the convolution of the input or of its negative's negative, then
/// its own output once more and a rectifier.
fn compute(case: &Case, isa: Isa, input: &[f32], tensors: &HashMap<String, Tensor>) -> Vec<f32> {
    let channels = case.conv.in_channels;
    let conv = Operation::Conv(case.conv);
    let negative = Operation::Multiply { factor: -1. };
    let mut list: Vec<(&str, Operation, Vec<usize>)> = Vec::new();
    let mut value = 0;
    if case.blocks {
        list.push(("negative", negative, vec![0]));
        list.push(("again", negative, vec![1]));
        value = 2;
    }
    if case.residual {
        list.push(("first", conv, vec![value]));
        list.push(("conv", conv, vec![value]));
        let second = list.len();
        list.push(("add", Operation::Add, vec![second, second - 1]));
    } else {
        list.push(("conv", conv, vec![value]));
    }
    if case.relu {
        list.push(("relu", Operation::Relu, vec![list.len()]));
    }
    let list: Vec<_> = list
        .iter()
        .map(|(name, operation, inputs)| (*name, *operation, inputs.as_slice()))
        .collect();
    let layers = Layers::of_operations(channels, &list);
    let vb = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    let options = Options {
        isa: Some(isa),
        ..Options::default()
    };
    let engine = Engine::of_layers(layers, vb, options).unwrap();
    let shape = [case.batch, channels, case.size[0], case.size[1]];
    let output = engine.run(&tensor(input, &shape)).unwrap();
    output.flatten_all().unwrap().to_vec1().unwrap()
}

/// How far a sum of products may be off: one rounding of 2^-24 of what it has reached for each of
/// its numbers, and a few for what finishes it.
fn bound(case: &Case, magnitude: f64) -> f64 {
    let [rows, columns] = case.conv.window.kernel;
    let numbers = rows * columns * case.conv.channels_per_group() + 4;
    magnitude * numbers as f64 * f64::from(f32::EPSILON) / 2.
}

#[test]
fn convolutions_of_any_geometry_are_those_of_the_formula() {
    let mut random = Random(1);
    let mut checked = 0;
    while checked < 250 {
        let case = case(&mut random);
        let Conv {
            in_channels,
            out_channels,
            window,
            ..
        } = case.conv;
        if window.extents(case.size).is_err() {
            continue;
        }
        let [height, width] = case.size;
        let input = random.numbers(case.batch * in_channels * height * width);
        let shape = [
            out_channels,
            case.conv.channels_per_group(),
            window.kernel[0],
            window.kernel[1],
        ];
        let weight = random.numbers(shape.iter().product());
        let bias = random.numbers(if case.conv.bias { out_channels } else { 0 });
        let mut tensors = HashMap::new();
        for name in ["first", "conv"] {
            tensors.insert(format!("{name}.weight"), tensor(&weight, &shape));
            if case.conv.bias {
                tensors.insert(format!("{name}.bias"), tensor(&bias, &[out_channels]));
            }
        }
        let expected = plain(&case, &input, &weight, &bias);
        for isa in Isa::available() {
            let found = compute(&case, isa, &input, &tensors);
            assert_eq!(found.len(), expected.len(), "{case:?}");
            for (place, (found, [sum, magnitude])) in found.iter().zip(&expected).enumerate() {
                let times = if case.residual { 2. } else { 1. };
                let mut value = sum * times;
                if case.relu {
                    value = value.max(0.);
                }
                let error = (f64::from(*found) - value).abs();
                assert!(
                    error <= bound(&case, magnitude * times),
                    "{isa}, number {place}: {found} is not {value}; {case:?}"
                );
            }
        }
        checked += 1;
    }
}
