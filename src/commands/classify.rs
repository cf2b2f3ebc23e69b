use std::io::{self, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::ProgressBar;

use super::Outcome;
use super::features::Features;
use super::inputs::{self, Inputs, PassedOver, Search, Told};
use super::output::{
    self, Asked, Begun, CutShort, Existing, Interruption, Output, Place, Record, Tally, Written,
};
use crate::checkpoint::Weights;
use crate::classifier::{Classes, Classifier, Row, Times};
use crate::cli::ClassifyArgs;
use crate::error::{Error, Result};
use crate::model::Runtime;
use crate::report::{Classification, RowFormat, RowWriter, THUMBNAILS, Timings};
use crate::text::{counted, escaped, shown_path};

/// How far a run is.
const BAR: &str = "{bar:40} {pos}/{len} images, {per_sec}, {eta} left";

/// What fails when the output's disk is full.
const ROWS: &str = "cannot write the rows";

pub(super) fn run(arguments: &ClassifyArgs) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let format = format(arguments)?;
    let runtime = super::classifier::runtime(&arguments.classifier)?;
    let (mut load, mut write) = Default::default();
    let prepare = || prepare(arguments, format, &runtime);
    let (weights, classifier) = timed(&mut load, prepare)?;
    let read = arguments.inputs.iter().map(PathBuf::as_path);
    let read = read
        .filter(|argument| !inputs::is_standard_input(argument))
        .chain(weights.paths().iter().map(PathBuf::as_path))
        .chain(arguments.classifier.labels.as_deref());
    let place = Place::find(arguments.output.as_deref(), read)?;
    let mut features = Features::of(arguments, &place, &weights, &classifier)?;
    let stdin = BufReader::with_capacity(1 << 16, io::stdin());
    let search = Search {
        null: arguments.null,
        memory: Some(arguments.classifier.memory),
        shard: arguments.shard,
        refuse: Some(Box::new(place.refusal())),
    };
    let mut inputs = Inputs::new(arguments.inputs.clone(), search, stdin);
    let told = inputs.told();
    let top_k = arguments.top_k.min(classifier.classes());
    let mut names = inputs.by_ref().map(|input| input.name());
    let written = Written {
        format,
        top_k,
        existing: existing(arguments),
    };
    let record = || {
        let asked = Asked {
            weights: &weights,
            runtime: &runtime,
            is_averaged: arguments.classifier.variant.ema,
            damage: arguments.classifier.damaged,
            written,
        };
        Record::of(&classifier, &asked)
    };
    let begun = Output::begin(place, written, record, &mut names);
    let (output, earlier) = match begun {
        Ok(Begun::Going(output, earlier)) => (output, earlier),
        Ok(Begun::Whole(tally)) => {
            told.end()?;
            return Ok(whole(arguments, tally));
        }
        // That the inputs ended with an error says more than that there are too few.
        Err(error) => return Err(told.end().err().unwrap_or(error).into()),
    };
    let bar = progress_bar(arguments, classifier.batch_size());
    bar.set_position(earlier.rows as u64);
    bar.reset_eta();

    let mut rows = writer(output, format, top_k, earlier.rows)?;
    let mut batches = if arguments.inputs.iter().any(|path| inputs::may_wait(path)) {
        classifier.stream(inputs)
    } else {
        classifier.batches(inputs)
    };
    let interruption = Interruption::heed(batches.stop());
    let (mut count, mut failed) = (earlier.rows, earlier.failed);
    for batch in batches.by_ref() {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Err(cut_off(rows, error).into()),
        };
        let of_batch = batch.len();
        // Rows and warnings may go to the terminal that the bar is drawn on.
        let write_batch =
            || bar.suspend(|| write_batch(batch, top_k, &mut rows, features.as_mut()));
        failed += timed(&mut write, write_batch)?;
        count += of_batch;
        bar.inc(of_batch as u64);
        if interruption.signal().is_some() {
            break;
        }
    }
    bar.finish_and_clear();
    if let Some(signal) = interruption.signal() {
        return Err(interrupted(signal, rows.finish().context(ROWS)?, count)?);
    }
    let formulas = earlier.formulas + rows.formulas();
    let left_out = rows.left_out();
    let is_part = arguments.shard.is_some();
    let ended = timed(&mut write, || end(&told, rows, features, count, is_part));
    if arguments.timings {
        let spent = [load, write, started.elapsed()];
        say_timings(count - earlier.rows, spent, batches.times());
    }
    warn_of_formulas(formulas);
    warn_of_left_out(left_out);
    for warning in ended.iter().flat_map(PassedOver::warnings) {
        super::complain("warning", &warning);
    }
    let outcome = answer(failed, count);
    ended.map(|_| outcome)
}

/// Begins the rows, or goes on behind so many.
fn writer(
    output: Output,
    format: RowFormat,
    top_k: usize,
    earlier: usize,
) -> io::Result<RowWriter<Output>> {
    match earlier {
        0 => RowWriter::new(output, format, top_k),
        rows => Ok(RowWriter::behind(output, format, top_k, rows)),
    }
}

/// Ends the vectors and the rows.
fn finish(rows: RowWriter<Output>, features: Option<Features>) -> anyhow::Result<()> {
    if let Some(features) = features {
        features.finish()?;
    }
    rows.finish().context(ROWS)?.finish()
}

/// Ends the rows, so many, and says what was passed over; only a part of all inputs may be empty.
///
/// # Errors
///
/// What ended the inputs before their end, with where the rows before it are, or keeps the end from
/// being written.
fn end(
    told: &Told,
    rows: RowWriter<Output>,
    features: Option<Features>,
    count: usize,
    is_part: bool,
) -> anyhow::Result<PassedOver> {
    match told.end() {
        Ok(_) if count == 0 && !is_part => {
            anyhow::bail!(inputs::NO_INPUT)
        }
        Ok(passed_over) => {
            finish(rows, features)?;
            Ok(passed_over)
        }
        Err(error) if count == 0 => Err(error.into()),
        Err(error) => {
            let place = rows.finish().context(ROWS)?.cut_short()?.place;
            let rows = counted(count, "row");
            Err(anyhow::Error::from(error).context(format!("after {rows}, in {place}")))
        }
    }
}

/// What becomes of rows that are there.
fn existing(arguments: &ClassifyArgs) -> Existing {
    match (arguments.overwrite, arguments.resume) {
        (true, _) => Existing::Overwrite,
        (false, true) => Existing::Resume,
        (false, false) => Existing::Refuse,
    }
}

/// Ends an output for an error, which whatever becomes of it does not change.
fn cut_off(rows: RowWriter<Output>, error: Error) -> Error {
    let _ = rows.finish().map(Output::cut_short);
    error
}

fn warn_of_left_out(left_out: usize) {
    if left_out > 0 {
        let message = format!(
            "{} are not on the page, which is full\nhint: `--format csv` or `ndjson` writes all",
            counted(left_out, "image")
        );
        super::complain("warning", &message);
    }
}

fn warn_of_formulas(formulas: usize) {
    if formulas > 0 {
        let message = format!(
            "names and labels that a spreadsheet takes for formulas, as they begin with `=`, `+`, \
             `-` or `@`: {formulas}\nhint: have it import the columns as text"
        );
        super::complain("warning", &message);
    }
}

/// How the rows are written.
///
/// # Errors
///
/// Parquet to standard output, or by a program that was built without it.
fn format(arguments: &ClassifyArgs) -> Result<RowFormat> {
    let of_output = || RowFormat::of(arguments.output.as_deref()?);
    let format = arguments.format.or_else(of_output);
    let format = format.unwrap_or(RowFormat::Table);
    if format != RowFormat::Parquet {
        return Ok(format);
    }
    if !cfg!(feature = "parquet") {
        return Err(Error::Usage(
            "this program was built without `parquet`\nhint: build it with \
             `cargo build --release --features parquet`"
                .to_owned(),
        ));
    }
    match &arguments.output {
        Some(path) if path.as_os_str() != "-" => Ok(format),
        _ => Err(Error::Usage(
            "`--format parquet` writes a file: `--output` names it".to_owned(),
        )),
    }
}

/// The weights, and what classifies by them, with small pictures where a page shows them.
fn prepare(
    arguments: &ClassifyArgs,
    format: RowFormat,
    runtime: &Runtime,
) -> Result<(Weights, Classifier)> {
    let features = arguments.features.is_some();
    let (flags, pixels) = (&arguments.classifier, &arguments.pixels);
    let (weights, classifier) =
        super::classifier::prepare(flags, pixels, runtime.clone(), features)?;
    let thumbnails = match format {
        RowFormat::Html => THUMBNAILS,
        _ => 0,
    };
    Ok((weights, classifier.with_thumbnails(thumbnails)))
}

/// Ends a run by a signal, behind so many rows, and says how to go on. It returns where the system
/// has no such end.
fn interrupted(signal: i32, output: Output, count: usize) -> anyhow::Result<anyhow::Error> {
    let CutShort { place, hint } = output.cut_short()?;
    let message = match count {
        0 => "interrupted before the first rows".to_owned(),
        count => format!(
            "interrupted after {}, in {place}{hint}",
            counted(count, "row")
        ),
    };
    super::complain("error", &message);
    output::end_by(signal);
    Ok(anyhow::anyhow!("signal {signal} did not end this process"))
}

/// The answer of a run that has nothing to do.
fn whole(arguments: &ClassifyArgs, tally: Tally) -> Outcome {
    let path = arguments.output.as_deref().map(shown_path);
    let message = format!(
        "`{}` is whole: it has a row for each of these inputs, {}\nhint: without `--resume` it is \
         computed anew",
        path.unwrap_or_default(),
        counted(tally.rows, "row")
    );
    super::complain("note", &message);
    answer(tally.failed, tally.rows)
}

/// The answer of a run in which so many inputs failed.
fn answer(failed: usize, count: usize) -> Outcome {
    if failed == 0 {
        return Outcome::Yes;
    }
    super::complain("warning", &format!("{failed} of {count} inputs failed"));
    Outcome::No
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
    mut features: Option<&mut Features>,
) -> anyhow::Result<usize> {
    let mut failed = 0;
    let count = batch.len();
    for Row { input, classes } in batch {
        let mut thumbnail = None;
        let (top, error) = match &classes {
            Ok(classes) => {
                if let Some(damage) = classes.damage() {
                    super::complain("warning", &format!("`{}`: {damage}", escaped(&input)));
                }
                thumbnail = classes.thumbnail().cloned();
                (classes.top(top_k), None)
            }
            Err(error) => (Vec::new(), Some(on_a_line(error))),
        };
        failed += usize::from(error.is_some());
        let row = Classification {
            input,
            top,
            error,
            thumbnail,
        };
        rows.write(&row).context(ROWS)?;
        if let Some(features) = features.as_deref_mut() {
            features.add(&row, classes.as_ref().ok().and_then(Classes::features))?;
        }
    }
    if let Some(features) = features {
        features.commit()?;
    }
    rows.get_mut().commit(count)?;
    Ok(failed)
}

/// Why there is no answer, in the words of a row, which names its input already and has a line.
pub(super) fn on_a_line(error: &Error) -> String {
    match error {
        Error::File { action, source, .. } => format!("cannot {action} it: {source}"),
        error => error.to_string().replace("\nhint: ", "; "),
    }
}

/// Says where the time went.
fn say_timings(images: usize, [load, write, total]: [Duration; 3], times: Times) {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let timings = Timings {
        images,
        threads: rayon::current_num_threads(),
        load_ms: milliseconds(load),
        list_ms: milliseconds(times.list),
        read_ms: milliseconds(times.read),
        decode_ms: milliseconds(times.decode),
        resize_ms: milliseconds(times.resize),
        wait_first_ms: milliseconds(times.wait_first),
        wait_ms: milliseconds(times.wait),
        run_ms: milliseconds(times.run),
        write_ms: milliseconds(write),
        total_ms: milliseconds(total),
    };
    // Where standard error is closed there is nobody left to tell.
    let _ = timings.write_table(&mut io::stderr().lock());
}

/// A bar for more than a batch, with the time that is left where it can be known: what folders hold
/// is counted beside the run, and what a list or a stream holds by nobody.
fn progress_bar(arguments: &ClassifyArgs, batch_size: usize) -> ProgressBar {
    let ClassifyArgs {
        inputs: named,
        shard,
        ..
    } = arguments;
    if named.iter().any(|path| inputs::may_wait(path)) {
        return super::progress::bar(None, "{spinner} {pos} images, {per_sec}");
    }
    if named.len() <= batch_size && named.iter().all(|path| path.is_file()) {
        return ProgressBar::hidden();
    }
    let bar = super::progress::bar(None, BAR);
    if !bar.is_hidden() {
        let search = Search {
            shard: *shard,
            ..Search::default()
        };
        let inputs = Inputs::new(named.clone(), search, io::empty());
        let counted = bar.clone();
        // Without it the bar has no end.
        let thread = std::thread::Builder::new().name("senet-count".to_owned());
        drop(thread.spawn(move || counted.set_length(inputs.count() as u64)));
    }
    bar
}
