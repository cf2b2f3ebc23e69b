use std::path::Path;

use candle_core::{DType, Tensor};

use crate::checkpoint::TensorFile;
use crate::error::Result;
use crate::network::{Layers, Layout, Shape};
use crate::text::shown;

/// A dump of what another framework computed: `input`, `output` and any number of layers
/// or groups by canonical name.
#[derive(Debug)]
pub struct Reference {
    file: TensorFile,
    layout: Layout,
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
        Ok(Self { file, layout })
    }

    /// The framework that made it, in its own words.
    #[must_use]
    pub fn framework(&self) -> Option<&str> {
        self.file.metadata("framework")
    }

    /// What went into the network, `[N, C, H, W]`.
    ///
    /// # Errors
    ///
    /// A dump without `input`, or one that is not a batch of feature maps.
    pub fn input(&self) -> Result<Tensor> {
        let input = self.tensor("input")?;
        if input.rank() == 4 && input.elem_count() > 0 {
            Ok(input.to_dtype(DType::F32)?)
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
