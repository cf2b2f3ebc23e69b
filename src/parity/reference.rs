use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::checkpoint::TensorFile;
use crate::error::Result;
use crate::network::{Layers, Layout, Shape};
use crate::preprocessing::{ChannelOrder, Preprocessing, single};
use crate::text::shown;

/// A dump of what another framework computed: `input`, `output` and any number of layers
/// or groups by canonical name.
#[derive(Debug)]
pub struct Reference {
    file: TensorFile,
    layout: Layout,
    preprocessing: Option<Preprocessing>,
}

impl Reference {
    /// The dump in the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not safetensors, or does not say its layout.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TensorFile::open(path)?;
        let layout = match (file.layout(), file.metadata("layout")) {
            (Some(layout), _) => layout,
            (None, None) if has_weights(&file) => {
                return Err(file.problem(
                    "holds weights, and is no dump of activations\nhint: \
                     `scripts.keras.dump_activations` runs weights and writes the dump"
                        .to_owned(),
                ));
            }
            (None, found) => {
                let found = found.map_or("none".to_owned(), |found| format!("`{}`", shown(found)));
                return Err(file.problem(format!(
                    "needs metadata `layout` of `nhwc` or `nchw`, found {found}: is it a dump?\n\
                     hint: `scripts.keras.dump_activations` makes dumps"
                )));
            }
        };
        Ok(Self {
            file,
            layout,
            preprocessing: None,
        })
    }

    /// The framework that made it, in its own words.
    #[must_use]
    pub fn framework(&self) -> Option<&str> {
        self.file.metadata("framework")
    }

    /// Whether `input` holds pixels of 0 to 255, red first, which a model rescales itself. Then
    /// [`Reference::prepared`] has to say how.
    ///
    /// # Errors
    ///
    /// Metadata `input` that says something else.
    pub fn is_of_pixels(&self) -> Result<bool> {
        match self.file.metadata("input") {
            None => Ok(false),
            Some("pixels") => Ok(true),
            Some(other) => Err(self.file.problem(format!(
                "has metadata `input` of `{}`; expected `pixels`, or none where the network takes \
                 it as it is",
                shown(other)
            ))),
        }
    }

    /// The same dump, whose pixels become what the network takes as those of images do.
    #[must_use]
    pub fn prepared(self, preprocessing: Preprocessing) -> Self {
        Self {
            preprocessing: Some(preprocessing),
            ..self
        }
    }

    /// What goes into the network, `[N, C, H, W]`.
    ///
    /// # Errors
    ///
    /// A dump without `input`, or one that is not a batch of feature maps; pixels of which nothing
    /// says how they are prepared, or of other than three channels.
    pub fn input(&self) -> Result<Tensor> {
        let input = self.tensor("input")?;
        if input.rank() == 4 && input.elem_count() > 0 {
            let input = input.to_dtype(DType::F32)?;
            match (self.is_of_pixels()?, &self.preprocessing) {
                (false, _) => Ok(input),
                (true, Some(preprocessing)) if input.dim(1)? == 3 => {
                    normalised(&input, preprocessing)
                }
                (true, _) => Err(self.file.problem(
                    "has pixels for `input`, which only a network that takes images can be given"
                        .to_owned(),
                )),
            }
        } else {
            Err(self.file.problem(format!(
                "needs an `input` of 4 dimensions, none of them 0, found {:?}",
                input.dims()
            )))
        }
    }

    /// The shape of what went into the network.
    ///
    /// # Errors
    ///
    /// Those of [`Reference::input`].
    pub fn shape(&self) -> Result<Shape> {
        Ok(Shape::of_maps(self.input()?.dims4()?))
    }

    /// The values to compare, in the network's order: name, and position of the layer.
    ///
    /// # Errors
    ///
    /// A name that the network lacks, a dump made of another network, or nothing to compare.
    pub fn values(&self, layers: &Layers) -> Result<Vec<(String, usize)>> {
        if let Some(found) = self.file.metadata("network")
            && found != layers.name()
        {
            return Err(self.file.problem(format!(
                "was made with network `{}`, but `{}` is compared",
                shown(found),
                layers.name()
            )));
        }
        let mut values = Vec::new();
        for name in self
            .file
            .tensors()
            .into_keys()
            .filter(|name| name != "input")
        {
            let position = match name.as_str() {
                "output" => layers.as_slice().len().checked_sub(1),
                name => layers.position(name),
            };
            let position = position.ok_or_else(|| {
                self.file.problem(format!(
                    "names `{}`, which network `{}` lacks\nhint: `senet trace --network {}` \
                     lists its layers and groups",
                    shown(&name),
                    layers.name(),
                    layers.name()
                ))
            })?;
            values.push((name, position));
        }
        if values.is_empty() {
            return Err(self
                .file
                .problem("holds nothing to compare: neither `output` nor any layer".to_owned()));
        }
        // A layer before the groups that end with it, inner groups before outer ones.
        values
            .sort_by_key(|(name, position)| (*position, name == "output", usize::MAX - name.len()));
        Ok(values)
    }

    /// A value in double precision, `[N, C, H, W]` or `[N, C]`.
    ///
    /// # Errors
    ///
    /// A name the dump lacks.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let tensor = self.file.tensor(name)?.to_dtype(DType::F64)?;
        match self.layout {
            Layout::Nhwc if tensor.rank() == 4 => Ok(tensor.permute((0, 3, 1, 2))?.contiguous()?),
            _ => Ok(tensor),
        }
    }
}

/// Whether a file of tensors has some that are called as weights are, and no input.
fn has_weights(file: &TensorFile) -> bool {
    const WEIGHTS: [&str; 5] = ["weight", "bias", "kernel", "running_mean", "moving_mean"];
    let is_weight = |name: &String| {
        let last = name.rsplit(['.', '/']).next().unwrap_or_default();
        WEIGHTS.contains(&last.trim_end_matches(":0"))
    };
    let tensors = file.tensors();
    !tensors.contains_key("input") && tensors.keys().any(is_weight)
}

/// What [`normalise`](crate::image::normalise) makes of pixels, of `[N, 3, H, W]`.
fn normalised(pixels: &Tensor, preprocessing: &Preprocessing) -> Result<Tensor> {
    let ordered = match preprocessing.channel_order {
        ChannelOrder::Rgb => pixels.clone(),
        ChannelOrder::Bgr => pixels.flip(&[1])?,
    };
    let of_channels = |values: [f64; 3]| {
        let values = ordered_as(values, preprocessing.channel_order).map(single);
        Tensor::from_slice(&values, (1, 3, 1, 1), &Device::Cpu)
    };
    let divisor = Tensor::full(single(preprocessing.divisor), (1, 1, 1, 1), &Device::Cpu)?;
    let scaled = ordered.broadcast_div(&divisor)?;
    let shifted = scaled.broadcast_sub(&of_channels(preprocessing.mean)?)?;
    Ok(shifted.broadcast_div(&of_channels(preprocessing.std)?)?)
}

/// Values of red, green and blue in the order of a network's channels.
fn ordered_as([red, green, blue]: [f64; 3], order: ChannelOrder) -> [f64; 3] {
    match order {
        ChannelOrder::Rgb => [red, green, blue],
        ChannelOrder::Bgr => [blue, green, red],
    }
}
