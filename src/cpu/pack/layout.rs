//! How weights lie when they are packed: the orders in which the kernels read them.

use std::array::from_fn;
use std::ops::Range;

use crate::cpu::element::ElementType;
use crate::cpu::kernels::{BLOCK, WinogradTile};

/// How a matrix of weights is packed; for each output channel, in whole blocks, there is a bias
/// besides, in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum WeightOrder {
    /// For [`crate::cpu::kernels::gemm`]: `[panel][K / together][NR][together]`.
    Panels(ConvShape),
    /// For [`crate::cpu::kernels::small_group`]:
    /// `[block][kernel row][input / together][kernel column][16][together]`.
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
            Self::SmallGroup(shape) => {
                let together = shape.weights.together();
                9 * shape.inputs_per_group().next_multiple_of(together) * biases
            }
            Self::Depthwise(shape) => shape.kernel[0] * shape.kernel[1] * biases,
            Self::Winograd(shape, tile) => {
                tile.elements() * shape.of_one_pixel().panels().elements()
            }
            Self::PerChannel(_) => biases,
        };
        [weights, biases]
    }
}

impl WeightOrder {
    /// What the weights are; those that a vector of channels is multiplied by are in single precision,
    /// whatever that is.
    pub(in crate::cpu) fn element_type(&self) -> ElementType {
        match self {
            Self::Panels(shape) | Self::SmallGroup(shape) | Self::Winograd(shape, _) => {
                shape.weights
            }
            Self::Depthwise(_) | Self::PerChannel(_) => ElementType::F32,
        }
    }

    /// Bytes of weights and of biases.
    pub(in crate::cpu) fn bytes(&self) -> [usize; 2] {
        let [weights, biases] = self.elements();
        [
            self.element_type().bytes(weights),
            ElementType::F32.bytes(biases),
        ]
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
    /// What the weights of its panels are, and so what those are multiplied with.
    pub(in crate::cpu) weights: ElementType,
}

/// How [`crate::cpu::kernels::gemm`] goes through a matrix.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Panels {
    pub(in crate::cpu) list: Vec<Panel>,
    /// The channels that panels read, or planes, counted from where a block begins; many panels
    /// read the same.
    pub(in crate::cpu) reads: Vec<Range<usize>>,
}

/// Blocks of output channels whose weights lie together.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Panel {
    /// The first of them.
    pub(in crate::cpu) block: usize,
    pub(in crate::cpu) blocks: usize,
    /// The first input channel that it is computed from, or plane.
    pub(in crate::cpu) channel: usize,
    /// Which of [`Panels::reads`] it reads.
    pub(in crate::cpu) reads: usize,
    /// The elements that each output channel is summed up from.
    pub(in crate::cpu) k: usize,
    /// Where its weights begin among all.
    pub(in crate::cpu) first_weight: usize,
}

impl Panel {
    /// How many weights it has.
    pub(in crate::cpu) fn elements(&self) -> usize {
        self.k * self.blocks * BLOCK
    }
}

/// Where the inputs of a block of output channels are, as [`crate::cpu::kernels::small_group`] needs it.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct SmallGroupBlock {
    /// Of the source.
    pub(in crate::cpu) block: usize,
    /// For each input of a group, or each so many that are multiplied together and count as one
    /// lane, the lane that each output channel's has.
    pub(in crate::cpu) lanes: Vec<[u32; BLOCK]>,
}

impl Panels {
    /// Each panel's part of all weights.
    pub(in crate::cpu) fn split<'a, E>(&self, mut weights: &'a mut [E]) -> Vec<&'a mut [E]> {
        let each = self.list.iter().map(|panel| {
            let (part, rest) = std::mem::take(&mut weights).split_at_mut(panel.elements());
            weights = rest;
            part
        });
        each.collect()
    }

    /// Weights of all panels.
    pub(in crate::cpu) fn elements(&self) -> usize {
        self.list.iter().map(Panel::elements).sum()
    }

    /// Channels or planes that a panel reads at most.
    pub(in crate::cpu) fn most_read(&self) -> usize {
        self.reads.iter().map(Range::len).max().unwrap_or_default()
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
        let together = self.weights.together();
        blocks
            .map(|block| {
                let first = block * BLOCK / outputs * share;
                let source = first / BLOCK;
                let inputs = (0..share).step_by(together).map(|input| {
                    from_fn(|lane| {
                        let channel = first + lane / outputs * share + input;
                        let lane = (channel - source * BLOCK) / together;
                        u32::try_from(lane).unwrap_or_default()
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
    ///
    /// A panel reads the channels of all groups that its outputs are of, and its weights are zero
    /// where a channel is of another one's: the more blocks a group has, the fewer mix groups.
    pub(in crate::cpu) fn panels(&self) -> Panels {
        let elements = if self.planes {
            self.kernel[0] * self.columns_of_planes()
        } else {
            self.kernel[0] * self.kernel[1]
        };
        let mut panels = Panels {
            list: Vec::new(),
            reads: Vec::new(),
        };
        let (mut block, mut first_weight) = (0, 0);
        while block < self.outputs.div_ceil(BLOCK) {
            let channels = self.inputs_of(block);
            let alike = (block + 1..).take_while(|&next| self.inputs_of(next) == channels);
            let blocks = 1 + alike.take(self.nr_blocks - 1).count();
            // A plane is read from its own first element.
            let lane = if self.planes {
                0
            } else {
                channels.start % BLOCK
            };
            let read = lane..lane + channels.len();
            let reads = panels.reads.iter().position(|known| *known == read);
            let reads = reads.unwrap_or_else(|| {
                panels.reads.push(read);
                panels.reads.len() - 1
            });
            let panel = Panel {
                block,
                blocks,
                channel: channels.start,
                reads,
                k: channels.len() * elements,
                first_weight,
            };
            first_weight += panel.elements();
            panels.list.push(panel);
            block += blocks;
        }
        panels
    }

    /// The input channels of all groups that a block of outputs is of; none of a block that there
    /// is not.
    fn inputs_of(&self, block: usize) -> Range<usize> {
        let outputs = block * BLOCK..(block * BLOCK + BLOCK).min(self.outputs);
        let [of_outputs, of_inputs] = [self.outputs_per_group(), self.inputs_per_group()];
        if outputs.is_empty() {
            return 0..0;
        }
        let groups = outputs.start / of_outputs..(outputs.end - 1) / of_outputs + 1;
        // Those of other groups, or that there are none of, are multiplied by zero.
        let (first, end) = (groups.start * of_inputs, groups.end * of_inputs);
        // A plane's columns are multiplied together instead.
        let together = if self.planes {
            1
        } else {
            self.weights.together()
        };
        first / together * together..end.next_multiple_of(together)
    }

    /// Columns of a plane that are read for a row of the kernel: as many as it has, and more that are
    /// multiplied by zero where those are not multiplied together.
    pub(in crate::cpu) fn columns_of_planes(&self) -> usize {
        self.kernel[1].next_multiple_of(self.weights.together())
    }

    /// The channel and the kernel's element, counted row by row, that each element of K is of, in the
    /// order of [`ConvShape::panels`]; none where that is but read and multiplied by zero.
    pub(in crate::cpu) fn elements_of_k(&self, channels: Range<usize>) -> Vec<Option<[usize; 2]>> {
        let [rows, columns] = self.kernel;
        let mut elements = Vec::with_capacity(channels.len() * rows * self.columns_of_planes());
        for run in self.runs(channels) {
            for row in 0..rows {
                if self.planes {
                    let read = 0..self.columns_of_planes();
                    elements.extend(read.map(|column| {
                        (column < columns).then_some([run.start, row * columns + column])
                    }));
                    continue;
                }
                for tap in row * columns..(row + 1) * columns {
                    elements.extend(run.clone().map(|channel| Some([channel, tap])));
                }
            }
        }
        elements
    }

    /// Channels as they lie together: those of a block, or a plane.
    pub(in crate::cpu) fn runs(&self, channels: Range<usize>) -> Vec<Range<usize>> {
        let together = if self.planes { 1 } else { BLOCK };
        let mut runs = Vec::new();
        let mut first = channels.start;
        while first < channels.end {
            let end = channels.end.min(first - first % together + together);
            runs.push(first..end);
            first = end;
        }
        runs
    }
}
