use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::TensorInfo;

use super::aliases::Aliases;
use super::naming::{Extra, NamedValue, NamedValues};
use crate::checkpoint::{How, LayerNames, TensorFile};
use crate::error::{Error, Result};
use crate::network::{Layers, Layout, Shape};
use crate::preprocessing::Preprocessing;
use crate::text::{counted, shown, shown_list};

/// Where dumps come from.
const MAKERS: &str = "`scripts.keras.dump_activations` and `scripts.pytorch.dump_activations` make \
                      dumps, docs/dumps.md shows how any program does";

/// A dump of what another framework computed: `input`, `output` and any number of layers
/// or groups, by the names that they have here or in their code base.
#[derive(Debug)]
pub struct Reference {
    file: TensorFile,
    layout: Layout,
    preprocessing: Option<Preprocessing>,
    aliases: Aliases,
    extra: Extra,
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
                return Err(file.problem(format!(
                    "holds weights, and is no dump of activations\nhint: {MAKERS}"
                )));
            }
            (None, found) => {
                let found = found.map_or("none".to_owned(), |found| format!("`{}`", shown(found)));
                return Err(file.problem(format!(
                    "needs metadata `layout` of `nhwc` or `nchw`, found {found}: is it a dump?\n\
                     hint: {MAKERS}"
                )));
            }
        };
        Ok(Self {
            file,
            layout,
            preprocessing: None,
            aliases: Aliases::default(),
            extra: Extra::Error,
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
                 it as it is\nhint: `scripts.keras.applications` makes dumps of pixels, \
                 `scripts.keras.dump_activations` the others",
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

    /// The same dump, some of whose names stand for others.
    #[must_use]
    pub fn with_aliases(self, aliases: Aliases) -> Self {
        Self { aliases, ..self }
    }

    /// The same dump, of which values that the network has no layer for are an error or ignored.
    #[must_use]
    pub fn with_extra(self, extra: Extra) -> Self {
        Self { extra, ..self }
    }

    /// What goes into the network, `[N, C, H, W]`.
    ///
    /// # Errors
    ///
    /// A dump without `input`, or one that is not a batch of feature maps; pixels of which nothing
    /// says how they are prepared, or of other channels than the network takes.
    pub fn input(&self) -> Result<Tensor> {
        let input = self.tensor("input")?;
        if input.rank() == 4 && input.elem_count() > 0 {
            let input = input.to_dtype(DType::F32)?;
            match (self.is_of_pixels()?, &self.preprocessing) {
                (false, _) => Ok(input),
                (true, Some(preprocessing)) => {
                    let (found, expected) = (input.dim(1)?, preprocessing.channel_order.channels());
                    if found != expected {
                        return Err(self.file.problem(format!(
                            "has pixels of {found} channels for `input`, expected {expected}"
                        )));
                    }
                    normalised(&input, preprocessing)
                }
                (true, None) => Err(self.file.problem(
                    "has pixels for `input`, and nothing says how a network is given them"
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

    /// [`Reference::input`] in double precision: as the dump has it, where it has no pixels.
    ///
    /// # Errors
    ///
    /// Those of [`Reference::input`].
    pub fn exact_input(&self) -> Result<Tensor> {
        let input = self.input()?;
        if self.is_of_pixels()? {
            Ok(input.to_dtype(DType::F64)?)
        } else {
            self.tensor("input")
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
    /// Those of [`Reference::named`]; nothing to compare.
    pub fn values(&self, layers: &Layers) -> Result<Vec<(String, usize)>> {
        let values = self.to_compare(layers)?.values.into_iter();
        Ok(values.map(|value| (value.name, value.position)).collect())
    }

    /// What each name of the dump means in the network, in its order.
    ///
    /// # Errors
    ///
    /// Names that mean no layer, unless these are ignored; an alias of what the dump or the network
    /// lacks; a dump made of another network.
    pub fn named(&self, layers: &Layers) -> Result<NamedValues> {
        if let Some(found) = self.file.metadata("network")
            && found != layers.name()
        {
            return Err(self.file.problem(format!(
                "was made with network `{}`, but `{}` is compared",
                shown(found),
                layers.name()
            )));
        }
        let tensors = self.file.tensors();
        let names = tensors.keys().map(String::as_str);
        let names: Vec<&str> = names.filter(|&name| name != "input").collect();
        self.aliases
            .check_reference(|name| names.contains(&name), &self.file)?;
        let own = |name: &&str| *name != "output" && self.aliases.of(name).is_none();
        let own: Vec<&str> = names.iter().copied().filter(own).collect();
        let meanings = LayerNames::of(&own, layers);
        let mut found = NamedValues::default();
        for name in names {
            let meaning = match (self.aliases.of(name), name) {
                (Some(alias), _) => {
                    let position = self.aliases.layer(alias, layers)?;
                    Some((position, How::Alias, None))
                }
                (None, "output") => {
                    let last = layers.as_slice().len().checked_sub(1);
                    last.map(|last| (last, How::Output, None))
                }
                (None, name) => {
                    let meaning = meanings.find(name);
                    meaning.map(|meaning| (meaning.position, meaning.how, meaning.code_base))
                }
            };
            let Some((position, how, code_base)) = meaning else {
                found.extra.push(name.to_owned());
                continue;
            };
            found.values.push(NamedValue {
                name: name.to_owned(),
                layer: layers.as_slice()[position].name.clone(),
                how,
                code_base,
                position,
            });
        }
        if self.extra == Extra::Error && !found.extra.is_empty() {
            return Err(self.lacking(&found.extra, layers));
        }
        for value in &mut found.values {
            if let Some(activation) = self.activation_within(value, layers, &tensors)? {
                value.layer.clone_from(&layers.as_slice()[activation].name);
                (value.position, value.how) = (activation, How::WithActivation);
            }
        }
        // A layer before the groups that end with it, inner groups before outer ones.
        found.values.sort_by_key(|value| {
            let name = value.name.len();
            (value.position, value.name == "output", usize::MAX - name)
        });
        Ok(found)
    }

    /// The activation that a layer's module has within, where the dump has both and they are one value:
    /// timm's `bn1` and `bn1.act`, of which the first ends with the second. Others' `bn1` ends before.
    fn activation_within(
        &self,
        value: &NamedValue,
        layers: &Layers,
        tensors: &BTreeMap<String, &TensorInfo>,
    ) -> Result<Option<usize>> {
        const ACTIVATION: &str = ".act";
        let of_module = value.name.clone() + ACTIVATION;
        let of_layer = value.layer.clone() + ACTIVATION;
        let shape = |name: &String| tensors.get(name).map(|info| &info.shape);
        let ends_alike = shape(&of_module).is_some() && shape(&of_module) == shape(&value.name);
        if value.how != How::Layer || !ends_alike {
            return Ok(None);
        }
        let Some(position) = layers.position(&of_layer) else {
            return Ok(None);
        };
        if layers.as_slice()[position].name != of_layer {
            return Ok(None);
        }
        let flat =
            |name: &str| -> Result<Vec<f64>> { Ok(self.tensor(name)?.flatten_all()?.to_vec1()?) };
        Ok((flat(&value.name)? == flat(&of_module)?).then_some(position))
    }

    /// [`Reference::named`], of which there has to be something.
    pub(super) fn to_compare(&self, layers: &Layers) -> Result<NamedValues> {
        let found = self.named(layers)?;
        if found.values.is_empty() {
            return Err(self
                .file
                .problem("holds nothing to compare: neither `output` nor any layer".to_owned()));
        }
        Ok(found)
    }

    /// Refuses names that mean nothing.
    fn lacking(&self, names: &[String], layers: &Layers) -> Error {
        /// Enough to see whose names they are.
        const SHOWN: usize = 4;
        let values = counted(names.len(), "value");
        let network = layers.name();
        self.file.problem(format!(
            "names {values} that network `{network}` lacks: {}\nhint: `--extra ignore` leaves such \
             values out, `--names` shows what each name means",
            shown_list(names, SHOWN),
        ))
    }

    /// A value in double precision, `[N, C, H, W]` or `[N, C]`.
    ///
    /// # Errors
    ///
    /// A name the dump lacks.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        in_nchw(&self.file.tensor(name)?, self.layout)
    }
}

/// A value of a dump of this layout in double precision, `[N, C, H, W]` or `[N, C]`.
pub(super) fn in_nchw(tensor: &Tensor, layout: Layout) -> Result<Tensor> {
    let tensor = tensor.to_dtype(DType::F64)?;
    match layout {
        Layout::Nhwc if tensor.rank() == 4 => Ok(tensor.permute((0, 3, 1, 2))?.contiguous()?),
        _ => Ok(tensor),
    }
}

/// Whether a file of tensors has some that are called as weights are, and no input.
pub(super) fn has_weights(file: &TensorFile) -> bool {
    const WEIGHTS: [&str; 5] = ["weight", "bias", "kernel", "running_mean", "moving_mean"];
    let is_weight = |name: &String| {
        let last = name.rsplit(['.', '/']).next().unwrap_or_default();
        WEIGHTS.contains(&last.trim_end_matches(":0"))
    };
    let tensors = file.tensors();
    !tensors.contains_key("input") && tensors.keys().any(is_weight)
}

/// What [`normalise`](crate::image::normalise) makes of pixels, of `[N, C, H, W]`.
fn normalised(pixels: &Tensor, preprocessing: &Preprocessing) -> Result<Tensor> {
    let channels = preprocessing.channels().map(|channel| {
        let samples = pixels.narrow(1, channel.source, 1)?;
        let values = samples.flatten_all()?.to_vec1::<f32>()?.into_iter();
        let values = values.map(|sample| channel.normalise(sample)).collect();
        Ok(Tensor::from_vec(values, samples.shape(), &Device::Cpu)?)
    });
    let channels = channels.collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(&channels, 1)?)
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, RgbImage, RgbaImage};

    use super::*;
    use crate::image::{Raster, normalise};
    use crate::preprocessing::{ChannelOrder, PerChannel, Preset};

    /// Of the images in dumps, as `RgbImage` has them too.
    const HEIGHT: usize = 2;
    const WIDTH: usize = 3;

    /// Samples of two images of three channels, one image after the other: row, column, channel.
    fn samples(channels: usize) -> Vec<u8> {
        let all = (0..=u8::MAX).cycle().step_by(37);
        all.take(2 * HEIGHT * WIDTH * channels).collect()
    }

    /// A dump of such samples with this metadata `input`.
    fn dump(channels: usize, layout: Layout, input: Option<&str>) -> Reference {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.safetensors");
        let samples: Vec<f32> = samples(channels).into_iter().map(f32::from).collect();
        let shape = (2, HEIGHT, WIDTH, channels);
        let pixels = Tensor::from_vec(samples, shape, &Device::Cpu).unwrap();
        let (layout, pixels) = match layout {
            Layout::Nhwc => ("nhwc", pixels),
            Layout::Nchw => {
                let pixels = pixels.permute((0, 3, 1, 2)).unwrap();
                ("nchw", pixels.contiguous().unwrap())
            }
        };
        let said = input.map(|input| ("input".to_owned(), input.to_owned()));
        let metadata = [("layout".to_owned(), layout.to_owned())];
        let metadata = metadata.into_iter().chain(said).collect();
        safetensors::serialize_to_file([("input", pixels)], Some(metadata), &path).unwrap();
        Reference::open(&path).unwrap()
    }

    /// Channels of which no two are prepared alike.
    fn uneven(channel_order: ChannelOrder) -> Preprocessing {
        Preprocessing {
            channel_order,
            divisor: 128.,
            mean: PerChannel::Rgb([0.125, 0.5, 0.75]),
            std: PerChannel::Rgb([0.25, 0.5, 2.]),
            ..Preset::Torch.preprocessing([HEIGHT, WIDTH])
        }
    }

    fn refusal(input: Result<Tensor>) -> String {
        let error = input.unwrap_err().to_string();
        let (_, problem) = error.split_once("dump.safetensors` ").unwrap();
        problem.to_owned()
    }

    #[test]
    fn pixels_become_what_those_of_an_image_become() {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            for order in [
                ChannelOrder::Rgb,
                ChannelOrder::Bgr,
                ChannelOrder::Gray,
                ChannelOrder::Rgba,
            ] {
                let preprocessing = uneven(order);
                let channels = order.channels();
                let reference =
                    dump(channels, layout, Some("pixels")).prepared(preprocessing.clone());
                let found = reference.input().unwrap();
                assert_eq!(found.dims(), [2, channels, HEIGHT, WIDTH]);
                let images = samples(channels);
                let images = images
                    .chunks(channels * HEIGHT * WIDTH)
                    .flat_map(|samples| {
                        let samples = samples.to_vec();
                        let image = match channels {
                            1 => Raster::Gray(GrayImage::from_raw(3, 2, samples).unwrap()),
                            3 => Raster::Rgb(RgbImage::from_raw(3, 2, samples).unwrap()),
                            _ => Raster::Rgba(RgbaImage::from_raw(3, 2, samples).unwrap()),
                        };
                        normalise(&image, &preprocessing)
                    });
                let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
                assert_eq!(found, images.collect::<Vec<_>>(), "{layout:?} {order:?}");
            }
        }
    }

    #[test]
    fn the_channel_that_comes_first_is_normalised_by_its_own_mean() {
        // The first pixel's samples are 0, 37 and 74.
        let first = |order| {
            let input = dump(3, Layout::Nhwc, Some("pixels"))
                .prepared(uneven(order))
                .input();
            let pixel = input.unwrap().narrow(0, 0, 1).unwrap();
            let pixel = pixel.narrow(2, 0, 1).unwrap().narrow(3, 0, 1).unwrap();
            pixel.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let [red, green, blue] = [
            (0. / 128. - 0.125) / 0.25,
            (37. / 128. - 0.5) / 0.5,
            (74. / 128. - 0.75) / 2.,
        ];
        assert_eq!(first(ChannelOrder::Rgb), [red, green, blue]);
        assert_eq!(first(ChannelOrder::Bgr), [blue, green, red]);
    }

    #[test]
    fn an_input_that_is_said_to_be_no_pixels_stays_as_it_is() {
        for channels in [3, 5] {
            let reference = dump(channels, Layout::Nhwc, None);
            assert!(!reference.is_of_pixels().unwrap());
            let prepared = reference.prepared(uneven(ChannelOrder::Bgr));
            let found = prepared.input().unwrap().permute((0, 2, 3, 1)).unwrap();
            let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
            let samples: Vec<f32> = samples(channels).into_iter().map(f32::from).collect();
            assert_eq!(found, samples);
        }
    }

    #[test]
    fn metadata_that_says_something_else_of_the_input_is_refused() {
        for said in ["image", "Pixels", ""] {
            let reference = dump(3, Layout::Nhwc, Some(said));
            let expected = format!(
                "has metadata `input` of `{said}`; expected `pixels`, or none where the network \
                 takes it as it is\nhint: `scripts.keras.applications` makes dumps of pixels, \
                 `scripts.keras.dump_activations` the others"
            );
            let error = reference.is_of_pixels().unwrap_err().to_string();
            assert!(error.ends_with(&expected), "{error}");
            let prepared = reference.prepared(uneven(ChannelOrder::Rgb));
            assert_eq!(refusal(prepared.input()), expected);
        }
    }

    #[test]
    fn pixels_that_nothing_prepares_are_refused() {
        let of_three = dump(3, Layout::Nchw, Some("pixels"));
        assert_eq!(
            refusal(of_three.input()),
            "has pixels for `input`, and nothing says how a network is given them"
        );
        let of_four = dump(4, Layout::Nhwc, Some("pixels"));
        assert_eq!(
            refusal(of_four.prepared(uneven(ChannelOrder::Rgb)).input()),
            "has pixels of 4 channels for `input`, expected 3"
        );
    }
}
