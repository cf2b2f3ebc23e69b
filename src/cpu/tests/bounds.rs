//! Kernels refuse what would take them outside of their memory, before they touch any of it.
#![allow(unsafe_code, reason = "memory that kernels share")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::element::ElementType;
use super::super::epilogue::Epilogue;
use super::super::kernels::{
    self, BLOCK, BlockView, Depthwise, Elementwise, Gemm, InputTransform, KOffsets, KRun, MAX_MR,
    MAX_NR_BLOCKS, Memory, MicroTile, Output, OutputTransform, PixelOffsets, Pool, Pooling,
    ScaledRows, SmallGroup, WinogradTile,
};
use super::Isa;
use crate::network::Activation;

/// Elements of the memory.
const END: usize = 64 * BLOCK;

/// Elements for whoever reads them beside the memory: a panel of two blocks, and one too many.
const ELEMENTS: [f32; 3 * BLOCK * BLOCK] = [0.; 3 * BLOCK * BLOCK];

/// Whether a kernel computes what it is asked for.
fn computes(kernel: impl FnOnce(&Memory<'_>)) -> bool {
    let mut elements = vec![0.; END];
    // SAFETY: one thread.
    let memory = unsafe { Memory::new(&mut elements) };
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

/// An M-tile of two micro-tiles of two pixels each, the last of which ends with the memory wherever
/// something is wrong: a check of the first micro-tile alone would let it pass.
struct MTile {
    micro_tiles: Vec<MicroTile>,
    source: usize,
    pixel_stride: usize,
    row_stride: usize,
    column_stride: usize,
    kernel: [usize; 2],
    stride: usize,
    k_offsets: KOffsets,
    lanes: Vec<[u32; BLOCK]>,
    weights: &'static [f32],
    blocks: usize,
    output: Output<'static>,
}

/// Pixels of a micro-tile.
const PIXELS: usize = 2;

/// A GEMM of 16 elements a pixel, or a convolution of groups of one channel.
fn m_tile() -> MTile {
    let micro_tile = |first: usize| {
        let pixels = first..first + PIXELS;
        let offsets = PixelOffsets::new(pixels.map(|pixel| pixel * BLOCK));
        MicroTile {
            pixels: PIXELS,
            source: first * BLOCK,
            output: offsets.clone(),
            residual: Some(offsets),
        }
    };
    let view = |offset, block_stride| BlockView {
        offset,
        block_stride,
        row_stride: 0,
    };
    let pixels = 2 * PIXELS * BLOCK;
    MTile {
        micro_tiles: vec![micro_tile(0), micro_tile(PIXELS)],
        source: 0,
        pixel_stride: BLOCK,
        row_stride: 6 * BLOCK,
        column_stride: BLOCK,
        kernel: [3, 3],
        stride: 1,
        k_offsets: k_offsets(0),
        lanes: vec![std::array::from_fn(|lane| u32::try_from(lane).unwrap())],
        weights: &ELEMENTS[..2 * BLOCK * BLOCK],
        blocks: 2,
        output: Output {
            bias: &ELEMENTS[..2 * BLOCK],
            epilogue: Epilogue {
                gate: Some(view(20 * BLOCK, BLOCK)),
                residual: Some(view(24 * BLOCK, pixels)),
                activation: Some(Activation::Relu),
                channel_sums: Some(view(40 * BLOCK, BLOCK)),
            },
            view: view(32 * BLOCK, pixels),
            element_type: ElementType::F32,
        },
    }
}

/// Of one block.
fn m_tile_of_small_groups() -> MTile {
    MTile {
        weights: &ELEMENTS[..9 * BLOCK],
        blocks: 1,
        output: Output {
            bias: &ELEMENTS[..BLOCK],
            ..m_tile().output
        },
        ..m_tile()
    }
}

/// Blocks, and rows, of four pixels.
fn view(offset: usize) -> BlockView {
    BlockView {
        offset,
        block_stride: 4 * BLOCK,
        row_stride: 4 * BLOCK,
    }
}

/// Gate, residual and sums at these blocks.
fn epilogue([gate, residual, channel_sums]: [usize; 3]) -> Epilogue<BlockView> {
    Epilogue {
        gate: Some(view(gate * BLOCK)),
        residual: Some(view(residual * BLOCK)),
        activation: Some(Activation::Relu),
        channel_sums: Some(view(channel_sums * BLOCK)),
    }
}

fn gemm(isa: Isa, memory: &Memory<'_>, m_tile: &MTile) {
    let gemm = Gemm {
        source: m_tile.source,
        pixel_stride: m_tile.pixel_stride,
        micro_tiles: &m_tile.micro_tiles,
        k_offsets: &m_tile.k_offsets,
        weights: m_tile.weights,
        nr_blocks: m_tile.blocks,
        prefetch: &[],
        output: m_tile.output,
    };
    kernels::gemm(isa, memory, &gemm);
}

fn small_group(isa: Isa, memory: &Memory<'_>, m_tile: &MTile) {
    let small_group = SmallGroup {
        source: m_tile.source,
        row_stride: m_tile.row_stride,
        stride: m_tile.stride,
        micro_tiles: &m_tile.micro_tiles,
        lanes: &m_tile.lanes,
        weights: m_tile.weights,
        output: m_tile.output,
    };
    kernels::small_group(isa, memory, &small_group);
}

/// Of 3x3, whose rows and pixels lie as those of small groups.
fn depthwise(isa: Isa, memory: &Memory<'_>, m_tile: &MTile) {
    let depthwise = Depthwise {
        source: m_tile.source,
        source_type: ElementType::F32,
        row_stride: m_tile.row_stride,
        column_stride: m_tile.column_stride,
        pixel_stride: m_tile.pixel_stride,
        kernel: m_tile.kernel,
        micro_tiles: &m_tile.micro_tiles,
        weights: m_tile.weights,
        output: m_tile.output,
    };
    kernels::depthwise(isa, memory, &depthwise);
}

/// Fewer pixels than the micro-tiles have.
fn one_pixel() -> PixelOffsets {
    PixelOffsets::new([0].into_iter())
}

/// What GEMMs and small groups have in common.
const OF_MICRO_TILES: [Wrong<MTile>; 14] = [
    ("first micro-tile's source", |m_tile| {
        m_tile.micro_tiles[0].source = END;
    }),
    ("last micro-tile's source", |m_tile| {
        m_tile.micro_tiles[1].source = END;
    }),
    ("uncountable source", |m_tile| {
        m_tile.micro_tiles[1].source = usize::MAX;
    }),
    ("count of pixels: none", |m_tile| {
        m_tile.micro_tiles[1].pixels = 0;
    }),
    ("count of pixels: more than any micro-tile has", |m_tile| {
        m_tile.micro_tiles[1].pixels = MAX_MR + 1;
    }),
    ("count of outputs", |m_tile| {
        m_tile.micro_tiles[1].output = one_pixel();
    }),
    ("count of residuals", |m_tile| {
        m_tile.micro_tiles[1].residual = Some(one_pixel());
    }),
    ("micro-tile without residual", |m_tile| {
        m_tile.micro_tiles[1].residual = None;
    }),
    ("residual", |m_tile| {
        if let Some(view) = &mut m_tile.output.epilogue.residual {
            view.offset = END - (2 * PIXELS * m_tile.blocks * BLOCK) + 1;
        }
    }),
    ("output", |m_tile| {
        m_tile.output.view.offset = END - (2 * PIXELS * m_tile.blocks * BLOCK) + 1;
    }),
    ("gate", |m_tile| {
        let view = m_tile.output.epilogue.gate.as_mut().unwrap();
        view.offset = END - m_tile.blocks * BLOCK + 1;
    }),
    ("sums", |m_tile| {
        let view = m_tile.output.epilogue.channel_sums.as_mut().unwrap();
        view.offset = END - m_tile.blocks * BLOCK + 1;
    }),
    ("count of biases", |m_tile| {
        m_tile.output.bias = &m_tile.output.bias[1..];
    }),
    ("count of weights", |m_tile| {
        m_tile.weights = &m_tile.weights[1..];
    }),
];

/// A block at an offset.
fn k_offsets(offset: usize) -> KOffsets {
    KOffsets::new(vec![KRun {
        offset,
        length: BLOCK,
    }])
}

#[test]
fn a_gemm_that_reaches_outside_is_refused() {
    check(&OF_MICRO_TILES, m_tile, gemm);
    let wrong: [Wrong<MTile>; 8] = [
        ("source", |m_tile| {
            m_tile.source = END - 2 * PIXELS * BLOCK + 1;
        }),
        ("pixel stride", |m_tile| m_tile.pixel_stride = END),
        ("uncountable pixel stride", |m_tile| {
            m_tile.pixel_stride = usize::MAX;
        }),
        ("run", |m_tile| {
            m_tile.k_offsets = k_offsets(END);
        }),
        ("uncountable run", |m_tile| {
            m_tile.k_offsets = k_offsets(usize::MAX);
        }),
        ("count of blocks: none", |m_tile| m_tile.blocks = 0),
        ("count of blocks", |m_tile| {
            m_tile.blocks = MAX_NR_BLOCKS + 1;
            m_tile.weights = &ELEMENTS;
            m_tile.output.bias = &ELEMENTS;
        }),
        // What an offset comes to is more than can be counted.
        ("uncountable block", |m_tile| {
            m_tile.output.view.block_stride = usize::MAX - BLOCK;
        }),
    ];
    check(&wrong, m_tile, gemm);
}

#[test]
fn small_groups_that_reach_outside_are_refused() {
    check(&OF_MICRO_TILES, m_tile_of_small_groups, small_group);
    let wrong: [Wrong<MTile>; 8] = [
        ("source", |m_tile| {
            m_tile.source = END - (2 * 6 + 2 * PIXELS + 2) * BLOCK + 1;
        }),
        ("row", |m_tile| m_tile.row_stride = END / 2),
        ("uncountable row", |m_tile| m_tile.row_stride = usize::MAX),
        ("stride: none", |m_tile| m_tile.stride = 0),
        ("stride", |m_tile| m_tile.stride = 3),
        ("lane", |m_tile| m_tile.lanes[0][15] = 16),
        ("lane of the other half", |m_tile| m_tile.lanes[0][15] = 0),
        ("count of lanes", |m_tile| {
            m_tile.lanes.push(m_tile.lanes[0]);
        }),
    ];
    check(&wrong, m_tile_of_small_groups, small_group);
}

#[test]
fn depthwise_convolutions_that_reach_outside_are_refused() {
    check(&OF_MICRO_TILES, m_tile_of_small_groups, depthwise);
    let wrong: [Wrong<MTile>; 12] = [
        ("source", |m_tile| {
            m_tile.source = END - (2 * 6 + 2 * PIXELS + 2) * BLOCK + 1;
        }),
        ("row", |m_tile| m_tile.row_stride = END / 2),
        ("uncountable row", |m_tile| m_tile.row_stride = usize::MAX),
        ("column", |m_tile| m_tile.column_stride = END / 2),
        ("uncountable column", |m_tile| {
            m_tile.column_stride = usize::MAX;
        }),
        ("pixel stride", |m_tile| m_tile.pixel_stride = END),
        ("uncountable pixel stride", |m_tile| {
            m_tile.pixel_stride = usize::MAX;
        }),
        ("count of rows: none", |m_tile| m_tile.kernel = [0, 3]),
        ("count of rows", |m_tile| m_tile.kernel = [4, 3]),
        ("count of columns: none", |m_tile| m_tile.kernel = [3, 0]),
        ("count of columns", |m_tile| m_tile.kernel = [3, 4]),
        ("uncountable kernel", |m_tile| {
            m_tile.kernel = [usize::MAX, 3];
        }),
    ];
    check(&wrong, m_tile_of_small_groups, depthwise);
}

/// Whatever an instruction set's kernels are made for is as much as they are given.
#[test]
fn a_micro_tile_of_more_pixels_than_the_registers_hold_is_refused() {
    for isa in Isa::available() {
        let of_pixels = |pixels: usize| {
            let mut m_tile = m_tile();
            let offsets = PixelOffsets::new((0..pixels).map(|pixel| pixel * BLOCK));
            m_tile.micro_tiles = vec![MicroTile {
                pixels,
                source: 0,
                output: offsets.clone(),
                residual: Some(offsets),
            }];
            m_tile
        };
        for pixels in 1..=isa.max_mr() + 1 {
            let m_tile = of_pixels(pixels);
            let computed = computes(|memory| gemm(isa, memory, &m_tile));
            assert_eq!(computed, pixels <= isa.max_mr(), "{isa}, {pixels} pixels");
        }
    }
}

#[test]
fn a_pool_that_reaches_outside_is_refused() {
    let good = || Pool {
        pooling: Pooling::Mean,
        source_type: ElementType::F32,
        source: 0,
        row_stride: 4 * BLOCK,
        rows: 2,
        columns: &[[0, 2], [1, 3]],
        factors: &[0.25, 0.25],
        row_taps: &[],
        column_taps: &[],
        output_type: ElementType::F32,
        output: 32 * BLOCK,
        channel_sums: Some(40 * BLOCK),
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
        ("sums", |pool| pool.channel_sums = Some(END - BLOCK + 1)),
    ];
    check(&wrong, good, kernels::pool);

    let taps = [vec![0.5, 0.5], vec![0.25, 0.75]];
    let filter = || Pool {
        pooling: Pooling::Filter,
        factors: &[],
        row_taps: &[0.5, 0.5],
        column_taps: &taps,
        ..good()
    };
    let wrong: [Wrong<Pool<'_>>; 5] = [
        ("source", |pool| pool.source = END - 7 * BLOCK + 1),
        ("count of rows", |pool| pool.row_taps = &[0.5]),
        ("count of columns", |pool| {
            pool.column_taps = &pool.column_taps[..1];
        }),
        ("count of a column's taps", |pool| {
            pool.columns = &[[0, 2], [0, 3]];
        }),
        ("output", |pool| pool.output = END - 2 * BLOCK + 1),
    ];
    check(&wrong, filter, kernels::pool);
}

#[test]
fn a_row_that_reaches_outside_is_refused() {
    let good = || Elementwise {
        source: 0,
        pixels: 4,
        norm: Some([&ELEMENTS[..BLOCK], &ELEMENTS[..BLOCK]]),
        product: Some(4 * BLOCK),
        epilogue: epilogue([8, 16, 40]),
        output: 32 * BLOCK,
        element_type: ElementType::F32,
    };
    let wrong: [Wrong<Elementwise<'_>>; 9] = [
        ("count of pixels", |row| row.pixels = 33),
        ("uncountable count of pixels", |row| {
            row.pixels = usize::MAX / BLOCK + 2;
        }),
        ("source", |row| row.source = END - 4 * BLOCK + 1),
        ("product", |row| row.product = Some(END - 4 * BLOCK + 1)),
        ("residual", |row| {
            row.epilogue.residual = Some(view(END - 4 * BLOCK + 1));
        }),
        ("output", |row| row.output = END - 4 * BLOCK + 1),
        ("gate", |row| {
            row.epilogue.gate = Some(view(END - BLOCK + 1));
        }),
        ("sums", |row| {
            row.epilogue.channel_sums = Some(view(END - BLOCK + 1));
        }),
        ("count of biases", |row| {
            row.norm = Some([&ELEMENTS[..BLOCK], &ELEMENTS[1..BLOCK]]);
        }),
    ];
    check(&wrong, good, kernels::elementwise);
}

/// Where, from where and how many, for any of a memory's functions.
#[derive(Clone, Copy)]
struct Part {
    offset: usize,
    to: usize,
    count: usize,
}

#[test]
fn memory_outside_is_refused() {
    let good = || Part {
        offset: END - 4,
        to: END - 6,
        count: 4,
    };
    let wrong: [Wrong<Part>; 3] = [
        ("offset", |part| part.offset = END - 3),
        ("uncountable offset", |part| part.offset = usize::MAX - 1),
        ("count", |part| part.count = 5),
    ];
    check(&wrong, good, |_, memory, part| {
        memory.zero(ElementType::F32, part.offset, part.count);
    });
    check(&wrong, good, |_, memory, part| {
        memory.write(ElementType::F32, part.offset, &ELEMENTS[..part.count]);
    });
    check(&wrong, good, |_, memory, part| {
        // SAFETY: nobody writes.
        unsafe { memory.elements::<f32>(part.offset, part.count) };
    });
    check(&wrong, good, |_, memory, part| {
        let places = [part.offset, part.to].map(|place| (ElementType::F32, place));
        memory.copy(places, part.count);
    });
    check(&wrong, good, |_, memory, part| {
        let places = [part.to, part.offset].map(|place| (ElementType::F32, place));
        memory.copy(places, part.count);
    });
    let wrong: [Wrong<Part>; 2] = [
        ("offset", |part| part.offset = END),
        ("uncountable offset", |part| part.offset = usize::MAX),
    ];
    check(&wrong, good, |_, memory, part| {
        memory.set::<f32>(part.offset, 1.);
    });
    check(&wrong, good, |_, memory, part| {
        memory.get::<f32>(part.offset);
    });
}

#[test]
fn scaled_rows_that_reach_outside_are_refused() {
    let good = || ScaledRows {
        factors: 0,
        rows: &ELEMENTS[..2 * BLOCK],
        count: 2,
        output: 8 * BLOCK,
    };
    let wrong: [Wrong<ScaledRows<'_, f32>>; 6] = [
        ("factors", |rows| rows.factors = END - 1),
        ("output", |rows| rows.output = END - 2 * BLOCK + 1),
        ("count", |rows| rows.count = 3),
        ("count: none", |rows| rows.count = 0),
        ("uncountable count", |rows| {
            rows.count = usize::MAX / BLOCK + 2;
        }),
        ("part of a block", |rows| {
            rows.rows = &ELEMENTS[..2 * BLOCK - 1];
        }),
    ];
    check(&wrong, good, kernels::scaled_rows);
}

#[test]
fn tiles_that_reach_outside_are_refused() {
    let good = || InputTransform {
        tile: WinogradTile::F2x2,
        source_type: ElementType::F32,
        source: 0,
        row_stride: 6 * BLOCK,
        tiles: 2,
        output_type: ElementType::F32,
        output: 24 * BLOCK,
        element_stride: 2 * BLOCK,
    };
    let wrong: [Wrong<InputTransform>; 8] = [
        ("source", |tiles| tiles.source = END - 24 * BLOCK + 1),
        ("row", |tiles| tiles.row_stride = END / 3),
        ("uncountable row", |tiles| {
            tiles.row_stride = usize::MAX / 3 + 1;
        }),
        ("count of tiles", |tiles| tiles.tiles = 11),
        ("uncountable count of tiles", |tiles| {
            tiles.tiles = usize::MAX / (2 * BLOCK) + 2;
        }),
        ("output", |tiles| tiles.output = END - 32 * BLOCK + 1),
        ("element stride", |tiles| tiles.element_stride = END / 15),
        ("uncountable element stride", |tiles| {
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
        output: Output {
            bias: &ELEMENTS[..BLOCK],
            epilogue: epilogue([32, 40, 56]),
            view: view(48 * BLOCK),
            element_type: ElementType::F32,
        },
    };
    let wrong: [Wrong<OutputTransform<'_>>; 15] = [
        ("source", |tiles| tiles.source = END - 32 * BLOCK + 1),
        ("element stride", |tiles| tiles.element_stride = END / 15),
        ("uncountable element stride", |tiles| {
            tiles.element_stride = usize::MAX / 15 + 1;
        }),
        ("width: none", |tiles| tiles.width = 0),
        ("width", |tiles| tiles.width = 13),
        ("uncountable width", |tiles| {
            tiles.width = usize::MAX / BLOCK + 2;
        }),
        ("count of rows: none", |tiles| tiles.rows = 0),
        ("count of rows", |tiles| tiles.rows = 3),
        ("count of biases", |tiles| {
            tiles.output.bias = &ELEMENTS[1..BLOCK];
        }),
        ("gate", |tiles| {
            tiles.output.epilogue.gate = Some(view(END - BLOCK + 1));
        }),
        ("sums", |tiles| {
            tiles.output.epilogue.channel_sums = Some(view(END - BLOCK + 1));
        }),
        ("residual", |tiles| {
            tiles.output.epilogue.residual = Some(view(END - 8 * BLOCK + 1));
        }),
        ("output", |tiles| {
            tiles.output.view.offset = END - 8 * BLOCK + 1;
        }),
        ("output's row stride", |tiles| {
            tiles.output.view.row_stride = END;
        }),
        ("uncountable output's row stride", |tiles| {
            tiles.output.view.row_stride = usize::MAX;
        }),
    ];
    check(&wrong, good, kernels::output_transform);
}
