//! Images are read, decoded and resized while the network computes those before them.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::loader::{Loaded, Loader};
use super::stream::{Queue, Stop};
use super::times::{Stage, Stopwatch};
use super::{Classes, Classifier, Input, Times};
use crate::error::Result;

/// The answer for one input.
#[derive(Debug)]
pub struct Row {
    /// The input, as it was named.
    pub input: String,
    /// The classes, or why there are none.
    pub classes: Result<Classes>,
}

/// The rows of many inputs, in their order: as many at a time as go through the network together.
///
/// One batch is prepared ahead, on another thread, which has ended when this is dropped unless it
/// waits for an input. See [`Classifier::batches`] and [`Classifier::stream`].
pub struct Batches<'a> {
    classifier: &'a Classifier,
    prepared: Prepared,
    stopwatch: Arc<Stopwatch>,
    wait: Stage,
    stop: Stop,
}

/// A batch's inputs by name, and what was loaded of each.
type Batch = Vec<(String, Result<Loaded>)>;

/// Prepares batches, one a step.
type Prepare = dyn Iterator<Item = Batch> + Send;

/// Where the next batch comes from.
enum Prepared {
    /// From another thread; nothing where it has ended.
    Ahead(Option<Ahead>),
    /// From whoever asks, in turn with the network: there is no other thread.
    InTurn(Arc<Mutex<Prepare>>),
}

/// A thread that prepares batches.
struct Ahead {
    batches: Receiver<Batch>,
    thread: JoinHandle<()>,
    /// Whether it may wait for an input without end.
    waits: bool,
}

/// Prepared batches that may wait while the network computes another.
const BATCHES_AHEAD: usize = 1;

impl<'a> Batches<'a> {
    pub(super) fn new(
        classifier: &'a Classifier,
        mut inputs: Queue<impl Iterator<Item = Input> + Send + 'static>,
    ) -> Self {
        let stopwatch = Arc::new(Stopwatch::default());
        let (loader, batch_size) = (classifier.loader.clone(), classifier.batch_size);
        let of_batch = stopwatch.clone();
        let (waits, stop) = (inputs.waits(), inputs.stop());
        let mut thumbnails = classifier.thumbnails;
        let prepare = std::iter::from_fn(move || {
            let batch = of_batch.time(Stage::List, || inputs.batch(batch_size));
            let with_thumbnail = thumbnails.min(batch.len());
            thumbnails -= with_thumbnail;
            (!batch.is_empty()).then(|| load(batch, with_thumbnail, &loader, &of_batch))
        });
        Self {
            classifier,
            prepared: Prepared::start(prepare, waits),
            stopwatch,
            wait: Stage::WaitFirst,
            stop,
        }
    }

    /// What ends them early: no further input is taken, and whoever waits for one no longer does.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// What the time was spent on until now.
    #[must_use]
    pub fn times(&self) -> Times {
        self.stopwatch.read()
    }
}

/// Loads the images of a batch, several at a time; the first so many with small pictures.
fn load(batch: Vec<Input>, with_thumbnail: usize, loader: &Loader, stopwatch: &Stopwatch) -> Batch {
    let load = |(place, input): (usize, Input)| {
        let name = input.name().to_owned();
        let with_thumbnail = place < with_thumbnail;
        (name, loader.load(input, with_thumbnail, stopwatch))
    };
    batch.into_par_iter().enumerate().map(load).collect()
}

impl Prepared {
    fn start(prepare: impl Iterator<Item = Batch> + Send + 'static, waits: bool) -> Self {
        let prepare: Arc<Mutex<Prepare>> = Arc::new(Mutex::new(prepare));
        // With one thread in all, that is busy and not two.
        if rayon::current_num_threads() > 1 {
            let (sender, receiver) = sync_channel(BATCHES_AHEAD);
            let ahead = prepare.clone();
            let prepare_ahead = move || {
                // The receiver is gone where nobody wants the rest.
                while let Some(batch) = next(&ahead)
                    && sender.send(batch).is_ok()
                {}
            };
            let builder = std::thread::Builder::new().name("senet-batches".to_owned());
            if let Ok(thread) = builder.spawn(prepare_ahead) {
                return Self::Ahead(Some(Ahead {
                    batches: receiver,
                    thread,
                    waits,
                }));
            }
        }
        Self::InTurn(prepare)
    }

    fn next(&mut self) -> Option<Batch> {
        match self {
            Self::InTurn(prepare) => next(prepare),
            Self::Ahead(ahead) => {
                let received = ahead.as_ref()?.batches.recv().ok();
                if received.is_none()
                    && let Some(ahead) = ahead.take()
                    && let Err(panic) = ahead.thread.join()
                {
                    // What it prepared is not all there was.
                    resume_unwind(panic);
                }
                received
            }
        }
    }
}

fn next(prepare: &Mutex<Prepare>) -> Option<Batch> {
    prepare
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .next()
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Self::Ahead(ahead) = self
            && let Some(ahead) = ahead.take()
        {
            drop(ahead.batches);
            // Nobody is left whom a panic of it concerns, or an input that is still to come.
            if !ahead.waits {
                let _ = ahead.thread.join();
            }
        }
    }
}

impl Iterator for Batches<'_> {
    /// The rows of a batch, or why the network could not compute it: no image's fault.
    type Item = Result<Vec<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let stopwatch = self.stopwatch.clone();
        let batch = stopwatch.time(self.wait, || self.prepared.next())?;
        self.wait = Stage::Wait;
        let (names, loaded): (Vec<String>, Vec<Result<Loaded>>) = batch.into_iter().unzip();
        let rows = |classes: Vec<Result<Classes>>| {
            let rows = names.into_iter().zip(classes);
            rows.map(|(input, classes)| Row { input, classes })
                .collect()
        };
        Some(
            stopwatch
                .time(Stage::Run, || self.classifier.run(loaded))
                .map(rows),
        )
    }
}
