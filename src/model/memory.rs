//! What a network's values take for an input, known before anything is allocated.

use super::Runtime;
use crate::cpu;
use crate::error::{Error, Result};
use crate::network::trace::{Trace, trace};
use crate::network::{Layers, Layout, Shape};
use crate::nn;
use crate::text::shown_bytes;

/// What the values of a network may take on a CPU, its input among them; weights are as large as
/// their file.
pub(crate) const MOST: u64 = 4 << 30;

/// A layer's value may have so many elements, on a GPU as well.
const MOST_ELEMENTS: usize = 1 << 30;

/// How many images go through the network together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Together {
    /// As many as the engine takes at a time; all of them on another.
    MicroBatch,
    /// The whole batch, so that every value of it can be seen.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "for commands"))]
    Batch,
}

/// Refuses an input that takes more than `most` bytes.
///
/// # Errors
///
/// One that does, or that the engine cannot take.
pub(crate) fn check(
    layers: &Layers,
    of_input: &Trace,
    runtime: &Runtime,
    together: Together,
    most: u64,
) -> Result<()> {
    let shapes = of_input.layers.iter().map(|layer| layer.output);
    for shape in shapes.chain([of_input.input]) {
        if shape.elements().is_none_or(|count| count > MOST_ELEMENTS) {
            return Err(Error::Geometry(format!(
                "a value of shape {:?} is too large to compute\nhint: `senet trace` shows shapes \
                 without computing values",
                shape.dims(Layout::Nchw)
            )));
        }
    }
    let Some(needed) = needed(layers, of_input, runtime, together)? else {
        return Ok(());
    };
    if needed <= most {
        return Ok(());
    }
    let input = of_input.input;
    let fewer = match input.batch {
        1 => "",
        _ => "fewer images in the batch, or ",
    };
    Err(Error::Geometry(format!(
        "`{}` takes {} of memory for an input of {:?}, and may take {}\nhint: {fewer}a smaller \
         `--size` takes less",
        layers.name(),
        shown_bytes(needed),
        input.dims(Layout::Nchw),
        shown_bytes(most)
    )))
}

/// The most images, at least one and at most so many, that `most` bytes are enough for.
///
/// # Errors
///
/// Those of [`check`] for one image.
pub(crate) fn images_that_fit(
    layers: &Layers,
    one: &Trace,
    runtime: &Runtime,
    images: usize,
    most: u64,
) -> Result<usize> {
    check(layers, one, runtime, Together::MicroBatch, most)?;
    let fits = |batch: usize| {
        let shape = Shape { batch, ..one.input };
        // What cannot even be counted does not fit.
        let checked = trace(layers, shape)
            .and_then(|of_batch| check(layers, &of_batch, runtime, Together::MicroBatch, most));
        checked.is_ok()
    };
    let mut fitting = images;
    while fitting > 1 && !fits(fitting) {
        fitting /= 2;
    }
    Ok(fitting)
}

/// Bytes that a run takes; `None` on a GPU, whose memory is not ours to count.
fn needed(
    layers: &Layers,
    of_input: &Trace,
    runtime: &Runtime,
    together: Together,
) -> Result<Option<u64>> {
    const ELEMENT: u64 = size_of::<f32>() as u64;

    if !runtime.device().is_cpu() {
        return Ok(None);
    }
    let input = of_input.input;
    let elements = match runtime {
        Runtime::Candle { .. } => nn::most_elements(layers, of_input),
        Runtime::Cpu(options) => {
            let together = match together {
                Together::MicroBatch => cpu::micro_batch(input),
                Together::Batch => input,
            };
            let values = cpu::memory(layers, together, *options)?;
            let input = input.elements().map(|count| count as u64);
            input.and_then(|input| input.checked_add(values as u64 / ELEMENT))
        }
    };
    Ok(Some(elements.map_or(u64::MAX, |elements| {
        elements.saturating_mul(ELEMENT)
    })))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use candle_core::{DType, Device};

    use super::*;
    use crate::network::catalog;

    #[test]
    fn a_batch_is_as_large_as_fits_and_one_image_that_does_not_is_refused() {
        let network = catalog::find("seresnet20").unwrap();
        let layers = network.layers();
        let one = trace(&layers, network.input.shape(1)).unwrap();
        let candle = Runtime::Candle {
            device: Device::Cpu,
            dtype: DType::F32,
        };
        for runtime in [Runtime::default(), candle] {
            let of_one = needed(&layers, &one, &runtime, Together::MicroBatch);
            let of_one = of_one.unwrap().unwrap();
            let fitting =
                |images, most| images_that_fit(&layers, &one, &runtime, images, most).ok();
            assert_eq!(fitting(16, of_one - 1), None);
            assert_eq!(fitting(16, of_one), Some(1));
            assert_eq!(fitting(16, 3 * of_one), Some(2));
            assert_eq!(fitting(16, 100 * of_one), Some(16));
            // More than anybody can count.
            assert!(fitting(usize::MAX, 3 * of_one).is_some());
        }
    }

    #[test]
    fn a_refusal_says_what_it_takes_and_what_takes_less() {
        let network = catalog::find("seresnet50").unwrap();
        let layers = network.layers();
        let shape = Shape {
            spatial: Some([8000, 8000]),
            ..network.input.shape(1)
        };
        let of_input = trace(&layers, shape).unwrap();
        let refused = check(
            &layers,
            &of_input,
            &Runtime::default(),
            Together::MicroBatch,
            MOST,
        );
        let problem = refused.unwrap_err().to_string();
        assert!(
            problem.starts_with("`seresnet50` takes 9.") && problem.contains(" GiB of memory"),
            "{problem}"
        );
        assert!(problem.ends_with("may take 4.0 GiB\nhint: a smaller `--size` takes less"));
    }
}
