//! Each kernel as its formula reads: what the others are tested against.
//!
//! - M: the pixels of a micro-tile, m one of them.
//! - N: the output channels that are computed, n one of them.
//! - K: the elements that one output is summed up from, k one of them.
//! - C: the input channels of a group, c one of them.
//! - T: the elements of K that are multiplied together, t one of them.
//! - R, S: rows and columns of a kernel or of a Winograd tile, r and s one of them.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over the letters read like the formulas"
)]

use super::activation::activated;
use super::{
    BLOCK, BlockView, Depthwise, Elementwise, Gemm, InputTransform, Memory, MicroTile, Output,
    OutputTransform, Pool, Pooling, ScaledRows, SmallGroup,
};
use crate::cpu::element::Element;
use crate::cpu::epilogue::Epilogue;

/// `y[m][n] = sum over k of x[m][k] * w[k][n]`, k in segments, and of what is multiplied together the
/// last first, as processors do.
pub(super) fn gemm<Source: Element, Stored: Element>(memory: &Memory<'_>, gemm: &Gemm<'_, Source>) {
    let nr = gemm.nr_blocks * BLOCK;
    let together = Source::TYPE.together();
    for (index, micro_tile) in gemm.micro_tiles.iter().enumerate() {
        for m in 0..micro_tile.pixels {
            let x = gemm.source + micro_tile.source + m * gemm.pixel_stride;
            for n in 0..nr {
                let (mut k, mut total) = (0, 0.);
                for segment in gemm.k_offsets.segments() {
                    let mut sum = 0.;
                    for run in segment {
                        for first in (0..run.length).step_by(together) {
                            for t in (0..together).rev() {
                                let element = memory.get::<Source>(x + run.offset + first + t);
                                let w = gemm.weights[k * nr + n * together + t].widened();
                                sum += element * w;
                            }
                            k += together;
                        }
                    }
                    total += sum;
                }
                let pixel = (index, micro_tile, m);
                store::<Stored>(memory, &gemm.output, pixel, n, total);
            }
        }
    }
}

/// `y[m][n] = sum over r, c, s of x[r][m * stride + s][lanes[c][n]] * w[r][c][s][n]`.
pub(super) fn small_group<Source: Element, Stored: Element>(
    memory: &Memory<'_>,
    small_group: &SmallGroup<'_, Source>,
) {
    let together = Source::TYPE.together();
    let SmallGroup {
        lanes,
        row_stride,
        stride,
        weights,
        ..
    } = *small_group;
    for (index, micro_tile) in small_group.micro_tiles.iter().enumerate() {
        let x = small_group.source + micro_tile.source;
        for m in 0..micro_tile.pixels {
            for n in 0..BLOCK {
                let mut sum = 0.;
                for r in 0..3 {
                    for c in 0..lanes.len() {
                        for s in 0..3 {
                            let lane = lanes[c][n] as usize * together;
                            let column = (m * stride + s) * BLOCK + lane;
                            let w = ((r * lanes.len() + c) * 3 + s) * BLOCK + n;
                            for t in (0..together).rev() {
                                let w = weights[w * together + t].widened();
                                sum += memory.get::<Source>(x + r * row_stride + column + t) * w;
                            }
                        }
                    }
                }
                let pixel = (index, micro_tile, m);
                store::<Stored>(memory, &small_group.output, pixel, n, sum);
            }
        }
    }
}

/// `y[m][n] = sum over r, s of x[r][m * stride + s][n] * w[r][s][n]`.
pub(super) fn depthwise<Source: Element, Stored: Element>(
    memory: &Memory<'_>,
    depthwise: &Depthwise<'_>,
) {
    let [rows, columns] = depthwise.kernel;
    for (index, micro_tile) in depthwise.micro_tiles.iter().enumerate() {
        for m in 0..micro_tile.pixels {
            let x = depthwise.source + micro_tile.source + m * depthwise.pixel_stride;
            for n in 0..BLOCK {
                let mut sum = 0.;
                for r in 0..rows {
                    for s in 0..columns {
                        let tap = r * depthwise.row_stride + s * depthwise.column_stride;
                        let w = depthwise.weights[(r * columns + s) * BLOCK + n];
                        sum += memory.get::<Source>(x + tap + n) * w;
                    }
                }
                let pixel = (index, micro_tile, m);
                store::<Stored>(memory, &depthwise.output, pixel, n, sum);
            }
        }
    }
}

/// The end of a sum: of which micro-tile, by its index, which pixel, and which channel.
fn store<Stored: Element>(
    memory: &Memory<'_>,
    output: &Output<'_>,
    (index, micro_tile, m): (usize, &MicroTile, usize),
    n: usize,
    sum: f32,
) {
    let Output {
        bias,
        epilogue,
        view,
        ..
    } = output;
    let residual = |view: &BlockView| {
        let offset = micro_tile.residual.as_ref().map(|offsets| offsets.get(m));
        view.channel(n) + offset.unwrap_or_default()
    };
    let value = finished::<Stored>(memory, epilogue, sum + bias[n], n, residual);
    memory.set::<Stored>(view.channel(n) + micro_tile.output.get(m), value);
    if let Some(sums) = epilogue.channel_sums {
        add(memory, sums.channel(n), index + m == 0, value);
    }
}

/// What an epilogue makes of a channel's value, its sums aside: the residual is added from where
/// `residual` says.
fn finished<Stored: Element>(
    memory: &Memory<'_>,
    epilogue: &Epilogue<BlockView>,
    value: f32,
    n: usize,
    residual: impl Fn(&BlockView) -> usize,
) -> f32 {
    let mut value = value;
    if let Some(gate) = &epilogue.gate {
        value *= memory.get::<f32>(gate.channel(n));
    }
    if let Some(view) = &epilogue.residual {
        value += memory.get::<Stored>(residual(view));
    }
    epilogue
        .activation
        .map_or(value, |activation| activated(activation, value))
}

/// Adds a pixel's value to the sum at `offset`, which begins with the first.
fn add(memory: &Memory<'_>, offset: usize, first: bool, value: f32) {
    let before = if first { 0. } else { memory.get::<f32>(offset) };
    memory.set::<f32>(offset, before + value);
}

/// `y[m][n]` = over the window of m the largest or the mean of `x[r][s][n]`, or the sum of
/// `x[r][s][n] * row_taps[r] * column_taps[m][s]`.
pub(super) fn pool<Source: Element, Stored: Element>(memory: &Memory<'_>, pool: &Pool<'_>) {
    for (m, &[first, end]) in pool.columns.iter().enumerate() {
        for n in 0..BLOCK {
            let row = |r: usize| {
                let x = pool.source + r * pool.row_stride + n;
                (first..end).map(move |s| memory.get::<Source>(x + s * BLOCK))
            };
            let value = match pool.pooling {
                Pooling::Max => (0..pool.rows)
                    .flat_map(row)
                    .fold(f32::NEG_INFINITY, |a, b| if a > b { a } else { b }),
                Pooling::Mean => {
                    let sum: f32 = (0..pool.rows).map(|r| row(r).sum::<f32>()).sum();
                    sum * pool.factors[m]
                }
                Pooling::Filter => {
                    let filtered = |r: usize| -> f32 {
                        let taps = row(r).zip(&pool.column_taps[m]);
                        taps.map(|(x, tap)| x * tap).sum()
                    };
                    let rows = pool.row_taps.iter().enumerate();
                    rows.map(|(r, tap)| filtered(r) * tap).sum()
                }
            };
            memory.set::<Stored>(pool.output + m * BLOCK + n, value);
            if let Some(sums) = pool.channel_sums {
                add(memory, sums + n, m == 0, value);
            }
        }
    }
}

/// `y[k][n] = w[k][n] * factor[k]`.
pub(super) fn scaled_rows<Weight: Element, Stored: Element>(
    memory: &Memory<'_>,
    rows: &ScaledRows<'_, Weight>,
) {
    let nr = rows.rows.len() / rows.count;
    let together = Weight::TYPE.together();
    for k in 0..rows.count {
        let factor = memory.get::<f32>(rows.factors + k);
        for n in 0..nr {
            let element = (k / together * nr + n) * together + k % together;
            let weight = rows.rows[element].widened();
            memory.set::<Stored>(rows.output + element, weight * factor);
        }
    }
}

/// `y[m][n] = (x[m][n] * factor[n] + bias[n]) * product[m][n]`.
pub(super) fn elementwise<Source: Element, Stored: Element>(
    memory: &Memory<'_>,
    elementwise: &Elementwise<'_>,
) {
    let epilogue = &elementwise.epilogue;
    for m in 0..elementwise.pixels {
        for n in 0..BLOCK {
            let mut value = memory.get::<Source>(elementwise.source + m * BLOCK + n);
            if let Some([factor, bias]) = elementwise.norm {
                value = value * factor[n] + bias[n];
            }
            if let Some(product) = elementwise.product {
                value *= memory.get::<Source>(product + m * BLOCK + n);
            }
            let residual = |view: &BlockView| view.channel(n) + m * BLOCK;
            let value = finished::<Stored>(memory, epilogue, value, n, residual);
            memory.set::<Stored>(elementwise.output + m * BLOCK + n, value);
            if let Some(sums) = epilogue.channel_sums {
                add(memory, sums.channel(n), m == 0, value);
            }
        }
    }
}

/// `y[r][s]` = the matrix times a tile of x times the matrix's transpose.
pub(super) fn input_transform<Source: Element, Stored: Element>(
    memory: &Memory<'_>,
    tiles: &InputTransform,
) {
    let (side, matrix) = (tiles.tile.input_side(), tiles.tile.of_input());
    for tile in 0..tiles.tiles {
        for n in 0..BLOCK {
            let x = tiles.source + tile * tiles.tile.output_side() * BLOCK + n;
            let input = |r, s| memory.get::<Source>(x + r * tiles.row_stride + s * BLOCK);
            let values = both_sides(&matrix, side, input);
            for (element, value) in values.into_iter().enumerate() {
                let y = tiles.output + element * tiles.element_stride + tile * BLOCK + n;
                memory.set::<Stored>(y, value);
            }
        }
    }
}

/// `y[r][s]` = the matrix times a tile of x times the matrix's transpose.
pub(super) fn output_transform<Source: Element, Stored: Element>(
    memory: &Memory<'_>,
    tiles: &OutputTransform<'_>,
) {
    let Output {
        bias,
        epilogue,
        view,
        ..
    } = &tiles.output;
    let [side, output_side] = [tiles.tile.input_side(), tiles.tile.output_side()];
    let matrix = tiles.tile.of_output();
    for tile in 0..tiles.width.div_ceil(output_side) {
        for n in 0..BLOCK {
            let x = tiles.source + tile * BLOCK + n;
            let input = |r, s| memory.get::<Source>(x + (r * side + s) * tiles.element_stride);
            let values = both_sides(&matrix, side, input);
            for (pixel, sum) in values.into_iter().enumerate() {
                let (r, s) = (
                    pixel / output_side,
                    tile * output_side + pixel % output_side,
                );
                if r >= tiles.rows || s >= tiles.width {
                    continue;
                }
                let at = |view: &BlockView| view.channel(n) + r * view.row_stride + s * BLOCK;
                let value = finished::<Stored>(memory, epilogue, sum + bias[n], n, at);
                memory.set::<Stored>(at(view), value);
                if let Some(sums) = epilogue.channel_sums {
                    add(memory, sums.channel(n), tile + pixel == 0, value);
                }
            }
        }
    }
}

/// Matrix times input times the matrix's transpose, row by row.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the kernels compute in f32"
)]
fn both_sides(matrix: &[Vec<f64>], side: usize, input: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut values = Vec::with_capacity(matrix.len() * matrix.len());
    for of_row in matrix {
        for of_column in matrix {
            let mut sum = 0.;
            for r in 0..side {
                for s in 0..side {
                    sum += of_row[r] * of_column[s] * f64::from(input(r, s));
                }
            }
            values.push(sum as f32);
        }
    }
    values
}
