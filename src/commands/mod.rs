//! One file per command: arguments to library to report.

mod bench;
mod classifier;
mod classify;
mod completions;
mod eval;
mod explain;
mod features;
mod inputs;
mod inspect;
mod labelled;
mod man;
mod model;
mod models;
mod output;
mod parity;
mod pattern;
mod plan;
mod progress;
mod subject;
mod threads;
mod trace;

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use candle_core::{DType, Device};

use self::progress::Downloads;
use crate::checkpoint::{Builtin, Source, Weights, open_graph};
use crate::classifier::Notice;
use crate::cli::{ClassesArgs, Cli, Command, DeviceName, Precision, WidthArgs};
use crate::error::{Error, Result};
use crate::image::silence_decoders;
use crate::network::catalog::Named;
use crate::network::{Architecture, Graph, Layer, Network, SqueezeWidth, catalog};
use crate::report::{Format, PageFormat, Report};
use crate::text;

/// The answer that the exit status gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done and, for parity, equal.
    Yes,
    /// It ran, and parity differs or an input failed.
    No,
}

/// Runs a command.
///
/// # Errors
///
/// Whatever keeps it from running at all.
pub fn run(Cli { command, quiet }: Cli) -> anyhow::Result<Outcome> {
    QUIET.store(quiet, Ordering::Relaxed);
    silence_decoders();
    match command {
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
        Command::Parity(arguments) => parity::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Models(arguments) => models::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// Whether errors alone are said.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Says something to the person at the terminal: `error: …`, `warning: …` or `note: …`; errors
/// alone where nothing else is wanted.
pub fn complain(kind: &str, message: &str) {
    if is_quiet() && kind != "error" {
        return;
    }
    let message = text::shown_message(message);
    // Where standard error is closed there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{kind}: {message}");
}

fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Writes a report to standard output. A reader that has seen enough, as in
/// `senet trace | head`, changes nothing about the answer.
fn print(report: &impl Report, format: Format) -> anyhow::Result<()> {
    to_stdout(|out| report.write(format, out))
}

/// [`print`] of a report that is also a page.
fn print_as<R: Report>(
    report: &R,
    format: PageFormat,
    write_page: impl FnOnce(&R, &mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    match format {
        PageFormat::Table => print(report, Format::Table),
        PageFormat::Json => print(report, Format::Json),
        PageFormat::Html => to_stdout(|out| {
            write_page(report, out)?;
            out.flush()
        }),
    }
}

fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    match rows_to_stdout(write) {
        Err(error) if is_closed_pipe(&error) => Ok(()),
        written => written,
    }
}

/// [`to_stdout`] of rows, of which more are still to be computed: once whoever reads them has gone,
/// the run is to end.
fn rows_to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    write(&mut io::stdout().lock()).context("cannot write `standard output`")
}

/// Columns that there are for a table: as many as `COLUMNS` says, else as the terminal has; no
/// bound where the output is no terminal.
fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|columns| columns.parse().ok());
    let of_terminal = || Some(terminal_size::terminal_size_of(io::stdout())?.0.0.into());
    said.filter(|&columns| columns > 0).or_else(of_terminal)
}

/// Prints the help or version that was asked for.
///
/// # Errors
///
/// Standard output that cannot be written.
pub fn print_help(help: &clap::Error) -> anyhow::Result<Outcome> {
    to_stdout(|out| {
        help.print()?;
        out.flush()
    })?;
    Ok(Outcome::Yes)
}

/// Whether whoever reads our output went away.
#[must_use]
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut kinds = error.chain().filter_map(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        io.or_else(|| cause.downcast_ref::<serde_json::Error>()?.io_error_kind())
    });
    kinds.any(|kind| kind == io::ErrorKind::BrokenPipe)
}

/// Loads the weights, or with `ema` their running average, and says what should be known of how
/// that went.
fn weights(source: &Source, ema: bool) -> Result<Weights> {
    let mut downloads = Downloads::default();
    let weights = Weights::load(source, &mut |download| downloads.show(download));
    downloads.clear();
    let mut weights = weights?;
    if ema {
        weights = weights.averaged()?;
    }
    for warning in &weights.warnings {
        complain("warning", warning);
    }
    for note in weights.notes() {
        complain("note", &note);
    }
    Ok(weights)
}

/// [`weights`] where some are named.
fn named_weights(source: Option<&Source>, ema: bool) -> Result<Option<Weights>> {
    match source {
        Some(source) => weights(source, ema).map(Some),
        None if ema => Err(Error::Usage(
            "`--ema` chooses among the weights of a file, and none is named".to_owned(),
        )),
        None => Ok(None),
    }
}

/// The network of this name, or that a file of this name describes; says how the name was
/// understood where it is not the catalogue's own.
fn named(name: &str, head: Option<&str>) -> Result<Network> {
    if subject::is_graph(Path::new(name)) {
        let graph = open_graph(Path::new(name))?;
        return of_graph(&graph, head, |error| Error::Checkpoint {
            file: text::shown_path(Path::new(name)),
            problem: format!("cannot be run: {error}"),
        });
    }
    if let Some(head) = head {
        return Err(Error::Usage(format!(
            "`--head {}` chooses among the outputs of a graph; `{}` has one output",
            text::shown(head),
            text::shown(name)
        )));
    }
    let Named { network, note } = catalog::understand(name)?;
    if let Some(note) = note {
        complain("note", &note);
    }
    Ok(network.clone())
}

/// The network that a graph describes; says which output it is of where there are several.
fn of_graph(
    graph: &Graph,
    head: Option<&str>,
    explained: impl FnOnce(Error) -> Error,
) -> Result<Network> {
    let network = Network::of_graph(graph, head).map_err(explained)?;
    let unread = graph.unread();
    if !unread.is_empty() {
        complain(
            "warning",
            &format!(
                "no output of `{}` needs {}: {}; left out",
                text::shown(graph.name()),
                text::counted(unread.len(), "layer"),
                text::shown_list(&unread, 8)
            ),
        );
    }
    let outputs: Vec<&str> = graph.outputs().collect();
    if outputs.len() > 1
        && let Architecture::Graph(layers) = &network.architecture
        && let Some(last) = layers.as_slice().last()
    {
        complain(
            "note",
            &format!(
                "`{}` has the outputs {}; what follows is of `{}`",
                text::shown(graph.name()),
                text::shown_list(&outputs, 8),
                text::shown(&last.name)
            ),
        );
    }
    Ok(network)
}

/// The network asked for by name, else that of the weights, else the small one with gates that is
/// inside the program.
fn network(
    name: Option<&str>,
    weights: Option<&Weights>,
    widths: WidthArgs,
    head: Option<&str>,
) -> Result<Network> {
    let network = match (name, weights) {
        (Some(name), Some(weights)) => {
            let network = weights.with_classes(&named(name, head)?);
            warn_of_other_layers(&network, weights);
            network
        }
        (Some(name), None) => named(name, head)?,
        (None, Some(weights)) => match (&weights.graph, head) {
            (Some(graph), _) => of_graph(graph, head, |error| {
                weights.file().problem(format!("cannot be run: {error}"))
            })?,
            (None, Some(head)) => {
                return Err(weights.file().problem(format!(
                    "has no graph, of whose outputs `--head {}` could be one",
                    text::shown(head)
                )));
            }
            (None, None) => weights.network()?,
        },
        (None, None) => named(Builtin::SeResNet20.network(), head)?,
    };
    let WidthArgs { channels, squeeze } = widths;
    match network.architecture {
        _ if channels.is_none() && squeeze.is_none() => Ok(network),
        Architecture::SqueezeExcitation {
            squeeze: SqueezeWidth::Fixed(width),
        } => Network::se_block(
            channels.unwrap_or(network.input.channels),
            squeeze.unwrap_or(width),
        ),
        _ => Err(Error::Usage(format!(
            "`--channels` and `--squeeze` are for `{}`; the widths of `{}` are its own",
            catalog::SE_BLOCK.name,
            network.name
        ))),
    }
}

/// The network with as many classes as were asked for.
///
/// # Errors
///
/// A network without a classifier, or weights of another number.
fn with_classes(
    network: Network,
    classes: ClassesArgs,
    weights: Option<&Weights>,
) -> Result<Network> {
    let Some(asked) = classes.num_classes else {
        return Ok(network);
    };
    match (network.classes, weights) {
        (None, _) => Err(Error::Usage(format!(
            "`--num-classes {asked}` is for a network of the catalogue that ends with a classifier, \
             and `{}` has its layers as they are",
            text::shown(&network.name)
        ))),
        (Some(found), Some(weights)) if found != asked => Err(Error::Usage(format!(
            "`{}` has weights for {}, expected {asked} as `--num-classes` says\nhint: without \
             weights the classifier can have any size",
            weights.file().shown_name(),
            format_args!("{found} classes"),
        ))),
        _ => Ok(network.with_classes(asked)),
    }
}

/// Says where a graph's layers are not those of the network that the weights say they are for: it may
/// be meant, and may be another network of the same tensors.
fn warn_of_other_layers(network: &Network, weights: &Weights) {
    let Architecture::Graph(layers) = &network.architecture else {
        return;
    };
    let said = weights.network.as_deref().map(catalog::find);
    let Some(Ok(said)) = said else {
        return;
    };
    // As a graph too: there a learnt number goes by its role.
    let theirs = Graph::of(&weights.with_classes(said).layers()).layers(None);
    let Ok(theirs) = theirs else {
        return;
    };
    let pairs = layers.as_slice().iter().zip(theirs.as_slice());
    let differs = |(ours, theirs): &(&Layer, &Layer)| ours.operation != theirs.operation;
    let first = pairs.clone().find(differs).map(|(ours, _)| ours);
    let first = first.or_else(|| layers.as_slice().get(theirs.as_slice().len()));
    if let Some(first) = first {
        complain(
            "warning",
            &format!(
                "`{}` says it is for `{}`, from whose layers the graph's differ, first at `{}`",
                weights.file().shown_name(),
                said.name,
                text::shown(&first.name)
            ),
        );
    }
}

/// Says which tensors that a network has read hold what is no number: the results will not be
/// numbers either.
fn warn_of_nonfinite(weights: &Weights) {
    for warning in weights.nonfinite_warnings() {
        complain("warning", &warning);
    }
}

/// Says what the library found that should be known.
fn tell(notice: Notice) {
    match notice {
        Notice::Note(text) => complain("note", &text),
        Notice::Warning(text) => complain("warning", &text),
    }
}

/// The device that was asked for, and the type of number to compute in there.
fn device(name: DeviceName, precision: Precision) -> Result<(Device, DType)> {
    let without = |feature: &str| {
        Error::Device(format!(
            "this program was built without `{feature}`\nhint: build it with \
             `cargo build --release --features {feature}`"
        ))
    };
    let opened = match name {
        DeviceName::Cpu => Ok(Device::Cpu),
        DeviceName::Cuda(_) if !cfg!(feature = "cuda") => return Err(without("cuda")),
        DeviceName::Metal if !cfg!(feature = "metal") => return Err(without("metal")),
        DeviceName::Cuda(number) => Device::new_cuda(number),
        DeviceName::Metal => Device::new_metal(0),
    };
    let device =
        opened.map_err(|error| Error::Device(format!("cannot open device `{name}`: {error}")))?;
    let dtype = match precision {
        Precision::F32 => DType::F32,
        _ if device.is_cpu() => {
            return Err(Error::Usage(
                "candle computes in f32 on the CPU\nhint: `--engine cpu` computes in bf16, too, and \
                 `--device cuda` and `metal` in f16 and bf16"
                    .to_owned(),
            ));
        }
        Precision::F16 => DType::F16,
        Precision::Bf16 => DType::BF16,
        Precision::Auto => {
            return Err(Error::Usage(format!(
                "`--precision auto` is for the CPU, and `--device {name}` was asked for\nhint: \
                 choose f32, f16 or bf16"
            )));
        }
    };
    Ok((device, dtype))
}
