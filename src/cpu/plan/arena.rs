//! Where every buffer lies in one arena: buffers that are never in use together may share memory.

use crate::cpu::element::ElementType;

/// A buffer, and the nodes during which it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buffer {
    /// Elements that it holds.
    pub(super) elements: usize,
    pub(super) element_type: ElementType,
    /// The first and the last node that touch it.
    pub(super) used: [usize; 2],
}

/// Buffers begin at whole cache lines, which have so many bytes.
const ALIGNMENT: usize = 64;

impl Buffer {
    /// Bytes of whole cache lines.
    fn bytes(&self) -> usize {
        let bytes = self.element_type.bytes(self.elements);
        bytes.next_multiple_of(ALIGNMENT)
    }
}

/// Offsets of all buffers, and the memory that they need together, in bytes.
///
/// The largest come first, each as low as it fits: within a few percent of what is in use at the
/// worst moment, which no placing can beat.
pub(super) fn lay_out(buffers: &[Buffer]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(buffers[index].bytes()));
    let mut offsets = vec![0; buffers.len()];
    let mut placed: Vec<usize> = Vec::with_capacity(buffers.len());
    let mut total = 0;
    for index in order {
        let buffer = &buffers[index];
        let size = buffer.bytes();
        let mut taken: Vec<[usize; 2]> = placed
            .iter()
            .filter(|&&other| meet(buffer, &buffers[other]))
            .map(|&other| [offsets[other], offsets[other] + buffers[other].bytes()])
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for [start, end] in taken {
            if offset + size <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[index] = offset;
        total = total.max(offset + size);
        placed.push(index);
    }
    (offsets, total)
}

fn meet(a: &Buffer, b: &Buffer) -> bool {
    a.used[0] <= b.used[1] && b.used[0] <= a.used[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_in_use_together_never_share() {
        // A fixed sequence that looks random: sizes, and when each is in use.
        let mut state = 1_u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from((state >> 33) % below).unwrap()
        };
        let buffers: Vec<Buffer> = (0..200)
            .map(|_| {
                let first = next(100);
                Buffer {
                    elements: next(1000),
                    element_type: [ElementType::F32, ElementType::Bf16][next(2)],
                    used: [first, first + next(10)],
                }
            })
            .collect();
        let (offsets, total) = lay_out(&buffers);
        for (a, first) in buffers.iter().enumerate() {
            assert!(offsets[a] + first.bytes() <= total);
            for (b, second) in buffers.iter().enumerate().skip(a + 1) {
                let apart = offsets[a] + first.bytes() <= offsets[b]
                    || offsets[b] + second.bytes() <= offsets[a];
                assert!(apart || !meet(first, second), "{first:?} {second:?}");
            }
        }
        let busiest = (0..110).map(|node| {
            let in_use = buffers
                .iter()
                .filter(|buffer| buffer.used[0] <= node && node <= buffer.used[1]);
            in_use.map(Buffer::bytes).sum::<usize>()
        });
        assert!(total < busiest.max().unwrap() * 5 / 4);
    }
}
