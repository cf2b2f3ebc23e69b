//! Images on their way from files to the network.

use super::inputs::Input;
use super::timings::{Stage, Stopwatch};
use crate::error::Error;
use crate::image::{Budget, ImageFile, Request};
use crate::text::shown_bytes;

/// Loads images, several at a time, within one budget of memory.
pub(super) struct Loader<'a> {
    pub(super) request: Request<'a>,
    pub(super) budget: Budget,
    pub(super) stopwatch: &'a Stopwatch,
}

/// What a network sees of an image.
pub(super) struct Loaded {
    pub(super) values: Vec<f32>,
    /// What is wrong with the file, where that was accepted.
    pub(super) damage: Option<String>,
}

impl<'a> Loader<'a> {
    /// With as much of `memory` bytes as the system gives.
    pub(super) fn new(request: Request<'a>, memory: u64, stopwatch: &'a Stopwatch) -> Self {
        let budget = Budget::within_reach(memory);
        if budget.total() < memory {
            let message = format!(
                "the system does not give {} of memory; all images together may take {}",
                shown_bytes(memory),
                shown_bytes(budget.total())
            );
            super::complain("warning", &message);
        }
        Self {
            request,
            budget,
            stopwatch,
        }
    }

    /// The image, or why there is none in the words of a row that names it already.
    pub(super) fn load(&self, input: &Input) -> Result<Loaded, String> {
        if let Some(problem) = &input.problem {
            return Err(problem.clone());
        }
        self.load_file(input).map_err(|error| match error {
            Error::File { action, source, .. } => format!("cannot {action} it: {source}"),
            // A row has a line for it.
            error => error.to_string().replace("\nhint: ", "; "),
        })
    }

    fn load_file(&self, input: &Input) -> crate::Result<Loaded> {
        let Self {
            request,
            budget,
            stopwatch,
        } = self;
        let read = || ImageFile::read(&input.path, request, budget);
        let file = stopwatch.time(Stage::Read, read)?;
        let pixels = stopwatch.time(Stage::Decode, || file.decode(request))?;
        let transform = || pixels.transform(request.preprocessing);
        Ok(Loaded {
            values: stopwatch.time(Stage::Resize, transform)?,
            damage: pixels.damage().map(str::to_owned),
        })
    }
}
