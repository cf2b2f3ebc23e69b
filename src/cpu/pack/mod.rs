//! Weights read, folded and packed in the order in which the kernels read them.

mod layout;
mod reader;

use std::array::from_fn;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::{cast_slice, cast_slice_mut};
use rayon::prelude::*;

pub(super) use self::layout::{ConvShape, Panel, Panels, SmallGroupBlock, WeightOrder};
use self::reader::Matrix;
pub(super) use self::reader::WeightReader;
pub(super) use self::reader::round;
use super::element::{Element, ElementType, with_element};
use super::fuse::WeightSource;
use super::kernels::{BLOCK, WinogradTile};
use super::pages::Pages;
use crate::error::Result;

/// Weights that a plan needs: which, and how they are packed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PackedWeight {
    pub(super) source: WeightSource,
    pub(super) order: WeightOrder,
}

/// Where a packed weight is: its bytes in pages that it shares with others.
#[derive(Debug, Clone)]
pub(super) struct PackedBytes {
    pages: Arc<Pages>,
    element_type: ElementType,
    weights: Range<usize>,
    bias: Range<usize>,
}

/// A packed weight's elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'a> {
    bytes: &'a [u8],
    /// What the weights are.
    pub(super) element_type: ElementType,
    /// For each output channel, in whole blocks.
    pub(super) bias: &'a [f32],
}

impl PackedBytes {
    pub(super) fn elements(&self) -> Packed<'_> {
        let bytes = self.pages.bytes();
        Packed {
            bytes: &bytes[self.weights.clone()],
            element_type: self.element_type,
            bias: cast_slice(&bytes[self.bias.clone()]),
        }
    }
}

impl<'a> Packed<'a> {
    /// The weights, of the type that they are packed in.
    ///
    /// # Panics
    ///
    /// Where they are of another.
    pub(super) fn weights<E: Element>(&self) -> &'a [E] {
        assert_eq!(self.element_type, E::TYPE, "weights of another type");
        cast_slice(self.bytes)
    }
}

/// Packs weights into pages of their own.
///
/// # Errors
///
/// A tensor that is not there or has another shape, or more memory than the system gives.
pub(super) fn pack(
    weights: Vec<PackedWeight>,
    reader: &WeightReader<'_>,
) -> Result<Vec<(PackedWeight, PackedBytes)>> {
    let sizes: Vec<[usize; 2]> = weights.iter().map(|each| each.order.bytes()).collect();
    let mut pages = Pages::zeroed(sizes.iter().flatten().sum())?;
    let mut rest = pages.bytes_mut();
    let mut jobs = Vec::with_capacity(weights.len());
    for (weight, [of_weights, of_bias]) in weights.iter().zip(&sizes) {
        let (weights, after) = rest.split_at_mut(*of_weights);
        let (bias, after) = after.split_at_mut(*of_bias);
        rest = after;
        jobs.push((weight, weights, bias));
    }
    // All at once: a layer at a time, threads would wait for each other at every small one.
    jobs.into_par_iter()
        .try_for_each(|(weight, weights, bias)| {
            let bias = cast_slice_mut(bias);
            let PackedWeight { source, order } = weight;
            reader.matrix(source, order.outputs(), |matrix| {
                with_element!(order.element_type(), E => {
                    order.pack::<E>(matrix, cast_slice_mut(weights));
                });
                bias[..matrix.bias.len()].copy_from_slice(&matrix.bias);
            })
        })?;
    let pages = Arc::new(pages);
    let mut end = 0;
    let mut after = |bytes: usize| {
        end += bytes;
        end - bytes..end
    };
    let each = weights.iter().zip(sizes);
    let places = each.map(|(weight, [weights, bias])| PackedBytes {
        pages: pages.clone(),
        element_type: weight.order.element_type(),
        weights: after(weights),
        bias: after(bias),
    });
    let places: Vec<PackedBytes> = places.collect();
    Ok(weights.into_iter().zip(places).collect())
}

/// One output's kernels in a matrix.
struct Kernels<'a> {
    weights: &'a [f32],
    /// What each of them is multiplied by.
    factor: f64,
    /// The input channels that it is computed from.
    channels: Range<usize>,
    /// Weights of the kernel of one channel.
    taps: usize,
}

impl WeightOrder {
    /// Packs a matrix into `weights`, which are zero.
    fn pack<E: Element>(&self, matrix: &Matrix<'_>, weights: &mut [E]) {
        match self {
            Self::Panels(shape) => panels(shape, matrix, weights),
            Self::SmallGroup(shape) => small_group(shape, matrix, weights),
            Self::Depthwise(shape) => depthwise(shape, matrix, weights),
            Self::Winograd(shape, tile) => winograd(shape, *tile, matrix, weights),
            Self::PerChannel(_) => {
                let channels = matrix.weights.iter().zip(matrix.factors);
                for (to, (weight, factor)) in weights.iter_mut().zip(channels) {
                    *to = E::rounded(round(f64::from(*weight) * factor));
                }
            }
        }
    }
}

impl ConvShape {
    /// The kernels of `count` outputs from `first` on, or of those that there are.
    fn kernels<'a>(&self, matrix: &Matrix<'a>, first: usize, count: usize) -> Vec<Kernels<'a>> {
        let taps = self.kernel[0] * self.kernel[1];
        let outputs = (first..self.outputs).take(count);
        outputs
            .map(|output| {
                let channel = output / self.outputs_per_group() * self.inputs_per_group();
                let each = self.inputs_per_group() * taps;
                Kernels {
                    weights: &matrix.weights[output * each..(output + 1) * each],
                    factor: matrix.factors[output],
                    channels: channel..channel + self.inputs_per_group(),
                    taps,
                }
            })
            .collect()
    }
}

/// For each element of a tile what [`panels`] gives for a 1x1 convolution of the weights that it
/// stands for.
fn winograd<E: Element>(
    shape: &ConvShape,
    tile: WinogradTile,
    matrix: &Matrix<'_>,
    weights: &mut [E],
) {
    let transform = tile.of_weights();
    let together = E::TYPE.together();
    let panels = shape.of_one_pixel().panels();
    // For each panel, its part of the weights of each element.
    let mut parts: Vec<Vec<&mut [E]>> = panels.list.iter().map(|_| Vec::new()).collect();
    for of_element in weights.chunks_exact_mut(panels.elements()) {
        for (parts, part) in parts.iter_mut().zip(panels.split(of_element)) {
            parts.push(part);
        }
    }
    let jobs = panels.list.par_iter().zip(parts);
    jobs.for_each(|(panel, mut parts)| {
        let width = panel.blocks * BLOCK;
        let kernels = shape.kernels(matrix, panel.block * BLOCK, width);
        for (row, channel) in (panel.channel..).take(panel.k).enumerate() {
            for (column, kernels) in kernels.iter().enumerate() {
                let Some(kernel) = kernels.of(channel) else {
                    continue;
                };
                let place = (row / together * width + column) * together + row % together;
                for (part, weight) in parts.iter_mut().zip(transformed(&transform, kernel)) {
                    part[place] = E::rounded(round(weight * kernels.factor));
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

fn panels<E: Element>(shape: &ConvShape, matrix: &Matrix<'_>, weights: &mut [E]) {
    let panels = shape.panels();
    let together = E::TYPE.together();
    let jobs = panels.list.par_iter().zip(panels.split(weights));
    jobs.for_each(|(panel, part)| {
        let width = panel.blocks * BLOCK;
        let kernels = shape.kernels(matrix, panel.block * BLOCK, width);
        let channels = panel.channel..panel.channel + panels.reads[panel.reads].len();
        let elements = shape.elements_of_k(channels);
        // Of what is multiplied together.
        let rows = part.chunks_exact_mut(width * together);
        for (row, elements) in rows.zip(elements.chunks_exact(together)) {
            for (to, kernels) in row.chunks_exact_mut(together).zip(&kernels) {
                for (to, element) in to.iter_mut().zip(elements) {
                    let Some([channel, tap]) = *element else {
                        continue;
                    };
                    if let Some(kernel) = kernels.of(channel) {
                        *to = kernels.folded(kernel[tap]);
                    }
                }
            }
        }
    });
}

/// For each block of outputs `[kernel row][input][kernel column][16]`, where an input stands for as
/// many as are multiplied together: those of its output's lane.
fn small_group<E: Element>(shape: &ConvShape, matrix: &Matrix<'_>, weights: &mut [E]) {
    let together = E::TYPE.together();
    let mut rows = weights.chunks_exact_mut(BLOCK * together);
    let blocks = (0..shape.outputs).step_by(BLOCK);
    for (first, of_block) in blocks.zip(shape.small_group_blocks()) {
        let kernels = shape.kernels(matrix, first, BLOCK);
        for row in 0..3 {
            for lanes in &of_block.lanes {
                for (column, to) in (0..3).zip(&mut rows) {
                    let outputs = to.chunks_exact_mut(together).zip(lanes);
                    for ((to, &lane), kernels) in outputs.zip(&kernels) {
                        let first = of_block.block * BLOCK + lane as usize * together;
                        for (channel, to) in (first..).zip(to) {
                            if let Some(kernel) = kernels.of(channel) {
                                *to = kernels.folded(kernel[row * 3 + column]);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// For each block of channels `[kernel row][kernel column][16]`.
fn depthwise<E: Element>(shape: &ConvShape, matrix: &Matrix<'_>, weights: &mut [E]) {
    let taps = shape.kernel[0] * shape.kernel[1];
    let blocks = weights.chunks_exact_mut(taps * BLOCK);
    for (block, weights) in blocks.enumerate() {
        for (lane, kernel) in shape
            .kernels(matrix, block * BLOCK, BLOCK)
            .iter()
            .enumerate()
        {
            for (tap, &weight) in kernel.weights.iter().enumerate() {
                weights[tap * BLOCK + lane] = kernel.folded(weight);
            }
        }
    }
}

impl Kernels<'_> {
    /// The kernel of an input channel, if the output is computed from it.
    fn of(&self, channel: usize) -> Option<&[f32]> {
        let input = channel.wrapping_sub(self.channels.start);
        (input < self.channels.len()).then(|| &self.weights[input * self.taps..][..self.taps])
    }

    /// A weight of a kernel, folded.
    fn folded<E: Element>(&self, weight: f32) -> E {
        E::rounded(round(f64::from(weight) * self.factor))
    }
}
