//! 1x1 convolutions that are computed a few rows at a time, for the convolution of each channel
//! alone that reads them.

use super::networks::{Growing, RELU, pointwise};
use super::{Backend, Case, Random, convolutions, plain, plan};
use crate::cpu::{Algorithm, Isa, Options, PlanSummary};
use crate::network::geometry::{Padding, Window};
use crate::network::operation::Conv;
use crate::network::{Activation, Operation, Value, catalog};

fn is_by_rows(plan: &PlanSummary) -> bool {
    let mut algorithms = plan.steps.iter().map(|step| step.algorithm);
    algorithms.any(|each| each == Algorithm::ExpandDepthwise)
}

/// An expansion to the channels of `conv`, and that.
fn expanded(inputs: usize, conv: Conv, size: [usize; 2], random: &mut Random) -> Option<Growing> {
    let mut growing = Growing::new(inputs, size);
    let activations = [None, Some(Activation::Relu), Some(Activation::Silu)];
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

#[test]
fn rows_of_any_window_are_those_of_the_whole_map() {
    let mut random = Random(21);
    let mut by_rows = 0;
    for number in 0..200 {
        let conv = Conv {
            standardization: None,
            ..convolutions::depthwise(&mut random)
        };
        let size = [random.within(9, 40), random.within(9, 40)];
        let inputs = random.of(&[3, 8, 16, 24, 40]);
        let Some(growing) = expanded(inputs, conv, size, &mut random) else {
            continue;
        };
        let name = format!("network {number}: {conv:?}");
        let case = Case::new(
            name,
            growing.finish(),
            random.within(1, 3),
            size,
            &mut random,
        );
        by_rows += usize::from(is_by_rows(&plan(&case, Options::default())));
        case.check();
    }
    assert!(by_rows >= 50, "{by_rows} of 200 by rows");
}

/// However an image's rows are cut into segments.
#[test]
fn threads_and_images_change_no_bit_of_rows() {
    let mut random = Random(22);
    let size = [90, 21];
    let mut conv = convolutions::depthwise(&mut random);
    while conv.window.stride != [1, 1] || conv.window.kernel == [1, 1] {
        conv = convolutions::depthwise(&mut random);
    }
    conv.window.dilation = [1, 1];
    let growing = expanded(16, conv, size, &mut random).unwrap();
    let case = Case::new("rows", growing.finish(), 3, size, &mut random);
    let expected = plain::compute(&case);
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
            found.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        });
        assert!(computed.iter().all(|each| *each == computed[0]), "{isa}");
    }
}

/// There would be no such map.
#[test]
fn a_map_that_others_read_too_is_stored_as_a_whole() {
    let mut random = Random(23);
    let (channels, size) = (32, [20, 20]);
    let conv = Conv {
        in_channels: channels,
        out_channels: channels,
        groups: channels,
        window: Window::square(3, 1, Padding::Same),
        bias: false,
        standardization: None,
    };
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
