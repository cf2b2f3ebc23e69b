//! Everything but convolutions, and how layers are folded into each other and share memory.

use super::{Case, Random, Wiring};
use crate::network::geometry::{Border, Padding, Rounding, Window};
use crate::network::operation::{Conv, Normalization};
use crate::network::{Activation, Layers, Operation, Shape, Value};

/// Channels that fill blocks and some that do not.
const CHANNELS: [usize; 8] = [1, 3, 8, 16, 17, 24, 32, 48];

fn pool(random: &mut Random) -> Operation {
    let kernel = [random.within(1, 5), random.within(1, 5)];
    // No more than half a window of padding, without which a window might cover none of the image.
    let padding = match random.within(0, 3) {
        0 => Padding::VALID,
        1 => Padding::Same,
        2 => Padding::Explicit(kernel.map(|side| [0, side / 2])),
        _ => Padding::Symmetric(kernel.map(|side| random.within(0, side / 2))),
    };
    let window = Window {
        kernel,
        stride: [random.within(1, 3); 2],
        dilation: [1, 1],
        padding,
        rounding: random.of(&[Rounding::Floor, Rounding::Ceil]),
    };
    match random.within(0, 7) {
        0 | 1 => Operation::MaxPool(window),
        2 | 3 => Operation::AveragePool {
            window,
            border: random.of(&[Border::Counted, Border::LeftOut]),
        },
        4 => Operation::AdaptiveAveragePool([random.within(1, 7), random.within(1, 7)]),
        5 => Operation::BlurPool {
            size: random.within(1, 5),
            stride: random.within(1, 3),
        },
        6 => Operation::GlobalMaxPool,
        _ => Operation::GlobalAveragePool,
    }
}

fn convolution(inputs: usize, random: &mut Random) -> Operation {
    let side = random.of(&[1, 1, 3, 3, 5]);
    if random.within(0, 4) == 0 {
        return depthwise(inputs, random.of(&[1, 1, 2]), random);
    }
    let outputs = random.of(&CHANNELS);
    let groups = random.of(&[1, 1, 1, 2, 4, 8]);
    let divides = inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups);
    Operation::Conv(Conv {
        in_channels: inputs,
        out_channels: outputs,
        groups: if divides { groups } else { 1 },
        window: Window::square(side, random.of(&[1, 1, 1, 2]), padding(random)),
        bias: random.of(&[true, false]),
        standardization: None,
    })
}

fn padding(random: &mut Random) -> Padding {
    let borders = [0; 2].map(|_| [0; 2].map(|_| random.within(0, 2)));
    random.of(&[
        Padding::Same,
        Padding::Same,
        Padding::VALID,
        Padding::Symmetric([1, 2]),
        Padding::Explicit(borders),
    ])
}

pub(super) fn depthwise(channels: usize, stride: usize, random: &mut Random) -> Operation {
    let side = random.of(&[3, 5]);
    Operation::Conv(Conv {
        in_channels: channels,
        out_channels: channels,
        groups: channels,
        window: Window::square(side, stride, Padding::Same),
        bias: random.of(&[true, false]),
        standardization: None,
    })
}

pub(super) fn pointwise(inputs: usize, outputs: usize) -> Operation {
    Operation::Conv(Conv {
        in_channels: inputs,
        out_channels: outputs,
        groups: 1,
        window: Window::square(1, 1, Padding::Same),
        bias: true,
        standardization: None,
    })
}

/// Channels sliced, padded or shuffled, or pixels as channels.
fn rearrangement(shape: Shape, random: &mut Random) -> Operation {
    let channels = shape.channels;
    let mut border = || [0; 2].map(|_| [0; 2].map(|_| random.within(0, 2)));
    let borders = [border(), border()];
    match random.within(0, 7) {
        0 | 1 => {
            let first = random.within(0, channels - 1);
            Operation::Slice {
                first,
                channels: random.within(1, channels - first),
            }
        }
        2 => Operation::PadChannels(random.within(1, 20)),
        3 => {
            let divides = |groups: &usize| channels.is_multiple_of(*groups);
            let groups: Vec<usize> = (1..=channels).filter(divides).collect();
            Operation::ShuffleChannels {
                groups: random.of(&groups),
            }
        }
        4 => Operation::ZeroPad(borders[0]),
        5 => Operation::Crop(borders[1]),
        6 => Operation::Upsample([random.within(1, 2), random.within(1, 3)]),
        _ => Operation::SpaceToDepth {
            block: random.within(1, 3),
        },
    }
}

/// What needs all channels of a pixel or a whole map, or is affine in each channel.
fn normalization(channels: usize, random: &mut Random) -> Operation {
    let [weight, bias] = [0; 2].map(|_| random.of(&[true, true, false]));
    let normalization = Normalization {
        channels,
        epsilon: 1e-2,
        weight,
        bias,
    };
    match random.within(0, 4) {
        0 | 1 => Operation::LayerNorm(normalization),
        2 => {
            let divides = |groups: &usize| channels.is_multiple_of(*groups);
            let groups: Vec<usize> = (1..=channels).filter(divides).collect();
            Operation::GroupNorm {
                groups: random.of(&groups),
                normalization,
            }
        }
        3 => Operation::Affine {
            channels,
            weight,
            bias,
        },
        _ => Operation::Softmax,
    }
}

pub(super) const RELU: Operation = Operation::Activation(Activation::Relu);
pub(super) const SIGMOID: Operation = Operation::Activation(Activation::Sigmoid);

pub(super) fn linear(inputs: usize, outputs: usize) -> Operation {
    Operation::Linear {
        inputs,
        outputs,
        bias: true,
    }
}

/// What makes gates of the means of so many channels: one dense layer or two, each perhaps spelt
/// as a 1x1 convolution, any activation or none between them.
pub(super) fn excitation(channels: usize, random: &mut Random) -> Vec<Operation> {
    let dense = |inputs, outputs, random: &mut Random| match random.within(0, 1) {
        0 => linear(inputs, outputs),
        _ => Operation::Conv(Conv {
            in_channels: inputs,
            out_channels: outputs,
            groups: 1,
            window: Window::square(1, 1, Padding::VALID),
            bias: random.of(&[true, false]),
            standardization: None,
        }),
    };
    let mut excitation = Vec::new();
    if random.within(0, 3) == 0 {
        excitation.push(dense(channels, channels, random));
    } else {
        let squeeze = random.within(1, 20);
        excitation.push(dense(channels, squeeze, random));
        excitation.extend(random.of(&activations()));
        excitation.push(dense(squeeze, channels, random));
    }
    excitation.push(SIGMOID);
    excitation
}

/// Any activation, or none.
fn activations() -> Vec<Option<Operation>> {
    let all = Activation::ALL.map(|function| Some(Operation::Activation(function)));
    all.into_iter().chain([None]).collect()
}

/// A network as it grows: layers, and the shape of each value.
pub(super) struct Growing {
    net: Wiring,
    shapes: Vec<Shape>,
    /// Values that nobody reads yet.
    unread: Vec<Value>,
    values: Vec<Value>,
}

impl Growing {
    pub(super) fn new(channels: usize, size: [usize; 2]) -> Self {
        let shape = Shape {
            batch: 1,
            channels,
            spatial: Some(size),
        };
        Self {
            net: Wiring::default(),
            shapes: vec![shape],
            unread: vec![Value::INPUT],
            values: vec![Value::INPUT],
        }
    }

    pub(super) fn shape(&self, value: Value) -> Shape {
        self.shapes[value.index()]
    }

    /// Adds a layer if its inputs suit it.
    pub(super) fn add(&mut self, operation: Operation, inputs: &[Value]) -> Option<Value> {
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let shape = operation.output(&shapes).ok()?;
        let name = format!("layer{}", self.shapes.len());
        let output = self.net.push(&name, operation, inputs);
        self.shapes.push(shape);
        self.unread.retain(|value| !inputs.contains(value));
        self.unread.push(output);
        self.values.push(output);
        Some(output)
    }

    /// Adds the SE block of the paper.
    fn gate(&mut self, x: Value, squeeze: usize) -> Value {
        let channels = self.shape(x).channels;
        self.gate_by(
            x,
            &[
                linear(channels, squeeze),
                RELU,
                linear(squeeze, channels),
                SIGMOID,
            ],
        )
    }

    /// Adds a squeeze, the layers that make a gate of it, and the scale.
    pub(super) fn gate_by(&mut self, x: Value, excitation: &[Operation]) -> Value {
        let mut gate = self.add(Operation::GlobalAveragePool, &[x]).unwrap();
        for &operation in excitation {
            gate = self.add(operation, &[gate]).unwrap();
        }
        self.add(Operation::Scale, &[x, gate]).unwrap()
    }

    /// Adds an SE block of any spelling.
    pub(super) fn any_gate_by_block(&mut self, x: Value, random: &mut Random) -> Value {
        let excitation = excitation(self.shape(x).channels, random);
        self.gate_by(x, &excitation)
    }

    /// Adds an SE block of any spelling, and some that are none.
    fn any_gate(&mut self, x: Value, random: &mut Random) -> Value {
        let mut excitation = excitation(self.shape(x).channels, random);
        match random.within(0, 7) {
            0 => excitation.clear(),
            1 => excitation.truncate(excitation.len() - 1),
            // What a map is multiplied by need not be a gate.
            2 => excitation.push(RELU),
            3 => excitation.insert(0, SIGMOID),
            _ => {}
        }
        self.gate_by(x, &excitation)
    }

    /// Adds any layer or block, mostly to what is there last.
    fn grow(&mut self, random: &mut Random) {
        let x = match random.within(0, 3) {
            0 => random.of(&self.values),
            _ => *self.unread.last().unwrap_or(&Value::INPUT),
        };
        let shape = self.shape(x);
        match random.within(0, 18) {
            0..=3 => {
                let conv = convolution(shape.channels, random);
                let Some(mut y) = self.add(conv, &[x]) else {
                    return;
                };
                if random.of(&[true, false]) {
                    let norm = batch_norm(self.shape(y).channels, random);
                    y = self.add(norm, &[y]).unwrap();
                }
                if random.of(&[true, false]) {
                    self.add(RELU, &[y]);
                }
            }
            4 => {
                let pool = pool(random);
                self.add(pool, &[x]);
            }
            5 | 6 => {
                self.any_gate(x, random);
            }
            7 | 8 => {
                let alike = |&&y: &&Value| y != x && self.shape(y) == shape;
                let alike: Vec<Value> = self.values.iter().filter(alike).copied().collect();
                if let Some(&y) = alike.last() {
                    let sum = self.add(Operation::Add, &[x, y]).unwrap();
                    if random.of(&[true, false]) {
                        self.add(RELU, &[sum]);
                    }
                }
            }
            9 => {
                let alike = |&&y: &&Value| y != x && self.shape(y).spatial == shape.spatial;
                let alike = self.values.iter().rev().filter(alike).copied();
                let mut members: Vec<Value> = alike.take(random.within(1, 3)).collect();
                members.push(x);
                if members.len() > 1 {
                    self.add(Operation::Concat, &members);
                }
            }
            10 => {
                if let Some(function) = random.of(&activations()) {
                    self.add(function, &[x]);
                }
            }
            11 => {
                // By any value of one pixel, such as a gate that is used before.
                let is_gate = |&&gate: &&Value| {
                    let found = self.shape(gate);
                    found.spatial == Some([1, 1]) && found.channels == shape.channels
                };
                if let Some(&gate) = self.values.iter().rev().find(is_gate) {
                    self.add(Operation::Scale, &[x, gate]);
                }
            }
            12 => {
                let rearrangement = rearrangement(shape, random);
                let is_padding = matches!(rearrangement, Operation::ZeroPad(_));
                let Some(y) = self.add(rearrangement, &[x]) else {
                    return;
                };
                // By as many convolutions as read it, mostly one.
                if is_padding && random.of(&[true, true, false]) {
                    for _ in 0..random.within(1, 2) {
                        let conv = convolution(shape.channels, random);
                        self.add(conv, &[y]);
                    }
                }
            }
            13 => {
                // By itself, another value, or a map of another size brought to this one's.
                let alike = |&&y: &&Value| self.shape(y).channels == shape.channels;
                let alike: Vec<Value> = self.values.iter().filter(alike).copied().collect();
                let mut y = random.of(&alike);
                if self.shape(y) != shape {
                    let Some(upsampled) = self.add(Operation::UpsampleLike, &[y, x]) else {
                        return;
                    };
                    y = upsampled;
                }
                self.add(Operation::Product, &[x, y]);
            }
            14 => {
                let factor = random.of(&[
                    Operation::Multiply { factor: -0.3 },
                    Operation::LearntFactor { tensor: "gain" },
                ]);
                self.add(factor, &[x]);
            }
            15 | 16 => {
                let normalization = normalization(shape.channels, random);
                self.add(normalization, &[x]);
            }
            _ => {
                let norm = batch_norm(shape.channels, random);
                self.add(norm, &[x]);
            }
        }
    }

    /// Brings all that nobody reads together: a network has one output.
    pub(super) fn finish(mut self) -> Layers {
        if let &[_] = self.unread.as_slice() {
            return self.layers();
        }
        let pool = Operation::AdaptiveAveragePool([2, 3]);
        let members: Vec<Value> = self.unread.clone();
        let members: Vec<Value> = members
            .into_iter()
            .filter_map(|value| self.add(pool, &[value]))
            .collect();
        self.add(Operation::Concat, &members);
        self.layers()
    }

    fn layers(self) -> Layers {
        self.net.layers(self.shapes[0].channels)
    }
}

pub(super) fn batch_norm(channels: usize, random: &mut Random) -> Operation {
    Operation::BatchNorm {
        channels,
        epsilon: 1e-3,
        weight: random.of(&[true, true, false]),
    }
}

/// Alone, on what a convolution has stored, under a convolution's window, and with its output
/// summed up for a gate.
#[test]
fn pools_of_any_geometry_are_those_of_the_formula() {
    let mut random = Random(3);
    let mut checked = 0;
    while checked < 150 {
        let size = [random.within(3, 15), random.within(3, 21)];
        let mut growing = Growing::new(random.of(&CHANNELS), size);
        let mut x = Value::INPUT;
        if random.of(&[true, false]) {
            let conv = convolution(growing.shape(x).channels, &mut random);
            let Some(y) = growing.add(conv, &[x]) else {
                continue;
            };
            x = y;
        }
        let pool = pool(&mut random);
        // A window may be larger than the image and its padding.
        let Some(y) = growing.add(pool, &[x]) else {
            continue;
        };
        match random.within(0, 2) {
            0 => {
                growing.gate(y, 5);
            }
            1 => {
                let conv = convolution(growing.shape(y).channels, &mut random);
                growing.add(conv, &[y]);
            }
            _ => {}
        }
        let batch = random.within(1, 3);
        Case::new(
            format!("{pool:?}"),
            growing.finish(),
            batch,
            size,
            &mut random,
        )
        .check();
        checked += 1;
    }
}

/// Any wiring: residuals, concatenations in and out of place, gates known early and late, in any
/// order.
pub(super) fn any(name: String, random: &mut Random) -> Case {
    let size = [random.within(4, 15), random.within(4, 15)];
    let mut growing = Growing::new(random.of(&CHANNELS), size);
    for _ in 0..random.within(3, 14) {
        growing.grow(random);
    }
    let batch = random.within(1, 3);
    Case::new(name, growing.finish(), batch, size, random)
}

#[test]
fn networks_of_any_wiring_are_those_of_the_formulas() {
    let mut random = Random(4);
    for number in 0..250 {
        any(format!("network {number}"), &mut random).check();
    }
}

#[test]
fn the_memory_that_is_known_without_a_plan_is_that_of_the_plan() {
    let mut random = Random(7);
    for number in 0..100 {
        let case = any(format!("network {number}"), &mut random);
        let plan = super::plan(&case, super::Options::default());
        let known = crate::cpu::memory(&case.layers, case.shape, super::Options::default());
        assert_eq!(known.unwrap(), plan.memory, "{}", case.name);
    }
}

/// Else they would begin anew at 0, and something small would be planned.
#[test]
fn padding_that_cannot_be_counted_is_not_planned() {
    let (channels, far) = (32, 1 << 60);
    let window = Window {
        stride: [far; 2],
        ..Window::square(3, 1, Padding::Symmetric([far; 2]))
    };
    for (expands, expected) in [
        (false, "a value and its halo of"),
        (true, "scratch memory of"),
    ] {
        let mut growing = Growing::new(channels, [20, 20]);
        let mut x = Value::INPUT;
        if expands {
            x = growing.add(pointwise(channels, channels), &[x]).unwrap();
        }
        let conv = Operation::Conv(Conv {
            in_channels: channels,
            out_channels: channels,
            groups: channels,
            window,
            bias: false,
            standardization: None,
        });
        let y = growing.add(conv, &[x]).unwrap();
        assert_eq!(growing.shape(y).spatial, Some([3, 3]));
        let case = Case::new("far", growing.finish(), 1, [20, 20], &mut Random(18));
        let known = crate::cpu::memory(&case.layers, case.shape, super::Options::default());
        let problem = known.unwrap_err().to_string();
        assert!(problem.contains(expected), "{problem}");
    }
}

/// Dense layers after a pool or a map of any size.
#[test]
fn classifiers_are_those_of_the_formulas() {
    let mut random = Random(6);
    for channels in CHANNELS {
        for [height, width] in [[1, 1], [2, 3], [7, 7]] {
            let mut growing = Growing::new(channels, [8, 9]);
            let conv = convolution(channels, &mut random);
            let y = growing.add(conv, &[Value::INPUT]).unwrap();
            let pool = Operation::AdaptiveAveragePool([height, width]);
            let y = growing.add(pool, &[y]).unwrap();
            let mut y = growing
                .add(Operation::Flatten { height, width }, &[y])
                .unwrap();
            for outputs in [33, 10] {
                let inputs = growing.shape(y).channels;
                y = growing
                    .add(
                        Operation::Linear {
                            inputs,
                            outputs,
                            bias: true,
                        },
                        &[y],
                    )
                    .unwrap();
                if outputs == 33 {
                    y = growing.add(RELU, &[y]).unwrap();
                }
            }
            let name = format!("{channels} channels, {height}x{width}");
            let batch = random.of(&[1, 2, 17]);
            Case::new(name, growing.finish(), batch, [8, 9], &mut random).check();
        }
    }
}

/// Whoever reads it, and whatever lies in memory as a vector does from the start.
#[test]
fn a_flattened_map_is_a_vector_beside_others() {
    let mut random = Random(14);
    let (height, width) = (2, 3);
    for operation in [
        Operation::Add,
        Operation::Product,
        Operation::Concat,
        batch_norm(120, &mut random),
        RELU,
    ] {
        let mut growing = Growing::new(20, [8, 9]);
        let pool = Operation::AdaptiveAveragePool([height, width]);
        let map = growing.add(pool, &[Value::INPUT]).unwrap();
        let flatten = Operation::Flatten { height, width };
        let flat = growing.add(flatten, &[map]).unwrap();
        let mean = Operation::GlobalAveragePool;
        let mean = growing.add(mean, &[Value::INPUT]).unwrap();
        let one_pixel = Operation::Flatten {
            height: 1,
            width: 1,
        };
        let mean = growing.add(one_pixel, &[mean]).unwrap();
        let vector = growing.add(linear(20, 120), &[mean]).unwrap();
        let mut results = vec![flat];
        for pair in [[flat, vector], [vector, flat]] {
            let inputs = match operation {
                Operation::BatchNorm { .. } | Operation::Activation(_) => &pair[..1],
                _ => &pair[..],
            };
            results.push(growing.add(operation, inputs).unwrap());
        }
        growing.add(Operation::Concat, &results).unwrap();
        let name = format!("{operation:?} of a flattened map");
        Case::new(name, growing.finish(), 2, [8, 9], &mut random).check();
    }
}

#[test]
fn a_flattened_map_is_sliced_and_shuffled_as_a_vector() {
    let mut random = Random(12);
    let (height, width) = (2, 3);
    for operation in [
        Operation::Slice {
            first: 7,
            channels: 90,
        },
        Operation::ShuffleChannels { groups: 4 },
        Operation::PadChannels(5),
    ] {
        let mut growing = Growing::new(20, [8, 9]);
        let pool = Operation::AdaptiveAveragePool([height, width]);
        let y = growing.add(pool, &[Value::INPUT]).unwrap();
        let flatten = Operation::Flatten { height, width };
        let y = growing.add(flatten, &[y]).unwrap();
        let y = growing.add(operation, &[y]).unwrap();
        let inputs = growing.shape(y).channels;
        growing.add(linear(inputs, 10), &[y]).unwrap();
        let name = format!("{operation:?} of a vector");
        Case::new(name, growing.finish(), 2, [8, 9], &mut random).check();
    }
}
