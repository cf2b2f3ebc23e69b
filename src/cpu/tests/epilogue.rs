//! Every kernel's epilogue computes the same bits on every instruction set: sums here are exact, so
//! that nothing but the epilogue could round.
#![allow(unsafe_code, reason = "memory that kernels share")]

use std::array::from_fn;

use candle_core::cpu::erf::erf_f64 as erf;
use half::bf16;

use super::super::element::{Element, ElementType};
use super::super::epilogue::Epilogue;
use super::super::kernels::{
    self, BLOCK, BlockView, Depthwise, Elementwise, Gemm, KOffsets, KRun, Memory, MicroTile,
    Output, OutputTransform, PixelOffsets, Pool, Pooling, SmallGroup, VectorElement, WinogradTile,
};
use super::{Isa, Random};
use crate::network::Activation;

/// Pixels that every kernel computes at once.
const PIXELS: usize = 2;

/// Lines of 64 bytes that the source, the gate, the residual, the sums and the output begin with.
const SOURCE: usize = 0;
const GATE: usize = 100;
const RESIDUAL: usize = 102;
const SUMS: usize = 104;
const OUTPUT: usize = 106;
const END: usize = 108;

/// The first element of a line.
fn first(element_type: ElementType, line: usize) -> usize {
    line * 64 / element_type.size()
}

fn view(element_type: ElementType, line: usize) -> BlockView {
    BlockView {
        offset: first(element_type, line),
        block_stride: PIXELS * BLOCK,
        row_stride: PIXELS * BLOCK,
    }
}

/// Quarters from -8 to 8, of which all sums and products here are exact, in any type of element.
fn quarters(count: usize) -> Vec<f32> {
    let numbers = Random(12).numbers(count);
    numbers
        .iter()
        .map(|number| (number * 32.).round() / 4.)
        .collect()
}

/// The bits of a kernel's output and sums, and those of numbers of these types that it finds.
fn bits<Source: Element, Stored: Element>(kernel: impl Fn(&Memory<'_>)) -> Vec<u32> {
    let mut elements = vec![0.; END * BLOCK];
    // SAFETY: one thread.
    let memory = unsafe { Memory::new(&mut elements) };
    let regions = [
        (Source::TYPE, SOURCE..GATE),
        (ElementType::F32, GATE..RESIDUAL),
        (Stored::TYPE, RESIDUAL..SUMS),
    ];
    for (element_type, lines) in regions {
        let numbers = quarters(first(element_type, lines.len()));
        memory.write(element_type, first(element_type, lines.start), &numbers);
    }
    kernel(&memory);
    let output = first(Stored::TYPE, OUTPUT);
    let output = (output..output + PIXELS * BLOCK).map(|place| memory.get::<Stored>(place));
    let sums = first(ElementType::F32, SUMS);
    let sums = (sums..sums + BLOCK).map(|place| memory.get::<f32>(place));
    output.chain(sums).map(f32::to_bits).collect()
}

#[test]
fn epilogues_have_the_same_bits_on_every_instruction_set() {
    for activation in [None].into_iter().chain(Activation::ALL.map(Some)) {
        have_the_same_bits::<f32, f32>(activation);
        have_the_same_bits::<f32, bf16>(activation);
        have_the_same_bits::<bf16, f32>(activation);
        have_the_same_bits::<bf16, bf16>(activation);
    }
}

fn have_the_same_bits<Source: VectorElement, Stored: VectorElement>(
    activation: Option<Activation>,
) {
    let [factors, bias] = [9 * BLOCK, BLOCK].map(quarters);
    let together = Source::TYPE.together();
    let weights = quarters(10 * together * BLOCK);
    let weights: Vec<Source> = weights.into_iter().map(Source::rounded).collect();
    let offsets = PixelOffsets::new((0..PIXELS).map(|pixel| pixel * BLOCK));
    let micro_tiles = [MicroTile {
        pixels: PIXELS,
        source: 0,
        output: offsets.clone(),
        residual: Some(offsets),
    }];
    let output = Output {
        bias: &bias,
        epilogue: Epilogue {
            gate: Some(view(ElementType::F32, GATE)),
            residual: Some(view(Stored::TYPE, RESIDUAL)),
            activation,
            channel_sums: Some(view(ElementType::F32, SUMS)),
        },
        view: view(Stored::TYPE, OUTPUT),
        element_type: Stored::TYPE,
    };
    let gemm = Gemm {
        source: SOURCE,
        pixel_stride: BLOCK,
        micro_tiles: &micro_tiles,
        k_offsets: &KOffsets::new(vec![KRun {
            offset: 0,
            length: 9_usize.next_multiple_of(together),
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
        lanes: &[from_fn(|lane| u32::try_from(lane / together).unwrap())],
        weights: &weights,
        output,
    };
    let depthwise = Depthwise {
        source: SOURCE,
        source_type: Source::TYPE,
        row_stride: 4 * BLOCK,
        column_stride: BLOCK,
        pixel_stride: BLOCK,
        kernel: [3, 3],
        micro_tiles: &micro_tiles,
        weights: &factors,
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
        norm: Some([&factors, &bias]),
        product: None,
        epilogue: output.epilogue,
        output: first(Stored::TYPE, OUTPUT),
        element_type: Stored::TYPE,
    };
    let all = |isa: Isa| {
        [
            bits::<Source, Stored>(|memory| kernels::gemm(isa, memory, &gemm)),
            bits::<Source, Stored>(|memory| kernels::small_group(isa, memory, &small_group)),
            bits::<Source, Stored>(|memory| kernels::depthwise(isa, memory, &depthwise)),
            bits::<f32, Stored>(|memory| {
                kernels::output_transform(isa, memory, &output_transform);
            }),
            bits::<Stored, Stored>(|memory| kernels::elementwise(isa, memory, &elementwise)),
        ]
    };
    let mut sets = Isa::available();
    let expected = all(sets.next().unwrap());
    for isa in sets {
        let types = [Source::TYPE, Stored::TYPE];
        assert_eq!(all(isa), expected, "{isa}, {activation:?}, {types:?}");
    }
}

/// What is halfway between two elements, and beside it, infinite or none: in bf16 all have the same
/// bits on every instruction set.
#[test]
fn numbers_are_rounded_alike_on_every_instruction_set() {
    let mut sets = Isa::available();
    let isa = sets.next().unwrap();
    let halfway = (0..=u32::from(u16::MAX)).map(|upper| f32::from_bits(upper << 16 | 0x8000));
    let halfway: Vec<f32> = halfway.collect();
    let all = || elements().into_iter().chain(halfway.iter().copied());
    let rounded = |isa: Isa| {
        let mut xs = elements();
        xs.extend(&halfway);
        let count = xs.len();
        xs.extend(vec![0.; count / 2]);
        // SAFETY: one thread.
        let memory = unsafe { Memory::new(&mut xs) };
        let columns: Vec<[usize; 2]> = (0..count / BLOCK).map(|pixel| [pixel, pixel + 1]).collect();
        let pool = Pool {
            pooling: Pooling::Max,
            source_type: ElementType::F32,
            source: 0,
            row_stride: 0,
            rows: 1,
            factors: &[],
            columns: &columns,
            row_taps: &[],
            column_taps: &[],
            output_type: ElementType::Bf16,
            output: 2 * count,
            channel_sums: None,
        };
        kernels::pool(isa, &memory, &pool);
        // SAFETY: nobody writes any more.
        let stored = unsafe { memory.elements::<bf16>(2 * count, count) };
        stored.to_vec()
    };
    let expected = rounded(isa);
    for (x, stored) in all().zip(&expected) {
        let error = (f64::from(stored.to_f32()) - f64::from(x)).abs();
        // Half of the last of 8 digits; what is too small to be normal is zero, and what is larger than
        // all elements infinite.
        let half = f64::from(x.abs()) / 256.;
        let near = error <= half || x.abs() < f32::MIN_POSITIVE && stored.to_f32() == 0.;
        let beyond = stored.is_infinite() && x.abs() > bf16::MAX.to_f32();
        assert!(
            near || beyond || x.is_nan() && stored.is_nan(),
            "{x}: {stored}"
        );
    }
    for isa in sets {
        for (x, (found, expected)) in all().zip(rounded(isa).iter().zip(&expected)) {
            let neither = found.is_nan() && expected.is_nan();
            let same = found.to_bits() == expected.to_bits();
            assert!(same || neither, "{isa}, {x}: {found}, not {expected}");
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
        element_type: ElementType::F32,
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
