use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::ProgressBar;

use super::Outcome;
use super::inputs::{self, Found};
use super::output::Output;
use crate::classifier::{Row, Times};
use crate::cli::ClassifyArgs;
use crate::error::Error;
use crate::report::{Classification, RowFormat, RowWriter, Timings};
use crate::text::escaped;

/// What fails when the output's disk is full.
const ROWS: &str = "cannot write the rows";

pub(super) fn run(arguments: &ClassifyArgs) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let runtime = super::classifier::runtime(&arguments.classifier)?;
    let (mut load, mut list, mut write) = Default::default();
    let prepare = || super::classifier::prepare(&arguments.classifier, &arguments.pixels, runtime);
    let (weights, classifier) = timed(&mut load, prepare)?;
    let expand = || inputs::expand(&arguments.inputs, arguments.null, &mut io::stdin().lock());
    let Found {
        inputs,
        passed_over,
    } = timed(&mut list, expand)?;
    if inputs.is_empty() {
        anyhow::bail!("no input: standard input named no image");
    }
    let count = inputs.len();
    let read = inputs.iter().map(|input| input.path.as_path());
    let read = read
        .chain(weights.paths().iter().map(PathBuf::as_path))
        .chain(arguments.classifier.labels.as_deref());
    let path = arguments.output.as_deref();
    let format = arguments.format.or_else(|| RowFormat::of(path?));
    let format = format.unwrap_or(RowFormat::Table);
    let output = Output::open(path, format, arguments.overwrite, read)?;
    let bar = progress_bar(count, classifier.batch_size());
    output.heed_signals(count, &bar);

    let top_k = arguments.top_k.min(classifier.classes());
    let mut rows = RowWriter::new(output, format, top_k)?;
    let mut batches = classifier.batches(inputs);
    let mut failed = 0;
    for batch in batches.by_ref() {
        let batch = batch?;
        let of_batch = batch.len();
        // Rows and warnings may go to the terminal that the bar is drawn on.
        let write_batch = || bar.suspend(|| write_batch(batch, top_k, &mut rows));
        failed += timed(&mut write, write_batch)?;
        bar.inc(of_batch as u64);
    }
    bar.finish_and_clear();
    let formulas = rows.formulas();
    timed(&mut write, || -> anyhow::Result<()> {
        rows.finish().context(ROWS)?.finish()
    })?;
    if arguments.timings {
        let total = started.elapsed();
        let timings = timings(count, [load, list, write, total], batches.times());
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
        let message = format!("{failed} of {count} inputs failed");
        super::complain("warning", &message);
        return Ok(Outcome::No);
    }
    Ok(Outcome::Yes)
}

/// Does `work` and adds how long that took to `total`.
fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    *total += started.elapsed();
    done
}

/// Writes the rows of a batch, and returns how many inputs failed.
fn write_batch(
    batch: Vec<Row>,
    top_k: usize,
    rows: &mut RowWriter<Output>,
) -> anyhow::Result<usize> {
    let mut failed = 0;
    let count = batch.len();
    for Row { input, classes } in batch {
        let (top, error) = match classes {
            Ok(classes) => {
                if let Some(damage) = classes.damage() {
                    super::complain("warning", &format!("`{}`: {damage}", escaped(&input)));
                }
                (classes.top(top_k), None)
            }
            Err(error) => (Vec::new(), Some(on_a_line(&error))),
        };
        failed += usize::from(error.is_some());
        rows.write(&Classification { input, top, error })
            .context(ROWS)?;
    }
    rows.get_mut().commit(count)?;
    Ok(failed)
}

/// Why there is no answer, in the words of a row, which names its input already and has a line.
fn on_a_line(error: &Error) -> String {
    match error {
        Error::File { action, source, .. } => format!("cannot {action} it: {source}"),
        error => error.to_string().replace("\nhint: ", "; "),
    }
}

fn timings(images: usize, [load, list, write, total]: [Duration; 4], times: Times) -> Timings {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Timings {
        images,
        threads: rayon::current_num_threads(),
        load_ms: milliseconds(load),
        list_ms: milliseconds(list),
        read_ms: milliseconds(times.read),
        decode_ms: milliseconds(times.decode),
        resize_ms: milliseconds(times.resize),
        wait_first_ms: milliseconds(times.wait_first),
        wait_ms: milliseconds(times.wait),
        run_ms: milliseconds(times.run),
        write_ms: milliseconds(write),
        total_ms: milliseconds(total),
    }
}

fn progress_bar(inputs: usize, batch_size: usize) -> ProgressBar {
    if inputs <= batch_size {
        return ProgressBar::hidden();
    }
    let template = "{bar:40} {pos}/{len} images, {per_sec}, {eta} left";
    super::progress::bar(Some(inputs as u64), template)
}
