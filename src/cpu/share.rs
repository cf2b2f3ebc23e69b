//! Near-equal shares.

use std::ops::Range;

/// Near-equal shares of `count`, each at most `most`.
pub(super) fn shares(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = count.div_ceil(most);
    (0..parts).map(move |part| share(count, parts, part))
}

/// One of `parts` near-equal shares of `count`.
pub(super) fn share(count: usize, parts: usize, part: usize) -> Range<usize> {
    count * part / parts..count * (part + 1) / parts
}
