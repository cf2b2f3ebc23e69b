//! Every operation as its formula reads, in double precision, and how far single precision may
//! be off.
//!
//! With each number goes its *magnitude*: what the same formula gives of magnitudes alone, so that
//! nothing cancels. However a sum of products is ordered, cut or folded, each of its roundings is
//! at most 2^-24 of that (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), so
//! the error is at most that times the count of roundings that a number has gone through.
//! Winograd's tiles round numbers that are larger than that, but no more of them than a sum of
//! nine times as many channels has: the bound is not proven for them and still holds.

use super::Case;
use crate::network::geometry::{Window, adaptive};
use crate::network::operation::Conv;
use crate::network::{Activation, Layer, Operation};

/// Through many layers that bound grows beyond all use, while roundings mostly cancel: whole
/// networks are off by less than 1e-6 of the largest number, a dozen layers of large tiles by 1e-5.
/// What is wrong is off by a hundredth.
const ERROR: f64 = 2e-5;

/// A value of a network.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    /// `[N, C, H, W]`.
    shape: [usize; 4],
    pub(super) values: Vec<f64>,
    magnitudes: Vec<f64>,
    /// The most that any of its numbers has gone through.
    roundings: usize,
}

/// A number and its magnitude.
type Number = [f64; 2];

impl Numbers {
    /// How far each number may be off.
    pub(super) fn bounds(&self) -> impl Iterator<Item = f64> {
        let largest = self
            .values
            .iter()
            .fold(0_f64, |most, value| most.max(value.abs()));
        self.magnitudes.iter().map(move |magnitude| {
            let rounded = self.roundings as f64 * f64::from(f32::EPSILON) / 2. * magnitude;
            rounded.min(ERROR * largest)
        })
    }

    /// Numbers of that shape, from their image, channel, row and column.
    fn of(shape: [usize; 4], roundings: usize, number: impl Fn([usize; 4]) -> Number) -> Self {
        let [images, channels, height, width] = shape;
        let mut values = Vec::with_capacity(images * channels * height * width);
        let mut magnitudes = Vec::with_capacity(values.capacity());
        for image in 0..images {
            for channel in 0..channels {
                for row in 0..height {
                    for column in 0..width {
                        let [value, magnitude] = number([image, channel, row, column]);
                        values.push(value);
                        magnitudes.push(magnitude);
                    }
                }
            }
        }
        Self {
            shape,
            values,
            magnitudes,
            roundings,
        }
    }

    /// Numbers of the same shape, each from the one in its place.
    fn each(&self, roundings: usize, number: impl Fn(usize, Number) -> Number) -> Self {
        let roundings = self.roundings + roundings;
        Self::of(self.shape, roundings, |place| {
            number(place[1], self.at(place))
        })
    }

    fn at(&self, [image, channel, row, column]: [usize; 4]) -> Number {
        let [_, channels, height, width] = self.shape;
        let place = ((image * channels + channel) * height + row) * width + column;
        [self.values[place], self.magnitudes[place]]
    }
}

/// What the case's network gives.
pub(super) fn compute(case: &Case) -> Numbers {
    let [height, width] = case.shape.spatial.unwrap();
    let shape = [case.shape.batch, case.shape.channels, height, width];
    let input = case.input.iter().copied().map(f64::from);
    let mut values = vec![Numbers {
        shape,
        values: input.clone().collect(),
        magnitudes: input.map(f64::abs).collect(),
        roundings: 0,
    }];
    for layer in case.layers.as_slice() {
        let inputs: Vec<&Numbers> = layer
            .inputs
            .iter()
            .map(|value| &values[value.index()])
            .collect();
        let output = apply(case, layer, &inputs);
        values.push(output);
    }
    values.pop().unwrap()
}

fn apply(case: &Case, layer: &Layer, inputs: &[&Numbers]) -> Numbers {
    let xs = inputs[0];
    let [images, channels, height, width] = xs.shape;
    let size = [height, width];
    let parameter = |name: &str| case.tensors[&format!("{}.{name}", layer.name)].as_slice();
    match layer.operation {
        Operation::Conv(conv) => {
            let bias = if conv.bias { parameter("bias") } else { &[] };
            convolution(xs, &conv, parameter("weight"), bias)
        }
        Operation::Linear { inputs, outputs } => {
            let whole = Conv {
                in_channels: inputs,
                out_channels: outputs,
                groups: 1,
                window: Window::square(1, 1, crate::network::geometry::Padding::VALID),
                bias: true,
            };
            convolution(xs, &whole, parameter("weight"), parameter("bias"))
        }
        Operation::BatchNorm {
            epsilon, weight, ..
        } => {
            let [mean, variance, bias] = ["running_mean", "running_var", "bias"].map(parameter);
            xs.each(4, |channel, [value, magnitude]| {
                let of = |numbers: &[f32]| f64::from(numbers[channel]);
                let mut factor = (of(variance) + epsilon).sqrt().recip();
                if weight {
                    factor *= of(parameter("weight"));
                }
                [
                    (value - of(mean)) * factor + of(bias),
                    (magnitude + of(mean).abs()) * factor.abs() + of(bias).abs(),
                ]
            })
        }
        Operation::Activation(function) => activation(xs, function),
        // The constant is rounded, too.
        Operation::Multiply { factor } => xs.each(2, |_, [value, magnitude]| {
            [value * factor, magnitude * factor.abs()]
        }),
        Operation::MaxPool(window) => windows(xs, &window.covered(size).unwrap(), |window, _| {
            window.fold([f64::NEG_INFINITY, 0.], |[value, magnitude], number| {
                [value.max(number[0]), magnitude.max(number[1])]
            })
        }),
        Operation::AveragePool { window, border } => {
            let divisors = window.divisors(size, border).unwrap();
            means(xs, &window.covered(size).unwrap(), &divisors)
        }
        Operation::AdaptiveAveragePool([rows, columns]) => {
            let covered = [adaptive(height, rows), adaptive(width, columns)];
            let covered = covered.map(Result::unwrap);
            means(
                xs,
                &covered,
                &covered.each_ref().map(|ranges| lengths(ranges)),
            )
        }
        Operation::GlobalAveragePool => {
            let covered = size.map(|length| vec![[0, length]]);
            means(xs, &covered, &size.map(|length| vec![length]))
        }
        Operation::Flatten { .. } => Numbers {
            shape: [images, channels * height * width, 1, 1],
            ..xs.clone()
        },
        Operation::Scale => {
            let gate = inputs[1];
            Numbers::of(xs.shape, xs.roundings + gate.roundings + 1, |place| {
                let [image, channel, ..] = place;
                let (number, gate) = (xs.at(place), gate.at([image, channel, 0, 0]));
                [number[0] * gate[0], number[1] * gate[1]]
            })
        }
        Operation::Add => {
            let other = inputs[1];
            let roundings = xs.roundings.max(other.roundings) + 1;
            Numbers::of(xs.shape, roundings, |place| {
                let (one, other) = (xs.at(place), other.at(place));
                [one[0] + other[0], one[1] + other[1]]
            })
        }
        Operation::Concat => {
            let channels = inputs.iter().map(|input| input.shape[1]).sum();
            let roundings = inputs.iter().map(|input| input.roundings).max().unwrap();
            Numbers::of([images, channels, height, width], roundings, |place| {
                let [image, mut channel, row, column] = place;
                for input in inputs {
                    if channel < input.shape[1] {
                        return input.at([image, channel, row, column]);
                    }
                    channel -= input.shape[1];
                }
                unreachable!("the channels are those of the inputs")
            })
        }
    }
}

fn activation(xs: &Numbers, function: Activation) -> Numbers {
    match function {
        Activation::Relu => xs.each(0, |_, [value, magnitude]| [value.max(0.), magnitude]),
        // Its slope is a quarter at most; the exponential, the sum and the quotient round.
        Activation::Sigmoid => xs.each(8, |_, [value, magnitude]| {
            [1. / (1. + (-value).exp()), 1. + magnitude / 4.]
        }),
    }
}

fn convolution(xs: &Numbers, conv: &Conv, weight: &[f32], bias: &[f32]) -> Numbers {
    let [images, _, height, width] = xs.shape;
    let [rows, columns] = conv.window.extents([height, width]).unwrap();
    let [kernel_rows, kernel_columns] = conv.window.kernel;
    let inputs = conv.channels_per_group();
    let of_group = conv.out_channels / conv.groups;
    let shape = [images, conv.out_channels, rows.output, columns.output];
    // One for each gemm, and for the batch norm and the bias.
    let roundings = xs.roundings + inputs * kernel_rows * kernel_columns + 4;
    Numbers::of(shape, roundings, |[image, output, row, column]| {
        let bias = f64::from(bias.get(output).copied().unwrap_or_default());
        let mut sum = [bias, bias.abs()];
        for channel in 0..inputs {
            for kernel_row in 0..kernel_rows {
                let y = row * conv.window.stride + kernel_row;
                let Some(y) = y.checked_sub(rows.before).filter(|&y| y < height) else {
                    continue;
                };
                for kernel_column in 0..kernel_columns {
                    let x = column * conv.window.stride + kernel_column;
                    let Some(x) = x.checked_sub(columns.before).filter(|&x| x < width) else {
                        continue;
                    };
                    let tap = (output * inputs + channel) * kernel_rows + kernel_row;
                    let weight = f64::from(weight[tap * kernel_columns + kernel_column]);
                    let number = xs.at([image, output / of_group * inputs + channel, y, x]);
                    sum[0] += number[0] * weight;
                    sum[1] += number[1] * weight.abs();
                }
            }
        }
        sum
    })
}

/// What each window covers: its rows and columns, from first to before an end.
fn windows(
    xs: &Numbers,
    [rows, columns]: &[Vec<[usize; 2]>; 2],
    number: impl Fn(&mut dyn Iterator<Item = Number>, [usize; 2]) -> Number,
) -> Numbers {
    let [images, channels, ..] = xs.shape;
    let shape = [images, channels, rows.len(), columns.len()];
    Numbers::of(shape, xs.roundings, |[image, channel, row, column]| {
        let mut window = (rows[row][0]..rows[row][1]).flat_map(|y| {
            let [first, end] = columns[column];
            (first..end).map(move |x| xs.at([image, channel, y, x]))
        });
        number(&mut window, [row, column])
    })
}

/// Means over windows, the sum of each divided by a number for its row times one for its column.
fn means(xs: &Numbers, covered: &[Vec<[usize; 2]>; 2], divisors: &[Vec<usize>; 2]) -> Numbers {
    let longest = covered
        .each_ref()
        .map(|ranges| lengths(ranges).into_iter().max().unwrap());
    let means = windows(xs, covered, |window, [row, column]| {
        let sum = window.fold([0.; 2], |sum, number| {
            [sum[0] + number[0], sum[1] + number[1]]
        });
        sum.map(|sum| sum / (divisors[0][row] * divisors[1][column]) as f64)
    });
    Numbers {
        // One for each number, and for quotients that two divisions may make.
        roundings: xs.roundings + longest[0] * longest[1] + 4,
        ..means
    }
}

fn lengths(ranges: &[[usize; 2]]) -> Vec<usize> {
    ranges.iter().map(|[first, end]| end - first).collect()
}
