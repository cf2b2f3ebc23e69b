//! Samples of 1 to 16 bits, as they are packed into the rows of a strip or tile.

use super::directory::ByteOrder;
use super::layout::Samples;

/// Takes the samples of a packed row apart: of one plane, every `step`-th of `row`.
///
/// Those of 16 bits have the file's byte order; others stand side by side, the highest bit first.
pub(super) fn unpack(packed: &[u8], samples: Samples, row: &mut [u16], step: usize) {
    let row = row.iter_mut().step_by(step);
    match samples.bits {
        8 => {
            for (sample, byte) in row.zip(packed) {
                *sample = (*byte).into();
            }
        }
        16 => {
            for (sample, bytes) in row.zip(packed.chunks_exact(2)) {
                *sample = wide(bytes, samples.order);
            }
        }
        bits => {
            let mut bytes = packed.iter();
            let (mut held, mut count) = (0_u32, 0);
            for sample in row {
                while count < bits {
                    held = held << 8 | u32::from(bytes.next().copied().unwrap_or(0));
                    count += 8;
                }
                count -= bits;
                *sample = low(held >> count);
                held &= (1 << count) - 1;
            }
        }
    }
}

/// Makes samples of their differences to those of the pixel to the left, in a packed row.
pub(super) fn add_differences(row: &mut [u8], samples: Samples) {
    let step = samples.together();
    if samples.bits == 8 {
        for place in step..row.len() {
            row[place] = row[place].wrapping_add(row[place - step]);
        }
    } else {
        for place in (2 * step..row.len().saturating_sub(1)).step_by(2) {
            let at = |place: usize| wide(&row[place..place + 2], samples.order);
            let sum = at(place).wrapping_add(at(place - 2 * step));
            let bytes = match samples.order {
                ByteOrder::Little => sum.to_le_bytes(),
                ByteOrder::Big => sum.to_be_bytes(),
            };
            row[place..place + 2].copy_from_slice(&bytes);
        }
    }
}

fn wide(bytes: &[u8], order: ByteOrder) -> u16 {
    low(u32::try_from(order.number(bytes)).unwrap_or(0))
}

/// A sample's bits, of which none is lost.
fn low(bits: u32) -> u16 {
    u16::try_from(bits).unwrap_or(u16::MAX)
}
