//! Every kernel's epilogue computes the same bits on every instruction set: sums here are exact, so
//! that nothing but the epilogue could round.
#![allow(unsafe_code, reason = "memory that kernels share")]

use std::array::from_fn;

use candle_core::cpu::erf::erf_f64 as erf;

use super::super::epilogue::Epilogue;
use super::super::kernels::{
    self, BLOCK, BlockView, Depthwise, Elementwise, Gemm, KOffsets, KRun, Memory, MicroTile,
    Output, OutputTransform, PixelOffsets, SmallGroup, WinogradTile,
};
use super::{Isa, Random};
use crate::network::Activation;

/// Pixels that every kernel computes at once.
const PIXELS: usize = 2;

/// Blocks that the source, the gate, the residual, the sums and the output begin with.
const SOURCE: usize = 0;
const GATE: usize = 100;
const RESIDUAL: usize = 102;
const SUMS: usize = 104;
const OUTPUT: usize = 106;

fn view(block: usize) -> BlockView {
    BlockView {
        offset: block * BLOCK,
        block_stride: PIXELS * BLOCK,
        row_stride: PIXELS * BLOCK,
    }
}

/// Quarters from -8 to 8, of which all sums and products here are exact.
fn quarters(count: usize) -> Vec<f32> {
    let numbers = Random(12).numbers(count);
    numbers
        .iter()
        .map(|number| (number * 32.).round() / 4.)
        .collect()
}

/// The bits of a kernel's output and sums.
fn bits(kernel: impl Fn(&Memory<'_>)) -> Vec<u32> {
    let mut elements = quarters(108 * BLOCK);
    // SAFETY: one thread.
    let memory = unsafe { Memory::new(&mut elements) };
    kernel(&memory);
    let written = [OUTPUT, OUTPUT + 1, SUMS].map(|block| block * BLOCK..(block + 1) * BLOCK);
    let written = written.into_iter().flatten();
    written.map(|offset| memory.get(offset).to_bits()).collect()
}

#[test]
fn epilogues_have_the_same_bits_on_every_instruction_set() {
    let [weights, bias] = [9 * BLOCK, BLOCK].map(quarters);
    let offsets = PixelOffsets::new((0..PIXELS).map(|pixel| pixel * BLOCK));
    let micro_tiles = [MicroTile {
        pixels: PIXELS,
        source: 0,
        output: offsets.clone(),
        residual: Some(offsets),
    }];
    for activation in [None].into_iter().chain(Activation::ALL.map(Some)) {
        let output = Output {
            bias: &bias,
            epilogue: Epilogue {
                gate: Some(view(GATE)),
                residual: Some(view(RESIDUAL)),
                activation,
                channel_sums: Some(view(SUMS)),
            },
            view: view(OUTPUT),
        };
        let gemm = Gemm {
            source: SOURCE,
            pixel_stride: BLOCK,
            micro_tiles: &micro_tiles,
            k_offsets: &KOffsets::new(vec![KRun {
                offset: 0,
                length: 9,
            }]),
            weights: &weights,
            nr_blocks: 1,
            output,
            prefetch: &[],
        };
        let small_group = SmallGroup {
            source: SOURCE,
            row_stride: 4 * BLOCK,
            stride: 1,
            micro_tiles: &micro_tiles,
            lanes: &[from_fn(|lane| u32::try_from(lane).unwrap())],
            weights: &weights,
            output,
        };
        let depthwise = Depthwise {
            source: SOURCE,
            row_stride: 4 * BLOCK,
            column_stride: BLOCK,
            pixel_stride: BLOCK,
            kernel: [3, 3],
            micro_tiles: &micro_tiles,
            weights: &weights,
            output,
        };
        let output_transform = OutputTransform {
            tile: WinogradTile::F2x2,
            source: SOURCE,
            element_stride: BLOCK,
            width: PIXELS,
            rows: 1,
            output,
        };
        let elementwise = Elementwise {
            source: SOURCE,
            pixels: PIXELS,
            norm: Some([&weights, &bias]),
            product: None,
            epilogue: output.epilogue,
            output: OUTPUT * BLOCK,
        };
        let all = |isa: Isa| {
            [
                bits(|memory| kernels::gemm(isa, memory, &gemm)),
                bits(|memory| kernels::small_group(isa, memory, &small_group)),
                bits(|memory| kernels::depthwise(isa, memory, &depthwise)),
                bits(|memory| kernels::output_transform(isa, memory, &output_transform)),
                bits(|memory| kernels::elementwise(isa, memory, &elementwise)),
            ]
        };
        let mut sets = Isa::available();
        let expected = all(sets.next().unwrap());
        for isa in sets {
            assert_eq!(all(isa), expected, "{isa}, {activation:?}");
        }
    }
}

/// Elements of every sign, exponent and some of their fractions, and what is special among them.
fn elements() -> Vec<f32> {
    let special = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.,
        -0.,
        -3.,
        3.,
        6.,
        1e-40,
        3e38,
        -3e38,
    ];
    // As far apart as leaves no fraction out for long, in ranges of their own where activations bend.
    let all = (0..=u32::MAX).step_by(16_381).map(f32::from_bits);
    let bent = (0..200_000).map(|step| step as f32 * 1.1e-3 - 110.);
    let steep = (0..20_000).map(|step| step as f32 * 1e-3 - 10.5);
    let mut elements: Vec<f32> = special
        .into_iter()
        .chain(all)
        .chain(bent)
        .chain(steep)
        .collect();
    elements.resize(elements.len().next_multiple_of(BLOCK), 0.);
    elements
}

fn activated(isa: Isa, activation: Activation, mut elements: Vec<f32>) -> Vec<f32> {
    let elementwise = Elementwise {
        source: 0,
        pixels: elements.len() / BLOCK,
        norm: None,
        product: None,
        epilogue: Epilogue {
            activation: Some(activation),
            ..Epilogue::NONE
        },
        output: 0,
    };
    // SAFETY: one thread.
    kernels::elementwise(isa, &unsafe { Memory::new(&mut elements) }, &elementwise);
    elements
}

#[test]
fn activations_have_the_same_bits_on_every_instruction_set() {
    let xs = elements();
    for activation in Activation::ALL {
        let mut sets = Isa::available();
        let expected = activated(sets.next().unwrap(), activation, xs.clone());
        for isa in sets {
            let found = activated(isa, activation, xs.clone());
            for ((x, found), expected) in xs.iter().zip(found).zip(&expected) {
                let same = found.to_bits() == expected.to_bits();
                let neither = found.is_nan() && expected.is_nan();
                assert!(
                    same || neither,
                    "{isa}, {activation:?} of {x}: {found}, not {expected}"
                );
            }
        }
    }
}

/// How far a result may be off, in units in the last place of the formula's: of all elements, the
/// sigmoid is off by at most 1.9991, `SiLU` by 1.9980, GELU's approximation by 1.9865 and hard swish,
/// of three roundings and a rounded constant, by 2.4828.
fn units(activation: Activation) -> f64 {
    match activation {
        Activation::Sigmoid | Activation::Silu | Activation::GeluTanh => 2.,
        // Rounded once, from double precision.
        Activation::Gelu => 0.5001,
        Activation::HardSwish => 2.5,
        Activation::Relu
        | Activation::Relu6
        | Activation::LeakyRelu { .. }
        | Activation::HardSigmoid
        | Activation::HardSigmoidKeras2 => 0.,
    }
}

/// In double precision, or in single where the formula's own roundings are to be met.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
fn formula(activation: Activation, x: f32) -> f64 {
    let clipped = |x: f32, most: f32| if x.is_nan() { x } else { x.clamp(0., most) };
    let wide = f64::from(x);
    match activation {
        Activation::Relu => clipped(x, f32::INFINITY).into(),
        Activation::Relu6 => clipped(x, 6.).into(),
        Activation::LeakyRelu { slope } => (x * if x < 0. { slope as f32 } else { 1. }).into(),
        Activation::Silu => wide / (1. + (-wide).exp()),
        Activation::HardSwish if x.is_nan() => wide,
        Activation::HardSwish => wide * ((wide + 3.).clamp(0., 6.) / 6.),
        Activation::Gelu => wide * (1. + erf(wide / 2_f64.sqrt())) / 2.,
        Activation::GeluTanh => {
            // (1 + tanh(y)) / 2 = 1 / (1 + exp(-2 y)).
            let inner = (2. / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
            wide / (1. + (-2. * inner).exp())
        }
        Activation::Sigmoid => 1. / (1. + (-wide).exp()),
        Activation::HardSigmoid => (clipped(x + 3., 6.) / 6.).into(),
        Activation::HardSigmoidKeras2 => clipped(x * 0.2 + 0.5, 1.).into(),
    }
}

#[test]
fn activations_are_within_a_few_units_of_their_formulas() {
    let isa = Isa::available().next().unwrap();
    let xs = elements();
    for activation in Activation::ALL {
        for (x, found) in xs.iter().zip(activated(isa, activation, xs.clone())) {
            let expected = formula(activation, *x);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a formula's result, rounded"
            )]
            let rounded = expected as f32;
            let name = format!("{activation:?} of {x}: {found}, not {expected}");
            let same = found.to_bits() == rounded.to_bits();
            if rounded.is_nan() || rounded.is_infinite() {
                let neither = found.is_nan() && rounded.is_nan();
                assert!(neither || same, "{name}");
                continue;
            }
            if rounded == 0. {
                assert!(same || denormal(found), "{name}");
                continue;
            }
            // A denormal's unit is that of the least normal number.
            let magnitude = rounded.abs().max(f32::MIN_POSITIVE);
            let unit = f64::from(magnitude.next_up()) - f64::from(magnitude);
            let off = (f64::from(found) - expected).abs() / unit;
            assert!(off <= units(activation), "{name}, off by {off}");
        }
    }
}

/// Whether a number is none, or one that has lost digits.
fn denormal(number: f32) -> bool {
    number.abs() < f32::MIN_POSITIVE
}
