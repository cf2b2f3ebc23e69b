//! Maps and weights in bf16: what is exact in it comes out exact, kernels compute the same bits on
//! every instruction set, and networks are as near their formulas as its roundings allow.
#![allow(unsafe_code, reason = "memory that kernels share")]

use std::array::from_fn;

use half::bf16;

use super::super::element::{Element, ElementType};
use super::super::epilogue::Epilogue;
use super::super::kernels::{
    self, BLOCK, BlockView, Gemm, KOffsets, KRun, Memory, MicroTile, Output, PixelOffsets,
    SmallGroup,
};
use super::{Backend, Case, Isa, Options, Random, convolutions, expand, networks, plain};
use crate::cpu::Precision;
use crate::network::operation::Conv;

/// Every instruction set there is, in bf16, on several counts of threads.
fn backends() -> impl Iterator<Item = Backend> {
    let sets = Isa::available().zip([1, 2, 3, 2]);
    sets.map(|(isa, threads)| {
        Backend::Engine(Options {
            threads: Some(threads),
            isa: Some(isa),
            precision: Precision::Bf16,
            ..Options::default()
        })
    })
}

fn numbers(backend: Backend, case: &Case) -> Vec<f32> {
    let found = backend.compute(case);
    found.flatten_all().unwrap().to_vec1().unwrap()
}

/// Whole numbers from -2 to 2, in place of all there are: products and sums of them are exact, and so
/// is bf16 up to 256.
fn of_whole_numbers(mut case: Case) -> Case {
    let whole = |number: &mut f32| *number = (*number * 2.).round().clamp(-2., 2.);
    case.input.iter_mut().for_each(whole);
    for tensor in case.tensors.values_mut() {
        let largest = tensor.iter().fold(0_f32, |most, x| most.max(x.abs()));
        for number in tensor {
            *number /= largest.max(f32::MIN_POSITIVE);
            whole(number);
        }
    }
    case
}

/// A convolution without what would not be exact.
fn plainly(conv: fn(&mut Random) -> Conv, random: &mut Random) -> Conv {
    Conv {
        standardization: None,
        ..conv(random)
    }
}

#[test]
fn convolutions_of_whole_numbers_are_exact() {
    let kinds: [fn(&mut Random) -> Conv; 4] = [
        |random| plainly(convolutions::any, random),
        convolutions::tiled,
        convolutions::small_group,
        convolutions::depthwise,
    ];
    let mut random = Random(31);
    let mut exact = 0;
    for kind in kinds {
        for _ in 0..60 {
            let case = of_whole_numbers(convolutions::next([5, 19], kind, &mut random));
            let expected = plain::compute(&case).values;
            for backend in backends() {
                let found = numbers(backend, &case);
                assert_eq!(found.len(), expected.len(), "{}", case.name);
                for (found, expected) in found.iter().zip(&expected) {
                    let (found, size) = (f64::from(*found), expected.abs());
                    // What is larger is rounded, twice where it is added to.
                    let allowed = if size > 256. {
                        512. / 256. + size / 128.
                    } else {
                        0.
                    };
                    exact += usize::from(size <= 256.);
                    assert!(
                        (found - expected).abs() <= allowed,
                        "{} on {backend:?}: {found} is not {expected}",
                        case.name
                    );
                }
            }
        }
    }
    assert!(exact > 100_000, "{exact} numbers are exact");
}

/// The bits of a kernel's output, on memory of elements that look random.
fn bits(kernel: impl Fn(&Memory<'_>), output: usize, count: usize) -> Vec<u16> {
    let mut elements = vec![0.; output / 2 + count.div_ceil(2)];
    // SAFETY: one thread.
    let memory = unsafe { Memory::new(&mut elements) };
    memory.write(ElementType::Bf16, 0, &Random(5).numbers(output));
    kernel(&memory);
    // SAFETY: nobody writes any more.
    let stored = unsafe { memory.elements::<bf16>(output, count) };
    stored.iter().map(|element| element.to_bits()).collect()
}

#[test]
fn sums_of_products_have_the_same_bits_on_every_instruction_set() {
    let pixels = 2;
    let output = 40 * BLOCK;
    let offsets = PixelOffsets::new((0..pixels).map(|pixel| pixel * BLOCK));
    let micro_tiles = [MicroTile {
        pixels,
        source: 0,
        output: offsets.clone(),
        residual: None,
    }];
    let bias = Random(6).numbers(2 * BLOCK);
    let output_of = |element_type| Output {
        bias: &bias,
        epilogue: Epilogue::NONE,
        view: BlockView {
            offset: output,
            block_stride: pixels * BLOCK,
            row_stride: pixels * BLOCK,
        },
        element_type,
    };
    let halves = |count: usize| -> Vec<bf16> {
        let numbers = Random(7).numbers(count);
        numbers.into_iter().map(bf16::rounded).collect()
    };
    // More than are summed up in a row.
    let runs = (0..30).map(|block| KRun {
        offset: block * BLOCK,
        length: BLOCK,
    });
    let k_offsets = KOffsets::new(runs.collect());
    let weights = halves(k_offsets.k() * 2 * BLOCK);
    let gemm = Gemm {
        source: 0,
        pixel_stride: BLOCK,
        micro_tiles: &micro_tiles,
        k_offsets: &k_offsets,
        weights: &weights,
        nr_blocks: 2,
        output: output_of(ElementType::Bf16),
        prefetch: &[],
    };
    let of_groups = halves(9 * 2 * BLOCK * 2);
    let small_group = SmallGroup {
        source: 0,
        row_stride: 6 * BLOCK,
        stride: 1,
        micro_tiles: &micro_tiles,
        lanes: &[0, 1].map(|pair| from_fn(|lane| u32::try_from(lane / 4 * 2 + pair).unwrap())),
        weights: &of_groups,
        output: output_of(ElementType::Bf16),
    };
    let all = |isa: Isa| {
        [
            bits(
                |memory| kernels::gemm(isa, memory, &gemm),
                output,
                4 * BLOCK,
            ),
            bits(
                |memory| kernels::small_group(isa, memory, &small_group),
                output,
                2 * BLOCK,
            ),
        ]
    };
    let mut sets = Isa::available();
    let expected = all(sets.next().unwrap());
    for isa in sets {
        assert_eq!(all(isa), expected, "{isa}");
    }
}

/// Of numbers from their formulas, roundings of 2^-9 in a row, which mostly cancel, leave 0.009 at most
/// in these networks; what is wrong is off by as much as a number itself.
#[test]
fn networks_are_near_their_formulas() {
    let mut random = Random(32);
    let mut cases = Vec::new();
    for number in 0..150 {
        cases.push(networks::any(format!("network {number}"), &mut random));
        cases.push(expand::any([9, 40], &mut random));
    }
    let mut worst = 0_f64;
    for case in &cases {
        let expected = plain::compute(case).values;
        let norm =
            |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
        let size = norm(&mut expected.iter().copied());
        for backend in backends() {
            let found = numbers(backend, case);
            let off = found
                .iter()
                .zip(&expected)
                .map(|(found, expected)| f64::from(*found) - expected);
            let error = norm(&mut { off }) / size.max(f64::MIN_POSITIVE);
            worst = worst.max(error);
            assert!(
                error < 0.02,
                "{} on {backend:?} is off by {error}",
                case.name
            );
        }
    }
    // That it is computed in bf16 shows.
    assert!(worst > 1e-3, "{worst}");
}
