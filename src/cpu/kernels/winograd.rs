//! Winograd's minimal filtering for 3x3 windows (Lavin and Gray, arXiv:1509.09308): a tile of
//! `m` by `m` outputs takes (m + 2)² multiplications a channel instead of 9 m².
//!
//! With the points 0, ±a, ±b and infinity, M(x) = x (x² - a²)(x² - b²): the rows of the input's
//! transform are the coefficients of M(x) / (x - point), and of M itself for infinity; those of
//! the weights' are powers of the point over M'(point); those of the output's are powers of the
//! points. Usual are a = 1, b = 2, whose error grows to 6e-6 of the largest output; 5/8 and 3/2,
//! found by search, leave a quarter of that, and all products of them here are exact.
#![allow(
    clippy::inline_always,
    clippy::needless_range_loop,
    reason = "see vector.rs"
)]

use super::vector::Vector;
use super::{BLOCK, Memory, scalar};

const A: f32 = 0.625;
const B: f32 = 1.5;

/// The pixels that Winograd's minimal filtering computes at once: the larger the tile, the fewer
/// multiplications a pixel takes, and the more it rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WinogradTile {
    /// F(2x2, 3x3): 4 multiplications a pixel instead of 9.
    F2x2,
    /// F(4x4, 3x3): 2.25 multiplications a pixel.
    #[default]
    F4x4,
}

/// A row of tiles, one block of channels, on its way in.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct InputTransform {
    pub(in crate::cpu) tile: WinogradTile,
    /// Offset of the first tile's first pixel.
    pub(in crate::cpu) source: usize,
    /// From one row of the source to the next.
    pub(in crate::cpu) row_stride: usize,
    pub(in crate::cpu) tiles: usize,
    /// Offset of the first tile's first number.
    pub(in crate::cpu) output: usize,
    /// From one of a tile's numbers to the next.
    pub(in crate::cpu) element_stride: usize,
}

/// A row of tiles, one block of channels, on its way out.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct OutputTransform<'a> {
    pub(in crate::cpu) tile: WinogradTile,
    /// Offset of the first tile's first number.
    pub(in crate::cpu) source: usize,
    /// From one of a tile's numbers to the next.
    pub(in crate::cpu) element_stride: usize,
    /// Pixels in a row of the output; its last tile may reach beyond.
    pub(in crate::cpu) width: usize,
    /// Rows of the output that are left, up to those of a tile.
    pub(in crate::cpu) rows: usize,
    /// 16 of them.
    pub(in crate::cpu) bias: &'a [f32],
    /// Offset of 16 factors.
    pub(in crate::cpu) gate: Option<usize>,
    /// Offset, and from one row to the next.
    pub(in crate::cpu) residual: Option<[usize; 2]>,
    pub(in crate::cpu) relu: bool,
    pub(in crate::cpu) output: [usize; 2],
    pub(in crate::cpu) sums: Option<usize>,
}

impl WinogradTile {
    /// `2x2` or `4x4`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F2x2 => "2x2",
            Self::F4x4 => "4x4",
        }
    }

    pub(in crate::cpu) fn output_side(self) -> usize {
        match self {
            Self::F2x2 => 2,
            Self::F4x4 => 4,
        }
    }

    /// Numbers of a tile along one side.
    pub(in crate::cpu) fn input_side(self) -> usize {
        self.output_side() + 2
    }

    /// The points but infinity.
    fn points(self) -> Vec<f64> {
        let [a, b] = [A, B].map(f64::from);
        match self {
            Self::F2x2 => vec![0., 1., -1.],
            Self::F4x4 => vec![0., a, -a, b, -b],
        }
    }

    /// The weights' transform, `numbers` by 3.
    pub(in crate::cpu) fn of_weights(self) -> Vec<[f64; 3]> {
        let points = self.points();
        let row = |&point: &f64| {
            let others = points
                .iter()
                .filter(|&&other| other.to_bits() != point.to_bits());
            let slope: f64 = others.map(|other| point - other).product();
            [1. / slope, point / slope, point * point / slope]
        };
        points.iter().map(row).chain([[0., 0., 1.]]).collect()
    }

    /// The input's transform, `numbers` by `numbers`.
    fn of_input(self) -> Vec<Vec<f64>> {
        let points = self.points();
        // Coefficients of the product of x - other, lowest first.
        let product = |left_out: Option<usize>| {
            let mut coefficients = vec![0.; self.input_side()];
            coefficients[0] = 1.;
            for (index, point) in points.iter().enumerate() {
                if Some(index) == left_out {
                    continue;
                }
                for place in (0..self.input_side()).rev() {
                    let lower = place.checked_sub(1).map_or(0., |lower| coefficients[lower]);
                    coefficients[place] = lower - point * coefficients[place];
                }
            }
            coefficients
        };
        let finite = (0..points.len()).map(|index| product(Some(index)));
        finite.chain([product(None)]).collect()
    }

    /// The output's transform, `outputs` by `numbers`.
    fn of_output(self) -> Vec<Vec<f64>> {
        let last = self.output_side() - 1;
        let mut power = vec![1.; self.points().len()];
        let mut rows = Vec::with_capacity(self.output_side());
        for row in 0..self.output_side() {
            let mut numbers = power.clone();
            numbers.push(if row == last { 1. } else { 0. });
            rows.push(numbers);
            for (power, point) in power.iter_mut().zip(self.points()) {
                *power *= point;
            }
        }
        rows
    }
}

/// Transforms tiles of the input, as the matrices say.
pub(super) fn input_transform(memory: &Memory<'_>, tiles: &InputTransform) {
    let (numbers, matrix) = (tiles.tile.input_side(), tiles.tile.of_input());
    for tile in 0..tiles.tiles {
        for lane in 0..BLOCK {
            let source = tiles.source + tile * tiles.tile.output_side() * BLOCK + lane;
            let input = |row, column| memory.get(source + row * tiles.row_stride + column * BLOCK);
            let values = both_sides(&matrix, numbers, input);
            for (place, value) in values.into_iter().enumerate() {
                let output = tiles.output + place * tiles.element_stride + tile * BLOCK + lane;
                memory.set(output, value);
            }
        }
    }
}

/// Transforms tiles of the output, as the matrices say.
pub(super) fn output_transform(memory: &Memory<'_>, tiles: &OutputTransform<'_>) {
    let side = tiles.tile.output_side();
    let (numbers, matrix) = (tiles.tile.input_side(), tiles.tile.of_output());
    for tile in 0..tiles.width.div_ceil(side) {
        for lane in 0..BLOCK {
            let source = tiles.source + tile * BLOCK + lane;
            let input =
                |row, column| memory.get(source + (row * numbers + column) * tiles.element_stride);
            let values = both_sides(&matrix, numbers, input);
            for (place, sum) in values.into_iter().enumerate() {
                let (row, column) = (place / side, tile * side + place % side);
                if row >= tiles.rows || column >= tiles.width {
                    continue;
                }
                let mut value = sum + tiles.bias[lane];
                if let Some(gate) = tiles.gate {
                    value *= memory.get(gate + lane);
                }
                let at = |[offset, step]: [usize; 2]| offset + row * step + column * BLOCK + lane;
                if let Some(residual) = tiles.residual {
                    value += memory.get(at(residual));
                }
                if tiles.relu {
                    value = scalar::rectified(value);
                }
                memory.set(at(tiles.output), value);
                if let Some(sums) = tiles.sums {
                    scalar::add(memory, sums + lane, tile + place == 0, value);
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
fn both_sides(
    matrix: &[Vec<f64>],
    numbers: usize,
    input: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let mut values = Vec::with_capacity(matrix.len() * matrix.len());
    for of_row in matrix {
        for of_column in matrix {
            let mut sum = 0.;
            for row in 0..numbers {
                for column in 0..numbers {
                    sum += of_row[row] * of_column[column] * f64::from(input(row, column));
                }
            }
            values.push(sum as f32);
        }
    }
    values
}

/// One side of the input's transform.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn forward<V: Vector, const N: usize>(d: [V; N]) -> [V; N] {
    let mut r = d;
    // SAFETY: the caller's.
    unsafe {
        if N == 4 {
            // x² - 1, x² + x, x² - x, x³ - x.
            r[0] = d[2].subtract(d[0]);
            r[1] = d[2].add(d[1]);
            r[2] = d[2].subtract(d[1]);
            r[3] = d[3].subtract(d[1]);
            return r;
        }
        let [a, b] = [A, B].map(|point| V::splat(point));
        let [minus_a, minus_b] = [A, B].map(|point| V::splat(-point));
        let [minus_aa, minus_bb] = [A, B].map(|point| V::splat(-point * point));
        let (product, sum) = (V::splat(A * A * B * B), V::splat(-(A * A + B * B)));
        let even_a = d[2].multiply_add(minus_bb, d[4]);
        let odd_a = d[1].multiply_add(minus_bb, d[3]);
        let even_b = d[2].multiply_add(minus_aa, d[4]);
        let odd_b = d[1].multiply_add(minus_aa, d[3]);
        r[0] = d[0].multiply_add(product, d[2].multiply_add(sum, d[4]));
        r[1] = odd_a.multiply_add(a, even_a);
        r[2] = odd_a.multiply_add(minus_a, even_a);
        r[3] = odd_b.multiply_add(b, even_b);
        r[4] = odd_b.multiply_add(minus_b, even_b);
        r[5] = d[1].multiply_add(product, d[3].multiply_add(sum, d[5]));
    }
    r
}

/// One side of the output's transform.
///
/// # Safety
///
/// A processor with `V`'s instructions.
#[inline(always)]
unsafe fn backward<V: Vector, const N: usize, const M: usize>(m: [V; N]) -> [V; M] {
    // SAFETY: the caller's.
    unsafe {
        let mut y = [V::splat(0.); M];
        let even_a = m[1].add(m[2]);
        let odd_a = m[1].subtract(m[2]);
        if N == 4 {
            y[0] = m[0].add(even_a);
            y[1] = odd_a.add(m[3]);
            return y;
        }
        let even_b = m[3].add(m[4]);
        let odd_b = m[3].subtract(m[4]);
        y[0] = m[0].add(even_a).add(even_b);
        y[1] = odd_a.multiply(V::splat(A)).add(odd_b.multiply(V::splat(B)));
        y[2] = even_b.multiply_add(V::splat(B * B), even_a.multiply(V::splat(A * A)));
        let odd = odd_b.multiply_add(V::splat(B * B * B), m[5]);
        y[3] = odd_a.multiply_add(V::splat(A * A * A), odd);
        y
    }
}

/// # Safety
///
/// [`super::input_transform`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn vector_in<V: Vector, const N: usize>(
    memory: *mut f32,
    tiles: &InputTransform,
) {
    // SAFETY: the caller's.
    unsafe {
        for lane in (0..BLOCK).step_by(V::LANES) {
            for tile in 0..tiles.tiles {
                let source = memory.add(tiles.source + tile * (N - 2) * BLOCK + lane);
                let output = memory.add(tiles.output + tile * BLOCK + lane);
                let mut half = [[V::splat(0.); N]; N];
                for column in 0..N {
                    let mut numbers = [V::splat(0.); N];
                    for row in 0..N {
                        numbers[row] = V::load(source.add(row * tiles.row_stride + column * BLOCK));
                    }
                    let numbers = forward(numbers);
                    for row in 0..N {
                        half[row][column] = numbers[row];
                    }
                }
                for row in 0..N {
                    let numbers = forward(half[row]);
                    for column in 0..N {
                        numbers[column]
                            .store(output.add((row * N + column) * tiles.element_stride));
                    }
                }
            }
        }
    }
}

/// # Safety
///
/// [`super::output_transform`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn vector_out<V: Vector, const N: usize, const M: usize>(
    memory: *mut f32,
    tiles: &OutputTransform<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(0.);
        for lane in (0..BLOCK).step_by(V::LANES) {
            let bias = V::load(tiles.bias.as_ptr().add(lane));
            let mut gate = V::splat(1.);
            if let Some(offset) = tiles.gate {
                gate = V::load(memory.add(offset + lane));
            }
            let mut total = zero;
            for tile in 0..tiles.width.div_ceil(M) {
                let source = memory.add(tiles.source + tile * BLOCK + lane);
                let mut half = [[zero; N]; M];
                for column in 0..N {
                    let mut numbers = [zero; N];
                    for row in 0..N {
                        numbers[row] =
                            V::load(source.add((row * N + column) * tiles.element_stride));
                    }
                    let numbers: [V; M] = backward(numbers);
                    for row in 0..M {
                        half[row][column] = numbers[row];
                    }
                }
                let columns = (tiles.width - tile * M).min(M);
                for row in 0..M {
                    if row >= tiles.rows {
                        break;
                    }
                    let numbers: [V; M] = backward(half[row]);
                    for column in 0..M {
                        if column >= columns {
                            break;
                        }
                        let place = (tile * M + column) * BLOCK + lane;
                        let mut value = numbers[column].add(bias).multiply(gate);
                        if let Some([offset, step]) = tiles.residual {
                            value = value.add(V::load(memory.add(offset + row * step + place)));
                        }
                        if tiles.relu {
                            value = zero.max(value);
                        }
                        let [offset, step] = tiles.output;
                        value.store(memory.add(offset + row * step + place));
                        total = total.add(value);
                    }
                }
            }
            if let Some(offset) = tiles.sums {
                total.store(memory.add(offset + lane));
            }
        }
    }
}
