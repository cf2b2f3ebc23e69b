//! What goes into the network that is traced.

use candle_core::{Device, Tensor};

use super::super as commands;
use super::super::pattern::test_pattern;
use crate::checkpoint::Weights;
use crate::classifier::{preprocessing, recommended};
use crate::cli::TraceArgs;
use crate::error::{Error, Result};
use crate::image::{self, Preprocessing};
use crate::network::{Layout, Network, Shape};
use crate::text::shown_path;

/// A batch of the images of the command line, else of the test pattern.
pub(super) struct Input {
    pub(super) shape: Shape,
    /// How images are prepared, where there are some.
    preprocessing: Option<Preprocessing>,
}

impl Input {
    /// The batch that the flags ask for. Nothing of an image is read yet.
    ///
    /// # Errors
    ///
    /// Images of which nothing says how they are prepared.
    pub(super) fn of(
        arguments: &TraceArgs,
        network: &Network,
        weights: Option<&Weights>,
    ) -> Result<Self> {
        let pixels = &arguments.pixels;
        let preprocessing = match weights {
            Some(weights) if !arguments.images.is_empty() => Some(preprocessing(
                network,
                weights,
                pixels.choices(),
                pixels.test_size,
                &mut commands::tell,
            )?),
            _ => None,
        };
        let shape = match &preprocessing {
            Some(preprocessing) => Shape {
                spatial: Some(preprocessing.size),
                ..network.input.shape(arguments.images.len())
            },
            None => shape(arguments, network, weights),
        };
        Ok(Self {
            shape,
            preprocessing,
        })
    }

    /// The numbers that the network is given, `[N, C, H, W]`.
    ///
    /// # Errors
    ///
    /// An image that cannot be read.
    pub(super) fn tensor(&self, arguments: &TraceArgs) -> Result<Tensor> {
        let values = match &self.preprocessing {
            None => test_pattern(self.shape),
            Some(preprocessing) => {
                let mut values = Vec::with_capacity(self.shape.elements().unwrap_or_default());
                for path in &arguments.images {
                    let image = image::load(path, preprocessing).map_err(|error| match error {
                        Error::Image(problem) => {
                            Error::Image(format!("`{}`: {problem}", shown_path(path)))
                        }
                        error => error,
                    })?;
                    values.extend(image);
                }
                values
            }
        };
        let dims = self.shape.dims(Layout::Nchw);
        Ok(Tensor::from_vec(values, dims, &Device::Cpu)?)
    }
}

/// The batch asked for: of the size asked for, else that of the weights, else the network's own.
fn shape(arguments: &TraceArgs, network: &Network, weights: Option<&Weights>) -> Shape {
    let asked = arguments.pixels.size.map(|size| [size.height, size.width]);
    let of_weights = || {
        let test_size = arguments.pixels.test_size;
        Some(recommended(weights?, test_size, &mut commands::tell)?.size)
    };
    let own = network.input.shape(arguments.batch_size);
    Shape {
        spatial: asked.or_else(of_weights).or(own.spatial),
        ..own
    }
}
