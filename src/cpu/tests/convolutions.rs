//! Convolutions of any geometry, alone and with what is done to their output before it is stored.

use std::collections::HashMap;

use super::{Case, Options, Random, Wiring};
use crate::cpu::{Algorithm, WinogradTile};
use crate::network::geometry::{Padding, Rounding, Window};
use crate::network::operation::{Conv, Standardization};
use crate::network::{Activation, Operation, Value};

/// A convolution of any kernel, stride, padding, groups and channels.
pub(super) fn any(random: &mut Random) -> Conv {
    let kernel = if random.of(&[true, true, false]) {
        [random.of(&[1, 3, 3, 5, 7]); 2]
    } else {
        [random.within(1, 7), random.within(1, 7)]
    };
    let groups = random.of(&[1, 1, 1, 2, 3, 4, 8]);
    let share = random.of(&[1, 2, 3, 4, 5, 8, 12, 16, 20, 24, 32, 56]);
    let outputs = random.of(&[1, 2, 4, 5, 8, 12, 16, 24, 32, 40, 56]);
    let padding = match random.within(0, 4) {
        0 => Padding::VALID,
        1 => Padding::Same,
        2 => Padding::Symmetric(kernel.map(|side| side / 2)),
        3 => Padding::Explicit([(); 2].map(|()| [(); 2].map(|()| random.within(0, 3)))),
        _ => Padding::Symmetric([random.within(0, 3), random.within(0, 3)]),
    };
    Conv {
        in_channels: groups * share,
        out_channels: groups * outputs,
        groups,
        window: Window {
            kernel,
            stride: either(random, &[1, 1, 2, 3]),
            dilation: either(random, &[1, 1, 1, 2, 3]),
            padding,
            rounding: Rounding::Floor,
        },
        bias: random.of(&[true, false]),
        standardization: standardization(random),
    }
}

/// A stride or dilation, of rows and columns; mostly the same.
fn either(random: &mut Random, sides: &[usize]) -> [usize; 2] {
    match random.within(0, 3) {
        0 => [random.of(sides), random.of(sides)],
        _ => [random.of(sides); 2],
    }
}

/// Mostly none.
fn standardization(random: &mut Random) -> Option<Standardization> {
    (random.within(0, 3) == 0).then(|| Standardization {
        epsilon: random.of(&[1e-5, 1e-6]),
        scale: random.of(&[1., 1.7]),
        gain: random.of(&[true, false]),
    })
}

/// One of 3x3 and stride 1 with channels enough for Winograd's tiles.
pub(super) fn tiled(random: &mut Random) -> Conv {
    let (groups, channels) = if random.of(&[true, true, false]) {
        (1, [16, 17, 24, 32, 48])
    } else {
        (2, [64, 64, 72, 80, 104])
    };
    let padding = match random.within(0, 2) {
        0 => Padding::VALID,
        1 => Padding::Same,
        _ => Padding::Symmetric([random.within(0, 2), random.within(0, 2)]),
    };
    Conv {
        in_channels: groups * random.of(&channels),
        out_channels: groups * random.of(&channels),
        groups,
        window: Window::square(3, 1, padding),
        bias: random.of(&[true, false]),
        standardization: None,
    }
}

/// One of 3x3 whose groups are narrower than a block of channels.
pub(super) fn small_group(random: &mut Random) -> Conv {
    let share = random.of(&[1, 2, 4, 8]);
    let outputs = share * random.of(&[1, 1, 2]);
    let groups = random.within(2, 40 / share);
    Conv {
        in_channels: groups * share,
        out_channels: groups * outputs.min(8),
        groups,
        window: Window {
            padding: random.of(&[Padding::VALID, Padding::Same, Padding::Symmetric([1, 2])]),
            ..Window::square(3, random.within(1, 2), Padding::VALID)
        },
        bias: random.of(&[true, false]),
        standardization: None,
    }
}

/// A depthwise one of any kernel, strides, dilation and padding.
pub(super) fn depthwise(random: &mut Random) -> Conv {
    let square = |side| [side; 2];
    let kernel = match random.within(0, 4) {
        0..=2 => square(random.of(&[3, 5, 7])),
        3 => square(random.of(&[1, 2, 9, 11])),
        _ => [random.within(1, 7), random.within(1, 7)],
    };
    let stride = match random.within(0, 6) {
        0..=4 => square(random.of(&[1, 1, 2])),
        5 => square(3),
        _ => [random.within(1, 3), random.within(1, 3)],
    };
    let dilation = either(random, &[1, 1, 1, 2, 3]);
    let padding = match random.within(0, 3) {
        0 => Padding::VALID,
        1 => Padding::Same,
        2 => Padding::Symmetric(kernel.map(|side| side / 2)),
        _ => Padding::Explicit([
            [random.within(0, 3), random.within(0, 3)],
            [random.within(0, 3), random.within(0, 3)],
        ]),
    };
    // Channels that fill their last block and some that do not.
    let channels = random.of(&[2, 3, 8, 16, 24, 40, 48, 72]);
    Conv {
        in_channels: channels,
        out_channels: channels,
        groups: channels,
        window: Window {
            kernel,
            stride,
            dilation,
            padding,
            rounding: Rounding::Floor,
        },
        bias: random.of(&[true, false]),
        standardization: None,
    }
}

/// The convolution of the input, or of its negative's negative, so that its input is no plane;
/// perhaps once more with other numbers and added, and a rectifier.
fn case(name: String, conv: Conv, size: [usize; 2], random: &mut Random) -> Case {
    let mut net = Wiring::default();
    let negative = Operation::Multiply { factor: -1. };
    let mut x = Value::INPUT;
    if random.of(&[true, false]) {
        x = net.push("negative", negative, &[x]);
        x = net.push("again", negative, &[x]);
    }
    let mut y = net.push("conv", Operation::Conv(conv), &[x]);
    if random.of(&[true, false]) {
        let other = net.push("other", Operation::Conv(conv), &[x]);
        y = net.push("add", Operation::Add, &[other, y]);
    }
    if random.of(&[true, false]) {
        net.push("relu", Operation::Activation(Activation::Relu), &[y]);
    }
    let batch = random.within(1, 3);
    Case::new(name, net.layers(conv.in_channels), batch, size, random)
}

/// How many cases each algorithm has computed.
fn algorithms(cases: &[Case]) -> HashMap<Algorithm, usize> {
    let mut counts = HashMap::new();
    for case in cases {
        let plan = super::plan(case, Options::default());
        for step in plan.steps {
            *counts.entry(step.algorithm).or_default() += 1;
        }
    }
    counts
}

/// The next case of a kind, on an image from `first` to `last` pixels high.
pub(super) fn next(
    [first, last]: [usize; 2],
    conv: fn(&mut Random) -> Conv,
    random: &mut Random,
) -> Case {
    loop {
        let conv = conv(random);
        let size = [random.within(first, last), random.within(first, last + 10)];
        // A window may be larger than the image and its padding.
        if conv.window.extents(size).is_ok() {
            return case(format!("{conv:?}"), conv, size, random);
        }
    }
}

fn check(count: usize, seed: u64, sides: [usize; 2], conv: fn(&mut Random) -> Conv) -> Vec<Case> {
    let mut random = Random(seed);
    let cases = (0..count).map(|_| next(sides, conv, &mut random));
    cases.inspect(Case::check).collect()
}

#[test]
fn convolutions_of_any_geometry_are_those_of_the_formula() {
    let counts = algorithms(&check(250, 1, [7, 19], any));
    assert!(counts[&Algorithm::Direct] >= 150, "{counts:?}");
}

/// From maps of a few tiles to some that no tile divides, at both edges.
#[test]
fn convolutions_by_tiles_are_those_of_the_formula() {
    let mut cases = check(80, 2, [5, 23], tiled);
    cases.extend(check(20, 14, [5, 8], tiled));
    let counts = algorithms(&cases);
    for tile in [WinogradTile::F2x2, WinogradTile::F4x4] {
        assert!(counts[&Algorithm::Winograd(tile)] >= 20, "{counts:?}");
    }
}

#[test]
fn convolutions_of_narrow_groups_are_those_of_the_formula() {
    let counts = algorithms(&check(120, 7, [3, 23], small_group));
    assert!(counts[&Algorithm::SmallGroup] >= 100, "{counts:?}");
}

/// From maps narrower than a micro-tile to some of several.
#[test]
fn depthwise_convolutions_are_those_of_the_formula() {
    let counts = algorithms(&check(240, 13, [5, 27], depthwise));
    assert!(counts[&Algorithm::Depthwise] >= 240, "{counts:?}");
}

/// Where images may be computed as the pixels of one.
#[test]
fn convolutions_to_a_single_pixel_are_those_of_the_formula() {
    let mut random = Random(11);
    let mut cases = Vec::new();
    for kind in [any, tiled, small_group, depthwise].repeat(60) {
        let conv = kind(&mut random);
        let mut sizes = (1..=7).flat_map(|height| (1..=7).map(move |width| [height, width]));
        let single = |size: &[usize; 2]| {
            let extents = conv.window.extents(*size);
            extents.is_ok_and(|extents| extents.iter().all(|extent| extent.output == 1))
        };
        if let Some(size) = sizes.find(single) {
            cases.push(case(format!("{conv:?}"), conv, size, &mut random));
        }
    }
    cases.iter().for_each(Case::check);
    let counts = algorithms(&cases);
    assert!(counts[&Algorithm::Direct] >= 80, "{counts:?}");
    assert!(counts[&Algorithm::SmallGroup] >= 30, "{counts:?}");
}
