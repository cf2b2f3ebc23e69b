//! Winograd's minimal filtering for 3x3 windows (Lavin and Gray, arXiv:1509.09308): a tile of
//! `m` by `m` outputs takes (m + 2)² multiplications a channel instead of 9 m².
//!
//! With the points 0, ±a, ±b and infinity, M(x) = x (x² - a²)(x² - b²): the rows of the input's
//! transform are the coefficients of M(x) / (x - point), and of M itself for infinity; those of
//! the weights' are powers of the point over M'(point); those of the output's are powers of the
//! points. Usual are a = 1, b = 2, whose error grows to 6e-6 of the largest output; 5/8 and 3/2,
//! found by search, leave a quarter of that, and all products of them here are exact.

use super::{BLOCK, Memory, Output, reach};
use crate::cpu::element::{ElementType, with_element};
use crate::cpu::isa::Isa;

/// The point a of F(4x4, 3x3).
pub(super) const A: f32 = 0.625;
/// The point b of F(4x4, 3x3).
pub(super) const B: f32 = 1.5;

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

/// A row of tiles of the input, one block of channels: each tile's elements go to memory of their
/// own, where the same element of all tiles is a matrix.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct InputTransform {
    pub(in crate::cpu) tile: WinogradTile,
    pub(in crate::cpu) source_type: ElementType,
    /// Offset of the first tile's first pixel.
    pub(in crate::cpu) source: usize,
    /// From one row of the source to the next.
    pub(in crate::cpu) row_stride: usize,
    pub(in crate::cpu) tiles: usize,
    pub(in crate::cpu) output_type: ElementType,
    /// Offset of the first tile's first element.
    pub(in crate::cpu) output: usize,
    /// From one of a tile's elements to the next.
    pub(in crate::cpu) element_stride: usize,
}

/// A row of tiles of the output, one block of channels.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct OutputTransform<'a> {
    pub(in crate::cpu) tile: WinogradTile,
    /// Offset of the first tile's first element, which is in single precision.
    pub(in crate::cpu) source: usize,
    /// From one of a tile's elements to the next.
    pub(in crate::cpu) element_stride: usize,
    /// Pixels in a row of the output; its last tile may reach beyond.
    pub(in crate::cpu) width: usize,
    /// Rows of the output that are left, up to those of a tile.
    pub(in crate::cpu) rows: usize,
    pub(in crate::cpu) output: Output<'a>,
}

impl WinogradTile {
    /// Elements of a transformed tile.
    pub(in crate::cpu) fn elements(self) -> usize {
        self.input_side() * self.input_side()
    }

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

    /// n = m + 2: pixels of the input, and elements of a transformed tile, along one side.
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

    /// The weights' transform, n by 3.
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

    /// The input's transform, n by n.
    pub(super) fn of_input(self) -> Vec<Vec<f64>> {
        let points = self.points();
        // Coefficients of the product of x - other, lowest first.
        let product = |left_out: Option<usize>| {
            let mut coefficients = vec![0.; self.input_side()];
            coefficients[0] = 1.;
            for (index, point) in points.iter().enumerate() {
                if Some(index) == left_out {
                    continue;
                }
                for power in (0..self.input_side()).rev() {
                    let lower = power.checked_sub(1).map_or(0., |lower| coefficients[lower]);
                    coefficients[power] = lower - point * coefficients[power];
                }
            }
            coefficients
        };
        let finite = (0..points.len()).map(|index| product(Some(index)));
        finite.chain([product(None)]).collect()
    }

    /// The output's transform, m by n.
    pub(super) fn of_output(self) -> Vec<Vec<f64>> {
        let last = self.output_side() - 1;
        let mut power = vec![1.; self.points().len()];
        let mut rows = Vec::with_capacity(self.output_side());
        for row in 0..self.output_side() {
            let mut elements = power.clone();
            elements.push(if row == last { 1. } else { 0. });
            rows.push(elements);
            for (power, point) in power.iter_mut().zip(self.points()) {
                *power *= point;
            }
        }
        rows
    }
}

/// Transforms a row of tiles of the input.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(in crate::cpu) fn input_transform(isa: Isa, memory: &Memory<'_>, tiles: &InputTransform) {
    let (n, m) = (tiles.tile.input_side(), tiles.tile.output_side());
    let Some(last) = tiles.tiles.checked_sub(1) else {
        return;
    };
    let width = reach(last, m * BLOCK, n * BLOCK);
    let elements = reach(n - 1, tiles.row_stride, width);
    memory.check(tiles.source_type, tiles.source, elements);
    let of_tiles = tiles.tiles.saturating_mul(BLOCK);
    memory.check(
        tiles.output_type,
        tiles.output,
        reach(n * n - 1, tiles.element_stride, of_tiles),
    );
    with_element!(tiles.source_type, Source => with_element!(tiles.output_type, Stored => {
        dispatch!(isa, input_transform::<Source, Stored>, memory, tiles);
    }));
}

/// Transforms a row of tiles of the output, and stores it.
///
/// # Panics
///
/// Where it would touch what lies outside `memory`.
pub(in crate::cpu) fn output_transform(isa: Isa, memory: &Memory<'_>, tiles: &OutputTransform<'_>) {
    let (n, m) = (tiles.tile.input_side(), tiles.tile.output_side());
    let Output {
        bias,
        epilogue,
        view,
        element_type,
    } = &tiles.output;
    let count = tiles.width.div_ceil(m);
    assert!(bias.len() >= BLOCK && (1..=m).contains(&tiles.rows) && count > 0);
    let of_tiles = count.saturating_mul(BLOCK);
    memory.check(
        ElementType::F32,
        tiles.source,
        reach(n * n - 1, tiles.element_stride, of_tiles),
    );
    let of_row = tiles.width.saturating_mul(BLOCK);
    for view in epilogue.residual.iter().chain([view]) {
        let elements = reach(tiles.rows - 1, view.row_stride, of_row);
        view.check(memory, *element_type, 1, elements);
    }
    epilogue.check_channels(memory, 1);
    with_element!(*element_type, Stored => {
        dispatch!(isa, output_transform::<f32, Stored>, memory, tiles);
    });
}
