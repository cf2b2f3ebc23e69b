//! Weights in the order in which the kernels read them.

use std::array::from_fn;
use std::ops::Range;

use rayon::prelude::*;

use super::kernels::{BLOCK, WinogradTile};
use super::matrix::{Matrix, round};

/// What a matrix multiplies: its shape as a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Form {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) groups: usize,
    pub(super) kernel: [usize; 2],
    /// Whether the source's channels are planes of their own instead of blocks of 16.
    pub(super) planes: bool,
    /// Blocks of output channels that a panel has at most.
    pub(super) widest: usize,
}

/// Narrower groups spread a tile's transforms over too few products: computed directly,
/// SE-ResNeXt-50 takes 4 to 8 % less time.
const FEWEST_CHANNELS_OF_GROUP: usize = 64;

/// With fewer tiles, reading the transformed weights takes longer than they save.
const FEWEST_TILES: usize = 9;

/// The order of a node's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Order {
    /// For [`super::kernels::gemm`].
    Panels(Form),
    /// For [`super::kernels::small_group`].
    SmallGroup(Form),
    /// For the products of Winograd's tiles.
    Winograd(Form, WinogradTile),
    /// For [`super::kernels::elementwise`]: a batch norm that no convolution could take.
    Norm { channels: usize },
}

/// One output's kernels in a matrix.
struct Kernels<'a> {
    numbers: &'a [f32],
    /// What each of them is multiplied by.
    factor: f64,
    /// The input channels that it is computed from.
    channels: Range<usize>,
    /// Numbers of the kernel of one channel.
    taps: usize,
}

/// A node's numbers, packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) weights: &'a [f32],
    /// For each output channel, in whole blocks.
    pub(super) bias: &'a [f32],
}

impl Order {
    /// How many weights and biases there are.
    pub(super) fn counts(&self) -> [usize; 2] {
        match self {
            Self::Panels(form) => [form.panels().weights(), form.biases()],
            Self::SmallGroup(form) => [9 * form.share() * form.biases(), form.biases()],
            Self::Winograd(form, tile) => {
                let numbers = tile.input_side() * tile.input_side();
                [numbers * form.pointwise().panels().weights(), form.biases()]
            }
            Self::Norm { channels } => [channels.next_multiple_of(BLOCK); 2],
        }
    }
}

/// How [`super::kernels::gemm`] goes through a matrix.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    pub(super) list: Vec<Panel>,
    /// Blocks of channels, or planes, that every panel reads.
    pub(super) source_blocks: usize,
    /// Channels of a block that it reads; columns of the kernel where these are planes.
    pub(super) run: usize,
    /// Numbers that each output channel is computed from.
    pub(super) numbers: usize,
}

/// Blocks of output channels whose weights lie together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    /// The first.
    pub(super) block: usize,
    pub(super) blocks: usize,
    /// The first input channel that it is computed from.
    pub(super) channel: usize,
    /// Where its weights begin.
    pub(super) weights: usize,
}

/// Where the inputs of a block of output channels are, as [`super::kernels::small_group`] needs it.
#[derive(Debug, Clone)]
pub(super) struct SmallGroupBlock {
    /// Of the source.
    pub(super) block: usize,
    /// For each input of a group, the lane that each output channel's has.
    pub(super) lanes: Vec<[u32; BLOCK]>,
}

impl Panels {
    /// Each panel's part of the weights.
    fn cut<'a>(&self, mut weights: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let each = self.list.iter().map(|panel| {
            let count = self.numbers * panel.blocks * BLOCK;
            let (place, rest) = std::mem::take(&mut weights).split_at_mut(count);
            weights = rest;
            place
        });
        each.collect()
    }

    /// Numbers of all panels.
    pub(super) fn weights(&self) -> usize {
        let blocks: usize = self.list.iter().map(|panel| panel.blocks).sum();
        blocks * BLOCK * self.numbers
    }
}

impl Form {
    /// Output channels, in whole blocks.
    fn biases(&self) -> usize {
        self.outputs.next_multiple_of(BLOCK)
    }

    /// Input channels of a group.
    pub(super) fn share(&self) -> usize {
        self.inputs / self.groups
    }

    /// Output channels of a group.
    pub(super) fn outputs_of_group(&self) -> usize {
        self.outputs / self.groups
    }

    /// Whether no panel that keeps to one group leaves lanes unused.
    fn keeps_to_groups(&self) -> bool {
        let share = self.share();
        self.outputs_of_group().is_multiple_of(BLOCK)
            && (share.is_multiple_of(BLOCK) || BLOCK.is_multiple_of(share))
    }

    /// The same channels and groups with a kernel of one pixel.
    pub(super) fn pointwise(&self) -> Self {
        Self {
            kernel: [1, 1],
            ..*self
        }
    }

    /// Winograd's tiles for an output of this height and width, if they are worth their
    /// transforms: enough channels to spread those over, and enough tiles to spread the weights
    /// over; none larger than `largest`.
    pub(super) fn tiles(
        &self,
        size: [usize; 2],
        stride: usize,
        largest: WinogradTile,
    ) -> Option<WinogradTile> {
        let [inputs, outputs] = [self.share(), self.outputs_of_group()];
        let fewest = if self.groups > 1 {
            FEWEST_CHANNELS_OF_GROUP
        } else {
            BLOCK
        };
        if self.kernel != [3, 3] || stride != 1 || self.planes || inputs.min(outputs) < fewest {
            return None;
        }
        if self.groups > 1 && !self.keeps_to_groups() {
            return None;
        }
        let count = |tile: WinogradTile| -> usize {
            let tiles = size.map(|size| size.div_ceil(tile.output_side()));
            tiles.iter().product()
        };
        [WinogradTile::F4x4, WinogradTile::F2x2]
            .into_iter()
            .filter(|&tile| tile <= largest)
            .find(|&tile| count(tile) >= FEWEST_TILES)
    }

    /// Whether [`super::kernels::small_group`] computes it at these strides.
    pub(super) fn is_small_group(&self, stride: usize) -> bool {
        let (share, outputs) = (self.share(), self.outputs_of_group());
        self.groups > 1
            && !self.planes
            && self.kernel == [3, 3]
            && stride <= 2
            && outputs < BLOCK
            && BLOCK.is_multiple_of(outputs)
            && share <= outputs
            && outputs.is_multiple_of(share)
    }

    /// The kernels of `count` outputs from `first` on, or of those that there are.
    fn kernels<'a>(&self, matrix: &Matrix<'a>, first: usize, count: usize) -> Vec<Kernels<'a>> {
        let taps = self.kernel[0] * self.kernel[1];
        let outputs = (first..self.outputs).take(count);
        outputs
            .map(|output| {
                let channel = output / self.outputs_of_group() * self.share();
                let each = self.share() * taps;
                Kernels {
                    numbers: &matrix.weights[output * each..(output + 1) * each],
                    factor: matrix.factors[output],
                    channels: channel..channel + self.share(),
                    taps,
                }
            })
            .collect()
    }

    /// Where [`super::kernels::small_group`] finds the inputs of each block of outputs.
    pub(super) fn small_group_blocks(&self) -> Vec<SmallGroupBlock> {
        let (share, outputs) = (self.share(), self.outputs_of_group());
        let blocks = 0..self.outputs.div_ceil(BLOCK);
        blocks
            .map(|block| {
                let first = block * BLOCK / outputs * share;
                let source = first / BLOCK;
                let inputs = (0..share).map(|input| {
                    from_fn(|lane| {
                        let channel = first + lane / outputs * share + input;
                        u32::try_from(channel - source * BLOCK).unwrap_or_default()
                    })
                });
                SmallGroupBlock {
                    block: source,
                    lanes: inputs.collect(),
                }
            })
            .collect()
    }

    /// How its weights lie: `[panel][block or plane][kernel row][kernel column][lane][output]`.
    pub(super) fn panels(&self) -> Panels {
        let (mut list, source_blocks) = self.cut();
        let run = self.run();
        let [rows, columns] = self.kernel;
        let lanes = if self.planes { 1 } else { run };
        let numbers = source_blocks * rows * columns * lanes;
        let mut weights = 0;
        for panel in &mut list {
            panel.weights = weights;
            weights += numbers * panel.blocks * BLOCK;
        }
        Panels {
            list,
            source_blocks,
            run,
            numbers,
        }
    }

    /// Panels without their weights' places, and how many blocks of the source each reads.
    fn cut(&self) -> (Vec<Panel>, usize) {
        let blocks = self.outputs.div_ceil(BLOCK);
        let of_source = self.inputs.div_ceil(BLOCK);
        let panel = |block, blocks, channel| Panel {
            block,
            blocks,
            channel,
            weights: 0,
        };
        if self.planes || self.groups == 1 {
            let panels = (0..blocks)
                .step_by(self.widest)
                .map(|block| panel(block, (blocks - block).min(self.widest), 0));
            let sources = if self.planes { self.inputs } else { of_source };
            return (panels.collect(), sources);
        }
        if self.keeps_to_groups() {
            let each = self.outputs_of_group() / BLOCK;
            let panels = (0..self.groups).flat_map(|group| {
                (0..each).step_by(self.widest).map(move |block| {
                    let width = (each - block).min(self.widest);
                    panel(group * each + block, width, group * self.share())
                })
            });
            return (panels.collect(), self.share().div_ceil(BLOCK));
        }
        // Blocks that mix groups: each reads all blocks that any of its groups has a channel in,
        // and its weights are zero where a channel is of another group.
        let range = |block: usize| {
            let last = (block * BLOCK + BLOCK).min(self.outputs) - 1;
            let first = block * BLOCK / self.outputs_of_group() * self.share();
            let end = (last / self.outputs_of_group() + 1) * self.share();
            [first / BLOCK, end.div_ceil(BLOCK)]
        };
        let sources = (0..blocks).map(|block| range(block)[1] - range(block)[0]);
        let sources = sources.max().unwrap_or(0);
        let panels = (0..blocks).map(|block| {
            let first = range(block)[0].min(of_source - sources);
            panel(block, 1, first * BLOCK)
        });
        (panels.collect(), sources)
    }

    /// Channels of a block that a panel reads in one run.
    fn run(&self) -> usize {
        match self.planes {
            true => self.kernel[1],
            false if self.groups > 1 && self.keeps_to_groups() => self.share().min(BLOCK),
            false => BLOCK,
        }
    }
}

impl Order {
    /// Packs a matrix into `weights`, which are zero; a batch norm is none.
    pub(super) fn pack(&self, matrix: &Matrix<'_>, weights: &mut [f32]) {
        match self {
            Self::Panels(form) => panels(form, matrix, weights),
            Self::SmallGroup(form) => small_group(form, matrix, weights),
            Self::Winograd(form, tile) => winograd(form, *tile, matrix, weights),
            Self::Norm { .. } => {}
        }
    }
}

/// For each of a tile's numbers what [`panels`] gives for a 1x1 convolution of the weights that it
/// stands for.
fn winograd(form: &Form, tile: WinogradTile, matrix: &Matrix<'_>, weights: &mut [f32]) {
    let transform = tile.of_weights();
    let panels = form.pointwise().panels();
    // For each panel, its place among those of each number.
    let mut places: Vec<Vec<&mut [f32]>> = panels.list.iter().map(|_| Vec::new()).collect();
    for of_number in weights.chunks_exact_mut(panels.weights()) {
        for (places, place) in places.iter_mut().zip(panels.cut(of_number)) {
            places.push(place);
        }
    }
    let jobs = panels.list.par_iter().zip(places);
    jobs.for_each(|(panel, mut places)| {
        let width = panel.blocks * BLOCK;
        let kernels = form.kernels(matrix, panel.block * BLOCK, width);
        for (row, channel) in (panel.channel..).take(panels.numbers).enumerate() {
            for (column, kernels) in kernels.iter().enumerate() {
                let Some(kernel) = kernels.of(channel) else {
                    continue;
                };
                for (place, number) in places.iter_mut().zip(transformed(&transform, kernel)) {
                    place[row * width + column] = round(number * kernels.factor);
                }
            }
        }
    });
}

/// A 3x3 kernel between the weights' transform and its transpose, row by row.
fn transformed(transform: &[[f64; 3]], kernel: &[f32]) -> impl Iterator<Item = f64> {
    let product = |of_row: &[f64; 3]| -> [f64; 3] {
        from_fn(|column| {
            (0..3)
                .map(|row| of_row[row] * f64::from(kernel[row * 3 + column]))
                .sum()
        })
    };
    transform.iter().map(product).flat_map(move |product| {
        let dot = move |of_column: &[f64; 3]| -> f64 {
            (0..3).map(|tap| product[tap] * of_column[tap]).sum()
        };
        transform.iter().map(dot)
    })
}

fn panels(form: &Form, matrix: &Matrix<'_>, weights: &mut [f32]) {
    let panels = form.panels();
    let lanes = if form.planes { 1 } else { panels.run };
    let jobs = panels.list.par_iter().zip(panels.cut(weights));
    jobs.for_each(|(panel, place)| {
        let width = panel.blocks * BLOCK;
        let kernels = form.kernels(matrix, panel.block * BLOCK, width);
        let mut rows = place.chunks_exact_mut(width);
        for block in 0..panels.source_blocks {
            let first = if form.planes {
                block
            } else {
                panel.channel + block * BLOCK
            };
            for tap in 0..form.kernel[0] * form.kernel[1] {
                for (channel, row) in (first..first + lanes).zip(&mut rows) {
                    for (to, kernels) in row.iter_mut().zip(&kernels) {
                        if let Some(kernel) = kernels.of(channel) {
                            *to = kernels.folded(kernel[tap]);
                        }
                    }
                }
            }
        }
    });
}

/// For each block of outputs `[kernel row][input][kernel column][16]`.
fn small_group(form: &Form, matrix: &Matrix<'_>, weights: &mut [f32]) {
    let mut rows = weights.chunks_exact_mut(BLOCK);
    for first in (0..form.outputs).step_by(BLOCK) {
        let kernels = form.kernels(matrix, first, BLOCK);
        for row in 0..3 {
            for input in 0..form.share() {
                for (column, to) in (0..3).zip(&mut rows) {
                    for (to, kernels) in to.iter_mut().zip(&kernels) {
                        let kernel = &kernels.numbers[input * kernels.taps..];
                        *to = kernels.folded(kernel[row * 3 + column]);
                    }
                }
            }
        }
    }
}

impl Kernels<'_> {
    /// The kernel of an input channel, if the output is computed from it.
    fn of(&self, channel: usize) -> Option<&[f32]> {
        let input = channel.wrapping_sub(self.channels.start);
        (input < self.channels.len()).then(|| &self.numbers[input * self.taps..][..self.taps])
    }

    /// A number of a kernel, folded.
    fn folded(&self, number: f32) -> f32 {
        round(f64::from(number) * self.factor)
    }
}
