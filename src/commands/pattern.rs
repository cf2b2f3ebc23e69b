//! An input for whoever has none.

use crate::network::Shape;

/// Waves that differ by image and channel: smooth like a photograph, and the same every time.
pub(super) fn test_pattern(shape: Shape) -> Vec<f32> {
    let [height, width] = shape.spatial.unwrap_or([1, 1]);
    let mut pattern = Vec::with_capacity(shape.batch * shape.channels * height * width);
    for plane in 0..shape.batch * shape.channels {
        let frequency = 0.1 + 0.07 * (plane % 7) as f32;
        for row in 0..height {
            for column in 0..width {
                let (x, y) = (column as f32, row as f32);
                pattern.push((frequency * x).sin() + (frequency * (y + plane as f32)).cos());
            }
        }
    }
    pattern
}
