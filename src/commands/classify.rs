use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use anyhow::Context;
use candle_core::{Device, Tensor};
use indicatif::ProgressBar;
use rayon::prelude::*;

use super::Outcome;
use super::images::{Loaded, Loader};
use super::inputs::{self, Found, Input};
use super::memory;
use super::model::Engines;
use super::output::Output;
use super::pixels::preprocessing;
use super::timings::{Stage, Stopwatch};
use crate::checkpoint::{Source, Weights, imagenet_labels};
use crate::cli::{ClassifyArgs, EngineName, WidthArgs};
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::image::{Preprocessing, Request};
use crate::model::Model;
use crate::network::trace::trace;
use crate::network::{Network, Shape};
use crate::report::{Class, Classification, RowFormat, RowWriter};
use crate::text::{escaped, shown_path};

/// A batch's images, or why one is none.
type Images = Vec<Result<Loaded, String>>;

/// The likeliest classes of an image, or why there are none.
type Answer = Result<Vec<Class>, String>;

/// A network of so many classes, whose weights do not name them, is one of `ImageNet`-1k.
const IMAGENET_CLASSES: usize = 1000;

/// What fails when the output's disk is full.
const ROWS: &str = "cannot write the rows";

/// Decoded batches that may wait while the network computes another.
const BATCHES_AHEAD: usize = 1;

pub(super) fn run(arguments: &ClassifyArgs) -> anyhow::Result<Outcome> {
    let stopwatch = Stopwatch::start();
    let engines = Engines::choose(arguments.engine, arguments.device, EngineName::Cpu)?;
    let (weights, classifier) = stopwatch.time(Stage::Load, || prepare(arguments, &engines))?;
    let expand = || inputs::expand(&arguments.inputs, arguments.null, &mut io::stdin().lock());
    let Found {
        inputs,
        passed_over,
    } = stopwatch.time(Stage::List, expand)?;
    if inputs.is_empty() {
        anyhow::bail!("no input: standard input named no image");
    }
    let read = inputs.iter().map(|input| input.path.as_path());
    let read = read
        .chain(weights.paths().iter().map(PathBuf::as_path))
        .chain(arguments.labels.as_deref());
    let path = arguments.output.as_deref();
    let format = arguments.format.or_else(|| RowFormat::of(path?));
    let format = format.unwrap_or(RowFormat::Table);
    let output = Output::open(path, format, arguments.overwrite, read)?;
    let bar = progress_bar(inputs.len(), classifier.batch_size);
    output.heed_signals(inputs.len(), &bar);

    let top_k = arguments.top_k.min(classifier.classes);
    let mut rows = RowWriter::new(output, format, top_k)?;
    let request = Request {
        damage: arguments.damaged,
        ..Request::new(&classifier.preprocessing)
    };
    let loader = Loader::new(request, arguments.memory, &stopwatch);
    let load_batch =
        |batch: &[Input]| -> Images { batch.par_iter().map(|input| loader.load(input)).collect() };
    let batches = inputs.chunks(classifier.batch_size);
    let failed = std::thread::scope(|scope| {
        let (sender, ahead) = sync_channel(BATCHES_AHEAD);
        let every = batches.clone().map(load_batch);
        let load_ahead = move || {
            for images in every {
                // The receiver is gone when writing failed: nothing is left to read for.
                if sender.send(images).is_err() {
                    break;
                }
            }
        };
        let builder = std::thread::Builder::new().name("senet-batches".to_owned());
        let is_ahead =
            rayon::current_num_threads() > 1 && builder.spawn_scoped(scope, load_ahead).is_ok();
        let images: &mut dyn Iterator<Item = Images> = if is_ahead {
            &mut ahead.into_iter()
        } else {
            // In turn, so that one thread is busy and not two, or as there is no other.
            &mut batches.clone().map(load_batch)
        };
        let batches = batches.zip(images);
        classify_all(&classifier, batches, &mut rows, &bar, &stopwatch)
    })?;
    bar.finish_and_clear();
    let formulas = rows.formulas();
    stopwatch.time(Stage::Write, || -> anyhow::Result<()> {
        rows.finish().context(ROWS)?.finish()
    })?;
    if arguments.timings {
        let timings = stopwatch.read(inputs.len());
        // Where standard error is closed there is nobody left to tell.
        let _ = timings.write_table(&mut io::stderr().lock());
    }
    if formulas > 0 {
        let message = format!(
            "names and labels that a spreadsheet takes for formulas, as they begin with `=`, `+`, \
             `-` or `@`: {formulas}\nhint: have it import the columns as text"
        );
        super::complain("warning", &message);
    }
    for warning in passed_over.warnings() {
        super::complain("warning", &warning);
    }
    if failed > 0 {
        let message = format!("{failed} of {} inputs failed", inputs.len());
        super::complain("warning", &message);
        return Ok(Outcome::No);
    }
    Ok(Outcome::Yes)
}

fn prepare(arguments: &ClassifyArgs, engines: &Engines) -> Result<(Weights, Classifier)> {
    let weights = super::weights(
        arguments.weights.as_ref().unwrap_or(&Source::Embedded),
        arguments.ema,
    )?;
    let no_widths = WidthArgs {
        channels: None,
        squeeze: None,
    };
    let network = super::network(arguments.network.as_deref(), Some(&weights), no_widths)?;
    // Of a network that takes no images that is said first.
    if arguments.weights.is_none()
        && network.input.channels == 3
        && let Some(embedded) = &weights.network
        && network.name != *embedded
    {
        return Err(Error::Usage(format!(
            "`{}` needs weights, and those inside this program are of `{embedded}`\n\
             hint: `--weights` names a file, a folder or a repository of the hub",
            network.name
        )));
    }
    let classifier = Classifier::new(arguments, engines, &network, &weights)?;
    super::warn_of_nonfinite(&weights, &network)?;
    Ok((weights, classifier))
}

/// Writes a row for every input, in order, and returns how many failed.
fn classify_all<'a>(
    classifier: &Classifier,
    mut batches: impl Iterator<Item = (&'a [Input], Images)>,
    rows: &mut RowWriter<Output>,
    bar: &ProgressBar,
    stopwatch: &Stopwatch,
) -> anyhow::Result<usize> {
    let mut failed = 0;
    let mut wait = Stage::WaitFirst;
    while let Some((inputs, images)) = stopwatch.time(wait, || batches.next()) {
        wait = Stage::Wait;
        let pixels: Vec<&[f32]> = images
            .iter()
            .flatten()
            .map(|image| image.values.as_slice())
            .collect();
        let answers = stopwatch.time(Stage::Run, || classifier.classify(&pixels))?;
        // Rows and warnings may go to the terminal that the bar is drawn on.
        let write = || bar.suspend(|| write_batch(inputs, &images, answers, rows));
        failed += stopwatch.time(Stage::Write, write)?;
        bar.inc(inputs.len() as u64);
    }
    Ok(failed)
}

/// Writes a row for every input of a batch, and returns how many failed.
fn write_batch(
    inputs: &[Input],
    images: &Images,
    answers: Vec<Answer>,
    rows: &mut RowWriter<Output>,
) -> anyhow::Result<usize> {
    let mut failed = 0;
    let mut answers = answers.into_iter();
    for (input, image) in inputs.iter().zip(images) {
        let answer = match image {
            Ok(image) => {
                if let Some(damage) = &image.damage {
                    super::complain(
                        "warning",
                        &format!("`{}`: {damage}", escaped(&input.name())),
                    );
                }
                answers
                    .next()
                    .unwrap_or_else(|| Err("no answer".to_owned()))
            }
            Err(error) => Err(error.clone()),
        };
        let (top, error) = match answer {
            Ok(top) => (top, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        failed += usize::from(error.is_some());
        let input = input.name();
        rows.write(&Classification { input, top, error })
            .context(ROWS)?;
    }
    rows.get_mut().commit(inputs.len())?;
    Ok(failed)
}

/// A loaded network with everything between pixels and labels.
struct Classifier {
    model: Box<dyn Model>,
    preprocessing: Preprocessing,
    labels: Option<Vec<String>>,
    classes: usize,
    top_k: usize,
    /// Images that go through the network at once: as many as were asked for, or as fit.
    batch_size: usize,
}

impl Classifier {
    fn new(
        arguments: &ClassifyArgs,
        engines: &Engines,
        network: &Network,
        weights: &Weights,
    ) -> Result<Self> {
        let preprocessing = preprocessing(network, weights, &arguments.pixels)?;
        let layers = network.layers();
        let shape = Shape {
            spatial: Some(preprocessing.size),
            ..network.input.shape(1)
        };
        let one = trace(&layers, shape)?;
        weights.check_input(network, &layers, &one)?;
        let batch_size = memory::images_that_fit(
            network,
            &layers,
            &one,
            engines,
            arguments.batch_size,
            memory::MOST,
        )?;
        let outputs = layers.outputs();
        let classes = if outputs == 1 {
            let file = weights.file().shown_name();
            super::complain(
                "note",
                &format!(
                    "`{file}` has one output: its sigmoid is taken as the probability of class 1 \
                     of two, which it is not where the network was trained for another number"
                ),
            );
            2
        } else {
            outputs
        };
        let (origin, labels) = match &arguments.labels {
            Some(path) => (shown_path(path), Some(read_labels(path)?)),
            None => (weights.file().name().to_owned(), weights.labels.clone()),
        };
        if let Some(labels) = &labels
            && labels.len() != classes
        {
            return Err(Error::Checkpoint {
                file: origin,
                problem: format!(
                    "has {} labels; `{}` has {classes} classes",
                    labels.len(),
                    network.name
                ),
            });
        }
        let nameless = labels.iter().flatten().position(String::is_empty);
        if let (Some(path), Some(class)) = (&arguments.labels, nameless) {
            return Err(Error::Checkpoint {
                file: shown_path(path),
                problem: format!("has no label in line {}", class + 1),
            });
        }
        let labels = labels.or_else(|| (classes == IMAGENET_CLASSES).then(imagenet_labels));
        Ok(Self {
            model: engines.load(network, weights, shape)?,
            preprocessing,
            labels,
            classes,
            top_k: arguments.top_k,
            batch_size,
        })
    }

    /// An answer for each image.
    fn classify(&self, images: &[&[f32]]) -> Result<Vec<Answer>> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let [height, width] = self.preprocessing.size;
        let shape = (images.len(), 3, height, width);
        let input = Tensor::from_vec(images.concat(), shape, &Device::Cpu)?;
        let logits = self.model.run(&input)?.to_vec2::<f32>()?;
        let answer = |logits: &Vec<f32>| {
            if logits.iter().all(|logit| logit.is_finite()) {
                // The softmax of 0 and a number is its sigmoid; of one number alone it is 1.
                Ok(match logits[..] {
                    [logit] => self.top(&[0., logit]),
                    _ => self.top(logits),
                })
            } else {
                Err("the network's output is NaN or infinite".to_owned())
            }
        };
        Ok(logits.iter().map(answer).collect())
    }

    fn top(&self, logits: &[f32]) -> Vec<Class> {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let sum: f32 = exponentials.iter().sum();
        let mut classes: Vec<usize> = (0..logits.len()).collect();
        classes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        classes
            .into_iter()
            .take(self.top_k)
            .map(|class| Class {
                class,
                label: match &self.labels {
                    Some(labels) => labels[class].clone(),
                    None => class.to_string(),
                },
                probability: exponentials[class] / sum,
                logit: logits[class],
            })
            .collect()
    }
}

/// The lines of a file, each a label; those of two classes may be the same, as of `ImageNet`'s are.
fn read_labels(path: &Path) -> Result<Vec<String>> {
    /// A million classes, of 25 characters each.
    const MOST_BYTES: u64 = 25_000_000;

    let text =
        files::read_text(path, Pipes::Inherited, MOST_BYTES).map_err(Error::file("read", path))?;
    let text = text.trim_start_matches('\u{feff}').trim_end();
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}

fn progress_bar(inputs: usize, batch_size: usize) -> ProgressBar {
    if inputs <= batch_size {
        return ProgressBar::hidden();
    }
    let template = "{bar:40} {pos}/{len} images, {per_sec}, {eta} left";
    super::progress::bar(Some(inputs as u64), template)
}
