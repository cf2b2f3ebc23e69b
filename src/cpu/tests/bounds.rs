//! Kernels refuse what would take them outside of their memory, before they touch any of it.
#![allow(unsafe_code, reason = "memory that kernels share")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::kernels::{
    self, BLOCK, BlockView, Elementwise, Epilogue, Gemm, InputTransform, KOffsets, MAX_MR,
    MAX_NR_BLOCKS, Memory, MicroTile, OutputTransform, PixelOffsets, Pool, Pooling, SmallGroup,
    WinogradTile,
};
use super::Isa;

/// Numbers of the memory.
const END: usize = 64 * BLOCK;

/// Numbers for whoever reads them beside the memory: a panel of two blocks, and one too many.
const NUMBERS: [f32; 3 * BLOCK * BLOCK] = [0.; 3 * BLOCK * BLOCK];

/// Whether a kernel computes what it is asked for.
fn computes(kernel: impl FnOnce(&Memory<'_>)) -> bool {
    let mut numbers = vec![0.; END];
    // SAFETY: one thread.
    let memory = unsafe { Memory::new(&mut numbers) };
    catch_unwind(AssertUnwindSafe(|| kernel(&memory))).is_ok()
}

/// What is wrong, and how to make it so.
type Wrong<T> = (&'static str, fn(&mut T));

/// Asks every kernel of a kind for what is right, and for each wrong thing.
fn check<T>(wrong: &[Wrong<T>], good: impl Fn() -> T, compute: fn(Isa, &Memory<'_>, &T)) {
    for isa in Isa::available() {
        assert!(computes(|memory| compute(isa, memory, &good())), "{isa}");
        for (name, change) in wrong {
            let mut asked = good();
            change(&mut asked);
            let computed = computes(|memory| compute(isa, memory, &asked));
            assert!(!computed, "{isa} computes with a wrong {name}");
        }
    }
}

/// A line of two micro-tiles of two pixels each, the last of which ends with the memory wherever
/// something is wrong: a check of the first micro-tile alone would let it pass.
struct MTile {
    micro_tiles: Vec<MicroTile>,
    source: usize,
    step: usize,
    row: usize,
    stride: usize,
    runs: KOffsets,
    lanes: Vec<[u32; BLOCK]>,
    weights: &'static [f32],
    blocks: usize,
    epilogue: Epilogue<'static>,
}

/// Pixels of a line's micro-tiles.
const ROWS: usize = 2;

/// A product of 16 numbers a pixel, or a convolution of groups of one channel.
fn line() -> MTile {
    let micro_tile = |first: usize| {
        let pixels = first..first + ROWS;
        let offsets = PixelOffsets::new(pixels.map(|pixel| pixel * BLOCK));
        MicroTile {
            pixels: ROWS,
            source: first * BLOCK,
            output: offsets.clone(),
            residual: Some(offsets),
        }
    };
    let place = |start| BlockView {
        offset: start,
        block_stride: 2 * ROWS * BLOCK,
    };
    MTile {
        micro_tiles: vec![micro_tile(0), micro_tile(ROWS)],
        source: 0,
        step: BLOCK,
        row: 6 * BLOCK,
        stride: 1,
        runs: KOffsets::new(vec![0], BLOCK),
        lanes: vec![std::array::from_fn(|lane| u32::try_from(lane).unwrap())],
        weights: &NUMBERS[..2 * BLOCK * BLOCK],
        blocks: 2,
        epilogue: Epilogue {
            bias: &NUMBERS[..2 * BLOCK],
            gate: Some(20 * BLOCK),
            residual: Some(place(24 * BLOCK)),
            relu: true,
            output: place(32 * BLOCK),
            sums: Some(40 * BLOCK),
        },
    }
}

/// Of one block.
fn narrow_line() -> MTile {
    MTile {
        weights: &NUMBERS[..9 * BLOCK],
        blocks: 1,
        epilogue: Epilogue {
            bias: &NUMBERS[..BLOCK],
            ..line().epilogue
        },
        ..line()
    }
}

fn gemm(isa: Isa, memory: &Memory<'_>, line: &MTile) {
    let gemm = Gemm {
        source: line.source,
        pixel_stride: line.step,
        micro_tiles: &line.micro_tiles,
        k_offsets: &line.runs,
        weights: line.weights,
        nr_blocks: line.blocks,
        prefetch: &[],
        epilogue: line.epilogue,
    };
    kernels::gemm(isa, memory, &gemm);
}

fn small_group(isa: Isa, memory: &Memory<'_>, line: &MTile) {
    let small_group = SmallGroup {
        source: line.source,
        row_stride: line.row,
        stride: line.stride,
        micro_tiles: &line.micro_tiles,
        lanes: &line.lanes,
        weights: line.weights,
        epilogue: line.epilogue,
    };
    kernels::small_group(isa, memory, &small_group);
}

/// Fewer pixels than the micro-tiles have.
fn one_pixel() -> PixelOffsets {
    PixelOffsets::new([0].into_iter())
}

/// What products and narrow groups have in common.
const OF_SPOTS: [Wrong<MTile>; 14] = [
    ("first spot's source", |line| {
        line.micro_tiles[0].source = END
    }),
    ("last spot's source", |line| {
        line.micro_tiles[1].source = END
    }),
    ("uncountable source", |line| {
        line.micro_tiles[1].source = usize::MAX;
    }),
    ("count of pixels: none", |line| {
        line.micro_tiles[1].pixels = 0
    }),
    ("count of pixels: more than any register tile", |line| {
        line.micro_tiles[1].pixels = MAX_MR + 1;
    }),
    ("count of outputs", |line| {
        line.micro_tiles[1].output = one_pixel();
    }),
    ("count of residuals", |line| {
        line.micro_tiles[1].residual = Some(one_pixel());
    }),
    ("spot without residual", |line| {
        line.micro_tiles[1].residual = None;
    }),
    ("residual", |line| {
        if let Some(place) = &mut line.epilogue.residual {
            place.offset = END - (2 * ROWS * line.blocks * BLOCK) + 1;
        }
    }),
    ("output", |line| {
        line.epilogue.output.offset = END - (2 * ROWS * line.blocks * BLOCK) + 1;
    }),
    ("gate", |line| {
        line.epilogue.gate = Some(END - line.blocks * BLOCK + 1);
    }),
    ("sums", |line| {
        line.epilogue.sums = Some(END - line.blocks * BLOCK + 1);
    }),
    ("count of biases", |line| {
        line.epilogue.bias = &line.epilogue.bias[1..];
    }),
    ("count of weights", |line| line.weights = &line.weights[1..]),
];

#[test]
fn a_product_that_reaches_outside_is_refused() {
    check(&OF_SPOTS, line, gemm);
    let wrong: [Wrong<MTile>; 8] = [
        ("source", |line| {
            line.source = END - 2 * ROWS * BLOCK + 1;
        }),
        ("step", |line| line.step = END),
        ("uncountable step", |line| line.step = usize::MAX),
        ("run", |line| line.runs = KOffsets::new(vec![END], BLOCK)),
        ("uncountable run", |line| {
            line.runs = KOffsets::new(vec![usize::MAX], BLOCK);
        }),
        ("count of blocks: none", |line| line.blocks = 0),
        ("count of blocks", |line| {
            line.blocks = MAX_NR_BLOCKS + 1;
            line.weights = &NUMBERS;
            line.epilogue.bias = &NUMBERS;
        }),
        // What an offset comes to is more than can be counted.
        ("uncountable block", |line| {
            line.epilogue.output.block_stride = usize::MAX - BLOCK;
        }),
    ];
    check(&wrong, line, gemm);
}

#[test]
fn narrow_groups_that_reach_outside_are_refused() {
    check(&OF_SPOTS, narrow_line, small_group);
    let wrong: [Wrong<MTile>; 8] = [
        ("source", |line| {
            line.source = END - (2 * 6 + 2 * ROWS + 2) * BLOCK + 1;
        }),
        ("row", |line| line.row = END / 2),
        ("uncountable row", |line| line.row = usize::MAX),
        ("stride: none", |line| line.stride = 0),
        ("stride", |line| line.stride = 3),
        ("lane", |line| line.lanes[0][15] = 16),
        ("lane of the other half", |line| line.lanes[0][15] = 0),
        ("count of lanes", |line| {
            line.lanes.push(line.lanes[0]);
        }),
    ];
    check(&wrong, narrow_line, small_group);
}

/// Whatever an instruction set's kernels are made for is as much as they are given.
#[test]
fn a_spot_of_more_pixels_than_the_registers_hold_is_refused() {
    for isa in Isa::available() {
        let of_rows = |rows: usize| {
            let mut line = line();
            let offsets = PixelOffsets::new((0..rows).map(|pixel| pixel * BLOCK));
            line.micro_tiles = vec![MicroTile {
                pixels: rows,
                source: 0,
                output: offsets.clone(),
                residual: Some(offsets),
            }];
            line
        };
        for rows in 1..=isa.max_mr() + 1 {
            let line = of_rows(rows);
            let computed = computes(|memory| gemm(isa, memory, &line));
            assert_eq!(computed, rows <= isa.max_mr(), "{isa}, {rows} pixels");
        }
    }
}

#[test]
fn a_pool_that_reaches_outside_is_refused() {
    let good = || Pool {
        pooling: Pooling::Mean,
        source: 0,
        row_stride: 4 * BLOCK,
        rows: 2,
        columns: &[[0, 2], [1, 3]],
        factors: &[0.25, 0.25],
        output: 32 * BLOCK,
        sums: Some(40 * BLOCK),
    };
    let wrong: [Wrong<Pool<'_>>; 9] = [
        ("source", |pool| pool.source = END - 7 * BLOCK + 1),
        ("row", |pool| pool.row_stride = END),
        ("uncountable row", |pool| pool.row_stride = usize::MAX),
        ("count of rows", |pool| pool.rows = END),
        ("uncountable count of rows", |pool| {
            pool.rows = usize::MAX / (4 * BLOCK) + 2;
        }),
        ("column", |pool| {
            pool.columns = &[[0, 2], [1, usize::MAX / BLOCK + 2]];
        }),
        ("count of factors", |pool| pool.factors = &[0.25]),
        ("output", |pool| pool.output = END - 2 * BLOCK + 1),
        ("sums", |pool| pool.sums = Some(END - BLOCK + 1)),
    ];
    check(&wrong, good, kernels::pool);
}

#[test]
fn a_row_that_reaches_outside_is_refused() {
    let good = || Elementwise {
        source: 0,
        pixels: 4,
        norm: Some([&NUMBERS[..BLOCK], &NUMBERS[..BLOCK]]),
        gate: Some(8 * BLOCK),
        residual: Some(16 * BLOCK),
        relu: true,
        output: 32 * BLOCK,
        sums: Some(40 * BLOCK),
    };
    let wrong: [Wrong<Elementwise<'_>>; 8] = [
        ("count of pixels", |row| row.pixels = 33),
        ("uncountable count of pixels", |row| {
            row.pixels = usize::MAX / BLOCK + 2;
        }),
        ("source", |row| row.source = END - 4 * BLOCK + 1),
        ("residual", |row| row.residual = Some(END - 4 * BLOCK + 1)),
        ("output", |row| row.output = END - 4 * BLOCK + 1),
        ("gate", |row| row.gate = Some(END - BLOCK + 1)),
        ("sums", |row| row.sums = Some(END - BLOCK + 1)),
        ("count of biases", |row| {
            row.norm = Some([&NUMBERS[..BLOCK], &NUMBERS[1..BLOCK]]);
        }),
    ];
    check(&wrong, good, kernels::elementwise);
}

#[test]
fn tiles_that_reach_outside_are_refused() {
    let good = || InputTransform {
        tile: WinogradTile::F2x2,
        source: 0,
        row_stride: 6 * BLOCK,
        tiles: 2,
        output: 24 * BLOCK,
        element_stride: 2 * BLOCK,
    };
    let wrong: [Wrong<InputTransform>; 8] = [
        ("source", |tiles| tiles.source = END - 24 * BLOCK + 1),
        ("row", |tiles| tiles.row_stride = END / 3),
        ("uncountable row", |tiles| {
            tiles.row_stride = usize::MAX / 3 + 1
        }),
        ("count of tiles", |tiles| tiles.tiles = 11),
        ("uncountable count of tiles", |tiles| {
            tiles.tiles = usize::MAX / (2 * BLOCK) + 2;
        }),
        ("output", |tiles| tiles.output = END - 32 * BLOCK + 1),
        ("step", |tiles| tiles.element_stride = END / 15),
        ("uncountable step", |tiles| {
            tiles.element_stride = usize::MAX / 15 + 1;
        }),
    ];
    check(&wrong, good, kernels::input_transform);
}

#[test]
fn tiles_whose_outputs_reach_outside_are_refused() {
    let good = || OutputTransform {
        tile: WinogradTile::F2x2,
        source: 0,
        element_stride: 2 * BLOCK,
        width: 4,
        rows: 2,
        bias: &NUMBERS[..BLOCK],
        gate: Some(32 * BLOCK),
        residual: Some([40 * BLOCK, 4 * BLOCK]),
        relu: true,
        output: [48 * BLOCK, 4 * BLOCK],
        sums: Some(56 * BLOCK),
    };
    let wrong: [Wrong<OutputTransform<'_>>; 15] = [
        ("source", |tiles| tiles.source = END - 32 * BLOCK + 1),
        ("step", |tiles| tiles.element_stride = END / 15),
        ("uncountable step", |tiles| {
            tiles.element_stride = usize::MAX / 15 + 1;
        }),
        ("width: none", |tiles| tiles.width = 0),
        ("width", |tiles| tiles.width = 13),
        ("uncountable width", |tiles| {
            tiles.width = usize::MAX / BLOCK + 2;
        }),
        ("count of rows: none", |tiles| tiles.rows = 0),
        ("count of rows", |tiles| tiles.rows = 3),
        ("count of biases", |tiles| tiles.bias = &NUMBERS[1..BLOCK]),
        ("gate", |tiles| tiles.gate = Some(END - BLOCK + 1)),
        ("sums", |tiles| tiles.sums = Some(END - BLOCK + 1)),
        ("residual", |tiles| {
            tiles.residual = Some([END - 8 * BLOCK + 1, 4 * BLOCK]);
        }),
        ("output", |tiles| {
            tiles.output = [END - 8 * BLOCK + 1, 4 * BLOCK];
        }),
        ("output's step", |tiles| tiles.output[1] = END),
        ("uncountable output's step", |tiles| {
            tiles.output[1] = usize::MAX;
        }),
    ];
    check(&wrong, good, kernels::output_transform);
}
