//! One image's explanation as one picture.

use crate::error::Result;
use crate::explain::Explanation;
use crate::picture;

/// The narrowest strips: less would leave most channels out.
const LEAST: u32 = 512;

/// The heat map over the photograph, and below it the gates, those of each block with `sort` from the
/// largest to the smallest, as a PNG file; nothing where there is neither.
pub(super) fn png(explanation: &Explanation, sort: bool) -> Result<Option<Vec<u8>>> {
    let mut pictures = Vec::new();
    if let Some(evidence) = &explanation.evidence {
        pictures.push(picture::heat(
            &explanation.photo,
            &explanation.seen,
            &evidence.map,
        ));
    }
    if !explanation.gates.is_empty() {
        let gates = explanation.gates.iter().map(|gates| {
            if sort {
                gates.sorted()
            } else {
                gates.values.clone()
            }
        });
        let gates: Vec<Vec<f32>> = gates.collect();
        let gates: Vec<&[f32]> = gates.iter().map(Vec::as_slice).collect();
        let width = pictures
            .first()
            .map_or(0, picture::RgbImage::width)
            .max(LEAST);
        pictures.push(picture::strips(&gates, width));
    }
    if pictures.is_empty() {
        return Ok(None);
    }
    picture::png(&picture::stacked(&pictures)).map(Some)
}
