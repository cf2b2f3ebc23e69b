//! The second pass: which tensors share a buffer, what else takes memory, and where all of it lies.

use std::collections::HashMap;

use super::MOST_ELEMENTS;
use super::arena::{Buffer, lay_out};
use super::choose::{Choice, Choices, widest};
use crate::cpu::element::ElementType;
use crate::cpu::fuse::{Graph, Id, Node};
use crate::cpu::job::{Halo, OF_ROWS};
use crate::cpu::kernels::BLOCK;
use crate::cpu::options::Target;
use crate::cpu::tiling::MTiling;
use crate::cpu::view::{LINE, View, blocks, spread};
use crate::error::{Error, Result};

/// Where everything lies. Nodes are known by index.
#[derive(Debug)]
pub(super) struct Allocation {
    /// Buffers of maps, and at which byte each begins.
    pub(super) buffers: Vec<MapBuffer>,
    pub(super) offsets: Vec<usize>,
    /// For each tensor that a node makes, and the input.
    pub(super) locations: HashMap<Id, Location>,
    /// For each convolution but Winograd's.
    pub(super) tilings: HashMap<usize, Tiling>,
    /// For each node that sums up what it stores.
    pub(super) sums: HashMap<usize, View>,
    /// For each mean that is taken from channel sums, the nodes that sum up, in the order of
    /// channels.
    pub(super) summed: HashMap<usize, Vec<usize>>,
    /// For each node that Winograd's tiles compute, or whose weights are multiplied by a gate, where
    /// their scratch memory begins, at which byte.
    pub(super) scratch: HashMap<usize, usize>,
    /// Bytes of all together.
    pub(super) arena: usize,
}

/// A buffer of one tensor or several.
#[derive(Debug, Clone)]
pub(super) struct MapBuffer {
    channels: usize,
    height: usize,
    width: usize,
    pub(super) planes: bool,
    pub(super) element_type: ElementType,
    pub(super) halo: [usize; 4],
    /// The first and the last node that touch it.
    used: [usize; 2],
    /// The first node that overwrites what others have made in it.
    overwritten: Option<usize>,
}

/// Where a tensor lies: in which buffer, and from which channel on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) buffer: usize,
    pub(super) channel: usize,
}

/// How a convolution's output is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiling {
    pub(super) m_tiling: MTiling,
    /// Whether its images, of one pixel each, are the pixels of one image.
    pub(super) images_as_pixels: bool,
}

impl Allocation {
    /// # Errors
    ///
    /// A buffer of more elements than can be addressed.
    pub(super) fn new(graph: &Graph, choices: &Choices, target: Target) -> Result<Self> {
        let sharing = Sharing::of(graph, choices);
        let buffers = &sharing.buffers;
        let images = choices.images;
        let mut requests: Vec<Buffer> = buffers
            .iter()
            .map(|buffer| Buffer {
                elements: images.saturating_mul(buffer.image_stride()),
                element_type: buffer.element_type,
                used: buffer.used,
            })
            .collect();
        check_size(&requests, "a value and its halo")?;

        let means = choices.nodes.iter().enumerate();
        let means = means.filter(|(_, choice)| matches!(choice, Choice::Mean(_)));
        let parts = |(mean, _): (usize, &Choice)| {
            let source = graph.nodes[mean].source;
            Some((mean, sharing.summing(source)?))
        };
        let summed: Vec<(usize, Vec<usize>)> = means.filter_map(parts).collect();
        let is_summed = |node| summed.iter().any(|(_, parts)| parts.contains(&node));
        let nodes = graph.nodes.iter().zip(&choices.nodes).enumerate();
        let tiling = |(index, (node, choice)): (usize, (&Node, &Choice))| {
            let mr = match choice {
                Choice::Depthwise(_) | Choice::ExpandDepthwise(..) => target.isa.max_depthwise_mr(),
                _ => target.isa.max_mr(),
            };
            let tiling = sharing.tiling(node, choice, is_summed(index), mr)?;
            Some((index, tiling))
        };
        let tilings: HashMap<usize, Tiling> = nodes.filter_map(tiling).collect();

        let mut sums = Vec::new();
        for (mean, parts) in &summed {
            for &part in parts {
                let output = &choices.tensors[graph.nodes[part].output];
                let m_tiles = match (&choices.nodes[part], tilings.get(&part)) {
                    (Choice::Winograd(_, strips), _) => strips.rows,
                    (_, Some(tiling)) => tiling.m_tiling.m_tiles(),
                    (_, None) => output.height,
                };
                let blocks = blocks(output.channels);
                sums.push((part, m_tiles, blocks));
                requests.push(Buffer {
                    elements: images * m_tiles * blocks * BLOCK,
                    element_type: ElementType::F32,
                    used: [part, *mean],
                });
            }
        }
        let mut with_scratch = Vec::new();
        for (index, choice) in choices.nodes.iter().enumerate() {
            let (elements, element_type) = match choice {
                // Of two types, so that bytes count.
                Choice::Winograd(_, strips) => {
                    let elements = strips.scratch() / ElementType::F32.size();
                    (elements, ElementType::F32)
                }
                Choice::ExpandDepthwise(_, rows) => (rows.scratch(), OF_ROWS),
                Choice::Gemm(convolution) if convolution.gate.is_some() => {
                    let shape = &convolution.shape;
                    (images * shape.panels().elements(), shape.weights)
                }
                _ => continue,
            };
            with_scratch.push(index);
            requests.push(Buffer {
                elements,
                element_type,
                used: [index, index],
            });
        }

        check_size(&requests, "scratch memory")?;

        let (mut offsets, arena) = lay_out(&requests);
        let of_scratch = offsets.split_off(buffers.len() + sums.len());
        let of_sums = offsets.split_off(buffers.len());
        // As maps of one column, a row for each M-tile.
        let view = |m_tiles, blocks, offset| View {
            offset: offset / ElementType::F32.size(),
            image_stride: m_tiles * blocks * BLOCK,
            block_stride: BLOCK,
            row_stride: blocks * BLOCK,
            pixel_stride: BLOCK,
            element_type: ElementType::F32,
            images,
            blocks,
            height: m_tiles,
            width: 1,
        };
        let sums = sums.into_iter().zip(of_sums);
        let sums =
            sums.map(|((part, m_tiles, blocks), offset)| (part, view(m_tiles, blocks, offset)));
        Ok(Self {
            buffers: sharing.buffers,
            offsets,
            locations: sharing.locations,
            tilings,
            sums: sums.collect(),
            summed: summed.into_iter().collect(),
            scratch: with_scratch.into_iter().zip(of_scratch).collect(),
            arena,
        })
    }
}

/// # Errors
///
/// More elements in a buffer than can be addressed; those before are known to be fewer.
fn check_size(requests: &[Buffer], what: &str) -> Result<()> {
    match requests.iter().find(|each| each.elements > MOST_ELEMENTS) {
        Some(large) => Err(Error::Geometry(format!(
            "{what} of {} elements cannot be planned: expected at most {MOST_ELEMENTS}",
            large.elements
        ))),
        None => Ok(()),
    }
}

/// Gives every tensor a buffer, from the last node to the first: what a concatenation or an
/// elementwise step reads may lie where it writes.
struct Sharing<'a> {
    choices: &'a Choices,
    buffers: Vec<MapBuffer>,
    locations: HashMap<Id, Location>,
}

impl<'a> Sharing<'a> {
    fn of(graph: &Graph, choices: &'a Choices) -> Self {
        let mut sharing = Self {
            choices,
            buffers: Vec::new(),
            locations: HashMap::new(),
        };
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            if let Choice::Expand = choices.nodes[index] {
                continue;
            }
            let location = sharing.locate(node.output);
            match &choices.nodes[index] {
                Choice::Concat(members) => sharing.concat(members, location),
                Choice::GateWeights => {
                    // No step copies the map, and none overwrites it: whoever reads it as it is may
                    // do so later, too.
                    assert!(
                        !sharing.locations.contains_key(&node.source),
                        "a map whose gate its reader's weights have lies where that reads it"
                    );
                    sharing.move_into(node.source, location);
                }
                Choice::Elementwise(_, product) => {
                    sharing.in_place(index, node, *product, location);
                }
                Choice::Gemm(_)
                | Choice::SmallGroup(_)
                | Choice::Depthwise(_)
                | Choice::ExpandDepthwise(..)
                | Choice::Winograd(..)
                | Choice::Pool(_)
                | Choice::Mean(_)
                | Choice::Normalize(..)
                | Choice::Softmax
                | Choice::Rearrange(_)
                | Choice::Expand => {}
            }
        }
        sharing.locate(0);
        sharing
    }

    /// Has members of a concatenation lie where they belong, if they are whole blocks there.
    fn concat(&mut self, members: &[Id], Location { buffer, channel }: Location) {
        let mut channel = channel;
        for &member in members {
            let channels = self.choices.tensors[member].channels;
            let MapBuffer {
                channels: all,
                overwritten,
                ..
            } = self.buffers[buffer];
            let last = channel + channels == all;
            let whole = channel.is_multiple_of(BLOCK) && (channels.is_multiple_of(BLOCK) || last);
            if whole && self.may_move(member, buffer, overwritten) {
                self.move_into(member, Location { buffer, channel });
            }
            channel += channels;
        }
    }

    /// Has an elementwise step overwrite its source, if nobody else needs it, what is added or what
    /// it is multiplied by.
    fn in_place(&mut self, index: usize, node: &Node, product: Option<Id>, location: Location) {
        let elsewhere = ![node.epilogue.residual, product].contains(&Some(node.source));
        if elsewhere && self.may_move(node.source, location.buffer, Some(index)) {
            self.move_into(node.source, location);
            self.buffers[location.buffer].overwritten = Some(index);
        }
    }

    /// Whether nobody wants `id` after the node at `end`, and it has no location yet.
    fn may_move(&self, id: Id, buffer: usize, end: Option<usize>) -> bool {
        let tensor = &self.choices.tensors[id];
        let buffer = &self.buffers[buffer];
        id != 0
            && !self.locations.contains_key(&id)
            && end.is_none_or(|end| tensor.last_read <= end)
            && [tensor.height, tensor.width] == [buffer.height, buffer.width]
            && tensor.element_type == buffer.element_type
    }

    fn move_into(&mut self, id: Id, location: Location) {
        self.locations.insert(id, location);
        let tensor = &self.choices.tensors[id];
        let buffer = &mut self.buffers[location.buffer];
        buffer.halo = widest(buffer.halo, tensor.halo);
        buffer.used = [
            buffer.used[0].min(tensor.made_by.unwrap_or_default()),
            buffer.used[1].max(tensor.last_read),
        ];
    }

    /// The nodes that make `id`, in the order of its channels, if each can sum up what it stores.
    fn summing(&self, id: Id) -> Option<Vec<usize>> {
        let index = self.choices.tensors[id].made_by?;
        match &self.choices.nodes[index] {
            Choice::Concat(members) => {
                let mut location = self.locations[&id];
                let mut parts = Vec::new();
                for member in members {
                    if self.locations[member] != location {
                        return None;
                    }
                    parts.extend(self.summing(*member)?);
                    location.channel += self.choices.tensors[*member].channels;
                }
                Some(parts)
            }
            Choice::Mean(_)
            | Choice::Normalize(..)
            | Choice::Softmax
            | Choice::Rearrange(_)
            | Choice::GateWeights
            | Choice::Expand => None,
            Choice::Gemm(_)
            | Choice::SmallGroup(_)
            | Choice::Depthwise(_)
            | Choice::ExpandDepthwise(..)
            | Choice::Winograd(..)
            | Choice::Pool(_)
            | Choice::Elementwise(..) => Some(vec![index]),
        }
    }

    /// How a node's output is cut into micro-tiles of at most `mr` pixels, if it is.
    fn tiling(&self, node: &Node, choice: &Choice, summed: bool, mr: usize) -> Option<Tiling> {
        let output = &self.choices.tensors[node.output];
        let (even, images_as_pixels) = match choice {
            // Their kernels take pixels of one row of one image.
            Choice::SmallGroup(_) | Choice::Depthwise(_) | Choice::ExpandDepthwise(..) => {
                (false, false)
            }
            Choice::Gemm(convolution) => {
                let source = &self.buffers[self.locations[&node.source].buffer];
                // Each pixel is computed from the source's at the same place alone.
                let pixelwise = convolution.shape.kernel == [1, 1]
                    && convolution.strides == [1, 1]
                    && [source.height, source.width] == [output.height, output.width];
                let gates = [node.epilogue.gate, convolution.gate];
                let alone = output.height * output.width == 1 && gates == [None; 2] && !summed;
                (output.width == 1 || pixelwise && source.is_even(), alone)
            }
            Choice::Winograd(..)
            | Choice::Pool(_)
            | Choice::Mean(_)
            | Choice::Elementwise(..)
            | Choice::Normalize(..)
            | Choice::Softmax
            | Choice::Rearrange(_)
            | Choice::GateWeights
            | Choice::Expand
            | Choice::Concat(_) => return None,
        };
        Some(Tiling {
            m_tiling: if images_as_pixels {
                MTiling::new(self.choices.images, 1, true, mr)
            } else {
                MTiling::new(output.height, output.width, even, mr)
            },
            images_as_pixels,
        })
    }

    /// Where `id` lies: in a buffer of its own, if nothing is said yet.
    fn locate(&mut self, id: Id) -> Location {
        let own = Location {
            buffer: self.buffers.len(),
            channel: 0,
        };
        let location = *self.locations.entry(id).or_insert(own);
        if location == own {
            let tensor = &self.choices.tensors[id];
            let made_by = tensor.made_by.unwrap_or_default();
            self.buffers.push(MapBuffer {
                channels: tensor.channels,
                height: tensor.height,
                width: tensor.width,
                planes: tensor.planes,
                element_type: tensor.element_type,
                halo: tensor.halo,
                used: [made_by, tensor.last_read.max(made_by)],
                overwritten: None,
            });
        }
        location
    }
}

/// Sizes that cannot be counted are as large as can be, which [`check_size`] refuses.
impl MapBuffer {
    pub(super) fn pixel_stride(&self) -> usize {
        if self.planes { 1 } else { BLOCK }
    }

    pub(super) fn row_stride(&self) -> usize {
        let [_, _, before, after] = self.halo;
        let pixels = before.saturating_add(self.width).saturating_add(after);
        pixels.saturating_mul(self.pixel_stride())
    }

    fn rows(&self) -> usize {
        let [above, below, ..] = self.halo;
        above.saturating_add(self.height).saturating_add(below)
    }

    /// From one block of channels, or plane, to the next.
    pub(super) fn block_stride(&self) -> usize {
        let plane = self.rows().saturating_mul(self.row_stride());
        if self.planes {
            plane
        } else {
            let line = LINE / self.element_type.size();
            spread(plane.div_ceil(line)).saturating_mul(line)
        }
    }

    fn blocks(&self) -> usize {
        if self.planes {
            self.channels
        } else {
            blocks(self.channels)
        }
    }

    pub(super) fn image_stride(&self) -> usize {
        self.blocks().saturating_mul(self.block_stride())
    }

    /// Whether all pixels of a map are an even stride apart.
    fn is_even(&self) -> bool {
        self.height == 1 || self.width == 1 || self.halo[2..] == [0; 2]
    }

    /// The halo of zeros around the maps of so many images, in a buffer at that byte.
    pub(super) fn halo(&self, images: usize, byte: usize) -> Halo {
        let [above, below, before, after] = self.halo;
        Halo {
            element_type: self.element_type,
            offset: byte / self.element_type.size(),
            planes: images * self.blocks(),
            plane_stride: self.block_stride(),
            row_stride: self.row_stride(),
            rows: self.rows(),
            columns_around: [before, after].map(|columns| columns * self.pixel_stride()),
            rows_around: [above, below],
        }
    }
}
