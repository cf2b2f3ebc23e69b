//! Every kernel's epilogue computes the same bits on every instruction set: sums here are exact, so
//! that nothing but the epilogue could round.
#![allow(unsafe_code, reason = "memory that kernels share")]

use std::array::from_fn;

use candle_core::cpu::erf::erf_f64 as erf;

use super::super::epilogue::Epilogue;
use super::super::kernels::{
    self, BLOCK, BlockView, Depthwise, Elementwise, Gemm, KOffsets, Memory, MicroTile, Output,
    OutputTransform, PixelOffsets, SmallGroup, WinogradTile,
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
            k_offsets: &KOffsets::new(vec![0], 9),
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

/// Elements that are no number, have no size or are beyond all exponents.
#[test]
fn activations_are_their_formulas_for_every_element() {
    let special = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.,
        1e-40,
        -200.,
        3e38,
        0.7,
    ];
    let clipped = |x: f32, most: f32| if x.is_nan() { x } else { x.clamp(0., most) };
    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    let formula = |activation, x: f32| match activation {
        Activation::Relu => clipped(x, f32::INFINITY),
        Activation::Relu6 => clipped(x, 6.),
        Activation::LeakyRelu { slope } => x * if x < 0. { slope as f32 } else { 1. },
        Activation::Silu => x / (1. + (-x).exp()),
        Activation::HardSwish => x * (clipped(x + 3., 6.) / 6.),
        Activation::Gelu => {
            let x = f64::from(x);
            (x * (1. + erf(x / 2_f64.sqrt())) / 2.) as f32
        }
        Activation::GeluTanh => {
            let inner = (2. / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            x * (1. + inner.tanh()) / 2.
        }
        Activation::Sigmoid => 1. / (1. + (-x).exp()),
        Activation::HardSigmoid => clipped(x + 3., 6.) / 6.,
        Activation::HardSigmoidKeras2 => clipped(x * 0.2 + 0.5, 1.),
    };
    for isa in Isa::available() {
        for activation in Activation::ALL {
            let mut elements: Vec<f32> = special.repeat(BLOCK / special.len());
            let expected: Vec<f32> = elements.iter().map(|&x| formula(activation, x)).collect();
            let elementwise = Elementwise {
                source: 0,
                pixels: 1,
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
            for (found, expected) in elements.iter().zip(expected) {
                let same = found.to_bits() == expected.to_bits();
                let neither = found.is_nan() && expected.is_nan();
                assert!(
                    same || neither,
                    "{isa}, {activation:?}: {found}, not {expected}"
                );
            }
        }
    }
}
