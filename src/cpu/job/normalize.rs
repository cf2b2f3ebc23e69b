//! Layer norms, group norms and softmax, which need all channels of a pixel or a whole map. Plain
//! loops over blocks of channels, which the compiler vectorises.

use std::array::from_fn;
use std::ops::Range;

use super::RunContext;
use crate::cpu::element::with_element;
use crate::cpu::kernels::{BLOCK, Memory};
use crate::cpu::pack::round;
use crate::cpu::view::View;

/// A layer norm: each pixel by the mean and variance of its channels.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct NormalizePixelsJob {
    /// Which of the packed weights are its factors and biases.
    pub(in crate::cpu) packed: usize,
    pub(in crate::cpu) channels: usize,
    pub(in crate::cpu) epsilon: f64,
    pub(in crate::cpu) source: View,
    pub(in crate::cpu) output: View,
}

/// A group norm: each group of channels by the mean and variance of its map.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct NormalizeGroupsJob {
    /// Which of the packed weights are its factors and biases.
    pub(in crate::cpu) packed: usize,
    pub(in crate::cpu) channels: usize,
    pub(in crate::cpu) groups: usize,
    pub(in crate::cpu) epsilon: f64,
    pub(in crate::cpu) source: View,
    pub(in crate::cpu) output: View,
}

/// The share of each channel's exponential in those of all channels of its pixel.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct SoftmaxJob {
    pub(in crate::cpu) channels: usize,
    pub(in crate::cpu) source: View,
    pub(in crate::cpu) output: View,
}

/// Channels that lie together.
type Block = [f32; BLOCK];

impl NormalizePixelsJob {
    /// Rows of all images.
    pub(super) fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        let memory = &context.memory;
        let packed = &context.packed[self.packed];
        let [all_weights, all_biases] = [packed.weights(), packed.bias];
        let count = self.channels as f64;
        let mut pixel = vec![[0.; BLOCK]; self.source.blocks];
        each_pixel([&self.source, &self.output], rows, |source, output| {
            read(memory, &self.source, source, self.channels, &mut pixel);
            let mean = round(sum(pixel.iter().copied()) / count);
            let centred = |block: Block| block.map(|element| element - mean);
            let mut left = self.channels;
            let squares = pixel.iter().map(|&block| {
                let squares = masked(centred(block), left).map(|element| element * element);
                left = left.saturating_sub(BLOCK);
                squares
            });
            let variance = sum(squares) / count;
            let factor = round((variance + self.epsilon).sqrt().recip());
            let mut first = 0;
            let normalized = pixel.iter().map(|&block| {
                let [weights, biases] = [all_weights, all_biases].map(|of| &of[first..][..BLOCK]);
                first += BLOCK;
                let centred = centred(block);
                from_fn(|lane| centred[lane] * factor * weights[lane] + biases[lane])
            });
            write(memory, &self.output, output, normalized);
        });
    }
}

impl SoftmaxJob {
    /// Rows of all images.
    pub(super) fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        let memory = &context.memory;
        let mut pixel = vec![[0.; BLOCK]; self.source.blocks];
        let mut shares = vec![0_f64; self.channels];
        each_pixel([&self.source, &self.output], rows, |source, output| {
            read(memory, &self.source, source, self.channels, &mut pixel);
            let elements = pixel.as_flattened().iter().take(self.channels);
            // What is largest becomes exp(0), so that nothing overflows.
            let largest = elements.clone().copied().fold(f32::NEG_INFINITY, f32::max);
            for (share, &element) in shares.iter_mut().zip(elements) {
                *share = (f64::from(element) - f64::from(largest)).exp();
            }
            let sum: f64 = shares.iter().sum();
            let blocks = shares.chunks(BLOCK).map(|shares| {
                from_fn(|lane| shares.get(lane).map_or(0., |share| round(share / sum)))
            });
            write(memory, &self.output, output, blocks);
        });
    }
}

impl NormalizeGroupsJob {
    /// Groups of all images.
    pub(super) fn run(&self, groups: Range<usize>, context: &RunContext<'_>) {
        let memory = &context.memory;
        let packed = &context.packed[self.packed];
        let [all_weights, all_biases] = [packed.weights(), packed.bias];
        let of_group = self.channels / self.groups;
        for index in groups {
            let (image, group) = (index / self.groups, index % self.groups);
            let channels = group * of_group..(group + 1) * of_group;
            let at = |view: &View, channel: usize, row: usize| {
                view.at(image, channel / BLOCK) + row * view.row_stride + channel % BLOCK
            };
            let each = |see: &mut dyn FnMut(usize, usize, usize)| {
                for channel in channels.clone() {
                    for row in 0..self.source.height {
                        for column in 0..self.source.width {
                            see(channel, row, column);
                        }
                    }
                }
            };
            let element = |channel, row, column| {
                let place = at(&self.source, channel, row) + column * self.source.pixel_stride;
                f64::from(with_element!(self.source.element_type, E => memory.get::<E>(place)))
            };
            let count = (of_group * self.source.height * self.source.width) as f64;
            let mut sum = 0.;
            each(&mut |channel, row, column| sum += element(channel, row, column));
            let mean = sum / count;
            let mut squares = 0.;
            each(&mut |channel, row, column| {
                squares += (element(channel, row, column) - mean).powi(2);
            });
            let factor = (squares / count + self.epsilon).sqrt().recip();
            each(&mut |channel, row, column| {
                let normalized = (element(channel, row, column) - mean) * factor;
                let [weight, bias] =
                    [all_weights, all_biases].map(|numbers| f64::from(numbers[channel]));
                let place = at(&self.output, channel, row) + column * self.output.pixel_stride;
                let number = round(normalized * weight + bias);
                memory.write(self.output.element_type, place, &[number]);
            });
            let rest = self.channels.next_multiple_of(BLOCK) - self.channels;
            if channels.end == self.channels && rest > 0 {
                for row in 0..self.output.height {
                    for column in 0..self.output.width {
                        let place = at(&self.output, self.channels, row);
                        let place = place + column * self.output.pixel_stride;
                        memory.zero(self.output.element_type, place, rest);
                    }
                }
            }
        }
    }
}

/// Hands on where each pixel of some rows of all images begins in both views.
fn each_pixel(views: [&View; 2], rows: Range<usize>, mut see: impl FnMut(usize, usize)) {
    let [_, output] = views;
    for index in rows {
        let (image, row) = (index / output.height, index % output.height);
        for column in 0..output.width {
            let [source, output] = views
                .map(|view| view.at(image, 0) + row * view.row_stride + column * view.pixel_stride);
            see(source, output);
        }
    }
}

/// All channels of a pixel, zeros after the last.
fn read(memory: &Memory<'_>, view: &View, place: usize, channels: usize, pixel: &mut [Block]) {
    for (index, block) in pixel.iter_mut().enumerate() {
        let elements = memory.block(view.element_type, place + index * view.block_stride);
        *block = masked(elements, channels.saturating_sub(index * BLOCK));
    }
}

fn write(memory: &Memory<'_>, view: &View, place: usize, blocks: impl Iterator<Item = Block>) {
    for (index, block) in blocks.enumerate() {
        memory.write(view.element_type, place + index * view.block_stride, &block);
    }
}

/// The first `channels` of a block, and zeros.
fn masked(block: Block, channels: usize) -> Block {
    from_fn(|lane| if lane < channels { block[lane] } else { 0. })
}

/// Sums of each lane in single precision, of which there are few, and of all lanes in double.
fn sum(blocks: impl Iterator<Item = Block>) -> f64 {
    let lanes = blocks.fold([0_f32; BLOCK], |sums, block| {
        from_fn(|lane| sums[lane] + block[lane])
    });
    lanes.into_iter().map(f64::from).sum()
}
