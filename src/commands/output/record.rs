//! `FILE.partial.json`: what made the rows of a run that has not ended.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Written;
use crate::checkpoint::Weights;
use crate::classifier::Classifier;
use crate::cpu::Isa;
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::image::{Damage, Preprocessing};
use crate::model::Runtime;
use crate::network::Graph;
use crate::text::{hexadecimal, shown, shown_path};

/// All that a row depends on besides its input. What changes no row is left out: the size of a
/// batch, threads, and the memory that images may take.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Record {
    /// The version of this record.
    version: u32,
    /// The version of this program: the next may decode or compute something else.
    senet: &'static str,
    /// The weights' name, for whoever reads it: what counts is their content.
    weights: String,
    weights_sha256: String,
    /// Whether the weights are a running average.
    ema: bool,
    network: String,
    /// The hash of the network's graph.
    layers_sha256: String,
    /// The hash of the classes' names, each behind its length.
    labels_sha256: Option<String>,
    preprocessing: Preprocessing,
    damaged: &'static str,
    engine: &'static str,
    device: &'static str,
    dtype: &'static str,
    winograd: Option<&'static str>,
    /// The vectors of the engine cpu, which sum up in an order of their own: another processor's
    /// rows are as good, so that a difference is no more than a warning.
    instructions: Option<&'static str>,
    format: &'static str,
    top_k: usize,
}

/// What does not have to be the same, but may change the last digits of numbers.
const MAY_DIFFER: &str = "instructions";

/// What may be called otherwise.
const A_NAME: &str = "weights";

/// The most bytes of a record.
const MAX_RECORD: u64 = 1 << 20;

/// What a run was asked for, besides what its classifier knows.
pub(in crate::commands) struct Asked<'a> {
    pub(in crate::commands) weights: &'a Weights,
    pub(in crate::commands) is_averaged: bool,
    pub(in crate::commands) runtime: &'a Runtime,
    pub(in crate::commands) damage: Damage,
    pub(in crate::commands) written: Written,
}

impl Record {
    /// What makes the rows of this run. It reads all of the weights' file.
    ///
    /// # Errors
    ///
    /// Weights that can no longer be read.
    pub(in crate::commands) fn of(classifier: &Classifier, asked: &Asked<'_>) -> Result<Self> {
        let network = classifier.network();
        let (winograd, instructions) = match asked.runtime {
            Runtime::Cpu(options) => {
                let isa = options.isa.map_or_else(Isa::detect, Ok)?;
                (Some(options.winograd.name()), Some(isa.name()))
            }
            Runtime::Candle { .. } => (None, None),
        };
        let device = asked.runtime.device();
        Ok(Self {
            version: 1,
            senet: env!("CARGO_PKG_VERSION"),
            weights: shown(asked.weights.file().name()),
            weights_sha256: asked.weights.file().sha256()?,
            ema: asked.is_averaged,
            network: network.name.to_string(),
            layers_sha256: sha256([Graph::of(&network.layers()).to_json().as_bytes()]),
            labels_sha256: classifier.labels().map(of_labels),
            preprocessing: classifier.preprocessing().clone(),
            damaged: match asked.damage {
                Damage::Refuse => "refuse",
                Damage::Accept => "accept",
            },
            engine: asked.runtime.name(),
            device: match (device.is_cuda(), device.is_metal()) {
                (true, _) => "cuda",
                (_, true) => "metal",
                _ => "cpu",
            },
            dtype: asked.runtime.dtype().as_str(),
            winograd,
            instructions,
            format: asked.written.format.name(),
            top_k: asked.written.top_k,
        })
    }

    /// Writes it to `path`, in place of an earlier one alone.
    ///
    /// # Errors
    ///
    /// A file there that is no record, a link or the like, or one that cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        if path.symlink_metadata().is_ok() {
            read(path)?;
        }
        let write = || {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            create(path)?.write_all(&text)
        };
        write().map_err(Error::file("write", path))
    }

    /// Compares it with that of the rows which are there, at `path`; returns what should be known.
    ///
    /// # Errors
    ///
    /// A file that is no record, or one of something else.
    pub(super) fn check(&self, path: &Path) -> Result<Option<String>> {
        if path.symlink_metadata().is_err() {
            return Err(Error::Usage(format!(
                "there is no `{}` to say what made the rows that are there\nhint: `--overwrite` \
                 begins anew without them",
                shown_path(path)
            )));
        }
        let there = leaves(&read(path)?);
        let ours = serde_json::to_value(self).map_err(io::Error::from);
        let ours = leaves(&ours.map_err(Error::file("compare", path))?);
        let of = |leaves: &[(String, Value)], key: &str| {
            let found = leaves.iter().find(|(name, _)| name == key);
            found.map_or(Value::Null, |(_, value)| value.clone())
        };
        let keys = ours.iter().chain(&there).map(|(key, _)| key.as_str());
        let mut differing = keys
            .filter(|&key| key != A_NAME)
            .map(|key| (key, of(&there, key), of(&ours, key)))
            .filter(|(_, there, ours)| there != ours);
        let path = shown_path(path);
        let mut warning = None;
        let other = differing.find(|(key, there, ours)| {
            let may_differ = *key == MAY_DIFFER && !there.is_null() && !ours.is_null();
            if may_differ {
                warning = Some(format!(
                    "the rows that are there were computed with the {} {}, these are with {}: \
                     their numbers may differ in the last digits",
                    shown(key),
                    shown(&there.to_string()),
                    shown(&ours.to_string())
                ));
            }
            !may_differ
        });
        let Some((key, there, ours)) = other else {
            return Ok(warning);
        };
        Err(Error::Usage(format!(
            "the rows that are there are of another run: `{path}` says `{}` {}, and this run has \
             {}\nhint: `--resume` needs what that run was given; `--overwrite` begins anew without \
             its rows",
            shown(key),
            shown(&there.to_string()),
            shown(&ours.to_string())
        )))
    }
}

/// Removes a record, where there is one: of a file that is whole nobody asks for it.
pub(super) fn remove(path: &Path) {
    if read(path).is_ok() {
        // What is left of it changes no answer.
        let _ = std::fs::remove_file(path);
    }
}

/// A record, or what calls itself one.
fn read(path: &Path) -> Result<Value> {
    let metadata = path.symlink_metadata().map_err(Error::file("read", path))?;
    let record = if metadata.is_file() {
        let text = files::read_text(path, Pipes::Refused, MAX_RECORD);
        let text = text.map_err(Error::file("read", path))?;
        // Of a run that was killed before it said anything.
        let parsed = if text.is_empty() { "null" } else { &text };
        serde_json::from_str(parsed).ok()
    } else {
        None
    };
    match record {
        Some(Value::Null) => Ok(Value::Null),
        Some(record @ Value::Object(_)) if record.get("weights_sha256").is_some() => Ok(record),
        _ => Err(Error::Usage(format!(
            "`{}` should say what made the rows of an earlier run, and is something else\nhint: \
             remove it, or choose another `--output`",
            shown_path(path)
        ))),
    }
}

/// The values of a document that are no objects, by the names that lead there.
fn leaves(document: &Value) -> Vec<(String, Value)> {
    let Value::Object(entries) = document else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        match value {
            Value::Object(_) => {
                let below = leaves(value).into_iter();
                found.extend(below.map(|(below, value)| (format!("{key}.{below}"), value)));
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

/// Opens what is no link.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options.open(path)
}

fn of_labels(labels: &[String]) -> String {
    let lengths = labels.iter().map(|label| label.len().to_le_bytes());
    let lengths: Vec<[u8; size_of::<usize>()]> = lengths.collect();
    let pieces = lengths.iter().zip(labels);
    sha256(pieces.flat_map(|(length, label)| [&length[..], label.as_bytes()]))
}

fn sha256<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    pieces.into_iter().for_each(|piece| hash.update(piece));
    hexadecimal(&hash.finalize())
}
