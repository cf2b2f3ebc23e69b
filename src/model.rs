//! A network ready to run, whatever computes it.

pub(crate) mod memory;
mod runtime;

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use candle_nn::Module;

use crate::cpu::Algorithm;
use crate::error::Result;
use crate::network::trace::trace;
use crate::network::{Layer, Layers, Shape};
use crate::nn::SeNet;

pub use runtime::Runtime;

/// A loaded network: [`SeNet`], a layer at a time by candle, or
/// [`Engine`](crate::cpu::Engine), fused, on the CPU.
///
/// # Shapes
///
/// `[N, channels, H, W]` to `[N, classes]`, as the network's trace says; in single precision and
/// on the CPU at both ends, wherever and in whatever the network computes.
pub trait Model {
    /// The layers it computes.
    fn layers(&self) -> &Layers;

    /// Computes the network.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take.
    fn run(&self, xs: &Tensor) -> Result<Tensor>;

    /// [`Model::run`] on images that lie anywhere, each of these dimensions, `[channels, H, W]`.
    ///
    /// # Errors
    ///
    /// An image of another size, or that the network cannot take.
    fn run_images(&self, images: &[&[f32]], dims: [usize; 3]) -> Result<Tensor> {
        let [channels, height, width] = dims;
        let dims = (images.len(), channels, height, width);
        self.run(&Tensor::from_vec(images.concat(), dims, &Device::Cpu)?)
    }

    /// [`Model::run`] that hands `observe` the values it keeps as they are computed, each with the
    /// layer whose output it is: every layer's by candle, those at the ends of its steps by the
    /// engine.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take, or whatever `observe` returns.
    fn run_observed(
        &self,
        xs: &Tensor,
        observe: &mut dyn FnMut(&Layer, &Tensor) -> Result<()>,
    ) -> Result<Tensor>;

    /// How long each step of a run took, in order.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take.
    fn run_timed(&self, xs: &Tensor) -> Result<Vec<TimedStep>>;
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedStep {
    /// The layers that it computed, the one whose value it made last; none of what only the
    /// engine has.
    pub layers: Vec<String>,
    /// What computed it; nothing where that was candle.
    pub algorithm: Option<Algorithm>,
    /// Shape of its value, `[N, C, H, W]`, or `[N, C]` of a vector an image.
    pub output: Vec<usize>,
    /// Multiplications that it did.
    pub macs: u64,
    /// From the end of the step before.
    pub time: Duration,
}

impl Model for SeNet {
    fn layers(&self) -> &Layers {
        SeNet::layers(self)
    }

    fn run(&self, xs: &Tensor) -> Result<Tensor> {
        let xs = xs.to_dtype(self.dtype())?.to_device(self.device())?;
        let ys = self.forward(&xs)?;
        Ok(ys.to_device(&Device::Cpu)?.to_dtype(DType::F32)?)
    }

    fn run_observed(
        &self,
        xs: &Tensor,
        observe: &mut dyn FnMut(&Layer, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let xs = xs.to_dtype(self.dtype())?.to_device(self.device())?;
        // candle's error would have its words alone, and not why the system refused something.
        let mut refused = None;
        let ys = self.forward_with(&xs, &mut |layer, value| {
            let value = value.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            observe(layer, &value).map_err(|error| {
                let words = candle_core::Error::msg(error.to_string());
                refused = Some(error);
                words
            })
        });
        match refused {
            Some(error) => Err(error),
            None => Ok(ys?.to_device(&Device::Cpu)?.to_dtype(DType::F32)?),
        }
    }

    fn run_timed(&self, xs: &Tensor) -> Result<Vec<TimedStep>> {
        let trace = trace(self.layers(), Shape::of_maps(xs.dims4()?))?;
        let mut costs = trace.layers.iter();
        let xs = xs.to_dtype(self.dtype())?.to_device(self.device())?;
        // A GPU is handed work and computes on its own: only when it is done does the time count.
        self.device().synchronize()?;
        let mut steps = Vec::with_capacity(trace.layers.len());
        let mut started = Instant::now();
        self.forward_with(&xs, &mut |layer, value| {
            self.device().synchronize()?;
            let time = started.elapsed();
            steps.push(TimedStep {
                layers: vec![layer.name.clone()],
                algorithm: None,
                output: value.dims().to_vec(),
                macs: costs.next().map_or(0, |cost| cost.macs),
                time,
            });
            started = Instant::now();
            Ok(())
        })?;
        Ok(steps)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use candle_nn::VarBuilder;

    use super::*;
    use crate::error::Error;
    use crate::network::catalog;

    #[test]
    fn what_an_observer_refuses_comes_back_with_its_reason() {
        let layers = catalog::find("se_block").unwrap().layers();
        let xs = Tensor::zeros((1, 32, 4, 4), DType::F32, &Device::Cpu).unwrap();
        let net = SeNet::new(layers, VarBuilder::zeros(DType::F32, &Device::Cpu)).unwrap();
        let found = net.run_observed(&xs, &mut |_, _| {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            Err(Error::file("write", std::path::Path::new("dump"))(full))
        });
        assert!(matches!(found, Err(Error::File { .. })), "{found:?}");
    }
}
