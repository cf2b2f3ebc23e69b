//! Each kernel by itself, on arguments that just fit: each of the regions that it touches lies once
//! at the end of memory and once at its beginning. All else is NaN before, so that an element read
//! from elsewhere shows, and must be the same after.

use std::array::from_fn;
use std::iter::once;

use bytemuck::cast_slice_mut;
use half::bf16;

use super::super::Random;
use super::say;
use crate::cpu::Isa;
use crate::cpu::element::{Element, ElementType, with_element};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::kernels::{
    self, BLOCK, BlockView, Depthwise, Elementwise, Gemm, InputTransform, KOffsets, KRun,
    MAX_NR_BLOCKS, Memory, MicroTile, Output, OutputTransform, PixelOffsets, Pool, Pooling,
    ScaledRows, SmallGroup, VectorElement, WinogradTile,
};
use crate::network::Activation;

/// Elements of memory that a kernel reads or writes.
#[derive(Debug, Clone, Copy)]
enum Region {
    In(ElementType, usize),
    Out(ElementType, usize),
    /// Read and written.
    Both(ElementType, usize),
    /// Not there.
    None,
}

impl Region {
    fn element_type(self) -> ElementType {
        match self {
            Self::In(element_type, _)
            | Self::Out(element_type, _)
            | Self::Both(element_type, _) => element_type,
            Self::None => ElementType::F32,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::In(_, len) | Self::Out(_, len) | Self::Both(_, len) => len,
            Self::None => 0,
        }
    }

    /// Whether a byte at this distance from its first is to be written.
    fn writes(self, byte: usize) -> bool {
        let inside = byte < self.element_type().bytes(self.len());
        inside && matches!(self, Self::Out(..) | Self::Both(..))
    }
}

/// The upper half of a number that is none, in either type of element.
const NAN: [u8; 2] = 0x7fc0_u16.to_ne_bytes();

/// Bytes that blocks are aligned to.
const LINE: usize = 64;

/// Runs a kernel on memory that has just these regions, each of them last in turn.
fn run(isa: Isa, name: &str, regions: &[Region], kernel: impl Fn(&Memory<'_>, &[usize])) {
    for last in 0..regions.len() {
        if let Region::None = regions[last] {
            continue;
        }
        say(isa, &format!("{name}, {regions:?}, {last} last"));
        // From after the last one around to it; blocks stay aligned, as the engine has them.
        let order: Vec<usize> = (last + 1..regions.len()).chain(0..=last).collect();
        let bytes = |index: usize| regions[index].element_type().bytes(regions[index].len());
        let mut starts = vec![0; regions.len()];
        let mut total = 0;
        for &index in &order {
            starts[index] = total;
            total = (total + bytes(index)).next_multiple_of(LINE);
        }
        starts[last] = total - bytes(last);
        let offsets: Vec<usize> = starts
            .iter()
            .zip(regions)
            .map(|(start, region)| start / region.element_type().size())
            .collect();
        let mut own = vec![0.; total / size_of::<f32>()];
        for bytes in cast_slice_mut::<f32, [u8; 2]>(&mut own) {
            *bytes = NAN;
        }
        let mut random = Random(9);
        // SAFETY: one thread.
        let memory = unsafe { Memory::new(&mut own) };
        for (region, &offset) in regions.iter().zip(&offsets) {
            if let Region::In(element_type, len) | Region::Both(element_type, len) = *region {
                memory.write(element_type, offset, &random.numbers(len));
            }
        }
        // SAFETY: nobody writes yet; a copy.
        let before = unsafe { memory.elements::<bf16>(0, total / 2) }.to_vec();
        kernel(&memory, &offsets);
        for (region, &offset) in regions.iter().zip(&offsets) {
            if let Region::Out(element_type, len) | Region::Both(element_type, len) = *region {
                for element in offset..offset + len {
                    let after = with_element!(element_type, E => memory.get::<E>(element));
                    assert!(after.is_finite(), "element {element}: {after}");
                }
            }
        }
        // SAFETY: nobody writes any more.
        let after = unsafe { memory.elements::<bf16>(0, total / 2) };
        for (half, (before, after)) in before.iter().zip(after).enumerate() {
            let byte = half * size_of::<bf16>();
            let mut places = regions.iter().zip(&starts);
            let written = places.any(|(region, start)| {
                byte.checked_sub(*start)
                    .is_some_and(|byte| region.writes(byte))
            });
            let kept = before.to_bits() == after.to_bits();
            assert!(kept || written, "byte {byte} is kept");
        }
    }
}

/// Which parts of an epilogue there are.
#[derive(Debug, Clone, Copy)]
struct Parts {
    gate: bool,
    residual: bool,
    activation: Option<Activation>,
    channel_sums: bool,
}

const PLAIN: Parts = Parts {
    gate: false,
    residual: false,
    activation: None,
    channel_sums: false,
};

const ALL_PARTS: [Parts; 5] = [
    PLAIN,
    Parts {
        gate: true,
        residual: true,
        activation: Some(Activation::Relu),
        channel_sums: true,
    },
    Parts {
        gate: true,
        channel_sums: true,
        ..PLAIN
    },
    Parts {
        residual: true,
        activation: Some(Activation::Relu),
        ..PLAIN
    },
    Parts {
        activation: Some(Activation::Sigmoid),
        channel_sums: true,
        ..PLAIN
    },
];

impl Parts {
    /// Regions of the gate, the residual, the sums and the output.
    fn regions<Stored: Element>(self, channels: usize, output: usize) -> [Region; 4] {
        let there = |is: bool, region: Region| if is { region } else { Region::None };
        [
            there(self.gate, Region::In(ElementType::F32, channels)),
            there(self.residual, Region::In(Stored::TYPE, output)),
            there(self.channel_sums, Region::Out(ElementType::F32, channels)),
            Region::Out(Stored::TYPE, output),
        ]
    }

    fn sums(self, offset: usize) -> Option<usize> {
        self.channel_sums.then_some(offset)
    }

    /// The epilogue at these offsets, of rows of so many pixels or blocks of so many.
    fn epilogue(self, offsets: &[usize], pixels: usize) -> Epilogue<BlockView> {
        Epilogue {
            gate: self.gate.then(|| view(offsets[0], 1)),
            residual: self.residual.then(|| view(offsets[1], pixels)),
            activation: self.activation,
            channel_sums: self.channel_sums.then(|| view(offsets[2], 1)),
        }
    }

    fn output<'a, Stored: Element>(
        self,
        offsets: &[usize],
        pixels: usize,
        bias: &'a [f32],
    ) -> Output<'a> {
        Output {
            bias,
            epilogue: self.epilogue(offsets, pixels),
            view: view(offsets[3], pixels),
            element_type: Stored::TYPE,
        }
    }

    /// Micro-tiles of so many pixels each, of which the sources are a stride apart.
    fn micro_tiles(self, counts: &[usize], stride: usize) -> Vec<MicroTile> {
        let mut first = 0;
        let micro_tile = |&pixels: &usize| {
            let output = PixelOffsets::new((first..first + pixels).map(|pixel| pixel * BLOCK));
            let source = first * stride;
            first += pixels;
            MicroTile {
                pixels,
                source,
                residual: self.residual.then(|| output.clone()),
                output,
            }
        };
        counts.iter().map(micro_tile).collect()
    }
}

/// Blocks, and rows, of so many pixels, one after the other.
fn view(offset: usize, pixels: usize) -> BlockView {
    BlockView {
        offset,
        block_stride: pixels * BLOCK,
        row_stride: pixels * BLOCK,
    }
}

/// Pixels of one micro-tile, of each count up to `most`, and of several.
fn all_counts(most: usize) -> impl Iterator<Item = Vec<usize>> {
    (1..=most)
        .map(|counts| vec![counts])
        .chain([vec![most, 1, most]])
}

fn elements<E: Element>(count: usize) -> Vec<E> {
    let numbers = Random(10).numbers(count);
    numbers.into_iter().map(E::rounded).collect()
}

/// What a type of elements is called.
fn name<E: Element>() -> String {
    format!("{:?}", E::TYPE)
}

pub(super) fn run_all() {
    for isa in Isa::available() {
        of_types::<f32, f32>(isa);
        of_types::<f32, bf16>(isa);
        of_types::<bf16, f32>(isa);
        of_types::<bf16, bf16>(isa);
    }
}

/// All kernels with these elements of the source and of what is stored, where they have such.
fn of_types<Source: VectorElement, Stored: VectorElement>(isa: Isa) {
    for parts in ALL_PARTS {
        gemms::<Source, Stored>(isa, parts);
        small_groups::<Source, Stored>(isa, parts);
        depthwise::<Source, Stored>(isa, parts);
        if Source::TYPE == Stored::TYPE {
            elementwise::<Stored>(isa, parts);
        }
        if Source::TYPE == ElementType::F32 {
            output_transform::<Stored>(isa, parts);
        }
    }
    pools::<Source, Stored>(isa);
    if Source::TYPE == Stored::TYPE {
        scaled_rows::<Stored>(isa);
    }
    input_transform::<Source, Stored>(isa);
}

fn gemms<Source: VectorElement, Stored: VectorElement>(isa: Isa, parts: Parts) {
    let types = format!("{} to {}", name::<Source>(), name::<Stored>());
    // Offsets of runs with their lengths, and the stride between pixels: 1x1, 3x3 with stride 2,
    // channels of a small group, channels that begin and end within blocks, planes, and more elements
    // than are summed up at once.
    let all: [(Vec<[usize; 2]>, usize); 6] = [
        (vec![[0, BLOCK]], BLOCK),
        (
            [0, 16, 32, 112, 128, 144]
                .map(|offset| [offset, BLOCK])
                .to_vec(),
            2 * BLOCK,
        ),
        (vec![[0, 4], [64, 4]], BLOCK),
        (vec![[8, 8], [16, 16], [32, 3]], BLOCK),
        ([0, 40, 80].map(|offset| [offset, 7]).to_vec(), 2),
        ((0..20).map(|run| [run * 48, BLOCK]).collect(), BLOCK),
    ];
    for (offsets, stride) in &all {
        let runs = offsets.iter().map(|&[offset, length]| KRun {
            offset,
            length: length.next_multiple_of(Source::TYPE.together()),
        });
        let runs: Vec<KRun> = runs.collect();
        let of_pixel = runs.last().map_or(0, |run| run.offset + run.length);
        let k_offsets = KOffsets::new(runs);
        for blocks in 1..=MAX_NR_BLOCKS {
            let weights = elements::<Source>(k_offsets.k() * blocks * BLOCK);
            let bias = elements(blocks * BLOCK);
            for counts in all_counts(isa.max_mr()) {
                let pixels: usize = counts.iter().sum();
                let source = Region::In(Source::TYPE, (pixels - 1) * stride + of_pixel);
                let ends = parts.regions::<Stored>(blocks * BLOCK, blocks * pixels * BLOCK);
                let regions: Vec<Region> = ends.into_iter().chain(once(source)).collect();
                let name =
                    format!("{types} GEMM of {counts:?} pixels, {blocks} blocks, runs {offsets:?}");
                let micro_tiles = parts.micro_tiles(&counts, *stride);
                run(isa, &name, &regions, |memory, offsets| {
                    let gemm = Gemm {
                        source: offsets[4],
                        pixel_stride: *stride,
                        micro_tiles: &micro_tiles,
                        k_offsets: &k_offsets,
                        weights: &weights,
                        nr_blocks: blocks,
                        prefetch: &weights,
                        output: parts.output::<Stored>(offsets, pixels, &bias),
                    };
                    kernels::gemm(isa, memory, &gemm);
                });
            }
        }
    }
}

fn small_groups<Source: VectorElement, Stored: VectorElement>(isa: Isa, parts: Parts) {
    let types = format!("{} to {}", name::<Source>(), name::<Stored>());
    for share in [1, 2, 4, 8] {
        let together = Source::TYPE.together();
        let inputs = (0..share).step_by(together);
        let lane = |input: usize, output: usize| (output / share * share + input) / together;
        let lanes =
            inputs.map(|input| from_fn(|output| u32::try_from(lane(input, output)).unwrap()));
        let lanes: Vec<[u32; BLOCK]> = lanes.collect();
        let weights = elements::<Source>(9 * lanes.len() * BLOCK * together);
        let bias = elements(BLOCK);
        for (stride, counts) in
            (1..=2).flat_map(|stride| all_counts(isa.max_mr()).map(move |counts| (stride, counts)))
        {
            let pixels: usize = counts.iter().sum();
            let columns = (pixels - 1) * stride + 3;
            let row = (columns + 1) * BLOCK;
            let ends = parts.regions::<Stored>(BLOCK, pixels * BLOCK);
            let source = Region::In(Source::TYPE, 2 * row + columns * BLOCK);
            let regions: Vec<Region> = ends.into_iter().chain(once(source)).collect();
            let name = format!("{types} groups of {share}, {counts:?} pixels, stride {stride}");
            let micro_tiles = parts.micro_tiles(&counts, stride * BLOCK);
            run(isa, &name, &regions, |memory, offsets| {
                let small_group = SmallGroup {
                    source: offsets[4],
                    row_stride: row,
                    stride,
                    micro_tiles: &micro_tiles,
                    lanes: &lanes,
                    weights: &weights,
                    output: parts.output::<Stored>(offsets, pixels, &bias),
                };
                kernels::small_group(isa, memory, &small_group);
            });
        }
    }
}

fn depthwise<Source: VectorElement, Stored: VectorElement>(isa: Isa, parts: Parts) {
    let types = format!("{} to {}", name::<Source>(), name::<Stored>());
    // Kernels with their strides between columns and between pixels: those that slide along a row
    // in code of their own, others, and some with gaps.
    let geometries = [
        ([3, 3], 1, 1),
        ([3, 3], 1, 2),
        ([5, 5], 1, 1),
        ([5, 5], 1, 2),
        ([7, 7], 1, 1),
        ([7, 7], 1, 2),
        ([1, 1], 1, 1),
        ([2, 4], 1, 3),
        ([3, 3], 2, 1),
        ([1, 9], 1, 1),
    ];
    for (kernel, dilation, stride) in geometries {
        let [rows, kernel_columns] = kernel;
        let weights = elements(rows * kernel_columns * BLOCK);
        let bias = elements(BLOCK);
        for counts in all_counts(isa.max_depthwise_mr()) {
            let pixels: usize = counts.iter().sum();
            let columns = (pixels - 1) * stride + (kernel_columns - 1) * dilation + 1;
            let row = (columns + 1) * BLOCK;
            let ends = parts.regions::<Stored>(BLOCK, pixels * BLOCK);
            let source = Region::In(Source::TYPE, (rows - 1) * row + columns * BLOCK);
            let regions: Vec<Region> = ends.into_iter().chain(once(source)).collect();
            let name = format!(
                "{types} depthwise of {kernel:?}, {counts:?} pixels, stride {stride}, dilation {dilation}"
            );
            let micro_tiles = parts.micro_tiles(&counts, stride * BLOCK);
            run(isa, &name, &regions, |memory, offsets| {
                let depthwise = Depthwise {
                    source: offsets[4],
                    source_type: Source::TYPE,
                    row_stride: row,
                    column_stride: dilation * BLOCK,
                    pixel_stride: stride * BLOCK,
                    kernel,
                    micro_tiles: &micro_tiles,
                    weights: &weights,
                    output: parts.output::<Stored>(offsets, pixels, &bias),
                };
                kernels::depthwise(isa, memory, &depthwise);
            });
        }
    }
}

fn pools<Source: VectorElement, Stored: VectorElement>(isa: Isa) {
    let types = format!("{} to {}", name::<Source>(), name::<Stored>());
    for (columns, rows) in [(1, 1), (2, 3), (5, 2), (9, 3)] {
        let windows: Vec<[usize; 2]> = (0..columns).map(|column| [column, column + 3]).collect();
        let factors = elements(columns);
        let row = (columns + 4) * BLOCK;
        let source = Region::In(Source::TYPE, (rows - 1) * row + (columns + 2) * BLOCK);
        let row_taps = elements(rows);
        let column_taps = vec![elements(3); columns];
        for pooling in [Pooling::Max, Pooling::Mean, Pooling::Filter] {
            for channel_sums in [false, true] {
                let parts = Parts {
                    channel_sums,
                    ..PLAIN
                };
                let ends = parts.regions::<Stored>(BLOCK, columns * BLOCK);
                let regions: Vec<Region> = ends.into_iter().chain(once(source)).collect();
                let name = format!("{types} pool, {pooling:?} of {rows} rows");
                run(isa, &name, &regions, |memory, offsets| {
                    let pool = Pool {
                        pooling,
                        source_type: Source::TYPE,
                        source: offsets[4],
                        row_stride: row,
                        rows,
                        columns: &windows,
                        factors: &factors,
                        row_taps: &row_taps,
                        column_taps: &column_taps,
                        output_type: Stored::TYPE,
                        output: offsets[3],
                        channel_sums: parts.sums(offsets[2]),
                    };
                    kernels::pool(isa, memory, &pool);
                });
            }
        }
    }
}

fn scaled_rows<Weight: VectorElement>(isa: Isa) {
    for (count, blocks) in [(1, 1), (5, 2), (16, 2)] {
        let count = usize::next_multiple_of(count, Weight::TYPE.together());
        let rows = elements::<Weight>(count * blocks * BLOCK);
        let regions = [
            Region::In(ElementType::F32, count),
            Region::Out(Weight::TYPE, rows.len()),
        ];
        let name = format!("{count} rows of {blocks} blocks times factors");
        run(isa, &name, &regions, |memory, offsets| {
            let scaled = ScaledRows {
                factors: offsets[0],
                rows: &rows,
                count,
                output: offsets[1],
            };
            kernels::scaled_rows(isa, memory, &scaled);
        });
    }
}

fn elementwise<Stored: VectorElement>(isa: Isa, parts: Parts) {
    let norm = [elements(BLOCK), elements(BLOCK)];
    for pixels in [1, 2, 5] {
        for (normed, in_place) in [(false, false), (true, false), (true, true)] {
            let mut ends = parts.regions::<Stored>(BLOCK, pixels * BLOCK);
            let mut source = Region::In(Stored::TYPE, pixels * BLOCK);
            if in_place {
                ends[3] = Region::Both(Stored::TYPE, pixels * BLOCK);
                source = Region::None;
            }
            let product = Region::In(Stored::TYPE, pixels * BLOCK);
            let regions: Vec<Region> = ends.into_iter().chain([source, product]).collect();
            let name = format!("elementwise over {pixels} pixels");
            run(isa, &name, &regions, |memory, offsets| {
                let elementwise = Elementwise {
                    source: offsets[if in_place { 3 } else { 4 }],
                    pixels,
                    norm: normed.then(|| norm.each_ref().map(Vec::as_slice)),
                    product: normed.then_some(offsets[5]),
                    epilogue: parts.epilogue(offsets, pixels),
                    output: offsets[3],
                    element_type: Stored::TYPE,
                };
                kernels::elementwise(isa, memory, &elementwise);
            });
        }
    }
}

fn input_transform<Source: VectorElement, Stored: VectorElement>(isa: Isa) {
    for tile in [WinogradTile::F2x2, WinogradTile::F4x4] {
        let count = tile.input_side() * tile.input_side();
        for tiles in [1, 2, 5] {
            let width = ((tiles - 1) * tile.output_side() + tile.input_side()) * BLOCK;
            let row = width + BLOCK;
            let source = Region::In(Source::TYPE, (tile.input_side() - 1) * row + width);
            let output = Region::Out(Stored::TYPE, count * tiles * BLOCK);
            let regions = [source, output];
            let name = format!("{tiles} tiles in, {tile:?}");
            run(isa, &name, &regions, |memory, offsets| {
                let tiles = InputTransform {
                    tile,
                    source_type: Source::TYPE,
                    source: offsets[0],
                    row_stride: row,
                    tiles,
                    output_type: Stored::TYPE,
                    output: offsets[1],
                    element_stride: tiles * BLOCK,
                };
                kernels::input_transform(isa, memory, &tiles);
            });
        }
    }
}

fn output_transform<Stored: VectorElement>(isa: Isa, parts: Parts) {
    let bias = elements(BLOCK);
    for tile in [WinogradTile::F2x2, WinogradTile::F4x4] {
        let count = tile.input_side() * tile.input_side();
        for (rows, width) in
            (1..=tile.output_side()).flat_map(|rows| (1..=9_usize).map(move |width| (rows, width)))
        {
            let tiles = width.div_ceil(tile.output_side());
            let ends = parts.regions::<Stored>(BLOCK, rows * width * BLOCK);
            let source = Region::In(ElementType::F32, count * tiles * BLOCK);
            let regions: Vec<Region> = ends.into_iter().chain(once(source)).collect();
            let name = format!("tiles out to {rows} by {width}, {tile:?}");
            run(isa, &name, &regions, |memory, offsets| {
                let tiles = OutputTransform {
                    tile,
                    source: offsets[4],
                    element_stride: tiles * BLOCK,
                    width,
                    rows,
                    output: parts.output::<Stored>(offsets, width, &bias),
                };
                kernels::output_transform(isa, memory, &tiles);
            });
        }
    }
}
