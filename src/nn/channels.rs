use candle_core::{Error, Result, Tensor};

use crate::network::geometry::nearest;

/// The channels of `[N, C, H, W]` or `[N, C]` in `groups`, the first of each group first.
pub(super) fn shuffled(xs: &Tensor, groups: usize) -> Result<Tensor> {
    let (batch, channels) = (xs.dim(0)?, xs.dim(1)?);
    xs.reshape((batch, groups, channels / groups, ()))?
        .transpose(1, 2)?
        .contiguous()?
        .reshape(xs.shape())
}

/// Blocks of pixels as channels: `[N, C, H, W]` to `[N, block^2 * C, H / block, W / block]`.
pub(super) fn space_to_depth(xs: &Tensor, block: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = xs.dims4()?;
    let (rows, columns) = (height / block, width / block);
    xs.reshape(&[batch, channels, rows, block, columns, block])?
        .permute([0, 3, 5, 1, 2, 4])?
        .contiguous()?
        .reshape((batch, channels * block * block, rows, columns))
}

/// `xs` at another height and width, by the nearest pixels.
pub(super) fn upsampled(xs: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let mut resized = xs.clone();
    for (dim, size) in [2, 3].into_iter().zip(size) {
        let places = nearest(xs.dim(dim)?, size).map_err(Error::wrap)?;
        let places: Option<Vec<u32>> = places
            .into_iter()
            .map(|place| u32::try_from(place).ok())
            .collect();
        let places =
            places.ok_or_else(|| Error::msg("an image of more than 2^32 pixels a side"))?;
        let count = places.len();
        let places = Tensor::from_vec(places, count, xs.device())?;
        resized = resized.index_select(&places, dim)?;
    }
    Ok(resized)
}

/// Rows of zeros above and below, columns before and after.
pub(super) fn zero_padded(xs: &Tensor, [rows, columns]: [[usize; 2]; 2]) -> Result<Tensor> {
    xs.pad_with_zeros(2, rows[0], rows[1])?
        .pad_with_zeros(3, columns[0], columns[1])
}

/// Without so many rows above and below, columns before and after.
pub(super) fn cropped(xs: &Tensor, crops: [[usize; 2]; 2]) -> Result<Tensor> {
    let mut cropped = xs.clone();
    for (dim, [before, after]) in [2, 3].into_iter().zip(crops) {
        let left = xs.dim(dim)?.saturating_sub(before.saturating_add(after));
        cropped = cropped.narrow(dim, before, left)?;
    }
    cropped.contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn counting(shape: (usize, usize, usize, usize)) -> Tensor {
        let (a, b, c, d) = shape;
        let values: Vec<f32> = (0..a * b * c * d).map(|value| value as f32).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn values(ys: &Tensor) -> Vec<f32> {
        ys.flatten_all().unwrap().to_vec1().unwrap()
    }

    // torch.nn.ChannelShuffle(2)(torch.arange(6.).reshape(1, 6, 1, 1))
    #[test]
    fn a_shuffle_takes_the_first_of_each_group_first() {
        let ys = shuffled(&counting((1, 6, 1, 1)), 2).unwrap();
        assert_eq!(values(&ys), [0., 3., 1., 4., 2., 5.]);
    }

    // As timm.layers.SpaceToDepth does with 4, of torch.arange(16.).reshape(1, 2, 2, 4): x.view(N, C, H // 2, 2,
    // W // 2, 2).permute(0, 3, 5, 1, 2, 4)
    #[test]
    fn pixels_of_a_block_become_channels() {
        let ys = space_to_depth(&counting((1, 2, 2, 4)), 2).unwrap();
        assert_eq!(ys.dims(), [1, 8, 1, 2]);
        let expected = [
            0., 2., 8., 10., 1., 3., 9., 11., 4., 6., 12., 14., 5., 7., 13., 15.,
        ];
        assert_eq!(values(&ys), expected);
    }

    // Of [[0, 1], [2, 3]], by eye.
    #[test]
    fn borders_are_added_and_taken_away() {
        let xs = counting((1, 1, 2, 2));
        let ys = zero_padded(&xs, [[1, 0], [0, 2]]).unwrap();
        let expected = [0., 0., 0., 0., 0., 1., 0., 0., 2., 3., 0., 0.];
        assert_eq!(
            (ys.dims(), values(&ys)),
            (&[1, 1, 3, 4][..], expected.into())
        );
        let ys = cropped(&ys, [[1, 0], [0, 2]]).unwrap();
        assert_eq!((ys.dims(), values(&ys)), (xs.dims(), values(&xs)));
        assert_eq!(values(&cropped(&xs, [[0, 1], [1, 0]]).unwrap()), [1.]);
    }

    // torch.nn.functional.interpolate(torch.arange(4.).reshape(1, 1, 2, 2), size=(3, 4))
    #[test]
    fn pixels_are_repeated() {
        let ys = upsampled(&counting((1, 1, 2, 2)), [3, 4]).unwrap();
        let expected = [0., 0., 1., 1., 0., 0., 1., 1., 2., 2., 3., 3.];
        assert_eq!(values(&ys), expected);
    }
}
