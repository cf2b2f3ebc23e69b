//! Every operation as its formula reads, in double precision, and how far single precision may
//! be off.
//!
//! With each number goes its *magnitude*: what the same formula gives of magnitudes alone, so that
//! nothing cancels. However a sum of products is ordered, cut or folded, each of its roundings is
//! at most 2^-24 of that (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), so
//! the error is at most that times the count of roundings that a number has gone through.
//! Winograd's tiles round numbers that are larger than that, but no more of them than a sum of
//! nine times as many channels has: the bound is not proven for them and still holds.
//!
//! Where windows lie (`extents`, `adaptive`, `reflected`), a blur's factors and the nearest pixels are
//! what `network::geometry` says, here as in the engine: no test of this folder finds an error in
//! those. What compares them with something else are the tests of `network::geometry`, and
//! `scripts.pytorch.timm_cases` on networks that blur (`seresnetaa50d`), repeat pixels
//! (`ghostnetv2_100`) and pool to a given size (`vgg16_bn`).

mod normalization;

use candle_core::cpu::erf::erf_f64 as erf;

use super::Case;
use crate::network::geometry::{Window, adaptive, blur, blur_factors, nearest, reflected};
use crate::network::operation::{Conv, Normalization, Standardization};
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

#[allow(clippy::too_many_lines, reason = "a line an operation")]
fn apply(case: &Case, layer: &Layer, inputs: &[&Numbers]) -> Numbers {
    let xs = inputs[0];
    let [images, channels, height, width] = xs.shape;
    let size = [height, width];
    let parameter = |name: &str| case.tensors[&format!("{}.{name}", layer.name)].as_slice();
    let normalized = |xs, norm: &Normalization, groups| {
        let there = |name, there: bool| there.then(|| parameter(name));
        let [weight, bias] = [there("weight", norm.weight), there("bias", norm.bias)];
        let normalized = normalization::normalize(xs, norm, groups);
        normalization::affine(&normalized, weight, bias)
    };
    match layer.operation {
        Operation::Conv(conv) => {
            let bias = if conv.bias { parameter("bias") } else { &[] };
            let weight = parameter("weight").iter().copied().map(f64::from);
            let mut weight: Vec<f64> = weight.collect();
            if let Some(standardization) = conv.standardization {
                let gain = standardization.gain.then(|| parameter("gain"));
                standardize(&mut weight, standardization, gain, conv.out_channels);
            }
            convolution(xs, &conv, &weight, bias)
        }
        Operation::Linear {
            inputs,
            outputs,
            bias,
        } => {
            let whole = Conv {
                in_channels: inputs,
                out_channels: outputs,
                groups: 1,
                window: Window::square(1, 1, crate::network::geometry::Padding::VALID),
                bias,
                standardization: None,
            };
            let bias = if bias { parameter("bias") } else { &[] };
            let weight = parameter("weight").iter().copied().map(f64::from);
            convolution(xs, &whole, &weight.collect::<Vec<_>>(), bias)
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
        Operation::Affine { weight, bias, .. } => {
            let there = |name, there: bool| there.then(|| parameter(name));
            normalization::affine(xs, there("weight", weight), there("bias", bias))
        }
        Operation::LayerNorm(norm) => normalized(xs, &norm, None),
        Operation::GroupNorm {
            groups,
            normalization,
        } => normalized(xs, &normalization, Some(groups)),
        Operation::Softmax => normalization::softmax(xs),
        Operation::Activation(function) => activation(xs, function),
        // The constant is rounded, too.
        Operation::Multiply { factor } => xs.each(2, |_, [value, magnitude]| {
            [value * factor, magnitude * factor.abs()]
        }),
        Operation::LearntFactor { tensor } => {
            let factor = f64::from(parameter(tensor)[0]);
            xs.each(1, |_, [value, magnitude]| {
                [value * factor, magnitude * factor.abs()]
            })
        }
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
        Operation::GlobalMaxPool => {
            let covered = size.map(|length| vec![[0, length]]);
            windows(xs, &covered, |window, _| {
                window.fold([f64::NEG_INFINITY, 0.], |[value, magnitude], number| {
                    [value.max(number[0]), magnitude.max(number[1])]
                })
            })
        }
        Operation::Flatten { .. } => Numbers {
            shape: [images, channels * height * width, 1, 1],
            ..xs.clone()
        },
        Operation::Unflatten => xs.clone(),
        Operation::Scale => {
            let gate = inputs[1];
            Numbers::of(xs.shape, xs.roundings + gate.roundings + 1, |place| {
                let [image, channel, ..] = place;
                let (number, gate) = (xs.at(place), gate.at([image, channel, 0, 0]));
                [number[0] * gate[0], number[1] * gate[1]]
            })
        }
        Operation::Product => {
            let other = inputs[1];
            Numbers::of(xs.shape, xs.roundings + other.roundings + 1, |place| {
                let (one, other) = (xs.at(place), other.at(place));
                [one[0] * other[0], one[1] * other[1]]
            })
        }
        Operation::BlurPool { size: taps, stride } => {
            let [rows, columns] = blur(taps, stride, size).unwrap();
            let shape = [images, channels, rows.output, columns.output];
            let factors = blur_factors(taps);
            let roundings = xs.roundings + taps * taps + 2;
            Numbers::of(shape, roundings, |[image, channel, row, column]| {
                let place = |position: usize, tap: usize, before: usize, size: usize| {
                    let place = (position * stride + tap).cast_signed() - before.cast_signed();
                    reflected(place, size)
                };
                let mut sum = [0.; 2];
                for y in 0..taps {
                    for x in 0..taps {
                        let row = place(row, y, rows.before, height);
                        let column = place(column, x, columns.before, width);
                        let number = xs.at([image, channel, row, column]);
                        for (sum, number) in sum.iter_mut().zip(number) {
                            *sum += number * factors[y] * factors[x];
                        }
                    }
                }
                sum
            })
        }
        Operation::Slice { first, channels } => {
            let shape = [images, channels, height, width];
            Numbers::of(shape, xs.roundings, |[image, channel, row, column]| {
                xs.at([image, first + channel, row, column])
            })
        }
        Operation::PadChannels(count) => {
            let shape = [images, channels + count, height, width];
            Numbers::of(shape, xs.roundings, |place| {
                if place[1] < channels {
                    xs.at(place)
                } else {
                    [0.; 2]
                }
            })
        }
        Operation::ShuffleChannels { groups } => {
            Numbers::of(xs.shape, xs.roundings, |[image, channel, row, column]| {
                let from = channel % groups * (channels / groups) + channel / groups;
                xs.at([image, from, row, column])
            })
        }
        Operation::SpaceToDepth { block } => {
            let shape = [
                images,
                channels * block * block,
                height / block,
                width / block,
            ];
            Numbers::of(shape, xs.roundings, |[image, channel, row, column]| {
                let pixel = channel / channels;
                let (y, x) = (row * block + pixel / block, column * block + pixel % block);
                xs.at([image, channel % channels, y, x])
            })
        }
        Operation::ZeroPad([[above, below], [before, after]]) => {
            let shape = [
                images,
                channels,
                above + height + below,
                before + width + after,
            ];
            Numbers::of(shape, xs.roundings, |[image, channel, row, column]| {
                let inside = row.checked_sub(above).zip(column.checked_sub(before));
                match inside.filter(|&(row, column)| row < height && column < width) {
                    Some((row, column)) => xs.at([image, channel, row, column]),
                    None => [0.; 2],
                }
            })
        }
        Operation::Crop([[above, below], [before, after]]) => {
            let shape = [
                images,
                channels,
                height - above - below,
                width - before - after,
            ];
            Numbers::of(shape, xs.roundings, |[image, channel, row, column]| {
                xs.at([image, channel, above + row, before + column])
            })
        }
        Operation::Upsample([down, across]) => {
            let shape = [images, channels, height * down, width * across];
            Numbers::of(shape, xs.roundings, |[image, channel, row, column]| {
                xs.at([image, channel, row / down, column / across])
            })
        }
        Operation::UpsampleLike => {
            let [_, _, to_height, to_width] = inputs[1].shape;
            let [rows, columns] = [(height, to_height), (width, to_width)]
                .map(|(from, to)| nearest(from, to).unwrap());
            let shape = [images, channels, to_height, to_width];
            Numbers::of(shape, xs.roundings, |[image, channel, row, column]| {
                xs.at([image, channel, rows[row], columns[column]])
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

/// The weights of each output less their mean, over the root of variance and epsilon, scaled.
fn standardize(
    weight: &mut [f64],
    standardization: Standardization,
    gain: Option<&[f32]>,
    outputs: usize,
) {
    let each = weight.len() / outputs;
    for (output, weights) in weight.chunks_exact_mut(each).enumerate() {
        let mean = weights.iter().sum::<f64>() / each as f64;
        let squares = weights.iter().map(|weight| (weight - mean).powi(2));
        let variance = squares.sum::<f64>() / each as f64;
        let gain = gain.map_or(1., |gain| f64::from(gain[output]));
        let factor = standardization.scale * gain / (variance + standardization.epsilon).sqrt();
        for weight in weights {
            *weight = (*weight - mean) * factor;
        }
    }
}

/// A function, how steep it is at most, and how far from 0 where its argument is 0; the
/// exponential, the sum and the quotient of each round.
fn activation(xs: &Numbers, function: Activation) -> Numbers {
    let sigmoid = |x: f64| 1. / (1. + (-x).exp());
    let (steepest, at_zero) = match function {
        Activation::Relu | Activation::Relu6 => (1., 0.),
        Activation::LeakyRelu { slope } => (slope.abs().max(1.), 0.),
        Activation::Silu | Activation::Gelu | Activation::GeluTanh => (1.13, 0.),
        Activation::HardSwish => (1.5, 0.),
        Activation::Sigmoid => (0.25, 1.),
        Activation::HardSigmoid | Activation::HardSigmoidKeras2 => (0.2, 1.),
    };
    let formula = |x: f64| match function {
        Activation::Relu => x.max(0.),
        Activation::Relu6 => x.clamp(0., 6.),
        Activation::LeakyRelu { slope } => x * if x < 0. { slope } else { 1. },
        Activation::Silu => x * sigmoid(x),
        Activation::HardSwish => x * (x + 3.).clamp(0., 6.) / 6.,
        Activation::Gelu => x * (1. + erf(x / 2_f64.sqrt())) / 2.,
        Activation::GeluTanh => {
            x * sigmoid(2. * (2. / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3)))
        }
        Activation::Sigmoid => sigmoid(x),
        Activation::HardSigmoid => (x + 3.).clamp(0., 6.) / 6.,
        Activation::HardSigmoidKeras2 => (0.2 * x + 0.5).clamp(0., 1.),
    };
    // What picks one of two numbers is exact; a slope's product and its constant round once each.
    let roundings = match function {
        Activation::Relu | Activation::Relu6 => 0,
        Activation::LeakyRelu { .. } => 2,
        Activation::HardSwish | Activation::HardSigmoid | Activation::HardSigmoidKeras2 => 4,
        Activation::Silu | Activation::Gelu | Activation::GeluTanh | Activation::Sigmoid => 8,
    };
    xs.each(roundings, |_, [value, magnitude]| {
        [formula(value), at_zero + magnitude * steepest]
    })
}

fn convolution(xs: &Numbers, conv: &Conv, weight: &[f64], bias: &[f32]) -> Numbers {
    let [images, _, height, width] = xs.shape;
    let [rows, columns] = conv.window.extents([height, width]).unwrap();
    let [kernel_rows, kernel_columns] = conv.window.kernel;
    let ([down, across], [row_step, column_step]) = (conv.window.stride, conv.window.dilation);
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
                let y = row * down + kernel_row * row_step;
                let Some(y) = y.checked_sub(rows.before).filter(|&y| y < height) else {
                    continue;
                };
                for kernel_column in 0..kernel_columns {
                    let x = column * across + kernel_column * column_step;
                    let Some(x) = x.checked_sub(columns.before).filter(|&x| x < width) else {
                        continue;
                    };
                    let tap = (output * inputs + channel) * kernel_rows + kernel_row;
                    let weight = weight[tap * kernel_columns + kernel_column];
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
