//! Each kernel as its formula reads: what the others are tested against.

use super::{
    BLOCK, BlockView, Elementwise, Epilogue, Gemm, Memory, MicroTile, PixelOffsets, Pool, Pooling,
    SmallGroup,
};

pub(super) fn gemm(memory: &Memory<'_>, gemm: &Gemm<'_>) {
    let width = gemm.nr_blocks * BLOCK;
    for (number, micro_tile) in gemm.micro_tiles.iter().enumerate() {
        for row in 0..micro_tile.pixels {
            let source = gemm.source + micro_tile.source + row * gemm.pixel_stride;
            for channel in 0..width {
                let mut total = 0.;
                let mut weights = gemm.weights.iter().skip(channel).step_by(width);
                for segment in gemm.k_offsets.segments() {
                    let mut sum = 0.;
                    for &offset in segment {
                        for number in 0..gemm.k_offsets.run_length {
                            let weight = weights.next().copied().unwrap_or_default();
                            sum += memory.get(source + offset + number) * weight;
                        }
                    }
                    total += sum;
                }
                let pixel = Pixel {
                    number,
                    micro_tile,
                    row,
                };
                finish(memory, &gemm.epilogue, &pixel, channel, total);
            }
        }
    }
}

pub(super) fn small_group(memory: &Memory<'_>, small_group: &SmallGroup<'_>) {
    for (number, micro_tile) in small_group.micro_tiles.iter().enumerate() {
        for row in 0..micro_tile.pixels {
            for channel in 0..BLOCK {
                let mut sum = 0.;
                for kernel_row in 0..3 {
                    for (input, lanes) in small_group.lanes.iter().enumerate() {
                        for column in 0..3 {
                            let source = small_group.source
                                + micro_tile.source
                                + kernel_row * small_group.row_stride
                                + (row * small_group.stride + column) * BLOCK
                                + lanes[channel] as usize;
                            let tap = (kernel_row * small_group.lanes.len() + input) * 3 + column;
                            sum += memory.get(source) * small_group.weights[tap * BLOCK + channel];
                        }
                    }
                }
                let pixel = Pixel {
                    number,
                    micro_tile,
                    row,
                };
                finish(memory, &small_group.epilogue, &pixel, channel, sum);
            }
        }
    }
}

/// A pixel of a line: of which micro-tile, that one's number, and which of the micro-tile's pixels.
struct Pixel<'a> {
    number: usize,
    micro_tile: &'a MicroTile,
    row: usize,
}

/// The end of a pixel's channel.
fn finish(
    memory: &Memory<'_>,
    epilogue: &Epilogue<'_>,
    pixel: &Pixel<'_>,
    channel: usize,
    sum: f32,
) {
    let Pixel {
        number,
        micro_tile,
        row,
    } = *pixel;
    let at = |place: &BlockView, offsets: &PixelOffsets| {
        let pixel = place.offset + offsets.offsets[row] as usize;
        pixel + channel / BLOCK * place.block_stride + channel % BLOCK
    };
    let output = at(&epilogue.output, &micro_tile.output);
    let mut value = sum + epilogue.bias[channel];
    if let Some(gate) = epilogue.gate {
        value *= memory.get(gate + channel);
    }
    if let Some((place, offsets)) = epilogue.residual.as_ref().zip(micro_tile.residual.as_ref()) {
        value += memory.get(at(place, offsets));
    }
    if epilogue.relu {
        value = rectified(value);
    }
    memory.set(output, value);
    if let Some(sums) = epilogue.sums {
        add(memory, sums + channel, number + row == 0, value);
    }
}

/// Adds a pixel's value to the sum at `offset`, which begins with the first.
pub(super) fn add(memory: &Memory<'_>, offset: usize, first: bool, value: f32) {
    let before = if first { 0. } else { memory.get(offset) };
    memory.set(offset, before + value);
}

/// NaN stays NaN.
pub(super) fn rectified(value: f32) -> f32 {
    if value < 0. { 0. } else { value }
}

pub(super) fn pool(memory: &Memory<'_>, pool: &Pool<'_>) {
    for (pixel, &[first, end]) in pool.columns.iter().enumerate() {
        for lane in 0..BLOCK {
            let row = |row: usize| {
                let start = pool.source + row * pool.row_stride + lane;
                (first..end).map(move |column| memory.get(start + column * BLOCK))
            };
            let value = match pool.pooling {
                Pooling::Max => (0..pool.rows)
                    .flat_map(row)
                    .fold(f32::NEG_INFINITY, |a, b| if a > b { a } else { b }),
                Pooling::Mean => {
                    let sum: f32 = (0..pool.rows).map(|index| row(index).sum::<f32>()).sum();
                    sum * pool.factors[pixel]
                }
            };
            memory.set(pool.output + pixel * BLOCK + lane, value);
            if let Some(sums) = pool.sums {
                add(memory, sums + lane, pixel == 0, value);
            }
        }
    }
}

pub(super) fn elementwise(memory: &Memory<'_>, elementwise: &Elementwise<'_>) {
    for pixel in 0..elementwise.pixels {
        for lane in 0..BLOCK {
            let offset = pixel * BLOCK + lane;
            let mut value = memory.get(elementwise.source + offset);
            if let Some([factor, bias]) = elementwise.norm {
                value = value * factor[lane] + bias[lane];
            }
            if let Some(gate) = elementwise.gate {
                value *= memory.get(gate + lane);
            }
            if let Some(residual) = elementwise.residual {
                value += memory.get(residual + offset);
            }
            if elementwise.relu {
                value = rectified(value);
            }
            memory.set(elementwise.output + offset, value);
            if let Some(sums) = elementwise.sums {
                add(memory, sums + lane, pixel == 0, value);
            }
        }
    }
}

pub(super) use super::winograd::{input_transform, output_transform};
