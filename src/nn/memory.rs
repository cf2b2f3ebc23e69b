//! What candle takes for the values of a network.

use crate::network::geometry::{Extent, Window};
use crate::network::trace::Trace;
use crate::network::{Layers, Operation, Shape, Value};

/// Elements that candle on the CPU has in memory at one time at most, weights aside: values that
/// are still to be read, and what a layer needs besides them while it is computed. `None` where
/// they exceed a `u64`.
///
/// A bound, not a count: a layer's inputs and output count three times, as candle pads and turns
/// the one into another order, and makes a batch norm's output in several steps. What is padded
/// beyond that counts twice. A convolution in groups has its windows side by side, and again in
/// another order.
#[must_use]
pub fn most_elements(layers: &Layers, trace: &Trace) -> Option<u64> {
    let list = layers.as_slice();
    let elements =
        |value: Value| -> Option<u64> { u64::try_from(trace.shape(value)?.elements()?).ok() };
    let mut live = elements(Value::INPUT)?;
    let mut most = live;
    for (index, (layer, last_reads)) in list.iter().zip(layers.last_reads()).enumerate() {
        let output = elements(Value::of_layer(index))?;
        let mut touched = output;
        for &value in &layer.inputs {
            touched = touched.checked_add(elements(value)?)?;
        }
        let mut beside = touched.checked_mul(2)?;
        let first = layer.inputs.first().and_then(|&value| trace.shape(value));
        if let (Some(window), Some(input)) = (layer.operation.window(), first) {
            let padded = padded(&window, input)?;
            beside = beside.checked_add(padded.checked_mul(2)?)?;
        }
        if let Operation::Conv(conv) = layer.operation
            && conv.groups > 1
        {
            let [rows, columns] = conv.window.kernel;
            let windows = (rows * columns * conv.in_channels) as u64;
            let positions = output / (conv.out_channels as u64).max(1);
            let seen = windows.checked_mul(positions)?.checked_mul(2)?;
            beside = beside.checked_add(seen)?;
        }
        live = live.checked_add(output)?;
        most = most.max(live.checked_add(beside)?);
        for value in last_reads {
            live = live.saturating_sub(elements(value)?);
        }
    }
    Some(most)
}

/// Elements of an input's border. `None` where they exceed a `u64`.
fn padded(window: &Window, input: Shape) -> Option<u64> {
    let size = input.spatial?;
    let Ok(extents) = window.extents(size) else {
        return Some(0);
    };
    let count = |sides: [usize; 2]| {
        let shape = [input.batch, input.channels, sides[0], sides[1]];
        let mut shape = shape.into_iter().map(|size| size as u64);
        shape.try_fold(1_u64, u64::checked_mul)
    };
    let sides = [0, 1].map(|axis| {
        let Extent { before, after, .. } = extents[axis];
        size[axis].saturating_add(before).saturating_add(after)
    });
    count(sides)?.checked_sub(count(size)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::catalog;
    use crate::network::trace::trace;

    #[test]
    fn values_count_until_they_are_read_for_the_last_time() {
        let network = catalog::find("se_block").unwrap();
        let layers = network.layers();
        let of_input = trace(&layers, network.input.shape(1)).unwrap();
        // The scale reads the input, 32 channels of 32x32, and 32 elements of the gate: both and
        // its output are live, and all three twice besides.
        let map = 32 * 32 * 32;
        assert_eq!(
            most_elements(&layers, &of_input),
            Some(3 * (map + 32 + map))
        );
    }

    #[test]
    fn a_bound_is_in_proportion_to_the_images() {
        let network = catalog::find("seresnext50_32x4d").unwrap();
        let layers = network.layers();
        let of = |batch| {
            let of_input = trace(&layers, network.input.shape(batch)).unwrap();
            most_elements(&layers, &of_input).unwrap()
        };
        assert_eq!(of(8), 8 * of(1));
    }
}
