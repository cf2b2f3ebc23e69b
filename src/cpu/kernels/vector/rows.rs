//! What goes along a row: pools, and epilogues alone.

use super::{Vector, VectorElement, at, with_activation};
use crate::cpu::kernels::{BLOCK, Elementwise, Pool, Pooling};
use crate::network::Activation;

/// # Safety
///
/// [`crate::cpu::kernels::pool`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn pool<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
>(
    memory: *mut u8,
    pool: &Pool<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        for lane in (0..BLOCK).step_by(V::LANES) {
            let source = at::<Source>(memory, pool.source + lane).cast_const();
            let mut total = V::splat(0.);
            for (pixel, &[first, end]) in pool.columns.iter().enumerate() {
                let value = match pool.pooling {
                    Pooling::Max => {
                        let mut largest = V::splat(f32::NEG_INFINITY);
                        for row in 0..pool.rows {
                            for column in first..end {
                                let element = row * pool.row_stride + column * BLOCK;
                                let element: V = Source::load(source.add(element));
                                largest = largest.max(element);
                            }
                        }
                        largest
                    }
                    Pooling::Mean => {
                        let mut sum = V::splat(0.);
                        for row in 0..pool.rows {
                            let mut of_row = V::splat(0.);
                            for column in first..end {
                                let element = row * pool.row_stride + column * BLOCK;
                                let element: V = Source::load(source.add(element));
                                of_row = of_row.add(element);
                            }
                            sum = sum.add(of_row);
                        }
                        sum.multiply(V::splat(*pool.factors.get_unchecked(pixel)))
                    }
                    Pooling::Filter => {
                        let taps = pool.column_taps.get_unchecked(pixel);
                        let mut sum = V::splat(0.);
                        for (row, &of_row) in pool.row_taps.iter().enumerate() {
                            let mut filtered = V::splat(0.);
                            for (column, &tap) in (first..end).zip(taps) {
                                let element = row * pool.row_stride + column * BLOCK;
                                let element: V = Source::load(source.add(element));
                                filtered = element.multiply_add(V::splat(tap), filtered);
                            }
                            sum = filtered.multiply_add(V::splat(of_row), sum);
                        }
                        sum
                    }
                };
                Stored::store(value, at(memory, pool.output + pixel * BLOCK + lane));
                total = total.add(value);
            }
            if let Some(offset) = pool.channel_sums {
                total.store(at(memory, offset + lane));
            }
        }
    }
}

/// # Safety
///
/// [`crate::cpu::kernels::elementwise`]'s checks, and a processor with `V`'s instructions.
#[inline(always)]
pub(in crate::cpu::kernels) unsafe fn elementwise<
    V: Vector,
    Source: VectorElement,
    Stored: VectorElement,
>(
    memory: *mut u8,
    elementwise: &Elementwise<'_>,
) {
    // SAFETY: the caller's.
    unsafe {
        with_activation!(elementwise.epilogue.activation, activation => {
            elementwise_with::<V, Source, Stored>(memory, elementwise, activation);
        });
    }
}

/// # Safety
///
/// [`elementwise`]'s; `activation` is the epilogue's.
#[inline(always)]
unsafe fn elementwise_with<V: Vector, Source: VectorElement, Stored: VectorElement>(
    memory: *mut u8,
    elementwise: &Elementwise<'_>,
    activation: Option<Activation>,
) {
    let epilogue = &elementwise.epilogue;
    // SAFETY: the caller's.
    unsafe {
        for lane in (0..BLOCK).step_by(V::LANES) {
            let norm = elementwise.norm.map(|norm| {
                let load = |channels: &[f32]| V::load(channels.as_ptr().add(lane));
                norm.map(load)
            });
            // Without a branch for it in the loop.
            let gate = Some(epilogue.load_gate(memory, lane).unwrap_or([V::splat(1.)]));
            let mut total = V::splat(0.);
            for pixel in 0..elementwise.pixels {
                let from_row = pixel * BLOCK + lane;
                let mut value: V = Source::load(at(memory, elementwise.source + from_row));
                if let Some([factor, bias]) = norm {
                    value = value.multiply_add(factor, bias);
                }
                if let Some(product) = elementwise.product {
                    value = value.multiply(Source::load(at(memory, product + from_row)));
                }
                let mut values = [[value]];
                epilogue.finish(&mut values, (gate, activation), |view, _, _| {
                    at::<Stored>(memory, view.offset + from_row).cast_const()
                });
                let [[value]] = values;
                Stored::store(value, at(memory, elementwise.output + from_row));
                total = total.add(value);
            }
            if let Some(sums) = &epilogue.channel_sums {
                total.store(at(memory, sums.channel(lane)));
            }
        }
    }
}
