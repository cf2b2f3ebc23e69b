//! Winograd's transforms, one side of a tile after the other.

use super::{Vector, VectorElement, at, with_activation};
use crate::cpu::kernels::winograd::{A, B};
use crate::cpu::kernels::{BLOCK, InputTransform, Output, OutputTransform, WinogradTile};
use crate::network::Activation;

/// One side of the input's transform, of `N` elements.
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

/// One side of the output's transform, of `N` elements to `M`.
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
/// [`crate::cpu::kernels::input_transform`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn input_transform<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
>(
    memory: *mut u8,
    tiles: &InputTransform,
) {
    // SAFETY: the caller's.
    unsafe {
        match tiles.tile {
            WinogradTile::F2x2 => inputs::<V, Source, Stored, 4>(memory, tiles),
            WinogradTile::F4x4 => inputs::<V, Source, Stored, 6>(memory, tiles),
        }
    }
}

/// # Safety
///
/// [`crate::cpu::kernels::output_transform`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn output_transform<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
>(
    memory: *mut u8,
    tiles: &OutputTransform<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        with_activation!(tiles.output.epilogue.activation, activation => match tiles.tile {
            WinogradTile::F2x2 => outputs::<V, Source, Stored, 4, 2>(memory, tiles, activation),
            WinogradTile::F4x4 => outputs::<V, Source, Stored, 6, 4>(memory, tiles, activation),
        });
    }
}

/// # Safety
///
/// [`input_transform`]'s; `N` is the tile's input side.
#[inline(always)]
unsafe fn inputs<V: Vector, Source: VectorElement, Stored: VectorElement, const N: usize>(
    memory: *mut u8,
    tiles: &InputTransform,
) {
    // SAFETY: the caller's.
    unsafe {
        for lane in (0..BLOCK).step_by(V::LANES) {
            for tile in 0..tiles.tiles {
                let source = tiles.source + tile * (N - 2) * BLOCK + lane;
                let source = at::<Source>(memory, source).cast_const();
                let output = at::<Stored>(memory, tiles.output + tile * BLOCK + lane);
                let mut half = [[V::splat(0.); N]; N];
                for column in 0..N {
                    let mut elements = [V::splat(0.); N];
                    for row in 0..N {
                        elements[row] =
                            Source::load(source.add(row * tiles.row_stride + column * BLOCK));
                    }
                    let elements = forward(elements);
                    for row in 0..N {
                        half[row][column] = elements[row];
                    }
                }
                for row in 0..N {
                    let elements = forward(half[row]);
                    for column in 0..N {
                        let element = row * N + column;
                        let output = output.add(element * tiles.element_stride);
                        Stored::store(elements[column], output);
                    }
                }
            }
        }
    }
}

/// # Safety
///
/// [`output_transform`]'s; `N` is the tile's input side, `M` its output side, and `activation` the
/// epilogue's.
#[inline(always)]
unsafe fn outputs<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
    const N: usize,
    const M: usize,
>(
    memory: *mut u8,
    tiles: &OutputTransform<'_>,
    activation: Option<Activation>,
) {
    let Output {
        bias,
        epilogue,
        view,
        ..
    } = &tiles.output;
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(0.);
        for lane in (0..BLOCK).step_by(V::LANES) {
            let bias = V::load(bias.as_ptr().add(lane));
            // Without a branch for it in the loop.
            let gate = Some(epilogue.load_gate(memory, lane).unwrap_or([V::splat(1.)]));
            let mut total = zero;
            for tile in 0..tiles.width.div_ceil(M) {
                let source = tiles.source + tile * BLOCK + lane;
                let source = at::<Source>(memory, source).cast_const();
                let mut half = [[zero; N]; M];
                for column in 0..N {
                    let mut elements = [zero; N];
                    for row in 0..N {
                        let element = row * N + column;
                        elements[row] = Source::load(source.add(element * tiles.element_stride));
                    }
                    let elements: [V; M] = backward(elements);
                    for row in 0..M {
                        half[row][column] = elements[row];
                    }
                }
                let columns = (tiles.width - tile * M).min(M);
                for row in 0..M {
                    if row >= tiles.rows {
                        break;
                    }
                    let sums: [V; M] = backward(half[row]);
                    for column in 0..M {
                        if column >= columns {
                            break;
                        }
                        let from_row = (tile * M + column) * BLOCK + lane;
                        let mut values = [[sums[column].add(bias)]];
                        epilogue.finish(&mut values, (gate, activation), |view, _, _| {
                            let row = view.offset + row * view.row_stride;
                            at::<Stored>(memory, row + from_row).cast_const()
                        });
                        let [[value]] = values;
                        let row = view.offset + row * view.row_stride;
                        Stored::store(value, at(memory, row + from_row));
                        total = total.add(value);
                    }
                }
            }
            if let Some(sums) = &epilogue.channel_sums {
                total.store(at(memory, sums.channel(lane)));
            }
        }
    }
}
