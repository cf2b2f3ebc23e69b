//! Weights in the order in which the kernels read them.

use std::array::from_fn;

use rayon::prelude::*;

use super::kernels::{BLOCK, MAX_BLOCKS, Side};
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
}

/// Narrower groups spread a tile's transforms over too few products: computed directly,
/// SE-ResNeXt-50 takes 4 to 8 % less time.
const FEWEST_CHANNELS_OF_GROUP: usize = 64;

/// With fewer tiles, reading the transformed weights takes longer than they save.
const FEWEST_TILES: usize = 9;

/// The order of a node's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Order {
    /// For [`super::kernels::product`].
    Panels(Form),
    /// For [`super::kernels::narrow`].
    Narrow(Form),
    /// For the products of Winograd's tiles.
    Winograd(Form, Side),
    /// For [`super::kernels::pointwise`]: a batch norm that no convolution could take.
    Norm { channels: usize },
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
            Self::Narrow(form) => [9 * form.share() * form.biases(), form.biases()],
            Self::Winograd(form, side) => {
                let numbers = side.numbers() * side.numbers();
                [numbers * form.pointwise().panels().weights(), form.biases()]
            }
            Self::Norm { channels } => [channels.next_multiple_of(BLOCK); 2],
        }
    }
}

/// How [`super::kernels::product`] goes through a matrix.
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

/// One or two blocks of output channels.
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

/// Where the inputs of a block of output channels are, as [`super::kernels::narrow`] needs it.
#[derive(Debug, Clone)]
pub(super) struct NarrowBlock {
    /// Of the source.
    pub(super) block: usize,
    /// For each input of a group, the lane that each output channel's has.
    pub(super) lanes: Vec<[u32; BLOCK]>,
}

impl Panels {
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
    /// over. `exact` leaves out the larger.
    pub(super) fn tiles(&self, size: [usize; 2], stride: usize, exact: bool) -> Option<Side> {
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
        let count = |side: Side| -> usize {
            let tiles = size.map(|size| size.div_ceil(side.outputs()));
            tiles.iter().product()
        };
        [Side::Four, Side::Two]
            .into_iter()
            .filter(|&side| !exact || side == Side::Two)
            .find(|&side| count(side) >= FEWEST_TILES)
    }

    /// Whether [`super::kernels::narrow`] computes it at these strides.
    pub(super) fn is_narrow(&self, stride: usize) -> bool {
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

    /// The weight of input `channel` to `output` through the kernel's `row` and `column`.
    fn index(&self, output: usize, channel: usize, [row, column]: [usize; 2]) -> Option<usize> {
        if output >= self.outputs {
            return None;
        }
        let first = output / self.outputs_of_group() * self.share();
        let input = channel.checked_sub(first)?;
        let [_, columns] = self.kernel;
        let taps = self.kernel[0] * columns;
        (input < self.share())
            .then(|| (output * self.share() + input) * taps + row * columns + column)
    }

    /// Rows and columns of the kernel.
    pub(super) fn taps(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let [rows, columns] = self.kernel;
        (0..rows).flat_map(move |row| (0..columns).map(move |column| [row, column]))
    }

    /// Where [`super::kernels::narrow`] finds the inputs of each block of outputs.
    pub(super) fn narrow_blocks(&self) -> Vec<NarrowBlock> {
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
                NarrowBlock {
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
                .step_by(MAX_BLOCKS)
                .map(|block| panel(block, (blocks - block).min(MAX_BLOCKS), 0));
            let sources = if self.planes { self.inputs } else { of_source };
            return (panels.collect(), sources);
        }
        if self.keeps_to_groups() {
            let each = self.outputs_of_group() / BLOCK;
            let panels = (0..self.groups).flat_map(|group| {
                (0..each).step_by(MAX_BLOCKS).map(move |block| {
                    let width = (each - block).min(MAX_BLOCKS);
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
    pub(super) fn pack(&self, matrix: &Matrix, weights: &mut [f32]) {
        match self {
            Self::Panels(form) => panels(form, &matrix.weights, weights),
            Self::Narrow(form) => narrow(form, &matrix.weights, weights),
            Self::Winograd(form, side) => winograd(form, *side, &matrix.weights, weights),
            Self::Norm { .. } => {}
        }
    }
}

/// For each of a tile's numbers what [`panels`] gives for a 1x1 convolution of the weights that it
/// stands for.
fn winograd(form: &Form, side: Side, matrix: &[f32], weights: &mut [f32]) {
    let transform = side.of_weights();
    let pointwise = form.pointwise();
    let each = pointwise.panels().weights();
    let numbers = transform
        .iter()
        .flat_map(|row| transform.iter().map(move |column| [row, column]));
    for ([row, column], weights) in numbers.zip(weights.chunks_exact_mut(each)) {
        let taps: [f64; 9] = from_fn(|tap| row[tap / 3] * column[tap % 3]);
        let one = |kernel: &[f32]| {
            let numbers = kernel.iter().zip(taps);
            round(numbers.map(|(&weight, tap)| f64::from(weight) * tap).sum())
        };
        let matrix: Vec<f32> = matrix.par_chunks_exact(9).map(one).collect();
        panels(&pointwise, &matrix, weights);
    }
}

fn panels(form: &Form, matrix: &[f32], weights: &mut [f32]) {
    let Panels {
        list,
        source_blocks,
        run,
        numbers,
    } = form.panels();
    let mut rest = weights;
    let mut places = Vec::with_capacity(list.len());
    for panel in &list {
        let (place, after) = rest.split_at_mut(numbers * panel.blocks * BLOCK);
        places.push((panel, place));
        rest = after;
    }
    let lanes = if form.planes { 1 } else { run };
    places.into_par_iter().for_each(|(panel, place)| {
        let width = panel.blocks * BLOCK;
        for column in 0..width {
            let output = panel.block * BLOCK + column;
            let mut to = place.iter_mut().skip(column).step_by(width);
            for block in 0..source_blocks {
                let first = if form.planes {
                    block
                } else {
                    panel.channel + block * BLOCK
                };
                for tap in form.taps() {
                    for channel in first..first + lanes {
                        let index = form.index(output, channel, tap);
                        if let (Some(to), Some(index)) = (to.next(), index) {
                            *to = matrix[index];
                        }
                    }
                }
            }
        }
    });
}

/// For each block of outputs `[kernel row][input][kernel column][16]`.
fn narrow(form: &Form, matrix: &[f32], weights: &mut [f32]) {
    let (share, outputs) = (form.share(), form.outputs_of_group());
    let mut to = weights.iter_mut();
    for block in 0..form.outputs.div_ceil(BLOCK) {
        for row in 0..3 {
            for input in 0..share {
                for column in 0..3 {
                    for (output, to) in (block * BLOCK..(block + 1) * BLOCK).zip(&mut to) {
                        let channel = output / outputs * share + input;
                        if let Some(index) = form.index(output, channel, [row, column]) {
                            *to = matrix[index];
                        }
                    }
                }
            }
        }
    }
}
