//! How weights lie when they are packed: the orders in which the kernels read them.

use std::array::from_fn;

use crate::cpu::element::{ElementType, VALUES};
use crate::cpu::kernels::{BLOCK, WinogradTile};

/// How a matrix of weights is packed; for each output channel, in whole blocks, there is a bias
/// besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) struct WeightLayout {
    pub(in crate::cpu) order: WeightOrder,
    pub(in crate::cpu) element_type: ElementType,
}

/// An order of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum WeightOrder {
    /// For [`crate::cpu::kernels::gemm`]: `[panel][K][NR]`.
    Panels(ConvShape),
    /// For [`crate::cpu::kernels::small_group`]: `[block][kernel row][input][kernel column][16]`.
    SmallGroup(ConvShape),
    /// For [`crate::cpu::kernels::depthwise`]: `[block][kernel row][kernel column][16]`.
    Depthwise(ConvShape),
    /// For the products of Winograd's tiles: for each element of a tile panels of a 1x1 convolution.
    Winograd(ConvShape, WinogradTile),
    /// For [`crate::cpu::kernels::elementwise`]: a factor for each of so many channels.
    PerChannel(usize),
}

impl WeightOrder {
    /// Channels that there are biases for.
    pub(in crate::cpu) fn outputs(&self) -> usize {
        match self {
            Self::Panels(shape)
            | Self::SmallGroup(shape)
            | Self::Depthwise(shape)
            | Self::Winograd(shape, _) => shape.outputs,
            Self::PerChannel(channels) => *channels,
        }
    }

    /// How many weights and biases there are.
    fn elements(&self) -> [usize; 2] {
        let biases = self.outputs().next_multiple_of(BLOCK);
        let weights = match self {
            Self::Panels(shape) => shape.panels().elements(),
            Self::SmallGroup(shape) => 9 * shape.inputs_per_group() * biases,
            Self::Depthwise(shape) => shape.kernel[0] * shape.kernel[1] * biases,
            Self::Winograd(shape, tile) => {
                tile.elements() * shape.of_one_pixel().panels().elements()
            }
            Self::PerChannel(_) => biases,
        };
        [weights, biases]
    }
}

impl WeightLayout {
    /// Bytes of weights, which are of the layout's type, and of biases, which are of that of values.
    pub(in crate::cpu) fn bytes(&self) -> [usize; 2] {
        let [weights, biases] = self.order.elements();
        [self.element_type.bytes(weights), VALUES.bytes(biases)]
    }
}

/// A matrix of weights as a convolution's: what it multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::cpu) struct ConvShape {
    pub(in crate::cpu) inputs: usize,
    pub(in crate::cpu) outputs: usize,
    pub(in crate::cpu) groups: usize,
    pub(in crate::cpu) kernel: [usize; 2],
    /// Whether it reads its source as planes instead of blocks of channels.
    pub(in crate::cpu) planes: bool,
    /// NR of its panels at most, in blocks of output channels.
    pub(in crate::cpu) nr_blocks: usize,
}

/// How [`crate::cpu::kernels::gemm`] goes through a matrix.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Panels {
    pub(in crate::cpu) list: Vec<Panel>,
    /// Blocks of channels, or planes, that every panel reads.
    pub(in crate::cpu) source_blocks: usize,
    /// Channels of a block that it reads; columns of the kernel where these are planes.
    pub(in crate::cpu) run_length: usize,
    /// The elements that each output channel is summed up from, channels that fill up a block
    /// included.
    pub(in crate::cpu) k: usize,
}

/// Blocks of output channels whose weights lie together.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Panel {
    /// The first of them.
    pub(in crate::cpu) block: usize,
    pub(in crate::cpu) blocks: usize,
    /// The first input channel that it is computed from.
    pub(in crate::cpu) channel: usize,
}

/// Where the inputs of a block of output channels are, as [`crate::cpu::kernels::small_group`] needs it.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct SmallGroupBlock {
    /// Of the source.
    pub(in crate::cpu) block: usize,
    /// For each input of a group, the lane that each output channel's has.
    pub(in crate::cpu) lanes: Vec<[u32; BLOCK]>,
}

impl Panels {
    /// Each panel's part of all weights.
    pub(in crate::cpu) fn split<'a>(&self, mut weights: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let each = self.list.iter().map(|panel| {
            let count = self.k * panel.blocks * BLOCK;
            let (part, rest) = std::mem::take(&mut weights).split_at_mut(count);
            weights = rest;
            part
        });
        each.collect()
    }

    /// Where a panel's weights begin among all.
    pub(in crate::cpu) fn weights_of(&self, panel: &Panel) -> usize {
        self.k * panel.block * BLOCK
    }

    /// Weights of all panels.
    pub(in crate::cpu) fn elements(&self) -> usize {
        let blocks: usize = self.list.iter().map(|panel| panel.blocks).sum();
        blocks * BLOCK * self.k
    }
}

impl ConvShape {
    /// Input channels of a group.
    pub(in crate::cpu) fn inputs_per_group(&self) -> usize {
        self.inputs / self.groups
    }

    /// Output channels of a group.
    pub(in crate::cpu) fn outputs_per_group(&self) -> usize {
        self.outputs / self.groups
    }

    /// Whether no panel that keeps to one group leaves lanes unused.
    pub(in crate::cpu) fn keeps_to_groups(&self) -> bool {
        let share = self.inputs_per_group();
        self.outputs_per_group().is_multiple_of(BLOCK)
            && (share.is_multiple_of(BLOCK) || BLOCK.is_multiple_of(share))
    }

    /// The same channels and groups with a kernel of one pixel.
    pub(in crate::cpu) fn of_one_pixel(&self) -> Self {
        Self {
            kernel: [1, 1],
            ..*self
        }
    }

    /// Where [`crate::cpu::kernels::small_group`] finds the inputs of each block of outputs.
    pub(in crate::cpu) fn small_group_blocks(&self) -> Vec<SmallGroupBlock> {
        let (share, outputs) = (self.inputs_per_group(), self.outputs_per_group());
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
    pub(in crate::cpu) fn panels(&self) -> Panels {
        let (list, source_blocks) = self.panel_list();
        let run_length = self.run_length();
        let [rows, columns] = self.kernel;
        let lanes = if self.planes { 1 } else { run_length };
        Panels {
            list,
            source_blocks,
            run_length,
            k: source_blocks * rows * columns * lanes,
        }
    }

    /// Its panels, and how many blocks of the source each reads.
    fn panel_list(&self) -> (Vec<Panel>, usize) {
        let blocks = self.outputs.div_ceil(BLOCK);
        let of_source = self.inputs.div_ceil(BLOCK);
        let panel = |block, blocks, channel| Panel {
            block,
            blocks,
            channel,
        };
        if self.planes || self.groups == 1 {
            let panels = (0..blocks)
                .step_by(self.nr_blocks)
                .map(|block| panel(block, (blocks - block).min(self.nr_blocks), 0));
            let source_blocks = if self.planes { self.inputs } else { of_source };
            return (panels.collect(), source_blocks);
        }
        if self.keeps_to_groups() {
            let each = self.outputs_per_group() / BLOCK;
            let panels = (0..self.groups).flat_map(|group| {
                (0..each).step_by(self.nr_blocks).map(move |block| {
                    let width = (each - block).min(self.nr_blocks);
                    panel(group * each + block, width, group * self.inputs_per_group())
                })
            });
            return (panels.collect(), self.inputs_per_group().div_ceil(BLOCK));
        }
        // Blocks that mix groups: each reads all blocks that any of its groups has a channel in,
        // and its weights are zero where a channel is of another group.
        let range = |block: usize| {
            let last = (block * BLOCK + BLOCK).min(self.outputs) - 1;
            let first = block * BLOCK / self.outputs_per_group() * self.inputs_per_group();
            let end = (last / self.outputs_per_group() + 1) * self.inputs_per_group();
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
    fn run_length(&self) -> usize {
        match self.planes {
            true => self.kernel[1],
            false if self.groups > 1 && self.keeps_to_groups() => {
                self.inputs_per_group().min(BLOCK)
            }
            false => BLOCK,
        }
    }
}
