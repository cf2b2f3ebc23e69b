//! Where a tensor lies in memory.

use std::ops::Range;

use super::element::ElementType;
use super::kernels::{BLOCK, BlockView, MAX_MR, PixelOffsets};

/// Where a tensor lies in memory. The offset and all strides count elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// The first image's first pixel.
    pub(super) offset: usize,
    /// From one image to the next.
    pub(super) image_stride: usize,
    /// From one block of channels, or plane, to the next.
    pub(super) block_stride: usize,
    /// From one row to the next.
    pub(super) row_stride: usize,
    /// From one pixel to the next: [`BLOCK`], or 1 in planes.
    pub(super) pixel_stride: usize,
    pub(super) element_type: ElementType,
    pub(super) images: usize,
    pub(super) blocks: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl View {
    /// Where an image's block begins.
    pub(super) fn at(&self, image: usize, block: usize) -> usize {
        self.offset + image * self.image_stride + block * self.block_stride
    }

    /// An image's blocks from this one on, at this row.
    pub(super) fn blocks_from(&self, [image, block, row]: [usize; 3]) -> BlockView {
        BlockView {
            offset: self.at(image, block) + row * self.row_stride,
            block_stride: self.block_stride,
            row_stride: self.row_stride,
        }
    }

    /// The images of maps of one pixel as the pixels of one image.
    pub(super) fn of_images_as_pixels(&self) -> Self {
        Self {
            row_stride: self.image_stride,
            image_stride: 0,
            images: 1,
            height: self.images,
            width: 1,
            ..*self
        }
    }

    /// Where pixels lie that are numbered row by row.
    pub(super) fn offsets(&self, pixels: Range<usize>) -> PixelOffsets {
        PixelOffsets::new(pixels.map(|pixel| {
            pixel / self.width * self.row_stride + pixel % self.width * self.pixel_stride
        }))
    }
}

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Channels in whole blocks.
pub(super) fn blocks(channels: usize) -> usize {
    channels.div_ceil(BLOCK)
}

/// Sets of the nearest cache, in lines: addresses so many lines apart compete for the same few
/// places of it, on every x86 processor since 2010.
const SETS: usize = 64;

/// The least distance of planes of so many blocks of 16 channels, each of them a line of the
/// cache, at which a micro-tile's pixels in many planes spread over all sets: planes of 56x56 pixels
/// end to end put all of them into the same few, out of which they push each other.
pub(super) fn spread(lines: usize) -> usize {
    // Smaller planes lie in the cache as a whole.
    if lines < SETS / 2 {
        return lines;
    }
    // An odd distance comes by all sets; a micro-tile's own pixels should not overlap the next plane's.
    let apart =
        |lines: &usize| lines % 2 == 1 && (MAX_MR..=SETS - MAX_MR).contains(&(lines % SETS));
    (lines..lines + SETS).find(apart).unwrap_or(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines in the fullest set, of a micro-tile's pixels in so many planes that are so far apart.
    fn fullest(distance: usize, planes: usize) -> usize {
        let mut sets = [0; SETS];
        for plane in 0..planes {
            for pixel in 0..MAX_MR {
                sets[(plane * distance + pixel) % SETS] += 1;
            }
        }
        sets.into_iter().max().unwrap()
    }

    #[test]
    fn a_micro_tile_of_16_planes_stays_in_the_cache() {
        // Of which each set has 8 places, or 12.
        assert_eq!(fullest(56 * 56, 16), 16);
        for [height, width] in [[7, 7], [14, 14], [16, 16], [28, 28], [56, 56], [58, 58]] {
            let distance = spread(height * width);
            assert!((height * width..height * width + SETS).contains(&distance));
            assert!(fullest(distance, 16) <= 8, "{height}x{width}: {distance}");
        }
    }

    #[test]
    fn small_planes_lie_end_to_end() {
        assert_eq!([1, 9, 25].map(spread), [1, 9, 25]);
    }
}
