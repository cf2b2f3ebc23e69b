//! The `config.json` that timm writes beside weights.
//!
//! What is read, and what a missing entry stands for, is as in timm's `_parse_model_cfg` and
//! `resolve_data_config`. Two forms exist: entries about the weights in a `pretrained_cfg` of
//! their own, and, written before 2023, everything in one flat object.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::folder::MOST_BYTES;
use super::labels::{LabelNames, MOST_CLASSES, labels};
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::image::{
    ChannelOrder, CropMode, IMAGENET_MEAN, IMAGENET_STD, Interpolation, PerChannel, Preprocessing,
};
use crate::text::{shown, shown_path};

/// What a `config.json` says of the weights beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimmConfig {
    /// timm's name of the network.
    pub(super) architecture: String,
    /// Outputs of the classifier; 0 where there is none.
    pub(super) classes: Option<usize>,
    /// Channels, height and width of the input, where that is not red, green and blue.
    pub(super) input: Option<[usize; 3]>,
    /// A label for each class.
    pub(super) labels: Option<Vec<String>>,
    /// How images are prepared; nothing where the input's channels are not those of images.
    pub(super) preprocessing: Option<Preprocessing>,
    /// The same at the size recommended for tests, if the file recommends one.
    pub(super) test_preprocessing: Option<Preprocessing>,
    /// Whether the network takes no other size.
    pub(super) fixed_size: bool,
    /// The classes that the weights have in front of the first.
    pub(super) background: Option<Background>,
}

/// Classes that a classifier computes, but that count as no answer: those trained with
/// TensorFlow often have one, the background, in front.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Background {
    /// The layers of the classifier, as the file calls them.
    pub(super) layers: Vec<String>,
    /// How many there are.
    pub(super) classes: usize,
}

/// Channels of an image: red, green and blue.
const RGB: usize = 3;

/// Above the bands of any satellite.
const MOST_CHANNELS: usize = 1024;

/// The most layers that `classifier` may name; timm's networks have up to two.
const MOST_CLASSIFIERS: usize = 8;

impl TimmConfig {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not of timm's form, or asks for what this program has not.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let problem = |problem| Error::Checkpoint {
            file: shown_path(path),
            problem,
        };
        let text = files::read_text(path, Pipes::Refused, MOST_BYTES)
            .map_err(Error::file("read", path))?;
        Self::parse(&text).map_err(problem)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let root: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| format!("is not a JSON object: {}", shown(&error.to_string())))?;
        let root = Fields(&root);
        let nested: Option<Map<String, Value>> = root.get("pretrained_cfg")?;
        let flat = nested.is_none();
        let weights = Fields(nested.as_ref().unwrap_or(root.0));

        let architecture = root.get("architecture")?.ok_or(
            "has no `architecture`; expected a config.json as timm writes it\n\
             hint: a config.json beside model.safetensors is read with it; to load the file \
             without it, move it or give it another name",
        )?;
        let classes = root.get("num_classes")?.or(weights.get("num_classes")?);
        if let Some(classes) = classes.filter(|&classes| classes > MOST_CLASSES) {
            return Err(format!(
                "has `num_classes` {classes}; expected at most {MOST_CLASSES}"
            ));
        }
        let channels = check_model(&root, &weights, classes)?;

        let names = match root.get("label_names")? {
            None if flat => weights.get("labels")?,
            None => weights.get("label_names")?,
            names => names,
        };
        let descriptions = match root.get("label_descriptions")? {
            None => weights.get("label_descriptions")?,
            descriptions => descriptions,
        };
        // Without a classifier they are those of one that was there before.
        let labels = names
            .filter(|_| classes != Some(0))
            .map(|names: LabelNames| labels(names, descriptions.as_ref(), classes))
            .transpose()?;

        let size = weights.size("input_size")?.unwrap_or([224, 224]);
        let crop_pct = weights.get("crop_pct")?.unwrap_or(0.875);
        let test_size = weights.size("test_input_size")?;
        let test_crop_pct: Option<f64> = weights.get("test_crop_pct")?;
        let order = ChannelOrder::of_channels(channels);
        let preprocessing = |size, crop_pct| {
            let of_order = |order| preprocessing(&weights, order, size, crop_pct);
            order.map(of_order).transpose()
        };
        let test_preprocessing = if test_size.is_some() || test_crop_pct.is_some() {
            let size = test_size.unwrap_or(size);
            let crop_pct = test_crop_pct.unwrap_or(crop_pct);
            preprocessing(size, crop_pct)?
        } else {
            None
        };
        Ok(Self {
            architecture,
            classes,
            input: (channels != RGB).then_some([channels, size[0], size[1]]),
            labels,
            preprocessing: preprocessing(size, crop_pct)?,
            test_preprocessing,
            fixed_size: weights.get("fixed_input_size")?.unwrap_or(false),
            background: background(&weights)?,
        })
    }
}

/// timm's evaluation transform, which decodes images as Pillow does.
fn preprocessing(
    weights: &Fields,
    order: ChannelOrder,
    size: [usize; 2],
    crop_pct: f64,
) -> Result<Preprocessing, String> {
    let timm = Preprocessing::timm(
        size,
        crop_pct,
        weights
            .get("interpolation")?
            .unwrap_or(Interpolation::Bicubic),
        IMAGENET_MEAN,
        IMAGENET_STD,
    );
    let preprocessing = Preprocessing {
        crop_mode: weights.get("crop_mode")?.unwrap_or(CropMode::Center),
        channel_order: order,
        mean: weights.per_channel("mean", order)?.unwrap_or(timm.mean),
        std: weights.per_channel("std", order)?.unwrap_or(timm.std),
        ..timm
    };
    match preprocessing.validate() {
        Ok(()) => Ok(preprocessing),
        Err(error) => Err(format!("has {error}")),
    }
}

/// Refuses what would compute something else than the network of this name does, and returns the
/// channels of its input.
fn check_model(root: &Fields, weights: &Fields, classes: Option<usize>) -> Result<usize, String> {
    /// Only change how a network is trained.
    const TRAINING: [&str; 4] = [
        "drop_rate",
        "drop_path_rate",
        "drop_block_rate",
        "zero_init_last",
    ];
    /// Read below.
    const READ: [&str; 3] = ["num_classes", "in_chans", "global_pool"];

    if weights.get("custom_load")? != Some(Value::Bool(false))
        && let Some(custom) = weights.get::<Value>("custom_load")?
    {
        return Err(format!(
            "has `custom_load` {}: its weights are in a layout of their own",
            shown(&custom.to_string())
        ));
    }
    let arguments: Map<String, Value> = root.get("model_args")?.unwrap_or_default();
    let arguments = Fields(&arguments);
    let built: Option<usize> = arguments.get("num_classes")?;
    if let (Some(built), Some(classes)) = (built, classes)
        && built != classes
    {
        return Err(format!(
            "has `num_classes` {classes}, but {built} in `model_args`"
        ));
    }
    let of_size = weights.get::<[usize; 3]>("input_size")?;
    let of_size = of_size.map(|[channels, ..]| channels);
    let built: Option<usize> = arguments.get("in_chans")?;
    let channels = built.or(of_size).unwrap_or(RGB);
    if !(1..=MOST_CHANNELS).contains(&channels) {
        return Err(format!(
            "has an input of {channels} channels; expected 1 to {MOST_CHANNELS}"
        ));
    }
    let pools: [Option<Value>; 2] = [root.get("global_pool")?, arguments.get("global_pool")?];
    for pool in pools.into_iter().flatten() {
        // Both are the mean; timm computes it in two ways.
        if pool != "avg" && pool != "fast" {
            let pool = shown(&pool.to_string());
            return Err(format!("has `global_pool` {pool}; expected \"avg\""));
        }
    }
    for (name, value) in arguments.0 {
        // Of how many classifiers the answer is the mean matters where there is one.
        let of_classifiers = classes == Some(0) && name == "distillation";
        let known = TRAINING.contains(&name.as_str()) || READ.contains(&name.as_str());
        let known = known || of_classifiers;
        if !known && !value.is_null() {
            return Err(format!(
                "has `{}` {} in `model_args`, which makes it another network than the one it names",
                shown(name),
                shown(&value.to_string())
            ));
        }
    }
    Ok(channels)
}

fn background(weights: &Fields) -> Result<Option<Background>, String> {
    let classes = weights.get("label_offset")?.unwrap_or(0);
    let layers: Vec<String> = match weights.get("classifier")? {
        Some(OneOrMore::One(layer)) => vec![layer],
        Some(OneOrMore::More(layers)) => layers,
        None => Vec::new(),
    };
    if layers.len() > MOST_CLASSIFIERS {
        return Err(format!(
            "has `classifier` of {} layers; expected at most {MOST_CLASSIFIERS}",
            layers.len()
        ));
    }
    // timm, too, passes over an offset where no classifier is named.
    Ok((classes > 0 && !layers.is_empty()).then_some(Background { layers, classes }))
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected one value or a list")]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

/// An object whose entries have types; `null` is as good as no entry.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value).map(Some).map_err(|error| {
                let error = shown(&error.to_string());
                format!("has `{name}` that cannot be used: {error}")
            }),
        }
    }

    /// Height and width, of which a list has the channels in front.
    fn size(&self, name: &str) -> Result<Option<[usize; 2]>, String> {
        let size = self.get::<[usize; 3]>(name)?;
        Ok(size.map(|[_, height, width]| [height, width]))
    }

    /// A number for each channel, or one for all of them; or those of red, green and blue, whose
    /// mean timm then takes for all.
    fn per_channel(&self, name: &str, order: ChannelOrder) -> Result<Option<PerChannel>, String> {
        let numbers = match self.get(name)? {
            None => return Ok(None),
            Some(OneOrMore::One(number)) => vec![number],
            Some(OneOrMore::More(numbers)) => numbers,
        };
        let channels = order.channels();
        let found = numbers.len();
        PerChannel::from_slice(&numbers)
            .filter(|_| [1, RGB, channels].contains(&found))
            .map(Some)
            .ok_or_else(|| {
                let expected = if channels == RGB {
                    "3 or 1"
                } else {
                    "3, 1 or as many as channels"
                };
                format!("has `{name}` of {found} numbers; expected {expected}")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Preset;

    fn with(changes: &str) -> Result<TimmConfig, String> {
        let mut config: Map<String, Value> = serde_json::from_str(
            r#"{"architecture": "seresnet50", "num_classes": 1000, "num_features": 2048,
                "global_pool": "avg", "model_args": {"in_chans": 3, "num_classes": 1000},
                "pretrained_cfg": {
                    "tag": "a3_in1k", "custom_load": false, "input_size": [3, 160, 160],
                    "test_input_size": [3, 224, 224], "fixed_input_size": false,
                    "interpolation": "bilinear", "crop_pct": 0.9, "test_crop_pct": 0.95,
                    "crop_mode": "squash", "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6],
                    "num_classes": 21843, "pool_size": [5, 5], "first_conv": "conv1",
                    "classifier": "fc"}}"#,
        )
        .unwrap();
        let changes: Map<String, Value> = serde_json::from_str(changes).unwrap();
        for (name, value) in changes {
            match (config.get_mut(&name), value) {
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                (_, value) => drop(config.insert(name, value)),
            }
        }
        TimmConfig::parse(&Value::Object(config).to_string())
    }

    #[test]
    fn every_entry_that_changes_the_result_is_read() {
        let config = with("{}").unwrap();
        assert_eq!(config.architecture, "seresnet50");
        assert_eq!(config.classes, Some(1000));
        let (mean, std) = ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]);
        let expected = Preprocessing {
            crop_mode: CropMode::Squash,
            ..Preprocessing::timm([160, 160], 0.9, Interpolation::Bilinear, mean, std)
        };
        assert_eq!(config.preprocessing.as_ref(), Some(&expected));
        let at_test = Preprocessing {
            size: [224, 224],
            crop_pct: 0.95,
            ..expected
        };
        assert_eq!(config.test_preprocessing, Some(at_test));
        assert!(!config.fixed_size && config.background.is_none() && config.labels.is_none());
    }

    #[test]
    fn what_is_missing_is_as_in_timm() {
        let config = TimmConfig::parse(r#"{"architecture": "x", "pretrained_cfg": {}}"#).unwrap();
        let expected = Preset::Timm.preprocessing([224, 224]);
        assert_eq!(config.preprocessing, Some(expected));
        assert_eq!(config.test_preprocessing, None);
        assert_eq!(config.classes, None);
    }

    #[test]
    fn the_older_form_is_one_flat_object() {
        let config = TimmConfig::parse(
            r#"{"architecture": "seresnet50", "num_classes": 2, "num_features": 2048,
                "global_pool": "avg", "input_size": [3, 96, 128], "crop_pct": 1.0, "mean": [0.5],
                "std": 0.25, "labels": ["cat", "dog"], "interpolation": "bilinear"}"#,
        )
        .unwrap();
        let (mean, std) = ([0.5; 3], [0.25; 3]);
        let expected = Preprocessing {
            mean: PerChannel::Gray([0.5]),
            std: PerChannel::Gray([0.25]),
            ..Preprocessing::timm([96, 128], 1., Interpolation::Bilinear, mean, std)
        };
        assert_eq!(config.preprocessing, Some(expected));
        assert_eq!(config.classes, Some(2));
        assert_eq!(
            config.labels,
            Some(vec!["cat".to_owned(), "dog".to_owned()])
        );
    }

    // timm.create_model(name, in_chans=N), saved by save_for_hf: mean and std stay those of three
    // channels, whose mean timm's loader then takes.
    #[test]
    fn an_input_of_one_channel_is_gray_and_one_of_four_has_opacity() {
        let of = |channels: usize, mean: &str| {
            let config = with(&format!(
                r#"{{"model_args": {{"in_chans": {channels}}}, "pretrained_cfg": {{
                    "input_size": [{channels}, 64, 32], "mean": {mean}, "std": {mean}}}}}"#
            ));
            config.unwrap()
        };
        let three = [0.1, 0.2, 0.3];
        for (channels, mean, order, expected) in [
            (1, "0.5", ChannelOrder::Gray, PerChannel::Gray([0.5])),
            (1, "[0.5]", ChannelOrder::Gray, PerChannel::Gray([0.5])),
            (
                1,
                "[0.1, 0.2, 0.3]",
                ChannelOrder::Gray,
                PerChannel::Rgb(three),
            ),
            (
                4,
                "[0.1, 0.2, 0.3]",
                ChannelOrder::Rgba,
                PerChannel::Rgb(three),
            ),
            (
                4,
                "[0.1, 0.2, 0.3, 0.4]",
                ChannelOrder::Rgba,
                PerChannel::Rgba([0.1, 0.2, 0.3, 0.4]),
            ),
        ] {
            let config = of(channels, mean);
            assert_eq!(config.input, Some([channels, 64, 32]));
            let expected = Preprocessing {
                crop_mode: CropMode::Squash,
                channel_order: order,
                mean: expected,
                std: expected,
                ..Preprocessing::timm([64, 32], 0.9, Interpolation::Bilinear, three, three)
            };
            assert_eq!(config.preprocessing, Some(expected), "{channels} {mean}");
        }
        // Of a satellite's bands.
        let bands = of(13, "[0.1, 0.2]");
        assert_eq!(bands.input, Some([13, 64, 32]));
        assert_eq!(bands.preprocessing, None);
        assert_eq!(with("{}").unwrap().input, None);
    }

    #[test]
    fn a_network_without_classifier_has_no_classes_and_no_labels() {
        let config = with(
            r#"{"num_classes": 0, "model_args": {"num_classes": 0, "distillation": false},
                "label_names": ["a", "b"]}"#,
        );
        let config = config.unwrap();
        assert_eq!((config.classes, config.labels), (Some(0), None));
    }

    #[test]
    fn labels_are_descriptions_where_there_are_any() {
        let labels = |changes: &str| with(changes).unwrap().labels.unwrap();
        let count = r#""num_classes": 3, "model_args": {"num_classes": 3}"#;
        let names = labels(&format!(r#"{{{count}, "label_names": ["a", "b", "c"]}}"#));
        assert_eq!(names, ["a", "b", "c"]);
        let nested =
            format!(r#"{{{count}, "pretrained_cfg": {{"label_names": ["a", "b", "c"]}}}}"#);
        assert_eq!(labels(&nested), ["a", "b", "c"]);
        let described = labels(&format!(
            r#"{{{count}, "label_names": ["n01", "n02", "n03"],
                "label_descriptions": {{"n03": "hen", "n01": "tench", "n02": "shark"}}}}"#
        ));
        assert_eq!(described, ["tench", "shark", "hen"]);
        let sparse = labels(&format!(
            r#"{{{count}, "label_names": {{"2": "c", "0": "a"}}}}"#
        ));
        assert_eq!(sparse, ["a", "1", "c"]);
    }

    #[test]
    fn a_background_class_is_noted() {
        let config = with(r#"{"pretrained_cfg": {"label_offset": 1}}"#).unwrap();
        let background = Background {
            layers: vec!["fc".to_owned()],
            classes: 1,
        };
        assert_eq!(config.background, Some(background));
        let many =
            with(r#"{"pretrained_cfg": {"classifier": ["", "", "", "", "", "", "", "", ""]}}"#);
        let problem = many.unwrap_err();
        assert_eq!(problem, "has `classifier` of 9 layers; expected at most 8");
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for (changes, problem) in [
            (r#"{"architecture": null}"#, "has no `architecture`"),
            (
                r#"{"architecture": 5}"#,
                "has `architecture` that cannot be used",
            ),
            (
                r#"{"num_classes": -1}"#,
                "has `num_classes` that cannot be used",
            ),
            (
                r#"{"num_classes": 10}"#,
                "has `num_classes` 10, but 1000 in `model_args`",
            ),
            (
                r#"{"global_pool": "max"}"#,
                "has `global_pool` \"max\"; expected \"avg\"",
            ),
            (
                r#"{"model_args": {"global_pool": ""}}"#,
                "has `global_pool` \"\"",
            ),
            (
                r#"{"model_args": {"in_chans": 0}}"#,
                "has an input of 0 channels",
            ),
            (
                r#"{"model_args": {"output_stride": 16}}"#,
                "has `output_stride` 16 in `model_args`",
            ),
            (
                r#"{"pretrained_cfg": {"custom_load": true}}"#,
                "has `custom_load` true",
            ),
            (
                r#"{"pretrained_cfg": {"input_size": [224, 224]}}"#,
                "has `input_size` that cannot",
            ),
            (
                r#"{"pretrained_cfg": {"input_size": [3, 0, 5]}}"#,
                "found 0x5",
            ),
            (
                r#"{"pretrained_cfg": {"crop_pct": 1.5}}"#,
                "`crop_pct` must be",
            ),
            (
                r#"{"pretrained_cfg": {"test_crop_pct": 0}}"#,
                "`crop_pct` must be",
            ),
            (
                r#"{"pretrained_cfg": {"crop_mode": "random"}}"#,
                "has `crop_mode` that cannot",
            ),
            (
                r#"{"pretrained_cfg": {"interpolation": "random"}}"#,
                "has `interpolation` that",
            ),
            (
                r#"{"pretrained_cfg": {"mean": [0.5, 0.5]}}"#,
                "has `mean` of 2 numbers",
            ),
            (r#"{"pretrained_cfg": {"std": [0, 1, 1]}}"#, "`std` must be"),
            (
                r#"{"label_names": "cat"}"#,
                "has `label_names` that cannot be used",
            ),
            (
                r#"{"label_names": {"1000": "x"}}"#,
                "expected a class from 0 to 999",
            ),
            (r#"{"label_names": {"x": "x"}}"#, "has `label_names` of `x`"),
            (
                r#"{"label_names": {"0": "a"}, "label_descriptions": {"b": "c"}}"#,
                "has no `label_descriptions` of the label `a`",
            ),
            (
                r#"{"label_names": ["a"]}"#,
                "has 1 `label_names`, and `num_classes` 1000",
            ),
            (
                r#"{"num_classes": 1000000000000000000, "label_names": {"0": "x"}}"#,
                "expected at most 1000000",
            ),
        ] {
            let error = with(changes).unwrap_err();
            assert!(error.contains(problem), "{changes}: {error}");
        }
        assert!(
            TimmConfig::parse("[]")
                .unwrap_err()
                .contains("is not a JSON object")
        );
    }

    #[test]
    fn no_text_of_the_file_makes_an_error_long_or_steers_a_terminal() {
        let long = "\u{202e}".repeat(100_000);
        for changes in [
            format!(r#"{{"global_pool": "{long}"}}"#),
            format!(r#"{{"num_classes": "{long}"}}"#),
            format!(r#"{{"model_args": {{"{long}": "{long}"}}}}"#),
            format!(r#"{{"pretrained_cfg": {{"custom_load": "{long}"}}}}"#),
            format!(r#"{{"pretrained_cfg": {{"crop_mode": "{long}"}}}}"#),
            format!(r#"{{"label_names": {{"{long}": "x"}}}}"#),
            format!(r#"{{"num_classes": null, "label_names": ["{long}"], "model_args": {{}}}}"#),
        ] {
            let error = with(&changes).unwrap_err();
            assert!(error.len() < 4096 && !error.contains('\u{202e}'), "{error}");
        }
    }

    #[test]
    fn arguments_of_training_alone_are_passed_over() {
        let arguments = r#"{"model_args": {"drop_rate": 0.1, "zero_init_last": true, "aa": null}}"#;
        assert_eq!(with(arguments), with("{}"));
    }
}
