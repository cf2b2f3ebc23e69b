//! Gates: known before the last convolution of their block, or when their map is complete.

use super::networks::{
    Growing, RELU, SIGMOID, batch_norm, depthwise, excitation, linear, pointwise,
};
use super::{Backend, Case, Random, plan};
use crate::cpu::kernels::BLOCK;
use crate::cpu::{Algorithm, Isa, Options, PlanSummary};
use crate::network::geometry::{Padding, Window};
use crate::network::operation::Conv;
use crate::network::{Activation, Operation, Value};

/// Whether a gate takes a step of its own: none of these networks has another reason for one.
pub(super) fn has_pass(plan: &PlanSummary) -> bool {
    let mut algorithms = plan.steps.iter().map(|step| step.algorithm);
    algorithms.any(|each| each == Algorithm::Elementwise)
}

/// Channels, width and groups of bottlenecks.
pub(super) const BOTTLENECKS: [(usize, usize, usize); 4] =
    [(32, 16, 1), (24, 40, 1), (64, 32, 32), (48, 24, 8)];

/// A bottleneck whose gate follows from what its last convolution reads.
pub(super) fn bottleneck(
    channels: usize,
    width: usize,
    groups: usize,
    random: &mut Random,
) -> Case {
    let paper = [linear(channels, 7), RELU, linear(7, channels), SIGMOID];
    bottleneck_gated_by(&paper, [channels, width, groups], random)
}

fn bottleneck_gated_by(
    excitation: &[Operation],
    [channels, width, groups]: [usize; 3],
    random: &mut Random,
) -> Case {
    let size = [11, 9];
    let mut growing = Growing::new(channels, size);
    let mut y = Value::INPUT;
    for (side, outputs, groups) in [(1, width, 1), (3, width, groups), (1, channels, 1)] {
        let conv = Conv {
            in_channels: growing.shape(y).channels,
            out_channels: outputs,
            groups,
            window: Window::square(side, 1, Padding::Same),
            bias: false,
            standardization: None,
        };
        y = growing.add(Operation::Conv(conv), &[y]).unwrap();
        y = growing.add(batch_norm(outputs, random), &[y]).unwrap();
        if outputs == width {
            y = growing.add(RELU, &[y]).unwrap();
        }
    }
    let y = growing.gate_by(y, excitation);
    let y = growing.add(Operation::Add, &[y, Value::INPUT]).unwrap();
    growing.add(RELU, &[y]);
    let name = format!(
        "bottleneck of {channels} channels, {width} wide, {groups} groups, gated by {excitation:?}"
    );
    Case::new(name, growing.finish(), 3, size, random)
}

#[test]
fn a_bottleneck_takes_no_step_of_its_own_for_its_gate() {
    let mut random = Random(5);
    for (channels, width, groups) in BOTTLENECKS {
        let mut cases = vec![bottleneck(channels, width, groups, &mut random)];
        for _ in 0..6 {
            let excitation = excitation(channels, &mut random);
            let widths = [channels, width, groups];
            cases.push(bottleneck_gated_by(&excitation, widths, &mut random));
        }
        for case in cases {
            let plan = plan(&case, Options::default());
            assert!(!has_pass(&plan), "{}", case.name);
            case.check();
        }
    }
}

/// An inverted bottleneck of `width` channels to `outputs`, on an image of `size`, whose gate is known
/// only when the map is complete.
fn inverted_bottleneck(
    [width, outputs]: [usize; 2],
    size: [usize; 2],
    activation: Activation,
    random: &mut Random,
) -> Case {
    let mut growing = Growing::new(width, size);
    let mut y = growing
        .add(depthwise(width, 1, random), &[Value::INPUT])
        .unwrap();
    y = growing.add(batch_norm(width, random), &[y]).unwrap();
    y = growing
        .add(Operation::Activation(activation), &[y])
        .unwrap();
    y = growing.any_gate_by_block(y, random);
    let project = Conv {
        in_channels: width,
        out_channels: outputs,
        groups: 1,
        window: Window::square(1, 1, Padding::Same),
        bias: false,
        standardization: None,
    };
    y = growing.add(Operation::Conv(project), &[y]).unwrap();
    y = growing.add(batch_norm(outputs, random), &[y]).unwrap();
    if outputs == width && random.of(&[true, false]) {
        y = growing.add(Operation::Add, &[y, Value::INPUT]).unwrap();
    }
    if random.of(&[true, false]) {
        growing.add(RELU, &[y]);
    }
    let name = format!("{width} to {outputs} channels, {size:?}, {activation:?}");
    Case::new(name, growing.finish(), random.within(1, 3), size, random)
}

#[test]
fn a_gate_after_an_activation_takes_a_step_of_its_own_only_where_weights_are_many() {
    let mut random = Random(13);
    for widths in [[48, 24], [40, 40], [96, 50], [33, 70]] {
        for size in [[9, 7], [5, 5], [13, 6], [1, 1]] {
            for activation in [Activation::Relu, Activation::Silu] {
                let case = inverted_bottleneck(widths, size, activation, &mut random);
                let plan = plan(&case, Options::default());
                let many = widths[1].next_multiple_of(BLOCK) > size[0] * size[1];
                assert_eq!(has_pass(&plan), many, "{}: {plan:?}", case.name);
                case.check();
            }
        }
    }
}

/// A map of `channels` whose gate is known when it is complete: what is multiplied, and the product.
fn late_gate(channels: usize, size: [usize; 2], random: &mut Random) -> (Growing, [Value; 2]) {
    let mut growing = Growing::new(channels, size);
    let conv = depthwise(channels, 1, random);
    let y = growing.add(conv, &[Value::INPUT]).unwrap();
    let y = growing.add(RELU, &[y]).unwrap();
    let paper = [linear(channels, 7), RELU, linear(7, channels), SIGMOID];
    let gated = growing.gate_by(y, &paper);
    (growing, [y, gated])
}

/// Several panels, several segments of channels the last of which is no whole block, more images
/// than a panel has blocks, and threads that share images and blocks unevenly.
#[test]
fn many_gated_weights_of_many_images_are_those_of_the_formula() {
    let mut random = Random(15);
    let (channels, size) = (331, [10, 9]);
    let (mut growing, [_, gated]) = late_gate(channels, size, &mut random);
    growing.add(pointwise(channels, 75), &[gated]).unwrap();
    let case = Case::new("many gated weights", growing.finish(), 8, size, &mut random);
    let plan = plan(&case, Options::default());
    assert!(!has_pass(&plan), "{plan:?}");
    let expected = super::plain::compute(&case);
    for isa in Isa::available() {
        let computed = [1, 2, 7].map(|threads| {
            let backend = Backend::Engine(Options {
                threads: Some(threads),
                isa: Some(isa),
                ..Options::default()
            });
            let found = backend.compute(&case);
            case.compare(&backend, &found, &expected);
            found.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        });
        assert!(computed.iter().all(|each| *each == computed[0]), "{isa}");
    }
}

/// Else the bits of a result would follow from the images beside it.
#[test]
fn one_image_and_many_gate_the_same_weights() {
    let mut random = Random(16);
    let mut passes = [0, 0];
    for outputs in [16, 40, 48, 49, 64, 65] {
        let size = [8, 8];
        let (mut growing, [_, gated]) = late_gate(40, size, &mut random);
        growing.add(pointwise(40, outputs), &[gated]).unwrap();
        let layers = growing.finish();
        let [one, many] = [1, 8].map(|batch| {
            let case = Case::new("a gate", layers.clone(), batch, size, &mut random);
            has_pass(&plan(&case, Options::default()))
        });
        assert_eq!(one, many, "{outputs} channels");
        passes[usize::from(one)] += 1;
    }
    assert_eq!(passes, [5, 1], "both are chosen");
}

/// Nobody would write the product that somebody else reads, or the map would be gone.
#[test]
fn a_gated_map_that_others_read_too_is_multiplied() {
    let mut random = Random(17);
    let (channels, size) = (48, [9, 8]);
    for others in [
        "another convolution",
        "a mean",
        "a sum",
        "the caller",
        "a sum with what is not gated",
        "a convolution of what is not gated",
        "a convolution of 3x3",
        "a convolution of groups",
    ] {
        let (mut growing, [y, gated]) = late_gate(channels, size, &mut random);
        let project = pointwise(channels, channels);
        let of = |side, groups| {
            Operation::Conv(Conv {
                in_channels: channels,
                out_channels: channels,
                groups,
                window: Window::square(side, 1, Padding::Same),
                bias: true,
                standardization: None,
            })
        };
        match others {
            "another convolution" => {
                growing.add(project, &[gated]).unwrap();
                growing.add(pointwise(channels, 24), &[gated]).unwrap();
            }
            "a mean" => {
                growing.add(project, &[gated]).unwrap();
                let mean = Operation::GlobalAveragePool;
                growing.add(mean, &[gated]).unwrap();
            }
            "a sum" => {
                let z = growing.add(project, &[gated]).unwrap();
                growing.add(Operation::Add, &[z, gated]).unwrap();
            }
            "the caller" => {}
            "a sum with what is not gated" => {
                let z = growing.add(project, &[gated]).unwrap();
                growing.add(Operation::Add, &[z, y]).unwrap();
            }
            "a convolution of what is not gated" => {
                growing.add(project, &[gated]).unwrap();
                growing.add(project, &[y]).unwrap();
            }
            "a convolution of 3x3" => {
                growing.add(of(3, 1), &[gated]).unwrap();
            }
            "a convolution of groups" => {
                growing.add(of(1, 3), &[gated]).unwrap();
            }
            _ => unreachable!("every case is above"),
        }
        let name = format!("a gated map that is read by {others}");
        let case = Case::new(name, growing.finish(), 2, size, &mut random);
        let plan = plan(&case, Options::default());
        assert!(has_pass(&plan), "{}: {plan:?}", case.name);
        case.check();
    }
}
