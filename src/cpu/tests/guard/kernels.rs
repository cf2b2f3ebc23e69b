//! Each kernel by itself, on arguments that just fit: each of the places that it touches lies once
//! at the end of memory and once at its beginning. All else is NaN before, so that a number read
//! from elsewhere shows, and must be the same after.

use std::array::from_fn;
use std::iter::once;

use super::super::Random;
use super::say;
use crate::cpu::Isa;
use crate::cpu::kernels::{
    self, BLOCK, BlockView, Elementwise, Epilogue, Gemm, InputTransform, KOffsets, MAX_NR_BLOCKS,
    Memory, MicroTile, OutputTransform, PixelOffsets, Pool, Pooling, SmallGroup, WinogradTile,
};

/// Numbers of memory that a kernel reads or writes.
#[derive(Debug, Clone, Copy)]
enum Place {
    In(usize),
    Out(usize),
    /// Read and written.
    Both(usize),
    /// Not there.
    None,
}

impl Place {
    fn len(self) -> usize {
        match self {
            Self::In(len) | Self::Out(len) | Self::Both(len) => len,
            Self::None => 0,
        }
    }
}

/// Runs a kernel on memory that has just these places, each of them last in turn.
fn run(isa: Isa, name: &str, places: &[Place], kernel: impl Fn(&Memory<'_>, &[usize])) {
    for last in 0..places.len() {
        if let Place::None = places[last] {
            continue;
        }
        say(isa, &format!("{name}, {places:?}, {last} last"));
        // From after the last one around to it; blocks stay aligned, as the engine has them.
        let order: Vec<usize> = (last + 1..places.len()).chain(0..=last).collect();
        let mut offsets = vec![0; places.len()];
        let mut total = 0;
        for &index in &order {
            offsets[index] = total;
            total = (total + places[index].len()).next_multiple_of(BLOCK);
        }
        offsets[last] = total - places[last].len();
        let mut content = vec![f32::NAN; total];
        let mut random = Random(9);
        for (place, &offset) in places.iter().zip(&offsets) {
            if let Place::In(len) | Place::Both(len) = *place {
                content[offset..offset + len].copy_from_slice(&random.numbers(len));
            }
        }
        let mut own = vec![0.; total];
        // SAFETY: one thread.
        let memory = unsafe { Memory::new(&mut own) };
        memory.write(0, &content);
        kernel(&memory, &offsets);
        let written = |number: &usize| {
            let mut places = places.iter().zip(&offsets);
            places.any(|(place, &offset)| {
                let inside = (offset..offset + place.len()).contains(number);
                inside && matches!(place, Place::Out(_) | Place::Both(_))
            })
        };
        for (number, before) in content.iter().enumerate() {
            let after = memory.get(number);
            if written(&number) {
                assert!(after.is_finite(), "number {number}: {after}");
            } else {
                assert_eq!(after.to_bits(), before.to_bits(), "number {number} is kept");
            }
        }
    }
}

/// What a kernel does to a sum before it stores it.
#[allow(clippy::struct_excessive_bools, reason = "each is there or not")]
#[derive(Debug, Clone, Copy)]
struct Ending {
    gate: bool,
    residual: bool,
    relu: bool,
    sums: bool,
}

const PLAIN: Ending = Ending {
    gate: false,
    residual: false,
    relu: false,
    sums: false,
};

const ENDINGS: [Ending; 4] = [
    PLAIN,
    Ending {
        gate: true,
        residual: true,
        relu: true,
        sums: true,
    },
    Ending {
        gate: true,
        sums: true,
        ..PLAIN
    },
    Ending {
        residual: true,
        relu: true,
        ..PLAIN
    },
];

impl Ending {
    /// Places of the gate, the residual, the sums and the output.
    fn places(self, channels: usize, output: usize) -> [Place; 4] {
        let there = |is: bool, place: Place| if is { place } else { Place::None };
        [
            there(self.gate, Place::In(channels)),
            there(self.residual, Place::In(output)),
            there(self.sums, Place::Out(channels)),
            Place::Out(output),
        ]
    }

    fn sums(self, offset: usize) -> Option<usize> {
        self.sums.then_some(offset)
    }

    /// The epilogue of so many pixels, block by block.
    fn epilogue<'a>(self, offsets: &[usize], pixels: usize, bias: &'a [f32]) -> Epilogue<'a> {
        let base = |start: usize| BlockView {
            offset: start,
            block_stride: pixels * BLOCK,
        };
        Epilogue {
            bias,
            gate: self.gate.then_some(offsets[0]),
            residual: self.residual.then(|| base(offsets[1])),
            relu: self.relu,
            output: base(offsets[3]),
            sums: self.sums(offsets[2]),
        }
    }

    /// Spots of so many pixels each, of which the sources are `step` apart.
    fn micro_tiles(self, rows: &[usize], step: usize) -> Vec<MicroTile> {
        let mut first = 0;
        let micro_tile = |&rows: &usize| {
            let pixels = (first..first + rows).map(|pixel| pixel * BLOCK);
            let output = PixelOffsets::new(pixels);
            let source = first * step;
            first += rows;
            MicroTile {
                pixels: rows,
                source,
                residual: self.residual.then(|| output.clone()),
                output,
            }
        };
        rows.iter().map(micro_tile).collect()
    }
}

/// A micro-tile of each number of pixels that there is, and several.
fn all_rows(isa: Isa) -> impl Iterator<Item = Vec<usize>> {
    let most = isa.max_mr();
    (1..=most)
        .map(|rows| vec![rows])
        .chain([vec![most, 1, most]])
}

fn numbers(count: usize) -> Vec<f32> {
    Random(10).numbers(count)
}

pub(super) fn run_all() {
    for isa in Isa::available() {
        for ending in ENDINGS {
            products(isa, ending);
            narrows(isa, ending);
            passes(isa, ending);
            output_transform(isa, ending);
        }
        pools(isa);
        input_transform(isa);
    }
}

fn products(isa: Isa, ending: Ending) {
    // Offsets of runs, their length, and the step between pixels: 1x1, 3x3 with stride 2, channels
    // of a narrow group, planes, and more numbers than are summed up at once.
    let all: [(Vec<usize>, usize, usize); 5] = [
        (vec![0], BLOCK, BLOCK),
        (vec![0, 16, 32, 112, 128, 144], BLOCK, 2 * BLOCK),
        (vec![0, 64], 4, BLOCK),
        (vec![0, 40, 80], 7, 2),
        ((0..20).map(|run| run * 48).collect(), BLOCK, BLOCK),
    ];
    for (offsets, length, step) in &all {
        let runs = KOffsets::new(offsets.clone(), *length);
        for blocks in 1..=MAX_NR_BLOCKS {
            let weights = numbers(runs.k() * blocks * BLOCK);
            let bias = numbers(blocks * BLOCK);
            for rows in all_rows(isa) {
                let pixels: usize = rows.iter().sum();
                let source = (pixels - 1) * step + offsets.last().unwrap() + length;
                let ends = ending.places(blocks * BLOCK, blocks * pixels * BLOCK);
                let places: Vec<Place> = ends.into_iter().chain(once(Place::In(source))).collect();
                let name =
                    format!("a product of {rows:?} pixels, {blocks} blocks, runs {offsets:?}");
                let micro_tiles = ending.micro_tiles(&rows, *step);
                run(isa, &name, &places, |memory, offsets| {
                    let gemm = Gemm {
                        source: offsets[4],
                        pixel_stride: *step,
                        micro_tiles: &micro_tiles,
                        k_offsets: &runs,
                        weights: &weights,
                        nr_blocks: blocks,
                        prefetch: &weights,
                        epilogue: ending.epilogue(offsets, pixels, &bias),
                    };
                    kernels::gemm(isa, memory, &gemm);
                });
            }
        }
    }
}

fn narrows(isa: Isa, ending: Ending) {
    for share in [1, 2, 4, 8] {
        let lanes: Vec<[u32; BLOCK]> = (0..share)
            .map(|input| from_fn(|lane| u32::try_from(lane / share * share + input).unwrap()))
            .collect();
        let weights = numbers(9 * share * BLOCK);
        let bias = numbers(BLOCK);
        for (stride, rows) in
            (1..=2).flat_map(|stride| all_rows(isa).map(move |rows| (stride, rows)))
        {
            let pixels: usize = rows.iter().sum();
            let columns = (pixels - 1) * stride + 3;
            let row = (columns + 1) * BLOCK;
            let ends = ending.places(BLOCK, pixels * BLOCK);
            let source = Place::In(2 * row + columns * BLOCK);
            let places: Vec<Place> = ends.into_iter().chain(once(source)).collect();
            let name = format!("groups of {share}, {rows:?} pixels, stride {stride}");
            let micro_tiles = ending.micro_tiles(&rows, stride * BLOCK);
            run(isa, &name, &places, |memory, offsets| {
                let small_group = SmallGroup {
                    source: offsets[4],
                    row_stride: row,
                    stride,
                    micro_tiles: &micro_tiles,
                    lanes: &lanes,
                    weights: &weights,
                    epilogue: ending.epilogue(offsets, pixels, &bias),
                };
                kernels::small_group(isa, memory, &small_group);
            });
        }
    }
}

fn pools(isa: Isa) {
    for (columns, rows) in [(1, 1), (2, 3), (5, 2), (9, 3)] {
        let windows: Vec<[usize; 2]> = (0..columns).map(|column| [column, column + 3]).collect();
        let factors = numbers(columns);
        let row = (columns + 4) * BLOCK;
        let source = Place::In((rows - 1) * row + (columns + 2) * BLOCK);
        for pooling in [Pooling::Max, Pooling::Mean] {
            for sums in [false, true] {
                let ending = Ending { sums, ..PLAIN };
                let ends = ending.places(BLOCK, columns * BLOCK);
                let places: Vec<Place> = ends.into_iter().chain(once(source)).collect();
                let name = format!("a pool, {pooling:?} of {rows} rows");
                run(isa, &name, &places, |memory, offsets| {
                    let pool = Pool {
                        pooling,
                        source: offsets[4],
                        row_stride: row,
                        rows,
                        columns: &windows,
                        factors: &factors,
                        output: offsets[3],
                        sums: ending.sums(offsets[2]),
                    };
                    kernels::pool(isa, memory, &pool);
                });
            }
        }
    }
}

fn passes(isa: Isa, ending: Ending) {
    let norm = [numbers(BLOCK), numbers(BLOCK)];
    for pixels in [1, 2, 5] {
        for (normed, in_place) in [(false, false), (true, false), (true, true)] {
            let mut ends = ending.places(BLOCK, pixels * BLOCK);
            let mut source = Place::In(pixels * BLOCK);
            if in_place {
                ends[3] = Place::Both(pixels * BLOCK);
                source = Place::None;
            }
            let places: Vec<Place> = ends.into_iter().chain(once(source)).collect();
            let name = format!("a pass over {pixels} pixels");
            run(isa, &name, &places, |memory, offsets| {
                let elementwise = Elementwise {
                    source: offsets[if in_place { 3 } else { 4 }],
                    pixels,
                    norm: normed.then(|| norm.each_ref().map(Vec::as_slice)),
                    gate: ending.gate.then_some(offsets[0]),
                    residual: ending.residual.then_some(offsets[1]),
                    relu: ending.relu,
                    output: offsets[3],
                    sums: ending.sums(offsets[2]),
                };
                kernels::elementwise(isa, memory, &elementwise);
            });
        }
    }
}

fn input_transform(isa: Isa) {
    for tile in [WinogradTile::F2x2, WinogradTile::F4x4] {
        let count = tile.input_side() * tile.input_side();
        for tiles in [1, 2, 5] {
            let width = ((tiles - 1) * tile.output_side() + tile.input_side()) * BLOCK;
            let row = width + BLOCK;
            let source = Place::In((tile.input_side() - 1) * row + width);
            let places = [source, Place::Out(count * tiles * BLOCK)];
            let name = format!("{tiles} tiles in, {tile:?}");
            run(isa, &name, &places, |memory, offsets| {
                let tiles = InputTransform {
                    tile,
                    source: offsets[0],
                    row_stride: row,
                    tiles,
                    output: offsets[1],
                    element_stride: tiles * BLOCK,
                };
                kernels::input_transform(isa, memory, &tiles);
            });
        }
    }
}

fn output_transform(isa: Isa, ending: Ending) {
    let bias = numbers(BLOCK);
    for tile in [WinogradTile::F2x2, WinogradTile::F4x4] {
        let count = tile.input_side() * tile.input_side();
        for (rows, width) in
            (1..=tile.output_side()).flat_map(|rows| (1..=9_usize).map(move |width| (rows, width)))
        {
            let tiles = width.div_ceil(tile.output_side());
            let ends = ending.places(BLOCK, rows * width * BLOCK);
            let source = Place::In(count * tiles * BLOCK);
            let places: Vec<Place> = ends.into_iter().chain(once(source)).collect();
            let name = format!("tiles out to {rows} by {width}, {tile:?}");
            run(isa, &name, &places, |memory, offsets| {
                let tiles = OutputTransform {
                    tile,
                    source: offsets[4],
                    element_stride: tiles * BLOCK,
                    width,
                    rows,
                    bias: &bias,
                    gate: ending.gate.then_some(offsets[0]),
                    residual: ending.residual.then_some([offsets[1], width * BLOCK]),
                    relu: ending.relu,
                    output: [offsets[3], width * BLOCK],
                    sums: ending.sums(offsets[2]),
                };
                kernels::output_transform(isa, memory, &tiles);
            });
        }
    }
}
