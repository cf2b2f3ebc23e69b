//! The file of `trace --save-to`: a dump of the values that `--save` names.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use candle_core::Tensor;

use super::super::output::{FilePlace, WholeFile};
use crate::checkpoint::Weights;
use crate::cli::TraceArgs;
use crate::error::{Error, Result};
use crate::model::Runtime;
use crate::network::layers::SEPARATORS;
use crate::network::{Layer, Layers};
use crate::parity::DumpWriter;
use crate::report::DRAWN;
use crate::text::near::nearest;
use crate::text::{follows, path_text, shown, shown_list, shown_path};

/// What every dump has: it is what values are computed of.
const INPUT: &str = "input";

/// What a dump calls the last layer's value, whatever that layer's name.
const OUTPUT: &str = "output";

/// The most names that a list shows.
const SHOWN: usize = 3;

/// A layer's or group's value, by its name in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    name: String,
    /// Of the layer.
    position: usize,
    /// Whether it was asked for by this very name, and not as one of many.
    is_named: bool,
}

/// What is to be saved, and where.
pub(super) struct Selection<'a> {
    path: &'a Path,
    values: Vec<Wanted>,
}

impl<'a> Selection<'a> {
    /// What the flags ask for, if they ask for anything.
    ///
    /// # Errors
    ///
    /// A file that is no safetensors file by its name, or no regular one; names that mean no layer.
    pub(super) fn of(arguments: &'a TraceArgs, layers: &Layers) -> Result<Option<Self>> {
        let Some(path) = &arguments.save_to else {
            return Ok(None);
        };
        let is_safetensors = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
        if !is_safetensors {
            return Err(Error::Usage(format!(
                "`--save-to {}` does not end with .safetensors, which is how values are written",
                shown_path(path)
            )));
        }
        let values = wanted(&arguments.save, layers)?;
        Ok(Some(Self { path, values }))
    }

    /// Where the file goes, which is none of those that are read.
    ///
    /// # Errors
    ///
    /// No regular file, or one that is read.
    pub(super) fn place(
        &self,
        arguments: &TraceArgs,
        weights: Option<&Weights>,
    ) -> Result<FilePlace> {
        let of_weights = weights.map(Weights::paths).unwrap_or_default();
        let read = of_weights.iter().chain(&arguments.images);
        FilePlace::find("--save-to", self.path, read.map(PathBuf::as_path))
    }

    /// Begins the file; until it is whole it is `FILE.partial`.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub(super) fn create(
        self,
        place: &FilePlace,
        arguments: &TraceArgs,
        layers: &Layers,
        runtime: &Runtime,
        weights: Option<&str>,
    ) -> Result<Saved> {
        let version = concat!("senet ", env!("CARGO_PKG_VERSION"));
        let mut metadata = vec![
            ("framework", version.to_owned()),
            ("network", layers.name().to_owned()),
            ("weights", weights.unwrap_or(DRAWN).to_owned()),
            ("engine", runtime.name().to_owned()),
            ("dtype", runtime.dtype().as_str().to_owned()),
        ];
        if !arguments.images.is_empty() {
            let images: Vec<String> = arguments
                .images
                .iter()
                .map(|path| path_text(path))
                .collect();
            metadata.push(("images", serde_json::json!(images).to_string()));
        }
        let names = self.values.iter().map(|value| value.name.as_str());
        let file = WholeFile::create(place, None)?;
        let writer = DumpWriter::new(
            file.handle()?,
            file.partial().path(),
            arguments.layout,
            &metadata,
            [INPUT].into_iter().chain(names),
        )?;
        let mut waiting: HashMap<String, Vec<Wanted>> = HashMap::new();
        for value in self.values {
            let layer = layers.as_slice()[value.position].name.clone();
            waiting.entry(layer).or_default().push(value);
        }
        Ok(Saved {
            writer,
            file,
            engine: runtime.name(),
            waiting,
        })
    }
}

/// A file that values are written into while they are computed.
pub(super) struct Saved {
    writer: DumpWriter,
    file: WholeFile,
    engine: &'static str,
    /// By the names of layers, values that have not been computed.
    waiting: HashMap<String, Vec<Wanted>>,
}

impl Saved {
    /// Writes what the network is given.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(super) fn add_input(&mut self, input: &Tensor) -> Result<()> {
        self.writer.add(INPUT, input)
    }

    /// Writes the value of a layer under every name that it was asked for.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(super) fn add_value(&mut self, layer: &Layer, value: &Tensor) -> Result<()> {
        for wanted in self.waiting.remove(&layer.name).unwrap_or_default() {
            self.writer.add(&wanted.name, value)?;
        }
        Ok(())
    }

    /// Makes the partial file the one asked for.
    ///
    /// # Errors
    ///
    /// Values asked for by name that the engine never had; a last write or the renaming that fails.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let waiting = self.waiting.values().flatten();
        let mut lacking: Vec<&Wanted> = waiting.filter(|value| value.is_named).collect();
        lacking.sort_by_key(|value| value.position);
        if !lacking.is_empty() {
            let names: Vec<&str> = lacking.iter().map(|value| value.name.as_str()).collect();
            return Err(Error::Usage(format!(
                "the engine {}, which folds layers into others, has no value of {}\nhint: \
                 `--engine candle` has the value of every layer",
                self.engine,
                shown_list(&names, SHOWN)
            ))
            .into());
        }
        self.writer.finish()?;
        self.file.finish()
    }
}

/// The values that these names and patterns mean, each once, in the order of computation; those of
/// all layers where there are none.
///
/// # Errors
///
/// A name that means no layer or group, or a pattern that no layer follows.
fn wanted(names: &[String], layers: &Layers) -> Result<Vec<Wanted>> {
    let every = ["*".to_owned()];
    let names = if names.is_empty() { &every } else { names };
    let mut values = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        let found = meant(name, layers)?;
        values.extend(
            found
                .into_iter()
                .filter(|value| seen.insert(value.name.clone())),
        );
    }
    values.sort_by_key(|value: &Wanted| value.position);
    Ok(values)
}

fn meant(name: &str, layers: &Layers) -> Result<Vec<Wanted>> {
    let one = |position| Wanted {
        name: name.to_owned(),
        position,
        is_named: true,
    };
    match name {
        INPUT => return Ok(Vec::new()),
        OUTPUT => {
            return Ok(layers
                .as_slice()
                .len()
                .checked_sub(1)
                .map(one)
                .into_iter()
                .collect());
        }
        _ => {}
    }
    if let Some(position) = layers.position(name) {
        return Ok(vec![one(position)]);
    }
    let all = layers.as_slice().iter().enumerate();
    // What a dump would call so is another value.
    let has_own_name = |position: usize, layer: &str| {
        ![INPUT, OUTPUT].contains(&layer) && layers.position(layer) == Some(position)
    };
    let followers: Vec<Wanted> = all
        .filter(|(position, layer)| {
            follows(&layer.name, name) && has_own_name(*position, &layer.name)
        })
        .map(|(position, layer)| Wanted {
            name: layer.name.clone(),
            position,
            is_named: false,
        })
        .collect();
    if followers.is_empty() {
        return Err(unknown(name, layers));
    }
    Ok(followers)
}

fn unknown(name: &str, layers: &Layers) -> Error {
    let network = shown(layers.name());
    let problem = if name.contains('*') {
        format!("no layer of `{network}` follows `{}`", shown(name))
    } else {
        format!("`{network}` has no layer or group `{}`", shown(name))
    };
    let mut known: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    for layer in layers.as_slice() {
        let layer = layer.name.as_str();
        let groups = layer
            .match_indices(SEPARATORS)
            .map(|(end, _)| &layer[..end]);
        known.extend(groups.chain([layer]).filter(|&name| seen.insert(name)));
    }
    let hint = match nearest(name, known.into_iter(), SHOWN).as_slice() {
        [] => "`senet trace` lists the layers".to_owned(),
        near => {
            let near: Vec<String> = near
                .iter()
                .map(|name| format!("`{}`", shown(name)))
                .collect();
            format!("did you mean {}?", near.join(" or "))
        }
    };
    Error::Usage(format!("{problem}\nhint: {hint}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::checkpoint::LayerNames;
    use crate::network::catalog;

    fn names(asked: &[&str]) -> Result<Vec<String>, String> {
        let layers = catalog::find("seresnet20").unwrap().layers();
        let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
        let values = wanted(&asked, &layers).map_err(|error| error.to_string())?;
        Ok(values.into_iter().map(|value| value.name).collect())
    }

    #[test]
    fn values_come_once_and_in_the_order_of_computation() {
        let found = names(&["output", "layer1.*.se.sigmoid", "conv1", "layer1", "conv1"]);
        let expected = [
            "conv1",
            "layer1.0.se.sigmoid",
            "layer1.1.se.sigmoid",
            "layer1.2.se.sigmoid",
            "layer1",
            "output",
        ];
        assert_eq!(found.unwrap(), expected);
        assert!(names(&["input"]).unwrap().is_empty());
    }

    #[test]
    fn without_a_name_every_layer_is_saved_under_a_name_that_means_it() {
        for network in catalog::networks() {
            let layers = network.layers();
            let values = wanted(&[], &layers).unwrap();
            let names: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
            let meanings = LayerNames::of(&names, &layers);
            for Wanted { name, position, .. } in &values {
                let found = meanings.find(name).map(|meaning| meaning.position);
                assert_eq!(found, Some(*position), "{}: {name}", network.name);
            }
            let is_factor = |layer: &&Layer| {
                matches!(
                    layer.operation,
                    crate::network::Operation::LearntFactor { .. }
                )
            };
            let factors = layers.as_slice().iter().filter(is_factor).count();
            assert!(
                values.len() + factors >= layers.as_slice().len(),
                "{}",
                network.name
            );
        }
    }

    #[test]
    fn an_unknown_layer_gets_those_that_are_near_as_a_hint() {
        for (asked, expected) in [
            (
                "layer1.0.bn3",
                "`seresnet20` has no layer or group `layer1.0.bn3`\nhint: did you mean \
                 `layer1.0.bn1` or `layer1.0.bn2`?",
            ),
            (
                "layer9",
                "`seresnet20` has no layer or group `layer9`\nhint: did you mean `layer1` or \
                 `layer2` or `layer3`?",
            ),
            (
                "transformer",
                "`seresnet20` has no layer or group `transformer`\nhint: `senet trace` lists the \
                 layers",
            ),
            (
                "head.*",
                "no layer of `seresnet20` follows `head.*`\nhint: `senet trace` lists the layers",
            ),
        ] {
            assert_eq!(names(&[asked]).unwrap_err(), expected);
        }
    }
}
