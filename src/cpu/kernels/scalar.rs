//! Each kernel as its formula reads: what the others are tested against.

use super::{
    BLOCK, Epilogue, Memory, Narrow, Offsets, Place, Pointwise, Pool, Pooling, Product, Spot,
};

pub(super) fn product(memory: &Memory<'_>, product: &Product<'_>) {
    let width = product.blocks * BLOCK;
    for (number, spot) in product.spots.iter().enumerate() {
        for row in 0..spot.rows {
            let source = product.source + spot.source + row * product.step;
            for channel in 0..width {
                let mut total = 0.;
                let mut weights = product.weights.iter().skip(channel).step_by(width);
                for segment in product.runs.segments() {
                    let mut sum = 0.;
                    for &offset in segment {
                        for number in 0..product.runs.length {
                            let weight = weights.next().copied().unwrap_or_default();
                            sum += memory.get(source + offset + number) * weight;
                        }
                    }
                    total += sum;
                }
                let pixel = Pixel { number, spot, row };
                finish(memory, &product.epilogue, &pixel, channel, total);
            }
        }
    }
}

pub(super) fn narrow(memory: &Memory<'_>, narrow: &Narrow<'_>) {
    for (number, spot) in narrow.spots.iter().enumerate() {
        for row in 0..spot.rows {
            for channel in 0..BLOCK {
                let mut sum = 0.;
                for kernel_row in 0..3 {
                    for (input, lanes) in narrow.lanes.iter().enumerate() {
                        for column in 0..3 {
                            let source = narrow.source
                                + spot.source
                                + kernel_row * narrow.row
                                + (row * narrow.stride + column) * BLOCK
                                + lanes[channel] as usize;
                            let tap = (kernel_row * narrow.lanes.len() + input) * 3 + column;
                            sum += memory.get(source) * narrow.weights[tap * BLOCK + channel];
                        }
                    }
                }
                let pixel = Pixel { number, spot, row };
                finish(memory, &narrow.epilogue, &pixel, channel, sum);
            }
        }
    }
}

/// A pixel of a line: of which spot, that one's number, and which of the spot's pixels.
struct Pixel<'a> {
    number: usize,
    spot: &'a Spot,
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
    let Pixel { number, spot, row } = *pixel;
    let at = |place: &Place, offsets: &Offsets| {
        let pixel = place.start + offsets.of_pixels[row] as usize;
        pixel + channel / BLOCK * place.block + channel % BLOCK
    };
    let output = at(&epilogue.output, &spot.output);
    let mut value = sum + epilogue.bias[channel];
    if let Some(gate) = epilogue.gate {
        value *= memory.get(gate + channel);
    }
    if let Some((place, offsets)) = epilogue.residual.as_ref().zip(spot.residual.as_ref()) {
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
                let start = pool.source + row * pool.row + lane;
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

pub(super) fn pointwise(memory: &Memory<'_>, pointwise: &Pointwise<'_>) {
    for pixel in 0..pointwise.pixels {
        for lane in 0..BLOCK {
            let offset = pixel * BLOCK + lane;
            let mut value = memory.get(pointwise.source + offset);
            if let Some([factor, bias]) = pointwise.norm {
                value = value * factor[lane] + bias[lane];
            }
            if let Some(gate) = pointwise.gate {
                value *= memory.get(gate + lane);
            }
            if let Some(residual) = pointwise.residual {
                value += memory.get(residual + offset);
            }
            if pointwise.relu {
                value = rectified(value);
            }
            memory.set(pointwise.output + offset, value);
            if let Some(sums) = pointwise.sums {
                add(memory, sums + lane, pixel == 0, value);
            }
        }
    }
}

pub(super) use super::winograd::{tiles_in, tiles_out};
