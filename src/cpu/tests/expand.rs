//! 1x1 convolutions that are computed a few rows at a time, for the convolution of each channel
//! alone that reads them.

use candle_core::Tensor;

use super::networks::{Growing, RELU, SIGMOID, linear, pointwise};
use super::{Backend, Case, Random, convolutions, gates, plain, plan};
use crate::cpu::{Algorithm, Isa, Options, PlanSummary};
use crate::network::geometry::{Padding, Window};
use crate::network::operation::Conv;
use crate::network::{Activation, Operation, Shape, Value, catalog};

fn is_by_rows(plan: &PlanSummary) -> bool {
    let mut algorithms = plan.steps.iter().map(|step| step.algorithm);
    algorithms.any(|each| each == Algorithm::ExpandDepthwise)
}

/// A convolution of each channel alone, whose output is as large as its source.
fn depthwise(channels: usize, side: usize) -> Conv {
    Conv {
        in_channels: channels,
        out_channels: channels,
        groups: channels,
        window: Window::square(side, 1, Padding::Same),
        bias: false,
        standardization: None,
    }
}

/// An expansion to the channels of `conv`, and that.
fn expanded(inputs: usize, conv: Conv, size: [usize; 2], random: &mut Random) -> Option<Growing> {
    let mut growing = Growing::new(inputs, size);
    // The last is not 0 of the channels that only fill up a block.
    let activations = [
        None,
        Some(Activation::Relu),
        Some(Activation::Silu),
        Some(Activation::Sigmoid),
    ];
    let expand = pointwise(inputs, conv.in_channels);
    let mut y = growing.add(expand, &[Value::INPUT])?;
    if let Some(activation) = random.of(&activations) {
        y = growing.add(Operation::Activation(activation), &[y])?;
    }
    y = growing.add(Operation::Conv(conv), &[y])?;
    if let Some(activation) = random.of(&activations) {
        y = growing.add(Operation::Activation(activation), &[y])?;
    }
    if random.of(&[true, false]) {
        y = growing.any_gate_by_block(y, random);
    }
    growing.add(pointwise(conv.out_channels, 9), &[y])?;
    Some(growing)
}

/// One of any convolution of each channel alone, on an image from `first` to `last` pixels a side.
pub(super) fn any([first, last]: [usize; 2], random: &mut Random) -> Case {
    loop {
        let conv = convolutions::depthwise(random);
        let size = [random.within(first, last), random.within(first, last)];
        let inputs = random.of(&[3, 8, 16, 24, 40]);
        // A window may be larger than the image and its padding.
        if let Some(growing) = expanded(inputs, conv, size, random) {
            let name = format!("expansion for {conv:?}");
            let batch = random.within(1, 3);
            return Case::new(name, growing.finish(), batch, size, random);
        }
    }
}

#[test]
fn rows_of_any_window_are_those_of_the_whole_map() {
    let mut random = Random(21);
    let cases: Vec<Case> = (0..200).map(|_| any([9, 40], &mut random)).collect();
    cases.iter().for_each(Case::check);
    let plans = cases.iter().map(|case| plan(case, Options::default()));
    let by_rows = plans.filter(is_by_rows).count();
    assert!(by_rows >= 50, "{by_rows} of 200 by rows");
}

/// However an image's rows are cut into segments, which follows from threads and from images.
#[test]
fn threads_and_images_change_no_bit_of_rows() {
    let mut random = Random(22);
    let size = [90, 21];
    // Rows enough for five segments, and few panels, so that seven threads take several of three
    // images.
    let conv = depthwise(40, 5);
    let growing = expanded(16, conv, size, &mut random).unwrap();
    let case = Case::new("rows", growing.finish(), 3, size, &mut random);
    let expected = plain::compute(&case);
    let images = case.input.chunks(case.input.len() / 3).map(|image| Case {
        name: "an image's rows".to_owned(),
        layers: case.layers.clone(),
        tensors: case.tensors.clone(),
        shape: Shape {
            batch: 1,
            ..case.shape
        },
        input: image.to_vec(),
    });
    let images: Vec<Case> = images.collect();
    for isa in Isa::available() {
        let computed = [1, 2, 7].map(|threads| {
            let options = Options {
                threads: Some(threads),
                isa: Some(isa),
                ..Options::default()
            };
            assert!(is_by_rows(&plan(&case, options)));
            let backend = Backend::Engine(options);
            let found = backend.compute(&case);
            case.compare(&backend, &found, &expected);
            let numbers = |found: Tensor| found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let alone = images.iter().map(|image| numbers(backend.compute(image)));
            let found = numbers(found);
            assert!(alone.collect::<Vec<_>>().concat() == found, "{options:?}");
            found
        });
        assert!(computed.iter().all(|each| *each == computed[0]), "{isa}");
    }
}

/// Its padding is no part of its source, and what it makes of it is no zero.
#[test]
fn an_expansion_that_is_padded_is_stored_as_a_whole() {
    let mut random = Random(25);
    let (channels, size) = (32, [20, 20]);
    for padding in [
        [[0, 0], [0, 1]],
        [[0, 1], [0, 0]],
        [[1, 0], [0, 0]],
        [[0, 0]; 2],
    ] {
        let mut growing = Growing::new(channels, size);
        let x = growing.add(RELU, &[Value::INPUT]).unwrap();
        let expand = Operation::Conv(Conv {
            in_channels: channels,
            out_channels: channels,
            groups: 1,
            window: Window::square(1, 1, Padding::Explicit(padding)),
            bias: true,
            standardization: None,
        });
        let y = growing.add(expand, &[x]).unwrap();
        let conv = depthwise(channels, 3);
        growing.add(Operation::Conv(conv), &[y]).unwrap();
        let name = format!("an expansion padded by {padding:?}");
        let case = Case::new(name, growing.finish(), 2, size, &mut random);
        case.check();
        let plan = plan(&case, Options::default());
        assert_eq!(is_by_rows(&plan), padding == [[0, 0]; 2], "{}", case.name);
    }
}

/// The step of a gate that multiplies weights overwrites nothing, so that its map stays for others.
#[test]
fn a_map_may_be_expanded_after_its_gate_has_multiplied_weights() {
    let mut random = Random(26);
    let (channels, size) = (48, [9, 8]);
    let mut growing = Growing::new(channels, size);
    let conv = Operation::Conv(depthwise(channels, 3));
    let x = growing.add(conv, &[Value::INPUT]).unwrap();
    let x = growing.add(RELU, &[x]).unwrap();
    // First to last: read by the expansion, gated, and read again when its rows are made.
    let y = growing.add(pointwise(channels, channels), &[x]).unwrap();
    let gated = growing.gate_by(x, &[linear(channels, channels), SIGMOID]);
    let projected = growing.add(pointwise(channels, 16), &[gated]).unwrap();
    let z = growing.add(conv, &[y]).unwrap();
    growing.add(Operation::Concat, &[projected, z]).unwrap();
    let case = Case::new(
        "a map that is gated and expanded",
        growing.finish(),
        2,
        size,
        &mut random,
    );
    case.check();
    let plan = plan(&case, Options::default());
    assert!(is_by_rows(&plan) && !gates::has_pass(&plan), "{plan:?}");
}

/// There would be no such map.
#[test]
fn a_map_that_others_read_too_is_stored_as_a_whole() {
    let mut random = Random(23);
    let (channels, size) = (32, [20, 20]);
    let conv = depthwise(channels, 3);
    for others in ["nobody", "a convolution", "a sum", "the conv's own sum"] {
        let mut growing = Growing::new(channels, size);
        let x = growing.add(RELU, &[Value::INPUT]).unwrap();
        let y = growing.add(pointwise(channels, channels), &[x]).unwrap();
        let y = growing.add(RELU, &[y]).unwrap();
        let z = growing.add(Operation::Conv(conv), &[y]).unwrap();
        match others {
            "nobody" => {}
            "a convolution" => {
                let w = growing.add(pointwise(channels, channels), &[y]).unwrap();
                growing.add(Operation::Add, &[z, w]).unwrap();
            }
            "a sum" => {
                let z = growing.add(RELU, &[z]).unwrap();
                growing.add(Operation::Add, &[z, y]).unwrap();
            }
            "the conv's own sum" => {
                growing.add(Operation::Add, &[z, y]).unwrap();
            }
            _ => unreachable!("every case is above"),
        }
        let name = format!("a map that is read by {others} too");
        let case = Case::new(name, growing.finish(), 2, size, &mut random);
        let plan = plan(&case, Options::default());
        assert_eq!(is_by_rows(&plan), others == "nobody", "{}", case.name);
        case.check();
    }
}

/// `MobileNetV1`'s blocks end in a 1x1 convolution that the next begins to read channel by channel.
#[test]
fn the_value_that_ends_a_block_is_kept() {
    for (name, by_rows) in [("mobilenetv1_100", false), ("mobilenetv2_100", true)] {
        let layers = catalog::find(name).unwrap().layers();
        let case = Case::new(name, layers, 1, [64, 64], &mut Random(24));
        let plan = plan(&case, Options::default());
        assert_eq!(is_by_rows(&plan), by_rows, "{name}");
        let kept: Vec<_> = plan.steps.iter().map(|step| step.layers.last()).collect();
        for block in case.layers.blocks() {
            let last = case.layers.position(block).unwrap();
            let last = &case.layers.as_slice()[last].name;
            assert!(kept.contains(&Some(last)), "{name}: `{last}`");
        }
    }
}
