//! Micro-tiles: pixels whose sums are computed at once.

use super::MAX_MR;

/// Up to MR pixels of an output, whose sums for NR channels stay in registers. In the source they
/// lie an even stride apart; in the output and the residual anywhere.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct MicroTile {
    /// How many there are.
    pub(in crate::cpu) pixels: usize,
    /// Offset of what the first is computed from, from the source's on.
    pub(in crate::cpu) source: usize,
    pub(in crate::cpu) output: PixelOffsets,
    /// There where the epilogue adds a residual.
    pub(in crate::cpu) residual: Option<PixelOffsets>,
}

/// Where up to [`MAX_MR`] pixels lie in a map, from an image's block of channels on. A plan has
/// these for every pixel, so they are small; it refuses what is too large for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cpu) struct PixelOffsets {
    offsets: [u32; MAX_MR],
    count: u32,
    largest: u32,
}

impl PixelOffsets {
    /// The first [`MAX_MR`] of these.
    pub(in crate::cpu) fn new(all: impl Iterator<Item = usize>) -> Self {
        let mut offsets = [0; MAX_MR];
        let mut count = 0;
        for (to, offset) in offsets.iter_mut().zip(all) {
            *to = u32::try_from(offset).unwrap_or(u32::MAX);
            count += 1;
        }
        Self {
            offsets,
            count,
            largest: offsets.into_iter().max().unwrap_or_default(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    pub(super) fn largest(&self) -> usize {
        self.largest as usize
    }

    /// Of the pixel of that index.
    pub(super) fn get(&self, pixel: usize) -> usize {
        self.offsets[pixel] as usize
    }

    /// [`PixelOffsets::get`] that trusts the index.
    ///
    /// # Safety
    ///
    /// `pixel` is less than [`MAX_MR`].
    #[inline]
    pub(super) unsafe fn get_unchecked(&self, pixel: usize) -> usize {
        // SAFETY: the caller's.
        unsafe { *self.offsets.get_unchecked(pixel) as usize }
    }
}
